"""Runs named statements and reads rows."""

import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
from datetime import datetime
from types import NoneType
from typing import Any, TypeAlias, TypeVar, cast

import orjson
from psycopg import AsyncRawCursor
from psycopg.rows import DictRow, dict_row
from psycopg.sql import Composable, Composed

from langgraph_agentmem.storage.driver.connections import Connection

T = TypeVar("T")
H = TypeVar("H", bound=Hashable)
_EXPONENT = re.compile(rb"\de")
_PARAMETER = re.compile(r"%\((\w+)\)s")
_LARGE = 1e16
"""From here on, floats are written with an exponent."""
MAX_ROWS = 2**31 - 1
"""For `unnest`: without a limit, the planner takes every array for ten rows."""
Deferred: TypeAlias = Callable[[], Awaitable[T]]
"""What was asked for, to be received when everything was sent, also after the transaction: in one round trip."""


async def send(
    connection: Connection, sql: bytes | Composed, params: Mapping[str, Any], read: Callable[[list[DictRow]], T]
) -> Deferred[T]:
    """Send a statement, whose rows are read later."""
    cursor = await connection.execute(sql, params)

    async def received() -> T:
        return read(await cursor.fetchall())

    return received


def received(value: T) -> Deferred[T]:
    """What is there already, as an answer."""

    async def at_once() -> T:
        return value

    return at_once


def gathered(answers: Sequence[Deferred[list[T]]]) -> Deferred[list[T]]:
    """Several answers as one list."""

    async def received() -> list[T]:
        return [row for answer in answers for row in await answer()]

    return received


async def paged(read: Callable[[str], Awaitable[list[str]]], size: int) -> AsyncGenerator[list[str]]:
    """Names in their order, page by page: `read` gives up to `size` of those that come after one."""
    after: str | None = ""
    while after is not None:
        page = await read(after)
        yield page
        after = page[-1] if len(page) == size else None


async def of_tenants(
    connection: Connection,
    found: Sequence[DictRow],
    sql: bytes,
    params: Mapping[str, Any],
    read: Callable[[list[DictRow]], list[T]],
) -> list[T]:
    """What a look over all tenants has found, read tenant by tenant: such a look itself reads no more than ids.

    Args:
        connection: To the database.
        found: Rows with `external_id` and `id`.
        sql: Reads rows of a tenant, `%(external_id)s`, by their `%(ids)s`.
        params: What it takes besides.
        read: Reads its rows.
    """
    ids: dict[str, list[Any]] = {}
    for row in found:
        ids.setdefault(row["external_id"], []).append(row["id"])
    sent: list[Deferred[list[T]]] = []
    for external_id, own in ids.items():
        connection.serve(external_id)
        sent.append(await send(connection, sql, {**params, "external_id": external_id, "ids": own}, read))
    return await gathered(sent)()


class RawStatement:
    """A statement whose parameters are found once, not at every use: the driver forgets how to read long ones.

    Args:
        statement: With `%(name)s` for parameters.
    """

    def __init__(self, statement: Composable) -> None:
        text = statement.as_string(None)
        self._names = list(dict.fromkeys(_PARAMETER.findall(text)))
        places = {name: place for place, name in enumerate(self._names, 1)}
        self._text = _PARAMETER.sub(lambda found: f"${places[found[1]]}", text).encode()

    async def execute(self, connection: Connection, params: Mapping[str, Any]) -> AsyncRawCursor[DictRow]:
        """Send it; its rows are fetched from the cursor, if at all."""
        cursor = AsyncRawCursor(connection, row_factory=dict_row)
        await cursor.execute(self._text, [params[name] for name in self._names])
        return cursor

    async def send(
        self, connection: Connection, params: Mapping[str, Any], read: Callable[[list[DictRow]], T]
    ) -> Deferred[T]:
        """Send it, as `send` does."""
        cursor = await self.execute(connection, params)

        async def received() -> T:
            return read(await cursor.fetchall())

        return received


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
        text = orjson.dumps(value, option=orjson.OPT_PASSTHROUGH_DATETIME)
        if not _EXPONENT.search(text):
            return text.decode()
    except TypeError:  # integers of more than 64 bits, or subclasses
        pass
    return orjson.dumps(_spelt_out(value), option=orjson.OPT_PASSTHROUGH_DATETIME).decode()


def _spelt_out(value: Any) -> Any:
    """A value of plain types, whose large numbers are written with all digits.

    PostgreSQL would make an integer of 1e16, and subclasses such as enumerations and NumPy's numbers have texts of
    their own, or none.
    """
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value).items()
        return {str.__str__(key): _spelt_out(item) for key, item in items}
    if isinstance(value, list | tuple):
        return [_spelt_out(item) for item in cast("list[Any]", value)]
    if isinstance(value, float):
        number = float(value)
        return orjson.Fragment(format(number, ".1f")) if abs(number) >= _LARGE else number
    if isinstance(value, int) and not isinstance(value, bool):
        return orjson.Fragment(int.__repr__(value))
    return str.__str__(value) if isinstance(value, str) else value


def as_vector(embedding: list[float] | None) -> str | None:
    """Pgvector's text form of a vector."""
    return None if embedding is None else orjson.dumps(embedding).decode()


def as_array(values: Iterable[object]) -> str:
    """PostgreSQL's text form of an array, which is quicker to write than the driver's general way."""
    return "{" + ",".join(map(_element, values)) + "}"


def as_numbers(values: Iterable[int]) -> str:
    """PostgreSQL's text form of an array of integers, of which there may be many."""
    return "{" + ",".join(map(str, values)) + "}"


def numbered(values: Iterable[H]) -> dict[H, int]:
    """Different values with their numbers, from 1, in the order in which they come first."""
    return {value: number for number, value in enumerate(dict.fromkeys(values), 1)}


def columns(rows: Sequence[tuple[Any, ...]], *names: str) -> dict[str, str]:
    """Rows as one array per column, for `unnest`; statements name the arrays' types."""
    return dict(zip(names, map(as_array, zip(*rows, strict=True)), strict=True)) if rows else dict.fromkeys(names, "{}")


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


_SPELT: dict[type, Callable[[Any], str]] = {
    NoneType: lambda _: "NULL",
    str: _quoted,
    bool: str,
    int: str,
    float: str,
    bytes: lambda value: f'"\\\\x{value.hex()}"',
    datetime: lambda value: f'"{value.isoformat()}"',
}
"""How values of a type are spelt in an array."""


def _element(value: object) -> str:
    # every value that is written passes here: looking its type up takes a third of the time of asking for each
    spelt = _SPELT.get(type(value))
    if spelt is None:
        spelt = next((known for kind, known in _SPELT.items() if isinstance(value, kind)), None)
    if spelt is None:
        raise TypeError(f"arrays hold no {type(value).__name__}")
    return spelt(value)
