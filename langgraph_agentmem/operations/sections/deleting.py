"""Removes items with all that was made from them: deleted ones, and those that have expired."""

import logging
from collections.abc import Mapping, Sequence

from langgraph_agentmem import telemetry
from langgraph_agentmem.errors import AgentMemoryError, OutageError
from langgraph_agentmem.models.item import ItemKey, Namespace
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.storage import items as storage
from langgraph_agentmem.storage import longterm, sections, support
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.driver.tenants import EVERYONE

SWEPT_AT_ONCE = 500
_logger = logging.getLogger(__name__)


async def delete(
    connection: Connection, tenant: str, keys: Sequence[ItemKey], memories: Mapping[Namespace, int]
) -> None:
    """Remove items of memories that are locked, with all that was made from them and nothing else supports."""
    by_memory: dict[int, list[str]] = {}
    for namespace, key in keys:
        if namespace in memories:
            by_memory.setdefault(memories[namespace], []).append(key)
    supported = {id: await storage.supported(connection, tenant, id, own) for id, own in by_memory.items()}
    if any(supported.values()):
        await longterm.lock_tenant(connection, tenant)
    for memory_id, own in by_memory.items():
        await storage.delete(connection, tenant, memory_id, own, supported[memory_id])
    if any(supported.values()):
        await support.delete_unsupported(connection, tenant, [pair for own in supported.values() for pair in own])


async def expire(
    connection: Connection, tenant: str, keys: Sequence[ItemKey], memories: Mapping[Namespace, int]
) -> int:
    """Remove those of these items, of memories that are locked, that have expired; returns how many those were."""
    expired = await storage.expired_among(connection, tenant, keys) if keys else []
    await delete(connection, tenant, expired, memories)
    return len(expired)


async def sweep(resources: Resources) -> int:
    """Remove items that have expired, with what was made from them; returns how many those were.

    A tenant whose items cannot be removed now keeps no other's from it.
    """
    swept = 0
    while True:
        async with resources.database.connection(EVERYONE) as connection:
            expired = await storage.expired(connection, SWEPT_AT_ONCE)
        removed = [await _swept(resources, tenant, keys) for tenant, keys in expired.items()]
        swept += sum(removed)
        if not sum(removed):
            return swept


async def _swept(resources: Resources, tenant: str, keys: Sequence[ItemKey]) -> int:
    try:
        async with resources.database.transaction(tenant) as connection:
            namespaces = sorted({namespace for namespace, _ in keys})
            memories = await sections.lock_memories(connection, tenant, namespaces)
            return await expire(connection, tenant, [key for key in keys if key[0] in memories], memories)
    except OutageError:
        raise
    except AgentMemoryError as error:
        _logger.warning(
            "expired items of tenant %r could not be removed for now: %s", tenant, telemetry.described(error)
        )
        return 0
