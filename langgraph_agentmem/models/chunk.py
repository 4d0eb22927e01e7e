"""Chunks: what sections are made of once they are remembered."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from langgraph_agentmem.models.base import Json, Tier, Value

Origin = Literal["section", "merge", "leftover"]
"""Cut from a section, written by a merge, or what a replaced chunk said besides what was replaced."""


class TextChunk(Value):
    """A piece of a text.

    Attributes:
        text: The piece; all pieces joined give back the whole text.
        overlap: The end of the preceding piece, where this one continues it in the middle of a block.
    """

    text: str
    overlap: str = ""


class Chunk(Value):
    """A stored chunk.

    Attributes:
        current: Whether it is part of its section's present value.
        start_date: Valid from.
        end_date: Valid until; None while it is valid.
        superseded_by: The chunk that took its place.
        run_id: The consolidation run that took it in last.
    """

    id: int
    memory_id: int
    section_id: str
    section_revision: int
    chunk_order: int
    content: str
    tier: Tier
    current: bool
    origin: Origin = "section"
    source: str | None = None
    run_id: str | None = None
    start_date: datetime
    end_date: datetime | None = None
    superseded_by: int | None = None
    metadata: Json = Field(default_factory=dict)
