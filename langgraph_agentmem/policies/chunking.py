"""Cuts texts into chunks, losslessly: the pieces joined give back the text exactly.

Structure first: headings, paragraphs, list items, lines and fenced code are blocks of their own, so that an edit
changes the chunks that it touches and no others. A block longer than the limit is cut between sentences, then
between words, then anywhere.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise, takewhile
from zlib import crc32

from langgraph_agentmem.models.chunk import Place, TextChunk
from langgraph_agentmem.policies.outline import FENCE, HEADING, ITEM, places
from langgraph_agentmem.policies.sentences import sentences

_LABEL = re.compile(r"\s*(?:[(\[][^)\]\n]{1,60}[)\]]\s*)?[^\s:：][^:：\n]{0,40}(?::\s|：)")
"""What a line of its own begins with: a key or a speaker, behind a date in brackets or not."""
_WORD_END = re.compile(r"\s+")
MOST_ALONE = 2000
"""Chunks of a section that may be as short as their lines are."""
_ENDS_PACK = 8
"""Of so many lines, one ends a pack that is long enough."""
_LONGEST_TITLE = 200
"""Of a heading, as it is kept with each chunk that stands under it."""
_WRAPPED_LINE = 60
"""From this length on, a line that does not end a sentence is taken for wrapped prose."""


def chunk(text: str, size: int, overlap: int = 0, alone: int = MOST_ALONE) -> list[TextChunk]:
    """The chunks of a text, in order.

    Args:
        text: Any text.
        size: Longest chunk, in characters.
        overlap: How many characters of the preceding chunk accompany one that continues its block.
        alone: How many chunks may be as short as their block is; further ones are packed.

    Returns:
        Chunks whose texts joined are exactly `text`; none for an empty text.
    """
    chunks: list[TextChunk] = []
    above: dict[int, str] = {}
    blocks = _blocks(text)
    for block, place in zip(blocks, places(blocks), strict=True):
        above = _headings(block, above)
        chunks += _pieces(block, size, overlap, place.model_copy(update={"headings": tuple(above.values())}))
    return chunks[:alone] + packed(chunks[alone:], size)


def raw_blocks(text: str) -> list[str]:
    """The headings, paragraphs, list items, lines and pieces of fenced code of a text; joined they are the text."""
    return list(_raw_blocks(text.splitlines(keepends=True)))


def _blocks(text: str) -> list[str]:
    """Blocks that joined give the text; blank ones are added to their neighbour, a heading to what follows it."""
    return list(_joined(raw_blocks(text)))


def _joined(blocks: Iterable[str]) -> Iterator[str]:
    begun: list[str] = []
    bare = True
    for block in blocks:
        # a heading alone is no chunk that anybody would search for, nor is white space
        if not bare and block.strip():
            yield "".join(begun)
            begun, bare = [], True
        begun.append(block)
        bare = bare and _is_bare_heading(block)
    if begun:
        yield "".join(begun)


def _raw_blocks(lines: Iterable[str]) -> Iterator[str]:
    block: list[str] = []
    fence = ""
    for line in lines:
        mark = FENCE.match(line)
        ends_fence = bool(fence and mark and mark[1] == fence)
        if block and not fence and (mark or not _continues(block, line)):
            yield "".join(block)
            block = []
        if mark and not fence:
            fence = mark[1]
        block.append(line)
        if ends_fence:
            yield "".join(block)
            block, fence = [], ""
    if block:
        yield "".join(block)


def _continues(block: list[str], line: str) -> bool:
    """Whether a line belongs to the block before it: it is blank, or goes on with wrapped prose."""
    last = block[-1].rstrip()
    if not line.strip():
        return True
    if not last:
        # behind a blank line something new begins, unless there was nothing but blank lines so far
        return all(not earlier.strip() for earlier in block)
    if HEADING.match(line) or ITEM.match(line) or _LABEL.match(line) or HEADING.match(block[0]):
        return False
    return len(last) >= _WRAPPED_LINE and last[-1] not in ".!?:;。！？"


def _is_bare_heading(block: str) -> bool:
    return all(HEADING.match(line) or not line.strip() for line in block.splitlines())


def _headings(block: str, above: dict[int, str]) -> dict[int, str]:
    """The headings, by level, that a block stands under; one at its beginning ends those of its level and below."""
    for line in block.splitlines():
        if not line.strip():
            continue
        heading = HEADING.match(line)
        if not heading:  # whatever comes now is no heading, but perhaps a comment within code
            break
        level, title = heading[0].count("#"), line[heading.end() :].strip().rstrip("#").strip()[:_LONGEST_TITLE]
        above = {other: text for other, text in above.items() if other < level} | ({level: title} if title else {})
    return above


def _pieces(block: str, size: int, overlap: int, place: Place) -> list[TextChunk]:
    if len(block) <= size:
        return [TextChunk(text=block, place=place)]
    texts = list(_packed_parts(_short_parts(block, size), size))
    tails = ["", *(text[-overlap:] if overlap else "" for text in texts[:-1])]
    return [TextChunk(text=text, overlap=tail, place=place) for text, tail in zip(texts, tails, strict=True)]


def _short_parts(block: str, size: int) -> Iterator[str]:
    for sentence in sentences(block):
        for word in [sentence] if len(sentence) <= size else _cut(sentence, _WORD_END):
            yield from (word[start : start + size] for start in range(0, len(word), size))


def packed(chunks: Sequence[TextChunk], size: int) -> list[TextChunk]:
    """Chunks with short neighbours joined, so that there are not more than about four times as many as must be.

    Where one ends is told by what it ends with, as far as lengths allow: an edit changes those that it touches, and not
    all behind it.
    """
    groups: list[list[TextChunk]] = []
    length = 0
    for chunk in chunks:
        room = length + len(chunk.text) <= size and not chunk.overlap
        if not groups or not room or (length >= size // 4 and _ends_pack(groups[-1][-1].text)):
            groups.append([])
            length = 0
        groups[-1].append(chunk)
        length += len(chunk.text)
    return [group[0] if len(group) == 1 else _pack(group) for group in groups]


def _ends_pack(text: str) -> bool:
    return crc32(text.strip().encode()) % _ENDS_PACK == 0


def _pack(chunks: Sequence[TextChunk]) -> TextChunk:
    """One chunk of several; it belongs to what all of them belong to."""
    places = [chunk.place for chunk in chunks]
    place = Place(
        headings=_common([place.headings for place in places]), parents=_common([place.parents for place in places])
    )
    return TextChunk(text="".join(chunk.text for chunk in chunks), overlap=chunks[0].overlap, place=place)


def _common(paths: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """What paths begin with alike."""
    steps = takewhile(lambda step: len(set(step)) == 1, zip(*paths, strict=False))
    return tuple(step[0] for step in steps)


def _packed_parts(parts: Iterable[str], size: int) -> Iterator[str]:
    begun: list[str] = []
    length = 0
    for part in parts:
        if begun and length + len(part) > size:
            yield "".join(begun)
            begun, length = [], 0
        begun.append(part)
        length += len(part)
    yield "".join(begun)


def _cut(text: str, after: re.Pattern[str]) -> list[str]:
    """The text cut behind every match."""
    ends = [0, *(match.end() for match in after.finditer(text) if 0 < match.end() < len(text)), len(text)]
    return [text[start:end] for start, end in pairwise(ends) if start < end]
