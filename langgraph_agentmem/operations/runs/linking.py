"""Applies a run's decisions on entities and relationships."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from langgraph_agentmem.models.about import About
from langgraph_agentmem.models.graph_change import RelationshipEnded, RunRecord
from langgraph_agentmem.models.resolved import ResolvedRun
from langgraph_agentmem.operations.runs.graph_changes import Authorship, GraphRecorder
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.storage import chunks, graph
from langgraph_agentmem.storage.chunks import RunChunk
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.graph import EntityRow, NewEntity, NewRelationship, RelationshipRow
from langgraph_agentmem.storage.vectors import EmbeddingModel

SOURCE = "consolidation"


@dataclass
class RunWork:
    """The state of one application: what was changed, for the report and the undo."""

    resources: Resources
    connection: Connection
    run: ResolvedRun
    embedding_model: EmbeddingModel | None
    shortterm_memory_id: int
    now: datetime
    record: RunRecord = field(default_factory=RunRecord)
    counts: dict[str, Any] = field(default_factory=dict[str, Any])
    parked: list[int] = field(default_factory=list[int])
    model_failures: int = 0
    seconds: float = 0.0

    @property
    def external_id(self) -> str:
        """The tenant."""
        return self.run.external_id

    def recorder(self) -> GraphRecorder:
        """A recorder for the run's changes of the graph."""
        by = Authorship(SOURCE, {"run_id": self.run.run_id}, self.now, self.run.run_id, self.shortterm_memory_id)
        language = self.resources.settings.text_search_config
        return GraphRecorder(
            self.connection, self.external_id, by, language=language, embedding_model=self.embedding_model
        )


async def insert_chunks(work: RunWork, new: Sequence[RunChunk]) -> None:
    """Write chunks that the run has made, into short-term memory."""
    await chunks.insert(
        work.connection,
        work.external_id,
        work.run.memory_id,
        new,
        run_id=work.run.run_id,
        shortterm_memory_id=work.shortterm_memory_id,
        source=SOURCE,
        language=work.resources.settings.text_search_config,
        model=work.embedding_model,
    )


async def apply_graph(
    work: RunWork, name_vectors: Sequence[list[float] | None]
) -> tuple[dict[int, int], dict[int, int]]:
    """Create, merge or end the run's entities and relationships as its plan says.

    Args:
        work: The application.
        name_vectors: Of the entities' names, by conflict.

    Returns:
        The entities' ids and the relationships' ids, both by conflict.
    """
    plan, recorder = work.run.plan, work.recorder()
    entities, relationships = await graph.by_id(
        work.connection,
        work.external_id,
        [r.entity_id for r in plan.entities if r.action == "merge" and r.entity_id],
        [r.relationship_id for r in plan.relationships if r.action == "merge" and r.relationship_id],
    )
    created = sum(r.action != "merge" or r.entity_id not in entities for r in plan.entities)
    new_ids = iter(await graph.allocate_entities(work.connection, created))
    entity_ids = _record_entities(work.run, recorder, entities, new_ids, name_vectors)
    # an id for each: whether a merge stands is known only when its ends have been resolved
    new_ids = iter(await graph.allocate_relationships(work.connection, len(plan.relationships)))
    relationship_ids = _record_relationships(work.run, recorder, relationships, new_ids, entity_ids)
    recorder.end(r.relationship_id for r in plan.relationships if r.action == "supersede" and r.relationship_id)
    await recorder.write()
    work.record = work.record.model_copy(update={"graph": recorder.changes})
    work.counts |= {
        "entities_created": len(recorder.entities.new),
        "entities_merged": len(recorder.entities.changed),
        "relationships_created": len(recorder.relationships.new),
        "relationships_merged": len(recorder.relationships.changed),
        "relationships_ended": len(work.record.of(RelationshipEnded)),
    }
    return entity_ids, relationship_ids


def _record_entities(
    run: ResolvedRun,
    recorder: GraphRecorder,
    stored: Mapping[int, EntityRow],
    new_ids: Iterator[int],
    name_vectors: Sequence[list[float] | None],
) -> dict[int, int]:
    ids: dict[int, int] = {}
    by_model = [line.about for line in run.decisions if line.decided_by == "model" and line.action == "create"]
    # in the order of the conflicts, so that ids do not depend on the order of a model's answer
    for resolution in sorted(run.plan.entities, key=lambda r: r.conflict):
        conflict = run.conflicts.entities[resolution.conflict]
        entity = conflict.active_entity
        row = stored.get(resolution.entity_id or 0) if resolution.action == "merge" else None
        if row is None:  # it may have gone since the plan was made
            # a promotion must not make one what a model was asked about and has kept apart
            told_apart = conflict.possible if About.entity(entity.name, resolution.conflict) in by_model else []
            new = NewEntity(
                id=next(new_ids),
                name=entity.name,
                traits=entity.traits,
                embedding=name_vectors[resolution.conflict],
                apart_from=told_apart,
            )
            recorder.create_entity(new, entity.chunk_ids)
            id = new.id
        else:
            recorder.absorb_entity(row, entity, resolution.description)
            id = row.id
        ids[resolution.conflict] = id
    return ids


def _record_relationships(
    run: ResolvedRun,
    recorder: GraphRecorder,
    stored: Mapping[int, RelationshipRow],
    new_ids: Iterator[int],
    entity_ids: Mapping[int, int],
) -> dict[int, int]:
    ids: dict[int, int] = {}
    for resolution in sorted(run.plan.relationships, key=lambda r: r.conflict):
        conflict = run.conflicts.relationships[resolution.conflict]
        item = conflict.active_relationship
        source_id, target_id = entity_ids[conflict.source_entity], entity_ids[conflict.target_entity]
        row = stored.get(resolution.relationship_id or 0) if resolution.action == "merge" else None
        if row is not None and (row.source_id, row.target_id) != (source_id, target_id):
            row = None  # its ends were resolved to other entities
        if row is None:
            new = NewRelationship(id=next(new_ids), source_id=source_id, target_id=target_id, traits=item.traits)
            recorder.create_relationship(new, (item.source, item.target), item.chunk_ids)
            id = new.id
        else:
            recorder.absorb_relationship(row, item)
            id = row.id
        ids[resolution.conflict] = id
    return ids
