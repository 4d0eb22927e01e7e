"""Promotes a short-term memory to long-term memory, in one transaction."""

import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

from langgraph_agentmem.models.graph_change import EntityPromoted, RunRecord
from langgraph_agentmem.models.run import ConsolidationReport, PromotionReport
from langgraph_agentmem.operations.runs import joining
from langgraph_agentmem.operations.runs.claiming import new_run_id
from langgraph_agentmem.operations.runs.graph_changes import Authorship, GraphRecorder
from langgraph_agentmem.operations.sections import freshness
from langgraph_agentmem.operations.sections.memories import existing
from langgraph_agentmem.policies import validation
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.storage import chunks, graph, longterm, queue, runs
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.graph import NamedRelationshipRow, NewRelationship, RelationshipRow
from langgraph_agentmem.storage.longterm import ShorttermRow

_SOURCE = "shortterm_promotion"


async def promote(
    resources: Resources, external_id: object, memory_id: object, *, force: bool = False, run_id: str | None = None
) -> PromotionReport:
    """Move a memory's short-term chunks to the long-term tier and merge its entities and relationships.

    Args:
        resources: The open memory's.
        external_id: The tenant.
        memory_id: The memory.
        force: Promote even if it was not consolidated often enough yet.
        run_id: The consolidation run at whose end this happens; its report gets the promotion's.
    """
    tenant, id = validation.tenant(external_id), validation.identifier(memory_id, "memory_id")
    threshold, started = resources.settings.shortterm_update_threshold, time.perf_counter()
    async with resources.database.transaction(tenant) as connection:
        memory = existing(await freshness.lock(connection, resources, tenant, id, closed=True), tenant, id)
        if not memory.pending_updates:
            await queue.clear_due(connection, tenant, id)  # whatever else it waited for in the queue is done here
        row = await longterm.shortterm(connection, tenant, id, lock=True)
        if row is None or (row.update_count == 0 and not force):
            return PromotionReport(status="nothing", shortterm_memory_id=row and row.id, threshold=threshold)
        due = row.update_count >= threshold
        if not due and not force:
            return PromotionReport(
                status="not_due", shortterm_memory_id=row.id, update_count=row.update_count, threshold=threshold
            )
        # after the memory's own locks, as every promotion does: here those of all the tenant's memories meet
        await longterm.lock_tenant(connection, tenant)
        report = await _promote(connection, resources, tenant, row, threshold)
        if run_id is not None:
            await _add_to_run(connection, tenant, run_id, report, time.perf_counter() - started)
        return report


async def _promote(
    connection: Connection, resources: Resources, external_id: str, row: ShorttermRow, threshold: int
) -> PromotionReport:
    moved = await chunks.promote(connection, external_id, row.memory_id)
    now = await graph.transaction_time(connection)
    by = Authorship(_SOURCE, {"shortterm_memory_id": row.id}, now)
    recorder = GraphRecorder(connection, external_id, by, language=resources.settings.text_search_config)
    relationships = await longterm.changed_relationships(connection, external_id, row.id)
    joined = await joining.record(connection, external_id, recorder, row.id, relationships)
    link_pairs = await _record_relationships(connection, external_id, recorder, relationships, joined.ids)
    await recorder.write()
    await longterm.note_promoted(connection, external_id, joined.pairs, link_pairs)
    counts = {
        "chunks_added": moved,
        "entities_added": len(recorder.entities.new),
        "entities_modified": len(recorder.entities.changed),
        "relationships_added": len(recorder.relationships.new),
        "relationships_modified": len(recorder.relationships.changed),
    }
    report = PromotionReport(
        # what is due counts as done even if nothing has changed, or it would stay due for ever
        status="promoted" if any(counts.values()) or row.update_count >= threshold else "nothing",
        shortterm_memory_id=row.id,
        update_count=row.update_count,
        threshold=threshold,
        decisions=joined.decisions,
        run_id=new_run_id() if joined.merged else None,
        **counts,
    )
    if report.status == "promoted":
        await longterm.finish(connection, external_id, row.memory_id, {"date": now.isoformat(), **counts})
    if report.run_id:
        await _log(connection, external_id, row, report, joined.merged)
    return report


