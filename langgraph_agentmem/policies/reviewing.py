"""Which of a run's decisions are left to a person, and what the run does meanwhile."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

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
    RelationshipResolution,
    Replacement,
    SectionResolution,
    StoredEntity,
)
from langgraph_agentmem.models.entity import ExtractedEntity, ExtractedRelationship
from langgraph_agentmem.models.review import ProposedChange, ReviewPolicy, Verdict
from langgraph_agentmem.policies import naming

Because = Literal["policy", "cap"]


class ChangeKey(NamedTuple):
    """Identifies a change: what it is about, and which values it is about to choose between."""

    about: About
    existing_ids: tuple[int, ...]
    new_id: int | None


def key_of(change: ProposedChange) -> ChangeKey:
    """What identifies a change within its plan, and in the plan that is left where chunks were deleted since."""
    return ChangeKey(change.about, tuple(change.existing_ids), change.new_id)


def changes(
    conflicts: ConsolidationConflicts, plan: ConsolidationPlan, decisions: Sequence[Decision]
) -> list[ProposedChange]:
    """The parts of a plan that a person may be asked about.

    These are all that end something's validity, all that the rules are not sure about, and entities that are merged
    under another name. That something is confirmed is no conflict.
    """
    lines = {decision.about: decision for decision in decisions}
    sections = {section.section_id: section for section in conflicts.sections}
    proposed: list[ProposedChange] = []
    for resolution in plan.sections:
        if section := sections.get(resolution.section_id):
            places = {chunk.id: place for place, chunk in enumerate(section.new_chunks)}
            proposed += sorted(_chunks(section, resolution, lines), key=lambda c: places.get(c.new_id or 0, -1))
            proposed += _merges(section, resolution, lines)
    proposed += [c for r in plan.entities if (c := _entity(conflicts.entities[r.conflict], r, lines))]
    proposed += [c for r in plan.relationships if (c := _relationship(conflicts.relationships[r.conflict], r, lines))]
    return proposed


def reserved(proposed: Sequence[ProposedChange], policy: ReviewPolicy, cap: int) -> dict[ChangeKey, Because]:
    """Which changes are left to a person, and why.

    Args:
        proposed: The plan's changes.
        policy: Whom to ask about what.
        cap: How much a run may supersede by itself. What the rules are sure about comes first.
    """
    asked: dict[ChangeKey, Because] = {key_of(change): "policy" for change in proposed if _asked(change, policy)}
    # what a person is asked about anyway does not use up what the run may do by itself
    left = cap
    rest = [change for change in proposed if key_of(change) not in asked and change.supersedes]
    for change in sorted(rest, key=lambda c: (not c.verdict.clear, c.verdict.decided_by == "model")):
        if change.supersedes > left:
            asked[key_of(change)] = "cap"
        else:
            left -= change.supersedes
    return asked


def park(
    plan: ConsolidationPlan,
    decisions: Sequence[Decision],
    proposed: Sequence[ProposedChange],
    parked: Mapping[ChangeKey, Because],
    kept: Iterable[ChangeKey] = (),
) -> tuple[ConsolidationPlan, list[Decision]]:
    """A plan and its report that leave both values of what is parked as they are.

    Args:
        plan: What the run was about to do.
        decisions: The report's lines on that.
        proposed: The plan's changes.
        parked: What is left to a person.
        kept: What waits for one already, or was decided so by one.
    """
    of = {key_of(change): change for change in proposed}
    set_aside = [of[key] for key in (*parked, *kept) if key in of]
    chunks = {c.existing_ids[0] for c in set_aside if c.kind == "chunk"}
    merges = [c.about for c in set_aside if c.kind == "merge"]
    entities = {c.conflict for c in set_aside if c.kind == "entity"}
    relationships = {c.conflict for c in set_aside if c.kind == "relationship"}
    left = ConsolidationPlan(
        sections=[_without(section, chunks, merges) for section in plan.sections],
        entities=[_own_entity(r) if r.conflict in entities else r for r in plan.entities],
        relationships=[_own_relationship(r) if r.conflict in relationships else r for r in plan.relationships],
    )
    reasons = {key: f"left to a person ({because})" for key, because in parked.items()}
    reasons |= dict.fromkeys(kept, "a person decides this, or has decided to keep both")
    notes = {about: reason for key, reason in reasons.items() if key in of for about in _lines_about(of[key])}
    return left, [_noted(decision, notes) for decision in decisions]


def in_a_line(name: str, types: Sequence[str], description: str) -> str:
    """An entity or relationship in one line: name, types, description."""
    typed = f"{name} ({', '.join(types)})" if types else name
    return f"{typed}: {description}" if description else typed


def named(relationship_source: str, target: str) -> str:
    """A relationship's name."""
    return f"{relationship_source} → {target}"


def _asked(change: ProposedChange, policy: ReviewPolicy) -> bool:
    if callable(policy):
        return bool(policy(change))
    return policy == "always" or (policy == "manual" and not change.verdict.clear)


def _chunks(
    section: ConflictSection, resolution: SectionResolution, lines: Mapping[About, Decision]
) -> Iterator[ProposedChange]:
    contents = {chunk.id: chunk.content for chunk in (*section.existing_chunks, *section.new_chunks)}
    replacements = {replacement.chunk_id: replacement for replacement in section.replacements}
    for decision in resolution.decisions:
        replacement = replacements.get(decision.chunk_id)
        by = decision.replaced_by or (replacement.replaced_by if replacement else None)
        # there is nothing to choose between: no other value, or nobody doubts that the old one stays
        if by is None or by not in contents or (decision.action == "keep" and (not replacement or replacement.clear)):
            continue
        about = About.chunk(section.section_id, decision.chunk_id)
        line = lines.get(about)
        yield ProposedChange(
            kind="chunk",
            section_id=section.section_id,
            existing_ids=[decision.chunk_id],
            existing=[contents[decision.chunk_id]],
            new_id=by,
            new=contents[by],
            about=about,
            verdict=Verdict(
                action=decision.action,
                decided_by=_by(line),
                reason=decision.reason,
                clear=replacement is None or _is_clear(replacement, decision),
                leftover=decision.leftover,
            ),
        )


