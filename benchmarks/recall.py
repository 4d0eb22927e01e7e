"""Whether the memories that hold the answer are among the first hits: `python benchmarks/recall.py --locomo FILE`.

The conversations are not part of this repository: `locomo10.json` (LoCoMo, Maharana et al., 2024), or a part of it, by
`--locomo`, and chats of BEAM (`mohammadtavakoli78/BEAM`; see `chats.py` for the form) by `--beam`. A line is
`(date of the session) speaker: text [caption]`, or a chat's message as it is. They are written and asked through the
public API, right after writing, without a chat model, through these doors:

    sections   each session is a section of a memory; AgentMemory.search; of BEAM, its messages joined by blank lines
    items      each turn or message is an item of AgentMemoryStore, all in one namespace; store.search
    peer       the same items in LangGraph's AsyncPostgresStore (only with an embedder)

Recall is the share of a question's evidence among the first hits, averaged over questions that have an answer; of
chunks of one message, the first counts. With `--onnx MODEL` (the name or the folder of a sentence embedding model, as
`LocalEmbeddings` takes it; needs the extra `local`) vectors take part as well.
`--out` writes what every question has found, a line of JSON each.
"""

import argparse
import asyncio
import json
import math
import statistics
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from chats import ADVERSARIAL, read
from langchain_core.embeddings import Embeddings
from langgraph.store.base import BaseStore, PutOp
from langgraph.store.postgres.aio import AsyncPostgresStore
from server import database, started
from writing import table

from langgraph_agentmem import AgentMemory, AgentMemoryStore, LocalEmbeddings

FIRST = (5, 10, 20)
WITHIN_TOKENS = (1_000, 2_000)
CHARACTERS_A_TOKEN = 4
ASKED_FOR = 60
ABILITIES = {
    "contradiction_resolution", "information_extraction", "knowledge_update", "multi_session_reasoning",
    "temporal_reasoning",
}  # fmt: skip
"""Those of BEAM that are about finding."""
AT_ONCE = 50


@dataclass(frozen=True)
class Question:
    text: str
    gold: set[str]
    category: str


@dataclass(frozen=True)
class Conversation:
    """Sessions of texts by id, and questions with the ids of the texts that answer them."""

    name: str
    sessions: list[dict[str, str]]
    questions: list[Question]
    joined_by: str

    @property
    def texts(self) -> dict[str, str]:
        return {id: text for session in self.sessions for id, text in session.items()}


@dataclass
class Found:
    """What the questions found: the ids of the texts, best first, and how long each hit is."""

    asked: list[tuple[str, Question, list[str], list[int]]] = field(
        default_factory=list[tuple[str, Question, list[str], list[int]]]
    )

    def row(self, name: str, only: Callable[[Question], bool] = lambda _: True) -> list[str]:
        asked = [entry for entry in self.asked if only(entry[1])]
        recall = [f"{100 * statistics.mean(share(q.gold, ids[:n]) for _, q, ids, _ in asked):.1f}" for n in FIRST]
        some = [q.gold & set(ids[:10]) for _, q, ids, _ in asked]
        every = [found == q.gold for found, (_, q, _, _) in zip(some, asked, strict=True)]
        mrr = statistics.mean(reciprocal_rank(q.gold, ids) for _, q, ids, _ in asked)
        ndcg = statistics.mean(gain(q.gold, ids[:10]) for _, q, ids, _ in asked)
        budgets = [
            f"{100 * statistics.mean(share(q.gold, fitting(ids, sizes, budget)) for _, q, ids, sizes in asked):.1f}"
            for budget in WITHIN_TOKENS
        ]
        rates = [f"{100 * statistics.mean(map(bool, some)):.1f}", f"{100 * statistics.mean(every):.1f}"]
        return [name, str(len(asked)), *recall, *rates, f"{mrr:.3f}", f"{ndcg:.3f}", *budgets]


def share(gold: set[str], ids: Sequence[str]) -> float:
    return len(gold.intersection(ids)) / len(gold)


