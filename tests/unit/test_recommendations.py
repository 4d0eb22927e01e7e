"""Which entities and relationships the rules merge, and which they leave to a model."""

import pytest
from planning import (
    OVERLAPPING,
    conflicts,
    entity_conflict,
    relationship_conflict,
    stored_entity,
    stored_relationship,
)

from langgraph_agentmem.policies.identity import Known, recommended
from langgraph_agentmem.policies.planning import rules_plan

# Entities


def known(id: int, likeness: str, *types: str) -> Known:
    return Known(id=id, types=list(types), likeness=likeness)


@pytest.mark.parametrize(
    ("likeness", "types", "action"),
    [
        ("same", ["person", "author", "cook"], "merge"),
        ("same", ["person", "author", "cook", "engineer", "runner"], "merge"),
        ("same", ["person", "pilot"], "manual"),
        ("same", ["topic"], "manual"),
        ("same", ["city"], "create"),
        ("same", [], "merge"),
        ("unclear", ["person", "author", "cook"], "manual"),
        ("unclear", ["topic"], "manual"),
        ("unclear", ["city"], "create"),
        ("different", ["person", "author", "cook"], "create"),
    ],
)
def test_an_entity_merges_where_the_names_are_the_same_and_the_types_overlap(likeness, types, action):
    merge_into = 4 if action == "merge" else None

    found = recommended(["person", "author", "cook"], [known(4, likeness, *types)], OVERLAPPING)

    assert (found.action, found.entity_id) == (action, merge_into)
    assert found.possible == ([] if action == "create" else [4])


@pytest.mark.parametrize(("shared", "action"), [(7, "merge"), (6, "manual")])
def test_types_overlap_from_the_threshold_on(shared, action):
    types = [f"type {i}" for i in range(10)]
    others = types[:shared] + [f"other {i}" for i in range(10 - shared)]

    assert recommended(types, [known(4, "same", *others)], OVERLAPPING).action == action


def test_an_entity_like_no_other_is_created():
    assert recommended([], [], OVERLAPPING).action == "create"


@pytest.mark.parametrize(
    ("stored", "merge_into"),
    [
        ([known(4, "unclear", "person"), known(5, "same", "person")], 5),
        ([known(4, "same", "person", "cook"), known(5, "same", "person", "author")], 5),
        ([known(5, "same", "person"), known(4, "same", "person")], 4),
        ([known(4, "same", "city"), known(5, "same", "person")], 5),
        ([known(4, "same", "topic"), known(5, "same", "author")], 5),
    ],
    ids=["of the same name", "better fitting", "first", "only one is possible", "only one fits"],
)
def test_an_entity_that_may_be_several_is_merged_into_the_one_that_fits_best(stored, merge_into):
    found = recommended(["person", "author"], stored, 0.5)

    assert (found.action, found.entity_id) == ("merge", merge_into)


def test_an_entity_of_unknown_types_is_not_one_of_two_that_exclude_each_other():
    company, fruit = known(4, "same", "company"), known(5, "same", "fruit")

    assert recommended([], [company, fruit], OVERLAPPING).action == "manual"
    assert recommended([], [company, fruit, known(6, "same")], OVERLAPPING).entity_id == 6
    assert recommended(["Fruit"], [company, fruit], OVERLAPPING).entity_id == 5
    assert recommended([], [company], OVERLAPPING).entity_id == 4


def test_where_one_of_two_similar_names_fits_in_type_that_one_is_merged():
    conflict = entity_conflict(
        "Mercury",
        ["planet"],
        (stored_entity(4, "Mercury", "element"), 1.0),
        (stored_entity(5, "Mercury", "planet"), 1.0),
    )

    (resolution,) = rules_plan(conflicts(entities=[conflict])).plan.entities

    assert (resolution.action, resolution.entity_id) == ("merge", 5)


def test_a_similar_name_is_not_merged_however_well_its_types_fit():
    close = stored_entity(4, "Jon Smith", "person", "engineer", "author", "cook")
    distant = stored_entity(5, "Joan Smithe", "person", "engineer", "author", "cook")
    conflict = entity_conflict("John Smith", ["person", "engineer", "author", "cook"], (close, 0.86), (distant, 0.84))

    decided = rules_plan(conflicts(entities=[conflict]))

    (resolution,) = decided.plan.entities
    assert (resolution.action, resolution.entity_id) == ("create", None)
    assert (conflict.recommended_action, conflict.possible) == ("manual", [4])
    assert "may be 'Jon Smith'" in resolution.reason


def test_an_entity_of_the_very_same_name_and_type_is_merged_though_a_similar_name_exists():
    same, similar = stored_entity(4, "Project Apollo", "project"), stored_entity(5, "Project Apollo 2", "project")
    conflict = entity_conflict("project apollo", ["project"], (same, 1.0), (similar, 0.93))

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
