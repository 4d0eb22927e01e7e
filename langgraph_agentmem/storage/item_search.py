"""The one statement that searches items by a query."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, LiteralString, cast

from psycopg import sql
from psycopg.rows import DictRow

from langgraph_agentmem.models.base import Json
from langgraph_agentmem.models.item import FoundItem, ItemSearch, Namespace, StoredItem
from langgraph_agentmem.policies.filters import Condition
from langgraph_agentmem.policies.ownership import Ownership
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.driver.rows import Deferred, RawStatement, all_rows, as_array, as_json, as_vector, send
from langgraph_agentmem.storage.driver.statements import statements, template
from langgraph_agentmem.storage.filters import compiled
from langgraph_agentmem.storage.sections import UnchunkedMemory, unchunked_memories
from langgraph_agentmem.storage.vectors import ANN_SETTINGS, EmbeddingModel, VectorForm, parts

_SQL = statements("item_search")
_SET_UP = RawStatement(template("item_search", "set_up_search").format(ann_settings=ANN_SETTINGS))
_POOL = 40
"""Nearest chunks that are looked at first."""
_WORTH = 1200
"""The index pays where the square of the scope's items is so many times the table's chunks: it then finds enough of the
scope's among the nearest of all, before comparing all of the scope's is cheaper."""
_LEXICAL_SHARE = 0.39
"""As in `policies.ranking`, where 0.35 of 0.90 are lexical without the graph."""
_MAX_MATCHES = {True: 60, False: 5_000}
"""How many matches the words that are looked up may have together, with and without vectors; rare words go first."""


async def set_up(connection: Connection, tenants: Iterable[str]) -> Deferred[list[UnchunkedMemory]]:
    """Set what searches need, for all that travel together, and ask for the tenants' memories that need chunking."""
    return await _SET_UP.send(connection, {"external_ids": as_array(tenants)}, unchunked_memories)


async def send_search(
    connection: Connection,
    ownership: Ownership,
    external_id: str,
    search: ItemSearch,
    condition: Condition | None,
    *,
    vector: list[float] | None,
    model: EmbeddingModel | None,
    config: str,
    frequent: Mapping[str, int],
    rare: int,
) -> Deferred[list[FoundItem]]:
    """Ask for a page of a tenant's items, best first.

    Args:
        connection: In a pipeline, for which `set_up` was called.
        ownership: Where namespaces name their tenant.
        external_id: The tenant.
        search: What is searched.
        condition: Its filter, read.
        vector: Of the query; None to leave vectors out.
        model: Of the vector.
        config: Text search configuration.
        frequent: By word, roughly how many chunks hold it; frequent words only.
        rare: Roughly how many chunks hold any other word.
    """
    text, params = compiled(condition) if condition else (None, {})
    form = model.form if model and vector else None
    statement = _statement(
        form,
        search.omit_expired,
        any(tier != "active" for tier in search.tiers),
        text,
    )
    params |= {"limit": search.limit, "offset": search.offset, "omit_expired": search.omit_expired}
    params |= {"owner": ownership.owner, "default_tenant": ownership.default_tenant}
    params |= {"external_id": external_id, "prefix": as_array(search.prefix), "query": search.query or ""}
    params |= {"vector": as_vector(vector), "with_vector": vector is not None}
    params |= {"tiers": as_array(search.tiers), "active": "active" in search.tiers}
    params |= {"config": config, "frequent": as_json(frequent), "rare": rare}
    params["max_matches"] = _MAX_MATCHES[vector is not None]
    params["listing"] = search.query is None
    return await statement.send(
        connection, params, lambda rows: [_found_item(row, scored=bool(search.query)) for row in rows]
    )


async def word_frequencies(connection: Connection) -> dict[str, int]:
    """Roughly how many chunks hold each of the frequent words, from the server's statistics."""
    rows = await all_rows(connection, _SQL["word_frequencies"], {})
    return {row["word"]: row["chunks"] for row in rows}


async def send_document(
    connection: Connection, external_id: str, namespace: Namespace, tier: str, chunk_id: int
) -> Deferred[StoredItem | None]:
    """Ask for a consolidated chunk of a memory, whose namespace is the one given without its last label."""
    params: Json = {"external_id": external_id, "namespace": list(namespace[:-1]), "tier": tier, "document": chunk_id}

    def read(rows: list[DictRow]) -> StoredItem | None:
        return StoredItem(namespace=namespace, key=str(chunk_id), **rows[0]) if rows else None

    return await send(connection, _ONE_DOCUMENT, params, read)


@lru_cache(maxsize=500)
def _statement(form: VectorForm | None, omit_expired: bool, documents: bool, condition: str | None) -> RawStatement:
    """The statement for a shape of query; putting it together takes as long as running it."""
    selected = _selection(omit_expired, documents, sql.SQL(cast("LiteralString", condition)) if condition else None)
    weights = (0.0, 1.0) if form is None else (1 - _LEXICAL_SHARE, _LEXICAL_SHARE)
    filled = selected | parts(form) | {"pool": sql.Literal(_POOL), "worth": sql.Literal(_WORTH)}
    filled |= {"vector_weight": sql.Literal(weights[0]), "lexical_weight": sql.Literal(weights[1])}
    return RawStatement(template("item_search", "search_items").format(**filled))


def _selection(omit_expired: bool, documents: bool, condition: sql.SQL | None) -> dict[str, sql.Composable]:
    """Which chunks and items take part, and how a page's are read."""
    passing: list[sql.Composable] = [condition] if condition else []
    if omit_expired:
        passing.append(template("item_search", "unexpired"))
    all_pass = sql.SQL(" AND ").join(passing) if passing else sql.SQL("TRUE")
    kept: sql.Composable = template("item_search", "kept_items").format(passing=all_pass) if passing else all_pass
    page_items = template("item_search", "found_items")
    if not documents:
        # items only: those of open memories, and chunks that are part of a section's value
        conditions = {"reachable": sql.SQL("a.closed_at IS NULL"), "visible": sql.SQL("c.current"), "listed": all_pass}
        return {**conditions, "kept": kept, "document": sql.SQL("NULL::bigint"), "items": page_items}
    consolidated = template("item_search", "consolidated")
    document = sql.SQL("CASE WHEN c.current AND %(active)s THEN NULL ELSE c.id END")
    value = template("item_search", "document_value")
    if passing:
        kept = template("item_search", "kept_documents").format(
            document=document, filter=condition or sql.SQL("TRUE"), value=value, kept=kept
        )
    return {
        "reachable": sql.SQL("TRUE"),
        "visible": sql.SQL("(c.current AND %(active)s OR {})").format(consolidated),
        "listed": sql.SQL("%(active)s AND {}").format(all_pass),
        "kept": kept,
        "document": document,
        "items": sql.SQL("\n").join([page_items, template("item_search", "found_documents").format(value=value)]),
    }


_ONE_DOCUMENT = (
    template("item_search", "one_document").format(value=template("item_search", "document_value")).as_bytes(None)
)


def _found_item(row: DictRow, *, scored: bool) -> FoundItem:
    fields: dict[str, Any] = {**row, "namespace": tuple(row["namespace"])}
    fields["key"] = fields.pop("section_id") if row["document"] is None else str(row["document"])
    if not scored:
        fields["score"] = None
    return FoundItem(**fields)
