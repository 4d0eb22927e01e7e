"""What runs leave to a person, and what persons have rejected."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Literal

from psycopg.rows import DictRow

from langgraph_agentmem.models.base import Json, Value
from langgraph_agentmem.models.review import (
    DisputedValue,
    DisputeKind,
    ReviewDecision,
    TombstoneKey,
    ValueSource,
    Verdict,
)
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.driver.rows import Deferred, all_rows, as_array, as_json, columns, first_row, send
from langgraph_agentmem.storage.driver.statements import statements

_SQL = statements("reviews")


class NewDispute(Value):
    """A dispute to be inserted."""

    kind: DisputeKind
    section_id: str | None
    existing_ids: list[int]
    new_id: int | None
    chunk_ids: list[int]
    verdict: Verdict
    traits: Json
    because: str


class DisputeRow(Value):
    """A stored dispute."""

    external_id: str
    id: int
    run_id: str
    memory_id: int
    kind: DisputeKind
    section_id: str | None
    existing_ids: list[int]
    new_id: int | None
    verdict: Verdict
    traits: Json
    because: str
    status: Literal["pending", "decided", "withdrawn"]
    decision: ReviewDecision | None
    reviewer: str | None
    review_run_id: str | None
    created_at: datetime
    closed_at: datetime | None


class KnownDispute(Value):
    """What a dispute about chunks was about, and how it stands."""

    kind: DisputeKind
    existing_ids: list[int]
    new_id: int | None
    verdict: Verdict
    status: str
    decision: ReviewDecision | None


class SectionState(Value):
    """A section as it is now."""

    section_id: str
    updated_at: datetime
    value: Json
    text_fields: tuple[str, ...] | None


class Support(Value):
    """A chunk that states an entity or a relationship."""

    entity_id: int | None
    relationship_id: int | None
    source: ValueSource


async def insert(
    connection: Connection, external_id: str, memory_id: int, run_id: str, disputes: Sequence[NewDispute]
) -> list[int]:
    """Log what a run leaves to a person; returns the ids."""
    if not disputes:
        return []
    rows = [
        (
            d.kind, d.section_id, as_array(d.existing_ids), d.new_id, as_array(d.chunk_ids),
            d.verdict.model_dump_json(), as_json(d.traits), d.because,
        )
        for d in disputes
    ]  # fmt: skip
    names = "kinds section_ids existing_ids new_ids chunk_ids verdicts traits becauses"
    params = {"external_id": external_id, "memory_id": memory_id, "run_id": run_id, **columns(rows, *names.split())}
    return [row["id"] for row in await all_rows(connection, _SQL["insert_disputes"], params)]


async def about(connection: Connection, external_id: str, memory_id: int, chunk_ids: list[int]) -> list[KnownDispute]:
    """The disputes about any of these existing chunks, decided ones too, that were not withdrawn."""
    if not chunk_ids:
        return []
    params = {"external_id": external_id, "memory_id": memory_id, "chunk_ids": chunk_ids}
    return [KnownDispute.model_validate(row) for row in await all_rows(connection, _SQL["disputes_about"], params)]


async def pending_runs(
    connection: Connection, external_id: str | None, memory_id: int | None, limit: int
) -> dict[str, list[str]]:
    """The runs that wait for a person, the longest waiting first, by tenant."""
    params = {"external_id": external_id, "memory_id": memory_id, "limit": limit}
    by_tenant: dict[str, list[str]] = {}
    for row in await all_rows(connection, _SQL["pending_runs"], params):
        by_tenant.setdefault(row["external_id"], []).append(row["run_id"])
    return by_tenant


async def count_pending(connection: Connection) -> int:
    """How many disputes wait for a person, of all tenants."""
    return (await first_row(connection, _SQL["count_pending"], {}))["disputes"]


async def of_runs(connection: Connection, external_id: str, run_ids: list[str]) -> list[DisputeRow]:
    """The disputes of runs, decided ones too, in the order in which they were parked."""
    params = {"external_id": external_id, "run_ids": run_ids}
    return [DisputeRow.model_validate(row) for row in await all_rows(connection, _SQL["disputes_of_runs"], params)]


async def send_open(
    connection: Connection, external_id: str, memory_ids: Sequence[int] | None, limit: int
) -> Deferred[list[DictRow]]:
    """Ask for what waits for a person, the oldest first, with what the chunks that it is about say."""
    ids = None if memory_ids is None else list(memory_ids)
    params: Json = {"external_id": external_id, "memory_ids": ids, "limit": limit}
    return await send(connection, _SQL["open_disputes"], params, list)


async def titles(connection: Connection, external_id: str, memory_ids: list[int]) -> dict[int, str]:
    """The titles of memories, by id."""
    rows = await all_rows(connection, _SQL["titles"], {"external_id": external_id, "ids": memory_ids})
    return {row["id"]: row["title"] for row in rows}


async def chunks(connection: Connection, external_id: str, ids: list[int]) -> dict[int, DisputedValue]:
    """Chunks as they are now, by id."""
    rows = await all_rows(connection, _SQL["chunks"], {"external_id": external_id, "ids": ids}) if ids else []
    return {row["id"]: DisputedValue.model_validate(row) for row in rows}


async def supports(
    connection: Connection, external_id: str, entity_ids: list[int], relationship_ids: list[int]
) -> list[Support]:
    """The chunks that state entities and relationships, the newest first."""
    if not entity_ids and not relationship_ids:
        return []
    params = {"external_id": external_id, "entity_ids": entity_ids, "relationship_ids": relationship_ids}
    return [
        Support(
            entity_id=row["entity_id"], relationship_id=row["relationship_id"], source=ValueSource.model_validate(row)
        )
        for row in await all_rows(connection, _SQL["supporting_chunks"], params)
    ]


async def sections(
    connection: Connection, external_id: str, memory_id: int, section_ids: list[str]
) -> dict[str, SectionState]:
    """Sections as they are now, by id."""
    params = {"external_id": external_id, "memory_id": memory_id, "section_ids": section_ids}
    rows = await all_rows(connection, _SQL["section_values"], params) if section_ids else []
    return {row["section_id"]: SectionState.model_validate(row) for row in rows}


async def close(
    connection: Connection,
    external_id: str,
    decisions: Sequence[ReviewDecision],
    *,
    reviewer: str | None,
    review_run_id: str,
) -> None:
    """Note what a person has decided, and the run that carries it out."""
    rows = [(decision.dispute, decision.model_dump_json()) for decision in decisions]
    params: dict[str, Any] = {"external_id": external_id, "reviewer": reviewer, "review_run_id": review_run_id}
    await connection.execute(_SQL["close_disputes"], params | columns(rows, "ids", "decisions"))


async def withdraw(connection: Connection, external_id: str, run_id: str) -> None:
    """Take back what a run has left to a person and nobody has decided."""
    await connection.execute(_SQL["withdraw_disputes"], {"external_id": external_id, "run_id": run_id})


async def reopen(connection: Connection, external_id: str, run_id: str) -> None:
    """Open again what a review had decided, and forget what it had rejected."""
    params = {"external_id": external_id, "run_id": run_id}
    ids = [row["id"] for row in await all_rows(connection, _SQL["reopen_disputes"], params)]
    await connection.execute(_SQL["delete_tombstones"], {"external_id": external_id, "dispute_ids": ids})


async def replace(
    connection: Connection, external_id: str, memory_id: int, replaced: Sequence[tuple[DisputeKind, int, int]]
) -> None:
    """Let disputes name new ids of entities and relationships: (kind, old id, new id)."""
    if replaced:
        params: dict[str, Any] = {"external_id": external_id, "memory_id": memory_id}
        await connection.execute(
            _SQL["replace_disputed"], params | columns(list(replaced), "kinds", "old_ids", "new_ids")
        )


async def write_tombstones(
    connection: Connection, external_id: str, memory_id: int, rejected: Sequence[tuple[int, TombstoneKey]]
) -> None:
    """Remember what a person has rejected: (dispute, what)."""
    if rejected:
        rows = [(dispute, kind, key) for dispute, (kind, key) in rejected]
        params: dict[str, Any] = {"external_id": external_id, "memory_id": memory_id}
        await connection.execute(_SQL["insert_tombstones"], params | columns(rows, "dispute_ids", "kinds", "keys"))


async def any_rejected(connection: Connection, external_id: str, memory_id: int) -> bool:
    """Whether a person has ever rejected anything of a memory."""
    params = {"external_id": external_id, "memory_id": memory_id}
    return (await first_row(connection, _SQL["has_tombstones"], params))["found"]


async def rejected(
    connection: Connection, external_id: str, memory_id: int, keys: Iterable[TombstoneKey]
) -> dict[TombstoneKey, datetime]:
    """When a person has last rejected what has one of these keys."""
    params: dict[str, Any] = {"external_id": external_id, "memory_id": memory_id}
    params |= columns(sorted(set(keys)), "kinds", "keys")
    rows = await all_rows(connection, _SQL["tombstones"], params)
    return {(row["kind"], row["key"]): row["rejected_at"] for row in rows}


async def written_at(connection: Connection, external_id: str, ids: Iterable[int]) -> dict[int, datetime]:
    """When the texts of chunks were written."""
    params = {"external_id": external_id, "ids": sorted(set(ids))}
    return {row["id"]: row["start_date"] for row in await all_rows(connection, _SQL["written_at"], params)}


async def disputed(
    connection: Connection, external_id: str, entity_ids: list[int], relationship_ids: list[int]
) -> set[tuple[str, int]]:
    """(kind, id) of those entities and relationships that wait for a person."""
    params = {"external_id": external_id, "entity_ids": entity_ids, "relationship_ids": relationship_ids}
    rows: list[DictRow] = await all_rows(connection, _SQL["disputed"], params)
    return {(row["kind"], row["id"]) for row in rows}


async def forget(
    connection: Connection,
    external_id: str,
    memory_id: int,
    keys: Sequence[str],
    *,
    entities: list[int],
    relationships: list[int],
) -> None:
    """Remove disputes and tombstones that come from items, which are still there, or are about what they support."""
    params: dict[str, Any] = {"external_id": external_id, "memory_id": memory_id, "keys": list(keys)}
    params |= {"entity_ids": entities, "relationship_ids": relationships}
    await connection.execute(_SQL["forget_disputes"], params)
