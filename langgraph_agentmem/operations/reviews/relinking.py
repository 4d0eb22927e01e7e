"""Carries out a review's decisions on entities and relationships."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from langgraph_agentmem.models.entity import ExtractedEntity, ExtractedRelationship
from langgraph_agentmem.models.review import ReviewDecision, TombstoneKey
from langgraph_agentmem.operations.runs.graph_changes import GraphRecorder
from langgraph_agentmem.policies import deciding
from langgraph_agentmem.storage import graph, reviews
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.graph import EntityRow, NamedRelationshipRow, RelationshipRow
from langgraph_agentmem.storage.reviews import DisputeRow

SOURCE = "review"
_GONE = "one of the two is not there any more"


@dataclass
class ReviewWork:
    """The state of one review: what was changed, for the report and the undo.

    Attributes:
        run_id: Of the run that the review is logged as.
        superseded: (chunk, the chunk that took its place).
        written: Chunks that it wrote.
        rejected: (dispute, what it keeps from coming back).
        apart: (new entity, existing one) that are to stay two.
        outdated: By dispute, why its decision cannot be carried out any more.
    """

    connection: Connection
    external_id: str
    memory_id: int
    run_id: str
    recorder: GraphRecorder
    superseded: list[tuple[int, int | None]] = field(default_factory=list[tuple[int, int | None]])
    written: list[int] = field(default_factory=list[int])
    rejected: list[tuple[int, TombstoneKey]] = field(default_factory=list[tuple[int, TombstoneKey]])
    apart: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    outdated: dict[int, str] = field(default_factory=dict[int, str])


@dataclass
class _DisputedGraph:
    """Disputed entities and relationships, as they are under the lock."""

    entities: Mapping[int, EntityRow]
    relationships: Mapping[int, RelationshipRow]
    links: Sequence[NamedRelationshipRow]
    chunks: Mapping[tuple[str, int], list[int]]

    def links_of(self, entity: EntityRow) -> list[NamedRelationshipRow]:
        """The relationships that an entity takes part in."""
        return [link for link in self.links if entity.id in (link.source_id, link.target_id)]

    def extracted(self, row: EntityRow) -> ExtractedEntity:
        """An entity as an extractor would have found it."""
        return ExtractedEntity(**row.model_dump(include=_ENTITY), chunk_ids=self.chunks.get(("entity", row.id), []))

    def extracted_link(self, row: NamedRelationshipRow) -> ExtractedRelationship:
        """A relationship as an extractor would have found it."""
        chunk_ids = self.chunks.get(("relationship", row.id), [])
        return ExtractedRelationship(**row.model_dump(include=_LINK), chunk_ids=chunk_ids)


_ENTITY = {"name", "types", "description", "confidence", "importance"}
_LINK = {"source", "target", "types", "description", "confidence", "strength"}

DecidedRows = Sequence[tuple[DisputeRow, ReviewDecision]]


async def record(work: ReviewWork, decided: DecidedRows) -> None:
    """Record what decisions on entities and relationships do; what cannot be done is noted in `work.outdated`."""
    mine = [(row, decision) for row, decision in decided if row.kind in {"entity", "relationship"}]
    if not mine:
        return
    present = await _present(work, [row for row, _ in mine])
    for row, decision in mine:
        if row.kind == "relationship":
            _record_relationship(work, present, row, decision)
    for row, decision in mine:  # entities last: with one of them, its relationships move or go
        if row.kind == "entity":
            _record_entity(work, present, row, decision)


async def _present(work: ReviewWork, rows: Sequence[DisputeRow]) -> _DisputedGraph:
    def ids(kind: str) -> list[int]:
        return sorted({id for row in rows if row.kind == kind for id in (*row.existing_ids, row.new_id) if id})

    entities, relationships = await graph.by_id(work.connection, work.external_id, ids("entity"), ids("relationship"))
    links = await graph.links_of(work.connection, work.external_id, ids("entity"))
    linked = sorted({*ids("relationship"), *(link.id for link in links)})
    chunks: dict[tuple[str, int], list[int]] = {}
    for support in await reviews.supports(work.connection, work.external_id, ids("entity"), linked):
        if support.entity_id is not None:
            chunks.setdefault(("entity", support.entity_id), []).append(support.source.chunk_id)
        elif support.relationship_id is not None:
            chunks.setdefault(("relationship", support.relationship_id), []).append(support.source.chunk_id)
    return _DisputedGraph(entities, relationships, links, chunks)


def _record_entity(work: ReviewWork, present: _DisputedGraph, row: DisputeRow, decision: ReviewDecision) -> None:
    existing, new = present.entities.get(row.existing_ids[0]), present.entities.get(row.new_id or 0)
    if decision.action == "reject":
        work.rejected += [(row.id, key) for key in deciding.entity_keys(row.traits["new"], row.traits["existing"])]
        if new is not None:
            links = [(link, present.extracted_link(link)) for link in present.links_of(new)]
            work.recorder.remove_entity(new, present.extracted(new), links)
    elif decision.action == "override" or (decision.action == "accept" and row.verdict.action == "merge"):
        if existing is None or new is None:
            work.outdated[row.id] = _GONE
        else:
            description = decision.text or row.verdict.text or None
            work.recorder.absorb_entity(existing, present.extracted(new), description, replaces=new.id)
            # before the row goes, which would take its relationships along
            work.recorder.move_links(present.links_of(new), new, existing)
            work.recorder.drop_entity(new)
    elif existing is not None and new is not None:
        work.apart.append((new.id, existing.id))


def _record_relationship(work: ReviewWork, present: _DisputedGraph, row: DisputeRow, decision: ReviewDecision) -> None:
    existing, new = present.relationships.get(row.existing_ids[0]), present.relationships.get(row.new_id or 0)
    parked_new, parked_existing = row.traits["new"], row.traits["existing"]
    if decision.action == "reject":
        pair = (parked_new, parked_existing) if decision.value == "new" else (parked_existing, parked_new)
        work.rejected += [(row.id, key) for key in deciding.relationship_keys(*pair)]
        _end(work, new if decision.value == "new" else existing)
    elif decision.action == "accept" and row.verdict.action == "supersede":
        _end(work, existing)
    elif decision.action == "override" or (decision.action == "accept" and row.verdict.action == "merge"):
        if existing is None or new is None or existing.end_date or new.end_date:
            work.outdated[row.id] = _GONE
        elif (existing.source_id, existing.target_id) != (new.source_id, new.target_id):
            work.outdated[row.id] = (
                "the two have different ends, so they cannot become one; accept, reject or keep both"
            )
        else:
            traits = new.model_dump(include={"types", "description", "confidence", "strength"})
            chunk_ids = present.chunks.get(("relationship", new.id), [])
            # the names of its ends as they were parked, everything else as it is now
            absorbed = ExtractedRelationship(**(parked_new | traits | {"chunk_ids": chunk_ids}))
            work.recorder.absorb_relationship(existing, absorbed, decision.text, replaces=new.id)
            work.recorder.drop_relationship(new)


def _end(work: ReviewWork, relationship: RelationshipRow | None) -> None:
    if relationship is not None:
        work.recorder.end([relationship.id])
