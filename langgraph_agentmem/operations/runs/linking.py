"""Applies a run's decisions on entities and relationships."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import Field

from langgraph_agentmem.models.base import Json, Value
from langgraph_agentmem.models.conflict import (
    ConsolidationConflicts,
    ConsolidationPlan,
    Decision,
    EntityResolution,
    RelationshipResolution,
)
from langgraph_agentmem.models.entity import ExtractedEntity, ExtractedRelationship
from langgraph_agentmem.models.run import ModelUsage
from langgraph_agentmem.policies import merging
from langgraph_agentmem.policies.merging import Traits
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.storage import chunks, graph, support
from langgraph_agentmem.storage.chunks import RunChunk
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.graph import EntityRow, HistoryEntry, Merge, NewEntity, NewRelationship
from langgraph_agentmem.storage.vectors import EmbeddingModel

SOURCE = "consolidation"


class Resolved(Value):
    """A run whose conflicts are decided.

    Attributes:
        taken: Ids of the chunks that the run has claimed.
        timings: Seconds that the nodes before took.
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
    timings: dict[str, float] = Field(default_factory=dict[str, float])


@dataclass
class Work:
    """The state of one application: what was changed, for the report, the history and the undo."""

    resources: Resources
    connection: Connection
    run: Resolved
    embedding_model: EmbeddingModel | None
    shortterm_memory_id: int
    now: datetime
    changes: Json = field(default_factory=dict[str, Any])
    history: list[HistoryEntry] = field(default_factory=list[HistoryEntry])
    counts: dict[str, Any] = field(default_factory=dict[str, Any])
    parked: list[int] = field(default_factory=list[int])
    seconds: float = 0.0

    @property
    def external_id(self) -> str:
        """The tenant."""
        return self.run.external_id


async def insert_chunks(work: Work, new: Sequence[RunChunk]) -> None:
    """Write chunks that the run has made, into short-term memory."""
    await chunks.insert(
        work.connection,
        work.external_id,
        work.run.memory_id,
        new,
        run_id=work.run.run_id,
        shortterm_memory_id=work.shortterm_memory_id,
        source=SOURCE,
        config=work.resources.settings.text_search_config,
        model=work.embedding_model,
    )


async def apply_entities(work: Work, vectors: Sequence[list[float] | None]) -> dict[str, int]:
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
    await graph.insert_entities(
        work.connection,
        work.external_id,
        created,
        shortterm_memory_id=work.shortterm_memory_id,
        config=work.resources.settings.text_search_config,
        embedding_model=work.embedding_model and work.embedding_model.id,
    )
    await graph.update_entities(work.connection, work.external_id, list(merges.values()))
    await support.add_mentions(work.connection, work.external_id, mentions)
    work.counts |= {"entities_created": len(created), "entities_merged": len(merges)}
    work.changes["entities"] = undo
    return ids


def _merged_entity(
    work: Work,
    row: EntityRow,
    entity: ExtractedEntity,
    resolution: EntityResolution,
    earlier: Merge | None,
    undo: list[Json],
) -> Merge:
    """The merge of a new entity into a stored one, which the same run may have merged another one into already."""
    before = earlier.traits if earlier else row.traits
    after = merging.merged(before, _entity_traits(entity), resolution.description)
    name = None if entity.name.casefold() == row.name_key else entity.name
    _note_merged(work, before, after, entity_id=row.id, name=name)
    undo.append({"id": row.id, "before": row.traits.model_dump(), "active": entity.model_dump()})
    return Merge(id=row.id, traits=after, revision=row.revision + 1)


