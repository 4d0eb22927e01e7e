"""The arithmetic of merging, and the shape of the history that it leaves."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langgraph_agentmem.models.entity import ExtractedEntity, ExtractedRelationship, Traits
from langgraph_agentmem.policies.entity_types import incompatible
from langgraph_agentmem.policies.merging import (
    deduplicated_entities,
    deduplicated_relationships,
    history_entry,
    merged,
    traits_change,
    union_types,
    weighted,
)

AT = datetime(2025, 3, 4, 5, 6, 7, tzinfo=UTC)
PROMOTION = "shortterm_promotion"
ORIGIN = {"shortterm_memory_id": 7}
SHARES = st.floats(0, 1)
TYPES = st.lists(
    st.sampled_from(["person", "Person", "PERSON", "engineer", "Engineer", "city", "straße", "STRASSE"]), max_size=6
)
TRAITS = st.builds(
    Traits, types=TYPES, description=st.sampled_from(["", "old", "new"]), confidence=SHARES, weight=SHARES
)
NAMES = st.sampled_from(["Alice", "ALICE", "alice", "Bob", "bob", "Straße", "STRASSE"])
IDS = st.lists(st.integers(1, 5), max_size=4)
ENTITIES = st.lists(
    st.builds(
        ExtractedEntity, name=NAMES, types=TYPES, description=st.text(max_size=5), confidence=SHARES, importance=SHARES, chunk_ids=IDS,
    ),
    max_size=8,
)  # fmt: skip
RELATIONSHIPS = st.lists(
    st.builds(
        ExtractedRelationship, source=NAMES, target=NAMES, types=TYPES, description=st.text(max_size=5), confidence=SHARES,
        strength=SHARES, chunk_ids=IDS,
    ),
    max_size=8,
)  # fmt: skip


def folded(types):
    return [type_.casefold() for type_ in types]


def distinct(values):
    return list(dict.fromkeys(values))


# Numbers


@given(a=SHARES, b=SHARES)
def test_a_merged_value_is_six_parts_of_the_higher_and_four_of_the_lower(a, b):
    assert weighted(a, b) == pytest.approx(0.6 * max(a, b) + 0.4 * min(a, b))
    assert weighted(a, b) == weighted(b, a)


@given(a=SHARES, b=SHARES)
def test_a_merged_value_lies_between_the_two(a, b):
    assert min(a, b) <= weighted(a, b) <= max(a, b)


def test_merging_equal_values_leaves_them_as_they_are():
    values = [percent / 100 for percent in range(101)]

    assert [weighted(value, value) for value in values] == values


def test_merging_traits_that_are_equal_changes_nothing():
    traits = Traits(types=["person"], description="An engineer", confidence=0.9, weight=0.85)

    assert merged(traits, traits) == traits


# Types


def test_the_stored_types_come_first_and_keep_their_spelling():
    assert union_types(["Person", "author"], ["engineer", "person", "AUTHOR"]) == ["Person", "author", "engineer"]


@given(first=TYPES, second=TYPES)
def test_the_union_of_types_holds_each_type_once_in_order(first, second):
    assert folded(union_types(first, second)) == distinct(folded(first) + folded(second))


@given(first=TYPES, second=TYPES)
def test_merging_the_same_types_again_changes_nothing(first, second):
    union = union_types(first, second)

    assert union_types(union, second) == union
    assert union_types(union, union) == union


# Traits


def test_a_merge_takes_types_of_both_the_newer_description_and_weighs_the_numbers():
    stored = Traits(types=["person"], description="A colleague", confidence=0.9, weight=0.2)
    new = Traits(types=["Engineer", "PERSON"], description="Leads the importer", confidence=0.5, weight=0.7)

    after = merged(stored, new)

    assert (after.types, after.description) == (["person", "Engineer"], "Leads the importer")
    assert after.confidence == pytest.approx(0.6 * 0.9 + 0.4 * 0.5)
    assert after.weight == pytest.approx(0.6 * 0.7 + 0.4 * 0.2)


@pytest.mark.parametrize(
    ("stored", "new", "written", "kept"),
    [
        ("old", "new", None, "new"),
        ("old", "", None, "old"),
        ("", "new", None, "new"),
        ("old", "new", "both", "both"),
        ("old", "new", "", "new"),
    ],
)
def test_a_written_description_prevails_then_the_newer_then_the_older(stored, new, written, kept):
    traits = [Traits(types=[], description=text, confidence=0.5, weight=0.5) for text in (stored, new)]

    assert merged(*traits, written).description == kept


@given(stored=TRAITS, new=TRAITS)
def test_a_merge_loses_no_type_and_leaves_shares_shares(stored, new):
    after = merged(stored, new)

    assert set(folded(stored.types + new.types)) == set(folded(after.types))
    assert 0 <= after.confidence <= 1
    assert 0 <= after.weight <= 1


# History

OLD = Traits(types=["person"], description="A colleague", confidence=0.5, weight=0.25)
NEW = Traits(types=["person", "engineer"], description="A colleague", confidence=0.75, weight=0.5)


def test_the_history_of_a_new_entity_has_the_published_shape():
    assert history_entry(AT, PROMOTION, ORIGIN, traits_change(None, OLD, strength=False)) == {
        "timestamp": "2025-03-04T05:06:07+00:00",
        "source": "shortterm_promotion",
        "shortterm_memory_id": 7,
        "action": "created",
        "types": ["person"],
        "confidence": 0.5,
    }


def test_the_history_of_a_new_relationship_says_its_strength_too():
    created = history_entry(AT, PROMOTION, ORIGIN, traits_change(None, OLD, strength=True))

    assert created == history_entry(AT, PROMOTION, ORIGIN, traits_change(None, OLD, strength=False)) | {
        "strength": 0.25
    }


def test_the_history_of_a_merged_entity_has_the_published_shape():
    assert history_entry(AT, PROMOTION, ORIGIN, traits_change(OLD, NEW, strength=False)) == {
        "timestamp": "2025-03-04T05:06:07+00:00",
        "source": "shortterm_promotion",
        "shortterm_memory_id": 7,
        "old_types": ["person"],
        "new_types": ["person", "engineer"],
        "old_confidence": 0.5,
        "new_confidence": 0.75,
    }


def test_the_history_of_a_merged_relationship_says_its_strengths_too():
    changed = history_entry(AT, PROMOTION, ORIGIN, traits_change(OLD, NEW, strength=True))

    entity = history_entry(AT, PROMOTION, ORIGIN, traits_change(OLD, NEW, strength=False))
    assert changed == entity | {"old_strength": 0.25, "new_strength": 0.5}


@pytest.mark.parametrize("strength", [False, True])
def test_a_new_description_does_not_change_the_shape_of_the_history(strength):
    described = NEW.model_copy(update={"description": "Leads the importer"})

    changed = history_entry(AT, PROMOTION, ORIGIN, traits_change(OLD, described, strength=strength))

    assert changed.keys() == history_entry(AT, PROMOTION, ORIGIN, traits_change(OLD, NEW, strength=strength)).keys()


@given(old=TRAITS, new=TRAITS, strength=st.booleans())
def test_history_is_json(old, new, strength):
    for change in (
        history_entry(AT, PROMOTION, ORIGIN, traits_change(None, new, strength=strength)),
        history_entry(AT, PROMOTION, ORIGIN, traits_change(old, new, strength=strength)),
    ):
        assert json.loads(json.dumps(change, allow_nan=False)) == change
        assert datetime.fromisoformat(change["timestamp"]) == AT


# Duplicates within one extraction


def test_entities_of_one_name_in_whatever_case_are_one_with_the_best_of_each():
    found = deduplicated_entities(
        [
            ExtractedEntity(name="Alice", types=["person"], description="Short", confidence=0.4, importance=0.9, chunk_ids=[3, 1]),
            ExtractedEntity(name="Bob"),
            ExtractedEntity(name="ALICE", types=["Person", "engineer"], description="A longer one", confidence=0.8, importance=0.1, chunk_ids=[2, 3]),
        ]
    )  # fmt: skip

    assert [entity.name for entity in found] == ["Alice", "Bob"]
    assert found[0] == ExtractedEntity(
        name="Alice", types=["person", "engineer"], description="A longer one", confidence=0.8, importance=0.9, chunk_ids=[1, 2, 3],
    )  # fmt: skip


def test_entities_of_one_name_are_two_where_their_types_exclude_each_other():
    company, fruit = ExtractedEntity(name="Apple", types=["company"]), ExtractedEntity(name="apple", types=["fruit"])
    again = ExtractedEntity(name="APPLE", types=["organisation"])

    assert [e.types for e in deduplicated_entities([company, fruit, again])] == [["company", "organisation"], ["fruit"]]


def test_of_two_that_become_one_the_types_may_fit_a_third():
    named = [ExtractedEntity(name="Alice", types=types) for types in (["engineer"], ["city"], ["person", "city"])]

    assert [e.types for e in deduplicated_entities(named)] == [["engineer", "city", "person"]]


@given(entities=ENTITIES)
def test_no_name_and_no_mention_of_an_entity_is_lost_and_each_name_is_there_once_unless_types_part_it(entities):
    found = deduplicated_entities(entities)

    names = distinct(entity.name.casefold() for entity in entities)
    assert distinct(entity.name.casefold() for entity in found) == names
    parted = {e.name.casefold() for e in entities for other in entities if incompatible(e.types, other.types)}
    assert {name for name in names if [e.name.casefold() for e in found].count(name) > 1} <= parted
    assert {(e.name.casefold(), id) for e in found for id in e.chunk_ids} == {
        (e.name.casefold(), id) for e in entities for id in e.chunk_ids
    }
    assert deduplicated_entities(found) == found


def test_relationships_with_the_same_ends_and_kind_are_one_with_the_best_of_each():
    found = deduplicated_relationships(
        [
            ExtractedRelationship(source="Alice", target="Acme", types=["works_at"], confidence=0.4, strength=0.9, chunk_ids=[2]),
            ExtractedRelationship(source="alice", target="ACME", types=["Works_At", "leads"], description="Leads it", confidence=0.8, strength=0.1, chunk_ids=[1]),
        ]
    )  # fmt: skip

    assert found == [
        ExtractedRelationship(
            source="Alice", target="Acme", types=["works_at", "leads"], description="Leads it", confidence=0.8, strength=0.9, chunk_ids=[1, 2],
        )
    ]  # fmt: skip


@pytest.mark.parametrize(
    "other",
    [
        {"source": "Acme", "target": "Alice", "types": ["works_at"]},
        {"source": "Alice", "target": "Acme", "types": ["founded"]},
        {"source": "Alice", "target": "Initech", "types": ["works_at"]},
        {"source": "Alice", "target": "Acme", "types": []},
    ],
)
def test_relationships_with_other_ends_another_direction_or_kind_stay_apart(other):
    first = ExtractedRelationship(source="Alice", target="Acme", types=["works_at"])
    second = ExtractedRelationship(**other)

    assert deduplicated_relationships([first, second]) == [first, second]


@given(relationships=RELATIONSHIPS)
def test_no_end_and_no_mention_of_a_relationship_is_lost(relationships):
    found = deduplicated_relationships(relationships)

    def mentions(items):
        return {(r.source.casefold(), r.target.casefold(), id) for r in items for id in r.chunk_ids}

    assert mentions(found) == mentions(relationships)
    assert len(found) <= len(relationships)
