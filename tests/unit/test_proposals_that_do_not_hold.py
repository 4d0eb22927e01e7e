"""A model proposes, code disposes: what does not hold is refused part by part, on record, and nothing is lost."""

from collections import Counter
from datetime import UTC, datetime

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from langgraph_agentmem.models.conflict import (
    ChunkDecision,
    ConflictChunk,
    ConflictEntity,
    ConflictRelationship,
    ConflictSection,
    ConsolidationConflicts,
    ConsolidationPlan,
    Decision,
    EntityResolution,
    MergedText,
    RelationshipResolution,
    Replacement,
    SectionResolution,
    StoredEntity,
    StoredRelationship,
)
from langgraph_agentmem.models.entity import ExtractedEntity, ExtractedRelationship
from langgraph_agentmem.policies.matching import lost_by, survival, unsaid_by
from langgraph_agentmem.policies.planning import (
    DecidedPlan,
    open_entities,
    open_relationships,
    replacements,
    rules_plan,
    unclear,
)
from langgraph_agentmem.policies.proposals import validated

SHARE = 0.9
EXISTING = {
    1: "Deadline: Friday\nBudget: 5000",
    2: "Ship the importer to the customers",
    3: "The office is in Berlin",
    4: "Alice lives in Paris",
}
NEW = {
    10: "Deadline: when the moon is full",
    11: "Ship the importer and the exporter to everybody else",
    12: "Alice lives in Rome",
}
FOREIGN = {20: "Owner: Alice", 30: "Owner: Bob"}


def as_chunks(contents: dict[int, str]) -> list[ConflictChunk]:
    return [ConflictChunk(id=id, content=content) for id, content in contents.items()]


def replacement(chunk_id: int, replaced_by: int, *, clear: bool = False, **fields) -> Replacement:
    return Replacement(chunk_id=chunk_id, replaced_by=replaced_by, replaced=1, similarity=0.6, clear=clear, **fields)


def stored_entity(id: int, name: str) -> StoredEntity:
    return StoredEntity(id=id, name=name, types=["place"], confidence=0.8, importance=0.5, revision=1)


def stored_relationship(id: int, target: str) -> StoredRelationship:
    return StoredRelationship(
        id=id, source="Alice", target=target, source_id=1, target_id=2, types=["leads"], confidence=0.8, strength=0.5, revision=1,
    )  # fmt: skip


def entity(name: str, action: str, *candidates: StoredEntity) -> ConflictEntity:
    return ConflictEntity(
        active_entity=ExtractedEntity(name=name),
        shortterm_entities=list(candidates),
        similarity_scores={candidate.id: 0.9 for candidate in candidates},
        recommended_action=action,
        recommended_entity_id=candidates[0].id if action == "merge" else None,
    )


def relationship(target: str, action: str, *candidates: StoredRelationship) -> ConflictRelationship:
    return ConflictRelationship(
        active_relationship=ExtractedRelationship(source="Alice", target=target),
        shortterm_relationships=list(candidates),
        recommended_action=action,
    )


CONFLICTS = ConsolidationConflicts(
    external_id="acme",
    active_memory_id=1,
    shortterm_memory_id=1,
    created_at=datetime(2025, 1, 1, tzinfo=UTC),
    sections=[
        ConflictSection(
            section_id="notes", section_content="…", update_count=1, existing_chunks=as_chunks({20: FOREIGN[20]}),
            new_chunks=as_chunks({30: FOREIGN[30]}), replacements=[replacement(20, 30, clear=True)],
        ),
        ConflictSection(
            section_id="plan", section_content="…", update_count=2, existing_chunks=as_chunks(EXISTING),
            new_chunks=as_chunks(NEW), replacements=[replacement(1, 10, leftover="Budget: 5000"), replacement(2, 11), replacement(4, 12, clear=True)],
        ),
    ],
    entities=[
        entity("Venus", "create"),
        entity("Mercury", "manual", stored_entity(4, "Mercury"), stored_entity(5, "Mercury")),
        entity("Mars", "merge", stored_entity(6, "Mars")),
    ],
    relationships=[
        relationship("Initech", "create"),
        relationship("Acme", "manual", stored_relationship(7, "Acme"), stored_relationship(8, "Hooli")),
    ],
)  # fmt: skip
RULES = rules_plan(CONFLICTS)


