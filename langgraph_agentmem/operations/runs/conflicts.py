"""Finds the conflicts between what a run brings and what is remembered."""

from collections.abc import Sequence
from datetime import UTC, datetime

from langgraph_agentmem.models.about import About
from langgraph_agentmem.models.claim import Claim
from langgraph_agentmem.models.conflict import (
    ConflictChunk,
    ConflictEntity,
    ConflictRelationship,
    ConflictSection,
    ConsolidationConflicts,
    Decision,
    StoredEntity,
    StoredRelationship,
)
from langgraph_agentmem.models.entity import ExtractedEntity, Extraction
from langgraph_agentmem.policies import extracting, identity, naming, planning, surroundings
from langgraph_agentmem.policies.extracting import FoundRelationship
from langgraph_agentmem.policies.identity import Known
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.storage import chunks, graph, longterm
from langgraph_agentmem.storage.driver.offloading import extent, worked
from langgraph_agentmem.storage.graph import EntityRow

_CANDIDATES = 5
_MIN_SIMILARITY = 0.6
"""Entities whose names are less similar are no candidates."""


def refused(claim: Claim, extraction: Extraction) -> list[Decision]:
    """What an extractor said that is not taken, for the run's report."""
    known = {chunk.id for chunk in claim.chunks if chunk.to_extract}
    things: list[tuple[tuple[str, ...], list[int]]] = [((e.name,), e.chunk_ids) for e in extraction.entities]
    things += [((r.source, r.target), r.chunk_ids) for r in extraction.relationships]
    decisions: list[Decision] = []
    for position, (names, chunk_ids) in enumerate(things):
        reasons = [] if all(name.strip() for name in names) else ["without a name"]
        if strangers := sorted(set(chunk_ids) - known):
            reasons.append(f"chunks {', '.join(map(str, strangers))} are not among those that it was shown")
        if reasons:
            decisions.append(_ignored(names, position, "; ".join(reasons)))
    unread = enumerate(extraction.refused, start=len(things))
    return decisions + [_ignored(finding.names, position, finding.reason) for position, finding in unread]


def _ignored(names: tuple[str, ...], position: int, why: str) -> Decision:
    about = About(kind="extracted", names=names, position=position)
    return Decision(about=about, action="ignore", decided_by="rules", reason=why, refused=why)


async def detect(resources: Resources, claim: Claim, extraction: Extraction) -> ConsolidationConflicts:
    """Everything that the run has to decide.

    Raises:
        EmbeddingError: The entities' names cannot be embedded.
    """
    known = {chunk.id for chunk in claim.chunks if chunk.to_extract}
    found = extracting.tidied(extraction, known)
    entities = found.entities
    vectors = await _name_vectors(resources, entities)
    model = await resources.embedding_model() if vectors else None
    tenant, memory_id = claim.external_id, claim.memory_id
    # sections without pending updates, too: a run that died may have taken chunks of theirs
    section_ids = sorted({s.section_id for s in claim.sections} | {c.section_id for c in claim.chunks})
    async with resources.database.transaction(tenant) as connection:
        vanished = await chunks.vanished(connection, tenant, memory_id, section_ids)
        shortterm = await longterm.shortterm(connection, tenant, memory_id)
        stored: list[EntityRow] = []
        known_links: list[StoredRelationship] = []
        scores: list[dict[int, float]] = [{} for _ in entities]
        # a memory's first run has nothing to compare with
        if shortterm and entities:
            stored = await graph.entities_of(connection, tenant, shortterm.id)
            if model:
                scores = await graph.similarities(connection, tenant, shortterm.id, vectors, model.id, _CANDIDATES)
        if shortterm and found.relationships:
            sources = [r.relationship.source for r in found.relationships]
            known_links = await graph.relationships_from(connection, tenant, shortterm.id, sources)
    sections = await worked(
        extent(chunk.content for chunk in (*claim.chunks, *vanished)),
        lambda: [_section(resources, claim, section_id, vanished) for section_id in section_ids],
    )
    if resources.model is not None and not claim.model_rests:
        sections = await _with_surroundings(resources, tenant, sections)
    conflicts = await worked(
        len(entities) * len(stored),
        lambda: [_entity(resources, e, stored, scores[i], model.id if model else -1) for i, e in enumerate(entities)],
    )
    return ConsolidationConflicts(
        external_id=tenant,
        active_memory_id=memory_id,
        shortterm_memory_id=shortterm and shortterm.id,
        created_at=datetime.now(UTC),
        sections=sections,
        entities=conflicts,
        relationships=[_relationship(resources, r, conflicts, known_links) for r in found.relationships],
    )


async def _name_vectors(resources: Resources, entities: Sequence[ExtractedEntity]) -> list[list[float]]:
    return await resources.embedder.embed([e.name for e in entities]) if resources.embedder and entities else []


