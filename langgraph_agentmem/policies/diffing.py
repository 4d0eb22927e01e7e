"""Compares the chunks of a section's new value with those that are stored."""

import hashlib
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence

from langgraph_agentmem.models.base import Value
from langgraph_agentmem.models.chunk import TextChunk


def content_hash(text: str) -> bytes:
    """Identifies a chunk's content; white space around it does not count."""
    return hashlib.sha256(text.strip().encode()).digest()


class StoredChunk(Value):
    """A chunk as it is stored."""

    id: int
    section_id: str
    content: str
    content_hash: bytes
    chunk_order: int
    current: bool
    claimed: bool


class PlacedChunk(Value):
    """A chunk of the new value with its place and its neighbours' text; `id` where it is stored already."""

    id: int | None
    order: int
    text: str
    overlap: str
    neighbours: str


class ChunkDiff(Value):
    """What to do so that the stored chunks are those of the new value.

    Attributes:
        insert: New chunks.
        refresh: Stored chunks that stay or come back, but with another place, neighbour or white space.
        retire: Ids of chunks that a run has seen and that the section no longer holds.
        delete: Ids of chunks that no run has seen and that the section no longer holds.
    """

    insert: list[PlacedChunk]
    refresh: list[PlacedChunk]
    retire: list[int]
    delete: list[int]


def diff(stored: Sequence[StoredChunk], chunks: Sequence[TextChunk]) -> ChunkDiff:
    """The difference between a section's stored chunks and its new ones.

    Equal chunks stay; present ones are preferred to earlier ones that are still valid.

    Args:
        stored: The section's chunks: present ones, and valid earlier ones that may come back.
        chunks: Of the new value; blank ones are not stored.
    """
    texts = [chunk for chunk in chunks if chunk.text.strip()]
    available: dict[bytes, deque[StoredChunk]] = defaultdict(deque)
    for known in sorted(stored, key=lambda chunk: (not chunk.current, chunk.chunk_order, chunk.id)):
        available[known.content_hash].append(known)
    kept = [_take(available[content_hash(chunk.text)]) for chunk in texts]
    kept_ids = {chunk.id for chunk in kept if chunk}
    gone = [chunk for chunk in stored if chunk.current and chunk.id not in kept_ids]
    before = _surroundings(sorted((c for c in stored if c.current), key=lambda c: (c.chunk_order, c.id)))
    placed = [
        PlacedChunk(
            id=known.id if known else None, order=i, text=c.text, overlap=c.overlap, neighbours=_beside(texts, i)
        )
        for i, (known, c) in enumerate(zip(kept, texts, strict=True))
    ]
    return ChunkDiff(
        insert=[place for place in placed if place.id is None],
        refresh=[p for p, k in zip(placed, kept, strict=True) if k and _changed(k, p, before.get(k.id))],
        retire=[chunk.id for chunk in gone if chunk.claimed],
        delete=[chunk.id for chunk in gone if not chunk.claimed],
    )


def _take(chunks: deque[StoredChunk]) -> StoredChunk | None:
    return chunks.popleft() if chunks else None


def _changed(known: StoredChunk, place: PlacedChunk, neighbours: str | None) -> bool:
    return (
        not known.current
        or known.chunk_order != place.order
        or known.content != place.text
        or neighbours != place.neighbours
    )


def _surroundings(chunks: Sequence[StoredChunk]) -> dict[int, str]:
    texts = [TextChunk(text=chunk.content) for chunk in chunks]
    return {chunk.id: _beside(texts, index) for index, chunk in enumerate(chunks)}


def _beside(chunks: Sequence[TextChunk], index: int) -> str:
    neighbours: Iterable[TextChunk] = (*chunks[max(index - 1, 0) : index], *chunks[index + 1 : index + 2])
    return "\n".join(chunk.text.strip() for chunk in neighbours)
