"""Turns conflicts into a plan by rules."""

from collections import Counter
from collections.abc import Mapping, Sequence

from langgraph_agentmem.models.about import About
from langgraph_agentmem.models.base import Value
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
    RecommendedAction,
    RelationshipResolution,
    Replacement,
    SectionResolution,
)
from langgraph_agentmem.policies import matching, naming
from langgraph_agentmem.policies.matching import overlap_coefficient
from langgraph_agentmem.policies.statements import words_of

_ASKED = 12
"""About so many chunks of a section a model is asked in any case."""
_COMPARED = 8
"""With so many new chunks at most, those that share most words, an existing one is compared statement by statement."""


class DecidedPlan(Value):
    """A plan, and a line of report for each of its parts."""

    plan: ConsolidationPlan
    decisions: list[Decision]


def replacements(
    existing: Sequence[ConflictChunk], new: Sequence[ConflictChunk], precision: float
) -> list[Replacement]:
    """For each chunk that a section no longer holds, the new one that is closest to it, and how they relate.

    Args:
        existing: Consolidated chunks that the section no longer holds.
        new: Its chunks that no run has seen.
        precision: How often the endings by a rule must be right for the rule to be followed.
    """
    postings = _postings(new)
    form = matching.section_form(new)
    matches: list[Replacement] = []
    for old in existing:
        compared = [
            (matching.compare(old, candidate, precision, form), candidate) for candidate in _nearest(old, new, postings)
        ]
        # the new chunk that says most of it anew, else the one that perhaps does; of equal ones, the oldest
        match, candidate = max(
            compared, key=lambda c: (c[0].replaced, c[0].unclear, c[0].similarity, -c[1].id), default=(None, None)
        )
        # what shares no word with anything new was removed, and there is nothing to ask about
        if match and candidate and (match.replaced or match.unclear or match.similarity):
            matches.append(
                Replacement(
                    chunk_id=old.id,
                    replaced_by=candidate.id,
                    relation="unclear" if match.unclear else "replaced" if match.replaced else "unrelated",
                    rule=match.rule,
                    replaced=match.replaced,
                    similarity=match.similarity,
                    leftover=match.leftover if match.replaced else "",
                )
            )
    return matches


def relationship_action(conflict: ConflictRelationship, overlapping: float) -> RecommendedAction:
    """What the rule for relationships recommends, given those between the same ends or from the same source."""
    same = same_ends(conflict)
    if any(
        overlap_coefficient(conflict.active_relationship.types, conflict.shortterm_relationships[i].types)
        >= overlapping
        for i in same
    ):
        return "merge"
    return "manual" if conflict.shortterm_relationships else "create"


def rules_plan(conflicts: ConsolidationConflicts) -> DecidedPlan:
    """The complete plan that the rules alone would carry out."""
    decisions: list[Decision] = []
    sections = [_section_by_rule(section, decisions) for section in conflicts.sections]
    entities = [_entity_by_rule(i, conflict) for i, conflict in enumerate(conflicts.entities)]
    relationships = [_relationship_by_rule(i, conflict) for i, conflict in enumerate(conflicts.relationships)]
    decisions += [entity_decision(conflicts, r) for r in entities]
    decisions += [relationship_decision(conflicts, r) for r in relationships]
    return DecidedPlan(
        plan=ConsolidationPlan(sections=sections, entities=entities, relationships=relationships), decisions=decisions
    )


def asked(section: ConflictSection) -> list[Replacement]:
    """About which of a section's chunks a model is asked: all that the rules are unsure of, and some besides.

    These are the most similar of those that nothing new replaces as far as the rules can see, until there are `_ASKED`:
    a model may see that they are corrected in words of their own.
    """
    doubtful = [r for r in section.replacements if not r.clear]
    others = sorted((r for r in section.replacements if r.relation == "unrelated"), key=lambda r: -r.similarity)
    chosen = {r.chunk_id for r in (*doubtful, *others[: max(_ASKED - len(doubtful), 0)])}
    return [r for r in section.replacements if r.chunk_id in chosen]


def unclear(conflicts: ConsolidationConflicts) -> ConsolidationConflicts | None:
    """What a model is asked about; None if there is nothing."""
    sections = [
        section.model_copy(update={"replacements": replacements})
        for section in conflicts.sections
        if (replacements := asked(section))
    ]
    open_ = conflicts.model_copy(
        update={
            "sections": sections,
            "entities": [conflicts.entities[i] for i in open_entities(conflicts)],
            "relationships": [conflicts.relationships[i] for i in open_relationships(conflicts)],
        }
    )
    return open_ if open_.sections or open_.entities or open_.relationships else None


def unclear_pairs(
    conflicts: ConsolidationConflicts,
    plan: ConsolidationPlan,
    decisions: Sequence[Decision],
    leftovers: Mapping[int, int],
) -> list[tuple[int, int]]:
    """(chunk, the new chunk that perhaps takes its place) of what nobody has decided.

    Args:
        conflicts: The run's.
        plan: What it does.
        decisions: The report's lines; what a model or a person decides, or is asked about, is settled.
        leftovers: By the chunk that was superseded, the one that holds what is left of it.
    """
    lines = {decision.about: decision for decision in decisions}
    superseded = {d.chunk_id for section in plan.sections for d in section.decisions if d.action == "supersede"}
    pairs: list[tuple[int, int]] = []
    for section in conflicts.sections:
        for replacement in (r for r in section.replacements if r.relation == "unclear"):
            line = lines.get(About.chunk(section.section_id, replacement.chunk_id))
            if line is not None and (line.decided_by != "rules" or line.action == "park"):
                continue
            id = replacement.chunk_id
            left = leftovers.get(id) if id in superseded else id
            if left is not None:
                pairs.append((left, replacement.replaced_by))
    return pairs


