"""The plan of the rules decides about everything once, on record, and leaves to a model what is unclear."""

from hypothesis import given
from planning import (
    CONFLICTS,
    OVERLAPPING,
    chunks,
    conflicts,
    entity_conflict,
    relationship_conflict,
    section,
    stored_entity,
    stored_relationship,
)

from langgraph_agentmem.models.conflict import ConsolidationConflicts, Replacement
from langgraph_agentmem.policies.matching import overlap_coefficient
from langgraph_agentmem.policies.naming import same
from langgraph_agentmem.policies.planning import rules_plan, unclear

# Completeness


@given(all_of=CONFLICTS)
def test_the_plan_of_the_rules_decides_about_everything_exactly_once(all_of):
    plan = rules_plan(all_of).plan

    assert [s.section_id for s in plan.sections] == [s.section_id for s in all_of.sections]
    for resolution, part in zip(plan.sections, all_of.sections, strict=True):
        assert [d.chunk_id for d in resolution.decisions] == [chunk.id for chunk in part.existing_chunks]
    assert [r.conflict for r in plan.entities] == list(range(len(all_of.entities)))
    assert [r.conflict for r in plan.relationships] == list(range(len(all_of.relationships)))


@given(all_of=CONFLICTS)
def test_every_decision_of_the_rules_is_on_record_with_its_reason(all_of):
    decided = rules_plan(all_of)
    chunk_count = sum(len(part.existing_chunks) for part in all_of.sections)

    assert len(decided.decisions) == chunk_count + len(all_of.entities) + len(all_of.relationships)
    assert len({line.about for line in decided.decisions}) == len(decided.decisions)
    assert all(line.decided_by == "rules" and line.reason and line.refused is None for line in decided.decisions)


@given(all_of=CONFLICTS)
def test_the_rules_supersede_a_chunk_only_by_a_new_one_that_says_some_of_it_anew(all_of):
    for resolution, part in zip(rules_plan(all_of).plan.sections, all_of.sections, strict=True):
        found = {r.chunk_id: r for r in part.replacements}
        for decision in resolution.decisions:
            known = found.get(decision.chunk_id)
            if decision.action == "supersede":
                assert known
                assert known.replaced
                assert (decision.replaced_by, decision.leftover) == (known.replaced_by, known.leftover)
            else:
                assert not known or not known.replaced
                assert (decision.replaced_by, decision.leftover) == (None, "")


@given(all_of=CONFLICTS)
def test_the_rules_merge_only_into_candidates_of_the_same_name_whose_types_fit(all_of):
    for resolution in rules_plan(all_of).plan.entities:
        conflict = all_of.entities[resolution.conflict]
        if resolution.action == "merge":
            chosen = next(s for s in conflict.shortterm_entities if s.id == resolution.entity_id)
            assert same(chosen.name, conflict.active_entity.name)
            assert overlap_coefficient(conflict.active_entity.types, chosen.types) >= OVERLAPPING
        else:
            assert resolution.entity_id is None


@given(all_of=CONFLICTS)
def test_the_rules_merge_relationships_only_between_the_same_ends(all_of):
    for resolution in rules_plan(all_of).plan.relationships:
        conflict = all_of.relationships[resolution.conflict]
        mine = conflict.active_relationship
        if resolution.action == "merge":
            chosen = next(s for s in conflict.shortterm_relationships if s.id == resolution.relationship_id)
            assert (chosen.source, chosen.target) == (mine.source, mine.target)
            assert overlap_coefficient(mine.types, chosen.types) >= OVERLAPPING
        else:
            assert (resolution.action, resolution.relationship_id) == ("create", None)


def test_the_rules_keep_a_chunk_that_is_only_similar_to_a_new_one():
    part = section(chunks(c1="Install the importer on the server"), chunks(c9="Uninstall the importer on the server"))

    (resolution,) = rules_plan(conflicts([part])).plan.sections

    assert [(r.replaced, r.clear) for r in part.replacements] == [(0, False)]
    assert [(d.chunk_id, d.action) for d in resolution.decisions] == [(1, "keep")]


def test_clearing_a_section_does_not_make_its_facts_untrue():
    (resolution,) = rules_plan(conflicts([section(chunks(c1="Deadline: Friday", c2="Budget: 5000"), [])])).plan.sections

    assert [(d.chunk_id, d.action) for d in resolution.decisions] == [(1, "keep"), (2, "keep")]


def test_the_record_of_a_superseded_chunk_says_which_chunk_how_and_why():
    (line,) = rules_plan(conflicts([section(chunks(c7="Deadline: Friday"), chunks(c9="Deadline: Monday"))])).decisions

    assert (str(line.about), line.action) == ("chunk 7 of section 'plan'", "supersede")
    assert "chunk 9" in line.reason


# What is left to a model


def clear_and_unclear() -> ConsolidationConflicts:
    sure = Replacement(chunk_id=1, replaced_by=10, replaced=1, similarity=0.95, relation="replaced")
    unsure = Replacement(chunk_id=2, replaced_by=10, replaced=0, similarity=0.6, relation="unclear")
    both = section(chunks(c1="a", c2="b"), chunks(c10="c")).model_copy(update={"replacements": [sure, unsure]})
    clear = section(chunks(c1="a"), chunks(c10="c"), "notes").model_copy(update={"replacements": [sure]})
    named = stored_entity(4, "Mercury", "planet")
    return conflicts(
        [clear, both],
        [
            entity_conflict("Mercury", ["planet"], (named, 1.0)),
            entity_conflict("Mercury", ["element"], (named, 1.0)),
            entity_conflict("Venus", ["planet"], (named, 0.3)),
        ],
        [
            relationship_conflict("Alice", "Acme", ["works_at"]),
            relationship_conflict("Alice", "Acme", ["leads"], stored_relationship(3, "Alice", "Acme", "works_at")),
        ],
    )


def test_only_what_the_rules_are_not_sure_about_is_left_to_a_model():
    rest = unclear(clear_and_unclear())

    assert [s.section_id for s in rest.sections] == ["plan"]
    assert [r.chunk_id for r in rest.sections[0].replacements] == [2]
    assert [e.active_entity.types for e in rest.entities] == [["element"]]
    assert [r.active_relationship.types for r in rest.relationships] == [["leads"]]


def test_a_model_sees_the_whole_section_about_which_it_is_asked():
    asked, whole = unclear(clear_and_unclear()).sections[0], clear_and_unclear().sections[1]

    assert asked.existing_chunks == whole.existing_chunks
    assert asked.new_chunks == whole.new_chunks


def test_where_everything_is_clear_no_model_is_asked():
    everything = clear_and_unclear()
    sure = conflicts(everything.sections[:1], everything.entities[::2], everything.relationships[:1])

    assert unclear(sure) is None
    assert unclear(conflicts()) is None


@given(all_of=CONFLICTS)
def test_a_model_is_asked_about_whatever_no_rule_has_ended(all_of):
    rest = unclear(all_of)
    asked = (
        {(s.section_id, r.chunk_id) for s in rest.sections for r in s.replacements} if rest else set(),
        rest.entities if rest else [],
        rest.relationships if rest else [],
    )

    assert asked == (
        {(s.section_id, r.chunk_id) for s in all_of.sections for r in s.replacements if r.relation != "replaced"},
        [e for e in all_of.entities if e.recommended_action == "manual"],
        [r for r in all_of.relationships if r.recommended_action == "manual"],
    )
    assert (rest is None) == (not any(asked))
