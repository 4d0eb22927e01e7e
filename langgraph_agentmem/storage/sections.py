"""Sections as items of a store: by namespace and key."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, LiteralString, NamedTuple, cast

from psycopg import sql
from psycopg.rows import DictRow

from langgraph_agentmem.models.base import Json
from langgraph_agentmem.models.chunk import Vectors
from langgraph_agentmem.models.item import (
    ChunkedItem,
    FoundItem,
    ItemKey,
    ItemSearch,
    ItemWrite,
    Namespace,
    NamespaceListing,
    StoredItem,
)
from langgraph_agentmem.policies.filters import Condition
from langgraph_agentmem.policies.ownership import Ownership
from langgraph_agentmem.storage import outbox, reviews
from langgraph_agentmem.storage.chunks import chunk_params
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.driver.rows import (
    MAX_ROWS,
    Deferred,
    RawStatement,
    all_rows,
    as_array,
    as_json,
    columns,
    numbered,
    send,
)
from langgraph_agentmem.storage.driver.statements import statements, template
from langgraph_agentmem.storage.filters import compiled
from langgraph_agentmem.storage.vectors import EmbeddingModel

_SQL = statements("sections")
_GET_ITEMS = RawStatement(template("sections", "get_items"))
_PUT_VALUES = RawStatement(template("sections", "put_values"))
_PUT_MEMORIES = RawStatement(template("sections", "put_memories"))
_SHORTEST_PAGE = 15
_PUT_ITEMS = RawStatement(template("sections", "put_items").format(chunks=template("chunks", "chunks_of_written")))


def _places(external_id: str, places: Sequence[ItemKey]) -> dict[str, Any]:
    return {"external_id": external_id, **columns([(as_array(n), key) for n, key in places], "namespaces", "keys")}


async def send_get(
    connection: Connection, external_id: str, places: Sequence[ItemKey], *, omit_expired: bool
) -> Deferred[dict[ItemKey, StoredItem]]:
    """Ask for items by place; missing ones are left out."""

    def read(rows: list[DictRow]) -> dict[ItemKey, StoredItem]:
        return {place: _item(row, *place) for row in rows if (place := places[int(row.pop("place")) - 1])}

    params = _places(external_id, places) | {"omit_expired": omit_expired, "max_rows": MAX_ROWS}
    return await _GET_ITEMS.send(connection, params, read)


async def refresh(connection: Connection, external_id: str, items: Sequence[StoredItem]) -> None:
    """Let items that expire live on from now."""
    for ttl in {item.ttl_minutes for item in items}:
        places = [(item.namespace, item.key) for item in items if item.ttl_minutes == ttl]
        await connection.execute(_SQL["refresh_items"], _places(external_id, places) | {"ttl": ttl})


async def lock(connection: Connection, external_id: str, namespaces: Sequence[Namespace]) -> dict[Namespace, int]:
    """The ids of open memories by namespace, locked."""
    params = {"external_id": external_id, "namespaces": [as_array(namespace) for namespace in namespaces]}
    return {tuple(row["namespace"]): row["id"] for row in await all_rows(connection, _SQL["lock_memories"], params)}


async def lock_or_make(
    connection: Connection,
    external_id: str,
    updates: Mapping[Namespace, int],
    ownership: Ownership,
    *,
    minutes: float | None,
) -> None:
    """Lock the memories that are written to, make those that are missing, and count so many updates.

    Updates make a memory due after so many minutes at the latest.
    """
    rows = [(as_array(namespace), ownership.title(namespace), count) for namespace, count in updates.items()]
    params = columns(rows, "namespaces", "titles", "updates")
    await _PUT_MEMORIES.execute(connection, {"external_id": external_id, "minutes": minutes, **params})


class PutValues(NamedTuple):
    """What putting values alone has come to: whether memories have become due, and which have many stale sections."""

    due: bool
    behind: list[int]


async def put_values(
    connection: Connection,
    external_id: str,
    items: Sequence[ItemWrite],
    ownership: Ownership,
    *,
    source: str,
    average: float,
    most: int,
    minutes: float | None,
    many: int,
) -> PutValues:
    """Write items that live for the same time, at most one a place, without their chunks.

    Args:
        connection: In no transaction; where others write the same new items, nothing is written, and a `StorageError`
            tells.
        external_id: The tenant.
        items: To be written.
        ownership: Where namespaces name their tenant.
        source: Who writes.
        average: Updates a section; see `policies.thresholds`.
        most: Updates a memory.
        minutes: After which updates make a memory due at the latest.
        many: Stale sections.
    """
    params = {"external_id": external_id, "source": source, "average": average, "most": most, "minutes": minutes}
    places = numbered(item.namespace for item in items)
    params |= columns([(as_array(n), ownership.title(n)) for n in places], "namespaces", "titles")
    params |= {"ttl": items[0].ttl_minutes, "max_rows": MAX_ROWS, "many": many, **_item_columns(items, places)}
    row = await (await _PUT_VALUES.execute(connection, params)).fetchone()
    assert row is not None
    return PutValues(bool(row["due"]), row["behind"] or [])


def _item_columns(items: Sequence[ItemWrite], places: Mapping[Namespace, int]) -> dict[str, str]:
    rows = [(places[i.namespace], i.section_id, i.json_text, _fields(i), i.updates) for i in items]
    return columns(rows, "places", "section_ids", "values", "fields", "counted")


async def put(
    connection: Connection,
    external_id: str,
    items: Sequence[ChunkedItem],
    vectors: Vectors,
    *,
    source: str,
    config: str,
    model: EmbeddingModel | None,
    average: float,
    most: int,
) -> list[Deferred[bool]]:
    """Write items, at most one a place, into memories that are locked, with their chunks.

    Args:
        connection: In a transaction.
        external_id: The tenant.
        items: To be written.
        vectors: Of their chunks, by the hash of the chunk's content.
        source: Who writes.
        config: Text search configuration.
        model: The vectors'.
        average: Updates a section; see `policies.thresholds`.
        most: Updates a memory.

    Returns:
        What tells whether memories have become due.
    """
    due: list[Deferred[bool]] = []
    always = {"external_id": external_id, "source": source, "average": average, "most": most}
    for ttl in dict.fromkeys(item.ttl_minutes for item in items):
        alike = [item for item in items if item.ttl_minutes == ttl]
        places = numbered(item.namespace for item in alike)
        params = always | {"ttl": ttl, "namespaces": as_array(map(as_array, places)), **_item_columns(alike, places)}
        params |= chunk_params(alike, vectors, config, model)
        due.append(await _PUT_ITEMS.send(connection, params, _due))
    return due


def _due(rows: list[DictRow]) -> bool:
    """Whether one of these memories, as they were just updated, has become due by that."""
    return any(row["due_at"] == row["updated_at"] for row in rows)


def _fields(item: ItemWrite) -> str | None:
    return None if item.fields is None else as_array(item.fields)


async def revisions(connection: Connection, external_id: str, places: Sequence[ItemKey]) -> dict[ItemKey, int]:
    """Revisions of items."""
    rows = await all_rows(connection, _SQL["item_revisions"], _places(external_id, places))
    return {places[row["place"] - 1]: row["revision"] for row in rows}


async def embedded_hashes(
    connection: Connection, external_id: str, places: Sequence[ItemKey], embedding_model: int
) -> set[bytes]:
    """Hashes of the chunks of items that have a vector of a model."""
    params = _places(external_id, places) | {"embedding_model": embedding_model}
    rows = await all_rows(connection, _SQL["embedded_hashes"], params)
    return {row["content_hash"] for row in rows}


async def supported(
    connection: Connection, external_id: str, memory_id: int, keys: Sequence[str]
) -> list[tuple[int | None, int | None]]:
    """(entity, relationship) ids of what items' chunks support."""
    rows = await all_rows(connection, _SQL["supported_by_items"], _keys(external_id, memory_id, keys))
    return [(row["entity_id"], row["relationship_id"]) for row in rows]


