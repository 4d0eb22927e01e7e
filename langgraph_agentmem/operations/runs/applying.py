"""Applies a run's plan in one transaction, fenced by the lease and idempotent by the run's id."""

import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from langgraph_agentmem import telemetry
from langgraph_agentmem.errors import LeaseLostError, RunNotFoundError
from langgraph_agentmem.models.base import Value
from langgraph_agentmem.models.chunk import Origin
from langgraph_agentmem.models.conflict import ConsolidationPlan
from langgraph_agentmem.models.resolved import ResolvedRun
from langgraph_agentmem.models.run import ConsolidationReport, RunChanges, RunPreview
from langgraph_agentmem.operations.runs import claiming, linking, parking
from langgraph_agentmem.operations.runs.linking import RunWork
from langgraph_agentmem.operations.runs.parking import Reserved
from langgraph_agentmem.operations.sections import freshness
from langgraph_agentmem.operations.sections.memories import info
from langgraph_agentmem.policies import forgetting, planning
from langgraph_agentmem.policies.retrying import retry_wait
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.storage import chunks, graph, longterm, memories, queue, runs, sections, support
from langgraph_agentmem.storage.chunks import RunChunk
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.memories import MemoryRow
from langgraph_agentmem.storage.runs import RunRow
from langgraph_agentmem.storage.vectors import EmbeddingModel


class _Text(Value):
    """A text that the plan writes as a chunk of its own, and the chunks that it comes from."""

    section_id: str
    text: str
    origin: Origin
    sources: list[int]


@dataclass(frozen=True)
class _ReadyRun:
    """What is made ready before the transaction, in which nobody is to be waited for."""

    resources: Resources
    started: float
    reserved: Reserved
    model: EmbeddingModel | None
    vectors: Mapping[str, list[float] | None]
    name_vectors: Sequence[list[float] | None]


async def apply(resources: Resources, run: ResolvedRun, *, dry_run: bool = False) -> ConsolidationReport:
    """Carry out a run's plan; a run that is applied already only reports again.

    Args:
        resources: The open memory's.
        run: What was decided.
        dry_run: Claim the memory again, carry the plan out, and undo all of it: the report says what it has come to.

    Raises:
        LeaseLostError: The memory's lease went to another run; nothing is applied.
        EmbeddingError: New texts or names cannot be embedded; nothing is applied.
    """
    prepared = await _made_ready(resources, run)
    if dry_run:
        return await _rehearsed(prepared, run)
    async with resources.database.transaction(run.external_id) as connection:
        row, memory = await _fenced(connection, resources, run)
        # applied before: the answer to that commit was lost, and the graph tries again
        if row.report or memory is None:
            assert row.report is not None  # without its memory, no other run passes the fence
            return row.report
        work, report = await _carried_out(connection, prepared, run, row, memory)
    # behind the commit, so that nothing is counted that was rolled back
    _measure(work, row, report)
    return report


async def _made_ready(resources: Resources, run: ResolvedRun) -> _ReadyRun:
    started = time.perf_counter()
    # before the transaction: a policy may be the caller's own function, and take its time
    reserved = parking.reserved(resources, run)
    # vectors before the transaction, too: an embedder may take its time, and holds no lock and no connection then
    texts = [text.text for text in _texts(run.plan)]
    model = await resources.embedding_model()  # before the transaction: registering it wants the tables for itself
    vectors = dict(zip(texts, await _vectors(resources, texts), strict=True))
    names = [conflict.active_entity.name for conflict in run.conflicts.entities]
    return _ReadyRun(resources, started, reserved, model, vectors, await _vectors(resources, names))


async def _rehearsed(prepared: _ReadyRun, run: ResolvedRun) -> ConsolidationReport:
    """What carrying a plan out comes to, of which nothing is kept; what was taken is taken again as it is now."""
    resources, tenant, memory_id = prepared.resources, run.external_id, run.memory_id
    async with resources.database.rehearsal(tenant) as connection:
        claim = await claiming.claimed(connection, resources, tenant, memory_id, run.run_id)
        if isinstance(claim, ConsolidationReport):  # another run was faster
            return claim
        row, memory = await _fenced(connection, resources, run)
        assert memory is not None  # it has just been leased
        work, report = await _carried_out(connection, prepared, run, row, memory)
    preview = RunPreview(
        conflicts=work.run.conflicts,
        plan=work.run.plan,
        changes=RunChanges.of(work.record),
        disputes=len(report.parked),
    )
    # ids that were never given
    unkept: dict[str, object] = {"run_id": None, "parked": [], "shortterm_memory_id": run.conflicts.shortterm_memory_id}
    return report.model_copy(update={**unkept, "status": "dry_run", "preview": preview})


