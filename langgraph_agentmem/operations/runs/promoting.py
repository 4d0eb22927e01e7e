"""Promotes a short-term memory to long-term memory, in one transaction."""

import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

from langgraph_agentmem.models.run import PromotionReport
from langgraph_agentmem.operations.runs.graph_changes import Authorship, GraphRecorder
from langgraph_agentmem.operations.sections import freshness
from langgraph_agentmem.operations.sections.memories import existing
from langgraph_agentmem.policies import validation
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.storage import chunks, graph, longterm, queue, runs
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.graph import (
    EntityRow,
    NamedRelationshipRow,
    NewEntity,
    NewRelationship,
    RelationshipRow,
)
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
    entities = await longterm.changed_entities(connection, external_id, row.id)
    relationships = await longterm.changed_relationships(connection, external_id, row.id)
    now = await graph.transaction_time(connection)
    by = Authorship(_SOURCE, {"shortterm_memory_id": row.id}, now)
    recorder = GraphRecorder(connection, external_id, by, config=resources.settings.text_search_config)
    entity_pairs, ids = await _record_entities(connection, external_id, recorder, entities, relationships)
    relationship_pairs = await _record_relationships(connection, external_id, recorder, relationships, ids)
    await recorder.write()
    await longterm.note_promoted(connection, external_id, entity_pairs, relationship_pairs)
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
        **counts,
    )
    if report.status == "promoted":
        await longterm.finish(connection, external_id, row.memory_id, {"date": now.isoformat(), **counts})
    return report


async def _add_to_run(
    connection: Connection, external_id: str, run_id: str, report: PromotionReport, seconds: float
) -> None:
    # the memory is locked already: memory before run, as everywhere
    run = await runs.get(connection, external_id, run_id, lock=True)
    if run and run.report:
        timings = {**run.report.timings, "promote": round(seconds, 6)}
        changed = run.report.model_copy(update={"promotion": report, "timings": timings})
        await runs.report_promotion(connection, external_id, run_id, changed)


async def _record_entities(
    connection: Connection,
    external_id: str,
    recorder: GraphRecorder,
    changed: Sequence[EntityRow],
    relationships: Sequence[NamedRelationshipRow],
) -> tuple[list[tuple[int, int]], dict[str, int]]:
    """Merge what changed into long-term entities of the same case-folded names.

    Returns:
        (short-term id, long-term id) of what was merged; the long-term ids, those of all relationships' ends too, by
        case-folded name.
    """
    ends = {key for r in relationships for key in (r.source_key, r.target_key)}
    keys = sorted({row.name_key for row in changed} | ends)
    stored = await longterm.entities_named(connection, external_id, keys)
    targets: dict[str, EntityRow | NewEntity] = dict(stored)
    new_keys = list(dict.fromkeys(row.name_key for row in changed if row.name_key not in stored))
    new_ids = dict(zip(new_keys, await graph.allocate_entities(connection, len(new_keys)), strict=True))
    pairs: list[tuple[int, int]] = []
    for row in changed:
        # several short-term entities of one name become one long-term entity
        target = targets.get(row.name_key)
        if target is None:
            id = new_ids[row.name_key]
            target = NewEntity(id=id, name=row.name, traits=row.traits, first_seen=row.first_seen)
            targets[row.name_key] = target
            recorder.create_entity(target)
        else:
            recorder.merge_entity(target, row.traits)
        pairs.append((row.id, target.id))
    return pairs, {key: target.id for key, target in targets.items()}


async def _record_relationships(
    connection: Connection,
    external_id: str,
    recorder: GraphRecorder,
    changed: Sequence[NamedRelationshipRow],
    entity_ids: Mapping[str, int],
) -> list[tuple[int, int]]:
    """Merge what changed into long-term relationships by the names of their ends; returns (short-term, long-term) ids.

    As long as one of a tenant's short-term ones is valid, the merged one is.
    """
    stored = await longterm.relationships_between(connection, external_id, sorted(set(entity_ids.values())))
    targets: dict[tuple[int, int], RelationshipRow | NewRelationship] = dict(stored)
    # at most so many, as several may become one
    new_ids = iter(await graph.allocate_relationships(connection, len(changed)))
    end_dates = {ends: target.end_date for ends, target in targets.items()}
    pairs: list[tuple[int, int]] = []
    changed = await _with_validity(connection, external_id, changed)
    for row in sorted(changed, key=lambda r: (r.end_date is None, r.id)):  # a valid one last: its validity counts
        ends = entity_ids[row.source_key], entity_ids[row.target_key]
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
    connection: Connection, external_id: str, changed: Sequence[NamedRelationshipRow]
) -> list[NamedRelationshipRow]:
    """The rows, those that ended as valid ones where another one between the same names still is."""
    keys = [key for row in changed if row.end_date for key in (row.source_key, row.target_key)]
    valid = await longterm.valid_ends(connection, external_id, keys) if keys else set[tuple[str, str]]()
    return [
        row.model_copy(update={"end_date": None}) if (row.source_key, row.target_key) in valid else row
        for row in changed
    ]