def _section(
    resources: Resources, claim: Claim, section_id: str, vanished: Sequence[chunks.SectionChunk]
) -> ConflictSection:
    section = next((s for s in claim.sections if s.section_id == section_id), None)
    taken = [chunk for chunk in claim.chunks if chunk.section_id == section_id and (chunk.new or chunk.back)]
    # with those that a run which died had taken as new, and that an edit has replaced since
    gone = [*(c for c in vanished if c.section_id == section_id), *(c for c in taken if not c.current)]
    existing = [_shown(c) for c in gone]
    new = [_shown(c) for c in taken if c.current]
    return ConflictSection(
        section_id=section_id,
        section_content=section.content if section else "",
        update_count=section.update_count if section else 0,
        existing_chunks=existing,
        new_chunks=new,
        replacements=planning.replacements(existing, new, resources.settings.conflict_precision),
        metadata={"description": section.description} if section and section.description else {},
    )


async def _with_surroundings(
    resources: Resources, external_id: str, sections: list[ConflictSection]
) -> list[ConflictSection]:
    """Sections of which each old chunk that a model is asked about has the lines between which it stood."""
    ids = [replacement.chunk_id for section in sections for replacement in planning.asked(section)]
    if not ids:
        return sections
    async with resources.database.connection(external_id) as connection:
        found = await chunks.surroundings(connection, external_id, ids, surroundings.WINDOW)
    lines = {
        id: {"before": surroundings.line_before(before), "after": surroundings.line_after(after)}
        for id, (before, after) in found.items()
    }
    return [
        section.model_copy(
            update={"existing_chunks": [c.model_copy(update=lines.get(c.id, {})) for c in section.existing_chunks]}
        )
        for section in sections
    ]


def _shown(chunk: ConflictChunk) -> ConflictChunk:
    return ConflictChunk.model_validate(chunk.model_dump(include=set(ConflictChunk.model_fields)))


def _entity(
    resources: Resources,
    entity: ExtractedEntity,
    stored: Sequence[EntityRow],
    scores: dict[int, float],
    model_id: int | None,
) -> ConflictEntity:
    settings = resources.settings
    key = naming.key(entity.name)
    # by vectors where there is one of this model, else by spelling
    similar = _by_ratio(entity.name, [row for row in stored if row.embedding_model != model_id]) | scores
    # an equal name is the same name, whatever a model makes of it
    similar |= {row.id: 1.0 for row in stored if row.form_key == key}
    candidates = sorted(
        (row for row in stored if similar.get(row.id, 0.0) >= _MIN_SIMILARITY),
        key=lambda row: (-similar[row.id], row.id),
    )[:_CANDIDATES]
    similarities = {row.id: round(min(similar[row.id], 1.0), 4) for row in candidates}
    known = [
        Known(
            id=row.id,
            types=row.types,
            likeness=naming.likeness(entity.name, row.name, similarities[row.id], settings.entity_similarity_threshold),
        )
        for row in candidates
    ]
    recommended = identity.recommended(entity.types, known, settings.entity_overlap_threshold)
    return ConflictEntity(
        active_entity=entity,
        shortterm_entities=[StoredEntity.model_validate(row.model_dump()) for row in candidates],
        similarity_scores=similarities,
        possible=recommended.possible,
        recommended_action=recommended.action,
        recommended_entity_id=recommended.entity_id,
    )


def _by_ratio(name: str, stored: Sequence[EntityRow]) -> dict[int, float]:
    from rapidfuzz import fuzz, process  # noqa: PLC0415 - fifty modules, which only runs need

    names = {row.id: row.name.casefold() for row in stored}
    matches = process.extract(
        name.casefold(), names, scorer=fuzz.ratio, limit=_CANDIDATES, score_cutoff=_MIN_SIMILARITY * 100
    )
    return {id: score / 100 for _, score, id in matches}


def _relationship(
    resources: Resources,
    found: FoundRelationship,
    entities: Sequence[ConflictEntity],
    stored: Sequence[StoredRelationship],
) -> ConflictRelationship:
    """The stored relationships with the same ends, and those of the same kind from the same source."""
    kinds = {type_.casefold() for type_ in found.relationship.types}
    candidates = [
        row
        for row in stored
        if _may_be(entities[found.source], row.source_id, row.source)
        and (_may_be(entities[found.target], row.target_id, row.target) or kinds & {t.casefold() for t in row.types})
    ]
    conflict = ConflictRelationship(
        active_relationship=found.relationship,
        source_entity=found.source,
        target_entity=found.target,
        shortterm_relationships=candidates,
        recommended_action="create",
    )
    action = planning.relationship_action(conflict, resources.settings.entity_overlap_threshold)
    return conflict.model_copy(update={"recommended_action": action})


def _may_be(conflict: ConflictEntity, id: int, name: str) -> bool:
    """Whether a new entity may turn out to be a stored one; the name alone does not tell, as several may have it."""
    if conflict.recommended_action == "merge":
        return id == conflict.recommended_entity_id
    return id in conflict.possible and naming.same(conflict.active_entity.name, name)
