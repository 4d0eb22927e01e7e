"""Claims a memory for a run, and gives it back."""

import os
import random
import socket
from uuid import uuid4

from langgraph_agentmem import telemetry
from langgraph_agentmem.errors import AgentMemoryError, LeaseLostError
from langgraph_agentmem.models.claim import Claim, ClaimedChunk, ClaimedSection
from langgraph_agentmem.models.run import ConsolidationReport, SectionSnapshot
from langgraph_agentmem.operations.sections import freshness
from langgraph_agentmem.operations.sections.memories import existing
from langgraph_agentmem.operations.sections.texts import texts
from langgraph_agentmem.policies import validation
from langgraph_agentmem.policies.retrying import retry_wait
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.storage import chunks, memories, queue, runs
from langgraph_agentmem.storage import sections as stored_sections
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.memories import MemoryRow


async def claim(
    resources: Resources,
    external_id: object,
    memory_id: object,
    *,
    run_id: str | None = None,
    everything: bool = False,
    if_due: bool = False,
    dry_run: bool = False,
) -> Claim | ConsolidationReport:
    """Lease a memory and take what is pending, or report why there is nothing to take.

    Args:
        resources: The open memory's.
        external_id: The tenant.
        memory_id: The memory.
        run_id: The run's id; claiming again under the same id is allowed.
        everything: Also take sections that were never updated, as when the memory is closed.
        if_due: Only if the queue offers the memory; this counts as an attempt, of which there are `max_attempts`.
        dry_run: Undo all of it at once: the claim says what would be taken, and the memory is free. Values that are no
            chunks yet become such, as for a search.

    Returns:
        The claim, or a report with status `nothing`, `busy` or `dead`.
    """
    tenant, id = validation.tenant(external_id), validation.identifier(memory_id, "memory_id")
    run = new_run_id() if run_id is None else validation.uuid(run_id, "run_id")
    if dry_run:
        # kept, unlike all the rest: what is claimed is to be there still when it is compared
        await freshness.catch_up_all(resources, [(tenant, id)])
    within = resources.database.rehearsal if dry_run else resources.database.transaction
    async with within(tenant) as connection:
        return await claimed(connection, resources, tenant, id, run, everything=everything, if_due=if_due)


async def claimed(
    connection: Connection,
    resources: Resources,
    tenant: str,
    id: int,
    run: str,
    *,
    everything: bool = False,
    if_due: bool = False,
) -> Claim | ConsolidationReport:
    """What `claim` does, in the caller's transaction."""
    # the memory's row first, as everybody locks it: it guards the sections, the chunks and the lease
    row = existing(await freshness.lock(connection, resources, tenant, id), tenant, id)
    # a process that dies reports no failure: its attempts show only here, when the next one comes to claim
    if if_due and await _given_up(connection, resources, row):
        return ConsolidationReport(status="dead")
    if await queue.lease(connection, tenant, id, run, resources.settings.lease_seconds, if_due=if_due) is None:
        return ConsolidationReport(status="busy", lease_expires_at=row.lease_expires_at)
    sections = [
        ClaimedSection(**section.model_dump(), content="\n\n".join(texts(section.value, section.text_fields)))
        for section in await stored_sections.changed(connection, tenant, id, everything=everything)
    ]
    changed = [section.section_id for section in sections]
    # marked with the run, so that an edit that comes meanwhile retires them instead of deleting them
    await chunks.claim(connection, tenant, id, run, changed, everything=everything)
    taken = await _taken(connection, resources, tenant, id, run)
    # a promotion was all that was due, or nothing: the claim does not count as an attempt
    if not sections and not taken:
        await queue.give_back(connection, tenant, id, run, if_due=if_due)
        return ConsolidationReport(status="nothing")
    # whoever asks for a run means it; the queue waits for the model
    rests = if_due and row.model_failures > 0 and await queue.model_rests(connection, tenant, id)
    snapshot = [SectionSnapshot(**section.model_dump()) for section in sections]
    await runs.begin(connection, tenant, id, run, snapshot, worker=worker_name(), due_at=row.due_at)
    return Claim(external_id=tenant, memory_id=id, run_id=run, sections=sections, chunks=taken, model_rests=rests)


