"""The statements of a text: its sentences and lines, each with what it belongs to and who or what says it."""

import json
import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple, cast

from langgraph_agentmem.models.chunk import NOWHERE, Place
from langgraph_agentmem.policies import wording
from langgraph_agentmem.policies.chunking import raw_blocks
from langgraph_agentmem.policies.outline import FENCE, HEADING, IDENTIFYING, ITEM
from langgraph_agentmem.policies.sentences import sentences

_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_CJK}]|[^\W{_CJK}]+(?:[.,:/'’-][^\W{_CJK}]+)*")
_BOX = re.compile(r"^\[[ xX]\]\s+")
_QUOTED = re.compile(r"^(?:>\s*)+")
_CLOCK = r"\d{1,2}:\d{2}(?::\d{2})?"
_MOMENT = re.compile(
    rf"^(?:[\[(]\s*)?(?P<moment>(?:{_CLOCK}(?:\s*[ap]\.?m\.?)?|\d{{4}}-\d{{2}}-\d{{2}}(?:[T ]{_CLOCK}Z?)?|"
    r"\d{1,2}[./]\d{1,2}[./]\d{2,4})(?:[ ,]+(?:on\s+)?[\w ,:.-]{0,24}?\d{4})?)"
    r"(?:\s*[\])])?\s*(?:[:–—-]\s*|\s(?=\S))(?=\D)"
)
_LABEL = re.compile(
    r"^(?P<label>[^\s:：=|\"'`{}\[\]][^:：=|\"`{}\n]{0,40}?)\s*[:：](?P<rest>\s+\S.*|[^\s/\\\d].*)$", re.DOTALL
)
_CELL = re.compile(r"(?<!\\)\|")


class Statement(NamedTuple):
    """A sentence or a line.

    Attributes:
        text: As it stands in the text, without the marks of lists and line breaks.
        path: What it belongs to.
        moment: The date or time that a log writes before it.
        labels: Speakers and remarks before it: `User`, `TODO`.
        said: What is left without these.
        code: Whether it is a block of code.
        identifies: Whether it tells a record of a list from the others.
        nested: Whether it belongs to something by indentation, or is a member of a record.
    """

    text: str
    said: str
    path: tuple[str, ...] = ()
    moment: str = ""
    labels: tuple[str, ...] = ()
    code: bool = False
    identifies: bool = False
    nested: bool = False

    @property
    def alone(self) -> str:
        """Its text with what it belongs to, as it can be understood alone."""
        return " – ".join((*self.path, self.text))


def statements(text: str, place: Place = NOWHERE) -> list[str]:
    """The statements of a text as they can be understood alone, e.g. "Alice – likes tea" under the heading "# Alice".

    Args:
        text: Any text.
        place: What it belongs to.
    """
    return [statement.alone for statement in stated(text, place)]


def stated(text: str, place: Place = NOWHERE) -> tuple[Statement, ...]:
    """The statements of a text; lines without any letter or digit are none."""
    return _stated(text, place.headings, place.parents, place.identifies)


@lru_cache(maxsize=4096)
def _stated(text: str, headings: tuple[str, ...], parents: tuple[str, ...], identifies: bool) -> tuple[Statement, ...]:
    found: list[Statement] = []
    path = headings + parents
    for block in raw_blocks(text):
        if HEADING.match(block):
            heading = block.strip().lstrip("#").strip()
            # the headings that the text itself begins with are among those that it stands under
            path = path if heading in headings else (*headings, heading, *parents)
        elif FENCE.match(block):
            code = re.sub(r"\s+", " ", block.strip().strip("`~")).strip()
            found += [Statement(text=code, path=path, said=code, code=True)] if code else []
        else:
            found += _of_block(block, path)
    return tuple(s._replace(identifies=identifies or s.identifies, nested=bool(parents) or s.nested) for s in found)


def plain(text: str) -> str:
    """A text in one Unicode form and case, so that what reads the same is the same."""
    return unicodedata.normalize("NFKC", text).casefold().replace("’", "'")


@lru_cache(maxsize=8192)
def words_of(text: str) -> tuple[str, ...]:
    """The words and numbers of a text in order, in one form and case; of Chinese and Japanese, the characters."""
    return tuple(_WORD.findall(plain(text)))


def _of_block(block: str, path: tuple[str, ...]) -> Iterator[Statement]:
    line = block.strip().rstrip(",")
    if line.startswith("{") and (record := _record(line)) is not None:
        yield from _of_record(record, path)
    elif line.startswith("|"):
        yield from _of_row(line, path)
    else:
        for sentence in sentences(block):
            bare = re.sub(r"\s+", " ", ITEM.sub("", sentence, count=1)).strip()
            if any(char.isalnum() for char in bare):
                yield _statement(bare, path)


def _record(line: str) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return cast("dict[str, Any]", record) if isinstance(record, dict) else None


def _of_record(record: dict[str, Any], path: tuple[str, ...]) -> Iterator[Statement]:
    """The members of a JSON line; they belong to what identifies it."""
    lower = {key.casefold(): key for key in record}
    identity = next((lower[key] for key in IDENTIFYING if key in lower), next(iter(record), None))
    for key, value in record.items():
        shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        belongs_to = path if key == identity else (*path, str(record[identity] if identity else ""))
        text = f"{key}: {shown}"
        yield Statement(text=text, path=belongs_to, said=text, identifies=key == identity, nested=True)


def _of_row(line: str, path: tuple[str, ...]) -> Iterator[Statement]:
    """The cells of a row of a table; they belong to its first."""
    cells = [cell.strip() for cell in _CELL.split(line.strip().strip("|"))]
    if not any(char.isalnum() for char in line):
        return
    first, *rest = cells
    if not rest:
        yield _statement(first, path)
    for column, cell in enumerate(rest, 2):
        if cell:
            yield Statement(text=cell, path=(*path, first), said=f"{column}: {cell}", nested=True)


def _statement(text: str, path: tuple[str, ...]) -> Statement:
    said = _BOX.sub("", _QUOTED.sub("", text))
    written = _MOMENT.match(said)
    moment = written["moment"] if written else ""
    if written:
        said = said[written.end() :].strip()
    labels: list[str] = []
    if not moment and (label := _LABEL.match(said)) and wording.is_date(label["label"]):
        moment, said = label["label"], label["rest"].strip()
    while (label := _LABEL.match(said)) and _annotates(label["label"], label["rest"].strip()):
        labels.append(" ".join(words_of(label["label"])))
        said = label["rest"].strip()
    return Statement(text=text, path=path, moment=moment, labels=tuple(labels), said=said or text)


def _annotates(label: str, rest: str) -> bool:
    """Whether a label says who speaks, or what kind of remark follows; else it names what the rest is a value of."""
    words = words_of(label)
    if not words or not rest:
        return False
    if {words[0], words[-1], "".join(words)} & wording.ANNOTATIONS:
        return True
    # what ends like a sentence, or has a subject of its own, is no value
    ends = rest[-1] in ".!?。！？…" and len(words_of(rest)) > 3 and words[-1] not in wording.ATTRIBUTES
    return ends or is_clause(rest)


def is_clause(text: str) -> bool:
    """Whether a text says something by itself, instead of being a value: it begins with a subject."""
    words = words_of(text)
    first = words[0].split("'")[0] if words else ""
    # "my sister Laura" is a value, "my sister is called Laura" says something
    begins = first in wording.FIRST_PERSON | wording.UNRESOLVED and (first not in wording.POSSESSIVES or len(words) > 4)
    return len(words) > 2 and (begins or "?" in text or "？" in text)
