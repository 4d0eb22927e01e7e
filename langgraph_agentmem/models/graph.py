"""The entity graph as it is read, and how far it is projected."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from langgraph_agentmem.models.base import Value, counted, cut, listed
from langgraph_agentmem.models.entity import GraphTier

ThingKind = Literal["entity", "relationship", "chunk"]


class GraphEntity(Value):
    """An entity of a graph.

    Attributes:
        distance: Relationships between it and the nearest entity asked for; on a path, its place.

    Examples:
        >>> memory.graph.neighborhood("alice", ["Ada"]).entities[0].name
        'Ada'
    """

    id: int
    tier: GraphTier
    shortterm_memory_id: int | None = None
    name: str
    types: list[str]
    description: str = ""
    confidence: float
    importance: float
    distance: int = 0


class GraphRelationship(Value):
    """A relationship of a graph, from the entity `source_id` to `target_id`.

    Examples:
        >>> [link] = memory.graph.neighborhood("alice", ["Ada"]).relationships
        >>> link.tier, link.end_date
        ('shortterm', None)
    """

    id: int
    tier: GraphTier
    source_id: int
    target_id: int
    types: list[str]
    description: str = ""
    confidence: float
    strength: float
    start_date: datetime
    end_date: datetime | None = None


class Neighborhood(Value):
    """What surrounds some entities.

    Attributes:
        entities: Nearest first, then by id; those asked for have distance 0.
        relationships: Valid ones between these entities, of which at least one end is nearer than the depth asked for;
            by id.

    Examples:
        >>> around = memory.graph.neighborhood("alice", ["Ada"], depth=2)
        >>> [entity.name for entity in around.entities], len(around.relationships)
        (['Ada', 'Engine', 'Bo'], 2)
    """

    entities: list[GraphEntity] = Field(default_factory=list[GraphEntity])
    relationships: list[GraphRelationship] = Field(default_factory=list[GraphRelationship])

    def _told(self) -> str:
        entities = counted(len(self.entities), "entity", "entities")
        named = listed([entity.name for entity in self.entities])
        return f"of {entities}, {counted(len(self.relationships), 'relationship')}: {named or 'empty'}"


class GraphPath(Value):
    """A way from one entity to another: `relationships[i]` connects `entities[i]` and `entities[i + 1]`.

    Examples:
        >>> [path] = memory.graph.paths("alice", "Ada", "Bo")
        >>> [entity.name for entity in path.entities], len(path.relationships)
        (['Ada', 'Engine', 'Bo'], 2)
    """

    entities: list[GraphEntity]
    relationships: list[GraphRelationship]

    def _told(self) -> str:
        return " – ".join(cut(entity.name, 30) for entity in self.entities)


class EntityDrawing(Value):
    """The entity graph as pictures; a notebook shows the SVG.

    Attributes:
        svg: A picture of its own, readable on light and dark pages, which needs nothing from elsewhere.
        mermaid: A flowchart, for Markdown that draws Mermaid.
        entities: Names of those that are drawn.
        left_out: How many entities are not drawn, as there were more than the limit.

    Examples:
        >>> drawing = memory.draw_entities("alice")
        >>> drawing.entities, drawing.left_out
        (['Engine', 'Ada', 'Bo'], 0)
    """

    svg: str
    mermaid: str
    entities: list[str]
    left_out: int = 0

    def _told(self) -> str:
        left_out = f", {self.left_out:,} left out" if self.left_out else ""
        names = f": {listed(self.entities)}" if self.entities else ""
        return f"of {counted(len(self.entities), 'entity', 'entities')}{left_out}{names}"

    def _repr_svg_(self) -> str:
        return self.svg


class NamedMention(Value):
    """An entity whose name a query holds, and a chunk that mentions it, if any does."""

    name_key: str
    confidence: float
    chunk_id: int | None = None


class DeadLetter(Value):
    """A change that Neo4j refuses, or that waits for one that it refuses.

    Examples:
        >>> [status] = projector.status(tenant)
        >>> [(letter.kind, letter.error) for letter in status.dead_letters]
        []
    """

    kind: ThingKind
    id: int
    error: str
    dead_at: datetime


class ProjectionStatus(Value):
    """How far a tenant's graph is projected.

    Attributes:
        pending: Changes that wait.
        oldest: Since when the oldest of them waits; None where none does.
        dead: Changes that were set aside.
        dead_letters: The first of these, with what Neo4j said.
        projected_at: When the last batch was projected; None before the first.
        rebuilding: A rebuild has begun that is not complete.
        problem: Why nothing can be projected; None where nothing stands in the way.

    Examples:
        >>> [status] = projector.status(tenant)
        >>> status.pending, status.dead, status.problem
        (0, 0, None)
    """

    external_id: str
    pending: int
    oldest: datetime | None = None
    dead: int = 0
    dead_letters: list[DeadLetter] = Field(default_factory=list[DeadLetter])
    projected_at: datetime | None = None
    rebuilding: bool = False
    problem: str | None = None


class ProjectionReport(Value):
    """What a projector did.

    Attributes:
        projected: Changes that Neo4j has now.
        dead: Changes that were set aside.
        problems: By tenant, why its graph could not be projected further.

    Examples:
        >>> report = projector.run_once(tenant)
        >>> report.projected, report.dead, report.problems
        (0, 0, {})
    """

    projected: int = 0
    dead: int = 0
    problems: dict[str, str] = Field(default_factory=dict)


class Difference(Value):
    """Something that PostgreSQL and Neo4j do not agree about.

    Attributes:
        problem: `missing` in Neo4j, `unexpected` there, or `different`.
        name: What it is called, where it has a name.
        fields: (PostgreSQL's value, Neo4j's) of what is different.

    Examples:
        >>> [(difference.kind, difference.problem) for difference in projector.verify(tenant).differences]
        []
    """

    external_id: str
    kind: ThingKind
    id: int | None
    problem: Literal["missing", "unexpected", "different"]
    name: str = ""
    fields: dict[str, tuple[Any, Any]] = Field(default_factory=dict)


class VerifyReport(Value):
    """How PostgreSQL and Neo4j compare.

    Attributes:
        compared: Things that were compared.
        pending: Things that differ because their change still waits to be projected.
        differences: Things that differ for no such reason.

    Examples:
        >>> report = projector.verify(tenant)
        >>> report.compared > 0, report.pending, report.differences
        (True, 0, [])
    """

    compared: int = 0
    pending: int = 0
    differences: list[Difference] = Field(default_factory=list[Difference])
