"""Entities and relationships, as extracted and as stored."""

import math
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field
from pydantic.json_schema import SkipJsonSchema

from langgraph_agentmem.models.base import Json, Value, counted, cut

GraphTier = Literal["shortterm", "longterm"]


def _clamped(value: Any) -> Any:
    if isinstance(value, float) and math.isnan(value):
        return 0.5
    return min(max(value, 0.0), 1.0) if isinstance(value, int | float) else value


Share = Annotated[float, BeforeValidator(_clamped)]
"""A number from 0 to 1; models that leave the range are brought back into it, NaN is 0.5."""


class Traits(Value):
    """What merging changes of an entity or a relationship; `weight` is its importance or its strength."""

    types: list[str]
    description: str
    confidence: float
    weight: float


class ExtractedEntity(Value):
    """An entity that a text mentions.

    Attributes:
        name: As the text calls it.
        types: What it is, e.g. `["person"]`.
        confidence: How sure the extractor is, 0 to 1.
        importance: How much it matters, 0 to 1.
        chunk_ids: The chunks that mention it.
    """

    name: str
    types: list[str] = Field(default_factory=list)
    description: str = ""
    confidence: Share = 0.8
    importance: Share = 0.5
    chunk_ids: list[int] = Field(default_factory=list[int])

    @property
    def traits(self) -> Traits:
        """What merging changes."""
        return Traits(
            types=self.types, description=self.description, confidence=self.confidence, weight=self.importance
        )


class ExtractedRelationship(Value):
    """A relationship between two entities, by their names.

    Attributes:
        source_types: Of the source; they tell which of several entities of its name is meant.
        target_types: Of the target, likewise.
        types: What kind, e.g. `["works_at"]`.
        strength: How close it is, 0 to 1.
        chunk_ids: The chunks that state it.
    """

    source: str
    target: str
    source_types: list[str] = Field(default_factory=list)
    target_types: list[str] = Field(default_factory=list)
    types: list[str] = Field(default_factory=list)
    description: str = ""
    confidence: Share = 0.8
    strength: Share = 0.5
    chunk_ids: list[int] = Field(default_factory=list[int])

    @property
    def traits(self) -> Traits:
        """What merging changes."""
        return Traits(types=self.types, description=self.description, confidence=self.confidence, weight=self.strength)


class RefusedFinding(Value):
    """A part of an extractor's answer that was not taken.

    Attributes:
        names: Of the entity, or of the relationship's ends, as far as they are known.
        reason: Where it stood, and what is wrong with it.
    """

    names: tuple[str, ...] = ()
    reason: str


class Extraction(Value):
    """What an extractor found in some chunks."""

    entities: list[ExtractedEntity] = Field(default_factory=list[ExtractedEntity])
    relationships: list[ExtractedRelationship] = Field(default_factory=list[ExtractedRelationship])
    refused: SkipJsonSchema[list[RefusedFinding]] = Field(default_factory=list[RefusedFinding])
    """Parts of an answer that could not be read; they end in the run's report. A model is not asked for them."""


class Relationship(Value):
    """A stored relationship; `state_history` is newest last, `disputed` says whether it waits for a person's review."""

    id: int
    tier: GraphTier
    source_id: int
    target_id: int
    source: str
    target: str
    types: list[str]
    description: str = ""
    confidence: float
    strength: float
    start_date: datetime
    end_date: datetime | None = None
    revision: int
    disputed: bool = False
    metadata: Json = Field(default_factory=dict)

    @property
    def state_history(self) -> list[Json]:
        """Its changes, newest last."""
        return list(self.metadata.get("state_history", []))

    def _told(self) -> str:
        ended = f" until {self.end_date:%Y-%m-%d}" if self.end_date else ""
        said = f"{cut(self.source, 40)} {cut(', '.join(self.types), 40)} {cut(self.target, 40)}"
        return f"{self.id} {said}, confidence {self.confidence:.2f}, since {self.start_date:%Y-%m-%d}{ended}"


class Entity(Value):
    """A stored entity.

    Attributes:
        tier: Short-term entities belong to one memory, long-term ones to the tenant.
        relationships: Those it takes part in, within its tier.
        namesakes: Ids of other entities of the same name, tier and (for short-term ones) memory, oldest first.
        disputed: Whether it waits for a person's review.
        metadata: With `state_history`, newest last.
    """

    id: int
    tier: GraphTier
    shortterm_memory_id: int | None = None
    name: str
    types: list[str]
    description: str = ""
    confidence: float
    importance: float
    first_seen: datetime
    last_seen: datetime
    revision: int
    disputed: bool = False
    relationships: list[Relationship] = Field(default_factory=list[Relationship])
    namesakes: list[int] = Field(default_factory=list[int])
    metadata: Json = Field(default_factory=dict)

    @property
    def state_history(self) -> list[Json]:
        """Its changes, newest last."""
        return list(self.metadata.get("state_history", []))

    def _told(self) -> str:
        kinds = f" ({cut(', '.join(self.types), 40)})" if self.types else ""
        told = f"{self.id} {cut(self.name)}{kinds}, {self.tier}, confidence {self.confidence:.2f}"
        disputed = ", disputed" if self.disputed else ""
        return f"{told}{disputed}: {counted(len(self.relationships), 'relationship')}"