def reciprocal_rank(gold: set[str], ids: Sequence[str]) -> float:
    return next((1 / place for place, id in enumerate(ids, 1) if id in gold), 0.0)


def gain(gold: set[str], ids: Sequence[str]) -> float:
    """NDCG, where each text that answers is worth the same."""
    best = sum(1 / math.log2(place + 1) for place in range(1, min(len(gold), len(ids) or 1) + 1))
    return sum(1 / math.log2(place + 1) for place, id in enumerate(ids, 1) if id in gold) / best


def fitting(ids: Sequence[str], sizes: Sequence[int], tokens: int) -> list[str]:
    """The first texts whose hits fit into so many tokens."""
    fits: list[str] = []
    left = tokens * CHARACTERS_A_TOKEN
    for id, size in zip(ids, sizes, strict=True):
        left -= size
        if left < 0:
            break
        fits.append(id)
    return fits


# Conversations


def locomo(path: str) -> list[Conversation]:
    return [_locomo(one) for one in read(path)]


def _locomo(one: dict[str, Any]) -> Conversation:
    talk = one["conversation"]
    numbers = sorted(int(key.split("_")[1]) for key in talk if key.startswith("session_") and key.count("_") == 1)
    sessions = [
        {turn["dia_id"]: _line(talk.get(f"session_{n}_date_time", ""), turn) for turn in talk[f"session_{n}"]}
        for n in numbers
    ]
    known = {id for session in sessions for id in session}
    questions = [
        Question(qa["question"], set(qa["evidence"]) & known, f"category {qa['category']}")
        for qa in one["qa"]
        if qa["category"] != ADVERSARIAL and set(qa["evidence"]) & known
    ]
    return Conversation(one["sample_id"], sessions, questions, "\n")


def _line(date: str, turn: dict[str, Any]) -> str:
    caption = f" [{turn['blip_caption']}]" if turn.get("blip_caption") else ""
    return f"({date}) {turn['speaker']}: {' '.join(turn['text'].split())}{caption}"


def beam(path: str) -> list[Conversation]:
    return [_beam(chat) for chat in read(path)]


def _beam(chat: dict[str, Any]) -> Conversation:
    sessions: dict[Any, dict[str, str]] = {}
    for message in chat["messages"]:
        sessions.setdefault(message.get("session"), {})[str(message["id"])] = message["text"]
    known = {id for session in sessions.values() for id in session}
    questions = [
        Question(asked["question"], gold, asked["ability"])
        for asked in chat["questions"]
        if asked["ability"] in ABILITIES and (gold := {str(id) for id in asked["gold"]} & known)
    ]
    return Conversation(str(chat["chat"]), list(sessions.values()), questions, "\n\n")


# Doors


async def by_sections(dsn: str, index: Any, talks: Iterable[Conversation]) -> Found:
    found = Found()
    async with AgentMemory.open(dsn, index=index) as memory:
        for talk in talks:
            sections = [f"session {number}" for number in range(len(talk.sessions))]
            contents = [talk.joined_by.join(session.values()) for session in talk.sessions]
            created = await memory.acreate_active_memory(
                talk.name, "Talk", {"sections": sections}, dict(zip(sections, contents, strict=True))
            )
            for question in talk.questions:
                hits = await memory.asearch(talk.name, question.text, memory_ids=[created.id], limit=ASKED_FOR)
                places = [_said_in(talk, hit.section_id, hit.content) for hit in hits]
                sizes = [len(hit.content) for hit in hits]
                found.asked.append((talk.name, question, *_first_of_each(places, sizes)))
    return found


def _said_in(talk: Conversation, section_id: str, content: str) -> str:
    """The text that a chunk comes from; one that goes on into the next text, from the one in which it begins."""
    session = talk.sessions[int(section_id.split()[1])]
    begins = content.strip().partition("\n")[0]
    whole = (id for id, text in session.items() if content.strip() in text)
    return next(whole, None) or next(id for id, text in session.items() if begins in text)