def check(*sections: SectionResolution, entities=(), relationships=()) -> DecidedPlan:
    proposed = ConsolidationPlan(sections=list(sections), entities=list(entities), relationships=list(relationships))
    return validated(CONFLICTS, RULES, proposed, SHARE)


def on_plan(*decisions: ChunkDecision, merged=()) -> SectionResolution:
    return SectionResolution(section_id="plan", decisions=list(decisions), merged=list(merged))


def keep(chunk_id: int, **fields) -> ChunkDecision:
    return ChunkDecision(chunk_id=chunk_id, action="keep", reason="said so", **fields)


def supersede(chunk_id: int, replaced_by: int | None, **fields) -> ChunkDecision:
    return ChunkDecision(chunk_id=chunk_id, action="supersede", replaced_by=replaced_by, reason="said so", **fields)


def merge(text: str, *chunk_ids: int) -> MergedText:
    return MergedText(text=text, chunk_ids=list(chunk_ids), reason="said so")


def line(decided: DecidedPlan, part: str) -> Decision:
    """The record's only line on a part."""
    (found,) = [decision for decision in decided.decisions if part in str(decision.about)]
    return found


def of_plan(plan: ConsolidationPlan) -> SectionResolution:
    return next(section for section in plan.sections if section.section_id == "plan")


def chunk_decisions(decided: DecidedPlan) -> dict[int, ChunkDecision]:
    return {decision.chunk_id: decision for decision in of_plan(decided.plan).decisions}


# What holds is accepted


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


def test_an_entity_of_too_different_a_name_is_refused():
    proposed = ConsolidationPlan(entities=[EntityResolution(conflict=0, action="merge", entity_id=5)])

    decided = validated(CONFLICTS, RULES, proposed, SHARE, least_similarity=0.95)

    assert decided.plan == RULES.plan
    assert "not similar enough (0.90, 0.95 are needed)" in str(line(decided, "'Mercury'").refused)


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


# What does not hold is refused: the rule's decision stands, the refusal is on record

LOSSY = "Deadline: Friday when the moon is full"
WHOLE = "Deadline: Friday, when the moon is full\nBudget: 5000"
BOTH = f"{EXISTING[1]}\n{EXISTING[2]}"


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


# Whatever a model answers

STATEMENTS = [
    "Deadline: Friday", "Deadline: when the moon is full", "Budget: 5000", "Budget: 6000", "Ship the importer",
    "Ship the importer and the exporter", "Alice lives in Paris", "Alice lives in a house by the sea", "# Plan", "3",
]  # fmt: skip
CONTENTS = st.lists(st.sampled_from(STATEMENTS), min_size=1, max_size=3).map("\n".join)
IDS = st.sampled_from([*range(1, 5), *range(11, 15), 101, 102, 111, 112, 0, -1, 999])
ACTIONS = st.sampled_from(["merge", "create", "manual"])


@st.composite
def sections(draw, section_id, first_id):
    contents = draw(st.lists(st.tuples(CONTENTS, CONTENTS), max_size=4))
    existing = as_chunks({first_id + i: old for i, (old, _) in enumerate(contents)})
    new = as_chunks({first_id + 10 + i: new for i, (_, new) in enumerate(contents)})
    found = replacements(existing, new, 0.85)
    doubts = draw(st.lists(st.booleans(), min_size=len(found), max_size=len(found)))
    found = [r.model_copy(update={"clear": r.clear and not d}) for r, d in zip(found, doubts, strict=True)]
    return ConflictSection(
        section_id=section_id, section_content="…", update_count=1, existing_chunks=existing, new_chunks=new, replacements=found,
    )  # fmt: skip


@st.composite
def entities(draw):
    candidates = [stored_entity(id, "Mercury") for id in draw(st.lists(st.integers(1, 4), unique=True, max_size=3))]
    return entity("Mercury", draw(ACTIONS) if candidates else "create", *candidates)


