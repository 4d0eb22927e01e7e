"""Putting, getting and deleting items."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, TypedDict, cast
from uuid import UUID

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.store.base import BaseStore, Item, PutOp

from langgraph_agentmem.testing.store_conformance.case import Case, NotMet, expect, in_thread, refused, same
from langgraph_agentmem.testing.store_conformance.registry import Group

contract: Final = Group("contract")

_JSON: dict[str, Any] = {
    "text": "naïve café 漢字 🧠 \u202eabc",
    "lookalikes": ["2024-05-01T12:00:00Z", "1", "true", "null", '{"a": 1}'],
    "nested": {"list": [1, [2, {"three": None}]], "yes": True, "no": False},
    "numbers": [0, -1, 2**53 + 1, 0.1, -2.5e-7, 1.0],
    "empty": {"dict": {}, "list": [], "text": ""},
    "": "a key without characters",
}
_ODD_KEYS = (
    "a.b", "a/b", "a b", " a", "a'b", 'a"b', "a%b", "a_b", "aXb", "a\\b", "ключ", "🔑", "$", "{}", "%s", "A.B",
    "é", "e\u0301",
)  # fmt: skip


@contract.promised("get-missing")
async def get_missing(case: Case) -> None:
    """Asking for what is not there is no error: the answer is None."""
    same(await case.get("missing"), None, "get of a missing key")
    await case.fill({"there": {"n": 1}})
    same(await case.get("missing"), None, "get of a missing key beside another")


@contract.promised("put-get-round-trip")
async def put_get_round_trip(case: Case) -> None:
    """An agent must read back exactly what it wrote: Unicode, nesting, numbers, empty values."""
    await case.fill({"json": _JSON, "empty": {}})
    same(await case.value("json"), _JSON, "the value")
    same(await case.value("empty"), {}, "the empty value")


@contract.promised("put-takes-mappings")
async def put_takes_mappings(case: Case) -> None:
    """The value's type is Mapping, not dict; what is read is a dict."""
    await case.put("k", MappingProxyType({"n": 1}))
    same(await case.value("k"), {"n": 1}, "a mapping that is no dict")


@contract.promised("put-replaces")
async def put_replaces(case: Case) -> None:
    """A put replaces the whole value; if it merged, fields could never be removed."""
    await case.fill({"k": {"a": 1, "nested": {"x": 1}}})
    await case.fill({"k": {"b": 2, "nested": {"y": 2}}})
    same(await case.value("k"), {"b": 2, "nested": {"y": 2}}, "the value after the second put")


@contract.promised("put-keeps-created-at")
async def put_keeps_created_at(case: Case) -> None:
    """created_at is when the item was made: an overwrite must not change it, or age cannot be told from use."""
    await case.fill({"k": {"n": 1}})
    first = await case.item("k")
    created = first.created_at
    await asyncio.sleep(0.02)
    await case.fill({"k": {"n": 2}})
    same((await case.item("k")).created_at, created, "created_at after an overwrite")


@contract.promised("put-moves-updated-at")
async def put_moves_updated_at(case: Case) -> None:
    """updated_at is when the item was last written; who looks for stale memories depends on it."""
    await case.fill({"k": {"n": 1}})
    updated = (await case.item("k")).updated_at
    await asyncio.sleep(0.02)
    await case.fill({"k": {"n": 2}})
    expect((await case.item("k")).updated_at > updated, "updated_at did not move on an overwrite")


@contract.promised("item-fields")
async def item_fields(case: Case) -> None:
    """Callers compare namespaces with tuples and times with aware datetimes; lists or naive times break them."""
    await case.store.aput(case.at("deep", "er"), "k", {"n": 1})
    found = await case.store.aget(case.at("deep", "er"), "k")
    expect(isinstance(found, Item), f"get returns a {type(found).__name__}")
    hits = await case.search()
    same(len(hits), 1, "number of items that search finds")
    expect(hasattr(hits[0], "score"), f"search returns {type(hits[0]).__name__}")
    for item in [found, *hits]:
        if item is None:
            raise NotMet("get returns None")
        same((item.namespace, item.key), (case.at("deep", "er"), "k"), "namespace and key")
        _check_times(item)


def _check_times(item: Item) -> None:
    for name in ("created_at", "updated_at"):
        moment = getattr(item, name)
        expect(
            isinstance(moment, datetime) and moment.tzinfo is not None,
            f"{name} is no timezone-aware datetime: {moment!r}",
        )


@contract.promised("delete")
async def delete(case: Case) -> None:
    """What a user wants forgotten must be gone from every way of reading."""
    await case.fill({"k": {"n": 1}, "other": {"n": 2}})
    await case.store.adelete(case.at(), "k")
    same(await case.get("k"), None, "get after delete")
    same(await case.keys(), ["other"], "search after delete")


@contract.promised("delete-missing")
async def delete_missing(case: Case) -> None:
    """Deleting what is not there is no error, so that deleting can be repeated."""
    await case.store.adelete(case.at(), "missing")
    await case.fill({"k": {"n": 1}})
    for _ in range(2):
        await case.store.adelete(case.at(), "k")
    same(await case.get("k"), None, "get after delete")


