"""Takes out of a run what depends on chunks that were deleted while it was under way."""

from collections.abc import Collection

from langgraph_agentmem.models.conflict import (
    ConflictEntity,
    ConflictRelationship,
    ConsolidationConflicts,
    ConsolidationPlan,
    SectionResolution,
)


def chunks_of(plan: ConsolidationPlan, conflicts: ConsolidationConflicts) -> set[int]:
    """The chunks that a plan and its conflicts rest on."""
    ids: set[int] = set()
    for section in plan.sections:
        ids |= {id for decision in section.decisions for id in (decision.chunk_id, decision.replaced_by) if id}
        ids |= {id for merged in section.merged for id in merged.chunk_ids}
    for entity in conflicts.entities:
        ids |= set(entity.active_entity.chunk_ids)
    for relationship in conflicts.relationships:
        ids |= set(relationship.active_relationship.chunk_ids)
    return ids


def without(
    plan: ConsolidationPlan, conflicts: ConsolidationConflicts, gone: Collection[int]
) -> tuple[ConsolidationPlan, ConsolidationConflicts]:
    """A plan and its conflicts without what only chunks that are gone support.

    Positions in the conflicts stay. What other chunks support, too, loses its description, which may come from one that
    is gone.
    """
    entities = [_entity(conflict, gone) for conflict in conflicts.entities]
    relationships = [_relationship(conflict, gone) for conflict in conflicts.relationships]
    # a relationship needs both of its ends
    left_entities = {i for i, e in enumerate(entities) if e.active_entity.chunk_ids}
    kept = {
        position
        for position, conflict in enumerate(relationships)
        if conflict.active_relationship.chunk_ids and {conflict.source_entity, conflict.target_entity} <= left_entities
    }
    changed = {i for i, e in enumerate(conflicts.entities) if set(e.active_entity.chunk_ids) & set(gone)}
    left = ConsolidationPlan(
        sections=[_section(section, gone) for section in plan.sections],
        entities=[
            r.model_copy(update={"description": None}) if r.conflict in changed else r
            for r in plan.entities
            if entities[r.conflict].active_entity.chunk_ids
        ],
        relationships=[r for r in plan.relationships if r.conflict in kept],
    )
    return left, conflicts.model_copy(update={"entities": entities, "relationships": relationships})


def _section(section: SectionResolution, gone: Collection[int]) -> SectionResolution:
    decisions = [d for d in section.decisions if d.chunk_id not in gone and d.replaced_by not in gone]
    merged = [merge for merge in section.merged if not set(merge.chunk_ids) & set(gone)]
    return section.model_copy(update={"decisions": decisions, "merged": merged})


def _entity(conflict: ConflictEntity, gone: Collection[int]) -> ConflictEntity:
    entity = conflict.active_entity
    left = [id for id in entity.chunk_ids if id not in gone]
    if len(left) == len(entity.chunk_ids):
        return conflict
    return conflict.model_copy(
        update={"active_entity": entity.model_copy(update={"chunk_ids": left, "description": ""})}
    )


def _relationship(conflict: ConflictRelationship, gone: Collection[int]) -> ConflictRelationship:
    relationship = conflict.active_relationship
    left = [id for id in relationship.chunk_ids if id not in gone]
    if len(left) == len(relationship.chunk_ids):
        return conflict
    changed = relationship.model_copy(update={"chunk_ids": left, "description": ""})
    return conflict.model_copy(update={"active_relationship": changed})
