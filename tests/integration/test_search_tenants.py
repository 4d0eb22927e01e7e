"""A search over many tenants or memories gives each what a search of its own would give."""

from collections.abc import Callable
from typing import Any

import pytest
from searching import everything, index, places, some_items

from langgraph_agentmem.store import AgentMemoryStore

Rows = Callable[..., list[tuple[Any, ...]]]
Opens = Callable[..., AgentMemoryStore]
pytestmark = pytest.mark.usefixtures("consistent_afterwards")


@pytest.mark.parametrize(
    ("owner", "namespaces", "prefix", "seen"),
    [
        (0, [("a", "x"), ("b", "x")], ("a",), [("a", "x")]),
        (0, [("a", "x"), ("b", "x"), ("a",)], (), [("a", "x"), ("b", "x"), ("a",)]),
        (1, [("m", "a"), ("m", "b"), ("o", "a")], ("m",), [("m", "a"), ("m", "b")]),
        (1, [("m", "a"), ("m", "b"), ("o", "a")], ("m", "a"), [("m", "a")]),
        (1, [("m", "a"), ("m",), ("o", "a")], ("m",), [("m", "a"), ("m",)]),
        (2, [("m", "x", "a"), ("m", "x", "b"), ("m", "x"), ("m",)], ("m", "x"), [("m", "x", "a"), ("m", "x", "b"), ("m", "x")]),
        (2, [("m", "x", "a", "y"), ("m", "x", "b", "y")], ("m", "x", "a"), [("m", "x", "a", "y")]),
        (0, [("a", "x"), ("ax",), ("a'", "x")], ("a",), [("a", "x")]),
    ],
)  # fmt: skip
async def test_a_prefix_finds_what_is_under_it_and_nobody_elses(
    opens: Opens, rows: Rows, owner: int, namespaces: Any, prefix: Any, seen: Any
) -> None:
    store = opens(owner=owner, default_tenant="nobody", index=index())
    for namespace in namespaces:
        await store.aput(namespace, "k", {"text": "falcon"})

    assert {row for (row,) in rows("SELECT external_id FROM agentmem.active_memory")} == {
        n[owner] if len(n) > owner else "nobody" for n in namespaces
    }
    for what in (
        {},
        {"query": "falcon"},
        {"query": "falcon", "filter": {"text": "falcon"}},
        {"filter": {"text": "falcon"}},
    ):
        assert sorted(hit.namespace for hit in await store.asearch(prefix, **what)) == sorted(seen)
    if prefix:
        assert sorted(await store.alist_namespaces(prefix=prefix)) == sorted(seen)
    for namespace in namespaces:
        assert (await store.aget(namespace, "k")).namespace == namespace


async def test_a_store_with_another_owner_sees_nothing_that_belongs_to_somebody_else_there(opens: Opens) -> None:
    first, second = opens(owner=0), opens(owner=1)
    await first.aput(("alice", "bob"), "k", {"text": "falcon"})

    assert await second.aget(("alice", "bob"), "k") is None
    assert await second.asearch(("alice", "bob"), query="falcon") == []
    assert await second.asearch((), query="falcon") == await second.asearch(()) == await second.alist_namespaces() == []
    await second.aput(("alice", "bob"), "k", {"text": "owl"})
    assert (await first.aget(("alice", "bob"), "k")).value == {"text": "falcon"}
    assert [hit.value["text"] for hit in await first.asearch(("alice",), query="falcon owl")] == ["falcon"]


@pytest.mark.parametrize("what", [{"query": "falcon owl"}, {}, {"query": "falcon", "filter": {"n": {"$gt": 1}}}])
async def test_the_order_over_several_tenants_is_the_same_for_every_page(opens: Opens, what: dict[str, Any]) -> None:
    store = opens(owner=1, index=index())
    for tenant, count in (("a", 60), ("b", 4), ("c", 45)):
        await store.abatch(some_items(("m", tenant), count, seed=count))
    for prefix in ((), ("m",)):
        whole = await store.asearch(prefix, limit=500, **what)
        assert (
            len(set(places(whole)))
            == len(whole)
            == sum([len(await store.asearch(("m", tenant), limit=500, **what)) for tenant in "abc"])
        )
        for size in (1, 17):
            if size > 1 or prefix:
                assert places(await everything(store, prefix, size, **what)) == places(whole)


async def test_a_memory_whose_namespace_names_another_tenant_is_nobodys_here(opens: Opens) -> None:
    store = opens(index=index())
    template = {"sections": ["k"]}
    await store.memory.acreate_active_memory("alice", "Odd", template, {"k": "falcon"}, namespace=("bob", "notes"))

    for prefix in ((), ("alice",), ("bob",), ("bob", "notes")):
        assert await store.asearch(prefix) == await store.asearch(prefix, query="falcon") == []
    assert await store.aget(("bob", "notes"), "k") is None
    assert await store.alist_namespaces() == []
    await store.aput(("bob", "notes"), "k", {"text": "owl"})
    assert [item.value for item in await store.asearch((), query="falcon")] == [{"text": "owl"}]
