"""Pairs of statements with what is right, and what became of them.

A statement is judged by its words: it stands where one valid chunk says all of them, in their order, together with the
headings, parents or whatever else the chunk's metadata says that it belongs to.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import yaml

FOLDER = Path(__file__).parent / "pairs"

Right = Literal["plain", "end", "keep", "unrelated", "parts"]
"""What is right, as the files name it; `pairs/README.md` says what that means."""

Way = Literal["replaced", "appended", "said"]
"""The section's text is replaced; the new text comes below the old one; or it is replaced, and a speaker says both."""

Outcome = Literal["ended", "flagged", "missed", "torn", "kept", "doubted", "lost", "parted"]
"""Of what is to end: `ended`; `flagged`, kept and marked as unclear; `missed`, kept; `torn`, ended but for a fragment.

Of what is to stay: `kept`; `doubted`, kept and marked as unclear; `lost`, ended; `parted` from what it belongs to.
"""

Words = tuple[str, ...]


@dataclass(frozen=True)
class Pair:
    """Two texts, and their statements."""

    key: str
    kind: str
    right: Right
    old: str
    new: str
    ends: tuple[str, ...] = ()
    stays: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()


@dataclass(frozen=True)
class Case:
    """A pair in one of the ways in which it can be written; the key is the section's id."""

    key: str
    way: Way
    pair: Pair
    written: str

    @property
    def old(self) -> str:
        return self.pair.old


@dataclass(frozen=True)
class Chunk:
    """A chunk as the database holds it after the last run."""

    id: int
    content: str
    metadata: dict[str, Any]
    written_by_run: bool
    valid: bool

    @property
    def own(self) -> Words:
        return words(self.content)

    @property
    def all(self) -> Words:
        """With the words of what it belongs to before and behind its own: a record's first line may be any of it."""
        above = words(" ".join(texts(self.metadata)))
        return above + self.own + above


@dataclass(frozen=True)
class Verdict:
    case: Case
    statement: str
    outcome: Outcome


def pairs(kinds: Sequence[str] = ()) -> list[Pair]:
    """The pairs of these kinds, or all."""
    files = [path for path in sorted(FOLDER.glob("*.yaml")) if not kinds or path.stem in kinds]
    return [pair for path in files for pair in _read(path)]


def _read(path: Path) -> Iterable[Pair]:
    groups = yaml.safe_load(path.read_text(encoding="utf-8"))
    listed = [(right, entry) for right, entries in groups.items() for entry in entries]
    for number, (right, entry) in enumerate(listed, 1):
        given = {name: tuple(entry.get(name, ())) for name in ("ends", "stays", "reads")}
        pair = Pair(f"{path.stem}-{number}", path.stem, right, entry["old"], entry["new"], **given)
        yield pair if right == "parts" else with_statements(pair)


def with_statements(pair: Pair) -> Pair:
    """With its old text as the statement that ends, or each line of it as one that stays."""
    if pair.right in ("plain", "end"):
        return replace(pair, ends=(pair.old,))
    return replace(pair, stays=tuple(line for line in pair.old.splitlines() if words(line)))


def cases(pair: Pair, ways: Iterable[Way]) -> list[Case]:
    """The pair in those of the ways that make sense for it."""
    made: list[Case] = []
    for way in ways:
        if way == "said" and _can_be_said(pair):
            said = replace(pair, old=f"User: {pair.old}", new=f"User: {pair.new}")
            said = said if pair.right == "parts" else with_statements(said)
            made.append(Case(f"{pair.key}-said", way, said, said.new))
        elif way == "replaced":
            made.append(Case(f"{pair.key}-replaced", way, pair, pair.new))
        elif way == "appended" and pair.right != "parts":
            made.append(Case(f"{pair.key}-appended", way, pair, f"{pair.old}\n{pair.new}"))
    return made


def _can_be_said(pair: Pair) -> bool:
    marked = re.match(r"[-*#|{>$`\[]|\d+\.", pair.old)
    return pair.kind not in ("speakers", "records", "quotes") and not marked and "\n" not in pair.old + pair.new


def judged(case: Case, chunks: Sequence[Chunk], flagged: set[int]) -> list[Verdict]:
    """What became of the case's statements.

    Args:
        case: What was written.
        chunks: All of its section, the ended ones as well.
        flagged: Which of them are marked as unclear.
    """
    old = [chunk for chunk in chunks if _is_old(chunk, case)]
    outcomes: list[tuple[str, Outcome]] = [
        *((statement, _ending(words(statement), case, old, flagged)) for statement in case.pair.ends),
        *((statement, _staying(words(statement), chunks, flagged)) for statement in case.pair.stays),
        *((statement, _reading(words(statement), chunks)) for statement in case.pair.reads),
        *((chunk.content, "lost") for chunk in chunks if chunk not in old and not chunk.valid),
    ]
    return [Verdict(case, statement, outcome) for statement, outcome in outcomes]


def _is_old(chunk: Chunk, case: Case) -> bool:
    """Whether the old text, or a run, brought the chunk."""
    return chunk.written_by_run or f" {' '.join(chunk.own)} " in f" {' '.join(words(case.old))} "


def _ending(statement: Words, case: Case, old: Sequence[Chunk], flagged: set[int]) -> Outcome:
    carriers, _ = _carriers(statement, old)
    standing = [chunk for chunk in carriers if chunk.valid]
    if standing or not carriers:
        return "flagged" if any(chunk.id in flagged for chunk in standing) else "missed"
    rests = [chunk.all for chunk in old if chunk.written_by_run and chunk.valid]
    torn = any(not any(holds(rest, words(stays)) for stays in case.pair.stays) for rest in rests)
    return "torn" if torn else "ended"


def _staying(statement: Words, chunks: Sequence[Chunk], flagged: set[int]) -> Outcome:
    carriers, whole = _carriers(statement, chunks)
    standing = [chunk for chunk in carriers if chunk.valid]
    if not standing:
        return "lost"
    if not whole:
        return "parted"
    return "doubted" if all(chunk.id in flagged for chunk in standing) else "kept"


def _reading(statement: Words, chunks: Sequence[Chunk]) -> Outcome:
    return "kept" if any(chunk.valid and holds(chunk.all, statement) for chunk in chunks) else "parted"


def _carriers(statement: Words, chunks: Sequence[Chunk]) -> tuple[list[Chunk], bool]:
    """The chunks that say the statement, and True; where none says all of it, those that say its last word."""
    whole = [chunk for chunk in chunks if holds(chunk.all, statement)]
    return whole or [chunk for chunk in chunks if statement[-1] in chunk.all], bool(whole)


def words(text: str) -> Words:
    return tuple(re.findall(r"\w+", text.casefold()))


def texts(value: Any) -> Iterable[str]:
    """All strings in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from texts(part)


def holds(text: Words, statement: Words) -> bool:
    """Whether a text has all words of a statement, in their order."""
    rest = iter(text)
    return all(word in rest for word in statement)
