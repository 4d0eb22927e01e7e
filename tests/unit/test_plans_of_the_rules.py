"""The plan of the rules: complete, and only as sure as the conflicts are clear."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langgraph_agentmem.models.conflict import (
    ConflictChunk,
    ConflictEntity,
    ConflictRelationship,
    ConflictSection,
    ConsolidationConflicts,
    Replacement,
    StoredEntity,
    StoredRelationship,
)
from langgraph_agentmem.models.entity import ExtractedEntity, ExtractedRelationship
from langgraph_agentmem.policies.matching import overlap_coefficient
from langgraph_agentmem.policies.planning import (
    entity_recommendation,
    relationship_action,
    replacements,
    rules_plan,
    unclear,
)

SIMILAR, OVERLAPPING = 0.85, 0.7


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
        replacements=replacements(existing, new, SIMILAR),
        **fields,
    )


def stored_entity(id: int, name: str, *types: str) -> StoredEntity:
    return StoredEntity(id=id, name=name, types=list(types), confidence=0.8, importance=0.5, revision=1)


def entity_conflict(name: str, types: list[str], *candidates: tuple[StoredEntity, float]) -> ConflictEntity:
    """A conflict as the rules see it: similarities of names are given, everything else follows."""
    similarities = {stored.id: similarity for stored, similarity in candidates}
    overlaps = {stored.id: overlap_coefficient(types, stored.types) for stored, _ in candidates}
    action, merge_into = entity_recommendation(similarities, overlaps, SIMILAR, OVERLAPPING)
    return ConflictEntity(
        active_entity=ExtractedEntity(name=name, types=types),
        shortterm_entities=[stored for stored, _ in candidates],
        similarity_scores=similarities,
        recommended_action=action,
        recommended_entity_id=merge_into,
    )


def stored_relationship(id: int, source: str, target: str, *types: str) -> StoredRelationship:
    return StoredRelationship(
        id=id, source=source, target=target, source_id=1, target_id=2, types=list(types), confidence=0.8, strength=0.5, revision=1,
    )  # fmt: skip


def relationship_conflict(source: str, target: str, types: list[str], *candidates: StoredRelationship):
    active = ExtractedRelationship(source=source, target=target, types=types)
    conflict = ConflictRelationship(
        active_relationship=active, shortterm_relationships=list(candidates), recommended_action="create"
    )
    return conflict.model_copy(update={"recommended_action": relationship_action(conflict, OVERLAPPING)})


# What replaces what


def test_a_chunk_is_replaced_by_the_new_one_that_says_it_anew():
    (found,) = replacements(
        chunks(c1="- Deadline: Friday"), chunks(c10="- Budget: 5000", c11="- Deadline: Monday"), SIMILAR
    )

    assert (found.chunk_id, found.replaced_by, found.replaced, found.leftover) == (1, 11, 1, "")


def test_what_a_replaced_chunk_said_besides_is_left_over():
    (found,) = replacements(
        chunks(c1="Deadline: Friday\nBudget: 5000"), chunks(c10="Deadline: Monday\nOwner: Bob"), SIMILAR
    )

    assert (found.replaced_by, found.leftover) == (10, "Budget: 5000")


def test_the_new_chunk_that_says_most_of_it_anew_replaces_it():
    existing = chunks(c1="Deadline: Friday\nBudget: 5000")
    new = chunks(c10="Deadline: Friday", c11="Deadline: Monday\nBudget: 6000")

    assert [found.replaced_by for found in replacements(existing, new, SIMILAR)] == [11]


def test_of_equal_new_chunks_the_first_replaces():
    new = chunks(c12="Deadline: Monday", c11="Deadline: Monday")

    assert [found.replaced_by for found in replacements(chunks(c1="Deadline: Friday"), new, SIMILAR)] == [11]


def test_a_chunk_that_was_merely_removed_is_replaced_by_nothing():
    assert replacements(chunks(c1="The office is in Berlin"), chunks(c10="Ship the importer"), SIMILAR) == []
    assert replacements(chunks(c1="The office is in Berlin"), [], SIMILAR) == []


def test_among_many_new_chunks_the_one_about_the_same_thing_is_found():
    new = [ConflictChunk(id=100 + n, content=f"- Ticket {n} was closed by the importer team") for n in range(60)]
    new.insert(30, ConflictChunk(id=99, content="- Deadline of the launch: Monday"))

    (found,) = replacements(chunks(c1="- Deadline of the launch: Friday"), new, SIMILAR)

    assert found.replaced_by == 99


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


@settings(max_examples=100, deadline=None)
@given(all_of=CONFLICTS)
def test_replacements_name_only_chunks_of_their_section_and_each_existing_one_once(all_of):
    for part in all_of.sections:
        replaced = [r.chunk_id for r in part.replacements]

        assert len(replaced) == len(set(replaced))
        assert set(replaced) <= {chunk.id for chunk in part.existing_chunks}
        assert {r.replaced_by for r in part.replacements} <= {chunk.id for chunk in part.new_chunks}
        assert all(0 <= r.similarity <= 1 for r in part.replacements)


# Completeness


@settings(max_examples=100, deadline=None)
@given(all_of=CONFLICTS)
def test_the_plan_of_the_rules_decides_about_everything_exactly_once(all_of):
    plan = rules_plan(all_of).plan

    assert [s.section_id for s in plan.sections] == [s.section_id for s in all_of.sections]
    for resolution, part in zip(plan.sections, all_of.sections, strict=True):
        assert [d.chunk_id for d in resolution.decisions] == [chunk.id for chunk in part.existing_chunks]
    assert [r.conflict for r in plan.entities] == list(range(len(all_of.entities)))
    assert [r.conflict for r in plan.relationships] == list(range(len(all_of.relationships)))


@settings(max_examples=100, deadline=None)
@given(all_of=CONFLICTS)
def test_every_decision_of_the_rules_is_on_record_with_its_reason(all_of):
    decided = rules_plan(all_of)
    chunk_count = sum(len(part.existing_chunks) for part in all_of.sections)

    assert len(decided.decisions) == chunk_count + len(all_of.entities) + len(all_of.relationships)
    assert len({line.about for line in decided.decisions}) == len(decided.decisions)
    assert all(line.decided_by == "rules" and line.reason and line.refused is None for line in decided.decisions)


@settings(max_examples=100, deadline=None)
@given(all_of=CONFLICTS)
def test_the_rules_supersede_a_chunk_only_by_a_new_one_that_says_some_of_it_anew(all_of):
    for resolution, part in zip(rules_plan(all_of).plan.sections, all_of.sections, strict=True):
        found = {r.chunk_id: r for r in part.replacements}
        for decision in resolution.decisions:
            known = found.get(decision.chunk_id)
            if decision.action == "supersede":
                assert known
                assert known.replaced
                assert (decision.replaced_by, decision.leftover) == (known.replaced_by, known.leftover)
            else:
                assert not known or not known.replaced
                assert (decision.replaced_by, decision.leftover) == (None, "")


@settings(max_examples=100, deadline=None)
@given(all_of=CONFLICTS)
def test_the_rules_merge_only_into_candidates_that_reach_both_thresholds(all_of):
    for resolution in rules_plan(all_of).plan.entities:
        conflict = all_of.entities[resolution.conflict]
        if resolution.action == "merge":
            chosen = next(s for s in conflict.shortterm_entities if s.id == resolution.entity_id)
            assert conflict.similarity_scores[chosen.id] >= SIMILAR
            assert overlap_coefficient(conflict.active_entity.types, chosen.types) >= OVERLAPPING
        else:
            assert resolution.entity_id is None


@settings(max_examples=100, deadline=None)
@given(all_of=CONFLICTS)
def test_the_rules_merge_relationships_only_between_the_same_ends(all_of):
    for resolution in rules_plan(all_of).plan.relationships:
        conflict = all_of.relationships[resolution.conflict]
        mine = conflict.active_relationship
        if resolution.action == "merge":
            chosen = next(s for s in conflict.shortterm_relationships if s.id == resolution.relationship_id)
            assert (chosen.source, chosen.target) == (mine.source, mine.target)
            assert overlap_coefficient(mine.types, chosen.types) >= OVERLAPPING
        else:
            assert (resolution.action, resolution.relationship_id) == ("create", None)


def test_the_rules_keep_a_chunk_that_is_only_similar_to_a_new_one():
    part = section(chunks(c1="Install the importer on the server"), chunks(c9="Uninstall the importer on the server"))

    (resolution,) = rules_plan(conflicts([part])).plan.sections

    assert [(r.replaced, r.clear) for r in part.replacements] == [(0, False)]
    assert [(d.chunk_id, d.action) for d in resolution.decisions] == [(1, "keep")]


def test_clearing_a_section_does_not_make_its_facts_untrue():
    (resolution,) = rules_plan(conflicts([section(chunks(c1="Deadline: Friday", c2="Budget: 5000"), [])])).plan.sections

    assert [(d.chunk_id, d.action) for d in resolution.decisions] == [(1, "keep"), (2, "keep")]


def test_the_record_of_a_superseded_chunk_says_which_chunk_how_and_why():
    (line,) = rules_plan(conflicts([section(chunks(c7="Deadline: Friday"), chunks(c9="Deadline: Monday"))])).decisions

    assert (str(line.about), line.action) == ("chunk 7 of section 'plan'", "supersede")
    assert "chunk 9" in line.reason


# Entities


@pytest.mark.parametrize(
    ("similarity", "overlap", "action"),
    [
        (1.0, 1.0, "merge"),
        (0.85, 0.7, "merge"),
        (0.85, 0.6999, "manual"),
        (1.0, 0.0, "manual"),
        (0.8499, 1.0, "create"),
        (0.8499, 0.0, "create"),
    ],
)
def test_an_entity_merges_from_both_thresholds_on(similarity, overlap, action):
    merge_into = 4 if action == "merge" else None

    assert entity_recommendation({4: similarity}, {4: overlap}, SIMILAR, OVERLAPPING) == (action, merge_into)


def test_an_entity_like_no_other_is_created():
    assert entity_recommendation({}, {}, SIMILAR, OVERLAPPING) == ("create", None)


@pytest.mark.parametrize(
    ("similarities", "overlaps", "merge_into"),
    [
        ({4: 0.9, 5: 1.0}, {4: 1.0, 5: 0.7}, 5),
        ({4: 0.9, 5: 0.9}, {4: 0.7, 5: 1.0}, 5),
        ({5: 0.9, 4: 0.9}, {4: 1.0, 5: 1.0}, 4),
        ({4: 0.9, 5: 1.0}, {4: 1.0, 5: 0.6}, 4),
        ({4: 0.9, 5: 0.8}, {4: 0.7, 5: 1.0}, 4),
    ],
    ids=["more similar", "better fitting", "first", "only one fits", "only one is similar"],
)
def test_an_entity_that_fits_several_is_merged_into_the_most_similar(similarities, overlaps, merge_into):
    assert entity_recommendation(similarities, overlaps, SIMILAR, OVERLAPPING) == ("merge", merge_into)


def test_where_one_of_two_similar_names_fits_in_type_that_one_is_merged():
    conflict = entity_conflict(
        "Mercury",
        ["planet"],
        (stored_entity(4, "Mercury", "element"), 1.0),
        (stored_entity(5, "Mercury", "planet"), 1.0),
    )

    (resolution,) = rules_plan(conflicts(entities=[conflict])).plan.entities

    assert (resolution.action, resolution.entity_id) == ("merge", 5)


def test_a_candidate_below_the_threshold_is_not_preferred_because_its_types_fit_better():
    close = stored_entity(4, "Jon Smith", "person", "engineer", "author", "runner")
    distant = stored_entity(5, "Joan Smithe", "person", "engineer", "author", "cook")
    conflict = entity_conflict("John Smith", ["person", "engineer", "author", "cook"], (close, 0.86), (distant, 0.84))

    (resolution,) = rules_plan(conflicts(entities=[conflict])).plan.entities

    assert (resolution.action, resolution.entity_id) == ("merge", 4)


def test_an_entity_of_the_very_same_name_and_type_is_merged_though_a_similar_name_exists():
    same, similar = stored_entity(4, "Project Apollo", "project"), stored_entity(5, "Project Apollo 2", "project")
    conflict = entity_conflict("Project Apollo", ["project"], (same, 1.0), (similar, 0.93))

    (resolution,) = rules_plan(conflicts(entities=[conflict])).plan.entities

    assert (resolution.action, resolution.entity_id) == ("merge", 4)


# Relationships


@pytest.mark.parametrize(
    ("candidates", "action"),
    [
        ([], "create"),
        ([stored_relationship(3, "Alice", "Acme", "works_at")], "merge"),
        ([stored_relationship(3, "ALICE", "acme", "Works_At", "leads")], "merge"),
        ([stored_relationship(3, "Alice", "Acme", "founded")], "manual"),
        ([stored_relationship(3, "Alice", "Initech", "works_at")], "manual"),
        ([stored_relationship(3, "Acme", "Alice", "works_at")], "manual"),
        ([stored_relationship(3, "Alice", "Initech", "works_at"), stored_relationship(4, "Alice", "Acme", "works_at")], "merge"),
    ],
)  # fmt: skip
def test_a_relationship_merges_between_the_same_ends_if_its_kind_fits(candidates, action):
    assert relationship_conflict("Alice", "Acme", ["works_at"], *candidates).recommended_action == action


def test_a_relationship_merges_into_the_one_between_its_ends_whose_kind_fits_best():
    conflict = relationship_conflict(
        "Alice", "Acme", ["works_at", "leads", "owns"],
        stored_relationship(3, "Alice", "Initech", "works_at", "leads", "owns"),
        stored_relationship(4, "Alice", "Acme", "founded", "owns"),
        stored_relationship(5, "Alice", "Acme", "works_at", "leads", "advises", "owns"),
    )  # fmt: skip

    (resolution,) = rules_plan(conflicts(relationships=[conflict])).plan.relationships

    assert (resolution.action, resolution.relationship_id) == ("merge", 5)


# What is left to a model


def clear_and_unclear() -> ConsolidationConflicts:
    sure = Replacement(chunk_id=1, replaced_by=10, replaced=1, similarity=0.95, clear=True)
    unsure = Replacement(chunk_id=2, replaced_by=10, replaced=0, similarity=0.6, clear=False)
    both = section(chunks(c1="a", c2="b"), chunks(c10="c")).model_copy(update={"replacements": [sure, unsure]})
    clear = section(chunks(c1="a"), chunks(c10="c"), "notes").model_copy(update={"replacements": [sure]})
    named = stored_entity(4, "Mercury", "planet")
    return conflicts(
        [clear, both],
        [
            entity_conflict("Mercury", ["planet"], (named, 1.0)),
            entity_conflict("Mercury", ["element"], (named, 1.0)),
            entity_conflict("Venus", ["planet"], (named, 0.3)),
        ],
        [
            relationship_conflict("Alice", "Acme", ["works_at"]),
            relationship_conflict("Alice", "Acme", ["leads"], stored_relationship(3, "Alice", "Acme", "works_at")),
        ],
    )


def test_only_what_the_rules_are_not_sure_about_is_left_to_a_model():
    rest = unclear(clear_and_unclear())

    assert [s.section_id for s in rest.sections] == ["plan"]
    assert [r.chunk_id for r in rest.sections[0].replacements] == [2]
    assert [e.active_entity.types for e in rest.entities] == [["element"]]
    assert [r.active_relationship.types for r in rest.relationships] == [["leads"]]


def test_a_model_sees_the_whole_section_about_which_it_is_asked():
    asked, whole = unclear(clear_and_unclear()).sections[0], clear_and_unclear().sections[1]

    assert asked.existing_chunks == whole.existing_chunks
    assert asked.new_chunks == whole.new_chunks


def test_where_everything_is_clear_no_model_is_asked():
    everything = clear_and_unclear()
    sure = conflicts(everything.sections[:1], everything.entities[::2], everything.relationships[:1])

    assert unclear(sure) is None
    assert unclear(conflicts()) is None


@settings(max_examples=100, deadline=None)
@given(all_of=CONFLICTS)
def test_a_model_is_asked_about_exactly_the_unclear_parts(all_of):
    rest = unclear(all_of)
    asked = (
        {(s.section_id, r.chunk_id) for s in rest.sections for r in s.replacements} if rest else set(),
        rest.entities if rest else [],
        rest.relationships if rest else [],
    )

    assert asked == (
        {(s.section_id, r.chunk_id) for s in all_of.sections for r in s.replacements if not r.clear},
        [e for e in all_of.entities if e.recommended_action == "manual"],
        [r for r in all_of.relationships if r.recommended_action == "manual"],
    )
    assert (rest is None) == (not any(asked))
