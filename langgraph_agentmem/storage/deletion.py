"""Removes what is forgotten, counts it, and counts what is there of it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import uuid4

from langgraph_agentmem.models.base import Json
from langgraph_agentmem.models.deletion import RowCounts
from langgraph_agentmem.storage import grants, outbox, support
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.driver.rows import all_rows, first_row, one_row
from langgraph_agentmem.storage.driver.statements import statements
from langgraph_agentmem.storage.projection import STORE

_SQL = statements("deletion")
_OTHERS = 10_000


class SupportedThings(NamedTuple):
    """Entities and relationships."""

    entities: list[int]
    relationships: list[int]

    def with_all(self, others: "SupportedThings") -> "SupportedThings":
        """These and others, each once."""
        return SupportedThings(
            sorted({*self.entities, *others.entities}), sorted({*self.relationships, *others.relationships})
        )

    @property
    def pairs(self) -> Sequence[tuple[int | None, int | None]]:
        """As (entity, relationship), one of which is None."""
        return [*((id, None) for id in self.entities), *((None, id) for id in self.relationships)]


async def threads(connection: Connection, external_id: str, memory_id: int | None) -> list[str]:
    """Threads whose state is mapped to sections of a memory, or of any of the tenant's."""
    name = "threads_of_tenant" if memory_id is None else "threads_of_memory"
    rows = await all_rows(connection, _SQL[name], {"external_id": external_id, "memory_id": memory_id})
    return [row["thread_id"] for row in rows]


async def shared_threads(connection: Connection, external_id: str, thread_ids: Sequence[str]) -> set[str]:
    """Those of these threads whose state is mapped to another tenant's sections as well."""
    params: Json = {"external_id": external_id, "thread_ids": list(thread_ids), "limit": _OTHERS}
    return {row["thread_id"] for row in await all_rows(connection, _SQL["others_threads"], params)}


async def close(connection: Connection, external_id: str, memory_id: int) -> RowCounts:
    """Close a memory for good, whoever holds it, and remove its sections."""
    params = {"external_id": external_id, "memory_id": memory_id}
    await connection.execute(_SQL["close_to_forget"], params)
    return dict(await first_row(connection, _SQL["forget_sections"], params))


async def delete_runs(connection: Connection, external_id: str, memory_id: int, limit: int) -> RowCounts:
    """Remove some of a memory's runs, with their disputes."""
    params = {"external_id": external_id, "memory_id": memory_id, "limit": limit}
    return dict(await first_row(connection, _SQL["forget_memory_runs"], params))


async def some_chunks(connection: Connection, external_id: str, memory_id: int, limit: int) -> list[int]:
    """Some of a memory's chunks."""
    params = {"external_id": external_id, "memory_id": memory_id, "limit": limit}
    return [row["id"] for row in await all_rows(connection, _SQL["some_chunks"], params)]


async def delete_chunks(
    connection: Connection, external_id: str, ids: Sequence[int]
) -> tuple[RowCounts, SupportedThings]:
    """Remove chunks; returns also what they have supported."""
    params = {"external_id": external_id, "ids": list(ids)}
    rows = await all_rows(connection, _SQL["support_by"], params)
    # of the chunks, the projection knows those that support something
    known = sorted({row["chunk_id"] for row in rows})
    await outbox.enqueue(connection, external_id, "chunk", ((id, 0) for id in known), "delete")
    return dict(await first_row(connection, _SQL["forget_chunks"], params)), _supported(rows)


async def chunks(connection: Connection, external_id: str, memory_id: int) -> list[int]:
    """All of a memory's chunks."""
    params = {"external_id": external_id, "memory_id": memory_id}
    return [row["id"] for row in await all_rows(connection, _SQL["chunks_of_memory"], params)]


async def withdraw_longterm_support(
    connection: Connection, external_id: str, ids: Sequence[int]
) -> tuple[RowCounts, SupportedThings]:
    """Take the support of chunks from long-term entities and relationships; returns also which these are."""
    params = {"external_id": external_id, "ids": list(ids)}
    rows = await all_rows(connection, _SQL["withdraw_longterm_support"], params)
    await outbox.enqueue_chunks(connection, external_id, (row["chunk_id"] for row in rows))
    return {"mention": len(rows)}, _supported(rows)


async def has_longterm(connection: Connection, external_id: str, memory_id: int | None = None) -> bool:
    """Whether there are long-term entities of a tenant, or any that a memory has given to."""
    name = "longterm_entity_of_tenant" if memory_id is None else "longterm_entity_of_memory"
    params = {"external_id": external_id, "memory_id": memory_id}
    return await one_row(connection, _SQL[name], params) is not None


