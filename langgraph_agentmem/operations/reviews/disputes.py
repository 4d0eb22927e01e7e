"""Reads what runs have left to a person, as it was then and as it is now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langgraph_agentmem.errors import RunNotFoundError
from langgraph_agentmem.models.base import Json
from langgraph_agentmem.models.review import Dispute, DisputedValue, PendingReview, ValueSource
from langgraph_agentmem.operations.sections import freshness
from langgraph_agentmem.operations.sections.texts import texts
from langgraph_agentmem.policies import validation
from langgraph_agentmem.policies.reviewing import in_a_line, named
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.storage import graph, reviews, runs
from langgraph_agentmem.storage import sections as stored_sections
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.driver.rows import Deferred, gathered, received
from langgraph_agentmem.storage.driver.tenants import tenant_or_everyone
from langgraph_agentmem.storage.graph import EntityRow, RelationshipRow
from langgraph_agentmem.storage.reviews import DisputeRow, SectionState
from langgraph_agentmem.storage.sections import UnchunkedMemory

_MAX_SOURCES = 5


async def pending(resources: Resources, external_id: object, memory_id: object, limit: object) -> list[PendingReview]:
    """See `Reviews.apending`."""
    tenant = None if external_id is None else validation.tenant(external_id)
    memory = None if memory_id is None else validation.identifier(memory_id, "memory_id")
    max_runs = validation.positive(limit, "limit")

    async def send(connection: Connection) -> tuple[Deferred[list[PendingReview]], Deferred[list[UnchunkedMemory]]]:
        waiting, unchunked = list[PendingReview](), list[Deferred[list[UnchunkedMemory]]]()
        for owner, run_ids in (await reviews.pending_runs(connection, tenant, memory, max_runs)).items():
            connection.serve(owner)
            rows = [row for row in await reviews.of_runs(connection, owner, run_ids) if row.status == "pending"]
            unchunked.append(await stored_sections.send_unchunked(connection, owner, {row.memory_id for row in rows}))
            titles = await reviews.titles(connection, owner, [row.memory_id for row in rows])
            disputes = await assembled(connection, owner, rows)
            for run_id in run_ids:
                mine = [dispute for dispute in disputes if dispute.run_id == run_id]
                waiting += [
                    PendingReview(
                        external_id=owner,
                        run_id=run_id,
                        memory_id=mine[0].memory_id,
                        memory_title=titles[mine[0].memory_id],
                        disputes=mine,
                    )
                ]
        return received(waiting), gathered(unchunked)

    waiting = await freshness.read(resources, tenant_or_everyone(tenant), send)
    return sorted(waiting, key=lambda review: (review.disputes[0].created_at, review.external_id, review.run_id))


async def of_run(resources: Resources, external_id: str, run_id: str) -> list[Dispute]:
    """All disputes of a run, decided ones too."""

    async def send(connection: Connection) -> tuple[Deferred[list[Dispute]], Deferred[list[UnchunkedMemory]]]:
        rows = await reviews.of_runs(connection, external_id, [run_id])
        unchunked = await stored_sections.send_unchunked(connection, external_id, {row.memory_id for row in rows})
        return received(await assembled(connection, external_id, rows)), unchunked

    return await freshness.read(resources, external_id, send)


async def pending_of_run(resources: Resources, external_id: str, run_id: str) -> PendingReview | None:
    """What a run has left to a person and nobody has decided yet; None where that is nothing."""
    waiting = [dispute for dispute in await of_run(resources, external_id, run_id) if dispute.status == "pending"]
    if not waiting:
        return None
    memory_id = waiting[0].memory_id
    async with resources.database.connection(external_id) as connection:
        titles = await reviews.titles(connection, external_id, [memory_id])
    return PendingReview(
        external_id=external_id,
        run_id=run_id,
        memory_id=memory_id,
        memory_title=titles[memory_id],
        disputes=waiting,
    )


async def of_known_run(resources: Resources, external_id: object, run_id: object) -> list[Dispute]:
    """See `Reviews.adisputes`."""
    tenant, id = validation.tenant(external_id), validation.uuid(run_id, "run_id")
    async with resources.database.connection(tenant) as connection:
        if await runs.get(connection, tenant, id) is None:
            raise RunNotFoundError(f"tenant {tenant!r} has no run {id}")
    return await of_run(resources, tenant, id)


async def assembled(connection: Connection, external_id: str, rows: Sequence[DisputeRow]) -> list[Dispute]:
    """Disputes from their rows, with what they are about as it is now."""
    now = await _present(connection, external_id, rows)
    return [_dispute(row, now) for row in rows]


@dataclass
class _ValuesNow:
    chunks: Mapping[int, DisputedValue]
    entities: Mapping[int, EntityRow]
    relationships: Mapping[int, RelationshipRow]
    entity_sources: Mapping[int, list[ValueSource]]
    relationship_sources: Mapping[int, list[ValueSource]]
    sections: Mapping[tuple[int, str], SectionState]


async def _present(connection: Connection, external_id: str, rows: Sequence[DisputeRow]) -> _ValuesNow:
    def ids(*kinds: str) -> list[int]:
        return sorted({id for row in rows if row.kind in kinds for id in (*row.existing_ids, row.new_id) if id})

    chunks = await reviews.chunks(connection, external_id, ids("chunk", "merge"))
    entities, relationships = await graph.by_id(connection, external_id, ids("entity"), ids("relationship"))
    supports = await reviews.supports(connection, external_id, ids("entity"), ids("relationship"))
    entity_sources: dict[int, list[ValueSource]] = {}
    relationship_sources: dict[int, list[ValueSource]] = {}
    for support in supports:
        if support.entity_id is not None:
            entity_sources.setdefault(support.entity_id, []).append(support.source)
        elif support.relationship_id is not None:
            relationship_sources.setdefault(support.relationship_id, []).append(support.source)
    sections: dict[tuple[int, str], SectionState] = {}
    for memory_id in {row.memory_id for row in rows}:
        wanted = sorted({row.section_id for row in rows if row.memory_id == memory_id and row.section_id is not None})
        states = await reviews.sections(connection, external_id, memory_id, wanted)
        sections |= {(memory_id, section_id): state for section_id, state in states.items()}
    return _ValuesNow(chunks, entities, relationships, entity_sources, relationship_sources, sections)


def _dispute(row: DisputeRow, now: _ValuesNow) -> Dispute:
    existing_now, new_now = _values(row, now)
    existing, new = _parked(row, existing_now, new_now)
    section = now.sections.get((row.memory_id, row.section_id or ""))
    # then the whole section is shown: who decides should not decide about a text that is gone
    rewritten = section is not None and section.updated_at > row.created_at
    return Dispute(
        **row.model_dump(include=_COPIED),
        existing=existing,
        new=new,
        existing_now=existing_now,
        new_now=new_now,
        changed=rewritten or _differ([*existing, new], [*existing_now, new_now]),
        section_content=_text(section) if rewritten and section else None,
        decided_at=row.closed_at if row.status == "decided" else None,
    )


_COPIED = {
    "id", "external_id", "run_id", "memory_id", "kind", "section_id", "because", "verdict", "created_at", "status",
    "decision", "reviewer", "review_run_id",
}  # fmt: skip


def _values(row: DisputeRow, now: _ValuesNow) -> tuple[list[DisputedValue], DisputedValue]:
    """The existing values and the new one, as they are now."""
    if row.kind == "merge":
        return [_chunk(id, now) for id in row.existing_ids], DisputedValue(content=row.verdict.text)
    if row.kind == "chunk":
        return [_chunk(id, now) for id in row.existing_ids], _chunk(row.new_id or 0, now)
    if row.kind == "entity":
        return [_entity(id, row.traits["existing"], now) for id in row.existing_ids], _entity(
            row.new_id or 0, row.traits["new"], now
        )
    return [_relationship(id, row.traits["existing"], now) for id in row.existing_ids], _relationship(
        row.new_id or 0, row.traits["new"], now
    )


def _chunk(id: int, now: _ValuesNow) -> DisputedValue:
    return now.chunks.get(id) or DisputedValue(id=id, content="", valid=False)


def _entity(id: int, parked: Json, now: _ValuesNow) -> DisputedValue:
    row = now.entities.get(id)
    if row is None:
        return DisputedValue(id=id, content=entity_line(parked), valid=False)
    sources = now.entity_sources.get(id, [])[:_MAX_SOURCES]
    return DisputedValue(id=id, content=entity_line(row.model_dump()), start_date=row.first_seen, sources=sources)


def _relationship(id: int, parked: Json, now: _ValuesNow) -> DisputedValue:
    row = now.relationships.get(id)
    if row is None:
        return DisputedValue(id=id, content=relationship_line(parked), valid=False)
    return DisputedValue(
        id=id,
        content=relationship_line(parked | row.model_dump(include={"types", "description"})),
        start_date=row.start_date,
        valid=row.end_date is None,
        sources=now.relationship_sources.get(id, [])[:_MAX_SOURCES],
    )


def entity_line(traits: Mapping[str, Any]) -> str:
    """An entity in one line."""
    return in_a_line(traits["name"], traits["types"], traits["description"])


def relationship_line(traits: Mapping[str, Any]) -> str:
    """A relationship in one line."""
    return in_a_line(named(traits["source"], traits["target"]), traits["types"], traits["description"])


def _parked(
    row: DisputeRow, existing_now: Sequence[DisputedValue], new_now: DisputedValue
) -> tuple[list[DisputedValue], DisputedValue]:
    """The values as they were when the run parked them; a chunk's text never changes, only its validity does."""
    if row.kind == "entity":
        lines = entity_line(row.traits["existing"]), entity_line(row.traits["new"])
    elif row.kind == "relationship":
        lines = relationship_line(row.traits["existing"]), relationship_line(row.traits["new"])
    else:
        was = {"valid": True, "superseded_by": None, "successor": None}
        brought = {"current": row.kind == "chunk"}
        return [v.model_copy(update={**was, "current": False}) for v in existing_now], new_now.model_copy(
            update=was | brought
        )
    old, new = lines
    return [v.model_copy(update={"content": old, "valid": True}) for v in existing_now], new_now.model_copy(
        update={"content": new, "valid": True}
    )


def _differ(before: Sequence[DisputedValue], after: Sequence[DisputedValue]) -> bool:
    return any(
        (a.content, a.valid, a.current) != (b.content, b.valid, b.current) for a, b in zip(before, after, strict=True)
    )


def _text(section: SectionState) -> str:
    return "\n\n".join(texts(section.value, section.text_fields))
