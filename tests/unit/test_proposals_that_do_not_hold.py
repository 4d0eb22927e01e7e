"""A model proposes, code disposes: what does not hold is refused part by part, on record."""

from collections import Counter

import pytest
from proposing import BOTH, EXISTING, FOREIGN, RULES, WHOLE, check, keep, line, merge, of_plan, on_plan, supersede

from langgraph_agentmem.models.conflict import EntityResolution, RelationshipResolution, SectionResolution

# What does not hold is refused: the rule's decision stands, the refusal is on record


LOSSY = "Deadline: Friday when the moon is full"


@pytest.mark.parametrize(
    ("answer", "part"),
    [
        pytest.param(on_plan(supersede(999, 10)), "chunk 999 ", id="an invented chunk is superseded"),
        pytest.param(on_plan(keep(999)), "chunk 999 ", id="an invented chunk is kept"),
        pytest.param(on_plan(supersede(-1, 10)), "chunk -1 ", id="a negative id"),
        pytest.param(on_plan(supersede(1, 999)), "chunk 1 ", id="superseded by an invented chunk"),
        pytest.param(on_plan(supersede(1, None)), "chunk 1 ", id="superseded by nothing"),
        pytest.param(on_plan(supersede(1, 0)), "chunk 1 ", id="superseded by chunk 0"),
        pytest.param(on_plan(supersede(1, 1)), "chunk 1 ", id="superseded by itself"),
        pytest.param(on_plan(supersede(1, 2)), "chunk 1 ", id="superseded by another existing chunk"),
        pytest.param(on_plan(supersede(10, 11)), "chunk 10 ", id="a new chunk is superseded"),
        pytest.param(on_plan(supersede(1, 11)), "chunk 1 ", id="superseded by what has nothing to do with it"),
        pytest.param(on_plan(supersede(3, 10)), "chunk 3 ", id="a chunk that is in no conflict is superseded"),
        pytest.param(on_plan(keep(3)), "chunk 3 ", id="a chunk that is in no conflict is kept"),
        pytest.param(on_plan(keep(4)), "chunk 4 ", id="a chunk that is clear is kept"),
        pytest.param(on_plan(keep(1, replaced_by=10)), "chunk 1 ", id="kept and replaced"),
        pytest.param(on_plan(supersede(20, 10)), "chunk 20 ", id="another section's chunk is superseded"),
        pytest.param(on_plan(supersede(1, 30)), "chunk 1 ", id="superseded by another section's chunk"),
        pytest.param(on_plan(merged=[merge("", 1, 2)]), "merged text", id="an empty merge"),
        pytest.param(on_plan(merged=[merge(" \n\t", 1, 2)]), "merged text", id="a blank merge"),
        pytest.param(on_plan(merged=[merge(LOSSY, 1, 10)]), "merged text", id="a merge that drops a number"),
        pytest.param(on_plan(merged=[merge("All of it.", 2, 3)]), "merged text", id="a merge that drops nearly everything"),
        pytest.param(on_plan(merged=[merge(BOTH * 3, 1, 2)]), "merged text", id="a merge much longer than its sources"),
        pytest.param(on_plan(merged=[merge(EXISTING[1], 1)]), "merged text", id="a merge of one chunk"),
        pytest.param(on_plan(merged=[merge(EXISTING[1], 1, 1)]), "merged text", id="a merge of one chunk named twice"),
        pytest.param(on_plan(merged=[merge("Anything")]), "merged text", id="a merge of nothing"),
        pytest.param(on_plan(merged=[merge(EXISTING[1], 1, 999)]), "merged text", id="a merge with an invented chunk"),
        pytest.param(on_plan(merged=[merge(f"{EXISTING[1]} {FOREIGN[20]}", 1, 20)]), "merged text", id="a merge across sections"),
        pytest.param(SectionResolution(section_id="secret", decisions=[keep(1)]), "section 'secret'", id="an invented section"),
        pytest.param(SectionResolution(section_id="notes", decisions=[keep(20)]), "section 'notes'", id="a section that is clear"),
        pytest.param(SectionResolution(section_id="", merged=[merge("x", 1, 2)]), "section ''", id="a nameless section"),
    ],
)  # fmt: skip
def test_an_answer_on_chunks_that_does_not_hold_is_refused(answer, part):
    decided = check(answer)

    assert decided.plan == RULES.plan
    refused = [decision for decision in decided.decisions if decision.refused]
    assert [part in str(decision.about) for decision in refused] == [True]
    assert refused[0].decided_by == "rules"


@pytest.mark.parametrize(
    ("answer", "part"),
    [
        pytest.param(EntityResolution(conflict=0, action="merge", entity_id=999), "entity 'Mercury' #1", id="into an invented one"),
        pytest.param(EntityResolution(conflict=0, action="merge", entity_id=6), "entity 'Mercury' #1", id="into another's candidate"),
        pytest.param(EntityResolution(conflict=0, action="merge"), "entity 'Mercury' #1", id="into nothing"),
        pytest.param(EntityResolution(conflict=0, action="create", entity_id=4), "entity 'Mercury' #1", id="created with an id"),
        pytest.param(EntityResolution(conflict=1, action="create"), "entity conflict 1", id="a position behind the last"),
        pytest.param(EntityResolution(conflict=-1, action="create"), "entity conflict -1", id="a negative position"),
    ],
)  # fmt: skip
def test_an_answer_on_entities_that_does_not_hold_is_refused(answer, part):
    decided = check(entities=[answer])

    assert decided.plan == RULES.plan
    assert [(str(d.about), d.decided_by) for d in decided.decisions if d.refused] == [(part, "rules")]


