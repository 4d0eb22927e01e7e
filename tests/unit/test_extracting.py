"""What is good in an extractor's answer is kept, whatever else is in it; the rest is on record."""

import json

import pytest

from langgraph_agentmem.models.entity import ExtractedEntity, ExtractedRelationship, Extraction
from langgraph_agentmem.policies.extracting import read, tidied

ADA = {"name": "Ada", "types": ["person"], "chunk_ids": [1]}
ACME = {"name": "Acme", "types": ["company"], "chunk_ids": [1]}
WORKS = {"source": "Ada", "target": "Acme", "types": ["works_at"], "chunk_ids": [1]}
GOOD = {"entities": [ADA, ACME], "relationships": [WORKS]}


def with_entity(**fields: object) -> dict[str, object]:
    return {**GOOD, "entities": [ADA, {"name": "Bob", **fields}, ACME]}


def with_relationship(**fields: object) -> dict[str, object]:
    return {**GOOD, "relationships": [WORKS, {"source": "Ada", "target": "Bob", **fields}]}


# (what a model writes, how many entities and relationships it has beyond the good ones, what is on record)
MALFORMED = {
    "null description": (with_entity(description=None), 1, 0, None),
    "description a number": (with_entity(description=5), 1, 0, "description"),
    "description a list": (with_entity(description=["a", "b"]), 1, 0, "description"),
    "description of a megabyte": (with_entity(description="x" * 1_000_000), 1, 0, "description"),
    "null types": (with_entity(types=None), 1, 0, None),
    "types a string": (with_entity(types="person"), 1, 0, None),
    "types with null": (with_entity(types=["person", None, " "]), 1, 0, None),
    "types an object": (with_entity(types={"kind": "person"}), 1, 0, "types"),
    "types numbers": (with_entity(types=[1, 2]), 1, 0, "types"),
    "null confidence": (with_entity(confidence=None), 1, 0, None),
    "confidence a word": (with_entity(confidence="high"), 1, 0, "confidence"),
    "confidence as text": (with_entity(confidence="0.9"), 1, 0, None),
    "confidence out of range": (with_entity(confidence=9), 1, 0, None),
    "confidence a boolean": (with_entity(confidence=True), 1, 0, "confidence"),
    "confidence a list": (with_entity(confidence=[0.5]), 1, 0, "confidence"),
    "null chunk ids": (with_entity(chunk_ids=None), 1, 0, None),
    "a chunk id by itself": (with_entity(chunk_ids=1), 1, 0, None),
    "chunk ids as text": (with_entity(chunk_ids=["1"]), 1, 0, None),
    "chunk ids that are none": (with_entity(chunk_ids=["first"]), 1, 0, "chunk_ids"),
    "chunk ids that are no integers": (with_entity(chunk_ids=[1.5]), 1, 0, "chunk_ids"),
    "extra keys": (with_entity(colour="red", id=7), 1, 0, None),
    "no name": ({**GOOD, "entities": [ADA, {"types": ["person"]}, ACME]}, 0, 0, "name: None is no name"),
    "null name": (with_entity(name=None), 0, 0, "name: None is no name"),
    "name a number": (with_entity(name=2026), 1, 0, None),
    "name a list": (with_entity(name=["Bob"]), 0, 0, "name: ['Bob'] is no name"),
    "name an object": (with_entity(name={"first": "Bob"}), 0, 0, "is no name"),
    "name of a book": (with_entity(name="x" * 10_000), 0, 0, "is no name"),
    "an entity as a string": ({**GOOD, "entities": [ADA, "Bob", ACME]}, 1, 0, None),
    "an entity as a list": ({**GOOD, "entities": [ADA, ["Bob", "person"], ACME]}, 0, 0, "is no object"),
    "an entity as a number": ({**GOOD, "entities": [ADA, 7, ACME]}, 0, 0, "7 is no object"),
    "a null entity": ({**GOOD, "entities": [ADA, None, ACME]}, 0, 0, "is no object"),
    "an entity as JSON": ({**GOOD, "entities": [ADA, json.dumps({"name": "Bob"}), ACME]}, 1, 0, None),
    "a duplicate": ({**GOOD, "entities": [ADA, ACME, {**ADA, "name": "ADA"}]}, 1, 0, None),
    "relationship to an unknown entity": (with_relationship(), 0, 1, None),
    "relationship without a target": ({**GOOD, "relationships": [WORKS, {"source": "Ada"}]}, 0, 0, "target: None"),
    "relationship with null ends": (with_relationship(source=None, target=None), 0, 0, "source: None"),
    "strength as text": (with_relationship(strength="0.4"), 0, 1, None),
    "strength out of range": (with_relationship(strength=-3), 0, 1, None),
    "strength a word": (with_relationship(strength="strong"), 0, 1, "strength"),
    "relationship type a string": (with_relationship(types="knows"), 0, 1, None),
    "relationship a triple": ({**GOOD, "relationships": [WORKS, ["Ada", "knows", "Bob"]]}, 0, 0, "is no object"),
    "relationships a string": ({"entities": [ADA, ACME], "relationships": "none"}, 0, -1, "relationships: 'none'"),
    "null relationships": ({"entities": [ADA, ACME], "relationships": None}, 0, -1, None),
    "no relationships": ({"entities": [ADA, ACME]}, 0, -1, None),
    "a single relationship": ({"entities": [ADA, ACME], "relationships": WORKS}, 0, 0, None),
    "lists as JSON": ({name: json.dumps(things) for name, things in GOOD.items()}, 0, 0, None),
    "all of it as JSON": (json.dumps(GOOD), 0, 0, None),
    "all of it in a code block": (f"```json\n{json.dumps(GOOD)}\n```", 0, 0, None),
    "wrapped": ({"Extraction": GOOD}, 0, 0, None),
    "wrapped as JSON": ({"arguments": json.dumps(GOOD)}, 0, 0, None),
    "in several calls": ([{"entities": [ADA]}, {"entities": [ACME], "relationships": [WORKS]}], 0, 0, None),
}  # fmt: skip


