"""Removes what has expired, and what the settings keep no longer, some at a time."""

from collections.abc import AsyncGenerator, Awaitable, Callable

from langgraph_agentmem.models.deletion import SweepReport
from langgraph_agentmem.operations.deletion import threads
from langgraph_agentmem.operations.sections import deleting
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.storage import deletion, longterm, memories
from langgraph_agentmem.storage import retention as storage
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.driver.rows import paged
from langgraph_agentmem.storage.driver.tenants import EVERYONE, NOBODY
from langgraph_agentmem.storage.langgraph import checkpoints

AT_ONCE = 500
_TENANTS = 500


def wanted(resources: Resources) -> bool:
    """Whether the settings limit for how long anything is kept."""
    settings = resources.settings
    kept = (settings.run_log_retention_days, settings.history_retention_days, settings.checkpoint_retention_days)
    return any(days is not None for days in kept)


async def sweep(resources: Resources) -> SweepReport:
    """See `AgentMemory.asweep`."""
    settings, report = resources.settings, SweepReport(items=await deleting.sweep(resources))
    if (days := settings.checkpoint_retention_days) is not None:
        report = report.model_copy(update={"threads": await prune_threads(resources, days)})
    runs = chunks = history = 0
    async for tenant in _tenants(resources):
        if (days := settings.history_retention_days) is not None:
            chunks += await _superseded(resources, tenant, days)
            history += await _all_of(resources, tenant, days, storage.delete_history)
        if (days := settings.run_log_retention_days) is not None:
            runs += await _all_of(resources, tenant, days, storage.delete_runs)
    return report.model_copy(update={"runs": runs, "chunks": chunks, "history": history})


async def prune_threads(resources: Resources, days: float) -> int:
    """Remove the checkpoints of threads that have none of the last days; returns of how many."""
    pruned = 0
    async for page in threads.pages(resources):
        async with resources.database.connection(NOBODY) as connection:
            idle = await checkpoints.idle(connection, page, days)
        await threads.remove(resources, idle)
        pruned += len(idle)
    return pruned


async def _tenants(resources: Resources) -> AsyncGenerator[str]:
    async def after(name: str) -> list[str]:
        async with resources.database.connection(EVERYONE) as connection:
            return await storage.tenants(connection, name, _TENANTS)

    if wanted(resources):
        async for page in paged(after, _TENANTS):
            for tenant in page:
                yield tenant


async def _all_of(
    resources: Resources,
    external_id: str,
    days: float,
    delete: Callable[[Connection, str, float, int], Awaitable[int]],
) -> int:
    removed = 0
    while True:
        async with resources.database.transaction(external_id) as connection:
            count = await delete(connection, external_id, days, AT_ONCE)
        removed += count
        if count < AT_ONCE:
            return removed


async def _superseded(resources: Resources, external_id: str, days: float) -> int:
    """Remove superseded chunks, with what only they support."""
    removed = 0
    while True:
        async with resources.database.connection(external_id) as connection:
            found = await storage.superseded(connection, external_id, days, AT_ONCE)
        gone = sum([await _some_of(resources, external_id, memory_id, ids, days) for memory_id, ids in found.items()])
        removed += gone
        if sum(map(len, found.values())) < AT_ONCE or not gone:
            return removed


async def _some_of(resources: Resources, external_id: str, memory_id: int, ids: list[int], days: float) -> int:
    async with resources.database.transaction(external_id) as connection:
        await memories.lock_any(connection, external_id, memory_id)
        await longterm.lock_tenant(connection, external_id)
        ids = await storage.still_superseded(connection, external_id, ids, days)
        _, supported = await deletion.delete_chunks(connection, external_id, ids)
        await deletion.delete_unsupported(connection, external_id, supported)
    return len(ids)