@pytest.mark.parametrize(
    ("answer", "part"),
    [
        pytest.param(RelationshipResolution(conflict=0, action="merge", relationship_id=999), "'Alice' → 'Acme' #1", id="an invented one"),
        pytest.param(RelationshipResolution(conflict=0, action="merge", relationship_id=8), "'Alice' → 'Acme' #1", id="other ends"),
        pytest.param(RelationshipResolution(conflict=0, action="merge"), "'Alice' → 'Acme' #1", id="merged into nothing"),
        pytest.param(RelationshipResolution(conflict=0, action="supersede"), "'Alice' → 'Acme' #1", id="nothing superseded"),
        pytest.param(RelationshipResolution(conflict=0, action="supersede", relationship_id=999), "'Alice' → 'Acme' #1", id="an invented one superseded"),
        pytest.param(RelationshipResolution(conflict=0, action="create", relationship_id=7), "'Alice' → 'Acme' #1", id="created with an id"),
        pytest.param(RelationshipResolution(conflict=1, action="create"), "conflict 1", id="a position behind the last"),
        pytest.param(RelationshipResolution(conflict=-1, action="create"), "conflict -1", id="a negative position"),
    ],
)  # fmt: skip
def test_an_answer_on_relationships_that_does_not_hold_is_refused(answer, part):
    decided = check(relationships=[answer])

    assert decided.plan == RULES.plan
    assert [(str(d.about), d.decided_by) for d in decided.decisions if d.refused] == [(f"relationship {part}", "rules")]


def test_a_refusal_says_what_was_proposed_and_why_it_was_refused():
    decided = check(
        on_plan(supersede(1, 11), merged=[merge(LOSSY, 1, 10), merge("  ", 1, 2)]),
        entities=[EntityResolution(conflict=0, action="merge", entity_id=999)],
    )

    assert "supersede by 11" in line(decided, "chunk 1 of").refused
    assert "nothing to do with" in line(decided, "chunk 1 of").refused
    assert "survive" in line(decided, "from chunks 1, 10").refused
    assert "empty" in line(decided, "from chunks 1, 2").refused
    assert "entity 999" in line(decided, "entity 'Mercury'").refused


# Answers that contradict themselves: the rule's decision stands for what they are about


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param([on_plan(keep(1), supersede(1, 10))], id="kept, then superseded"),
        pytest.param([on_plan(supersede(1, 10), keep(1))], id="superseded, then kept"),
        pytest.param([on_plan(keep(1)), on_plan(supersede(1, 10))], id="in two answers on one section"),
    ],
)
def test_contradictory_decisions_on_a_chunk_are_refused(answers):
    decided = check(*answers)

    assert decided.plan == RULES.plan
    assert {decision.decided_by for decision in decided.decisions if decision.refused} == {"rules"}


def test_a_second_answer_on_a_section_is_not_dropped_without_a_word():
    decided = check(on_plan(keep(1)), on_plan(keep(2)))

    accepted = {id for id in (1, 2) if line(decided, f"chunk {id} of").decided_by == "model"}
    assert accepted == {1, 2} or any(decision.refused for decision in decided.decisions)


def test_merges_that_share_a_chunk_are_refused():
    decided = check(on_plan(merged=[merge(WHOLE, 1, 10), merge(BOTH, 1, 2)]))

    sources = Counter(id for merged in of_plan(decided.plan).merged for id in merged.chunk_ids)
    assert sources[1] <= 1
    assert any(decision.refused for decision in decided.decisions)


def test_a_chunk_that_is_merged_and_kept_at_once_is_a_contradiction_on_record():
    decided = check(on_plan(keep(1), merged=[merge(WHOLE, 1, 10)]))

    assert any(decision.refused for decision in decided.decisions)


@pytest.mark.parametrize("order", [1, -1])
def test_contradictory_decisions_on_an_entity_are_refused(order):
    answers = [
        EntityResolution(conflict=0, action="merge", entity_id=4),
        EntityResolution(conflict=0, action="merge", entity_id=5),
    ]

    decided = check(entities=answers[::order])

    assert decided.plan == RULES.plan
    assert line(decided, "entity 'Mercury'").decided_by == "rules"
    assert line(decided, "entity 'Mercury'").refused


@pytest.mark.parametrize("order", [1, -1])
def test_contradictory_decisions_on_a_relationship_are_refused(order):
    answers = [
        RelationshipResolution(conflict=0, action="supersede", relationship_id=7),
        RelationshipResolution(conflict=0, action="merge", relationship_id=7),
    ]

    decided = check(relationships=answers[::order])

    assert decided.plan == RULES.plan
    assert line(decided, "'Acme'").decided_by == "rules"
    assert line(decided, "'Acme'").refused
