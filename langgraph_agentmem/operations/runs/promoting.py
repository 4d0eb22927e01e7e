"""Promotes a short-term memory to long-term memory, in one transaction."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from langgraph_agentmem.models.base import Json
from langgraph_agentmem.models.run import PromotionReport
from langgraph_agentmem.operations.sections.chunks import catch_up
from langgraph_agentmem.operations.sections.memories import found
from langgraph_agentmem.policies import merging, validation
from langgraph_agentmem.policies.merging import Traits
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.storage import chunks, graph, longterm, memories, queue, runs
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.graph import (
    EntityRow,
    HistoryEntry,
    Merge,
    NamedRelationshipRow,
    NewEntity,
    NewRelationship,
    RelationshipRow,
)
from langgraph_agentmem.storage.longterm import ShorttermRow

_SOURCE = "shortterm_promotion"


@dataclass
class _Target:
    """A long-term entity or relationship while short-term ones are merged into it."""

    id: int
    traits: Traits
    stored: EntityRow | RelationshipRow | None
    changes: list[tuple[Json, str | None]] = field(default_factory=list[tuple[Json, str | None]])


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
        memory = found(await memories.lock_any(connection, tenant, id), tenant, id)
        await catch_up(connection, resources, tenant, id)
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
    merge = _Merge(connection, resources, external_id, row)
    ids = await merge.entities(entities, relationships)
    await merge.relationships(relationships, ids)
    await graph.add_history(connection, external_id, merge.history)
    await longterm.note_promoted(connection, external_id, merge.entity_pairs, merge.relationship_pairs)
    counts = {"chunks_added": moved, **merge.counts}
    report = PromotionReport(
        status="promoted" if any(counts.values()) or row.update_count >= threshold else "nothing",
        shortterm_memory_id=row.id,
        update_count=row.update_count,
        threshold=threshold,
        **counts,
    )
    if report.status == "promoted":
        now = await graph.transaction_time(connection)
        await longterm.finish(connection, external_id, row.memory_id, {"date": now.isoformat(), **counts})
    return report


async def _add_to_run(
    connection: Connection, external_id: str, run_id: str, report: PromotionReport, seconds: float
) -> None:
    run = await runs.get(connection, external_id, run_id, lock=True)
    if run and run.report:
        timings = {**run.report.timings, "promote": round(seconds, 6)}
        changed = run.report.model_copy(update={"promotion": report, "timings": timings})
        await runs.report_promotion(connection, external_id, run_id, changed)


@dataclass
class _Merge:
    """Merges what changed of a short-term memory into the tenant's long-term entities and relationships."""

    connection: Connection
    resources: Resources
    external_id: str
    row: ShorttermRow
    history: list[HistoryEntry] = field(default_factory=list[HistoryEntry])
    entity_pairs: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    relationship_pairs: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    counts: dict[str, int] = field(default_factory=dict[str, int])

    async def entities(
        self, changed: Sequence[EntityRow], relationships: Sequence[NamedRelationshipRow]
    ) -> dict[str, int]:
        """Merge entities by case-folded name; returns the long-term ids of these and of all relationships' ends."""
        ends = {key for r in relationships for key in (r.source_key, r.target_key)}
        keys = sorted({row.name_key for row in changed} | ends)
        stored = await longterm.entities_named(self.connection, self.external_id, keys)
        targets = {key: _Target(row.id, row.traits, row) for key, row in stored.items()}
        new_keys = list(dict.fromkeys(row.name_key for row in changed if row.name_key not in stored))
        new_ids = dict(zip(new_keys, await graph.allocate_entities(self.connection, len(new_keys)), strict=True))
        now = await graph.transaction_time(self.connection)
        created: dict[str, NewEntity] = {}
        for row in changed:
            target = targets.get(row.name_key)
            if target is None:
                target = targets[row.name_key] = _Target(new_ids[row.name_key], row.traits, None)
                created[row.name_key] = NewEntity(
                    id=target.id, name=row.name, traits=row.traits, first_seen=row.first_seen
                )
                change = merging.created_change(now, _SOURCE, self._origin, row.traits, strength=False)
                self.history.append(HistoryEntry(entity_id=target.id, change=change))
            else:
                self._merge(target, row.traits, now, strength=False)
            self.entity_pairs.append((row.id, target.id))
        new = [entity.model_copy(update={"traits": targets[key].traits}) for key, entity in created.items()]
        await self._write_entities(new, [t for t in targets.values() if t.stored and t.changes])
        self.counts |= {
            "entities_added": len(new),
            "entities_modified": sum(bool(t.stored and t.changes) for t in targets.values()),
        }
        self.history += [
            HistoryEntry(entity_id=t.id, change=change, old_description=old)
            for t in targets.values()
            for change, old in t.changes
        ]
        return {key: target.id for key, target in targets.items()}

    async def relationships(self, changed: Sequence[NamedRelationshipRow], ids: dict[str, int]) -> None:
        """Merge relationships by the names of their ends; as long as one of a tenant's is valid, the merged one is."""
        stored = await longterm.relationships_between(self.connection, self.external_id, sorted(set(ids.values())))
        targets = {ends: _Target(row.id, row.traits, row) for ends, row in stored.items()}
        new_ids = iter(await graph.allocate_relationships(self.connection, len(changed)))
        now = await graph.transaction_time(self.connection)
        changed = await self._with_validity(changed)
        last: dict[tuple[int, int], NamedRelationshipRow] = {}
        first: dict[tuple[int, int], NamedRelationshipRow] = {}
        for row in sorted(changed, key=lambda r: (r.end_date is None, r.id)):
            ends = (ids[row.source_key], ids[row.target_key])
            target = targets.get(ends)
            if target is None:
                target = targets[ends] = _Target(next(new_ids), row.traits, None)
                change = merging.created_change(now, _SOURCE, self._origin, row.traits, strength=True)
                self.history.append(HistoryEntry(relationship_id=target.id, change=change))
            else:
                self._merge(target, row.traits, now, strength=True)
                self._merge_validity(target, row, last.get(ends), now)
            first.setdefault(ends, row)
            last[ends] = row
            self.relationship_pairs.append((row.id, target.id))
        new = [
            NewRelationship(
                id=targets[ends].id,
                source_id=ends[0],
                target_id=ends[1],
                traits=targets[ends].traits,
                start_date=first[ends].start_date,
                end_date=row.end_date,
            )
            for ends, row in last.items()
            if targets[ends].stored is None
        ]
        merges = [
            Merge(id=t.id, traits=t.traits, revision=t.stored.revision + 1, end_date=last[ends].end_date)
            for ends, t in targets.items()
            if t.stored and t.changes
        ]
        await graph.insert_relationships(self.connection, self.external_id, new, shortterm_memory_id=None)
        await graph.update_relationships(self.connection, self.external_id, merges)
        self.counts |= {"relationships_added": len(new), "relationships_modified": len(merges)}
        self.history += [
            HistoryEntry(relationship_id=t.id, change=change, old_description=old)
            for t in targets.values()
            for change, old in t.changes
        ]

    async def _with_validity(self, changed: Sequence[NamedRelationshipRow]) -> list[NamedRelationshipRow]:
        """The rows, those that ended as valid ones where another one between the same names still is."""
        keys = [key for row in changed if row.end_date for key in (row.source_key, row.target_key)]
        valid = await longterm.valid_ends(self.connection, self.external_id, keys) if keys else set[tuple[str, str]]()
        return [
            row.model_copy(update={"end_date": None}) if (row.source_key, row.target_key) in valid else row
            for row in changed
        ]

    @property
    def _origin(self) -> Json:
        return {"shortterm_memory_id": self.row.id}

    def _merge(self, target: _Target, traits: Traits, now: datetime, *, strength: bool) -> None:
        before, after = target.traits, merging.merged(target.traits, traits)
        if after != before:
            change = merging.merged_change(now, _SOURCE, self._origin, before, after, strength=strength)
            target.changes.append((change, before.description if before.description != after.description else None))
            target.traits = after

    def _merge_validity(
        self, target: _Target, row: NamedRelationshipRow, earlier: NamedRelationshipRow | None, now: datetime
    ) -> None:
        stored = target.stored if isinstance(target.stored, RelationshipRow) else None
        before = earlier or stored
        if before and (before.end_date is None) != (row.end_date is None):
            action = "ended" if row.end_date else "reopened"
            origin = {"timestamp": now.isoformat(), "source": _SOURCE, **self._origin}
            target.changes.append(({**origin, "action": action}, None))

    async def _write_entities(self, new: list[NewEntity], merged: list[_Target]) -> None:
        await graph.insert_entities(
            self.connection,
            self.external_id,
            new,
            shortterm_memory_id=None,
            config=self.resources.settings.text_search_config,
            embedding_model=None,
        )
        merges = [Merge(id=t.id, traits=t.traits, revision=t.stored.revision + 1) for t in merged if t.stored]
        await graph.update_entities(self.connection, self.external_id, merges)
