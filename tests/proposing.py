"""Conflicts on which a model proposes, and what becomes of its proposals."""

from datetime import UTC, datetime

from langgraph_agentmem.models.conflict import (
    ChunkDecision,
    ConflictChunk,
    ConflictEntity,
    ConflictRelationship,
    ConflictSection,
    ConsolidationConflicts,
    ConsolidationPlan,
    Decision,
    MergedText,
    Replacement,
    SectionResolution,
    StoredEntity,
    StoredRelationship,
)
from langgraph_agentmem.models.entity import ExtractedEntity, ExtractedRelationship
from langgraph_agentmem.policies.planning import DecidedPlan, rules_plan
from langgraph_agentmem.policies.proposals import validated

SHARE = 0.9
EXISTING = {
    1: "Deadline: Friday\nBudget: 5000",
    2: "Ship the importer to the customers",
    3: "The office is in Berlin",
    4: "Alice lives in Paris",
}
NEW = {
    10: "Deadline: when the moon is full",
    11: "Ship the importer and the exporter to everybody else",
    12: "Alice lives in Rome",
}
FOREIGN = {20: "Owner: Alice", 30: "Owner: Bob"}


def as_chunks(contents: dict[int, str]) -> list[ConflictChunk]:
    return [ConflictChunk(id=id, content=content) for id, content in contents.items()]


def replacement(chunk_id: int, replaced_by: int, *, clear: bool = False, **fields) -> Replacement:
    relation = "replaced" if clear else "unclear"
    return Replacement(
        chunk_id=chunk_id, replaced_by=replaced_by, relation=relation, replaced=1, similarity=0.6, **fields
    )


def stored_entity(id: int, name: str) -> StoredEntity:
    return StoredEntity(id=id, name=name, types=["place"], confidence=0.8, importance=0.5, revision=1)


def stored_relationship(id: int, target: str) -> StoredRelationship:
    return StoredRelationship(
        id=id, source="Alice", target=target, source_id=1, target_id=2, types=["leads"], confidence=0.8, strength=0.5, revision=1,
    )  # fmt: skip


def entity(name: str, action: str, *candidates: StoredEntity) -> ConflictEntity:
    return ConflictEntity(
        active_entity=ExtractedEntity(name=name),
        shortterm_entities=list(candidates),
        similarity_scores={candidate.id: 0.9 for candidate in candidates},
        possible=[candidate.id for candidate in candidates],
        recommended_action=action,
        recommended_entity_id=candidates[0].id if action == "merge" else None,
    )


def relationship(target: str, action: str, *candidates: StoredRelationship) -> ConflictRelationship:
    return ConflictRelationship(
        active_relationship=ExtractedRelationship(source="Alice", target=target),
        source_entity=0,
        target_entity=1,
        shortterm_relationships=list(candidates),
        recommended_action=action,
    )


CONFLICTS = ConsolidationConflicts(
    external_id="acme",
    active_memory_id=1,
    shortterm_memory_id=1,
    created_at=datetime(2025, 1, 1, tzinfo=UTC),
    sections=[
        ConflictSection(
            section_id="notes", section_content="…", update_count=1, existing_chunks=as_chunks({20: FOREIGN[20]}),
            new_chunks=as_chunks({30: FOREIGN[30]}), replacements=[replacement(20, 30, clear=True)],
        ),
        ConflictSection(
            section_id="plan", section_content="…", update_count=2, existing_chunks=as_chunks(EXISTING),
            new_chunks=as_chunks(NEW), replacements=[replacement(1, 10, leftover="Budget: 5000"), replacement(2, 11), replacement(4, 12, clear=True)],
        ),
    ],
    entities=[
        entity("Venus", "create"),
        entity("Mercury", "manual", stored_entity(4, "Mercury"), stored_entity(5, "Mercury")),
        entity("Mars", "merge", stored_entity(6, "Mars")),
    ],
    relationships=[
        relationship("Initech", "create"),
        relationship("Acme", "manual", stored_relationship(7, "Acme"), stored_relationship(8, "Hooli")),
    ],
)  # fmt: skip
RULES = rules_plan(CONFLICTS)


def check(*sections: SectionResolution, entities=(), relationships=()) -> DecidedPlan:
    proposed = ConsolidationPlan(sections=list(sections), entities=list(entities), relationships=list(relationships))
    return validated(CONFLICTS, RULES, proposed, SHARE)


def on_plan(*decisions: ChunkDecision, merged=()) -> SectionResolution:
    return SectionResolution(section_id="plan", decisions=list(decisions), merged=list(merged))


def keep(chunk_id: int, **fields) -> ChunkDecision:
    return ChunkDecision(chunk_id=chunk_id, action="keep", reason="said so", **fields)


def supersede(chunk_id: int, replaced_by: int | None, **fields) -> ChunkDecision:
    return ChunkDecision(chunk_id=chunk_id, action="supersede", replaced_by=replaced_by, reason="said so", **fields)


def merge(text: str, *chunk_ids: int) -> MergedText:
    return MergedText(text=text, chunk_ids=list(chunk_ids), reason="said so")


def line(decided: DecidedPlan, part: str) -> Decision:
    """The record's only line on a part."""
    (found,) = [decision for decision in decided.decisions if part in str(decision.about)]
    return found


def of_plan(plan: ConsolidationPlan) -> SectionResolution:
    return next(section for section in plan.sections if section.section_id == "plan")


WHOLE = "Deadline: Friday, when the moon is full\nBudget: 5000"
BOTH = f"{EXISTING[1]}\n{EXISTING[2]}"
