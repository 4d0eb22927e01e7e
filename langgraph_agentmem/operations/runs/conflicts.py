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
)
from langgraph_agentmem.models.entity import ExtractedEntity, ExtractedRelationship, Extraction
from langgraph_agentmem.policies import merging, planning, validation
from langgraph_agentmem.policies.matching import overlap_coefficient
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.storage import chunks, graph, longterm
from langgraph_agentmem.storage.graph import EntityRow

_CANDIDATES = 5
_LONGEST_NAME = 250
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
            about, why = About(kind="extracted", names=names, position=position), "; ".join(reasons)
            decisions.append(Decision(about=about, action="ignore", decided_by="rules", reason=why, refused=why))
    return decisions


async def detect(resources: Resources, claim: Claim, extraction: Extraction) -> ConsolidationConflicts:
    """Everything that the run has to decide.

    Raises:
        EmbeddingError: The entities' names cannot be embedded.
    """
    known = {chunk.id for chunk in claim.chunks if chunk.to_extract}
    entities, relationships = _cleaned(extraction, known)
    vectors = await _name_vectors(resources, entities)
    model = await resources.embedding_model() if vectors else None
    tenant, memory_id = claim.external_id, claim.memory_id
    # sections without pending updates, too: a run that died may have taken chunks of theirs
    section_ids = sorted({s.section_id for s in claim.sections} | {c.section_id for c in claim.chunks})
    async with resources.database.transaction(tenant) as connection:
        vanished = await chunks.vanished(connection, tenant, memory_id, section_ids)
        shortterm = await longterm.shortterm(connection, tenant, memory_id)
        stored: list[EntityRow] = []
        links: list[ConflictRelationship] = [
            ConflictRelationship(active_relationship=r, recommended_action="create") for r in relationships
        ]
        scores: list[dict[int, float]] = [{} for _ in entities]
        # a memory's first run has nothing to compare with
        if shortterm and entities:
            stored = await graph.entities_of(connection, tenant, shortterm.id)
            if model:
                scores = await graph.similarities(connection, tenant, shortterm.id, vectors, model.id, _CANDIDATES)
        if shortterm and relationships:
            sources = [r.source for r in relationships]
            known_links = await graph.relationships_from(connection, tenant, shortterm.id, sources)
            links = [_relationship(resources, r, known_links) for r in relationships]
    return ConsolidationConflicts(
        external_id=tenant,
        active_memory_id=memory_id,
        shortterm_memory_id=shortterm and shortterm.id,
        created_at=datetime.now(UTC),
        sections=[_section(resources, claim, section_id, vanished) for section_id in section_ids],
        entities=[_entity(resources, e, stored, scores[i], model.id if model else -1) for i, e in enumerate(entities)],
        relationships=links,
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
    key = entity.name.casefold()
    # by vectors where there is one of this model, else by spelling
    similar = _by_ratio(key, [row for row in stored if row.embedding_model != model_id]) | scores
    # an equal name is the same name, whatever a model makes of it
    similar |= {row.id: 1.0 for row in stored if row.name_key == key}
    candidates = sorted(
        (row for row in stored if similar.get(row.id, 0.0) >= _MIN_SIMILARITY),
        key=lambda row: (-similar[row.id], row.id),
    )[:_CANDIDATES]
    similarities = {row.id: round(min(similar[row.id], 1.0), 4) for row in candidates}
    overlaps = {row.id: overlap_coefficient(entity.types, row.types) for row in candidates}
    action, recommended = planning.entity_recommendation(
        similarities, overlaps, settings.entity_similarity_threshold, settings.entity_overlap_threshold
    )
    return ConflictEntity(
        active_entity=entity,
        shortterm_entities=[StoredEntity.model_validate(row.model_dump()) for row in candidates],
        similarity_scores=similarities,
        recommended_action=action,
        recommended_entity_id=recommended,
    )


def _by_ratio(key: str, stored: Sequence[EntityRow]) -> dict[int, float]:
    from rapidfuzz import fuzz, process  # noqa: PLC0415 - fifty modules, which only runs need

    names = {row.id: row.name_key for row in stored}
    matches = process.extract(key, names, scorer=fuzz.ratio, limit=_CANDIDATES, score_cutoff=_MIN_SIMILARITY * 100)
    return {id: score / 100 for _, score, id in matches}


def _relationship(
    resources: Resources, relationship: ExtractedRelationship, stored: Sequence[graph.StoredRelationship]
) -> ConflictRelationship:
    """The stored relationships with the same ends, and those of the same kind from the same source."""
    ends = (relationship.source.casefold(), relationship.target.casefold())
    kinds = {type_.casefold() for type_ in relationship.types}
    candidates = [
        row
        for row in stored
        if row.source.casefold() == ends[0]
        and (row.target.casefold() == ends[1] or kinds & {type_.casefold() for type_ in row.types})
    ]
    conflict = ConflictRelationship(
        active_relationship=relationship, shortterm_relationships=candidates, recommended_action="create"
    )
    action = planning.relationship_action(conflict, resources.settings.entity_overlap_threshold)
    return conflict.model_copy(update={"recommended_action": action})


def _cleaned(extraction: Extraction, chunk_ids: set[int]) -> tuple[list[ExtractedEntity], list[ExtractedRelationship]]:
    """What an extractor found, without empty names and strange chunks, and with the ends of all relationships."""
    # an extractor of one's own may return what PostgreSQL cannot hold
    extraction = Extraction.model_validate(validation.storable(extraction.model_dump()))

    def support(ids: list[int]) -> list[int]:  # what names no chunk is supported by all, so that nothing outlives them
        return sorted(chunk_ids & set(ids)) or sorted(chunk_ids)

    relationships = [
        r.model_copy(update={**_named(r.source, r.target), "chunk_ids": support(r.chunk_ids)})
        for r in extraction.relationships
        if r.source.strip() and r.target.strip()
    ]
    # ends that were not listed as entities become such, with little confidence, as nothing else is known of them
    ends = [
        ExtractedEntity(name=name, confidence=min(r.confidence, 0.5), chunk_ids=r.chunk_ids)
        for r in relationships
        for name in (r.source, r.target)
    ]
    entities = [
        e.model_copy(update={"name": _one_line(e.name), "chunk_ids": support(e.chunk_ids)})
        for e in extraction.entities
        if e.name.strip()
    ]
    return merging.deduplicated_entities([*entities, *ends]), merging.deduplicated_relationships(relationships)


def _named(source: str, target: str) -> dict[str, str]:
    return {"source": _one_line(source), "target": _one_line(target)}


def _one_line(name: str) -> str:
    return " ".join(name.split())[:_LONGEST_NAME]
