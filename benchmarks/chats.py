"""What the rules do to real chats, read from files that are not part of the repository.

BEAM (`mohammadtavakoli78/BEAM`): a list of `{"chat", "messages": [{"id", "role", "text"}], "questions": [{"ability",
"gold"}]}`, where the gold messages of a knowledge update or a contradiction are both sides of it. The first paragraph
of the first one is replaced by that of the last one. LoCoMo: `locomo10.json`, or a part of it.
"""

import json
import random
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from writing import Found, chunks_of, rewritten, share, table, write_all

from langgraph_agentmem import AgentMemory

ABILITIES = {"knowledge_update": "knowledge updates", "contradiction_resolution": "contradictions"}
UNRELATED = 270
SPEAKER = "User: "
FOUND_AMONG = 10
ADVERSARIAL = 5
"""LoCoMo's category of questions without an answer."""


@dataclass(frozen=True)
class Messages:
    """Two messages of one section."""

    key: str
    old: str
    written: str


# BEAM


def read(path: str) -> list[dict[str, Any]]:
    return json.loads(Path(path).read_text(encoding="utf-8"))


async def measure_messages(memory: AgentMemory, chats: Sequence[dict[str, Any]]) -> None:
    """Updates, contradictions and unrelated pairs of users' messages, as they are and with a speaker before them."""
    groups = {name: list(_golden(chats, ability)) for ability, name in ABILITIES.items()}
    groups["unrelated messages"] = list(_unrelated(chats))
    groups["unrelated sentences"] = [
        replace(pair, key=f"s-{pair.key}", old=_sentence(pair.old), written=_sentence(pair.written))
        for pair in groups["unrelated messages"]
    ]
    rows: list[list[str]] = []
    for name, pairs in groups.items():
        for label, said in ((name, pairs), (f"{name}, `{SPEAKER}` before both", [_said(pair) for pair in pairs])):
            found = await write_all(memory, f"beam {label}", said)
            ended, flagged = _ended(said, found), _flagged(said, found)
            rows.append([label, str(len(said)), str(ended), share(ended, len(said)), str(flagged),
                         share(flagged, len(said))])  # fmt: skip
    print(f"### Messages of {len(chats)} chats (BEAM), the first replaced by the second\n")
    table(["", "pairs", "ended", "", "flagged", ""], rows)
    print(
        "Of updates, `ended` or `flagged` is right; of contradictions, `flagged`; of unrelated pairs, neither\n"
        "(targets: 0 ended, at most 3 % flagged). A pair is ended if a run ended anything of the first message.\n"
    )


def _golden(chats: Iterable[dict[str, Any]], ability: str) -> Iterator[Messages]:
    """The first and the last gold message of each question that names two."""
    for chat in chats:
        texts = {message["id"]: message["text"] for message in chat["messages"]}
        for number, question in enumerate(chat["questions"]):
            gold = [id for id in question["gold"] if id in texts]
            if question["ability"] == ability and len(gold) > 1:
                key = f"{ability}-{chat['chat']}-{number}"
                yield Messages(key, _paragraph(texts[gold[0]]), _paragraph(texts[gold[-1]]))


def _unrelated(chats: Sequence[dict[str, Any]]) -> Iterator[Messages]:
    """Messages of different chats: the same draw every time."""
    chance = random.Random(19)
    said = [[m["text"] for m in chat["messages"] if m["role"] == "user"] for chat in chats]
    for number in range(UNRELATED):
        one, other = chance.sample(said, 2)
        yield Messages(f"unrelated-{number}", _paragraph(chance.choice(one)), _paragraph(chance.choice(other)))


def _paragraph(text: str) -> str:
    return text.strip().partition("\n")[0].strip()


def _sentence(text: str) -> str:
    return re.split(r"(?<=[.!?]) |, (?:and|but|so|can) ", text)[0]


def _said(pair: Messages) -> Messages:
    return replace(pair, old=SPEAKER + pair.old, written=SPEAKER + pair.written)


def _ended(pairs: Sequence[Messages], found: dict[str, Found]) -> int:
    return sum(any(not chunk.valid for chunk in found[pair.key].chunks) for pair in pairs)


def _flagged(pairs: Sequence[Messages], found: dict[str, Found]) -> int:
    """Pairs of which nothing was ended, but something is marked as unclear."""
    unclear = [pair for pair in pairs if found[pair.key].flagged]
    return len(unclear) - _ended(unclear, found)


# LoCoMo


@dataclass(frozen=True)
class Dialogue:
    """A conversation: its sessions' turns by id, and questions with the ids that answer them."""

    name: str
    sessions: list[dict[str, str]]
    questions: list[tuple[str, list[str]]]

    @property
    def turns(self) -> dict[str, str]:
        return {id: text for session in self.sessions for id, text in session.items()}


