"""Reads the entity graph from the tables."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from langgraph_agentmem.models.entity import GraphTier
from langgraph_agentmem.models.graph import GraphEntity, GraphPath, GraphRelationship, NamedMention, Neighborhood
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.driver.rows import all_rows
from langgraph_agentmem.storage.driver.statements import statements

_SQL = statements("reading")


async def neighborhood(
    connection: Connection,
    external_id: str,
    name_keys: Sequence[str],
    *,
    depth: int,
    as_of: datetime | None,
    tier: GraphTier | None,
    limit: int,
) -> Neighborhood:
    """Entities of these case-folded names, and what surrounds them."""
    params: dict[str, Any] = {"external_id": external_id, "name_keys": list(name_keys), "depth": depth}
    params |= {"as_of": as_of, "tier": tier, "limit": limit}
    entities = await all_rows(connection, _SQL["neighborhood"], params)
    params |= {"ids": [row["id"] for row in entities], "distances": [row["distance"] for row in entities]}
    relationships = await all_rows(connection, _SQL["relationships_among"], params) if entities else []
    return Neighborhood.model_validate({"entities": entities, "relationships": relationships})


async def best_connected(
    connection: Connection, external_id: str, *, as_of: datetime | None, tier: GraphTier | None, limit: int
) -> list[str]:
    """Names of a tenant's entities, those with the most relationships first."""
    params = {"external_id": external_id, "as_of": as_of, "tier": tier, "limit": limit}
    rows = await all_rows(connection, _SQL["best_connected"], params)
    return list(dict.fromkeys(row["name"] for row in rows))


async def paths(
    connection: Connection,
    external_id: str,
    from_key: str,
    to_key: str,
    *,
    depth: int,
    as_of: datetime | None,
    tier: GraphTier | None,
    limit: int,
) -> list[GraphPath]:
    """The shortest paths between entities of two case-folded names."""
    params: dict[str, Any] = {"external_id": external_id, "from_key": from_key, "to_key": to_key, "depth": depth}
    rows = await all_rows(connection, _SQL["paths"], params | {"as_of": as_of, "tier": tier, "limit": limit})
    if not rows:
        return []
    ids = {id for row in rows for id in row["entity_ids"]}
    entities = await all_rows(connection, _SQL["entities_by_id"], {"external_id": external_id, "ids": sorted(ids)})
    ids = {id for row in rows for id in row["relationship_ids"]}
    links = await all_rows(connection, _SQL["relationships_by_id"], {"external_id": external_id, "ids": sorted(ids)})
    entity_of = {row["id"]: row for row in entities}
    link_of = {row["id"]: GraphRelationship.model_validate(row) for row in links}
    return [
        GraphPath(
            entities=[
                GraphEntity.model_validate({**entity_of[id], "distance": place})
                for place, id in enumerate(row["entity_ids"])
            ],
            relationships=[link_of[id] for id in row["relationship_ids"]],
        )
        for row in rows
        if entity_of.keys() >= set(row["entity_ids"]) and link_of.keys() >= set(row["relationship_ids"])
    ]  # what was removed since the paths were found is left out


async def named(connection: Connection, external_id: str, words: Sequence[str]) -> list[NamedMention]:
    """Entities whose names consist of these words only, and the chunks that mention them."""
    params = {"external_id": external_id, "words": list(words)}
    return [NamedMention.model_validate(row) for row in await all_rows(connection, _SQL["named"], params)]