@pytest.mark.parametrize("shape", MALFORMED)
def test_what_is_good_in_a_malformed_answer_is_kept_and_the_rest_is_on_record(shape):
    answer, more_entities, more_relationships, on_record = MALFORMED[shape]

    found = read(answer)

    assert (len(found.entities), len(found.relationships)) == (2 + more_entities, 1 + more_relationships)
    names = [entity.name for entity in found.entities]
    assert {"Ada", "Acme"} <= set(names)
    assert next(e for e in found.entities if e.name == "Ada") == ExtractedEntity(**ADA)
    if on_record is None:
        assert found.refused == []
    else:
        [refused] = found.refused
        assert on_record in refused.reason
        assert len(refused.reason) < 500


def test_what_is_obvious_is_read_as_it_is_meant():
    fields = {"types": "person", "confidence": "0.25", "importance": 7, "chunk_ids": ["3", 4], "description": None}

    (entity,) = read({"entities": [{"name": 1984, **fields}]}).entities

    assert entity == ExtractedEntity(
        name="1984", types=["person"], confidence=0.25, importance=1.0, chunk_ids=[3, 4], description=""
    )


@pytest.mark.parametrize(
    "answer",
    ["I would rather not.", None, 7, {"people": ["Ada"]}, {"entities": "none"}, {"entities": [7, None]}, [1, 2]],
)  # fmt: skip
def test_an_answer_in_which_nothing_is_good_is_refused_as_a_whole(answer):
    with pytest.raises(ValueError, match=r"no object|no list|neither entities nor relationships"):
        read(answer)


def test_a_model_is_not_asked_for_what_is_refused():
    schema = json.dumps(Extraction.model_json_schema())

    assert "refused" not in schema
    assert "source_types" in schema


@pytest.mark.parametrize("answer", [{}, [], "[]", {"entities": []}, {"entities": None, "relationships": []}])
def test_nothing_found_is_an_answer(answer):
    assert read(answer) == Extraction()


# Which of two entities of one name a relationship is about

COMPANY = ExtractedEntity(name="Apple", types=["company"], chunk_ids=[1])
FRUIT = ExtractedEntity(name="apple", types=["fruit"], chunk_ids=[2])


@pytest.mark.parametrize(
    ("fields", "target"),
    [
        ({"target": "Apple", "chunk_ids": [1]}, 0),
        ({"target": "Apple", "chunk_ids": [2]}, 1),
        ({"target": "Apple", "chunk_ids": [1, 2]}, 0),
        ({"target": "apple", "chunk_ids": [1, 2]}, 1),
        ({"target": "Apple", "target_types": ["fruit"], "chunk_ids": [1]}, 1),
        ({"target": "Apple", "target_types": ["organisation"], "chunk_ids": [2]}, 0),
        ({"target": "Apple", "target_types": ["song"], "chunk_ids": [1]}, 3),
    ],
    ids=["by its chunk", "by the other one's chunk", "by its spelling", "by the other one's spelling", "by its type",
         "by a word for its type", "another one"],
)  # fmt: skip
def test_a_relationship_is_about_the_one_of_two_namesakes_that_it_means(fields, target):
    relationship = ExtractedRelationship(source="Tim", types=["knows"], **fields)

    found = tidied(Extraction(entities=[COMPANY, FRUIT], relationships=[relationship]), {1, 2})

    assert (found.relationships[0].source, found.relationships[0].target) == (2, target)
    assert found.entities[2].name == "Tim"


def test_relationships_with_namesakes_stay_two():
    both = [ExtractedRelationship(source="Tim", target="Apple", types=["likes"], chunk_ids=[id]) for id in (1, 2)]

    found = tidied(Extraction(entities=[COMPANY, FRUIT], relationships=both), {1, 2})

    assert [(r.source, r.target) for r in found.relationships] == [(2, 0), (2, 1)]