@contract.promised("put-none-deletes")
async def put_none_deletes(case: Case) -> None:
    """A PutOp whose value is None is LangGraph's way to delete within a batch."""
    await case.fill({"k": {"n": 1}})
    await case.item("k")
    await case.store.abatch([PutOp(case.at(), "k", None)])
    same(await case.get("k"), None, "get after a put of None")
    same(await case.keys(), [], "search after a put of None")


@contract.expected("put-after-delete-starts-anew")
async def put_after_delete_starts_anew(case: Case) -> None:
    """An item that was deleted and put again is a new one; the old created_at would say that it was never gone."""
    await case.fill({"k": {"n": 1}})
    created = (await case.item("k")).created_at
    await asyncio.sleep(0.02)
    await case.store.adelete(case.at(), "k")
    await case.fill({"k": {"n": 2}})
    expect((await case.item("k")).created_at > created, "the deleted item's created_at came back")


@contract.promised("odd-keys")
async def odd_keys(case: Case) -> None:
    """Keys are any text, often file names, URLs or what a model made up; each must stay a key of its own."""
    await case.fill({key: {"key": key} for key in _ODD_KEYS})
    for key in _ODD_KEYS:
        same(await case.value(key), {"key": key}, f"the value of {key!r}")
    same(sorted(await case.keys()), sorted(_ODD_KEYS), "the keys that search finds")
    await case.store.adelete(case.at(), "a%b")
    await case.store.adelete(case.at(), "a_b")
    left = set(_ODD_KEYS) - {"a%b", "a_b"}
    same(set(await case.keys()), left, "the keys after two were deleted")


@contract.expected("keys-become-text")
async def keys_become_text(case: Case) -> None:
    """BaseStore turns keys into text, so that a UUID or a number may be given as it is."""
    for key in (UUID(int=7), 42):
        await case.store.aput(case.at(), cast("str", key), {"key": str(key)})
        same(await case.value(str(key)), {"key": str(key)}, f"the value of {key!r}, read by its text")
        same(await case.value(cast("str", key)), {"key": str(key)}, f"the value of {key!r}")


@contract.promised("invalid-namespaces-refused")
async def invalid_namespaces_refused(case: Case) -> None:
    """LangGraph documents InvalidNamespaceError (a ValueError) for these; a typo must not write somewhere else."""
    bad: list[Any] = [(), ("",), (case.root, ""), (case.root, "a.b"), ("langgraph", "x"), (case.root, 3)]
    for namespace in bad:
        await refused(lambda n=namespace: case.store.aput(n, "k", {"n": 1}), f"aput into {namespace!r}", ValueError)
    for namespace in bad[1:4]:
        await refused(lambda n=namespace: case.store.aget(n, "k"), f"aget from {namespace!r}", ValueError)
        await refused(lambda n=namespace: case.store.adelete(n, "k"), f"adelete from {namespace!r}", ValueError)
        await refused(lambda n=namespace: case.store.asearch(n), f"asearch in {namespace!r}", ValueError)


@contract.promised("sync-api")
async def sync_api(case: Case) -> None:
    """Tools and sync graphs call get, put and search from worker threads while the event loop runs."""
    store, root = case.store, case.at()

    def work() -> list[object]:
        store.put(root, "sync", {"n": 1})
        store.put(root, "gone", {"n": 2})
        store.delete(root, "gone")
        found = store.get(root, "sync")
        return [
            found.value if found else None,
            store.get(root, "gone"),
            [item.key for item in store.search(root, filter={"n": 1})],
            store.list_namespaces(prefix=root),
            store.batch([PutOp(root, "batch", {"n": 3})]),
        ]

    same(await in_thread(work), [{"n": 1}, None, ["sync"], [root], [None]], "what the sync methods return")
    same(await case.value("batch"), {"n": 3}, "what aget sees of a sync batch")


@contract.promised("sync-sees-async")
async def sync_sees_async(case: Case) -> None:
    """The sync and the async methods are two ways to the same data."""
    await case.fill({"k": {"n": 1}})
    get: Callable[[], Item | None] = lambda: case.store.get(case.at(), "k")  # noqa: E731
    found = await in_thread(get)
    same(found.value if found else None, {"n": 1}, "what get sees of an aput")


class _State(TypedDict, total=False):
    seen: list[int]


@contract.promised("in-a-graph")
async def in_a_graph(case: Case) -> None:
    """A compiled graph hands the store to its nodes, the async ones and the sync ones, which run in threads."""

    async def write(state: _State, runtime: Runtime[None]) -> _State:
        await _of(runtime).aput(case.at(), "async", {"n": 1})
        return {"seen": []}

    def read(state: _State, runtime: Runtime[None]) -> _State:
        _of(runtime).put(case.at(), "sync", {"n": 2})
        found = [_of(runtime).get(case.at(), key) for key in ("async", "sync")]
        return {"seen": [item.value["n"] for item in found if item]}

    graph: Any = StateGraph(_State)  # its methods are only partially typed
    graph.add_node("write", write)
    graph.add_node("read", read)
    graph.add_edge(START, "write")
    graph.add_edge("write", "read")
    graph.add_edge("read", END)
    end = await graph.compile(store=case.store).ainvoke({})
    same(end.get("seen"), [1, 2], "what a sync node reads of an async and a sync put")


def _of(runtime: Runtime[None]) -> BaseStore:
    if runtime.store is None:
        raise NotMet("the graph has no store")
    return runtime.store