async def expired_among(connection: Connection, external_id: str, memory_id: int, keys: Sequence[str]) -> list[str]:
    """Those of these items that have expired."""
    rows = await all_rows(connection, _SQL["expired_items"], _keys(external_id, memory_id, keys))
    return [row["section_id"] for row in rows]


Supported = Sequence[tuple[int | None, int | None]]
"""(entity, relationship) ids, one of which is None."""


async def delete(
    connection: Connection, external_id: str, memory_id: int, keys: Sequence[str], supported: Supported
) -> None:
    """Remove items with what was made from them, in every tier and in the log; a run that read them will notice.

    Args:
        connection: In a transaction that holds the memory's lock.
        external_id: The tenant.
        memory_id: The memory.
        keys: The items.
        supported: What their chunks support: every run of the memory may have seen its description.
    """
    params = _keys(external_id, memory_id, keys)
    entities, relationships = [e for e, _ in supported if e], [r for _, r in supported if r]
    await reviews.forget(connection, external_id, memory_id, keys, entities=entities, relationships=relationships)
    await outbox.enqueue_memory_chunks(connection, external_id, memory_id, sections=keys, operation="delete")
    await connection.execute(_SQL["delete_item_chunks"], params)
    await connection.execute(_SQL["delete_items"], params)
    sections = [as_json([{"section_id": key}]) for key in keys]
    await connection.execute(_SQL["forget_runs"], params | {"sections": sections, "everything": bool(supported)})
    if supported:
        things = {"external_id": external_id, "entities": entities, "relationships": relationships}
        await connection.execute(_SQL["forget_descriptions"], things)


