"""Finds and removes what is kept for long enough."""

from collections.abc import Sequence

from langgraph_agentmem.models.base import Json
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.driver.rows import all_rows
from langgraph_agentmem.storage.driver.statements import statements

_SQL = statements("retention")


async def tenants(connection: Connection, after: str, limit: int, *, part: str | None = None) -> list[str]:
    """Tenants with memories, in pages by name: those after one of them, with this part in their name."""
    rows = await all_rows(connection, _SQL["some_tenants"], {"after": after, "limit": limit, "part": part})
    return [row["external_id"] for row in rows]


async def delete_runs(connection: Connection, external_id: str, days: float, limit: int) -> int:
    """Remove some old runs from the beginnings of memories' logs; returns how many."""
    params: Json = {"external_id": external_id, "days": days, "limit": limit}
    return len(await all_rows(connection, _SQL["old_runs"], params))


async def delete_history(connection: Connection, external_id: str, days: float, limit: int) -> int:
    """Remove some old entries of the state history; returns how many."""
    params: Json = {"external_id": external_id, "days": days, "limit": limit}
    return len(await all_rows(connection, _SQL["old_history"], params))


async def superseded(connection: Connection, external_id: str, days: float, limit: int) -> dict[int, list[int]]:
    """Some chunks that were superseded long ago, by memory."""
    params: Json = {"external_id": external_id, "days": days, "limit": limit}
    by_memory: dict[int, list[int]] = {}
    for row in await all_rows(connection, _SQL["old_chunks"], params):
        by_memory.setdefault(row["memory_id"], []).append(row["id"])
    return by_memory


async def still_superseded(connection: Connection, external_id: str, ids: Sequence[int], days: float) -> list[int]:
    """Those of these chunks that are still superseded, locked: an undo may have brought some back."""
    params: Json = {"external_id": external_id, "ids": list(ids), "days": days}
    return [row["id"] for row in await all_rows(connection, _SQL["lock_old_chunks"], params)]
