"""What the rules do to real chats, read from files that are not part of the repository.

BEAM (`mohammadtavakoli78/BEAM`): a list of `{"chat", "messages": [{"id", "role", "text"}], "questions": [{"ability",
"gold"}]}`, where the gold messages of a knowledge update or a contradiction are both sides of it. The first paragraph
of the first one is replaced by that of the last one. LoCoMo: `locomo10.json`, or a part of it, as `locomo.py` reads it.
"""

import json
import random
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from talks import Conversation
from writing import Found, chunks_of, flagged_by, rewritten, share, table, write_all

from langgraph_agentmem import AgentMemory

ABILITIES = {"knowledge_update": "knowledge updates", "contradiction_resolution": "contradictions"}
UNRELATED = 270
SPEAKER = "User: "
_SPOKEN = re.compile(r"^(\([^)]*\) )?[^:]+: ")


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


# Dialogues


async def measure_dialogues(memory: AgentMemory, talks: Sequence[Conversation]) -> None:
    """Chunks ended and flagged, where one section holds each session's dialogue, and is consolidated every time.

    Args:
        memory: An open memory.
        talks: Dialogues; a text is a line `speaker: what is said`, with a date in brackets before it or not.
    """
    rows: list[list[str]] = []
    for label, said in (("as it is", talks), (f"`{SPEAKER}` before each turn", [_by_user(talk) for talk in talks])):
        tenant, flagged = f"dialogue {label}", set[int]()
        for talk in said:
            created = await memory.acreate_active_memory(tenant, talk.name, {"sections": ["dialogue"]})
            for session in talk.sessions:
                report = await rewritten(memory, tenant, created.id, "dialogue", "\n".join(session.values()))
                flagged |= await flagged_by(memory, tenant, created.id, report)
        chunks = [chunk for section in chunks_of(memory, tenant).values() for chunk in section]
        brought = [chunk for chunk in chunks if not chunk.written_by_run]
        ended = sum(not chunk.valid for chunk in brought)
        rows.append([label, str(len(brought)), share(ended, len(brought)), share(len(flagged), len(brought)),
                     str(len(chunks) - len(brought))])  # fmt: skip
    print(f"### Dialogues ({len(talks)} of LoCoMo): one section, which each session's replaces\n")
    table(["lines", "chunks", "ended", "flagged", "rests"], rows)
    print("Nothing is to be ended or flagged: what was said was said. `locomo.py` measures what is found then.\n")


def _by_user(talk: Conversation) -> Conversation:
    """The same, all said by one speaker."""
    sessions = [{id: _SPOKEN.sub(rf"\1{SPEAKER}", line) for id, line in session.items()} for session in talk.sessions]
    return replace(talk, sessions=sessions)