def _keys(external_id: str, memory_id: int, keys: Sequence[str]) -> dict[str, Any]:
    return {"external_id": external_id, "memory_id": memory_id, "keys": list(keys)}


async def expired(connection: Connection, limit: int) -> dict[str, list[ItemKey]]:
    """Places of items that have expired, by tenant."""
    found: dict[str, list[ItemKey]] = {}
    for row in await all_rows(connection, _SQL["expired"], {"limit": limit}):
        found.setdefault(row["external_id"], []).append((tuple(row["namespace"]), row["section_id"]))
    return found


async def send_namespaces(
    connection: Connection, ownership: Ownership, external_id: str | None, listing: NamespaceListing
) -> Deferred[list[Namespace]]:
    """Ask for namespaces that have items, sorted."""
    params: Json = listing.model_dump(include={"max_depth", "omit_expired", "limit", "offset"})
    conditions = [{"type": kind, "path": path} for kind, path in listing.conditions]
    params |= {"external_id": external_id, "conditions": as_json(conditions), **ownership.model_dump()}
    return await send(connection, _SQL["namespaces"], params, lambda rows: [tuple(row["namespace"]) for row in rows])


async def tenants(connection: Connection, ownership: Ownership, prefix: Namespace) -> list[str]:
    """Tenants with items under a prefix that names none."""
    params = {"prefix": list(prefix), **ownership.model_dump()}
    return [row["external_id"] for row in await all_rows(connection, _SQL["tenants"], params)]


async def send_list(
    connection: Connection, ownership: Ownership, external_id: str, search: ItemSearch, condition: Condition | None
) -> Deferred[list[FoundItem]]:
    """Ask for a tenant's items under a prefix that pass a filter, the newest first."""
    text, params = compiled(condition) if condition else ("TRUE", {})
    params |= search.model_dump(include={"omit_expired", "limit", "offset"}) | ownership.model_dump()
    params |= {"external_id": external_id, "prefix": as_array(search.prefix)}
    most = 1 << max(search.limit + search.offset, _SHORTEST_PAGE).bit_length()
    return await _list_statement(text, most).send(connection, params, lambda rows: [_found(row) for row in rows])


@lru_cache(maxsize=500)
def _list_statement(condition: str, most: int) -> RawStatement:
    """The statement for a shape of filter, and pages that end before so many items."""
    return RawStatement(
        template("sections", "list_items").format(
            filter=sql.SQL(cast("LiteralString", condition)), most=sql.Literal(most)
        )
    )


def _found(row: DictRow) -> FoundItem:
    row["namespace"] = tuple(row["namespace"])
    return FoundItem(**row)


def _item(row: DictRow, namespace: Namespace, key: str) -> StoredItem:
    return StoredItem(namespace=namespace, key=key, **row)
