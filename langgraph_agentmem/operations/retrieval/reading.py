"""Reads runs, entities, what became of chunks, and of whom there is memory, since when."""

from datetime import datetime
from typing import get_args

from langgraph_agentmem.errors import InvalidInputError, MemoryNotFoundError
from langgraph_agentmem.models.chunk import ChunkHistory
from langgraph_agentmem.models.entity import Entity, GraphTier
from langgraph_agentmem.models.run import ConsolidationRun, RunStatus
from langgraph_agentmem.operations.sections import freshness
from langgraph_agentmem.policies import validation
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.storage import chunks, graph, memories, retention, reviews, sections
from langgraph_agentmem.storage import runs as storage
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.driver.rows import Deferred
from langgraph_agentmem.storage.driver.tenants import EVERYONE
from langgraph_agentmem.storage.sections import UnchunkedMemory


async def runs(
    resources: Resources, external_id: object, memory_id: object, status: RunStatus | None, limit: object
) -> list[ConsolidationRun]:
    """See `Runs.alist`."""
    tenant = validation.tenant(external_id)
    id = None if memory_id is None else validation.identifier(memory_id, "memory_id")
    if status is not None and status not in get_args(RunStatus):
        raise InvalidInputError(f"status must be one of {', '.join(get_args(RunStatus))}, not {status!r}")
    count = validation.positive(limit, "limit")
    async with resources.database.connection(tenant) as connection:
        return await storage.list_all(connection, tenant, memory_id=id, status=status, limit=count)


async def run(resources: Resources, external_id: str, run_id: str) -> ConsolidationRun | None:
    """A run of the log; None where there is none."""
    async with resources.database.connection(external_id) as connection:
        return await storage.get_logged(connection, external_id, run_id)


async def entity(
    resources: Resources, external_id: object, name_or_id: object, tier: GraphTier | None
) -> Entity | None:
    """See `AgentMemory.aget_entity`."""
    tenant = validation.tenant(external_id)
    if tier is not None and tier not in get_args(GraphTier):
        raise InvalidInputError(f"tier must be 'shortterm' or 'longterm', not {tier!r}")
    id = None if validation.whole(name_or_id) is None else validation.identifier(name_or_id, "entity")
    name = validation.name(name_or_id, "entity") if id is None else None
    async with resources.database.transaction(tenant) as connection:
        found = await graph.find_entity(connection, tenant, entity_id=id, name=name, tier=tier)
        if found is None and name is not None and (id := validation.identifier_in(name)) is not None:
            # by name first: something may be called 747
            found = await graph.find_entity(connection, tenant, entity_id=id, name=None, tier=tier)
        return found


async def history(
    resources: Resources, external_id: object, memory_id: object, section_id: object, limit: object
) -> list[ChunkHistory]:
    """See `AgentMemory.ahistory`."""
    tenant, id = validation.tenant(external_id), validation.identifier(memory_id, "memory_id")
    section = None if section_id is None else validation.name(section_id, "section_id")
    most = validation.positive(limit, "limit")

    async def send(connection: Connection) -> tuple[Deferred[list[ChunkHistory]], Deferred[list[UnchunkedMemory]]]:
        unchunked = await sections.send_unchunked(connection, tenant, [id])
        return await chunks.send_history(connection, tenant, id, section, limit=most), unchunked

    found = await freshness.read(resources, tenant, send)
    if not found:  # nothing was written yet, or there is no such memory
        async with resources.database.connection(tenant) as connection:
            if id not in await reviews.titles(connection, tenant, [id]):
                raise MemoryNotFoundError(f"tenant {tenant!r} has no memory {id}")
    return found


async def tenants(resources: Resources, part: object, limit: int) -> list[str]:
    """Tenants with memories, by name: those with this text in it, whatever its case."""
    wanted = validation.text(part, "part of a tenant's name")
    async with resources.database.connection(EVERYONE) as connection:
        return await retention.tenants(connection, "", limit, part=wanted or None)


async def known_since(resources: Resources, external_id: object) -> datetime | None:
    """Since when a tenant has memory; None where it has none."""
    tenant = validation.tenant(external_id)
    async with resources.database.connection(tenant) as connection:
        return await memories.known_since(connection, tenant)
