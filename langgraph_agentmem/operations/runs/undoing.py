"""Undoes what a run superseded or merged."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from langgraph_agentmem.errors import InvalidInputError, RunNotFoundError, UndoConflictError
from langgraph_agentmem.models.graph_change import (
    EntityMerged,
    EntityPromoted,
    EntityRemoved,
    RelationshipCreated,
    RelationshipEnded,
    RelationshipMerged,
    RelationshipMoved,
    RemovedLink,
    RunRecord,
)
from langgraph_agentmem.models.review import DisputeKind
from langgraph_agentmem.models.run import ConsolidationRun
from langgraph_agentmem.operations.runs.graph_changes import Authorship, GraphRecorder
from langgraph_agentmem.operations.runs.parting import Parting
from langgraph_agentmem.operations.sections import freshness
from langgraph_agentmem.policies import naming, validation
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.storage import chunks, graph, reviews, runs
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.graph import EntityRow, HistoryEntry, NewRelationship, RelationshipRow
from langgraph_agentmem.storage.runs import RunRow

_SOURCE = "undo"


async def undo(resources: Resources, external_id: object, run_id: object) -> ConsolidationRun:
    """Restore what a run superseded or merged; see `Runs.aundo`."""
    tenant, id = validation.tenant(external_id), validation.uuid(run_id, "run_id")
    async with resources.database.transaction(tenant) as connection:
        run = await runs.get(connection, tenant, id)
        if run is None:
            raise RunNotFoundError(f"tenant {tenant!r} has no run {id}")
        # the memory before the run, as all lock them
        await freshness.lock(connection, resources, tenant, run.memory_id, closed=True)
        run = await runs.get(connection, tenant, id, lock=True)  # again: another undo may have been faster
        if run is not None and run.status == "applied" and run.changes is None:
            raise InvalidInputError(
                f"run {id} cannot be undone any more: something that it had remembered was deleted since, and with it "
                "what entities had been before"
            )
        if run is not None and run.status == "applied":
            await _carry_out(connection, resources, run, run.changes or RunRecord())
            run = await runs.get(connection, tenant, id)
    if run is None or run.status != "undone":
        raise InvalidInputError(f"run {id} is {run.status if run else 'gone'}; only applied runs can be undone")
    return ConsolidationRun.model_validate(run.model_dump(exclude={"changes"}))


async def _carry_out(connection: Connection, resources: Resources, run: RunRow, record: RunRecord) -> None:
    tenant, ids = run.external_id, [id for id, _ in record.superseded]
    await _refuse_if_changed(connection, run, record)
    await chunks.unmark_unclear(connection, tenant, record.unclear)
    await chunks.restore(connection, tenant, restored=ids, ended=record.written)
    replaced, moved = await _reverse_graph(connection, resources, run, record)
    # what was promoted since follows
    await Parting(connection, resources, tenant, source=_SOURCE, run_id=run.id).follow(
        entities=[change.id for change in record.of(EntityMerged)],
        relationships=[change.id for change in record.of(RelationshipMerged)],
        moved=moved,
        apart=[change.shortterm_id for change in record.of(EntityPromoted)],
    )
    # disputes that a review had decided are open again, and name what is there now in place of what it had removed
    await reviews.replace(connection, tenant, run.memory_id, replaced)
    await runs.undone(connection, tenant, run.id)
    # what the run has left to a person, and nobody has decided, waits no longer
    await reviews.withdraw(connection, tenant, run.id)
    await _reopen_disputes(connection, run)


async def _refuse_if_changed(connection: Connection, run: RunRow, record: RunRecord) -> None:
    """Refuse where a later run, itself not undone, changed what this run superseded, wrote or merged."""
    tenant, superseded = run.external_id, dict(record.superseded)
    states = await chunks.states(connection, tenant, [*superseded, *record.written])
    later = {
        state.superseded_by_run
        for state in states.values()
        # what it superseded is not as it left it: valid again, or ended in favour of another chunk
        if (state.id in superseded and (not state.ended or state.superseded_by != superseded[state.id]))
        # what it wrote was ended since
        or (state.id not in superseded and state.ended)
    }
    entities = [change.id for change in record.of(EntityMerged)]
    links = [change.id for change in (*record.of(RelationshipMerged), *record.of(RelationshipEnded))]
    later |= set(_runs_after(await graph.histories(connection, tenant, entities, links), run.id))
    named = [other.id for other in await _later_runs(connection, run) if other.id in later and other.status != "undone"]
    if named:
        raise UndoConflictError(run.id, named)


async def _later_runs(connection: Connection, run: RunRow) -> list[ConsolidationRun]:
    known = await runs.list_all(connection, run.external_id, memory_id=run.memory_id, status=None, limit=10_000)
    return [other for other in reversed(known) if other.started_at > run.started_at]


Replaced = list[tuple[DisputeKind, int, int]]
"""(kind, the id that a review removed, the id that the same thing has now)."""
Split = dict[tuple[int, str], int]
"""The id of what was merged into an entity, by that entity and the key of its name."""


async def _reverse_graph(
    connection: Connection, resources: Resources, run: RunRow, record: RunRecord
) -> tuple[Replaced, list[int]]:
    """Reverse what a run has changed of entities and relationships; what has gone since stays away.

    Returns:
        What has other ids now, and the relationships that were moved.
    """
    # a relationship that went with an entity comes back only if its other end is still there
    removed = record.of(EntityRemoved)
    entities, relationships = await graph.by_id(
        connection,
        run.external_id,
        [change.id for change in record.of(EntityMerged)] + [id for change in removed for id in _other_ends(change)],
        [change.id for change in (*record.of(RelationshipMerged), *record.of(RelationshipEnded))],
    )
    merges = [change for change in record.of(EntityMerged) if change.id in entities]
    link_merges = [change for change in record.of(RelationshipMerged) if change.id in relationships]
    links = [[link for link in change.links if _ends(link) <= entities.keys()] for change in removed]
    entity_ids = iter(await graph.allocate_entities(connection, len(merges) + len(removed)))
    link_count = len(link_merges) + sum(map(len, links))
    link_ids = iter(await graph.allocate_relationships(connection, link_count))

    recorder = await _recorder(connection, resources, run)
    split, replaced = _split_entities(recorder, merges, entities, entity_ids)
    replaced += _split_relationships(recorder, link_merges, relationships, link_ids, split)
    moved = _move_back(recorder, [*record.of(RelationshipCreated), *record.of(RelationshipMoved)], split)
    for id in dict.fromkeys(change.id for change in record.of(RelationshipEnded)):
        if id in relationships:
            recorder.set_end(relationships[id], None, "reopened")
    for change, kept in zip(removed, links, strict=True):
        id = next(entity_ids)
        _bring_back(recorder, change, kept, id, link_ids)
        replaced.append(("entity", change.id, id))
    await recorder.write()
    return replaced, moved


async def _recorder(connection: Connection, resources: Resources, run: RunRow) -> GraphRecorder:
    by = Authorship(
        source=_SOURCE,
        origin={"run_id": run.id},
        now=await graph.transaction_time(connection),
        run_id=run.id,
        shortterm_memory_id=run.report and run.report.shortterm_memory_id,
    )
    return GraphRecorder(connection, run.external_id, by, language=resources.settings.text_search_config)


def _split_entities(
    recorder: GraphRecorder,
    merges: Sequence[EntityMerged],
    stored: Mapping[int, EntityRow],
    new_ids: Iterator[int],
) -> tuple[Split, Replaced]:
    """Part merged entities; returns the ids of what was merged into them."""
    split: Split = {}
    replaced: Replaced = []
    for change in merges:
        id = split[change.id, naming.key(change.absorbed.name)] = next(new_ids)
        recorder.split_entity(change, stored[change.id], id)
        if change.replaces is not None:
            replaced.append(("entity", change.replaces, id))
    return split, replaced


def _split_relationships(
    recorder: GraphRecorder,
    merges: Sequence[RelationshipMerged],
    stored: Mapping[int, RelationshipRow],
    new_ids: Iterator[int],
    split: Split,
) -> Replaced:
    """Part merged relationships; what was merged into them is at the entities that are parted, too."""
    replaced: Replaced = []
    for change in merges:
        row, absorbed = stored[change.id], change.absorbed
        new = NewRelationship(
            id=next(new_ids),
            source_id=split.get((row.source_id, naming.key(absorbed.source)), row.source_id),
            target_id=split.get((row.target_id, naming.key(absorbed.target)), row.target_id),
            traits=absorbed.traits,
        )
        recorder.split_relationship(change, row, new)
        if change.replaces is not None:
            replaced.append(("relationship", change.replaces, new.id))
    return replaced


def _move_back(
    recorder: GraphRecorder, changes: Iterable[RelationshipCreated | RelationshipMoved], split: Split
) -> list[int]:
    """Move relationships that the run has put at an entity that is parted now to the part that they belong to.

    Returns:
        Their ids.
    """
    moved: list[int] = []
    for change in changes:
        ends = (change.to_id,) * 2 if isinstance(change, RelationshipMoved) else (change.source_id, change.target_id)
        names = (change.source, change.target)
        source_id, target_id = (split.get((id, naming.key(name or ""))) for id, name in zip(ends, names, strict=True))
        if source_id or target_id:
            recorder.move(change.id, source_id, target_id)
            moved.append(change.id)
    return moved


def _bring_back(
    recorder: GraphRecorder, change: EntityRemoved, links: Sequence[RemovedLink], id: int, link_ids: Iterator[int]
) -> None:
    """Recreate an entity that a review has removed, with its relationships to entities that still exist."""
    recorder.bring_back_entity(id, change.entity)
    for link in links:
        new = NewRelationship(
            id=next(link_ids),
            source_id=link.source_id or id,
            target_id=link.target_id or id,
            traits=link.relationship.traits,
        )
        recorder.bring_back_relationship(new, link.relationship.chunk_ids)


def _ends(link: RemovedLink) -> set[int]:
    """The entities at the other end of a relationship that went with an entity."""
    return {id for id in (link.source_id, link.target_id) if id is not None}


def _other_ends(change: EntityRemoved) -> set[int]:
    return {id for link in change.links for id in _ends(link)}


async def _reopen_disputes(connection: Connection, run: RunRow) -> None:
    """Where the run was a review: what it had decided is open again, unless the run that parked it is undone."""
    reviewed = run.report and run.report.review_of
    if reviewed:
        await reviews.reopen(connection, run.external_id, run.id)
        parked_by = await runs.get(connection, run.external_id, reviewed)
        if parked_by is None or parked_by.status == "undone":
            await reviews.withdraw(connection, run.external_id, reviewed)


def _runs_after(history: Iterable[HistoryEntry], run_id: str) -> list[str]:
    """The runs that wrote history after a run did."""
    later: list[str] = []
    seen = False
    for entry in history:
        seen = seen or entry.run_id == run_id
        if seen and entry.run_id not in (None, run_id):
            later.append(str(entry.run_id))
    return later
