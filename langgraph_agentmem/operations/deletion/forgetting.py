"""Forgets memories and tenants, batch by batch, and says what was removed.

Each batch is a transaction that leaves the graph as it is to be. So forgetting may be interrupted anywhere, and several
may do it at once: whoever comes next goes on with what is there.
"""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from langgraph_agentmem.errors import MemoryBusyError
from langgraph_agentmem.models.deletion import DeletionReceipt, ForgottenThread, RowCounts
from langgraph_agentmem.operations import granting
from langgraph_agentmem.operations.deletion import survivors, threads
from langgraph_agentmem.operations.deletion.survivors import Survivors
from langgraph_agentmem.operations.health import indexing
from langgraph_agentmem.operations.sections.memories import existing, transcripts
from langgraph_agentmem.policies import receipts, validation
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.storage import deletion as storage
from langgraph_agentmem.storage import graph, longterm, memories, queue, tenant_indexes
from langgraph_agentmem.storage.deletion import SupportedThings
from langgraph_agentmem.storage.driver.connections import Connection

CHUNKS_AT_ONCE = 1_000
RUNS_AT_ONCE = 200
_MEMORIES_AT_ONCE = 500


@dataclass
class Removal:
    """What was removed and rewritten so far."""

    removed: RowCounts = field(default_factory=dict[str, int])
    changed: RowCounts = field(default_factory=dict[str, int])

    def add(self, removed: RowCounts, changed: RowCounts | None = None) -> None:
        """Count what a batch has done, once it is committed."""
        self.removed = receipts.added([self.removed, removed])
        self.changed = receipts.added([self.changed, changed or {}])


async def forget_memory(resources: Resources, external_id: object, memory_id: object) -> DeletionReceipt:
    """See `AgentMemory.adelete_active_memory`, forgetting."""
    tenant, id = validation.tenant(external_id), validation.identifier(memory_id, "memory_id")
    started = await _now(resources, tenant)
    # the memory last: as long as it is there, its transcripts are found, should this be interrupted
    ids = [*await transcripts(resources, tenant, id, closed=True), id]
    removal, known = Removal(), threads.KnownThreads()
    for each in ids:
        known |= await threads.of_memory(resources, tenant, each)
        await _forget(resources, tenant, each, removal)
    listed = await threads.counted(resources, known)
    return await _receipt(resources, tenant, removal, listed, started, memory_ids=tuple(ids))


async def forget_tenant(
    resources: Resources, external_id: object, *, checkpoints: bool, named: Sequence[str]
) -> DeletionReceipt:
    """See `AgentMemory.aforget_tenant`."""
    tenant, named = validation.tenant(external_id), threads.checked(named)
    validation.flag(checkpoints, "checkpoints")
    started, removal = await _now(resources, tenant), Removal()
    # first, so that nobody else reads on
    removal.add({"read_grant": await granting.forget(resources, tenant)})
    # before memories, as sections take along what is known of their threads
    known = await threads.of_tenant(resources, tenant)
    wanted = {id: known.get(id, False) for id in named}
    wanted |= {id: False for id, shared in known.items() if checkpoints and not shared}
    removed = await threads.counted(resources, wanted, removed=True)
    removal.add(await threads.remove(resources, [thread.thread_id for thread in removed]))
    await _withdraw_longterm(resources, tenant, started, removal)
    async for memory_id in _before(resources, tenant, started):
        await _forget(resources, tenant, memory_id, removal, all_before=started)
    await _forget_longterm_rest(resources, tenant, removal)
    indexes = await _forget_own_indexes(resources, tenant, removal)
    left = await threads.counted(resources, {id: shared for id, shared in known.items() if id not in wanted})
    return await _receipt(resources, tenant, removal, [*removed, *left], started, indexes=indexes)


async def _before(
    resources: Resources, external_id: str, before: datetime, *, stay: bool = False
) -> AsyncGenerator[int]:
    """A tenant's memories that were made before a time: each once where they stay.

    Else they are to go, until there are none: somebody may have been making one.
    """
    after = 0
    while True:
        async with resources.database.connection(external_id) as connection:
            ids = await storage.memories_before(connection, external_id, before, _MEMORIES_AT_ONCE, after=after)
        for id in ids:
            yield id
        if not ids:
            return
        after = ids[-1] if stay else 0


async def _withdraw_longterm(resources: Resources, external_id: str, before: datetime, removal: Removal) -> None:
    """Remove from long-term memory what only a tenant's memories of before a time support, while they are still there.

    Otherwise it would be made anew as each of them goes, from the parts of all that are left; as what is promoted
    meanwhile is.
    """
    async with resources.database.connection(external_id) as connection:
        if not await storage.has_longterm(connection, external_id):
            return
    async for memory_id in _before(resources, external_id, before, stay=True):
        await _withdraw(resources, external_id, memory_id, removal)


async def _withdraw(resources: Resources, external_id: str, memory_id: int, removal: Removal) -> None:
    """Take a memory's support from long-term things, and remove those without any, some chunks at a time."""
    async with resources.database.connection(external_id) as connection:
        ids = await storage.chunks(connection, external_id, memory_id)
    for start in range(0, len(ids), CHUNKS_AT_ONCE):
        async with resources.database.transaction(external_id) as connection:
            await memories.lock_any(connection, external_id, memory_id)
            await longterm.lock_tenant(connection, external_id)
            some = ids[start : start + CHUNKS_AT_ONCE]
            withdrawn, supported = await storage.withdraw_longterm_support(connection, external_id, some)
            removed = await storage.delete_unsupported(connection, external_id, supported)
        removal.add(receipts.added([withdrawn, removed]))