def _is_clear(replacement: Replacement, decision: ChunkDecision) -> bool:
    """Whether the rules were sure of that: only a model ends what they see nothing new for."""
    return replacement.relation == "replaced" or (replacement.relation == "unrelated" and decision.action == "keep")


def _merges(
    section: ConflictSection, resolution: SectionResolution, lines: Mapping[About, Decision]
) -> Iterator[ProposedChange]:
    contents = {chunk.id: chunk.content for chunk in (*section.existing_chunks, *section.new_chunks)}
    for merge in resolution.merged:
        ids = list(dict.fromkeys(merge.chunk_ids))
        about = About.merge(section.section_id, merge.chunk_ids)
        verdict = Verdict(
            action="merge",
            decided_by=_by(lines.get(about)),
            reason=merge.reason,
            clear=False,
            text=merge.text,
            leftover=merge.leftover,
        )
        yield ProposedChange(
            kind="merge",
            section_id=section.section_id,
            existing_ids=ids,
            existing=[contents[id] for id in ids],
            new=merge.text,
            about=about,
            verdict=verdict,
        )


def _entity(
    conflict: ConflictEntity, resolution: EntityResolution, lines: Mapping[About, Decision]
) -> ProposedChange | None:
    new, clear = conflict.active_entity, conflict.recommended_action != "manual"
    stored = _candidate(conflict, resolution)
    if stored is None or (clear and naming.same(stored.name, new.name)):
        return None
    about = About.entity(new.name, resolution.conflict)
    return ProposedChange(
        kind="entity",
        existing_ids=[stored.id],
        existing=[in_a_line(stored.name, stored.types, stored.description)],
        new=_entity_line(new),
        conflict=resolution.conflict,
        about=about,
        verdict=Verdict(
            action=resolution.action,
            decided_by=_by(lines.get(about)),
            reason=resolution.reason,
            clear=clear,
            text=resolution.description or "",
        ),
    )


def _candidate(conflict: ConflictEntity, resolution: EntityResolution) -> StoredEntity | None:
    """The stored entity that a new one is merged into, or that it may be where nobody is sure."""
    if resolution.action == "merge":
        return next((e for e in conflict.shortterm_entities if e.id == resolution.entity_id), None)
    if conflict.recommended_action != "manual":
        return None
    possible = [e for e in conflict.shortterm_entities if e.id in conflict.possible]
    return max(possible, key=lambda e: (conflict.similarity_scores.get(e.id, 0.0), -e.id), default=None)


def _relationship(
    conflict: ConflictRelationship, resolution: RelationshipResolution, lines: Mapping[About, Decision]
) -> ProposedChange | None:
    new, clear = conflict.active_relationship, conflict.recommended_action != "manual"
    if clear and resolution.action != "supersede":
        return None
    stored = next((s for s in conflict.shortterm_relationships if s.id == resolution.relationship_id), None)
    # where nobody has named one, the first candidate stands for all
    stored = stored or next(iter(conflict.shortterm_relationships), None)
    if stored is None:
        return None
    about = About.relationship(new.source, new.target, resolution.conflict)
    return ProposedChange(
        kind="relationship",
        existing_ids=[stored.id],
        existing=[in_a_line(named(stored.source, stored.target), stored.types, stored.description)],
        new=_relationship_line(new),
        conflict=resolution.conflict,
        about=about,
        verdict=Verdict(
            action=resolution.action, decided_by=_by(lines.get(about)), reason=resolution.reason, clear=clear
        ),
    )


def _entity_line(entity: ExtractedEntity) -> str:
    return in_a_line(entity.name, entity.types, entity.description)


def _relationship_line(item: ExtractedRelationship) -> str:
    return in_a_line(named(item.source, item.target), item.types, item.description)


def _by(line: Decision | None) -> Literal["rules", "model"]:
    return "model" if line is not None and line.decided_by == "model" else "rules"


def _without(section: SectionResolution, chunks: set[int], merges: Sequence[About]) -> SectionResolution:
    decisions = [_kept(decision) if decision.chunk_id in chunks else decision for decision in section.decisions]
    merged = [m for m in section.merged if About.merge(section.section_id, m.chunk_ids) not in merges]
    return section.model_copy(update={"decisions": decisions, "merged": merged})


def _kept(decision: ChunkDecision) -> ChunkDecision:
    return decision.model_copy(update={"action": "keep", "replaced_by": None, "leftover": ""})


def _own_entity(resolution: EntityResolution) -> EntityResolution:
    return resolution.model_copy(update={"action": "create", "entity_id": None, "description": None})


def _own_relationship(resolution: RelationshipResolution) -> RelationshipResolution:
    return resolution.model_copy(update={"action": "create", "relationship_id": None})


def _lines_about(change: ProposedChange) -> list[About]:
    """What the report's lines on a change are about."""
    if change.kind != "merge":
        return [change.about]
    return [change.about, *(About.chunk(change.section_id or "", id) for id in change.existing_ids)]


def _noted(decision: Decision, notes: Mapping[About, str]) -> Decision:
    if decision.about not in notes:
        return decision
    proposed = f"{decision.action}, {decision.reason}" if decision.reason else decision.action
    reason = f"{notes[decision.about]}; proposed: {proposed}"
    return decision.model_copy(update={"action": "park", "reason": reason})
