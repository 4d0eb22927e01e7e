"""Applies a run's plan in one transaction, fenced by the lease and idempotent by the run's id."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from langgraph_agentmem.errors import LeaseLostError, RunNotFoundError
from langgraph_agentmem.models.base import Json, Value
from langgraph_agentmem.models.chunk import Origin
from langgraph_agentmem.models.conflict import (
    ConsolidationConflicts,
    ConsolidationPlan,
    Decision,
    EntityResolution,
    RelationshipResolution,
    StoredRelationship,
)
from langgraph_agentmem.models.entity import ExtractedEntity, ExtractedRelationship
from langgraph_agentmem.models.run import ConsolidationReport, ModelUsage, SectionSnapshot
from langgraph_agentmem.operations.active import info
from langgraph_agentmem.policies import merging
from langgraph_agentmem.policies.merging import Traits
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.storage import active, chunks, graph, longterm, runs
from langgraph_agentmem.storage.chunks import NewChunk
from langgraph_agentmem.storage.database import Connection
from langgraph_agentmem.storage.graph import EntityRow, HistoryEntry, Merge, NewEntity, NewRelationship
from langgraph_agentmem.storage.runs import RunRow

_SOURCE = "consolidation"


class Resolved(Value):
    """A run whose conflicts are decided.

    Attributes:
        taken: Ids of the chunks that the run has claimed.
        extracted: Ids of the earlier chunks whose extraction was made up for; None where this run's extraction failed.
    """

    external_id: str
    memory_id: int
    run_id: str
    taken: list[int]
    conflicts: ConsolidationConflicts
    plan: ConsolidationPlan
    decisions: list[Decision]
    failures: list[str]
    usage: ModelUsage
    extracted: list[int] | None


class _Text(Value):
    """A text that the plan writes as a chunk of its own, and the chunks that it supersedes."""

    section_id: str
    text: str
    origin: Origin
    supersedes: list[int]


@dataclass
class _Work:
    """The state of one application."""

    resources: Resources
    connection: Connection
    run: Resolved
    shortterm_memory_id: int
    now: datetime
    changes: Json = field(default_factory=dict)
    history: list[HistoryEntry] = field(default_factory=list[HistoryEntry])
    counts: dict[str, int] = field(default_factory=dict[str, int])

    @property
    def external_id(self) -> str:
        return self.run.external_id


async def apply(resources: Resources, run: Resolved) -> ConsolidationReport:
    """Carry out a run's plan; a run that is applied already only reports again.

    Raises:
        LeaseLostError: The memory's lease went to another run; nothing is applied.
        EmbeddingError: New texts or names cannot be embedded; nothing is applied.
    """
    texts = _texts(run.plan)
    text_vectors = await _vectors(resources, [text.text for text in texts])
    name_vectors = await _vectors(resources, [conflict.active_entity.name for conflict in run.conflicts.entities])
    async with resources.database.transaction() as connection:
        row = await _fenced(connection, run)
        if row.report:
            return row.report
        shortterm_id, _ = await longterm.count_consolidation(connection, run.external_id, run.memory_id)
        now = await graph.transaction_time(connection)
        work = _Work(resources, connection, run, shortterm_id, now)
        await chunks.consolidate(
            connection, run.external_id, run.memory_id, run.run_id, shortterm_id, extracted=run.extracted
        )
        await _apply_sections(work, texts, text_vectors)
        ids = await _apply_entities(work, name_vectors)
        await _apply_relationships(work, ids)
        await graph.add_history(connection, run.external_id, work.history)
        await _settle(work, row.snapshot)
        return await _reported(work, row.snapshot)


async def _fenced(connection: Connection, run: Resolved) -> RunRow:
    memory = await active.get(connection, run.external_id, run.memory_id, lock=True)
    row = await runs.get(connection, run.external_id, run.run_id, lock=True)
    if row is None:
        raise RunNotFoundError(f"tenant {run.external_id!r} has no run {run.run_id}")
    if row.report is None and (memory is None or memory.lease_owner != run.run_id):
        raise LeaseLostError(
            f"run {run.run_id} took longer than its lease, and memory {run.memory_id} went to another run or was removed; "
            "nothing was applied, raise lease_seconds if this happens often"
        )
    return row


async def _settle(work: _Work, snapshot: Sequence[SectionSnapshot]) -> None:
    """Subtract what was taken, end the lease, and queue the memory again if enough came meanwhile."""
    run = work.run
    pending, section_count = await active.consume(work.connection, run.external_id, run.memory_id, snapshot)
    if info(work.resources.settings, pending, section_count).will_consolidate:
        await active.mark_due(work.connection, run.external_id, run.memory_id)


async def _reported(work: _Work, snapshot: Sequence[SectionSnapshot]) -> ConsolidationReport:
    run = work.run
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
        usage=run.usage,
    )
    by_model = any(decision.decided_by == "model" for decision in run.decisions)
    await runs.finish(
        work.connection,
        run.external_id,
        run.run_id,
        report=report,
        resolver="rules+model" if by_model else "rules",
        conflicts=run.conflicts.model_dump(mode="json"),
        plan=run.plan.model_dump(mode="json"),
        changes=work.changes,
    )
    return report


# Chunks


def _texts(plan: ConsolidationPlan) -> list[_Text]:
    """What a plan writes: merged texts, and what superseded chunks said besides what was replaced."""
    merged = [
        _Text(section_id=section.section_id, text=merge.text, origin="merge", supersedes=merge.chunk_ids)
        for section in plan.sections
        for merge in section.merged
    ]
    leftover = [
        _Text(section_id=section.section_id, text=decision.leftover, origin="leftover", supersedes=[])
        for section in plan.sections
        for decision in section.decisions
        if decision.action == "supersede" and decision.leftover
    ]
    return merged + leftover


async def _vectors(resources: Resources, texts: list[str]) -> list[list[float] | None]:
    if resources.embedder is None:
        return [None for _ in texts]
    return list(await resources.embedder.embed(texts))


async def _apply_sections(work: _Work, texts: list[_Text], vectors: list[list[float] | None]) -> None:
    ids = await chunks.allocate(work.connection, len(texts))
    written = [
        NewChunk(
            id=id, section_id=text.section_id, section_revision=0, order=0, content=text.text, origin=text.origin,
            source=_SOURCE, embedding=vector,
        )
        for id, text, vector in zip(ids, texts, vectors, strict=True)
    ]  # fmt: skip
    model = await work.resources.embedding_model()
    await chunks.insert(
        work.connection,
        work.external_id,
        work.run.memory_id,
        written,
        config=work.resources.settings.text_search_config,
        embedding_model=model and model.id,
        run_id=work.run.run_id,
        shortterm_memory_id=work.shortterm_memory_id,
    )
    pairs = [(source, id, True) for id, text in zip(ids, texts, strict=True) for source in text.supersedes]
    pairs += [
        (decision.chunk_id, decision.replaced_by, False)
        for section in work.run.plan.sections
        for decision in section.decisions
        if decision.action == "supersede" and decision.replaced_by
    ]
    superseded = await chunks.supersede(work.connection, work.external_id, pairs)
    merged = [text for text in texts if text.origin == "merge"]
    work.counts |= {"chunks_superseded": len(superseded), "chunks_merged": len(merged)}
    work.changes |= {"superseded": superseded, "written": ids}


# Entities and relationships


async def _apply_entities(work: _Work, vectors: Sequence[list[float] | None]) -> dict[str, int]:
    """Create or merge the run's entities; returns their ids by case-folded name."""
    resolutions = sorted(work.run.plan.entities, key=lambda r: r.conflict)
    targets = [r.entity_id for r in resolutions if r.action == "merge" and r.entity_id]
    stored, _ = await graph.by_id(work.connection, work.external_id, targets, [])
    found = {r.conflict: stored.get(r.entity_id or 0) if r.action == "merge" else None for r in resolutions}
    new_ids = iter(await graph.allocate_entities(work.connection, sum(row is None for row in found.values())))
    created: list[NewEntity] = []
    merges: dict[int, Merge] = {}
    undo: list[Json] = []
    ids: dict[str, int] = {}
    mentions: list[tuple[int, int | None, int | None]] = []
    for resolution in resolutions:
        entity = work.run.conflicts.entities[resolution.conflict].active_entity
        row = found[resolution.conflict]
        if row is None:
            new = NewEntity(
                id=next(new_ids),
                name=entity.name,
                traits=_entity_traits(entity),
                embedding=vectors[resolution.conflict],
            )
            created.append(new)
            _note_created(work, new.traits, entity_id=new.id)
            id = new.id
        else:
            merges[row.id] = _merged_entity(work, row, entity, resolution, merges.get(row.id), undo)
            id = row.id
        ids[entity.name.casefold()] = id
        mentions += [(chunk_id, id, None) for chunk_id in entity.chunk_ids]
    model = await work.resources.embedding_model()
    await graph.insert_entities(
        work.connection,
        work.external_id,
        created,
        shortterm_memory_id=work.shortterm_memory_id,
        config=work.resources.settings.text_search_config,
        embedding_model=model and model.id,
    )
    await graph.update_entities(work.connection, work.external_id, list(merges.values()))
    await graph.add_mentions(work.connection, work.external_id, mentions)
    work.counts |= {"entities_created": len(created), "entities_merged": len(merges)}
    work.changes["entities"] = undo
    return ids


