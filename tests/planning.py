"""Conflicts to plan for, made by hand and by chance."""

from datetime import UTC, datetime

from hypothesis import strategies as st

from langgraph_agentmem.models.conflict import (
    ConflictChunk,
    ConflictEntity,
    ConflictRelationship,
    ConflictSection,
    ConsolidationConflicts,
    StoredEntity,
    StoredRelationship,
)
from langgraph_agentmem.models.entity import ExtractedEntity, ExtractedRelationship
from langgraph_agentmem.policies.identity import Known, recommended
from langgraph_agentmem.policies.naming import likeness
from langgraph_agentmem.policies.planning import relationship_action, replacements

SIMILAR, OVERLAPPING, PRECISION = 0.85, 0.7, 0.98


def conflicts(sections=(), entities=(), relationships=()) -> ConsolidationConflicts:
    return ConsolidationConflicts(
        external_id="acme",
        active_memory_id=1,
        shortterm_memory_id=1,
        created_at=datetime(2025, 1, 1, tzinfo=UTC),
        sections=list(sections),
        entities=list(entities),
        relationships=list(relationships),
    )


def chunks(**contents: str) -> list[ConflictChunk]:
    """Chunks from `c12="text"`."""
    return [ConflictChunk(id=int(name[1:]), content=content) for name, content in contents.items()]


def section(existing, new, section_id="plan", **fields) -> ConflictSection:
    return ConflictSection(
        section_id=section_id,
        section_content="…",
        update_count=1,
        existing_chunks=existing,
        new_chunks=new,
        replacements=replacements(existing, new, PRECISION),
        **fields,
    )


def stored_entity(id: int, name: str, *types: str) -> StoredEntity:
    return StoredEntity(id=id, name=name, types=list(types), confidence=0.8, importance=0.5, revision=1)


def entity_conflict(name: str, types: list[str], *candidates: tuple[StoredEntity, float]) -> ConflictEntity:
    """A conflict as the rules see it: similarities of names are given, everything else follows."""
    known = [
        Known(id=stored.id, types=stored.types, likeness=likeness(name, stored.name, similarity, SIMILAR))
        for stored, similarity in candidates
    ]
    recommendation = recommended(types, known, OVERLAPPING)
    return ConflictEntity(
        active_entity=ExtractedEntity(name=name, types=types),
        shortterm_entities=[stored for stored, _ in candidates],
        similarity_scores={stored.id: similarity for stored, similarity in candidates},
        possible=recommendation.possible,
        recommended_action=recommendation.action,
        recommended_entity_id=recommendation.entity_id,
    )


def stored_relationship(id: int, source: str, target: str, *types: str) -> StoredRelationship:
    return StoredRelationship(
        id=id, source=source, target=target, source_id=1, target_id=2, types=list(types), confidence=0.8, strength=0.5, revision=1,
    )  # fmt: skip


def relationship_conflict(source: str, target: str, types: list[str], *candidates: StoredRelationship):
    active = ExtractedRelationship(source=source, target=target, types=types)
    conflict = ConflictRelationship(
        active_relationship=active,
        source_entity=0,
        target_entity=1,
        shortterm_relationships=list(candidates),
        recommended_action="create",
    )
    return conflict.model_copy(update={"recommended_action": relationship_action(conflict, OVERLAPPING)})


STATEMENTS = st.sampled_from(
    ["Deadline: Friday", "Deadline: Monday", "Budget: 5000", "Budget: 6000", "Ship the importer", "Ship the exporter",
     "Alice lives in Paris", "Alice lives in Berlin", "Bob lives in Paris", "# Plan", "Nothing else",
     "Install it on the server", "Uninstall it on the server"]
)  # fmt: skip
CONTENTS = st.lists(STATEMENTS, min_size=1, max_size=3).map("\n".join)


@st.composite
def sections(draw, section_id: str, first_id: int):
    contents = draw(st.lists(CONTENTS, max_size=5))
    existing = [ConflictChunk(id=first_id + i, content=text) for i, text in enumerate(contents)]
    new = [
        ConflictChunk(id=first_id + 50 + i, content=text)
        for i, text in enumerate(draw(st.lists(CONTENTS, max_size=12)))
    ]
    return section(existing, new, section_id)


NAMES = st.sampled_from(["Alice", "Alicia", "Bob", "Acme", "Acme Inc"])
TYPES = st.lists(st.sampled_from(["person", "author", "engineer", "cook", "city"]), max_size=4, unique=True)


@st.composite
def entity_conflicts(draw):
    candidates = [
        (stored_entity(id, draw(NAMES), *draw(TYPES)), draw(st.sampled_from([0.6, 0.84, 0.85, 1.0])))
        for id in draw(st.lists(st.integers(1, 9), unique=True, max_size=3))
    ]
    return entity_conflict(draw(NAMES), draw(TYPES), *candidates)


@st.composite
def relationship_conflicts(draw):
    candidates = [
        stored_relationship(id, draw(NAMES), draw(NAMES), *draw(TYPES))
        for id in draw(st.lists(st.integers(1, 9), unique=True, max_size=3))
    ]
    return relationship_conflict(draw(NAMES), draw(NAMES), draw(TYPES), *candidates)


CONFLICTS = st.builds(
    conflicts,
    st.tuples(sections("plan", 1), sections("notes", 200)) | st.just(()),
    st.lists(entity_conflicts(), max_size=4),
    st.lists(relationship_conflicts(), max_size=4),
)
