"""What a run keeps to be undone comes back from its log as it was."""

from langgraph_agentmem.models.entity import ExtractedEntity, ExtractedRelationship, Traits
from langgraph_agentmem.models.graph_change import (
    EntityMerged,
    EntityRemoved,
    RelationshipCreated,
    RelationshipEnded,
    RelationshipMerged,
    RelationshipMoved,
    RemovedLink,
    RunRecord,
)
from langgraph_agentmem.models.run import RunChanges

TRAITS = Traits(types=["person"], description="", confidence=0.5, weight=0.25)
ADA = ExtractedEntity(name="Ada", chunk_ids=[1])
WORKS = ExtractedRelationship(source="Ada", target="Acme", chunk_ids=[1, 2])
RECORD = RunRecord(
    superseded=[(1, 2), (3, None)],
    written=[4],
    graph=[
        EntityMerged(id=5, before=TRAITS, absorbed=ADA),
        EntityMerged(id=5, before=TRAITS, absorbed=ADA, replaces=6),
        RelationshipMerged(id=7, before=TRAITS, absorbed=WORKS),
        RelationshipCreated(id=8, source="Ada", target="Acme", source_id=5, target_id=7),
        RelationshipMoved(id=9, to_id=5, source="Ada"),
        RelationshipEnded(id=10),
        EntityRemoved(id=11, entity=ADA, links=[RemovedLink(source_id=None, target_id=5, relationship=WORKS)]),
    ],
)


def test_a_record_comes_back_from_json_as_it_was():
    assert RunRecord.model_validate_json(RECORD.model_dump_json()) == RECORD


def test_changes_are_told_apart_by_what_they_are_in_order():
    assert [change.replaces for change in RECORD.of(EntityMerged)] == [None, 6]
    assert [change.id for change in RECORD.of(RelationshipEnded)] == [10]


def test_what_has_changed_is_told_by_ids_each_once():
    assert RunChanges.of(RECORD) == RunChanges(
        superseded=[(1, 2), (3, None)],
        written=[4],
        entities_merged=[5],
        relationships_merged=[7],
        relationships_created=[8],
        relationships_ended=[10],
    )
