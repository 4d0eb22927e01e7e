"""Carries out a review's decisions on entities and relationships."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from langgraph_agentmem.models.base import Json
from langgraph_agentmem.models.entity import ExtractedEntity, ExtractedRelationship
from langgraph_agentmem.models.review import Key, ReviewDecision
from langgraph_agentmem.policies import deciding, merging
from langgraph_agentmem.storage import graph, reviews, support
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.graph import EntityRow, HistoryEntry, Merge, NamedRelationshipRow, RelationshipRow
from langgraph_agentmem.storage.reviews import DisputeRow

SOURCE = "review"
_GONE = "one of the two is not there any more"


@dataclass
class ReviewWork:
    """The state of one review: what was changed, for the report, the history and the undo."""

    connection: Connection
    external_id: str
    memory_id: int
    run_id: str
    now: datetime
    changes: dict[str, list[Any]]
    history: list[HistoryEntry] = field(default_factory=list[HistoryEntry])
    rejected: list[tuple[int, Key]] = field(default_factory=list[tuple[int, Key]])
    stale: dict[int, str] = field(default_factory=dict[int, str])


@dataclass
class _Present:
    """Disputed entities and relationships, as they are under the lock."""

    entities: Mapping[int, EntityRow]
    relationships: Mapping[int, RelationshipRow]
    links: Sequence[NamedRelationshipRow]
    chunks: Mapping[tuple[str, int], list[int]]


Decided = Sequence[tuple[DisputeRow, ReviewDecision]]


async def carry_out(work: ReviewWork, decided: Decided) -> None:
    """Carry out decisions on entities and relationships; what cannot be is noted in `work.stale`."""
    mine = [(row, decision) for row, decision in decided if row.kind in {"entity", "relationship"}]
    if not mine:
        return
    present = await _present(work, [row for row, _ in mine])
    for row, decision in mine:
        if row.kind == "relationship":
            await _relationship(work, present, row, decision)
    for row, decision in mine:  # entities last: with one of them, its relationships move or go
        if row.kind == "entity":
            await _entity(work, present, row, decision)
    await graph.add_history(work.connection, work.external_id, work.history)


async def _present(work: ReviewWork, rows: Sequence[DisputeRow]) -> _Present:
    def ids(kind: str) -> list[int]:
        return sorted({id for row in rows if row.kind == kind for id in (*row.existing_ids, row.new_id) if id})

    entities, relationships = await graph.by_id(work.connection, work.external_id, ids("entity"), ids("relationship"))
    links = await graph.links_of(work.connection, work.external_id, ids("entity"))
    linked = sorted({*ids("relationship"), *(link.id for link in links)})
    chunks: dict[tuple[str, int], list[int]] = {}
    for found in await reviews.supports(work.connection, work.external_id, ids("entity"), linked):
        if found.entity_id is not None:
            chunks.setdefault(("entity", found.entity_id), []).append(found.source.chunk_id)
        elif found.relationship_id is not None:
            chunks.setdefault(("relationship", found.relationship_id), []).append(found.source.chunk_id)
    return _Present(entities, relationships, links, chunks)


async def _entity(work: ReviewWork, present: _Present, row: DisputeRow, decision: ReviewDecision) -> None:
    existing, new = present.entities.get(row.existing_ids[0]), present.entities.get(row.new_id or 0)
    if decision.action == "reject":
        work.rejected += [(row.id, key) for key in deciding.entity_keys(row.traits["new"], row.traits["existing"])]
        if new is not None:
            await _remove_entity(work, present, new)
    elif decision.action == "override" or (decision.action == "accept" and row.verdict.action == "merge"):
        if existing is None or new is None:
            work.stale[row.id] = _GONE
        else:
            await _merge_entities(work, present, existing, new, decision.text or row.verdict.text)


async def _merge_entities(
    work: ReviewWork, present: _Present, existing: EntityRow, new: EntityRow, description: str
) -> None:
    tenant = work.external_id
    fresh, _ = await graph.by_id(work.connection, tenant, [existing.id], [])  # an earlier decision may have changed it
    before = fresh[existing.id].traits
    after = merging.merged(before, new.traits, description or None)
    merge = Merge(id=existing.id, traits=after, revision=fresh[existing.id].revision + 1)
    await graph.update_entities(work.connection, tenant, [merge])
    chunk_ids = present.chunks.get(("entity", new.id), [])
    await support.add_mentions(work.connection, tenant, [(chunk, existing.id, None) for chunk in chunk_ids])
    moved = [link for link in present.links if new.id in (link.source_id, link.target_id)]
    ends = [(m.id, _moved(m.source_id, new, existing), _moved(m.target_id, new, existing)) for m in moved]
    await graph.move_ends(work.connection, tenant, ends)
    await support.delete(work.connection, tenant, "entity", [(new.id, new.revision)])
    change = merging.merged_change(work.now, SOURCE, _origin(work), before, after, strength=False)
    old = before.description if before.description != after.description else None
    work.history.append(HistoryEntry(entity_id=existing.id, run_id=work.run_id, change=change, old_description=old))
    active = _extracted(new, chunk_ids).model_dump()
    work.changes["entities"].append(
        {"id": existing.id, "before": before.model_dump(), "active": active, "replaces": new.id}
    )
    work.changes["created"] += [
        {
            "id": link.id,
            "source": new.name if link.source_id == new.id else "",
            "target": new.name if link.target_id == new.id else "",
        }
        for link in moved
    ]


async def _remove_entity(work: ReviewWork, present: _Present, new: EntityRow) -> None:
    links = [link for link in present.links if new.id in (link.source_id, link.target_id)]
    work.changes["removed"].append(
        {
            "replaces": new.id,
            "active": _extracted(new, present.chunks.get(("entity", new.id), [])).model_dump(),
            "links": [
                {
                    "source_id": None if link.source_id == new.id else link.source_id,
                    "target_id": None if link.target_id == new.id else link.target_id,
                    "active": _extracted_link(link, present).model_dump(),
                }
                for link in links
                if link.end_date is None
            ],
        }
    )
    await support.delete(work.connection, work.external_id, "relationship", [(r.id, r.revision) for r in links])
    await support.delete(work.connection, work.external_id, "entity", [(new.id, new.revision)])


async def _relationship(work: ReviewWork, present: _Present, row: DisputeRow, decision: ReviewDecision) -> None:
    existing, new = present.relationships.get(row.existing_ids[0]), present.relationships.get(row.new_id or 0)
    parked_new, parked_existing = row.traits["new"], row.traits["existing"]
    if decision.action == "reject":
        pair = (parked_new, parked_existing) if decision.value == "new" else (parked_existing, parked_new)
        work.rejected += [(row.id, key) for key in deciding.relationship_keys(*pair)]
        await _end(work, new if decision.value == "new" else existing)
    elif decision.action == "accept" and row.verdict.action == "supersede":
        await _end(work, existing)
    elif decision.action == "override" or (decision.action == "accept" and row.verdict.action == "merge"):
        if existing is None or new is None or existing.end_date or new.end_date:
            work.stale[row.id] = _GONE
        elif (existing.source_id, existing.target_id) != (new.source_id, new.target_id):
            work.stale[row.id] = "the two have different ends, so they cannot become one; accept, reject or keep both"
        else:
            await _merge_relationships(work, present, existing, new, row, decision.text)


async def _merge_relationships(
    work: ReviewWork,
    present: _Present,
    existing: RelationshipRow,
    new: RelationshipRow,
    row: DisputeRow,
    description: str | None,
) -> None:
    tenant = work.external_id
    before, after = existing.traits, merging.merged(existing.traits, new.traits, description)
    merge = Merge(id=existing.id, traits=after, revision=existing.revision + 1, end_date=existing.end_date)
    await graph.update_relationships(work.connection, tenant, [merge])
    chunk_ids = present.chunks.get(("relationship", new.id), [])
    await support.add_mentions(work.connection, tenant, [(chunk, None, existing.id) for chunk in chunk_ids])
    await support.delete(work.connection, tenant, "relationship", [(new.id, new.revision)])
    change = merging.merged_change(work.now, SOURCE, _origin(work), before, after, strength=True)
    old = before.description if before.description != after.description else None
    work.history.append(
        HistoryEntry(relationship_id=existing.id, run_id=work.run_id, change=change, old_description=old)
    )
    active = row.traits["new"] | new.model_dump(include={"types", "description", "confidence", "strength"})
    work.changes["relationships"].append(
        {
            "id": existing.id,
            "before": before.model_dump(),
            "active": {**active, "chunk_ids": chunk_ids},
            "replaces": new.id,
        }
    )


async def _end(work: ReviewWork, relationship: RelationshipRow | None) -> None:
    if relationship is None:
        return
    for id in await graph.end_relationships(work.connection, work.external_id, [relationship.id]):
        change: Json = {"timestamp": work.now.isoformat(), "source": SOURCE, **_origin(work), "action": "ended"}
        work.history.append(HistoryEntry(relationship_id=id, run_id=work.run_id, change=change))
        work.changes["ended"].append({"id": id})


def _origin(work: ReviewWork) -> Json:
    return {"run_id": work.run_id}


def _moved(end: int, new: EntityRow, existing: EntityRow) -> int | None:
    return existing.id if end == new.id else None


def _extracted(row: EntityRow, chunk_ids: list[int]) -> ExtractedEntity:
    return ExtractedEntity(**row.model_dump(include=_ENTITY), chunk_ids=chunk_ids)


def _extracted_link(link: NamedRelationshipRow, present: _Present) -> ExtractedRelationship:
    chunk_ids = present.chunks.get(("relationship", link.id), [])
    return ExtractedRelationship(**link.model_dump(include=_LINK), chunk_ids=chunk_ids)


_ENTITY = {"name", "types", "description", "confidence", "importance"}
_LINK = {"source", "target", "types", "description", "confidence", "strength"}
