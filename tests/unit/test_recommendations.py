"""Which entities and relationships the rules merge, and which they leave to a model."""

import pytest
from planning import (
    OVERLAPPING,
    SIMILAR,
    conflicts,
    entity_conflict,
    relationship_conflict,
    stored_entity,
    stored_relationship,
)

from langgraph_agentmem.policies.planning import entity_recommendation, rules_plan

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
