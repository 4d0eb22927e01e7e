"""Grants: what owners let readers search."""

from collections.abc import Sequence
from datetime import datetime

from psycopg.rows import DictRow

from langgraph_agentmem.models.base import Json
from langgraph_agentmem.models.grant import Grant
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.driver.rows import Deferred, all_rows, send
from langgraph_agentmem.storage.driver.statements import statements

_SQL = statements("grants")


async def send_give(
    connection: Connection, owner: str, reader: str, namespace: Sequence[str], expires_at: datetime | None
) -> Deferred[Grant | None]:
    """Give a grant, or change its end, and remove the owner's expired ones; None where its end has passed already."""
    params: Json = {"external_id": owner, "reader": reader, "namespace": list(namespace), "expires_at": expires_at}
    given = await send(connection, _SQL["give"], params, lambda rows: _grant(rows[0]) if rows else None)
    await connection.execute(_SQL["delete_expired"], {"external_id": owner})
    return given


async def revoke(
    connection: Connection, owner: str, reader: str | None = None, namespace: Sequence[str] | None = None
) -> int:
    """Remove an owner's grants: to one reader or all, of one prefix or all; returns how many those were."""
    params: Json = {"external_id": owner, "reader": reader}
    params["namespace"] = None if namespace is None else list(namespace)
    return len(await all_rows(connection, _SQL["revoke"], params))


async def given(connection: Connection, owner: str) -> list[Grant]:
    """An owner's grants that hold."""
    return [_grant(row) for row in await all_rows(connection, _SQL["given"], {"external_id": owner})]


async def received(connection: Connection, reader: str, *, expired: bool = False) -> list[Grant]:
    """The grants to a reader that hold, or also those that have expired."""
    rows = await all_rows(connection, _SQL["received"], {"reader": reader})
    return [_grant(row) for row in rows if row["holds"] or expired]


async def send_holds(connection: Connection, owner: str, reader: str) -> Deferred[bool]:
    """Ask whether an owner lets a reader search anything."""
    params = {"external_id": owner, "reader": reader}
    return await send(connection, _SQL["holds"], params, lambda rows: bool(rows[0]["holds"]))


async def memories(connection: Connection, owner: str, reader: str) -> list[int]:
    """The open memories of an owner that a reader may search."""
    rows = await all_rows(connection, _SQL["granted_memories"], {"external_id": owner, "reader": reader})
    return [row["id"] for row in rows]


def _grant(row: DictRow) -> Grant:
    return Grant(owner=row["external_id"], **row)
