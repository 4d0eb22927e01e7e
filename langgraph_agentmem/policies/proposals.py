"""Validates what a model proposes.

A model proposes, this code disposes: every part of a proposal is checked on its own, and the rule's decision stands
for a part that fails.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from langgraph_agentmem.models.about import About
from langgraph_agentmem.models.conflict import (
    ChunkDecision,
    ConflictEntity,
    ConflictRelationship,
    ConflictSection,
    ConsolidationConflicts,
    ConsolidationPlan,
    Decision,
    EntityResolution,
    MergedText,
    RelationshipResolution,
    SectionResolution,
)
from langgraph_agentmem.policies import matching
from langgraph_agentmem.policies.planning import (
    DecidedPlan,
    asked,
    entity_decision,
    open_entities,
    open_relationships,
    relationship_decision,
    same_ends,
)
from langgraph_agentmem.policies.statements import statements

_Answer = TypeVar("_Answer", EntityResolution, RelationshipResolution)
_UNTRUSTED = "the model has ended a control statement"
_CONTRADICTION = "the proposal decides this more than once"


def validated(
    conflicts: ConsolidationConflicts,
    by_rules: DecidedPlan,
    proposed: ConsolidationPlan,
    survival_share: float,
    *,
    trusted: bool = True,
) -> DecidedPlan:
    """The rules' plan with those parts of a model's proposal that hold.

    Args:
        conflicts: All conflicts of the run.
        by_rules: The plan of the rules.
        proposed: The model's answer to `unclear(conflicts)`; its positions count within those.
        survival_share: Share of the sources' distinct words and numbers that a merged text must keep.
        trusted: Whether the model may decide about chunks; see `controls`.
    """
    decisions = {decision.about: decision for decision in by_rules.decisions}
    plan = by_rules.plan
    sections = {resolution.section_id: resolution for resolution in plan.sections}
    for section in (s for s in conflicts.sections if asked(s)):
        answers = [answer for answer in proposed.sections if answer.section_id == section.section_id]
        if answers:
            rule = sections[section.section_id]
            refused = None if trusted else _UNTRUSTED
            sections[section.section_id] = _checked_section(section, rule, answers, survival_share, decisions, refused)
    _note_strangers(conflicts, proposed, decisions)
    entities = _checked_entities(conflicts, plan.entities, proposed, decisions)
    relationships = _checked_relationships(conflicts, plan.relationships, proposed, decisions)
    checked = ConsolidationPlan(sections=list(sections.values()), entities=entities, relationships=relationships)
    return DecidedPlan(plan=checked, decisions=list(decisions.values()))


def _checked_section(
    section: ConflictSection,
    rule: SectionResolution,
    answers: list[SectionResolution],
    survival_share: float,
    decisions: dict[About, Decision],
    untrusted: str | None,
) -> SectionResolution:
    in_question = {replacement.chunk_id for replacement in asked(section)}
    merges = [
        (m, _refuse_merge(section, m, in_question, survival_share) or untrusted)
        for answer in answers
        for m in answer.merged
    ]
    choices = [(d, _refuse_chunk(section, d, in_question) or untrusted) for answer in answers for d in answer.decisions]
    twice = _repeated(
        [d.chunk_id for d, refused in choices if not refused]
        + [id for m, refused in merges if not refused for id in set(m.chunk_ids)]
    )
    merged = [
        m.model_copy(update={"leftover": _unsaid(section, m)})
        for m, refused in merges
        if _accept_merge(section, m, refused, twice, decisions)
    ]
    chosen = {decision.chunk_id: decision for decision in rule.decisions}
    for decision, invalid in choices:
        about = About.chunk(section.section_id, decision.chunk_id)
        if refused := invalid or (_CONTRADICTION if decision.chunk_id in twice else None):
            _refuse(decisions, about, f"{decision.action} by {decision.replaced_by}: {refused}")
            continue
        chosen[decision.chunk_id] = decision.model_copy(update={"leftover": _leftover(section, decision)})
        _accept(decisions, Decision(about=about, action=decision.action, decided_by="model", reason=decision.reason))
    taken = {id for m in merged for id in m.chunk_ids}
    kept = [decision for id, decision in chosen.items() if id not in taken]
    return SectionResolution(section_id=section.section_id, decisions=kept, merged=merged)


def _leftover(section: ConflictSection, decision: ChunkDecision) -> str:
    """What a superseded chunk says that has nothing to do with its successor."""
    if decision.replaced_by is None:
        return ""
    contents = _contents(section)
    old, new = contents[decision.chunk_id], contents[decision.replaced_by]
    left = matching.lost_by(old, new)
    # the model says that it ends, and in words of its own: then all of it does
    return "" if len(statements(left)) == len(statements(old)) else left


def _unsaid(section: ConflictSection, merge: MergedText) -> str:
    """What a merged text does not say of its sources, however little; else it would wear away, merge by merge."""
    contents = _contents(section)
    left = (matching.unsaid_by(contents[id], merge.text) for id in dict.fromkeys(merge.chunk_ids))
    return "\n".join(text for text in left if text)


def _contents(section: ConflictSection) -> dict[int, str]:
    return {chunk.id: chunk.content for chunk in (*section.existing_chunks, *section.new_chunks)}


def _repeated(ids: Iterable[int]) -> set[int]:
    return {id for id, count in Counter(ids).items() if count > 1}


def _refuse_chunk(section: ConflictSection, decision: ChunkDecision, in_question: set[int]) -> str | None:
    if decision.chunk_id not in in_question:
        return "the chunk is not among the conflicts"
    if decision.action == "keep":
        return None if decision.replaced_by is None else "a kept chunk is replaced by nothing"
    if decision.replaced_by not in {chunk.id for chunk in section.new_chunks}:
        return "not a new chunk of this section"
    contents = _contents(section)
    old, by = contents[decision.chunk_id], contents[decision.replaced_by]
    if not matching.have_to_do_with_each_other(old, by):
        return "the new chunk has nothing to do with it, so superseding it would drop what it says"
    return None


def _accept_merge(
    section: ConflictSection, merge: MergedText, invalid: str | None, twice: set[int], decisions: dict[About, Decision]
) -> bool:
    about = About.merge(section.section_id, merge.chunk_ids)
    if refused := invalid or (_CONTRADICTION if twice & set(merge.chunk_ids) else None):
        decisions.setdefault(about, Decision(about=about, action="refuse", decided_by="rules", reason=refused))
        _refuse(decisions, about, f"merge into {merge.text[:200]!r}: {refused}")
        return False
    for line in (about, *(About.chunk(section.section_id, id) for id in merge.chunk_ids)):
        _accept(decisions, Decision(about=line, action="merge", decided_by="model", reason=merge.reason))
    return True


def _refuse_merge(
    section: ConflictSection, merge: MergedText, in_question: set[int], survival_share: float
) -> str | None:
    contents = _contents(section)
    if not merge.text.strip():
        return "the merged text is empty"
    if len(set(merge.chunk_ids)) < 2:
        return "a merge needs at least two chunks"
    if strangers := [id for id in merge.chunk_ids if id not in contents]:
        return f"chunks {', '.join(map(str, strangers))} are not among the conflicts of this section"
    if len(merge.text) > 2 * sum(len(contents[id]) for id in set(merge.chunk_ids)):
        return "the merged text is more than twice as long as its sources"
    # about these the rules were sure, so the model was not asked
    closed = {chunk.id for chunk in section.existing_chunks} - in_question
    if settled := sorted(closed & set(merge.chunk_ids)):
        return f"chunks {', '.join(map(str, settled))} are not in question"
    share = matching.survival([contents[id] for id in merge.chunk_ids], merge.text)
    if share < survival_share:
        return f"only {share:.0%} of a source's words and numbers survive, {survival_share:.0%} must"
    return None


def _checked_entities(
    conflicts: ConsolidationConflicts,
    rules: list[EntityResolution],
    proposed: ConsolidationPlan,
    decisions: dict[About, Decision],
) -> list[EntityResolution]:
    chosen = {resolution.conflict: resolution for resolution in rules}
    twice = _repeated(answer.conflict for answer in proposed.entities)
    for answer, position in _placed(proposed.entities, open_entities(conflicts)):
        resolution = answer.model_copy(update={"conflict": position})
        decision = entity_decision(conflicts, resolution)
        conflict = conflicts.entities[position]
        if refused := _CONTRADICTION if answer.conflict in twice else _refuse_entity(conflict, answer):
            _refuse(decisions, decision.about, f"{answer.action} with entity {answer.entity_id}: {refused}")
            continue
        chosen[position] = resolution
        _accept(decisions, decision.model_copy(update={"decided_by": "model"}))
        if resolution.description is not None and not resolution.description.strip():
            chosen[position] = resolution.model_copy(update={"description": None})
            _refuse(decisions, decision.about, "an empty description")
    return list(chosen.values())


def _checked_relationships(
    conflicts: ConsolidationConflicts,
    rules: list[RelationshipResolution],
    proposed: ConsolidationPlan,
    decisions: dict[About, Decision],
) -> list[RelationshipResolution]:
    chosen = {resolution.conflict: resolution for resolution in rules}
    twice = _repeated(answer.conflict for answer in proposed.relationships)
    for answer, position in _placed(proposed.relationships, open_relationships(conflicts)):
        resolution = answer.model_copy(update={"conflict": position})
        decision = relationship_decision(conflicts, resolution)
        conflict = conflicts.relationships[position]
        if refused := _CONTRADICTION if answer.conflict in twice else _refuse_relationship(conflict, answer):
            _refuse(decisions, decision.about, f"{answer.action} with relationship {answer.relationship_id}: {refused}")
            continue
        chosen[position] = resolution
        _accept(decisions, decision.model_copy(update={"decided_by": "model"}))
    # one answer may end what another one confirms; that each is sound by itself does not show it
    merged = {r.relationship_id for r in chosen.values() if r.action == "merge"}
    for rule in rules:
        ended = chosen[rule.conflict]
        if ended.action == "supersede" and ended.relationship_id in merged:
            chosen[rule.conflict] = rule
            decision = relationship_decision(conflicts, rule)
            _accept(decisions, decision)
            _refuse(decisions, decision.about, f"supersede relationship {ended.relationship_id}: this run confirms it")
    return list(chosen.values())


def _placed(answers: Sequence[_Answer], positions: list[int]) -> Iterator[tuple[_Answer, int]]:
    """Answers with the positions of their conflicts among all conflicts of the run."""
    return ((answer, positions[answer.conflict]) for answer in answers if 0 <= answer.conflict < len(positions))


def _refuse_entity(conflict: ConflictEntity, answer: EntityResolution) -> str | None:
    if answer.action == "create":
        return None if answer.entity_id is None else "a new entity has no id yet"
    candidates = {stored.id for stored in conflict.shortterm_entities}
    if answer.entity_id is None or answer.entity_id not in candidates:
        return "not among the conflict's candidates"
    if answer.entity_id not in conflict.possible:
        return "the names are not similar enough, or the types exclude each other"
    return None


def _refuse_relationship(conflict: ConflictRelationship, answer: RelationshipResolution) -> str | None:
    if answer.action == "create":
        return None if answer.relationship_id is None else "a new relationship has no id yet"
    same = {conflict.shortterm_relationships[i].id for i in same_ends(conflict)}
    candidates = same if answer.action == "merge" else {s.id for s in conflict.shortterm_relationships}
    return None if answer.relationship_id in candidates else "not among the conflict's candidates"


def _note_strangers(
    conflicts: ConsolidationConflicts, proposed: ConsolidationPlan, decisions: dict[About, Decision]
) -> None:
    """Put what a model said about things outside the conflicts on record."""
    known = {s.section_id for s in conflicts.sections if asked(s)}
    strangers = [About(kind="section", section_id=s.section_id) for s in proposed.sections if s.section_id not in known]
    strangers += [
        About(kind="entity_conflict", position=a.conflict)
        for a in proposed.entities
        if not 0 <= a.conflict < len(open_entities(conflicts))
    ]
    count = len(open_relationships(conflicts))
    strangers += [
        About(kind="relationship_conflict", position=a.conflict)
        for a in proposed.relationships
        if not 0 <= a.conflict < count
    ]
    for about in strangers:
        _refuse(decisions, about, "not among the conflicts")


def _accept(decisions: dict[About, Decision], decision: Decision) -> None:
    """Put a decision on record, along with what was refused about the same."""
    known = decisions.get(decision.about)
    decisions[decision.about] = decision.model_copy(update={"refused": known and known.refused})


def _refuse(decisions: dict[About, Decision], about: About, refused: str) -> None:
    """Put on record what was refused, along with what was refused before about the same."""
    known = decisions.get(about) or Decision(
        about=about, action="ignore", decided_by="rules", reason="not among the conflicts"
    )
    refusals = f"{known.refused}; {refused}" if known.refused else refused
    decisions[about] = known.model_copy(update={"refused": refusals})
