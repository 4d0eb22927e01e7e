"""Sections as items of a store: by namespace and key."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, LiteralString, cast

from psycopg import sql
from psycopg.rows import DictRow

from langgraph_agentmem.models.base import Json
from langgraph_agentmem.models.item import (
    FoundItem,
    ItemKey,
    ItemSearch,
    Namespace,
    NamespaceListing,
    StoredItem,
)
from langgraph_agentmem.policies.filters import Condition
from langgraph_agentmem.policies.ownership import Ownership
from langgraph_agentmem.storage import outbox, reviews
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.driver.rows import (
    MAX_ROWS,
    Deferred,
    RawStatement,
    all_rows,
    as_array,
    as_json,
    columns,
    send,
)
from langgraph_agentmem.storage.driver.statements import statements, template
from langgraph_agentmem.storage.driver.tenants import EVERYONE, tenant_or_everyone
from langgraph_agentmem.storage.filters import compiled

_SQL = statements("sections")
_AT = template("sections", "items_at").format(open_memory=template("sections", "open_memory"))
_GET_ITEMS = RawStatement(template("sections", "get_items").format(items_at=_AT))
_EMBEDDED_HASHES = RawStatement(template("sections", "embedded_hashes").format(items_at=_AT))
_EXPIRED_ITEMS = RawStatement(template("sections", "expired_items").format(items_at=_AT))
_REFRESH_ITEMS = RawStatement(template("sections", "refresh_items").format(items_at=_AT))
_SHORTEST_PAGE = 15
Supported = Sequence[tuple[int | None, int | None]]
"""(entity, relationship) ids, one of which is None."""


async def send_get(
    connection: Connection, external_id: str, keys: Sequence[ItemKey], *, omit_expired: bool
) -> Deferred[dict[ItemKey, StoredItem]]:
    """Ask for items by namespace and key; missing ones are left out."""

    def read(rows: list[DictRow]) -> dict[ItemKey, StoredItem]:
        return {key: _item(row, *key) for row in rows for key in [keys[int(row.pop("place")) - 1]]}

    connection.serve(external_id)
    return await _GET_ITEMS.send(connection, _at(external_id, keys) | {"omit_expired": omit_expired}, read)


async def refresh(connection: Connection, external_id: str, items: Sequence[StoredItem]) -> None:
    """Let items that expire live on from now."""
    for ttl in {item.ttl_minutes for item in items}:
        keys = [(item.namespace, item.key) for item in items if item.ttl_minutes == ttl]
        await _REFRESH_ITEMS.execute(connection, _at(external_id, keys) | {"ttl": ttl})


async def embedded_hashes(
    connection: Connection, external_id: str, keys: Sequence[ItemKey], embedding_model: int
) -> set[bytes]:
    """Hashes of the chunks of items that have a vector of a model."""
    params = _at(external_id, keys) | {"embedding_model": embedding_model}
    rows = await (await _EMBEDDED_HASHES.execute(connection, params)).fetchall()
    return {row["content_hash"] for row in rows}


async def expired_among(connection: Connection, external_id: str, keys: Sequence[ItemKey]) -> list[ItemKey]:
    """Those of these items that have expired."""
    rows = await (await _EXPIRED_ITEMS.execute(connection, _at(external_id, keys))).fetchall()
    return [keys[row["place"] - 1] for row in rows]


def _at(external_id: str, keys: Sequence[ItemKey]) -> dict[str, Any]:
    named = columns([(as_array(namespace), key) for namespace, key in keys], "namespaces", "keys")
    return {"external_id": external_id, "max_rows": MAX_ROWS, **named}


async def supported(
    connection: Connection, external_id: str, memory_id: int, keys: Sequence[str]
) -> list[tuple[int | None, int | None]]:
    """(entity, relationship) ids of what items' chunks support."""
    rows = await all_rows(connection, _SQL["supported_by_items"], _keys(external_id, memory_id, keys))
    return [(row["entity_id"], row["relationship_id"]) for row in rows]


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
    # disputes and the outbox first: both are found by the items' chunks
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
    """Keys of items that have expired, by tenant."""
    by_tenant: dict[str, list[ItemKey]] = {}
    for row in await all_rows(connection, _SQL["expired"], {"limit": limit}):
        by_tenant.setdefault(row["external_id"], []).append((tuple(row["namespace"]), row["section_id"]))
    return by_tenant


async def send_namespaces(
    connection: Connection, ownership: Ownership, external_id: str | None, listing: NamespaceListing
) -> Deferred[list[Namespace]]:
    """Ask for namespaces that have items, sorted."""
    connection.serve(tenant_or_everyone(external_id))
    params: Json = listing.model_dump(include={"max_depth", "omit_expired", "limit", "offset"})
    params |= {"external_id": external_id, "conditions": _json_path(listing.conditions), **ownership.model_dump()}
    return await send(connection, _SQL["namespaces"], params, lambda rows: [tuple(row["namespace"]) for row in rows])


async def tenants(connection: Connection, ownership: Ownership, prefix: Namespace) -> list[str]:
    """Tenants with items under a prefix that names none."""
    connection.serve(EVERYONE)
    params = {"prefix": list(prefix), **ownership.model_dump()}
    return [row["external_id"] for row in await all_rows(connection, _SQL["tenants"], params)]


async def some_namespaces(connection: Connection, limit: int) -> list[tuple[str, Namespace]]:
    """A few memories' tenants and namespaces."""
    rows = await all_rows(connection, _SQL["some_namespaces"], {"limit": limit})
    return [(row["external_id"], tuple(row["namespace"])) for row in rows]


async def send_list(
    connection: Connection, ownership: Ownership, external_id: str, search: ItemSearch, condition: Condition | None
) -> Deferred[list[FoundItem]]:
    """Ask for a tenant's items under a prefix that pass a filter, the newest first."""
    connection.serve(external_id)
    text, params = compiled(condition) if condition else ("TRUE", {})
    params |= search.model_dump(include={"omit_expired", "limit", "offset"}) | ownership.model_dump()
    params |= {"external_id": external_id, "prefix": as_array(search.prefix)}
    # a power of two, so that there are few shapes of the statement to be planned
    page_limit = 1 << max(search.limit + search.offset, _SHORTEST_PAGE).bit_length()
    return await _list_statement(text, page_limit).send(
        connection, params, lambda rows: [_listed_item(row) for row in rows]
    )


@lru_cache(maxsize=500)
def _list_statement(condition: str, page_limit: int) -> RawStatement:
    """The statement for a shape of filter, and pages that end before so many items."""
    return RawStatement(
        template("sections", "list_items").format(
            filter=sql.SQL(cast("LiteralString", condition)), page_limit=sql.Literal(page_limit)
        )
    )


def _json_path(conditions: Iterable[tuple[str, Namespace]]) -> str | None:
    """What a namespace has to be, as a JSON path that is true or false of the list of its labels; None for anything."""
    tests: list[str] = []
    for kind, path in conditions:
        tests.append(f"$.size() >= {len(path)}")
        for place, label in enumerate(path):
            where = f"last - {len(path) - 1 - place}" if kind == "suffix" else str(place)
            if label != "*":
                tests.append(f"$[{where}] == {as_json(label)}")
    return " && ".join(f"({test})" for test in tests) or None


def _listed_item(row: DictRow) -> FoundItem:
    row["namespace"] = tuple(row["namespace"])
    return FoundItem(**row)


def _item(row: DictRow, namespace: Namespace, key: str) -> StoredItem:
    return StoredItem(namespace=namespace, key=key, **row)
