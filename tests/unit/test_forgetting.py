"""What is left of a run whose chunks were deleted meanwhile."""

from planning import conflicts, entity_conflict, relationship_conflict

from langgraph_agentmem.models.conflict import ConsolidationPlan, RelationshipResolution
from langgraph_agentmem.policies.forgetting import without


def test_a_relationship_loses_the_chunks_that_are_gone_and_goes_with_the_last_of_them():
    ada, bob = (
        conflict.model_copy(
            update={"active_entity": conflict.active_entity.model_copy(update={"chunk_ids": [1, 2, 3]})}
        )
        for conflict in (entity_conflict("Ada", []), entity_conflict("Bob", []))
    )
    knows, likes, leads = (
        conflict.model_copy(
            update={
                "active_relationship": conflict.active_relationship.model_copy(
                    update={"chunk_ids": ids, "description": "as they say"}
                )
            }
        )
        for conflict, ids in (
            (relationship_conflict("Ada", "Bob", ["knows"]), [1, 2]),
            (relationship_conflict("Ada", "Bob", ["likes"]), [1]),
            (relationship_conflict("Ada", "Bob", ["leads"]), [3]),
        )
    )
    plan = ConsolidationPlan(relationships=[RelationshipResolution(conflict=i, action="create") for i in range(3)])

    left_plan, left = without(plan, conflicts(entities=[ada, bob], relationships=[knows, likes, leads]), {1})

    found = [(c.active_relationship.chunk_ids, c.active_relationship.description) for c in left.relationships]
    assert found == [([2], ""), ([], ""), ([3], "as they say")]
    assert [resolution.conflict for resolution in left_plan.relationships] == [0, 2]
