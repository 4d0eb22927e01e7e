"""Reads what has to be projected into a graph database, and takes it off the outbox."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from langgraph_agentmem.models.base import Json, Value
from langgraph_agentmem.models.entity import GraphTier
from langgraph_agentmem.models.graph import DeadLetter, ThingKind
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.driver.rows import all_rows, columns, first_row, one_row
from langgraph_agentmem.storage.driver.statements import statements

_SQL = statements("projection")
STORE = "neo4j"
_STATES: dict[ThingKind, str] = {
    "entity": "entity_states",
    "chunk": "chunk_states",
    "relationship": "relationship_states",
}
_PAGES: dict[ThingKind, str] = {"entity": "entity_page", "chunk": "chunk_page", "relationship": "relationship_page"}
KINDS: tuple[ThingKind, ...] = tuple(_STATES)
"""In the order in which they refer to each other."""


class Batch(Value):
    """A batch's number, and how far the tenant's graph is projected.

    Attributes:
        origin: Identifies the graph of this tenant in this database.
        number: The batch's own.
        applied: The newest batch that Neo4j is known to have.
        rebuild: The number from which on whatever Neo4j holds was written by an unfinished rebuild.
    """

    origin: str
    number: int
    applied: int
    rebuild: int | None


class Change(Value):
    """A row of the outbox; `changes` grows with every change that joins it."""

    id: int
    kind: ThingKind
    target_id: int
    changes: int


class Thing(Value):
    """An entity, a chunk or a relationship as it is now.

    Attributes:
        tier: Of an entity or relationship.
        properties: What the node or edge holds, apart from the tenant and the batch.
        entity_ids: The entities that a chunk supports.
        ends: The entities (source, target) of a relationship.
    """

    kind: ThingKind
    id: int
    tier: GraphTier | None = None
    properties: Json
    entity_ids: list[int] = Field(default_factory=list[int])
    ends: tuple[int, int] | None = None


class Projection(Value):
    """How far a tenant's graph is projected."""

    origin: str
    drawn: int
    applied: int
    rebuild: int | None = None
    projected_at: datetime | None = None


async def waiting_tenants(connection: Connection, external_id: str | None, after: str, limit: int) -> list[str]:
    """Tenants with changes that can be projected, in pages by name."""
    params = {"external_id": external_id, "after": after, "limit": limit}
    return [row["external_id"] for row in await all_rows(connection, _SQL["waiting_tenants"], params)]


async def known_tenants(connection: Connection, external_id: str | None, after: str, limit: int) -> list[str]:
    """Tenants with a graph, or with traces of one, in pages by name."""
    params = {"external_id": external_id, "after": after, "limit": limit}
    return [row["external_id"] for row in await all_rows(connection, _SQL["known_tenants"], params)]


async def draw(connection: Connection, external_id: str, origin: str) -> Batch:
    """The next batch's number; `origin` counts only for a tenant's first batch.

    Until the transaction ends nobody else draws for this tenant: what is read in it is no older than what any batch
    with a lower number holds.
    """
    params = {"external_id": external_id, "store": STORE, "origin": origin}
    row = await first_row(connection, _SQL["draw"], params)
    return Batch.model_validate({**row, "origin": str(row["origin"]), "number": row["drawn"]})


async def projection(connection: Connection, external_id: str) -> Projection | None:
    """How far a tenant's graph is projected; None where it never was."""
    row = await one_row(connection, _SQL["projection"], {"external_id": external_id, "store": STORE})
    return None if row is None else Projection.model_validate({**row, "origin": str(row["origin"])})


async def begin_rebuild(connection: Connection, external_id: str, seen: int) -> Batch:
    """Begin to replace all that Neo4j holds of a tenant; `seen` is the newest batch that it claims to have."""
    params = {"external_id": external_id, "store": STORE, "seen": seen}
    row = await first_row(connection, _SQL["begin_rebuild"], params)
    return Batch.model_validate({**row, "origin": str(row["origin"]), "number": row["drawn"]})


async def end_rebuild(connection: Connection, external_id: str, rebuild: int) -> None:
    """Note that a rebuild is complete."""
    params = {"external_id": external_id, "store": STORE, "rebuild": rebuild}
    await connection.execute(_SQL["end_rebuild"], params)


