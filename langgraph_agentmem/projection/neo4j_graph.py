"""Reads the entity graph from Neo4j."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from langgraph_agentmem.bridge import blocking
from langgraph_agentmem.errors import InvalidInputError
from langgraph_agentmem.models.base import Json
from langgraph_agentmem.models.entity import GraphTier
from langgraph_agentmem.models.graph import GraphEntity, GraphPath, GraphRelationship, NamedMention, Neighborhood
from langgraph_agentmem.policies import validation
from langgraph_agentmem.projection import tenant_guard
from langgraph_agentmem.projection.cypher_statements import TIERS, cypher, of_tier
from langgraph_agentmem.projection.graph import Graph, Question
from langgraph_agentmem.projection.neo4j_database import Neo4jDatabase, Neo4jTransaction, Rows

_CYPHER = cypher("read")
_SECONDS = 60.0
"""After so long the server ends a query of the caller's own."""


class Neo4jGraph(Graph):
    """The entity graph as it was last projected into Neo4j.

    An outage is an error, never an empty answer. What PostgreSQL learnt since the last projection is not there yet.

    Args:
        neo4j: The Neo4j database.

    Examples:
        >>> isinstance(memory.graph, Neo4jGraph)
        True
        >>> [path] = memory.graph.paths(tenant, "Ada", "Bo")
        >>> [entity.name for entity in path.entities]
        ['Ada', 'Engine', 'Bo']
    """

    def __init__(self, neo4j: Neo4jDatabase) -> None:
        self.neo4j = neo4j

    async def _neighborhood(self, asked: Question) -> Neighborhood:
        return await self.neo4j.read(asked.external_id, partial(_neighborhood, asked=asked))

    async def _paths(self, asked: Question, a: str, b: str) -> list[GraphPath]:
        ends = {"from_key": a, "to_key": b}
        return await self.neo4j.read(asked.external_id, partial(_paths, asked=asked, ends=ends))

    async def _named(self, external_id: str, words: Sequence[str]) -> list[NamedMention]:
        rows = await self.neo4j.read(
            external_id, lambda t: [row for tier in TIERS for row in t.run(_of("named", tier), words=list(words))]
        )
        return [NamedMention.model_validate(row) for row in rows]

    async def acypher(
        self, external_id: str, query: str, params: Mapping[str, Any] | None = None, *, limit: int = 10_000
    ) -> list[Json]:
        """What a Cypher query of the caller's own returns about one tenant.

        The query is read-only, and must enter the graph only at nodes or relationships whose `external_id` is
        `$external_id`, which is set here: `MATCH (e:LongtermEntity {external_id: $external_id})-[r]-(n) RETURN n`. Its
        plan is examined before it runs; edges never lead to another tenant. No procedures, no subqueries within
        expressions.

        Args:
            external_id: The tenant.
            query: The text; values belong into `params`.
            params: Any but `external_id`.
            limit: The most rows; more are an error.

        Returns:
            The rows; nodes and relationships as dicts of their properties.

        Raises:
            InvalidInputError: The query could see another tenant, writes, or returns too many rows.
            StorageError: Neo4j refuses the query, or ends it after a minute.

        Examples:
            >>> query = "MATCH (e:ShorttermEntity {external_id: $external_id}) RETURN count(e) AS entities"
            >>> await memory.graph.acypher(tenant, query)
            [{'entities': 3}]
        """
        tenant = validation.tenant(external_id)
        own_params = dict(params or {})
        if "external_id" in own_params:
            raise InvalidInputError("params must not hold external_id: it is the tenant that was asked for")
        text = validation.text(query, "query", limit=100_000)
        max_rows = validation.positive(limit, "limit")
        return await self.neo4j.read(
            tenant, partial(_cypher, query=text, params=own_params, limit=max_rows), seconds=_SECONDS
        )

    cypher: Final = blocking(acypher)


def _of(name: str, tier: GraphTier) -> str:
    return of_tier(_CYPHER[name], tier)


