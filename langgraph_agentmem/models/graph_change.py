"""What a run has changed, as its log keeps it: an undo reads these records and reverses them."""

from typing import Annotated, Literal, TypeVar

from pydantic import Field

from langgraph_agentmem.models.base import Value
from langgraph_agentmem.models.entity import ExtractedEntity, ExtractedRelationship, Traits


class EntityMerged(Value):
    """A new entity became one with a stored one.

    Attributes:
        id: The stored one.
        before: What the stored one was before.
        absorbed: The new one, with the chunks that state it.
        replaces: The row that the new one had until a review merged it; None where it never had one.
    """

    change: Literal["entity_merged"] = "entity_merged"
    id: int
    before: Traits
    absorbed: ExtractedEntity
    replaces: int | None = None


class RelationshipMerged(Value):
    """A new relationship became one with a stored one; the attributes are those of `EntityMerged`."""

    change: Literal["relationship_merged"] = "relationship_merged"
    id: int
    before: Traits
    absorbed: ExtractedRelationship
    replaces: int | None = None


class RelationshipCreated(Value):
    """A new relationship, with the names of its ends: one of them may have been merged by the same run.

    Attributes:
        source_id: The entity that it was put at.
        target_id: Likewise.
    """

    change: Literal["relationship_created"] = "relationship_created"
    id: int
    source: str
    target: str
    source_id: int
    target_id: int


class RelationshipMoved(Value):
    """A relationship was moved from an entity that a review merged; the name of that one, at the end that it was.

    Attributes:
        to_id: The entity that it was moved to.
    """

    change: Literal["relationship_moved"] = "relationship_moved"
    id: int
    to_id: int
    source: str | None = None
    target: str | None = None


class EntityPromoted(Value):
    """A promotion made a short-term entity one with a long-term one that was there before.

    Attributes:
        id: The long-term one.
        shortterm_id: The short-term one.
    """

    change: Literal["entity_promoted"] = "entity_promoted"
    id: int
    shortterm_id: int


class RelationshipEnded(Value):
    """The validity of a relationship was ended."""

    change: Literal["relationship_ended"] = "relationship_ended"
    id: int


class RemovedLink(Value):
    """A valid relationship that went with an entity; None stands for the entity's end."""

    source_id: int | None
    target_id: int | None
    relationship: ExtractedRelationship


class EntityRemoved(Value):
    """A review rejected an entity, and removed it with its relationships.

    Attributes:
        id: The row that it had.
        links: Those of its relationships that were valid.
    """

    change: Literal["entity_removed"] = "entity_removed"
    id: int
    entity: ExtractedEntity
    links: list[RemovedLink]


GraphChange = Annotated[
    EntityMerged
    | RelationshipMerged
    | RelationshipCreated
    | RelationshipMoved
    | RelationshipEnded
    | EntityRemoved
    | EntityPromoted,
    Field(discriminator="change"),
]

_Change = TypeVar("_Change", bound=Value)


class RunRecord(Value):
    """What a run keeps to be undone.

    Attributes:
        superseded: (chunk, the chunk that took its place).
        written: Chunks that it wrote: merged texts, leftovers, a person's texts.
        unclear: (chunk, the chunk that perhaps took its place).
        graph: What it has changed of entities and relationships, in order. New entities are not among it: an undo
            leaves what the text still says.
    """

    superseded: list[tuple[int, int | None]] = Field(default_factory=list[tuple[int, int | None]])
    written: list[int] = Field(default_factory=list[int])
    unclear: list[tuple[int, int]] = Field(default_factory=list[tuple[int, int]])
    graph: list[GraphChange] = Field(default_factory=list[GraphChange])

    def of(self, kind: type[_Change]) -> list[_Change]:
        """The changes of the graph that are of one kind, in order."""
        return [change for change in self.graph if isinstance(change, kind)]