async def pending(connection: Connection, external_id: str, limit: int) -> list[Change]:
    """What waits to be projected, entities first."""
    params = {"external_id": external_id, "limit": limit}
    return [Change.model_validate(row) for row in await all_rows(connection, _SQL["pending"], params)]


async def things(connection: Connection, external_id: str, kind: ThingKind, ids: Sequence[int]) -> dict[int, Thing]:
    """Things as they are now, by id; those that are gone are left out."""
    rows = await all_rows(connection, _SQL[_STATES[kind]], {"external_id": external_id, "ids": list(ids)})
    return {row["id"]: _thing(kind, row) for row in rows}


async def page(
    connection: Connection, external_id: str, kind: ThingKind, after: int, limit: int
) -> tuple[list[int], dict[int, Thing]]:
    """The next ids of a tenant's things, and the things; one that has just gone has an id only."""
    params = {"external_id": external_id, "after": after, "limit": limit}
    ids = [row["id"] for row in await all_rows(connection, _SQL[_PAGES[kind]], params)]
    return ids, await things(connection, external_id, kind, ids)


async def size(connection: Connection, external_id: str) -> int:
    """How many entities, chunks and relationships a tenant's graph has."""
    row = await first_row(connection, _SQL["sizes"], {"external_id": external_id})
    return row["entities"] + row["chunks"] + row["relationships"]


async def finish(connection: Connection, external_id: str, batch: int, done: Sequence[Change]) -> int:
    """Note that Neo4j has a batch, and take its changes off the outbox unless they are changing; returns how many."""
    params: dict[str, Any] = {"external_id": external_id, "store": STORE, "batch": batch}
    await connection.execute(_SQL["applied"], params)
    params |= columns([(change.id, change.changes) for change in done], "ids", "changes")
    return len(await all_rows(connection, _SQL["finish"], params)) if done else 0


async def set_aside(
    connection: Connection,
    external_id: str,
    refused: Sequence[tuple[Change, str]],
    waiting: Sequence[tuple[Change, str]],
) -> int:
    """Set changes aside with the reason: those that are refused, and those that wait for one of them."""
    rows = [(c.id, c.changes, error, False) for c, error in refused]
    rows += [(c.id, c.changes, error, True) for c, error in waiting]
    params = {"external_id": external_id, **columns(rows, "ids", "changes", "errors", "waits")}
    return len(await all_rows(connection, _SQL["set_aside"], params)) if rows else 0


async def revive(connection: Connection, external_id: str, *, everything: bool) -> int:
    """Try again what was set aside: all of it, or what waited for something else; returns how much that is."""
    params = {"external_id": external_id, "everything": everything}
    return len(await all_rows(connection, _SQL["revive"], params))


async def still_waiting(connection: Connection, external_id: str, kind: ThingKind, ids: Sequence[int]) -> set[int]:
    """Those of these things whose change waits; what was set aside does not."""
    params = {"external_id": external_id, "kind": kind, "ids": list(ids)}
    return {row["target_id"] for row in await all_rows(connection, _SQL["still_waiting"], params)}


async def lag(connection: Connection, external_id: str) -> tuple[int, datetime | None, int]:
    """(changes that wait, since when the oldest does, changes that were set aside)."""
    row = await first_row(connection, _SQL["lag"], {"external_id": external_id})
    return row["pending"], row["oldest"], row["dead"]


async def dead_letters(connection: Connection, external_id: str, limit: int) -> list[DeadLetter]:
    """What was set aside, refused things before those that wait for them."""
    params = {"external_id": external_id, "limit": limit}
    return [DeadLetter.model_validate(row) for row in await all_rows(connection, _SQL["dead_letters"], params)]


def _thing(kind: ThingKind, row: dict[str, Any]) -> Thing:
    values = {name: _plain(value) for name, value in row.items()}
    entity_ids = values.pop("entity_ids", [])
    ends = (values.pop("source_id"), values.pop("target_id")) if kind == "relationship" else None
    tier = None if kind == "chunk" else row["tier"]
    return Thing(kind=kind, id=row["id"], tier=tier, properties=values, entity_ids=entity_ids, ends=ends)


def _plain(value: Any) -> Any:
    """A value as a graph database holds it."""
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    return str(value) if isinstance(value, UUID) else value
