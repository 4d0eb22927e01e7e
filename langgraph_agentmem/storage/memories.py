"""Active memories and their sections."""

from collections.abc import Sequence
from datetime import datetime

from psycopg.rows import DictRow

from langgraph_agentmem.models.active import MemoryTemplate, Section
from langgraph_agentmem.models.base import Json, Value
from langgraph_agentmem.models.run import SectionSnapshot
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.driver.rows import all_rows, as_json, columns, first_row, one_row
from langgraph_agentmem.storage.driver.statements import statements

_SQL = statements("memories")
MAX_LISTED_SECTIONS = 100
"""Memories of more list only the sections that are asked for."""


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


async def insert_sections(
    connection: Connection, external_id: str, memory_id: int, template: MemoryTemplate, contents: dict[str, str]
) -> set[str]:
    """Add a template's sections, as far as the memory lacks them; returns the ids of those that are new."""
    rows = [
        (section.id, position, section.title, section.description, as_json({"content": contents[section.id]}))
        for position, section in enumerate(template.sections)
    ]
    params = columns(rows, "section_ids", "positions", "titles", "descriptions", "contents")
    params = {"external_id": external_id, "memory_id": memory_id, **params}
    return {row["section_id"] for row in await all_rows(connection, _SQL["insert_sections"], params)}


async def adopt_template(
    connection: Connection, external_id: str, memory_id: int, template: MemoryTemplate, sections: int
) -> MemoryRow | None:
    """Give a memory that a store has made a template, with which so many sections came."""
    params: Json = {"external_id": external_id, "memory_id": memory_id, "sections": sections}
    params["template"] = as_json(template.model_dump())
    return memory_row(await one_row(connection, _SQL["adopt_template"], params))


async def get(connection: Connection, external_id: str, memory_id: int, *, lock: bool = False) -> MemoryRow | None:
    """An open memory, locked if so asked."""
    name = "lock_memory" if lock else "memory"
    return memory_row(await one_row(connection, _SQL[name], {"external_id": external_id, "memory_id": memory_id}))


async def lock_any(connection: Connection, external_id: str, memory_id: int) -> MemoryRow | None:
    """A memory, open or closed, locked."""
    params = {"external_id": external_id, "memory_id": memory_id}
    return memory_row(await one_row(connection, _SQL["lock_any_memory"], params))


async def lock_with_sections(
    connection: Connection, external_id: str, memory_id: int, section_ids: Sequence[str]
) -> tuple[MemoryRow | None, dict[str, Section]]:
    """An open memory, locked, with its sections as they are under the lock, in one round trip.

    The statements are sent together, and the server runs them one after the other.
    """
    params = {"external_id": external_id, "memory_id": memory_id, "section_ids": list(section_ids)}
    locked = await connection.execute(_SQL["lock_memory"], params)
    present = await sections(connection, external_id, memory_id, section_ids)
    return memory_row(await locked.fetchone()), {section.section_id: section for section in present}


async def get_with_sections(
    connection: Connection, external_id: str, memory_id: int, section_ids: Sequence[str]
) -> tuple[MemoryRow | None, list[Section]]:
    """An open memory with its sections, as `sections` returns them, in one round trip."""
    params = {"external_id": external_id, "memory_id": memory_id, "section_ids": list(section_ids)}
    row = await connection.execute(_SQL["memory"], params)
    found = await sections(connection, external_id, memory_id, section_ids)
    return memory_row(await row.fetchone()), found


async def get_by_namespace(
    connection: Connection, external_id: str, namespace: tuple[str, ...], *, lock: bool = False
) -> MemoryRow | None:
    """An open memory by its namespace, locked if so asked."""
    params = {"external_id": external_id, "namespace": list(namespace)}
    row = memory_row(await one_row(connection, _SQL["memory_by_namespace"], params))
    return await get(connection, external_id, row.id, lock=True) if row and lock else row


async def list_all(connection: Connection, external_id: str) -> list[MemoryRow]:
    """A tenant's open memories, oldest first."""
    rows = await all_rows(connection, _SQL["memories"], {"external_id": external_id})
    return [row for row in map(memory_row, rows) if row]


