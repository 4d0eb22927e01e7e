"""What an older three-tier system holds, as it is brought along."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from langgraph_agentmem.models.active import MemoryTemplate
from langgraph_agentmem.models.base import Json, Value
from langgraph_agentmem.models.chunk import PlacedChunk
from langgraph_agentmem.models.item import Namespace

ConsolidatedTier = Literal["shortterm", "longterm"]
"""Where a chunk stands that was consolidated."""


class LegacyMemory(Value):
    """A memory of the source as it is to stand here.

    Attributes:
        place: Which one it is, for people.
        legacy_id: Its table and id.
        metadata: As they are kept, with the legacy id.
    """

    place: str
    legacy_id: str
    tenant: str
    namespace: Namespace
    title: str
    template: MemoryTemplate
    metadata: Json
    created_at: datetime | None
    updated_at: datetime | None


class PresentMemory(Value):
    """A memory that stands already where one is to stand.

    Attributes:
        bare: Whether it has no template, as those have that are made by a put.
    """

    namespace: Namespace
    title: str
    metadata: Json
    bare: bool


class LegacyShortterm(Value):
    """A short-term memory of the source as it is to stand here.

    Attributes:
        update_count: Consolidations since its last promotion.
    """

    place: str
    tenant: str
    namespace: Namespace
    update_count: int
    metadata: Json
    created_at: datetime | None
    last_updated: datetime | None


class LegacyChunk(Value):
    """A consolidated chunk of the source as it is to stand here.

    Attributes:
        place: Which one it is, for people.
        legacy_id: Its table and id; those of all pieces that it is here.
        pieces: What it is cut into here.
        ended_at: When it ceased to be valid; None while it is.
        vectors: Its vector there, by its text.
    """

    place: str
    legacy_id: str
    tenant: str
    namespace: Namespace
    section_id: str
    tier: ConsolidatedTier
    pieces: list[PlacedChunk]
    started_at: datetime | None
    ended_at: datetime | None
    updated_at: datetime | None
    confidence: float
    importance: float
    vectors: Mapping[str, list[float]] = Field(default_factory=dict[str, list[float]])

    @property
    def hashes(self) -> list[bytes]:
        """Of its pieces' contents, in order."""
        return [piece.content_hash for piece in self.pieces]


class PresentPiece(Value):
    """A piece of a chunk that an import has written.

    Attributes:
        ended: Whether it is not valid any more.
    """

    id: int
    content: str
    content_hash: bytes
    ended: bool


LegacyRow = Mapping[str, Any]
"""A row of the source, under the names that its statement gives the columns."""
