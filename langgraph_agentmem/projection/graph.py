"""Reading the entity graph, on PostgreSQL or on Neo4j."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import datetime
from typing import Final, cast, get_args

from langgraph_agentmem.bridge import blocking
from langgraph_agentmem.errors import InvalidInputError
from langgraph_agentmem.models.base import Value
from langgraph_agentmem.models.entity import GraphTier
from langgraph_agentmem.models.graph import GraphPath, NamedMention, Neighborhood
from langgraph_agentmem.policies import validation
from langgraph_agentmem.storage import reading
from langgraph_agentmem.storage.driver.database import Database

DEEPEST = 10
"""The most relationships that a neighborhood or a path goes along."""

LIMIT = 500
"""The most entities of a neighborhood, unless the caller says otherwise."""


class Question(Value):
    """What a caller asks of a graph, checked."""

    external_id: str
    keys: list[str]
    depth: int
    as_of: datetime | None
    tier: GraphTier | None
    limit: int


def question(external_id: object, names: object, depth: object, as_of: object, tier: object, limit: object) -> Question:
    """The arguments, checked.

    Raises:
        InvalidInputError: One of them cannot be accepted.
    """
    if not isinstance(names, list | tuple | set | frozenset):
        raise InvalidInputError(f"names must be a list of names, not {validation.shown(names)}")
    if validation.positive(depth, "depth") > DEEPEST:
        raise InvalidInputError(f"depth must be at most {DEEPEST}, not {depth}")
    validation.moments(as_of=as_of)
    if tier is not None and tier not in get_args(GraphTier):
        raise InvalidInputError(f"tier must be 'shortterm' or 'longterm', not {validation.shown(tier)}")
    keys = {validation.name(name, "a name").casefold() for name in cast("Sequence[object]", names)}
    return Question.model_validate(
        {
            "external_id": validation.tenant(external_id),
            "keys": sorted(keys),
            "depth": depth,
            "as_of": as_of,
            "tier": tier,
            "limit": validation.positive(limit, "limit"),
        }
    )


class Graph(ABC):
    """The entity graph of all tenants, as it is read.

    Implementations give the same answers. Relationships are followed in both directions, while they are valid: now, or
    at `as_of`. Entities that were first seen later than `as_of` are not there yet.

    Examples:
        >>> around = memory.graph.neighborhood("alice", ["Engine"])
        >>> [(entity.name, entity.distance) for entity in around.entities]
        [('Engine', 0), ('Ada', 1), ('Bo', 1)]
    """

    async def aneighborhood(
        self,
        external_id: str,
        names: Sequence[str],
        depth: int = 1,
        as_of: datetime | None = None,
        *,
        tier: GraphTier | None = None,
        limit: int = LIMIT,
    ) -> Neighborhood:
        """What surrounds entities of these names, whatever their case.

        Args:
            external_id: The tenant.
            names: Names of entities; those that there are not are left out.
            depth: Most relationships to go along, 1 to 10.
            as_of: The time (with a time zone) whose graph is meant; now by default.
            tier: Only short-term or long-term entities.
            limit: The most entities, the nearest first.

        Raises:
            InvalidInputError: An argument cannot be accepted.

        Examples:
            >>> around = await memory.graph.aneighborhood("alice", ["ada"], depth=2, tier="shortterm")
            >>> [(entity.name, entity.distance) for entity in around.entities]
            [('Ada', 0), ('Engine', 1), ('Bo', 2)]
        """
        return await self._neighborhood(question(external_id, names, depth, as_of, tier, limit))

    async def apaths(
        self,
        external_id: str,
        a: str,
        b: str,
        depth: int = 5,
        as_of: datetime | None = None,
        *,
        tier: GraphTier | None = None,
        limit: int = 10,
    ) -> list[GraphPath]:
        """The shortest ways from entities named `a` to entities named `b`, for each pair of them, shortest first.

        Args:
            external_id: The tenant.
            a: A name, whatever its case.
            b: Another one.
            depth: Most relationships of a path, 1 to 10.
            as_of: The time (with a time zone) whose graph is meant; now by default.
            tier: Only short-term or long-term entities.
            limit: The most paths.

        Raises:
            InvalidInputError: An argument cannot be accepted.

        Examples:
            >>> [path] = await memory.graph.apaths("alice", "Ada", "Bo")
            >>> [entity.name for entity in path.entities]
            ['Ada', 'Engine', 'Bo']
        """
        asked = question(external_id, [a, b], depth, as_of, tier, limit)
        return await self._paths(asked, a.casefold(), b.casefold())

    async def anamed(self, external_id: str, words: Sequence[str]) -> list[NamedMention]:
        """Entities whose names consist of words of a query only, and the chunks that mention them.

        Args:
            external_id: The tenant.
            words: The query's, as questions are read: without endings, case and accents.

        Examples:
            >>> [mention.name_key for mention in await memory.graph.anamed("alice", ["ada"])]
            ['ada']
        """
        wanted = [validation.text(word, "a word") for word in validation.several(words, "words")]
        return await self._named(validation.tenant(external_id), wanted)

    @abstractmethod
    async def _neighborhood(self, asked: Question) -> Neighborhood: ...

    @abstractmethod
    async def _paths(self, asked: Question, a: str, b: str) -> list[GraphPath]: ...

    @abstractmethod
    async def _named(self, external_id: str, words: Sequence[str]) -> list[NamedMention]: ...

    neighborhood: Final = blocking(aneighborhood)
    paths: Final = blocking(apaths)
    named: Final = blocking(anamed)


class PostgresGraph(Graph):
    """The entity graph as PostgreSQL holds it, always up to date.

    Args:
        database: The PostgreSQL database.

    Examples:
        >>> isinstance(memory.graph, PostgresGraph)
        True
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def _neighborhood(self, asked: Question) -> Neighborhood:
        async with self._database.transaction(asked.external_id) as connection:
            return await reading.neighborhood(
                connection,
                asked.external_id,
                asked.keys,
                depth=asked.depth,
                as_of=asked.as_of,
                tier=asked.tier,
                limit=asked.limit,
            )

    async def _paths(self, asked: Question, a: str, b: str) -> list[GraphPath]:
        async with self._database.transaction(asked.external_id) as connection:
            return await reading.paths(
                connection,
                asked.external_id,
                a,
                b,
                depth=asked.depth,
                as_of=asked.as_of,
                tier=asked.tier,
                limit=asked.limit,
            )

    async def _named(self, external_id: str, words: Sequence[str]) -> list[NamedMention]:
        async with self._database.transaction(external_id) as connection:
            return await reading.named(connection, external_id, words)
