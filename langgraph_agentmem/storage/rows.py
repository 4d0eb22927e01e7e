"""Runs named statements and reads rows."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from psycopg.rows import DictRow

from langgraph_agentmem.storage.database import Connection


async def all_rows(connection: Connection, sql: bytes, params: Mapping[str, Any]) -> list[DictRow]:
    """All rows of a statement."""
    return await (await connection.execute(sql, params)).fetchall()


async def one_row(connection: Connection, sql: bytes, params: Mapping[str, Any]) -> DictRow | None:
    """The first row of a statement, if there is one."""
    return await (await connection.execute(sql, params)).fetchone()


async def first_row(connection: Connection, sql: bytes, params: Mapping[str, Any]) -> DictRow:
    """The first row of a statement that always returns one."""
    row = await one_row(connection, sql, params)
    assert row is not None
    return row


def as_json(value: Any) -> str:
    """JSON text for a `jsonb` parameter."""
    try:
        return orjson.dumps(value, option=orjson.OPT_PASSTHROUGH_DATETIME).decode()
    except TypeError:  # integers of more than 64 bits
        return json.dumps(value, ensure_ascii=False, allow_nan=False)


def as_vector(embedding: list[float] | None) -> str | None:
    """Pgvector's text form of a vector."""
    return None if embedding is None else orjson.dumps(embedding).decode()


def as_array(texts: Sequence[str]) -> str:
    """PostgreSQL's text form of a `text[]`, where an array of arrays is passed."""
    return "{" + ",".join('"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"' for text in texts) + "}"


def columns(rows: list[tuple[Any, ...]], *names: str) -> dict[str, list[Any]]:
    """Rows as one array per column, for `unnest`."""
    return {name: [row[index] for row in rows] for index, name in enumerate(names)}
