"""Which of a run's decisions are left to a person, and what the run does meanwhile."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

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
    SectionResolution,
    StoredEntity,
)
from langgraph_agentmem.models.entity import ExtractedEntity, ExtractedRelationship
from langgraph_agentmem.models.review import DisputeKind, ProposedChange, ReviewPolicy, Verdict
from langgraph_agentmem.policies.planning import chunk_part, entity_part, merge_part, relationship_part

Because = Literal["policy", "cap"]
Key = tuple[DisputeKind, str | None, tuple[int, ...], int | None, str]
"""Identifies a change within a plan."""


def key_of(change: ProposedChange) -> Key:
    """What identifies a change within its plan."""
    return change.kind, change.section_id, tuple(change.existing_ids), change.new_id, change.part


def changes(
    conflicts: ConsolidationConflicts, plan: ConsolidationPlan, decisions: Sequence[Decision]
) -> list[ProposedChange]:
    """The parts of a plan that a person may be asked about.

    These are all that end something's validity, all that the rules are not sure about, and entities that are merged
    under another name. That something is confirmed is no conflict.
    """
    lines = {decision.part: decision for decision in decisions}
    sections = {section.section_id: section for section in conflicts.sections}
    found: list[ProposedChange] = []
    for resolution in plan.sections:
        if section := sections.get(resolution.section_id):
            places = {chunk.id: place for place, chunk in enumerate(section.new_chunks)}
            found += sorted(_chunks(section, resolution, lines), key=lambda c: places.get(c.new_id or 0, -1))
            found += _merges(section, resolution, lines)
    found += [c for r in plan.entities if (c := _entity(conflicts.entities[r.conflict], r, lines))]
    found += [c for r in plan.relationships if (c := _relationship(conflicts.relationships[r.conflict], r, lines))]
    return found


def reserved(found: Sequence[ProposedChange], policy: ReviewPolicy, cap: int) -> dict[Key, Because]:
    """Which changes are left to a person, and why.

    Args:
        found: The plan's.
        policy: Whom to ask about what.
        cap: How much a run may supersede by itself. What the rules are sure about comes first.
    """
    asked: dict[Key, Because] = {key_of(change): "policy" for change in found if _asked(change, policy)}
    left = cap
    rest = [change for change in found if key_of(change) not in asked and change.supersedes]
    for change in sorted(rest, key=lambda c: (not c.verdict.clear, c.verdict.decided_by == "model")):
        if change.supersedes > left:
            asked[key_of(change)] = "cap"
        else:
            left -= change.supersedes
    return asked


def park(
    conflicts: ConsolidationConflicts,
    plan: ConsolidationPlan,
    decisions: Sequence[Decision],
    parked: Mapping[Key, Because],
    kept: Iterable[Key] = (),
) -> tuple[ConsolidationPlan, list[Decision]]:
    """A plan and its report that leave both values of what is parked as they are.

    Args:
        conflicts: The run's.
        plan: What it was about to do.
        decisions: The report's lines on that.
        parked: What is left to a person.
        kept: What waits for one already, or was decided so by one.
    """
    of = {key_of(change): change for change in changes(conflicts, plan, decisions)}
    set_aside = [of[key] for key in (*parked, *kept) if key in of]
    chunks = {c.existing_ids[0] for c in set_aside if c.kind == "chunk"}
    merges = {(c.section_id, c.part) for c in set_aside if c.kind == "merge"}
    entities = {c.conflict for c in set_aside if c.kind == "entity"}
    relationships = {c.conflict for c in set_aside if c.kind == "relationship"}
    left = ConsolidationPlan(
        sections=[_without(section, chunks, merges) for section in plan.sections],
        entities=[_own_entity(r) if r.conflict in entities else r for r in plan.entities],
        relationships=[_own_relationship(r) if r.conflict in relationships else r for r in plan.relationships],
    )
    reasons = {key: f"left to a person ({because})" for key, because in parked.items()}
    reasons |= dict.fromkeys(kept, "a person decides this, or has decided to keep both")
    said = {part: reason for key, reason in reasons.items() if key in of for part in _parts(of[key])}
    return left, [_noted(decision, said) for decision in decisions]


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
    section: ConflictSection, resolution: SectionResolution, lines: Mapping[str, Decision]
) -> Iterator[ProposedChange]:
    contents = {chunk.id: chunk.content for chunk in (*section.existing_chunks, *section.new_chunks)}
    replacements = {replacement.chunk_id: replacement for replacement in section.replacements}
    for decision in resolution.decisions:
        found = replacements.get(decision.chunk_id)
        by = decision.replaced_by or (found.replaced_by if found else None)
        if by is None or by not in contents or (decision.action == "keep" and (not found or found.clear)):
            continue
        part = chunk_part(section.section_id, decision.chunk_id)
        line = lines.get(part)
        yield ProposedChange(
            kind="chunk",
            section_id=section.section_id,
            existing_ids=[decision.chunk_id],
            existing=[contents[decision.chunk_id]],
            new_id=by,
            new=contents[by],
            part=part,
            verdict=Verdict(
                action=decision.action,
                decided_by=_by(line),
                reason=decision.reason,
                clear=found is None or found.clear,
                leftover=decision.leftover,
            ),
        )


def _merges(
    section: ConflictSection, resolution: SectionResolution, lines: Mapping[str, Decision]
) -> Iterator[ProposedChange]:
    contents = {chunk.id: chunk.content for chunk in (*section.existing_chunks, *section.new_chunks)}
    for merge in resolution.merged:
        ids = list(dict.fromkeys(merge.chunk_ids))
        part = merge_part(section.section_id, merge.chunk_ids)
        verdict = Verdict(
            action="merge",
            decided_by=_by(lines.get(part)),
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
            part=part,
            verdict=verdict,
        )


def _entity(
    conflict: ConflictEntity, resolution: EntityResolution, lines: Mapping[str, Decision]
) -> ProposedChange | None:
    new, clear = conflict.active_entity, conflict.recommended_action != "manual"
    stored = _candidate(conflict, resolution)
    if stored is None or (clear and stored.name.casefold() == new.name.casefold()):
        return None
    part = entity_part(new.name, resolution.conflict)
    return ProposedChange(
        kind="entity",
        existing_ids=[stored.id],
        existing=[in_a_line(stored.name, stored.types, stored.description)],
        new=_entity_line(new),
        conflict=resolution.conflict,
        part=part,
        verdict=Verdict(
            action=resolution.action,
            decided_by=_by(lines.get(part)),
            reason=resolution.reason,
            clear=clear,
            text=resolution.description or "",
        ),
    )


def _candidate(conflict: ConflictEntity, resolution: EntityResolution) -> StoredEntity | None:
    """The stored entity that a new one is merged into, or that it may be where nobody is sure."""
    if resolution.action == "merge":
        return next((e for e in conflict.shortterm_entities if e.id == resolution.entity_id), None)
    if conflict.recommended_action != "manual" or not conflict.shortterm_entities:
        return None
    return max(conflict.shortterm_entities, key=lambda e: (conflict.similarity_scores.get(e.id, 0.0), -e.id))


def _relationship(
    conflict: ConflictRelationship, resolution: RelationshipResolution, lines: Mapping[str, Decision]
) -> ProposedChange | None:
    new, clear = conflict.active_relationship, conflict.recommended_action != "manual"
    if clear and resolution.action != "supersede":
        return None
    stored = next((s for s in conflict.shortterm_relationships if s.id == resolution.relationship_id), None)
    stored = stored or next(iter(conflict.shortterm_relationships), None)
    if stored is None:
        return None
    part = relationship_part(new.source, new.target, resolution.conflict)
    return ProposedChange(
        kind="relationship",
        existing_ids=[stored.id],
        existing=[in_a_line(named(stored.source, stored.target), stored.types, stored.description)],
        new=_relationship_line(new),
        conflict=resolution.conflict,
        part=part,
        verdict=Verdict(
            action=resolution.action, decided_by=_by(lines.get(part)), reason=resolution.reason, clear=clear
        ),
    )


def _entity_line(entity: ExtractedEntity) -> str:
    return in_a_line(entity.name, entity.types, entity.description)


def _relationship_line(item: ExtractedRelationship) -> str:
    return in_a_line(named(item.source, item.target), item.types, item.description)


def _by(line: Decision | None) -> Literal["rules", "model"]:
    return "model" if line is not None and line.decided_by == "model" else "rules"


def _without(section: SectionResolution, chunks: set[int], merges: set[tuple[str | None, str]]) -> SectionResolution:
    decisions = [_kept(decision) if decision.chunk_id in chunks else decision for decision in section.decisions]
    merged = [
        m for m in section.merged if (section.section_id, merge_part(section.section_id, m.chunk_ids)) not in merges
    ]
    return section.model_copy(update={"decisions": decisions, "merged": merged})


def _kept(decision: ChunkDecision) -> ChunkDecision:
    return decision.model_copy(update={"action": "keep", "replaced_by": None, "leftover": ""})


def _own_entity(resolution: EntityResolution) -> EntityResolution:
    return resolution.model_copy(update={"action": "create", "entity_id": None, "description": None})


def _own_relationship(resolution: RelationshipResolution) -> RelationshipResolution:
    return resolution.model_copy(update={"action": "create", "relationship_id": None})


def _parts(change: ProposedChange) -> list[str]:
    """The lines of the report about a change."""
    if change.kind != "merge":
        return [change.part]
    return [change.part, *(chunk_part(change.section_id or "", id) for id in change.existing_ids)]


def _noted(decision: Decision, said: Mapping[str, str]) -> Decision:
    if decision.part not in said:
        return decision
    reason = f"{said[decision.part]}; proposed: {decision.action}" + (f", {decision.reason}" if decision.reason else "")
    return decision.model_copy(update={"action": "park", "reason": reason})