async def measure_dialogues(memory: AgentMemory, conversations: Sequence[dict[str, Any]], asked: int) -> None:
    """Evidence found, and chunks ended, where each session's dialogue replaces the last one's, and where all stay.

    Args:
        memory: An open memory.
        conversations: LoCoMo's.
        asked: How many questions, spread over all of them; 0 for all.
    """
    spoken = [_dialogue(one) for one in conversations]
    rows: list[list[str]] = []
    for label, said in (("as it is", spoken), (f"`{SPEAKER}` before each turn", [_by_user(one) for one in spoken])):
        for way in ("stay", "replaced"):
            tenant = f"locomo {label} {way}"
            ids = [await _written(memory, tenant, dialogue, way == "stay") for dialogue in said]
            recall = [
                await _recall(memory, tenant, id, dialogue, question, gold)
                for id, dialogue, question, gold in _spread(ids, said, asked)
            ]
            chunks = [chunk for section in chunks_of(memory, tenant).values() for chunk in section]
            brought = [chunk for chunk in chunks if not chunk.written_by_run]
            ended = sum(not chunk.valid for chunk in brought)
            written = "sections that stay" if way == "stay" else "one section, replaced"
            rows.append([label, written, str(len(brought)), share(ended, len(brought)),
                         str(len(chunks) - len(brought)), f"{100 * sum(recall) / len(recall):.1f}"])  # fmt: skip
    print(f"### Dialogues ({len(spoken)} of LoCoMo, {len(recall)} questions), consolidated after every session\n")
    table(["lines", "each session's dialogue", "chunks", "ended", "rests", f"evidence recall at {FOUND_AMONG}"], rows)
    print("Target: the replaced section within 1 point of sections that stay.\n")


def _dialogue(one: dict[str, Any]) -> Dialogue:
    talk = one["conversation"]
    numbers = sorted(int(key.split("_")[1]) for key in talk if re.fullmatch(r"session_\d+", key))
    sessions = [{turn["dia_id"]: _line(turn) for turn in talk[f"session_{number}"]} for number in numbers]
    turns = {id for session in sessions for id in session}
    questions = [
        (qa["question"], [id for id in qa["evidence"] if id in turns])
        for qa in one["qa"]
        if qa["category"] != ADVERSARIAL
    ]
    return Dialogue(one["sample_id"], sessions, [(question, gold) for question, gold in questions if gold])


def _line(turn: dict[str, Any]) -> str:
    caption = f" [{turn['blip_caption']}]" if turn.get("blip_caption") else ""
    return f"{turn['speaker']}: {' '.join(turn['text'].split())}{caption}"


def _by_user(dialogue: Dialogue) -> Dialogue:
    said = [{id: SPEAKER + line.partition(": ")[2] for id, line in session.items()} for session in dialogue.sessions]
    return replace(dialogue, sessions=said)


async def _written(memory: AgentMemory, tenant: str, dialogue: Dialogue, stays: bool) -> int:
    """The memory of a dialogue."""
    names = [f"session-{number}" if stays else "dialogue" for number in range(len(dialogue.sessions))]
    created = await memory.acreate_active_memory(tenant, dialogue.name, {"sections": list(dict.fromkeys(names))})
    for name, session in zip(names, dialogue.sessions, strict=True):
        await rewritten(memory, tenant, created.id, name, "\n".join(session.values()))
    return created.id


def _spread(
    ids: Sequence[int], dialogues: Sequence[Dialogue], asked: int
) -> list[tuple[int, Dialogue, str, list[str]]]:
    """So many questions, from all parts of all dialogues."""
    questions = [
        (id, dialogue, question, gold)
        for id, dialogue in zip(ids, dialogues, strict=True)
        for question, gold in dialogue.questions
    ]
    step = max(len(questions) / asked, 1.0) if asked else 1.0
    return [questions[int(number * step)] for number in range(int(len(questions) / step))]


async def _recall(
    memory: AgentMemory, tenant: str, id: int, dialogue: Dialogue, question: str, gold: Sequence[str]
) -> float:
    """The share of the gold turns that a search finds."""
    hits = await memory.asearch(tenant, question, memory_ids=[id], limit=FOUND_AMONG)
    contents = [" ".join(hit.content.split()) for hit in hits]
    found = [any(_says(content, dialogue.turns[one]) for content in contents) for one in gold]
    return sum(found) / len(found)


def _says(content: str, turn: str) -> bool:
    """Whether a hit has a turn, or most of it: "Wow!", left of a turn that was ended, is no evidence."""
    return turn in content or (content in turn and 2 * len(content) >= len(turn))