async def _log(
    connection: Connection, external_id: str, row: ShorttermRow, report: PromotionReport, merged: list[EntityPromoted]
) -> None:
    """Log what was made one as a run, so that it can be parted again."""
    run = ConsolidationReport(
        status="applied",
        run_id=report.run_id,
        shortterm_memory_id=row.id,
        entities_merged=len(merged),
        decisions=report.decisions,
        promotion=report,
    )
    await runs.log_promotion(connection, external_id, row.memory_id, run, RunRecord(graph=list(merged)))


async def _add_to_run(
    connection: Connection, external_id: str, run_id: str, report: PromotionReport, seconds: float
) -> None:
    # the memory is locked already: memory before run, as everywhere
    run = await runs.get(connection, external_id, run_id, lock=True)
    if run and run.report:
        timings = {**run.report.timings, "promote": round(seconds, 6)}
        changed = run.report.model_copy(update={"promotion": report, "timings": timings})
        await runs.report_promotion(connection, external_id, run_id, changed)


async def _record_relationships(
    connection: Connection,
    external_id: str,
    recorder: GraphRecorder,
    changed: Sequence[NamedRelationshipRow],
    entity_ids: Mapping[int, int],
) -> list[tuple[int, int]]:
    """Merge what changed into long-term relationships between the same entities; returns (short-term, long-term) ids.

    As long as one of a tenant's short-term ones is valid, the merged one is.
    """
    stored = await longterm.relationships_between(connection, external_id, sorted(set(entity_ids.values())))
    targets: dict[tuple[int, int], RelationshipRow | NewRelationship] = dict(stored)
    # at most so many, as several may become one
    new_ids = iter(await graph.allocate_relationships(connection, len(changed)))
    end_dates = {ends: target.end_date for ends, target in targets.items()}
    pairs: list[tuple[int, int]] = []
    changed = await _with_validity(connection, external_id, changed, entity_ids)
    for row in sorted(changed, key=lambda r: (r.end_date is None, r.id)):  # a valid one last: its validity counts
        ends = entity_ids[row.source_id], entity_ids[row.target_id]
        target = targets.get(ends)
        if target is None:
            target = targets[ends] = _new_relationship(next(new_ids), ends, row)
            recorder.create_relationship(target, (row.source, row.target))
        else:
            recorder.merge_relationship(target, row.traits)
            recorder.set_end(target, row.end_date, _turn(end_dates[ends], row.end_date))
        # for the next row with the same ends, since `target` itself does not change
        end_dates[ends] = row.end_date
        pairs.append((row.id, target.id))
    return pairs


def _new_relationship(id: int, ends: tuple[int, int], row: NamedRelationshipRow) -> NewRelationship:
    return NewRelationship(
        id=id,
        source_id=ends[0],
        target_id=ends[1],
        traits=row.traits,
        start_date=row.start_date,
        end_date=row.end_date,
    )


def _turn(before: datetime | None, after: datetime | None) -> Literal["ended", "reopened"] | None:
    """Whether a relationship has ended or was reopened; None for neither."""
    if (before is None) == (after is None):
        return None
    return "ended" if after else "reopened"


async def _with_validity(
    connection: Connection,
    external_id: str,
    changed: Sequence[NamedRelationshipRow],
    entity_ids: Mapping[int, int],
) -> list[NamedRelationshipRow]:
    """The rows, those that ended as valid ones where another one between the same is, in whichever memory."""
    keys = [key for row in changed if row.end_date for key in (row.source_key, row.target_key)]
    valid = await longterm.valid_ends(connection, external_id, keys) if keys else []

    def holds(row: NamedRelationshipRow) -> bool:
        ends = entity_ids[row.source_id], entity_ids[row.target_id]
        return any(
            (other.source, other.target) == (row.source_key, row.target_key)
            # of what is not promoted yet, the name alone is known
            and (other.source_id or ends[0], other.target_id or ends[1]) == ends
            for other in valid
        )

    return [row.model_copy(update={"end_date": None}) if row.end_date and holds(row) else row for row in changed]