@st.composite
def relationships(draw):
    ids = draw(st.lists(st.integers(1, 4), unique=True, max_size=3))
    candidates = [stored_relationship(id, draw(st.sampled_from(["Acme", "Hooli"]))) for id in ids]
    same_ends = any(candidate.target == "Acme" for candidate in candidates)
    action = draw(ACTIONS if same_ends else st.sampled_from(["create", "manual"] if candidates else ["create"]))
    return relationship("Acme", action, *candidates)


@st.composite
def all_conflicts(draw):
    some = draw(st.tuples(sections("plan", 1), sections("notes", 101)))
    found = draw(st.tuples(st.lists(entities(), max_size=3), st.lists(relationships(), max_size=3)))
    return CONFLICTS.model_copy(update={"sections": list(some), "entities": found[0], "relationships": found[1]})


def answers_on(section: ConflictSection):
    """Answers on a section that name known and unknown chunks, some sensible, some with themselves at odds."""
    contents = {chunk.id: chunk.content for chunk in (*section.existing_chunks, *section.new_chunks)}
    pairs = [(r.chunk_id, r.replaced_by) for r in section.replacements]
    chosen = st.tuples(IDS, st.none() | IDS)
    reasons = st.sampled_from(["", "because"])
    decided = st.builds(
        lambda pair, reason: supersede(*pair).model_copy(update={"reason": reason, "leftover": reason}),
        chosen | st.sampled_from(pairs) if pairs else chosen,
        reasons,
    ) | st.builds(keep, st.sampled_from([pair[0] for pair in pairs]) | IDS if pairs else IDS)
    known = st.lists(st.sampled_from(sorted(contents)), min_size=2, max_size=3) if contents else st.just([])
    merges = (known | known | st.lists(IDS, max_size=3)).flatmap(
        lambda ids: st.builds(
            MergedText,
            text=st.just("\n".join(contents.get(id, "?") for id in ids)) | st.sampled_from([" ", "Deadline: Friday"]),
            chunk_ids=st.just(ids),
            reason=reasons,
        )
    )
    return st.builds(
        SectionResolution,
        section_id=st.just(section.section_id),
        decisions=st.lists(decided, max_size=4),
        merged=st.lists(merges, max_size=2),
    )


POSITIONS = st.integers(-1, 3)
STORED_IDS = st.none() | st.integers(0, 5)
STRANGE = st.just(SectionResolution(section_id="secret", decisions=[keep(1)], merged=[merge("x", 1, 2)]))
ENTITY_ANSWERS = st.builds(
    EntityResolution, conflict=POSITIONS, action=st.sampled_from(["merge", "create"]), entity_id=STORED_IDS
)
RELATIONSHIP_ANSWERS = st.builds(
    RelationshipResolution,
    conflict=POSITIONS,
    action=st.sampled_from(["merge", "create", "supersede"]),
    relationship_id=STORED_IDS,
)


def proposals(conflicts: ConsolidationConflicts):
    return st.builds(
        ConsolidationPlan,
        sections=st.lists(st.one_of(*map(answers_on, conflicts.sections), STRANGE), max_size=4),
        entities=st.lists(ENTITY_ANSWERS, max_size=4),
        relationships=st.lists(RELATIONSHIP_ANSWERS, max_size=4),
    )


CASES = all_conflicts().flatmap(lambda conflicts: st.tuples(st.just(conflicts), proposals(conflicts)))


def whatever_a_model_answers(test):
    return settings(max_examples=80, deadline=None)(given(case=CASES)(test))


@whatever_a_model_answers
def test_no_chunk_is_lost_and_none_is_named_that_is_not_in_its_sections_conflict(case):
    conflicts, proposed = case

    plan = validated(conflicts, rules_plan(conflicts), proposed, SHARE).plan

    assert [s.section_id for s in plan.sections] == [s.section_id for s in conflicts.sections]
    for resolution, section in zip(plan.sections, conflicts.sections, strict=True):
        existing = {chunk.id for chunk in section.existing_chunks}
        new = {chunk.id for chunk in section.new_chunks}
        merged = Counter(id for text in resolution.merged for id in set(text.chunk_ids))
        decided = Counter(decision.chunk_id for decision in resolution.decisions)
        assert merged.keys() <= existing | new
        assert {id: (decided + merged)[id] for id in existing} == dict.fromkeys(existing, 1)
        assert max(merged.values(), default=1) == 1
        assert decided.keys() <= existing
        for decision in resolution.decisions:
            assert (decision.replaced_by in new) if decision.action == "supersede" else (decision.replaced_by is None)
    event(f"a merge is accepted: {any(s.merged for s in plan.sections)}")


