"""What an older three-tier system's graph holds, as it is brought along."""

from datetime import datetime

from pydantic import Field

from langgraph_agentmem.models.base import Json, Value
from langgraph_agentmem.models.entity import GraphTier, Traits
from langgraph_agentmem.models.item import Namespace

EntityKey = tuple[str, str]
"""The `legacy_id` and the name of an entity, which no other one of its tenant has."""


class LegacyChange(Value):
    """An entry of state history.

    Attributes:
        entry: Without the short-term memory that gave it.
        giver: The namespace of that memory here; None where nobody knows.
    """

    entry: Json
    giver: Namespace | None = None


class LegacyThing(Value):
    """An entity or a relationship of the source as it is to stand here.

    Attributes:
        place: Which one it is, for people.
        legacy_id: Its label or type there, and of a short-term one, the id of its short-term memory.
        history: Oldest first.
    """

    place: str
    legacy_id: str
    tenant: str
    tier: GraphTier
    traits: Traits
    end_date: datetime | None = None
    history: list[LegacyChange] = Field(default_factory=list[LegacyChange])


class LegacyEntity(LegacyThing):
    """An entity of the source.

    Attributes:
        namespace: Of the memory that a short-term one belongs to; None for a long-term one.
    """

    name: str
    namespace: Namespace | None
    first_seen: datetime | None
    last_seen: datetime | None

    @property
    def key(self) -> EntityKey:
        """What it is found by."""
        return self.legacy_id, self.name


class LegacyRelationship(LegacyThing):
    """All that the source says of one entity's relation to another.

    Attributes:
        source: The entity that it leads from.
        target: The one that it leads to.
    """

    source: EntityKey
    target: EntityKey
    start_date: datetime | None


class PresentThing(Value):
    """An entity or a relationship that stands here.

    Attributes:
        memory_id: Of the memory that a short-term one belongs to.
        imported_revision: The one that an import has made; None where none has.
        imported_history: How many entries of its history an import has written.
        history: How many entries its history has.
    """

    id: int
    shortterm_memory_id: int | None
    memory_id: int | None
    types: list[str]
    description: str
    confidence: float
    weight: float
    end_date: datetime | None
    revision: int
    imported_revision: int | None
    imported_history: int
    history: int

    @property
    def traits(self) -> Traits:
        """What merging changes."""
        return Traits(types=self.types, description=self.description, confidence=self.confidence, weight=self.weight)
