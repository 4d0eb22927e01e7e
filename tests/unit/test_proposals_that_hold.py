"""A model proposes, code disposes: what holds is accepted, and is on record as the model's."""

import pytest
from proposing import (
    BOTH,
    CONFLICTS,
    NEW,
    RULES,
    SHARE,
    WHOLE,
    as_chunks,
    check,
    keep,
    line,
    merge,
    of_plan,
    on_plan,
    replacement,
    supersede,
)

from langgraph_agentmem.models.conflict import (
    ChunkDecision,
    ConflictChunk,
    ConsolidationPlan,
    EntityResolution,
    MergedText,
    RelationshipResolution,
)
from langgraph_agentmem.policies.planning import DecidedPlan, rules_plan
from langgraph_agentmem.policies.proposals import validated


def chunk_decisions(decided: DecidedPlan) -> dict[int, ChunkDecision]:
    return {decision.chunk_id: decision for decision in of_plan(decided.plan).decisions}


def test_an_empty_proposal_leaves_the_plan_of_the_rules_as_it_is():
    assert check() == RULES


def test_a_decision_on_an_unclear_chunk_is_the_models():
    decided = check(on_plan(keep(1), supersede(2, 11)))

    assert chunk_decisions(decided)[1].action == "keep"
    assert (chunk_decisions(decided)[2].action, chunk_decisions(decided)[2].replaced_by) == ("supersede", 11)
    for part, action in (("chunk 1 of", "keep"), ("chunk 2 of", "supersede")):
        accepted = line(decided, part)
        assert (accepted.action, accepted.decided_by, accepted.reason, accepted.refused) == (
            action,
            "model",
            "said so",
            None,
        )


def test_what_a_superseding_chunk_does_not_say_is_left_over_whatever_the_model_wrote():
    decided = check(on_plan(supersede(1, 10, leftover="Budget: 1")))

    assert chunk_decisions(decided)[1].leftover == "Budget: 5000"


def test_a_merged_text_that_keeps_everything_takes_its_sources_places():
    text = "Deadline: Friday, when the moon is full\nBudget: 5000"

    decided = check(on_plan(merged=[merge(text, 1, 10)]))

    assert of_plan(decided.plan).merged == [merge(text, 1, 10)]
    assert sorted(chunk_decisions(decided)) == [2, 3, 4]
    accepted = line(decided, "merged text")
    assert (accepted.action, accepted.decided_by, accepted.refused) == ("merge", "model", None)


LONG = "Alice, Bob, Carol, Dave, Erin, Frank, Grace, Heidi, Ivan and Judy met"


def test_a_statement_of_which_a_merged_text_lacks_a_word_is_left_over_whatever_the_model_wrote():
    conflicts = CONFLICTS.model_copy(
        update={"sections": [CONFLICTS.sections[0].model_copy(update={"existing_chunks": [ConflictChunk(id=1, content=LONG)], "section_id": "plan", "new_chunks": as_chunks(NEW), "replacements": [replacement(1, 10)]})]}
    )  # fmt: skip
    text = f"{LONG.replace(' Ivan', '')}. {NEW[10]}"
    proposed = ConsolidationPlan(
        sections=[on_plan(merged=[MergedText(text=text, chunk_ids=[1, 10], leftover="nothing")])]
    )

    [merged] = of_plan(validated(conflicts, rules_plan(conflicts), proposed, SHARE).plan).merged

    assert (merged.text, merged.leftover) == (text, LONG)


def test_all_that_was_refused_about_a_part_is_on_record():
    decided = check(on_plan(supersede(1, 98), supersede(1, 99), keep(1)))

    found = line(decided, "chunk 1 of")
    assert (found.action, found.decided_by) == ("keep", "model")
    assert all(f"supersede by {id}" in str(found.refused) for id in (98, 99))


def test_an_empty_description_is_refused_and_the_merge_is_not():
    decided = check(entities=[EntityResolution(conflict=0, action="merge", entity_id=5, description=" ")])

    resolution = decided.plan.entities[1]
    assert (resolution.action, resolution.entity_id, resolution.description) == ("merge", 5, None)
    assert line(decided, "'Mercury'").refused == "an empty description"


def test_an_entity_whose_name_or_types_exclude_it_is_refused():
    proposed = ConsolidationPlan(entities=[EntityResolution(conflict=0, action="merge", entity_id=5)])
    asked = CONFLICTS.entities[1].model_copy(update={"possible": [4]})
    conflicts = CONFLICTS.model_copy(update={"entities": [CONFLICTS.entities[0], asked, CONFLICTS.entities[2]]})

    decided = validated(conflicts, RULES, proposed, SHARE)

    assert decided.plan == RULES.plan
    assert "not similar enough, or the types exclude" in str(line(decided, "'Mercury'").refused)


def test_a_source_that_is_named_twice_is_merged_once():
    decided = check(on_plan(merged=[merge(BOTH, 1, 2, 2)]))

    assert sorted(chunk_decisions(decided)) == [3, 4]
    assert line(decided, "merged text").decided_by == "model"


def test_the_record_does_not_say_that_a_merged_chunk_was_kept():
    decided = check(on_plan(merged=[merge(WHOLE, 1, 10)]))

    assert of_plan(decided.plan).merged
    assert [d.action for d in decided.decisions if str(d.about).startswith(("chunk 1 ", "chunk 10 "))] == [
        "merge",
        "merge",
    ]


@pytest.mark.parametrize("entity_id", [4, 5])
def test_an_unclear_entity_is_merged_into_the_candidate_that_the_model_chose(entity_id):
    chosen = EntityResolution(conflict=0, action="merge", entity_id=entity_id, description="A planet", reason="said so")

    decided = check(entities=[chosen])

    assert decided.plan.entities[1] == chosen.model_copy(update={"conflict": 1})
    assert (line(decided, "entity 'Mercury'").action, line(decided, "entity 'Mercury'").decided_by) == (
        "merge",
        "model",
    )


def test_an_unclear_entity_is_created_if_the_model_says_so():
    decided = check(entities=[EntityResolution(conflict=0, action="create")])

    assert decided.plan.entities[1].action == "create"
    assert line(decided, "entity 'Mercury'").decided_by == "model"


@pytest.mark.parametrize(("action", "id"), [("merge", 7), ("create", None), ("supersede", 7), ("supersede", 8)])
def test_an_unclear_relationship_is_merged_created_or_superseded_as_the_model_says(action, id):
    decided = check(relationships=[RelationshipResolution(conflict=0, action=action, relationship_id=id)])

    resolution = decided.plan.relationships[1]
    assert (resolution.conflict, resolution.action, resolution.relationship_id) == (1, action, id)
    assert (line(decided, "'Acme'").action, line(decided, "'Acme'").decided_by) == (action, "model")


def test_a_refused_part_does_not_drag_the_valid_parts_with_it():
    decided = check(
        on_plan(keep(1), supersede(2, 999), merged=[merge("", 1, 2)]),
        entities=[
            EntityResolution(conflict=0, action="merge", entity_id=5),
            EntityResolution(conflict=9, action="create"),
        ],
        relationships=[RelationshipResolution(conflict=0, action="merge", relationship_id=999)],
    )

    assert chunk_decisions(decided)[1].action == "keep"
    assert decided.plan.entities[1].entity_id == 5
    assert chunk_decisions(decided)[2] == next(d for d in of_plan(RULES.plan).decisions if d.chunk_id == 2)
    assert decided.plan.relationships == RULES.plan.relationships
    assert sum(decision.refused is not None for decision in decided.decisions) == 4
    assert sum(decision.decided_by == "model" for decision in decided.decisions) == 2
