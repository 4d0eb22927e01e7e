"""What a person has rejected does not come back from text that was written before."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from langgraph_agentmem.models.about import About
from langgraph_agentmem.models.base import Value
from langgraph_agentmem.models.conflict import (
    ConflictChunk,
    ConflictEntity,
    ConflictRelationship,
    ConsolidationConflicts,
    ConsolidationPlan,
    Decision,
    MergedText,
    SectionResolution,
)
from langgraph_agentmem.models.review import TombstoneKey
from langgraph_agentmem.policies import forgetting, matching, naming
from langgraph_agentmem.policies.statements import statements

Old = Callable[[Iterable[int], TombstoneKey], set[int]]
"""Those of these chunks that were written before something was rejected."""
_AGAIN = "a person has rejected this, and no newer text says it"


class RejectedChunk(Value):
    """A new chunk that says again what a person has rejected.

    Attributes:
        leftover: What it says besides.
    """

    chunk_id: int
    section_id: str
    leftover: str


class Filtered(Value):
    """A plan without what a person has rejected."""

    plan: ConsolidationPlan
    conflicts: ConsolidationConflicts
    rejected: list[RejectedChunk]
    decisions: list[Decision]


def statement_keys(text: str) -> list[bytes]:
    """Identify the statements of a text; case, articles and punctuation do not count."""
    return [_hash("statement", *(matching.words_in_order(statement) or [statement])) for statement in statements(text)]


def merge_key(text: str) -> bytes:
    """Identifies a merged text."""
    return _hash("merge", *matching.words_in_order(text))


def entity_keys(name: str, types: Iterable[str] = ()) -> list[bytes]:
    """Identify an entity as being of these types; without any, the entity itself."""
    key = naming.key(name)
    return [_hash("entity", key, type_.casefold()) for type_ in types] or [_hash("entity", key)]


def relationship_keys(source: str, target: str, types: Iterable[str] = ()) -> list[bytes]:
    """Identify a relationship as being of these types; without any, the relationship itself."""
    ends = naming.key(source), naming.key(target)
    return [_hash("relationship", *ends, type_.casefold()) for type_ in types] or [_hash("relationship", *ends)]


def keys(conflicts: ConsolidationConflicts, plan: ConsolidationPlan, new: Iterable[ConflictChunk]) -> set[TombstoneKey]:
    """What of a run a person may have rejected."""
    rejectable: set[TombstoneKey] = {("statement", key) for chunk in new for key in statement_keys(chunk.content)}
    rejectable |= {("merge", merge_key(merge.text)) for section in plan.sections for merge in section.merged}
    for entity in (conflict.active_entity for conflict in conflicts.entities):
        rejectable |= {("entity", k) for k in (*entity_keys(entity.name), *entity_keys(entity.name, entity.types))}
    for item in (conflict.active_relationship for conflict in conflicts.relationships):
        ends = item.source, item.target
        rejectable |= {("relationship", k) for k in (*relationship_keys(*ends), *relationship_keys(*ends, item.types))}
    return rejectable


def new_chunks(conflicts: ConsolidationConflicts, taken: Iterable[int]) -> list[tuple[str, ConflictChunk]]:
    """(section, chunk) of those that no run has seen before."""
    ids = set(taken)
    return [
        (section.section_id, chunk)
        for section in conflicts.sections
        for chunk in (*section.new_chunks, *section.existing_chunks)
        if chunk.id in ids
    ]


def without_rejected(
    conflicts: ConsolidationConflicts,
    plan: ConsolidationPlan,
    taken: Iterable[int],
    rejected_at: Mapping[TombstoneKey, datetime],
    written_at: Mapping[int, datetime],
) -> Filtered:
    """A run without what a person has rejected, unless a newer text says it.

    Args:
        conflicts: The run's.
        plan: Its plan.
        taken: The chunks that it has taken as new.
        rejected_at: When what has these keys was last rejected.
        written_at: When the texts of chunks were written.
    """

    def old(chunk_ids: Iterable[int], key: TombstoneKey) -> set[int]:
        """Those of these chunks that were written before something was rejected."""
        at = rejected_at.get(key)
        return set() if at is None else {id for id in chunk_ids if id in written_at and written_at[id] <= at}

    rejected = _said_again(conflicts, taken, old)
    decisions = [_refused(About.chunk(chunk.section_id, chunk.chunk_id)) for chunk in rejected]
    entities, relationships = _filtered_entities(conflicts, old), _filtered_relationships(conflicts, old)
    filtered = conflicts.model_copy(update={"entities": entities, "relationships": relationships})
    decisions += _changed(conflicts, filtered)
    gone = {chunk.chunk_id for chunk in rejected}
    sections = [_section(section, gone, old, decisions) for section in plan.sections]
    # no chunk is gone; but what has lost all of its support above goes, and so do its relationships
    left, filtered = forgetting.without(plan.model_copy(update={"sections": sections}), filtered, [])
    return Filtered(plan=left, conflicts=filtered, rejected=rejected, decisions=decisions)


def _said_again(conflicts: ConsolidationConflicts, taken: Iterable[int], old: Old) -> list[RejectedChunk]:
    rejected: list[RejectedChunk] = []
    for section_id, chunk in new_chunks(conflicts, taken):
        keyed = list(zip(statements(chunk.content), statement_keys(chunk.content), strict=True))
        left = [statement for statement, key in keyed if not old([chunk.id], ("statement", key))]
        if len(left) < len(keyed):
            rejected.append(RejectedChunk(chunk_id=chunk.id, section_id=section_id, leftover="\n".join(left)))
    return rejected


def _changed(before: ConsolidationConflicts, after: ConsolidationConflicts) -> list[Decision]:
    abouts = [
        About.entity(old.active_entity.name, position)
        for position, (old, new) in enumerate(zip(before.entities, after.entities, strict=True))
        if old != new
    ]
    abouts += [
        About.relationship(old.active_relationship.source, old.active_relationship.target, position)
        for position, (old, new) in enumerate(zip(before.relationships, after.relationships, strict=True))
        if old != new
    ]
    return [_refused(about) for about in abouts]


def _filtered_entities(conflicts: ConsolidationConflicts, old: Old) -> list[ConflictEntity]:
    filtered: list[ConflictEntity] = []
    for conflict in conflicts.entities:
        entity = conflict.active_entity
        left = set(entity.chunk_ids) - old(entity.chunk_ids, ("entity", entity_keys(entity.name)[0]))
        keys: dict[str, TombstoneKey] = {
            type_: ("entity", entity_keys(entity.name, [type_])[0]) for type_ in entity.types
        }
        types = _types(keys, left, old)
        update = {"chunk_ids": _support(entity.chunk_ids, left, entity.types, types), "types": types}
        filtered.append(conflict.model_copy(update={"active_entity": entity.model_copy(update=update)}))
    return filtered


def _filtered_relationships(conflicts: ConsolidationConflicts, old: Old) -> list[ConflictRelationship]:
    filtered: list[ConflictRelationship] = []
    for conflict in conflicts.relationships:
        item = conflict.active_relationship
        ends = item.source, item.target
        left = set(item.chunk_ids) - old(item.chunk_ids, ("relationship", relationship_keys(*ends)[0]))
        keys: dict[str, TombstoneKey] = {
            type_: ("relationship", relationship_keys(*ends, [type_])[0]) for type_ in item.types
        }
        types = _types(keys, left, old)
        update = {"chunk_ids": _support(item.chunk_ids, left, item.types, types), "types": types}
        filtered.append(conflict.model_copy(update={"active_relationship": item.model_copy(update=update)}))
    return filtered


def _types(keys: Mapping[str, TombstoneKey], chunk_ids: set[int], old: Old) -> list[str]:
    """Those of these types that some chunk states which is newer than their rejection."""
    return [type_ for type_, key in keys.items() if not chunk_ids or chunk_ids - old(chunk_ids, key)]


def _support(chunk_ids: list[int], left: set[int], types: Sequence[str], left_types: Sequence[str]) -> list[int]:
    """The chunks that still state something; none where all that they state was rejected."""
    return [id for id in chunk_ids if id in left] if left_types or not types else []


def _section(section: SectionResolution, gone: set[int], old: Old, decisions: list[Decision]) -> SectionResolution:
    kept = [decision for decision in section.decisions if decision.replaced_by not in gone]
    decisions += [
        _refused(About.chunk(section.section_id, d.chunk_id), "keep", "what would replace it was rejected by a person")
        for d in section.decisions
        if d.replaced_by in gone
    ]
    merged = [merge for merge in section.merged if not _again(merge, gone, old)]
    decisions += [_refused(About.merge(section.section_id, m.chunk_ids)) for m in section.merged if m not in merged]
    return section.model_copy(update={"decisions": kept, "merged": merged})


def _again(merge: MergedText, gone: set[int], old: Old) -> bool:
    sources = set(merge.chunk_ids)
    return bool(sources & gone) or old(sources, ("merge", merge_key(merge.text))) == sources


def _refused(about: About, action: str = "reject", reason: str = _AGAIN) -> Decision:
    return Decision(about=about, action=action, decided_by="person", reason=reason)


def _hash(*parts: str) -> bytes:
    return hashlib.sha256("\0".join(parts).encode()).digest()
