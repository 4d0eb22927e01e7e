"""Tables of others, read as they are, and what stands here of their rows."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from psycopg import sql
from psycopg.rows import DictRow

from langgraph_agentmem.errors import ConfigurationError
from langgraph_agentmem.models.base import Json
from langgraph_agentmem.models.imported import PresentItem
from langgraph_agentmem.models.item import ItemKey, Namespace
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.driver.rows import (
    MAX_ROWS,
    Deferred,
    RawStatement,
    all_rows,
    as_array,
    columns,
    send,
)
from langgraph_agentmem.storage.driver.statements import statements, template

_SQL = statements("imports")
_AT = template("sections", "items_at").format(open_memory=template("sections", "open_memory"))
_PRESENT_ITEMS = RawStatement(template("imports", "present_items").format(items_at=_AT))
_DATE_ITEMS = RawStatement(template("imports", "date_items").format(items_at=_AT))
_DATE_CHUNKS = RawStatement(template("imports", "date_chunks").format(items_at=_AT))
_NULL, _TRUE = sql.SQL("NULL"), sql.SQL("true")


class Dated(NamedTuple):
    """The times of an item that was written."""

    key: ItemKey
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None
    is_new: bool


class Part(NamedTuple):
    """A part of a transcript.

    Attributes:
        source: Who has written it last.
        message_ids: Which of the messages that were asked for it holds.
    """

    value: Json
    source: str | None
    message_ids: Sequence[str]


class Table:
    """A table of others.

    Args:
        name: Its name.
        schema: Its schema; as the server finds it by the connection's search path if None.
        columns: Its columns, with their types.
    """

    def __init__(self, name: str, schema: str | None, columns: Mapping[str, str]) -> None:
        self.names: tuple[str, ...] = (name,) if schema is None else (schema, name)
        self.columns = columns

    @property
    def identifier(self) -> sql.Identifier:
        """Its name, for a statement."""
        return _identifier(*self.names)


class SourceRows(NamedTuple):
    """What is read of a source: a statement, and how many rows it has."""

    statement: sql.Composed
    params: Mapping[str, Any]
    number: int

    async def batches(self, connection: Connection, size: int) -> AsyncGenerator[list[DictRow]]:
        """The rows, so many at a time; no more than these are held."""
        async with connection.cursor("agentmem_import") as cursor:
            await cursor.execute(self.statement, self.params)
            while batch := await cursor.fetchmany(size):
                yield batch


async def find(connection: Connection, name: str, schema: str | None) -> Table | None:
    """A table of a source; None where there is none.

    Raises:
        ConfigurationError: The user may not read it.
    """
    table = Table(name, schema, {})
    shown = sql.Identifier(*table.names).as_string(None)
    found = await all_rows(connection, _SQL["columns_of"], {"table": shown})
    if not found:
        return None
    if not found[0]["readable"]:
        role = sql.Identifier(connection.info.user).as_string(None)
        raise ConfigurationError(
            f"the user {connection.info.user!r} of the source may not read the table {shown}; let its owner run "
            f"GRANT SELECT ON {shown} TO {role}"
        )
    table.columns = {row["name"]: row["type"] for row in found}
    return table


async def store_rows(connection: Connection, table: Table, vectors: Table | None) -> SourceRows:
    """The items of LangGraph's store, with their vectors where it has a table of them."""
    found = template("imports", "vectors_of_item").format(table=vectors.identifier) if vectors else _NULL
    optional = {name: _column(name) if name in table.columns else _NULL for name in ("expires_at", "ttl_minutes")}
    statement = template("imports", "store_rows").format(table=table.identifier, vectors=found, **optional)
    return SourceRows(statement, {}, await _count(connection, table))


async def has_rows(connection: Connection, table: Table) -> bool:
    """Whether a table has rows."""
    statement = template("imports", "any_rows").format(table=table.identifier)
    row = await (await connection.execute(statement, {})).fetchone()
    return row is not None and row["found"]


async def history_rows(connection: Connection, table: Table) -> SourceRows:
    """The messages of a history."""
    statement = template("imports", "history_rows").format(table=table.identifier)
    return SourceRows(statement, {}, await _count(connection, table))


