"""What each revision of a section has changed, read from what became of its chunks."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from langgraph_agentmem.models.chunk import ChunkHistory


class RevisionChange(NamedTuple):
    """What came into a section together, and what that took the place of.

    Attributes:
        revision: The section's revision that brought it; 0 where a run has written it, or has ended something.
        at: When.
        source: Who wrote it, as the writer said.
        before: The text whose place was taken.
        after: The text that came.
    """

    revision: int
    at: datetime
    source: str | None
    before: str
    after: str


def changes(history: Sequence[ChunkHistory]) -> list[RevisionChange]:
    """The changes of one section, the newest first; what stayed as it was is in none of them."""
    came = dict[tuple[int, datetime], list[ChunkHistory]]()
    for chunk in sorted(history, key=lambda chunk: (chunk.chunk_order, chunk.chunk_id)):
        came.setdefault((chunk.section_revision, chunk.start_date), []).append(chunk)
    found = [_brought(together, history) for together in came.values()]
    return sorted([*found, *_ended(history)], key=lambda change: (change.at, change.revision), reverse=True)


def _brought(together: Sequence[ChunkHistory], history: Sequence[ChunkHistory]) -> RevisionChange:
    ids = {chunk.chunk_id for chunk in together}
    replaced = [chunk for chunk in history if chunk.superseded_by in ids]
    first = together[0]
    return RevisionChange(first.section_revision, first.start_date, first.source, _text(replaced), _text(together))


def _ended(history: Sequence[ChunkHistory]) -> list[RevisionChange]:
    """What has ended without anything that is known to have taken its place."""
    ids, ended = {chunk.chunk_id for chunk in history}, dict[datetime, list[ChunkHistory]]()
    for chunk in history:
        if chunk.end_date is not None and chunk.superseded_by not in ids:
            ended.setdefault(chunk.end_date, []).append(chunk)
    return [RevisionChange(0, at, None, _text(together), "") for at, together in ended.items()]


def _text(chunks: Sequence[ChunkHistory]) -> str:
    in_order = sorted(chunks, key=lambda chunk: (chunk.chunk_order, chunk.chunk_id))
    return "\n".join(chunk.content.strip() for chunk in in_order)