async def _carried_out(
    connection: Connection, prepared: _ReadyRun, run: ResolvedRun, row: RunRow, memory: MemoryRow
) -> tuple[RunWork, ConsolidationReport]:
    """Carry out the plan of a run that holds its memory, and write its report."""
    # what rests on deleted chunks goes before anything is compared with what persons have rejected or kept
    run, gone = await _without_deleted(connection, run)
    run, rejected = await parking.without_rejected(connection, run)
    run, parked = await parking.parked(connection, run, prepared.reserved)
    # before anything is written: the first consolidation makes the row that all the rest refers to
    shortterm_id, consolidations = await _counted(connection, run, row)
    now = await graph.transaction_time(connection)
    work = RunWork(prepared.resources, connection, run, prepared.model, shortterm_id, now)
    await chunks.consolidate(
        connection, run.external_id, run.memory_id, run.run_id, shortterm_id, extracted=run.extracted
    )
    await parking.write_tombstones(work, rejected)
    texts = _texts(run.plan)
    chunk_texts = await _apply_sections(work, texts, [prepared.vectors[text.text] for text in texts])
    ids, link_ids = await linking.apply_graph(work, prepared.name_vectors)
    await parking.log(work, parked, ids, link_ids)
    inherited = [(source, id, text.text) for id, text in chunk_texts.items() for source in text.sources]
    await support.inherit_mentions(connection, run.external_id, inherited)
    await _settle(work, row, memory, consolidations)
    work.seconds = time.perf_counter() - prepared.started
    return work, await _reported(work, row, deleted=bool(gone))


async def _counted(connection: Connection, run: ResolvedRun, row: RunRow) -> tuple[int, int]:
    """The short-term memory's id, and its consolidations since the last promotion, this one included.

    A run that only makes up for an extraction is none: where a model fails for days, nothing comes to be promoted.
    """
    if not row.snapshot and not run.taken:
        known = await longterm.shortterm(connection, run.external_id, run.memory_id)
        if known is not None:
            return known.id, known.update_count
    return await longterm.count_consolidation(connection, run.external_id, run.memory_id)


async def _without_deleted(connection: Connection, run: ResolvedRun) -> tuple[ResolvedRun, set[int]]:
    """The run without what rests on chunks that were deleted since it was claimed, and these chunks.

    What a model has read of them is not remembered and not logged.
    """
    known = forgetting.chunks_of(run.plan, run.conflicts) | set(run.taken)
    gone = known - await chunks.existing(connection, run.external_id, sorted(known))
    if not gone:
        return run, gone
    plan, conflicts = forgetting.without(run.plan, run.conflicts, gone)
    note = f"{len(gone)} chunks were deleted meanwhile; what rested on them was left out"
    left: dict[str, object] = {"plan": plan, "conflicts": conflicts, "decisions": [], "failures": [note]}
    return run.model_copy(update={**left, "taken": [id for id in run.taken if id not in gone]}), gone


async def _fenced(connection: Connection, resources: Resources, run: ResolvedRun) -> tuple[RunRow, MemoryRow | None]:
    """The run and its memory, locked, if it may still apply: it holds the memory's lease, or has applied before.

    The memory is locked before the run, as claims and undos do, and the lease is
    looked at only then: whoever takes it over waits for this transaction, or has done so before it.
    """
    memory = await freshness.lock(connection, resources, run.external_id, run.memory_id)
    row = await runs.get(connection, run.external_id, run.run_id, lock=True)
    if row is None:
        raise RunNotFoundError(f"tenant {run.external_id!r} has no run {run.run_id}")
    # with a report, the lease does not matter any more: there is nothing left to apply
    if row.report is None and (memory is None or memory.lease_owner != run.run_id):
        raise LeaseLostError(
            f"run {run.run_id} took longer than its lease, and memory {run.memory_id} went to another run or was "
            "removed; nothing was applied, raise lease_seconds if this happens often"
        )
    return row, memory


async def _settle(work: RunWork, row: RunRow, memory: MemoryRow, consolidations: int) -> None:
    """Subtract what was taken, end the lease, and queue the memory again if there is more to do.

    That is so where enough updates came meanwhile, and where a promotion is due: should the process die before it, the
    memory is still in the queue.
    """
    run, settings = work.run, work.resources.settings
    place = (work.connection, run.external_id, run.memory_id)
    model_rests_until = await _note_model(work, memory)
    await sections.consume(*place, row.snapshot)
    pending, section_count = await memories.finish(*place, started_at=row.started_at, now=work.now)
    due = info(settings, pending, section_count).will_consolidate
    if due or consolidations >= settings.shortterm_update_threshold:
        await queue.mark_due(*place)
        await queue.notify(work.connection)
    elif pending:  # all of it came since the run began
        await queue.schedule(*place, row.started_at, settings.max_pending_minutes)
    if run.extracted is None:  # nobody may ever write here again, and what the text names is still to be found
        await queue.schedule(*place, model_rests_until, 0)


async def _note_model(work: RunWork, memory: MemoryRow) -> datetime:
    """Let a model that fails rest, longer with each run that it fails in; returns until when it rests."""
    run = work.run
    work.model_failures = memory.model_failures
    if run.model == "rested":
        return memory.model_retry_at or work.now
    retry_at = None
    if run.model == "failed":
        work.model_failures += 1
        retry_at = work.now + timedelta(seconds=retry_wait(work.model_failures, random.random()))
    else:
        work.model_failures = 0
    if work.model_failures or memory.model_failures:
        place = (work.connection, run.external_id, run.memory_id)
        await queue.note_model(*place, failures=work.model_failures, retry_at=retry_at)
    return retry_at or work.now