def _first_of_each(ids: Sequence[str], sizes: Sequence[int]) -> tuple[list[str], list[int]]:
    """Each text once, where its first chunk stands; what is read of it are all of its chunks so far."""
    first = dict.fromkeys(ids, 0)
    for id, size in zip(ids, sizes, strict=True):
        first[id] += size
    return list(first), list(first.values())


async def by_items(store: BaseStore, talks: Iterable[Conversation]) -> Found:
    found = Found()
    for talk in talks:
        namespace = (f"talk-{talk.name}", "turns")
        texts = list(talk.texts.items())
        for start in range(0, len(texts), AT_ONCE):
            await store.abatch([PutOp(namespace, id, {"text": text}) for id, text in texts[start : start + AT_ONCE]])
        for question in talk.questions:
            hits = await store.asearch(namespace, query=question.text, limit=ASKED_FOR)
            ids, sizes = [hit.key for hit in hits], [len(hit.value["text"]) for hit in hits]
            found.asked.append((talk.name, question, ids, sizes))
    return found


@asynccontextmanager
async def peer(dsn: str, index: Any) -> AsyncIterator[BaseStore]:
    async with AsyncPostgresStore.from_conn_string(dsn, index={**index, "fields": ["text"]}) as store:
        await store.setup()
        yield store


async def measured(door: str, server: str, index: Any, talks: Sequence[Conversation]) -> Found:
    dsn = database(server)
    if door == "sections":
        return await by_sections(dsn, index, talks)
    async with AsyncExitStack() as stack:
        opened = AgentMemoryStore.from_conn_string(dsn, index=index) if door == "items" else peer(dsn, index)
        return await by_items(await stack.enter_async_context(opened), talks)


def kept(out: TextIO, door: str, found: Found) -> None:
    for talk, question, ids, _ in found.asked:
        entry = {"door": door, "talk": talk, "question": question.text, "gold": sorted(question.gold), "found": ids}
        out.write(json.dumps(entry, ensure_ascii=False) + "\n")


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--locomo", help="path of LoCoMo's conversations")
    parser.add_argument("--beam", help="path of BEAM's chats")
    parser.add_argument("--doors", nargs="+", default=["sections", "items", "peer"])
    parser.add_argument("--onnx", help="name or folder of a sentence embedding model")
    parser.add_argument("--query", help="prefix of questions, if it is not the model's own")
    parser.add_argument("--passage", help="prefix of texts, if it is not the model's own")
    parser.add_argument("--out", type=Path, help="file for what every question has found")
    given = parser.parse_args()
    sets = {"LoCoMo": (locomo, given.locomo), "BEAM": (beam, given.beam)}
    chosen = {name: load(path) for name, (load, path) in sets.items() if path}
    if not chosen:
        parser.error("give --locomo or --beam, or both")
    prefixes = {"query_prefix": given.query, "passage_prefix": given.passage}
    embedder: Embeddings | None = LocalEmbeddings(given.onnx, **prefixes) if given.onnx else None
    index = {"embed": embedder, "dims": len(embedder.embed_query("memory"))} if embedder else None
    server = started()
    header = ["door", "questions", *(f"R@{n}" for n in FIRST), "any of 10", "all of 10", "MRR", "NDCG@10"]
    header += [f"R in {tokens:,} tokens" for tokens in WITHIN_TOKENS]
    with given.out.open("w", encoding="utf-8") if given.out else nullcontext() as out:
        for name, talks in chosen.items():
            rows: list[list[str]] = []
            for door in given.doors:
                if door == "peer" and index is None:
                    continue
                found = await measured(door, server, index, talks)
                rows.append(found.row(door))
                categories = sorted({q.category for _, q, _, _ in found.asked})
                rows += [found.row(f"– {c}", lambda q, c=c: q.category == c) for c in categories]
                if out is not None:
                    kept(out, f"{name} {door}", found)
            print(f"### {name}, {'with ' + given.onnx if given.onnx else 'words only'}\n")
            table(header, rows)


if __name__ == "__main__":
    asyncio.run(main())
