"""Makes one statement, which is a transaction by itself, of all that LangGraph's checkpointer inserts at once."""

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import count
from typing import Any, LiteralString, NamedTuple, TypeAlias, cast

from psycopg import sql

from langgraph_agentmem.storage.langgraph.upstream import CheckpointStatement

Shape: TypeAlias = tuple[tuple[str, int], ...]
"""Statements, and how many rows each of them inserts."""

# What LangGraph's inserts look like. Whatever a later release writes otherwise is not recognized, and sent as it is.
_INSERT = re.compile(
    r"\s*(INSERT INTO (?P<table>\w+) \((?P<columns>[\w, ]+)\)\s+VALUES) \(%s(?:, %s)*\)"
    r"(\s+ON CONFLICT \((?P<key>[\w, ]+)\)\s+DO [^;]+);?\s*"
)
_MAX_ROWS = 16
"""Beyond, a statement of its own for each number of rows is no gain."""


class Inserts(NamedTuple):
    """Rows that are inserted by one statement."""

    shape: Shape
    params: dict[str, Any]


class _Insert(NamedTuple):
    """A statement that inserts rows, with the places of the columns that tell these apart."""

    table: str
    before_values: str
    after_values: str
    width: int
    key: tuple[int, ...]


def as_one(statements: Sequence[CheckpointStatement]) -> Inserts | None:
    """The rows of all statements, if one statement can insert them; None if one is no insert, or a row comes twice."""
    filled = [(query, rows) for query, rows in statements if rows]
    inserts = [insert for query, _ in filled if (insert := _read(query))]
    # one insert a table: the parts of a statement do not see each other's rows
    apart = len({insert.table for insert in inserts}) == len(filled)
    if not filled or not apart or sum(len(rows) for _, rows in filled) > _MAX_ROWS:
        return None
    # nor may an upsert meet one row twice
    if any(_repeats(insert, rows) for insert, (_, rows) in zip(inserts, filled, strict=True)):
        return None
    values = (value for _, rows in filled for row in rows for value in row)
    shape = tuple((query, len(rows)) for query, rows in filled)
    return Inserts(shape, {f"value{place}": value for place, value in enumerate(values)})


def ctes(shape: Shape) -> sql.Composable:
    """The statements as common table expressions, whose parameters are those of `Inserts`."""
    places = count()
    return sql.SQL(", ").join(
        sql.SQL(cast("LiteralString", f"stored{number} AS ({_text(query, rows, places)})"))
        for number, (query, rows) in enumerate(shape)
    )


def _text(query: str, rows: int, places: "count[int]") -> str:
    insert = _read(query)
    assert insert is not None
    values = (", ".join(f"%(value{next(places)})s" for _ in range(insert.width)) for _ in range(rows))
    return f"{insert.before_values} ({'), ('.join(values)}){insert.after_values}"


@lru_cache(maxsize=32)
def _read(query: str) -> _Insert | None:
    match = _INSERT.fullmatch(query)
    if match is None:
        return None
    columns = match["columns"].split(", ")
    key = tuple(columns.index(column) for column in match["key"].split(", "))
    return _Insert(match["table"], match[1], match[4], len(columns), key)


def _repeats(insert: _Insert, rows: Sequence[Sequence[Any]]) -> bool:
    return len(rows) > 1 and len({tuple(row[place] for place in insert.key) for row in rows}) < len(rows)
