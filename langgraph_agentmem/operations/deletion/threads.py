"""LangGraph's threads whose checkpoints may quote what is forgotten.

Their tables have no column for the tenant. A thread is known by the sections that its state is mapped to, and by the
tenant that LangGraph has noted in its checkpoints' metadata, as the run's config named it.
"""

from collections.abc import AsyncGenerator, Iterator, Sequence

from langgraph_agentmem.models.deletion import ForgottenThread, RowCounts
from langgraph_agentmem.policies import receipts, validation
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.storage import deletion as storage
from langgraph_agentmem.storage import threads as thread_storage
from langgraph_agentmem.storage.driver.rows import paged
from langgraph_agentmem.storage.driver.tenants import EVERYONE, NOBODY
from langgraph_agentmem.storage.langgraph import checkpoints

_LOOKED_AT_ONCE = 1_000
_REMOVED_AT_ONCE = 20

KnownThreads = dict[str, bool]
"""Threads, and whether another tenant uses them as well."""


def checked(thread_ids: Sequence[str]) -> list[str]:
    """Ids of threads that a caller has named.

    Raises:
        InvalidInputError: That is no list of ids.
    """
    return validation.text_ids(thread_ids, "threads")


async def of_memory(resources: Resources, external_id: str, memory_id: int) -> KnownThreads:
    """Threads whose state is mapped to a memory's sections."""
    return await _mapped(resources, external_id, memory_id)


async def of_tenant(resources: Resources, external_id: str) -> KnownThreads:
    """Threads that are known to be a tenant's."""
    known = await _mapped(resources, external_id, None)
    async for page in pages(resources):
        async with resources.database.connection(NOBODY) as connection:
            named = await checkpoints.tenants_named(connection, page, resources.settings.checkpoint_tenant_keys)
        mine = {id: tenants for id, tenants in named.items() if external_id in tenants}
        known |= {id: known.get(id, False) or len(tenants) > 1 for id, tenants in mine.items()}
    return known


async def pages(resources: Resources) -> AsyncGenerator[list[str]]:
    """All threads that have checkpoints, some at a time."""

    async def after(id: str) -> list[str]:
        async with resources.database.connection(NOBODY) as connection:
            return await checkpoints.threads_after(connection, id, _LOOKED_AT_ONCE)

    async with resources.database.connection(NOBODY) as connection:
        made = await checkpoints.made(connection)
    if made:
        async for page in paged(after, _LOOKED_AT_ONCE):
            yield page


async def counted(resources: Resources, known: KnownThreads, *, removed: bool = False) -> list[ForgottenThread]:
    """Those of these threads that have checkpoints, with how many rows."""
    found: dict[str, int] = {}
    async with resources.database.connection(NOBODY) as connection:
        made = bool(known) and await checkpoints.made(connection)
        for page in _pages(sorted(known) if made else [], _LOOKED_AT_ONCE):
            found |= await checkpoints.rows_of(connection, page)
    return [
        ForgottenThread(thread_id=id, removed=removed, rows=rows, shared=known[id])
        for id, rows in found.items()
        if rows
    ]


async def remove(resources: Resources, thread_ids: Sequence[str]) -> RowCounts:
    """Remove the checkpoints of threads, some at a time; returns how many rows, by table."""
    removed: list[RowCounts] = []
    for page in _pages(thread_ids, _REMOVED_AT_ONCE):
        async with resources.database.transaction(NOBODY) as connection:
            removed.append(await checkpoints.forget_threads(connection, page))
            await thread_storage.forget(connection, page)
    return receipts.added(removed)


def _pages(ids: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), size):
        yield ids[start : start + size]


async def _mapped(resources: Resources, external_id: str, memory_id: int | None) -> KnownThreads:
    async with resources.database.connection(external_id) as connection:
        ids = await storage.threads(connection, external_id, memory_id)
    async with resources.database.connection(EVERYONE) as connection:
        shared = await storage.shared_threads(connection, external_id, ids) if ids else set[str]()
    return {id: id in shared for id in ids}
