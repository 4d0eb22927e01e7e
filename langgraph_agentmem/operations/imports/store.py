"""Reads LangGraph's PostgresStore and AsyncPostgresStore."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from langgraph.store.base import get_text_at_path

from langgraph_agentmem.models.imported import ImportReport, IncomingItem
from langgraph_agentmem.operations.imports.items import Items
from langgraph_agentmem.operations.imports.running import OnPassed, found, run
from langgraph_agentmem.operations.sections.texts import checked_fields
from langgraph_agentmem.policies import importing, validation
from langgraph_agentmem.policies.ownership import Ownership
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.storage import imports as storage
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.imports import SourceRows

_COLUMNS = ("prefix", "key", "value", "created_at", "updated_at")
_ADVICE = "LangGraph's stores make one with setup(); name its schema with schema="
_WHOLE = "$"


async def import_store(
    resources: Resources,
    dsn: str | None,
    *,
    schema: str | None,
    ownership: Ownership,
    index: bool | Sequence[str] | None,
    on_progress: OnPassed | None,
) -> ImportReport:
    """See `Imports.astore`."""
    reader = _Store(schema, resources.settings.store_fields, index)
    return await run(resources, dsn, {"store": Items(resources, ownership, reader)}, on_progress)


class _Store:
    """Reads the items of LangGraph's store.

    Args:
        schema: Of its tables.
        configured: The paths that items are searched by if nothing is said.
        index: As for a put; None for what the source's vectors tell.
    """

    def __init__(
        self, schema: str | None, configured: Sequence[str] | None, index: bool | Sequence[str] | None
    ) -> None:
        self._schema = schema
        self._fields = None if configured is None else tuple(configured)
        if index is False:
            self._fields = ()
        elif not isinstance(index, bool | None):
            self._fields = tuple(checked_fields(index, "index"))
        self._told_by_vectors = index is None

    async def rows(self, connection: Connection) -> SourceRows:
        table = await found(connection, "store", self._schema, _COLUMNS, _ADVICE)
        vectors = await storage.find(connection, "store_vectors", self._schema)
        # without a single vector, no item tells by which paths it is to be found
        self._told_by_vectors &= vectors is not None and await storage.has_rows(connection, vectors)
        return await storage.store_rows(connection, table, vectors)

    def place(self, row: Mapping[str, Any]) -> str:
        return f"item {row['key']!r} of {importing.namespace_of(row['prefix'])}"

    def item(self, row: Mapping[str, Any]) -> IncomingItem | None:
        if row["expires_at"] is not None and row["expires_at"] <= datetime.now(UTC):
            return None
        value = validation.json_object(row["value"], "value")
        vectors: Mapping[str, str] = row["vectors"] or {}
        named = {name: _named(value, name) for name in vectors}
        return IncomingItem(
            place=self.place(row),
            namespace=importing.namespace_of(row["prefix"]),
            key=row["key"],
            value=value,
            fields=_fields(path for path, _ in named.values()) if self._told_by_vectors else self._fields,
            ttl_minutes=importing.lifetime(row),
            created_at=row["created_at"],
            updated_at=row["updated_at"],
            expires_at=row["expires_at"],
            vectors={text: orjson.loads(vectors[name]) for name, (_, text) in named.items() if text is not None},
        )


def _fields(paths: Iterable[str]) -> tuple[str, ...] | None:
    """The paths that an item was indexed by; none for one that was not, and None for all of its texts."""
    different = tuple(dict.fromkeys(paths))
    return None if different == (_WHOLE,) else different


def _named(value: object, name: str) -> tuple[str, str | None]:
    """The path that a vector is named by, and its text; LangGraph numbers the texts of a path that has several."""
    if texts := get_text_at_path(value, name):
        return name, texts[0] if len(texts) == 1 else None
    path, _, number = name.rpartition(".")
    if not path or not number.isdecimal():
        return name, None
    texts = get_text_at_path(value, path)
    # an earlier value may have had more of them
    return path, texts[int(number)] if int(number) < len(texts) else None