def _cypher(transaction: Neo4jTransaction, *, query: str, params: Json, limit: int) -> list[Json]:
    tenant_guard.check(transaction, query, params)
    # one more than the limit: else exactly as many could not be told from too many
    rows = transaction.first(limit + 1, query, **params)
    if len(rows) > limit:
        raise InvalidInputError(f"the query returns more than {limit:,} rows; give it a LIMIT")
    return [{name: _plain(value) for name, value in row.items()} for row in rows]


def _neighborhood(transaction: Neo4jTransaction, asked: Question) -> Neighborhood:
    """Level by level, so that the work is bounded by what is found, not by the number of ways to it."""
    shared = {"as_of": asked.as_of, "tier": asked.tier}
    tiers: list[GraphTier] = [tier for tier in TIERS if asked.tier in (None, tier)]
    reached: dict[int, GraphEntity] = {}
    frontier = _entities(transaction, tiers, "start", 0, asked.limit, name_keys=asked.keys, **shared)
    for distance in range(1, asked.depth + 1):
        reached |= {entity.id: entity for entity in frontier}
        # the nearest levels are complete; the limit cuts the farthest one
        room = asked.limit - len(reached)
        if not frontier or room <= 0:
            frontier = []
            break
        ids, known = [entity.id for entity in frontier], list(reached)
        frontier = _entities(transaction, tiers, "neighbors", distance, room, ids=ids, known=known, **shared)
    reached |= {entity.id: entity for entity in frontier}
    inner = [entity.id for entity in reached.values() if entity.distance < asked.depth]
    links = _rows(transaction, tiers, "relationships_among", ids=inner, known=list(reached), as_of=asked.as_of)
    by_id = {row["relationship"]["id"]: row["relationship"] for row in links}
    return Neighborhood(
        entities=list(reached.values()), relationships=[_relationship(by_id[id]) for id in sorted(by_id)]
    )


def _entities(
    transaction: Neo4jTransaction, tiers: Sequence[GraphTier], name: str, distance: int, limit: int, **params: Any
) -> list[GraphEntity]:
    rows = _rows(transaction, tiers, name, limit=limit, **params)
    entities = [GraphEntity.model_validate({**row["entity"], "distance": distance}) for row in rows]
    return sorted(entities, key=lambda entity: entity.id)[:limit]


def _paths(transaction: Neo4jTransaction, asked: Question, ends: Json) -> list[GraphPath]:
    tiers: list[GraphTier] = [tier for tier in TIERS if asked.tier in (None, tier)]
    params = {"as_of": asked.as_of, "tier": asked.tier, "depth": asked.depth, "limit": asked.limit}
    paths = [
        GraphPath(
            entities=[
                GraphEntity.model_validate({**entity, "distance": place})
                for place, entity in enumerate(row["entities"])
            ],
            relationships=[_relationship(relationship) for relationship in row["relationships"]],
        )
        for row in _rows(transaction, tiers, "paths", **params, **ends)
    ]
    return sorted(paths, key=_length)[: asked.limit]


def _length(path: GraphPath) -> tuple[int, list[int], list[int]]:
    return len(path.relationships), [e.id for e in path.entities], [r.id for r in path.relationships]


def _rows(transaction: Neo4jTransaction, tiers: Sequence[GraphTier], name: str, **params: Any) -> Rows:
    return [row for tier in tiers for row in transaction.run(_of(name, tier), **params)]


def _relationship(held: Json) -> GraphRelationship:
    return GraphRelationship.model_validate(_plain(held))


def _plain(value: Any) -> Any:
    """A value of the driver's as one of Python's own."""
    if hasattr(value, "to_native"):
        return value.to_native()
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, list):
        return [_plain(item) for item in value]  # pyright: ignore[reportUnknownVariableType]
    if hasattr(value, "relationships") and hasattr(value, "nodes"):
        # a path, as its nodes and relationships in turn; a relationship may be walked from its end to its start
        parts: list[Any] = [value.start_node]
        for relationship in value.relationships:
            parts += [relationship, relationship.nodes[relationship.nodes[0] == parts[-1]]]
        return [_plain(part) for part in parts]
    if hasattr(value, "element_id"):
        return {name: _plain(item) for name, item in value.items()}
    return value
