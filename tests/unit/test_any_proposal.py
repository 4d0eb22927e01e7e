"""Whatever a model proposes, nothing is lost and every decision is on record."""

from collections import Counter

from hypothesis import event, given
from hypothesis import strategies as st
from proposing import (
    CONFLICTS,
    SHARE,
    as_chunks,
    entity,
    keep,
    merge,
    relationship,
    stored_entity,
    stored_relationship,
    supersede,
)

from langgraph_agentmem.models.conflict import (
    ConflictSection,
    ConsolidationConflicts,
    ConsolidationPlan,
    EntityResolution,
    MergedText,
    RelationshipResolution,
    SectionResolution,
)
from langgraph_agentmem.policies.matching import lost_by, survival, unsaid_by
from langgraph_agentmem.policies.planning import open_entities, open_relationships, replacements, rules_plan, unclear
from langgraph_agentmem.policies.proposals import validated
from langgraph_agentmem.policies.statements import statements

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
    return given(case=CASES)(test)


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
                old, by = contents[decision.chunk_id], contents[decision.replaced_by]
                lost = lost_by(old, by)
                if len(statements(lost)) < len(statements(old)):  # else it ends as a whole, as the model says
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