async def sections(
    connection: Connection, external_id: str, memory_id: int, section_ids: Sequence[str] | None = None
) -> list[Section]:
    """A memory's sections: all, or the named ones along with the others of a memory of up to 100."""
    params = {
        "external_id": external_id,
        "memory_id": memory_id,
        "section_ids": None if section_ids is None else list(section_ids),
        "max_listed": MAX_LISTED_SECTIONS,
    }
    return [Section.model_validate(row) for row in await all_rows(connection, _SQL["sections"], params)]


async def changed_sections(
    connection: Connection, external_id: str, memory_id: int, *, everything: bool
) -> list[Section]:
    """A memory's sections with pending updates, or all of them."""
    params = {"external_id": external_id, "memory_id": memory_id, "everything": everything}
    return [Section.model_validate(row) for row in await all_rows(connection, _SQL["changed_sections"], params)]


class EmbeddedSection(Value):
    """A section's value, with the hashes of its chunks that have a vector."""

    section_id: str
    value: Json
    text_fields: tuple[str, ...] | None
    embedded: list[bytes]


async def contents(
    connection: Connection, external_id: str, memory_id: int, section_ids: Sequence[str], embedding_model: int
) -> dict[str, EmbeddedSection]:
    """Sections by id, with what is embedded of them by a model."""
    params: Json = {"external_id": external_id, "memory_id": memory_id, "section_ids": list(section_ids)}
    params["embedding_model"] = embedding_model
    rows = await all_rows(connection, _SQL["contents"], params)
    return {row["section_id"]: EmbeddedSection.model_validate(row) for row in rows}


async def sections_of(connection: Connection, external_id: str, memory_ids: list[int]) -> dict[int, list[Section]]:
    """The sections of several memories, by memory."""
    params = {"external_id": external_id, "memory_ids": memory_ids}
    found: dict[int, list[Section]] = {memory_id: [] for memory_id in memory_ids}
    for row in await all_rows(connection, _SQL["sections_of_memories"], params):
        found[row["memory_id"]].append(Section.model_validate(row))
    return found


async def update_sections(
    connection: Connection,
    external_id: str,
    memory_id: int,
    values: dict[str, Json],
    source: str | None,
    *,
    minutes: float | None,
    needs_chunking: bool,
) -> None:
    """Write new values, and count them as updates, which make the memory due after so many minutes at the latest.

    They are stale if their chunks are not written in the same transaction.
    """
    params: Json = {"external_id": external_id, "memory_id": memory_id, "updates": len(values), "minutes": minutes}
    params["needs_chunking"] = needs_chunking
    rows = [(id, as_json(value), source) for id, value in values.items()]
    await connection.execute(_SQL["update_sections"], params | columns(rows, "section_ids", "values", "sources"))


async def consume(
    connection: Connection,
    external_id: str,
    memory_id: int,
    snapshot: Sequence[SectionSnapshot],
    *,
    started_at: datetime,
    now: datetime,
) -> tuple[int, int]:
    """Subtract a run's snapshot and end its lease; returns (pending updates, number of sections) as they are then.

    Whoever asked for a run between its start and now, both by the database's clock, gets another one.
    """
    params: Json = {"external_id": external_id, "memory_id": memory_id, "started_at": started_at, "now": now}
    rows = [(s.section_id, s.update_count, s.created_at) for s in snapshot]
    await connection.execute(
        _SQL["consume_updates"], params | columns(rows, "section_ids", "update_counts", "created_ats")
    )
    row = await first_row(connection, _SQL["finish_memory"], params)
    return row["pending_updates"], row["section_count"]


async def close(connection: Connection, external_id: str, memory_id: int) -> None:
    """Close a memory: its sections go, its row stays as the origin of what it gave."""
    params = {"external_id": external_id, "memory_id": memory_id}
    for name in ("retire_chunks", "delete_sections", "close_memory"):
        await connection.execute(_SQL[name], params)


def memory_row(row: DictRow | None) -> MemoryRow | None:
    """A memory from its row, if there is one."""
    if row is None:
        return None
    return MemoryRow.model_validate({**row, "lease_owner": row["lease_owner"] and str(row["lease_owner"])})