def _merged_entity(
    work: _Work,
    row: EntityRow,
    entity: ExtractedEntity,
    resolution: EntityResolution,
    earlier: Merge | None,
    undo: list[Json],
) -> Merge:
    """The merge of a new entity into a stored one, which the same run may have merged another one into already."""
    before = earlier.traits if earlier else row.traits
    after = merging.merged(before, _entity_traits(entity), resolution.description)
    _note_merged(work, before, after, entity_id=row.id)
    undo.append(
        {"id": row.id, "before": row.traits.model_dump(), "revision": row.revision + 1, "active": entity.model_dump()}
    )
    return Merge(id=row.id, traits=after, revision=row.revision + 1)


async def _apply_relationships(work: _Work, entity_ids: dict[str, int]) -> None:
    """Create, merge or end relationships between the entities that the run resolved."""
    resolutions = sorted(work.run.plan.relationships, key=lambda r: r.conflict)
    targets = [r.relationship_id for r in resolutions if r.action == "merge" and r.relationship_id]
    _, stored = await graph.by_id(work.connection, work.external_id, [], targets)
    new_ids = iter(await graph.allocate_relationships(work.connection, len(resolutions)))
    created: list[NewRelationship] = []
    merges: dict[int, Merge] = {}
    undo: list[Json] = []
    mentions: list[tuple[int, int | None, int | None]] = []
    for resolution in resolutions:
        item = work.run.conflicts.relationships[resolution.conflict].active_relationship
        ends = (entity_ids[item.source.casefold()], entity_ids[item.target.casefold()])
        row = stored.get(resolution.relationship_id or 0) if resolution.action == "merge" else None
        if row is None or (row.source_id, row.target_id) != ends:  # its ends were resolved to other entities
            new = NewRelationship(id=next(new_ids), source_id=ends[0], target_id=ends[1], traits=_link_traits(item))
            created.append(new)
            _note_created(work, new.traits, relationship_id=new.id)
            id = new.id
        else:
            before = merges[row.id].traits if row.id in merges else row.traits
            after = merging.merged(before, _link_traits(item))
            _note_merged(work, before, after, relationship_id=row.id)
            undo.append(
                {
                    "id": row.id,
                    "before": row.traits.model_dump(),
                    "revision": row.revision + 1,
                    "active": item.model_dump(),
                }
            )
            merges[row.id] = Merge(id=row.id, traits=after, revision=row.revision + 1, end_date=row.end_date)
            id = row.id
        mentions += [(chunk_id, None, id) for chunk_id in item.chunk_ids]
    await graph.insert_relationships(
        work.connection, work.external_id, created, shortterm_memory_id=work.shortterm_memory_id
    )
    await graph.update_relationships(work.connection, work.external_id, list(merges.values()))
    await graph.add_mentions(work.connection, work.external_id, mentions)
    ended = await _end_superseded(work, resolutions)
    work.counts |= {
        "relationships_created": len(created), "relationships_merged": len(merges), "relationships_ended": len(ended),
    }  # fmt: skip
    work.changes |= {"relationships": undo, "ended": ended}