async def collection(connection: Connection, table: Table, name: str) -> str | None:
    """The id of a collection of documents; None where there is none of that name."""
    statement = template("imports", "collection").format(table=table.identifier)
    row = await (await connection.execute(statement, {"name": name})).fetchone()
    return None if row is None else row["id"]


async def document_rows(
    connection: Connection,
    table: Table,
    *,
    id: str,
    content: str,
    embedding: str,
    metadata: str | None,
    more: Sequence[str],
    collection: str | None,
) -> SourceRows:
    """The documents of a table.

    Args:
        connection: To the source.
        table: Theirs.
        id: The column of their ids, as the others are of what they are called.
        content: Column.
        embedding: Column.
        metadata: Column of a JSON object; None for none.
        more: Columns of single metadata.
        collection: The id of the collection that they are to be of; None for all.
    """
    condition = _TRUE if collection is None else sql.SQL("t.collection_id::text = %(collection)s")
    pairs = [
        part for name in more for part in (sql.Literal(_spelt(name)), sql.SQL("to_jsonb({})").format(_column(name)))
    ]
    statement = template("imports", "document_rows").format(
        table=table.identifier,
        id=_identifier(id),
        content=_identifier(content),
        embedding=_identifier(embedding),
        metadata=_NULL if metadata is None else sql.SQL("{}::text").format(_column(metadata)),
        more=sql.SQL("jsonb_build_object({})").format(sql.SQL(", ").join(pairs)),
        condition=condition,
    )
    params = {"collection": collection}
    return SourceRows(statement, params, await _count(connection, table, condition, params))


async def _count(
    connection: Connection, table: Table, condition: sql.SQL = _TRUE, params: Mapping[str, Any] | None = None
) -> int:
    statement = template("imports", "count_rows").format(table=table.identifier, condition=condition)
    row = await (await connection.execute(statement, params or {})).fetchone()
    return row["rows"] if row else 0


def _column(name: str) -> sql.Composed:
    return sql.SQL("t.{}").format(_identifier(name))


def _identifier(*names: str) -> sql.Identifier:
    return sql.Identifier(*map(_spelt, names))


def _spelt(name: str) -> str:
    """A name in a statement with parameters, each of which begins with a percent sign."""
    return name.replace("%", "%%")


# What stands here


async def send_present(
    connection: Connection, external_id: str, keys: Sequence[ItemKey]
) -> Deferred[dict[ItemKey, PresentItem]]:
    """Ask for what stands where items are to stand; what is missing is left out."""

    def read(rows: list[DictRow]) -> dict[ItemKey, PresentItem]:
        return {keys[row["place"] - 1]: PresentItem.model_validate(row) for row in rows}

    return await _PRESENT_ITEMS.send(connection, _at(external_id, keys), read)


async def date(connection: Connection, external_id: str, dated: Sequence[Dated]) -> None:
    """Give items that were written in this transaction the times that they had elsewhere, and new ones' chunks, too."""
    rows = [item[1:] for item in dated]
    params = _at(external_id, [item.key for item in dated])
    params |= columns(rows, "created_ats", "updated_ats", "expires_ats", "are_new")
    await _DATE_ITEMS.execute(connection, params)
    await _DATE_CHUNKS.execute(connection, params)


async def send_parts(
    connection: Connection, external_id: str, namespace: Namespace, message_ids: Sequence[str]
) -> Deferred[list[Part]]:
    """Ask for the parts of the transcript under a namespace that hold some of these messages."""
    params: Json = {"external_id": external_id, "namespace": list(namespace), "message_ids": list(message_ids)}
    return await send(connection, _SQL["transcript_parts"], params, lambda rows: [Part(**row) for row in rows])


def _at(external_id: str, keys: Sequence[ItemKey]) -> dict[str, Any]:
    named = columns([(as_array(namespace), key) for namespace, key in keys], "namespaces", "keys")
    return {"external_id": external_id, "max_rows": MAX_ROWS, **named}
