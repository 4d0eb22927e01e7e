"""Active memories and their sections."""

from datetime import datetime

from psycopg.rows import DictRow

from langgraph_agentmem.models.active import MemoryTemplate
from langgraph_agentmem.models.base import Json, Value
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.driver.rows import Deferred, all_rows, as_json, first_row, one_row, send
from langgraph_agentmem.storage.driver.statements import statements

_SQL = statements("memories")


class MemoryRow(Value):
    """The row of an active memory."""

    external_id: str
    id: int
    namespace: tuple[str, ...]
    title: str
    template: MemoryTemplate
    metadata: Json
    section_count: int
    pending_updates: int
    due_at: datetime | None
    attempts: int
    model_failures: int
    model_retry_at: datetime | None
    lease_owner: str | None
    lease_expires_at: datetime | None
    created_at: datetime
    updated_at: datetime


async def insert(
    connection: Connection,
    external_id: str,
    namespace: tuple[str, ...],
    title: str,
    template: MemoryTemplate,
    metadata: Json,
) -> MemoryRow | None:
    """A new memory; None where the tenant has an open one of that namespace."""
    params = {
        "external_id": external_id,
        "namespace": list(namespace),
        "title": title,
        "template": as_json(template.model_dump()),
        "metadata": as_json(metadata),
        "section_count": len(template.sections),
    }
    return memory_row(await one_row(connection, _SQL["insert_memory"], params))


async def adopt_template(
    connection: Connection, external_id: str, memory_id: int, template: MemoryTemplate, sections: int
) -> MemoryRow | None:
    """Give a memory that a store has made a template, with which so many sections came."""
    params: Json = {"external_id": external_id, "memory_id": memory_id, "sections": sections}
    params["template"] = as_json(template.model_dump())
    return memory_row(await one_row(connection, _SQL["adopt_template"], params))


async def get(connection: Connection, external_id: str, memory_id: int, *, lock: bool = False) -> MemoryRow | None:
    """An open memory, locked if `lock` is set."""
    return await (await send_get(connection, external_id, memory_id, lock=lock))()


async def lock_any(connection: Connection, external_id: str, memory_id: int) -> MemoryRow | None:
    """A memory, open or closed, locked."""
    params = {"external_id": external_id, "memory_id": memory_id}
    return memory_row(await one_row(connection, _SQL["lock_any_memory"], params))


async def get_by_namespace(
    connection: Connection, external_id: str, namespace: tuple[str, ...], *, lock: bool = False
) -> MemoryRow | None:
    """An open memory by its namespace, locked if `lock` is set."""
    row = await (await send_by_namespace(connection, external_id, namespace))()
    # by its id: one that was closed in between is not taken for the open one of that namespace
    return await get(connection, external_id, row.id, lock=True) if row and lock else row


async def send_by_namespace(
    connection: Connection, external_id: str, namespace: tuple[str, ...]
) -> Deferred[MemoryRow | None]:
    """Ask for an open memory by its namespace."""
    params = {"external_id": external_id, "namespace": list(namespace)}
    return await send(
        connection, _SQL["memory_by_namespace"], params, lambda rows: memory_row(rows[0] if rows else None)
    )


async def list_all(connection: Connection, external_id: str) -> list[MemoryRow]:
    """A tenant's open memories, oldest first."""
    rows = await all_rows(connection, _SQL["memories"], {"external_id": external_id})
    return [row for row in map(memory_row, rows) if row]


async def known_since(connection: Connection, external_id: str) -> datetime | None:
    """Since when a tenant has memory; None where it has none."""
    return (await first_row(connection, _SQL["known_since"], {"external_id": external_id}))["since"]


async def finish(
    connection: Connection, external_id: str, memory_id: int, *, started_at: datetime, now: datetime
) -> tuple[int, int]:
    """End a run's lease; returns (pending updates, number of sections) as they are then.

    Whoever asked for a run between its start and now, both by the database's clock, gets another one.
    """
    params: Json = {"external_id": external_id, "memory_id": memory_id, "started_at": started_at, "now": now}
    row = await first_row(connection, _SQL["finish_memory"], params)
    return row["pending_updates"], row["section_count"]


async def send_get(
    connection: Connection, external_id: str, memory_id: int, *, lock: bool = False
) -> Deferred[MemoryRow | None]:
    """Ask for an open memory, locked if `lock` is set."""
    params = {"external_id": external_id, "memory_id": memory_id}
    name = "lock_memory" if lock else "memory"
    return await send(connection, _SQL[name], params, lambda rows: memory_row(rows[0] if rows else None))


async def close(connection: Connection, external_id: str, memory_id: int) -> None:
    """Close a memory; its row stays as the origin of what it gave."""
    await connection.execute(_SQL["close_memory"], {"external_id": external_id, "memory_id": memory_id})


def memory_row(row: DictRow | None) -> MemoryRow | None:
    """A memory from its row, if there is one."""
    if row is None:
        return None
    return MemoryRow.model_validate({**row, "lease_owner": row["lease_owner"] and str(row["lease_owner"])})
