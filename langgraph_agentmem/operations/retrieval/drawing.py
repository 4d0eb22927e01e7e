"""Reads the part of the entity graph that is drawn."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial

import anyio.to_thread

from langgraph_agentmem.models.entity import GraphTier
from langgraph_agentmem.models.graph import EntityDrawing, Neighborhood
from langgraph_agentmem.projection.graph import LIMIT, Question, question
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.storage import reading
from langgraph_agentmem.views.drawing import checked, draw


async def entities(
    resources: Resources,
    external_id: str,
    names: Sequence[str] | None,
    *,
    depth: int,
    as_of: datetime | None,
    tier: GraphTier | None,
    limit: int,
) -> EntityDrawing:
    """See `AgentMemory.adraw_entities`."""
    most = checked(limit)  # before anything is read
    if names is not None:
        found = await resources.graph.aneighborhood(external_id, names, depth, as_of, tier=tier)
    else:
        asked = question(external_id, [], depth, as_of, tier, LIMIT)
        found = await _best_connected(resources, asked)
    # in a thread: a layout of many entities takes a second, and the loop has others to serve
    return await anyio.to_thread.run_sync(partial(draw, found, limit=most))


async def _best_connected(resources: Resources, asked: Question) -> Neighborhood:
    """All entities, up to as many as a neighborhood has, by name: so they come from wherever the graph is read."""
    tenant, as_of, tier = asked.external_id, asked.as_of, asked.tier
    async with resources.database.connection(tenant) as connection:
        names = await reading.best_connected(connection, tenant, as_of=as_of, tier=tier, limit=asked.limit)
    if not names:
        return Neighborhood()
    found = await resources.graph.aneighborhood(tenant, names, 1, as_of, tier=tier, limit=asked.limit)
    return found.model_copy(update={"entities": [entity for entity in found.entities if entity.distance == 0]})
