"""Sections: which there are, what is pending of them, and whose chunks are behind."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import TypeAlias

from psycopg.rows import DictRow

from langgraph_agentmem.models.active import MemoryTemplate, Section
from langgraph_agentmem.models.base import Json, Value
from langgraph_agentmem.models.item import Namespace
from langgraph_agentmem.models.run import SectionSnapshot
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.driver.rows import Deferred, all_rows, as_array, as_json, columns, send
from langgraph_agentmem.storage.driver.statements import statements

_SQL = statements("sections")
MAX_LISTED = 100
"""Memories of more sections list only those that are asked for."""
UnchunkedMemory: TypeAlias = tuple[str, int]
"""A tenant, and the id of its memory that has sections whose chunks are behind."""


class UnchunkedSection(Value):
    """A section whose chunks are those of an earlier value."""

    namespace: tuple[str, ...]
    section_id: str
    value: Json
    text_fields: tuple[str, ...] | None
    created_at: datetime
    position: int


async def make_missing(
    connection: Connection, external_id: str, namespaces: Sequence[Namespace], title: Callable[[Namespace], str]
) -> None:
    """Make the memories that are missing."""
    params = columns([(as_array(n), title(n)) for n in namespaces], "namespaces", "titles")
    await connection.execute(_SQL["make_memories"], {"external_id": external_id, **params})


async def lock_memories(
    connection: Connection, external_id: str, namespaces: Sequence[Namespace]
) -> dict[Namespace, int]:
    """The ids of open memories by namespace, locked."""
    params = {"external_id": external_id, "namespaces": [as_array(namespace) for namespace in namespaces]}
    return {tuple(row["namespace"]): row["id"] for row in await all_rows(connection, _SQL["lock_memories"], params)}


async def insert_template(
    connection: Connection, external_id: str, memory_id: int, template: MemoryTemplate, contents: dict[str, str]
) -> set[str]:
    """Add those of a template's sections that the memory lacks; returns their ids."""
    rows = [
        (section.id, position, section.title, section.description, as_json({"content": contents[section.id]}))
        for position, section in enumerate(template.sections)
    ]
    params = columns(rows, "section_ids", "positions", "titles", "descriptions", "contents")
    params |= {"external_id": external_id, "memory_id": memory_id}
    return {row["section_id"] for row in await all_rows(connection, _SQL["insert_sections"], params)}


async def send_listed(
    connection: Connection, external_id: str, memory_id: int, section_ids: Sequence[str] | None = None
) -> Deferred[list[Section]]:
    """Ask for a memory's sections: all, or the named ones along with the others of a memory of up to 100."""
    params = {
        "external_id": external_id,
        "memory_id": memory_id,
        "section_ids": None if section_ids is None else list(section_ids),
        "max_listed": MAX_LISTED,
    }
    return await send(connection, _SQL["sections"], params, lambda rows: [Section.model_validate(row) for row in rows])


async def listed(
    connection: Connection, external_id: str, memory_id: int, section_ids: Sequence[str] | None = None
) -> list[Section]:
    """A memory's sections, as `send_listed` asks for them."""
    return await (await send_listed(connection, external_id, memory_id, section_ids))()


async def changed(connection: Connection, external_id: str, memory_id: int, *, everything: bool) -> list[Section]:
    """A memory's sections with pending updates, or all of them."""
    params = {"external_id": external_id, "memory_id": memory_id, "everything": everything}
    return [Section.model_validate(row) for row in await all_rows(connection, _SQL["changed_sections"], params)]


async def of_memories(connection: Connection, external_id: str, memory_ids: list[int]) -> dict[int, list[Section]]:
    """The sections of several memories, by memory."""
    params = {"external_id": external_id, "memory_ids": memory_ids}
    by_memory: dict[int, list[Section]] = {memory_id: [] for memory_id in memory_ids}
    for row in await all_rows(connection, _SQL["sections_of_memories"], params):
        by_memory[row["memory_id"]].append(Section.model_validate(row))
    return by_memory


async def send_embedded(
    connection: Connection, external_id: str, memory_id: int, section_ids: Sequence[str], embedding_model: int
) -> Deferred[set[bytes]]:
    """Ask for the hashes of sections' chunks that have a vector of a model."""
    params: Json = {"external_id": external_id, "memory_id": memory_id, "section_ids": list(section_ids)}
    params["embedding_model"] = embedding_model
    return await send(connection, _SQL["embedded_in_sections"], params, lambda rows: {r["content_hash"] for r in rows})


async def send_newest(
    connection: Connection, external_id: str, memory_ids: Collection[int] | None, limit: int
) -> Deferred[list[DictRow]]:
    """Ask for the sections of a tenant's open memories that were written last, each with its memory's title."""
    ids = None if memory_ids is None else list(memory_ids)
    params: Json = {"external_id": external_id, "memory_ids": ids, "limit": limit}
    return await send(connection, _SQL["newest_sections"], params, list)


async def consume(
    connection: Connection, external_id: str, memory_id: int, snapshot: Sequence[SectionSnapshot]
) -> None:
    """Subtract what a run took from those sections that are still the same."""
    params: Json = {"external_id": external_id, "memory_id": memory_id}
    rows = [(s.section_id, s.update_count, s.created_at) for s in snapshot]
    names = ("section_ids", "update_counts", "created_ats")
    await connection.execute(_SQL["consume_updates"], params | columns(rows, *names))


async def delete_all(connection: Connection, external_id: str, memory_id: int) -> None:
    """Remove a memory's sections; what was made of them stays."""
    await connection.execute(_SQL["delete_sections"], {"external_id": external_id, "memory_id": memory_id})


async def send_unchunked(
    connection: Connection, external_id: str, memory_ids: Collection[int] | None = None
) -> Deferred[list[UnchunkedMemory]]:
    """Ask for a tenant's memories with sections whose chunks are behind, or for those among these."""
    params: Json = {"external_id": external_id, "memory_ids": None if memory_ids is None else list(memory_ids)}
    return await send(connection, _SQL["unchunked_memories"], params, unchunked_memories)


async def unchunked_after(connection: Connection, after: UnchunkedMemory, *, limit: int) -> list[UnchunkedMemory]:
    """Memories with sections whose chunks are behind, of all tenants, in the order of their ids."""
    params = {"external_id": after[0], "memory_id": after[1], "limit": limit}
    return unchunked_memories(await all_rows(connection, _SQL["all_unchunked_memories"], params))


def unchunked_memories(rows: list[DictRow]) -> list[UnchunkedMemory]:
    """Memories with sections whose chunks are behind; a row without one tells that there are none."""
    return [(row["external_id"], row["memory_id"]) for row in rows if row["memory_id"] is not None]


async def take_unchunked(
    connection: Connection, external_id: str, memory_id: int, *, limit: int
) -> list[UnchunkedSection]:
    """Sections of a locked memory that need chunking. They are unmarked: the caller chunks them in this transaction."""
    params = {"external_id": external_id, "memory_id": memory_id, "limit": limit}
    rows = await all_rows(connection, _SQL["take_unchunked"], params)
    if len(rows) < limit:
        # these were the last ones: from here on, writes without chunks are counted anew
        await connection.execute(_SQL["none_unchunked"], params)
    return [UnchunkedSection.model_validate(row) for row in rows]