def new_run_id() -> str:
    """An id for a run."""
    return str(uuid4())


async def renew(resources: Resources, external_id: str, memory_id: int, run_id: str) -> None:
    """Let a run hold its memory for another `lease_seconds`."""
    async with resources.database.transaction(external_id) as connection:
        await queue.renew(connection, external_id, memory_id, run_id, resources.settings.lease_seconds)


async def release(
    resources: Resources,
    external_id: object,
    memory_id: object,
    run_id: str,
    error: BaseException,
    *,
    if_due: bool = False,
) -> None:
    """Give a memory back after its run failed or was stopped; what it took stays pending.

    A memory whose run failed is tried again after a while, or, after too many attempts, set aside. Where giving it back
    fails as well, as in an outage, the lease runs out by itself; the run's own error is what matters.
    """
    try:
        tenant, id = validation.tenant(external_id), validation.identifier(memory_id, "memory_id")
        async with resources.database.transaction(tenant) as connection:
            # open or closed: somebody may have closed it since the run began
            row = await memories.lock_any(connection, tenant, id)
            message = resources.redactor.error(f"{type(error).__name__}: {error}")
            # logged in any case; a run that was applied stays so
            await runs.fail(connection, tenant, run_id, message)
            if isinstance(error, Exception):
                telemetry.failed(error)
            if not isinstance(error, Exception):  # it was stopped, for which nothing can be blamed
                await queue.give_back(connection, tenant, id, run_id, if_due=if_due)
                await queue.notify(connection)
            # after a lost lease the memory is another run's, whose lease and attempts are not to be touched
            elif row is not None and not isinstance(error, LeaseLostError):
                await _failed(connection, resources, row, run_id, message, if_due=if_due)
    except AgentMemoryError as second:
        error.add_note(f"the memory's lease could not be given back: {second}")


async def _failed(
    connection: Connection, resources: Resources, row: MemoryRow, run_id: str, error: str, *, if_due: bool
) -> None:
    place = (connection, row.external_id, row.id)
    attempts = row.attempts + int(if_due and row.lease_owner is None)  # its claim was not counted, or settled since
    wait = retry_wait(attempts, random.random())
    await queue.fail(*place, run_id, error, attempts=attempts, wait_seconds=wait)
    if if_due and attempts >= resources.settings.max_attempts and await queue.give_up(*place, error):
        telemetry.set_aside()


async def _given_up(connection: Connection, resources: Resources, row: MemoryRow) -> bool:
    """Set a memory aside whose last attempt left nothing but its lease: its process died."""
    if row.attempts < resources.settings.max_attempts:
        return False
    error = f"attempt {row.attempts} ended without a word: its process died, or could not reach the database any more"
    given_up = await queue.give_up(connection, row.external_id, row.id, error)
    if given_up:
        telemetry.set_aside()
    return given_up


async def _taken(
    connection: Connection, resources: Resources, external_id: str, memory_id: int, run_id: str
) -> list[ClaimedChunk]:
    rows = await chunks.claimed(
        connection, external_id, memory_id, run_id, with_pending=resources.extractor is not None
    )
    return [
        ClaimedChunk(
            id=row.id,
            content=row.content,
            place=row.place,
            source=row.source,
            written_at=row.written_at,
            section_id=row.section_id,
            # new: no run has seen it; back: consolidated once, gone from its section, and written there again
            new=bool(row.taken) and row.tier == "active",
            back=bool(row.taken) and row.tier != "active",
            current=row.current,
            # consolidated chunks were looked at by their own run, unless its extraction failed
            to_extract=row.tier == "active" or row.extraction_pending,
        )
        for row in rows
    ]


def worker_name() -> str:
    """What runs of this process are logged under."""
    return f"{socket.gethostname()}:{os.getpid()}"