def _section_by_rule(section: ConflictSection, decisions: list[Decision]) -> SectionResolution:
    chosen: list[ChunkDecision] = []
    by_chunk = {r.chunk_id: r for r in section.replacements}
    for chunk in section.existing_chunks:
        replacement = by_chunk.get(chunk.id)
        if replacement and replacement.replaced:
            says = "says it again" if replacement.rule == "restated" else f"replaces it (rule: {replacement.rule})"
            reason = f"chunk {replacement.replaced_by} {says}"
            reason += "; the rest of it stays valid" if replacement.leftover else ""
            decision = ChunkDecision(
                chunk_id=chunk.id,
                action="supersede",
                replaced_by=replacement.replaced_by,
                reason=reason,
                leftover=replacement.leftover,
            )
        else:
            reason = "removed from the section, but nothing new contradicts it"
            if replacement and not replacement.clear:
                reason = f"unclear: chunk {replacement.replaced_by} may take its place, so both stay"
            decision = ChunkDecision(chunk_id=chunk.id, action="keep", reason=reason)
        chosen.append(decision)
        decisions.append(
            Decision(
                about=About.chunk(section.section_id, chunk.id),
                action=decision.action,
                decided_by="rules",
                reason=reason,
            )
        )
    return SectionResolution(section_id=section.section_id, decisions=chosen)


def open_entities(conflicts: ConsolidationConflicts) -> list[int]:
    """Positions of the entities about which the rules are not sure."""
    return [i for i, conflict in enumerate(conflicts.entities) if conflict.recommended_action == "manual"]


def open_relationships(conflicts: ConsolidationConflicts) -> list[int]:
    """Positions of the relationships about which the rules are not sure."""
    return [i for i, conflict in enumerate(conflicts.relationships) if conflict.recommended_action == "manual"]


def _entity_by_rule(index: int, conflict: ConflictEntity) -> EntityResolution:
    if conflict.recommended_action == "merge":
        stored = next(e for e in conflict.shortterm_entities if e.id == conflict.recommended_entity_id)
        reason = f"same name as {stored.name!r}, fitting types"
        return EntityResolution(conflict=index, action="merge", entity_id=stored.id, reason=reason)
    possible = [e.name for e in conflict.shortterm_entities if e.id in conflict.possible]
    reason = f"it may be {' or '.join(map(repr, possible))}, but that is not sure" if possible else _none_like(conflict)
    return EntityResolution(conflict=index, action="create", reason=reason)


def _none_like(conflict: ConflictEntity) -> str:
    name = conflict.active_entity.name
    if any(naming.same(stored.name, name) for stored in conflict.shortterm_entities):
        return "the same name, but of another kind"
    return "no name that means the same"


def _relationship_by_rule(index: int, conflict: ConflictRelationship) -> RelationshipResolution:
    if conflict.recommended_action == "merge":
        types = conflict.active_relationship.types
        stored = max(
            (conflict.shortterm_relationships[i] for i in same_ends(conflict)),
            key=lambda s: (overlap_coefficient(types, s.types), -s.id),
        )
        return RelationshipResolution(
            conflict=index, action="merge", relationship_id=stored.id, reason="same ends, fitting types"
        )
    reason = "none of that kind between these two" if conflict.shortterm_relationships else "none from this source yet"
    return RelationshipResolution(conflict=index, action="create", reason=reason)


def same_ends(conflict: ConflictRelationship) -> list[int]:
    """Positions of the stored relationships that have the new one's ends."""
    mine = conflict.active_relationship
    stored = conflict.shortterm_relationships
    return [
        i for i, s in enumerate(stored) if naming.same(s.source, mine.source) and naming.same(s.target, mine.target)
    ]


def entity_decision(conflicts: ConsolidationConflicts, resolution: EntityResolution) -> Decision:
    """The report's line on an entity."""
    entity = conflicts.entities[resolution.conflict].active_entity
    about = About.entity(entity.name, resolution.conflict)
    return Decision(about=about, action=resolution.action, decided_by="rules", reason=resolution.reason)


def relationship_decision(conflicts: ConsolidationConflicts, resolution: RelationshipResolution) -> Decision:
    """The report's line on a relationship."""
    item = conflicts.relationships[resolution.conflict].active_relationship
    about = About.relationship(item.source, item.target, resolution.conflict)
    return Decision(about=about, action=resolution.action, decided_by="rules", reason=resolution.reason)


def _postings(new: Sequence[ConflictChunk]) -> dict[str, list[int]]:
    postings: dict[str, list[int]] = {}
    for index, chunk in enumerate(new):
        for word in dict.fromkeys(words_of(chunk.content)):
            postings.setdefault(word, []).append(index)
    return postings


def _nearest(old: ConflictChunk, new: Sequence[ConflictChunk], postings: dict[str, list[int]]) -> list[ConflictChunk]:
    if len(new) <= _COMPARED:
        return list(new)
    # words that many chunks hold tell little apart, and would take long
    rare = (holders for word in dict.fromkeys(words_of(old.content)) if len(holders := postings.get(word, [])) <= 50)
    shared = Counter(index for holders in rare for index in holders)
    return [new[index] for index, _ in shared.most_common(_COMPARED)]