async def _end_superseded(work: _Work, resolutions: Sequence[RelationshipResolution]) -> list[Json]:
    candidates: dict[int, StoredRelationship] = {}
    for resolution in (r for r in resolutions if r.action == "supersede"):
        offered = work.run.conflicts.relationships[resolution.conflict].shortterm_relationships
        candidates |= {row.id: row for row in offered if row.id == resolution.relationship_id}
    ids = await graph.end_relationships(work.connection, work.external_id, list(candidates.values()))
    origin = {"run_id": work.run.run_id}
    work.history += [
        HistoryEntry(
            relationship_id=id,
            run_id=work.run.run_id,
            change={"timestamp": work.now.isoformat(), "source": _SOURCE, **origin, "action": "ended"},
        )
        for id in ids
    ]
    return [{"id": id, "revision": candidates[id].revision + 1} for id in ids]


def _note_created(
    work: _Work, traits: Traits, *, entity_id: int | None = None, relationship_id: int | None = None
) -> None:
    origin = {"run_id": work.run.run_id}
    change = merging.created_change(work.now, _SOURCE, origin, traits, strength=relationship_id is not None)
    work.history.append(
        HistoryEntry(entity_id=entity_id, relationship_id=relationship_id, run_id=work.run.run_id, change=change)
    )


def _note_merged(
    work: _Work, before: Traits, after: Traits, *, entity_id: int | None = None, relationship_id: int | None = None
) -> None:
    origin = {"run_id": work.run.run_id}
    change = merging.merged_change(work.now, _SOURCE, origin, before, after, strength=relationship_id is not None)
    work.history.append(
        HistoryEntry(entity_id=entity_id, relationship_id=relationship_id, run_id=work.run.run_id, change=change)
    )


def _entity_traits(entity: ExtractedEntity) -> Traits:
    return Traits(
        types=entity.types, description=entity.description, confidence=entity.confidence, weight=entity.importance
    )


def _link_traits(item: ExtractedRelationship) -> Traits:
    return Traits(types=item.types, description=item.description, confidence=item.confidence, weight=item.strength)