async def shortterm_rest(connection: Connection, external_id: str, memory_id: int) -> SupportedThings:
    """What is left of a memory's short-term entities and relationships."""
    params = {"external_id": external_id, "memory_id": memory_id}
    return _supported(await all_rows(connection, _SQL["shortterm_rest"], params))


async def longterm_rest(connection: Connection, external_id: str) -> SupportedThings:
    """Long-term entities and relationships that no chunk supports."""
    return _supported(await all_rows(connection, _SQL["longterm_rest"], {"external_id": external_id}))


async def delete_unsupported(connection: Connection, external_id: str, supported: SupportedThings) -> RowCounts:
    """Remove those of these entities and relationships that nothing supports any more, with their history."""
    return await support.delete_unsupported(connection, external_id, supported.pairs)


async def delete_memory(connection: Connection, external_id: str, memory_id: int) -> RowCounts:
    """Remove a memory, and its short-term memory, of which nothing else is left."""
    params = {"external_id": external_id, "memory_id": memory_id}
    shortterm = await all_rows(connection, _SQL["forget_shortterm_memory"], params)
    return {
        "shortterm_memory": len(shortterm),
        "active_memory": len(await all_rows(connection, _SQL["forget_memory"], params)),
    }


async def sharing(connection: Connection, external_id: str, memory_id: int, since: datetime | None) -> list[int]:
    """Other memories that have given to the long-term entities to which this one has given; only those since a time."""
    params: Json = {"external_id": external_id, "memory_id": memory_id, "since": since}
    return [row["memory_id"] for row in await all_rows(connection, _SQL["memories_sharing"], params)]


async def forget_promotion_decisions(connection: Connection, external_id: str, memory_id: int) -> int:
    """Take what promotions have said of long-term entities out of a memory's log; returns of how many runs."""
    params = {"external_id": external_id, "memory_id": memory_id}
    return len(await all_rows(connection, _SQL["forget_promotion_decisions"], params))


async def forget_history(
    connection: Connection, external_id: str, things: SupportedThings, shortterm_memory_id: int | None
) -> tuple[int, int]:
    """Take what a short-term memory gave out of long-term things' history; returns (entries removed, rewritten)."""
    params: Json = {"external_id": external_id, "shortterm_memory_id": shortterm_memory_id}
    params |= {"entity_ids": things.entities, "relationship_ids": things.relationships}
    given = await all_rows(connection, _SQL["forget_given"], params)
    return len(given), len(await all_rows(connection, _SQL["forget_former_traits"], params))


async def memories_before(
    connection: Connection, external_id: str, before: datetime, limit: int, *, after: int
) -> list[int]:
    """Some of a tenant's memories that were made before a time, by their ids, after one of them."""
    params: Json = {"external_id": external_id, "before": before, "after": after, "limit": limit}
    return [row["id"] for row in await all_rows(connection, _SQL["memories_before"], params)]


async def forget_outbox(connection: Connection, external_id: str) -> RowCounts:
    """Remove the tenant's deletions from the outbox if no projector has ever read any of its graph."""
    params: Json = {"external_id": external_id, "store": STORE, "origin": str(uuid4())}
    # a projector that is reading the tenant's graph for the first time is waited for: it has this row then
    if not await all_rows(connection, _SQL["claim_projection"], params):
        return {}
    return dict(await first_row(connection, _SQL["forget_unread_outbox"], params))


async def waiting(connection: Connection, external_id: str) -> tuple[int, bool]:
    """(deletions that wait to be projected, whether the tenant's graph ever was)."""
    row = await first_row(connection, _SQL["waiting_deletions"], {"external_id": external_id})
    return row["waiting"], row["projected"]


async def rows_of_tenant(connection: Connection, external_id: str, since: datetime) -> tuple[RowCounts, RowCounts]:
    """A tenant's rows by table: (those of before a time, those since then)."""
    rows = await all_rows(connection, _SQL["rows_of_tenant"], {"external_id": external_id, "since": since})
    before = {row["name"]: row["count"] - row["since"] for row in rows}
    later = {row["name"]: row["since"] for row in rows}
    # what others have granted to the tenant is in their rows
    for grant in await grants.received(connection, external_id, expired=True):
        (later if grant.created_at >= since else before)["read_grant"] += 1
    return before, later


async def rows_of_memories(connection: Connection, external_id: str, memory_ids: Sequence[int]) -> RowCounts:
    """The rows of memories by table."""
    params: Json = {"external_id": external_id, "memory_ids": list(memory_ids)}
    return {row["name"]: row["count"] for row in await all_rows(connection, _SQL["rows_of_memories"], params)}


def _supported(rows: Sequence[Mapping[str, int | None]]) -> SupportedThings:
    def ids(name: str) -> list[int]:
        return sorted({id for row in rows if (id := row[name]) is not None})

    return SupportedThings(ids("entity_id"), ids("relationship_id"))