async def _forget(
    resources: Resources, external_id: str, memory_id: int, removal: Removal, *, all_before: datetime | None = None
) -> None:
    """Forget a memory; where all of a tenant before a time go, also one that a run holds, which is then not applied."""
    if not await _close(resources, external_id, memory_id, removal, seize=all_before is not None):
        return
    async with resources.database.connection(external_id) as connection:
        # the logs of memories that go as well go with them: rewriting these takes a transaction for each two memories.
        # What those alone have given to is gone by then; looking for others reads all of the tenant's entities
        alone = all_before is not None and not await storage.has_longterm(connection, external_id, memory_id)
        sharing = [] if alone else await storage.sharing(connection, external_id, memory_id, since=all_before)
    # before, as they are known by what is removed below, and after, as others may have been promoted meanwhile
    changed = await survivors.forget_promotions(resources, external_id, sharing)
    while await _forget_some(resources, external_id, memory_id, removal):
        pass
    changed += await survivors.forget_promotions(resources, external_id, sharing)
    removal.add({}, {"consolidation_run": changed})


async def _close(resources: Resources, external_id: str, memory_id: int, removal: Removal, *, seize: bool) -> bool:
    """Close a memory, so that nobody writes into it any more; returns whether it is there."""
    async with resources.database.transaction(external_id) as connection:
        row = await memories.lock_any(connection, external_id, memory_id)
        if row is None and seize:  # another call was faster
            return False
        row = existing(row, external_id, memory_id)
        if not seize and row.lease_owner and await queue.leased(connection, external_id, memory_id):
            raise MemoryBusyError(memory_id, row.lease_expires_at)
        removed = await storage.close(connection, external_id, memory_id)
    removal.add(removed)
    return True


async def _forget_some(resources: Resources, external_id: str, memory_id: int, removal: Removal) -> bool:
    """Remove some runs and chunks with what only they support, and last the memory; returns whether there is more."""
    batch = Removal()
    async with resources.database.transaction(external_id) as connection:
        # the memory before the tenant's long-term things, as all lock them
        await memories.lock_any(connection, external_id, memory_id)
        await longterm.lock_tenant(connection, external_id)
        runs = await storage.delete_runs(connection, external_id, memory_id, RUNS_AT_ONCE)
        ids = await storage.some_chunks(connection, external_id, memory_id, CHUNKS_AT_ONCE)
        chunks, supported = await storage.delete_chunks(connection, external_id, ids)
        batch.add(runs)
        batch.add(chunks)
        more = runs["consolidation_run"] == RUNS_AT_ONCE or len(ids) == CHUNKS_AT_ONCE
        if not more:
            # also what no chunk has supported
            supported = supported.with_all(await storage.shortterm_rest(connection, external_id, memory_id))
        await _take_support(connection, resources, external_id, memory_id, supported, batch)
        if not more:
            batch.add(await storage.delete_memory(connection, external_id, memory_id))
    removal.add(batch.removed, batch.changed)
    return more


async def _forget_longterm_rest(resources: Resources, external_id: str, removal: Removal) -> None:
    """Remove long-term things of a tenant that nothing supports."""
    async with resources.database.transaction(external_id) as connection:
        await longterm.lock_tenant(connection, external_id)
        rest = await storage.longterm_rest(connection, external_id)
        removed = await storage.delete_unsupported(connection, external_id, rest)
    removal.add(removed)


async def _forget_own_indexes(resources: Resources, external_id: str, removal: Removal) -> int:
    """Drop the indexes that a tenant has for itself; returns how many are left, as only their owner may."""
    async with resources.database.connection(external_id) as connection:
        found = await (await tenant_indexes.send(connection, external_id))()
    if not all(index.owned for index in found):
        return len(found)
    if found:
        removal.add({"tenant_index": await indexing.drop(resources, external_id)})
    return 0


async def _take_support(
    connection: Connection,
    resources: Resources,
    external_id: str,
    memory_id: int,
    supported: SupportedThings,
    batch: Removal,
) -> None:
    """Remove what was supported and is no more; what others support as well loses what the memory gave to it."""
    if not any(supported):
        return
    shortterm = await longterm.shortterm(connection, external_id, memory_id)
    survivors = Survivors(connection, resources, external_id, shortterm and shortterm.id)
    # before, as the memory's own things say of what they are part
    await survivors.find(supported)
    batch.add(await storage.delete_unsupported(connection, external_id, supported))
    batch.add(*await survivors.reset())


async def _receipt(
    resources: Resources,
    external_id: str,
    removal: Removal,
    listed: Sequence[ForgottenThread],
    started: datetime,
    *,
    memory_ids: tuple[int, ...] = (),
    indexes: int = 0,
) -> DeletionReceipt:
    resources.frequencies.forget(external_id)
    for embedder in (resources.embedder, resources.successor):
        if embedder is not None:
            embedder.forget()
    async with resources.database.transaction(external_id) as connection:
        unread = {} if memory_ids else await storage.forget_outbox(connection, external_id)
        waiting, projected = await storage.waiting(connection, external_id)
        finished = await graph.transaction_time(connection)
    removal.add(unread)
    return receipts.sealed(
        DeletionReceipt(
            scope="memory" if memory_ids else "tenant",
            external_id=external_id,
            memory_ids=memory_ids,
            started_at=started,
            finished_at=finished.astimezone(UTC),
            removed=removal.removed,
            changed=removal.changed,
            threads=tuple(listed),
            projected=("pending" if waiting else "done") if projected else "never",
            remains=receipts.remaining(listed, waiting=waiting, projected=projected, indexes=indexes),
        )
    )


async def _now(resources: Resources, external_id: str) -> datetime:
    async with resources.database.connection(external_id) as connection:
        return (await graph.transaction_time(connection)).astimezone(UTC)
