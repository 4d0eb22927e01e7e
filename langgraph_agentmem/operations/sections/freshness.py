"""The gate before chunks: whoever reads or changes them finds those of their sections' present values.

Values are written alone where nobody waits for their chunks; a section then needs chunking. There are three ways
through the gate, and none around it: `read` for readers, `settle` for those who read and write in one transaction, and
`lock` for those who work under a memory's lock.
"""

from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import TypeVar

from langgraph_agentmem.operations.sections import chunks
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.storage import memories, sections
from langgraph_agentmem.storage.driver.connections import Connection, retrying_deadlocks
from langgraph_agentmem.storage.driver.offloading import extent, worked
from langgraph_agentmem.storage.driver.rows import Deferred
from langgraph_agentmem.storage.driver.tenants import EVERYONE, ForWhom
from langgraph_agentmem.storage.memories import MemoryRow
from langgraph_agentmem.storage.sections import UnchunkedMemory

T = TypeVar("T")
_AT_ONCE = 250
"""Sections that are chunked in one transaction, so that no memory is locked for long."""
_READS = 20
_LISTED = 128


async def read(
    resources: Resources,
    tenant: ForWhom,
    send: Callable[[Connection], Awaitable[tuple[Deferred[T], Deferred[list[UnchunkedMemory]]]]],
    *,
    consistent: Callable[[T], bool] = lambda _: True,
) -> T:
    """What is read of chunks in one transaction, when no section that matters to it needs chunking.

    That is asked in the same round trip, since mostly there is none.

    Args:
        resources: The open memory's.
        tenant: Whose chunks are read.
        send: Asks which memories need chunking of those that matter, *before* it asks for what is to be read; returns
            both answers, the latter first. Where there are any, they are chunked, and it is called once more.
        consistent: Whether what was read belongs together: each statement sees what was committed before it, so that a
            value may be newer than the chunk by which it was found. It is then read again, at most twenty times.
    """
    answer, unchunked = await _read(resources, tenant, send)
    settled = not unchunked
    for _ in range(_READS):
        if settled and consistent(answer):
            break
        await catch_up_all(resources, unchunked)
        answer, unchunked = await _read(resources, tenant, send)
        settled = True  # what others write from now on is not waited for, unless it shows in the answer
    return answer


async def _read(
    resources: Resources,
    tenant: ForWhom,
    send: Callable[[Connection], Awaitable[tuple[Deferred[T], Deferred[list[UnchunkedMemory]]]]],
) -> tuple[T, list[UnchunkedMemory]]:
    async with resources.database.transaction(tenant) as connection:
        answer, unchunked = await send(connection)
    return await answer(), await unchunked()  # received behind the transaction's end, in the same round trip


async def settle(
    resources: Resources,
    tenant: ForWhom,
    send: Callable[[Connection], Awaitable[Deferred[list[UnchunkedMemory]]]],
) -> None:
    """Chunk what matters to a transaction that is to read and write."""
    async with resources.database.transaction(tenant) as connection:
        unchunked = await send(connection)
    await catch_up_all(resources, await unchunked())


async def lock(
    connection: Connection, resources: Resources, external_id: str, memory_id: int, *, closed: bool = False
) -> MemoryRow | None:
    """A memory, locked, whose chunks are those of its sections' values; None where there is none.

    Args:
        connection: In a transaction.
        resources: The open memory's.
        external_id: The tenant.
        memory_id: The memory.
        closed: Whether a closed memory is wanted as well.
    """
    locking = memories.lock_any if closed else partial(memories.get, lock=True)
    row = await locking(connection, external_id, memory_id)
    while row is not None and await _catch_up_some(connection, resources, external_id, memory_id):
        pass
    return row


async def catch_up_all(resources: Resources, unchunked: Iterable[UnchunkedMemory]) -> None:
    """Chunk what needs it in memories, a few sections in each transaction."""
    for external_id, memory_id in unchunked:
        while await retrying_deadlocks(partial(_lock_and_catch_up_some, resources, external_id, memory_id)):
            pass


async def catch_up_tenant(resources: Resources, external_id: str | None) -> None:
    """Chunk what needs it in all of a tenant's memories, or in those of all tenants."""
    if external_id is not None:
        async with resources.database.connection(external_id) as connection:
            unchunked = await sections.send_unchunked(connection, external_id)
        await catch_up_all(resources, await unchunked())
        return
    last = ("", 0)
    while True:
        async with resources.database.connection(EVERYONE) as connection:
            found = await sections.unchunked_after(connection, last, limit=_LISTED)
        if not found:
            return
        await catch_up_all(resources, found)
        last = found[-1]


async def _lock_and_catch_up_some(resources: Resources, external_id: str, memory_id: int) -> bool:
    async with resources.database.transaction(external_id) as connection:
        if not connection.writable:
            return False  # a replica, for instance: what was not chunked elsewhere is not found here yet
        known = await memories.get(connection, external_id, memory_id, lock=True) is not None
        return known and await _catch_up_some(connection, resources, external_id, memory_id)


async def _catch_up_some(connection: Connection, resources: Resources, external_id: str, memory_id: int) -> bool:
    """Chunk some sections; returns whether there may be more."""
    unchunked = await sections.take_unchunked(connection, external_id, memory_id, limit=_AT_ONCE)
    if unchunked:
        # in the order in which they were put: their chunks are each other's neighbours
        in_order = sorted(unchunked, key=lambda s: (s.created_at, s.position, s.section_id))
        written = await worked(
            extent(section.value for section in in_order),
            lambda: [
                chunks.written(resources.settings, s.namespace, s.section_id, s.value, s.text_fields) for s in in_order
            ],
        )
        await chunks.write_chunks(connection, resources, external_id, written, {})
    return len(unchunked) == _AT_ONCE
