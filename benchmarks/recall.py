"""Whether what answers a question is among the first hits: what the benchmarks of finding have in common.

Conversations are written and asked through the public API, right after writing, without a chat model, through the doors
of `doors.py`. Recall is the share of a question's evidence among the first hits, averaged over questions that have an
answer; of pieces of one text, the first counts. With `--onnx MODEL` (the name or the folder of a sentence embedding
model, as `LocalEmbeddings` takes it; needs the extra `local`) vectors take part as well. `--out` writes what every
question has found, a line of JSON each.
"""

import argparse
import json
import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from doors import DOORS, MISSING, WITHOUT_EMBEDDER
from langchain_core.embeddings import Embeddings
from server import database
from talks import Conversation, Hit, Question
from writing import table

from langgraph_agentmem import AgentMemorySettings, LocalEmbeddings

FIRST = (1, 5, 10, 20)
WITHIN_TOKENS = (1_000, 2_000)
CHARACTERS_A_TOKEN = 4
ASKED_FOR = 60
MISSED_BEYOND = 5
HEADER = ["door", "questions", *(f"R@{n}" for n in FIRST), "any of 10", "all of 10", "MRR", "NDCG@10",
          *(f"R in {tokens:,} tokens" for tokens in WITHIN_TOKENS)]  # fmt: skip


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


# Asking


def parser(doc: str | None, doors: Iterable[str] = DOORS) -> argparse.ArgumentParser:
    """The options that all of them have."""
    options = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--doors", nargs="+", default=list(doors), help=f"of {', '.join(DOORS)}")
    options.add_argument("--onnx", help="name or folder of a sentence embedding model")
    options.add_argument("--query", help="prefix of questions, if it is not the model's own")
    options.add_argument("--passage", help="prefix of texts, if it is not the model's own")
    options.add_argument("--missed", action="store_true", help=f"print what is not among the first {MISSED_BEYOND}")
    options.add_argument("--out", type=Path, help="file for what every question has found")
    return options


def index_of(given: argparse.Namespace) -> Any:
    """LangGraph's configuration of the embedder that was asked for; None without."""
    if not given.onnx:
        return None
    embedder: Embeddings = LocalEmbeddings(given.onnx, query_prefix=given.query, passage_prefix=given.passage)
    return {"embed": embedder, "dims": len(embedder.embed_query("memory"))}


async def found_by(
    name: str, server: str, index: Any, talks: Sequence[Conversation], settings: AgentMemorySettings | None = None
) -> Found:
    """What a door finds, in a database of its own."""
    found = Found()
    async with DOORS[name](database(server), index, settings or AgentMemorySettings()) as door:
        await door.write(talks)
        for talk in talks:
            for question in talk.questions:
                hits = door.hits(talk, await door.ask(talk, question.text, ASKED_FOR))
                found.asked.append((talk.name, question, *_first_of_each(hits)))
    return found


def _first_of_each(hits: Sequence[Hit]) -> tuple[list[str], list[int]]:
    """Each text once, where its first piece stands; what is read of it are all of its pieces so far."""
    first = dict.fromkeys((hit.id for hit in hits), 0)
    for hit in hits:
        first[hit.id] += hit.size
    return list(first), list(first.values())


async def measure(
    name: str,
    talks: Sequence[Conversation],
    server: str,
    given: argparse.Namespace,
    *,
    settings: AgentMemorySettings | None = None,
    instead: Any = None,
) -> None:
    """Print how well the doors find what answers, in all and by categories.

    Args:
        name: Of the set.
        talks: Are asked all of their questions.
        server: Its DSN.
        given: Options.
        settings: Of the package's doors.
        instead: Configuration of an embedder for doors that need one, where none was asked for; they are left out else.
    """
    index = index_of(given)
    rows: list[list[str]] = []
    with given.out.open("a", encoding="utf-8") if given.out else nullcontext() as out:
        for door in given.doors:
            its = index if door in WITHOUT_EMBEDDER else index or instead
            if its is None and door not in WITHOUT_EMBEDDER:
                continue
            found = await found_by(door, server, its, talks, settings)
            rows += rows_of(door, found)
            if given.missed:
                missed(found, talks)
            if out is not None:
                kept(out, f"{name} {door}", found)
    if MISSING:
        print(f"Left out, as not installed: {', '.join(MISSING)}\n")
    print(f"### {name}, {'with ' + given.onnx if given.onnx else 'words only'}\n")
    table(HEADER, rows)


def rows_of(door: str, found: Found) -> list[list[str]]:
    """A door's figures, and those of each category where there are several."""
    categories = sorted({question.category for _, question, _, _ in found.asked})
    by = [found.row(f"– {c}", lambda q, c=c: q.category == c) for c in categories]
    return [found.row(door), *(by if len(categories) > 1 else [])]


def missed(found: Found, talks: Sequence[Conversation]) -> None:
    """Print the questions without an answer among the first few, what answers, and what came first."""
    texts = {(talk.name, id): text for talk in talks for id, text in talk.texts.items()}
    for talk, question, ids, _ in found.asked:
        if not question.gold & set(ids[:MISSED_BEYOND]):
            print(f"? {question.text}")
            print(
                *(
                    f"  {mark} {id} {texts[talk, id]}"
                    for mark, id in [*zip("==", question.gold, strict=False), *zip("123", ids, strict=False)]
                ),
                sep="\n",
            )


def kept(out: TextIO, door: str, found: Found) -> None:
    for talk, question, ids, _ in found.asked:
        entry = {"door": door, "talk": talk, "question": question.text, "gold": sorted(question.gold), "found": ids}
        out.write(json.dumps(entry, ensure_ascii=False) + "\n")