@whatever_a_model_answers
def test_no_statement_is_lost_when_a_chunk_is_superseded_or_merged(case):
    conflicts, proposed = case

    plan = validated(conflicts, rules_plan(conflicts), proposed, SHARE).plan

    contents = {c.id: c.content for s in conflicts.sections for c in (*s.existing_chunks, *s.new_chunks)}
    for resolution in plan.sections:
        for decision in resolution.decisions:
            if decision.action == "supersede":
                lost = lost_by(contents[decision.chunk_id], contents[decision.replaced_by])
                assert set(lost.splitlines()) <= set(decision.leftover.splitlines())
        for merged in resolution.merged:
            assert merged.text.strip()
            assert survival([contents[id] for id in merged.chunk_ids], merged.text) >= SHARE
            unsaid = "\n".join(filter(None, (unsaid_by(contents[id], merged.text) for id in merged.chunk_ids)))
            assert set(unsaid.splitlines()) <= set(merged.leftover.splitlines())


@whatever_a_model_answers
def test_every_entity_and_relationship_is_decided_once_and_only_in_favour_of_its_candidates(case):
    conflicts, proposed = case

    plan = validated(conflicts, rules_plan(conflicts), proposed, SHARE).plan

    assert [r.conflict for r in plan.entities] == list(range(len(conflicts.entities)))
    assert [r.conflict for r in plan.relationships] == list(range(len(conflicts.relationships)))
    for merged, conflict in zip(plan.entities, conflicts.entities, strict=True):
        candidates = {candidate.id for candidate in conflict.shortterm_entities}
        assert merged.entity_id in (candidates if merged.action == "merge" else {None})
    for chosen, conflict in zip(plan.relationships, conflicts.relationships, strict=True):
        targets = {candidate.id: candidate.target for candidate in conflict.shortterm_relationships}
        same_ends = {id for id, target in targets.items() if target == "Acme"}
        allowed = {"merge": same_ends, "supersede": set(targets), "create": {None}}
        assert chosen.relationship_id in allowed[chosen.action]


@whatever_a_model_answers
def test_a_model_decides_only_what_is_unclear(case):
    conflicts, proposed = case
    rules = rules_plan(conflicts)

    plan = validated(conflicts, rules, proposed, SHARE).plan

    asked = {s.section_id: {r.chunk_id for r in s.replacements} for s in (unclear(conflicts) or CONFLICTS).sections}
    if unclear(conflicts) is None:
        assert plan == rules.plan
    for resolution, rule, section in zip(plan.sections, rules.plan.sections, conflicts.sections, strict=True):
        unasked = [d for d in rule.decisions if d.chunk_id not in asked.get(section.section_id, set())]
        merged = {id for text in resolution.merged for id in text.chunk_ids}
        assert all(decision in resolution.decisions or decision.chunk_id in merged for decision in unasked)
    changed = [a.conflict for a, b in zip(plan.entities, rules.plan.entities, strict=True) if a != b]
    assert set(changed) <= set(open_entities(conflicts))
    changed = [a.conflict for a, b in zip(plan.relationships, rules.plan.relationships, strict=True) if a != b]
    assert set(changed) <= set(open_relationships(conflicts))


@whatever_a_model_answers
def test_the_record_has_one_line_a_part_and_says_model_exactly_where_the_model_decided(case):
    conflicts, proposed = case
    rules = rules_plan(conflicts)

    decided = validated(conflicts, rules, proposed, SHARE)

    parts = [decision.about for decision in decided.decisions]
    assert len(parts) == len(set(parts))
    assert {decision.about for decision in rules.decisions} <= set(parts)
    if decided.plan != rules.plan:
        assert any(decision.decided_by == "model" for decision in decided.decisions)
    if proposed == ConsolidationPlan():
        assert decided == rules