def _measure(work: RunWork, row: RunRow, report: ConsolidationReport) -> None:
    telemetry.applied(
        seconds=(work.now - row.started_at).total_seconds(),
        lag=report.lag_seconds,
        resolver=_resolver(work.run),
        tokens=(report.usage.input_tokens, report.usage.output_tokens),
        parked=len(report.parked),
    )


def _resolver(run: ResolvedRun) -> str:
    by_model = any(decision.decided_by == "model" for decision in run.decisions)
    return "rules+model" if by_model else "rules"


def _lag(row: RunRow, now: datetime) -> float | None:
    """Seconds since the memory was due; None where it was consolidated before it was."""
    if row.due_at is None or row.due_at > row.started_at:
        return None
    return (now - row.due_at).total_seconds()


async def _reported(work: RunWork, row: RunRow, *, deleted: bool) -> ConsolidationReport:
    run, snapshot, settings = work.run, row.snapshot, work.resources.settings
    report = ConsolidationReport(
        status="applied",
        run_id=run.run_id,
        shortterm_memory_id=work.shortterm_memory_id,
        sections=[section.section_id for section in snapshot],
        updates_consumed=sum(section.update_count for section in snapshot),
        chunks_added=len(run.taken),
        **work.counts,
        decisions=run.decisions,
        failures=run.failures,
        model_failures=work.model_failures,
        usage=run.usage.priced(settings.input_token_price, settings.output_token_price),
        parked=work.parked,
        timings={**run.timings, "apply": round(work.seconds, 6)},
        lag_seconds=_lag(row, work.now),
    )
    await runs.finish(
        work.connection,
        run.external_id,
        run.run_id,
        report=report,
        resolver=_resolver(run),
        # they may quote what was deleted meanwhile
        conflicts=None if deleted else run.conflicts.model_dump(mode="json"),
        plan=None if deleted else run.plan.model_dump(mode="json"),
        changes=work.record,
    )
    return report


def _texts(plan: ConsolidationPlan) -> list[_Text]:
    """The texts that a plan writes: merged ones, and the statements of superseded chunks that nothing has replaced."""
    merged = [
        _Text(section_id=section.section_id, text=merge.text, origin="merge", sources=merge.chunk_ids)
        for section in plan.sections
        for merge in section.merged
    ]
    merged += [
        _Text(section_id=section.section_id, text=merge.leftover, origin="leftover", sources=merge.chunk_ids)
        for section in plan.sections
        for merge in section.merged
        if merge.leftover
    ]
    leftover = [
        _Text(section_id=section.section_id, text=decision.leftover, origin="leftover", sources=[decision.chunk_id])
        for section in plan.sections
        for decision in section.decisions
        if decision.action == "supersede" and decision.leftover
    ]
    return merged + leftover


async def _vectors(resources: Resources, texts: list[str]) -> list[list[float] | None]:
    if resources.embedder is None:
        return [None for _ in texts]
    return list(await resources.embedder.embed(texts))


async def _apply_sections(work: RunWork, texts: list[_Text], vectors: list[list[float] | None]) -> dict[int, _Text]:
    """Supersede what the plan supersedes and write its texts; returns these by chunk id.

    A leftover is written only where its source was superseded: it may have come back into its section meanwhile.
    """
    ids = await chunks.allocate(work.connection, len(texts))
    # a merged text takes the place of its sources in any case (True); a chunk that a new one replaces stays valid if it
    # has come back into its section by now (False)
    pairs = [(s, id, True) for id, text in zip(ids, texts, strict=True) if text.origin == "merge" for s in text.sources]
    pairs += [
        (decision.chunk_id, decision.replaced_by, False)
        for section in work.run.plan.sections
        for decision in section.decisions
        if decision.action == "supersede" and decision.replaced_by
    ]
    superseded = await chunks.supersede(work.connection, work.external_id, pairs)
    ended = {id for id, _ in superseded}
    written = [item for item in zip(ids, texts, vectors, strict=True) if ended & set(item[1].sources)]
    new = [
        RunChunk(id=id, section_id=text.section_id, content=text.text, origin=text.origin, embedding=vector)
        for id, text, vector in written
    ]
    await linking.insert_chunks(work, new)
    merged = [text for _, text, _ in written if text.origin == "merge"]
    work.counts |= {"chunks_superseded": len(superseded), "chunks_merged": len(merged)}
    leftovers = {source: id for id, text, _ in written if text.origin == "leftover" for source in text.sources}
    unclear = planning.unclear_pairs(work.run.conflicts, work.run.plan, work.run.decisions, leftovers)
    await chunks.mark_unclear(work.connection, work.external_id, unclear)
    by_model = [d for d in work.run.decisions if d.decided_by == "model" and d.about.kind == "chunk"]
    work.counts |= {"chunks_unclear": len(unclear), "chunks_decided_by_model": len(by_model)}
    record = {"superseded": superseded, "written": [chunk.id for chunk in new], "unclear": unclear}
    work.record = work.record.model_copy(update=record)
    return {id: text for id, text, _ in written}