async def apply_relationships(work: Work, entity_ids: dict[str, int]) -> dict[int, int]:
    """Create, merge or end relationships between the entities that the run resolved; returns ids by conflict."""
    resolutions = sorted(work.run.plan.relationships, key=lambda r: r.conflict)
    targets = [r.relationship_id for r in resolutions if r.action == "merge" and r.relationship_id]
    _, stored = await graph.by_id(work.connection, work.external_id, [], targets)
    new_ids = iter(await graph.allocate_relationships(work.connection, len(resolutions)))
    created: list[NewRelationship] = []
    made: list[Json] = []
    merges: dict[int, Merge] = {}
    undo: list[Json] = []
    ids: dict[int, int] = {}
    mentions: list[tuple[int, int | None, int | None]] = []
    for resolution in resolutions:
        item = work.run.conflicts.relationships[resolution.conflict].active_relationship
        ends = (entity_ids[item.source.casefold()], entity_ids[item.target.casefold()])
        row = stored.get(resolution.relationship_id or 0) if resolution.action == "merge" else None
        if row is None or (row.source_id, row.target_id) != ends:  # its ends were resolved to other entities
            new = NewRelationship(id=next(new_ids), source_id=ends[0], target_id=ends[1], traits=_link_traits(item))
            created.append(new)
            made.append({"id": new.id, "source": item.source, "target": item.target})
            _note_created(work, new.traits, relationship_id=new.id)
            id = new.id
        else:
            before = merges[row.id].traits if row.id in merges else row.traits
            after = merging.merged(before, _link_traits(item))
            _note_merged(work, before, after, relationship_id=row.id)
            undo.append({"id": row.id, "before": row.traits.model_dump(), "active": item.model_dump()})
            merges[row.id] = Merge(id=row.id, traits=after, revision=row.revision + 1, end_date=row.end_date)
            id = row.id
        ids[resolution.conflict] = id
        mentions += [(chunk_id, None, id) for chunk_id in item.chunk_ids]
    await graph.insert_relationships(
        work.connection, work.external_id, created, shortterm_memory_id=work.shortterm_memory_id
    )
    await graph.update_relationships(work.connection, work.external_id, list(merges.values()))
    await support.add_mentions(work.connection, work.external_id, mentions)
    ended = await _end_superseded(work, resolutions)
    work.counts |= {
        "relationships_created": len(created), "relationships_merged": len(merges), "relationships_ended": len(ended),
    }  # fmt: skip
    work.changes |= {"relationships": undo, "ended": ended, "created": made}
    return ids


async def _end_superseded(work: Work, resolutions: Sequence[RelationshipResolution]) -> list[Json]:
    ids = [r.relationship_id for r in resolutions if r.action == "supersede" and r.relationship_id]
    ended = await graph.end_relationships(work.connection, work.external_id, ids)
    origin = {"timestamp": work.now.isoformat(), "source": SOURCE, "run_id": work.run.run_id}
    work.history += [
        HistoryEntry(relationship_id=id, run_id=work.run.run_id, change={**origin, "action": "ended"}) for id in ended
    ]
    return [{"id": id} for id in ended]


def _note_created(
    work: Work, traits: Traits, *, entity_id: int | None = None, relationship_id: int | None = None
) -> None:
    origin = {"run_id": work.run.run_id}
    change = merging.created_change(work.now, SOURCE, origin, traits, strength=relationship_id is not None)
    work.history.append(
        HistoryEntry(entity_id=entity_id, relationship_id=relationship_id, run_id=work.run.run_id, change=change)
    )


def _note_merged(
    work: Work,
    before: Traits,
    after: Traits,
    *,
    entity_id: int | None = None,
    relationship_id: int | None = None,
    name: str | None = None,
) -> None:
    """Note a merge; `name` is that of what was merged, where it is another one."""
    origin = {"run_id": work.run.run_id} | ({"name": name} if name else {})
    change = merging.merged_change(work.now, SOURCE, origin, before, after, strength=relationship_id is not None)
    work.history.append(
        HistoryEntry(
            entity_id=entity_id,
            relationship_id=relationship_id,
            run_id=work.run.run_id,
            change=change,
            old_description=before.description if before.description != after.description else None,
        )
    )


def _entity_traits(entity: ExtractedEntity) -> Traits:
    return Traits(
        types=entity.types, description=entity.description, confidence=entity.confidence, weight=entity.importance
    )


def _link_traits(item: ExtractedRelationship) -> Traits:
    return Traits(types=item.types, description=item.description, confidence=item.confidence, weight=item.strength)
