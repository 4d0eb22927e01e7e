"""What was consolidated is found and read through the store, and never written."""

from collections.abc import Callable
from typing import Any

import pytest

from langgraph_agentmem import AgentMemory
from langgraph_agentmem.store import AgentMemoryStore

Rows = Callable[..., list[tuple[Any, ...]]]
NS = ("alice", "notes")
pytestmark = pytest.mark.usefixtures("consistent_afterwards")
ALL = ("active", "shortterm", "longterm")


async def memory_of(store: AgentMemoryStore) -> Any:
    [found] = await store.memory.aget_active_memories("alice")
    return found


async def consolidate(store: AgentMemoryStore) -> Any:
    return await store.memory.aconsolidate("alice", (await memory_of(store)).id)


async def promote(store: AgentMemoryStore) -> Any:
    return await store.memory.apromote("alice", (await memory_of(store)).id, force=True)


@pytest.fixture
async def history(memory: AgentMemory) -> AgentMemoryStore:
    """A store of all tiers, with a fact in long-term memory, one in short-term memory, and a present one in each."""
    store = AgentMemoryStore(memory, tiers=ALL)
    await store.aput(NS, "a", {"content": "- old falcon\n- long falcon\n"})
    await consolidate(store)
    await store.aput(NS, "a", {"content": "- long falcon\n"})
    await consolidate(store)
    await promote(store)
    await store.aput(NS, "b", {"content": "- young falcon\n- present falcon\n", "n": 1})
    await consolidate(store)
    await store.aput(NS, "b", {"content": "- present falcon\n", "n": 1})
    await consolidate(store)
    return store


def found(hits: Any) -> list[tuple[str, str]]:
    return sorted((hit.namespace[-1], hit.value["content"].strip()) for hit in hits)


async def test_consolidated_chunks_are_found_under_reserved_labels_once_and_besides_items(
    history: AgentMemoryStore,
) -> None:
    items = [("notes", "- long falcon"), ("notes", "- present falcon")]
    longterm, shortterm = ("@longterm", "- old falcon"), ("@shortterm", "- young falcon")

    for prefix in ((), ("alice",), NS):
        assert found(await history.asearch(prefix, query="falcon")) == sorted([longterm, shortterm, *items])
    assert found(await history.asearch(NS)) == sorted([longterm, shortterm, *items])
    assert found(await AgentMemoryStore(history.memory).asearch(NS, query="falcon")) == items
    only = AgentMemoryStore(history.memory, tiers=["longterm"])
    assert found(await only.asearch(NS, query="falcon")) == [("@longterm", "- long falcon"), longterm]
    assert found(await history.asearch((*NS, "@shortterm"), query="falcon")) == [
        ("@shortterm", "- present falcon"), shortterm,
    ]  # fmt: skip
    assert await history.asearch(("bob",), query="falcon") == []


async def test_a_consolidated_chunk_is_read_by_its_place_and_never_written(history: AgentMemoryStore) -> None:
    hits = await history.asearch(NS, query="old falcon")
    [hit] = [hit for hit in hits if hit.namespace[-1] == "@longterm"]
    item = await history.aget(hit.namespace, hit.key)
    assert (item.value, item.created_at, item.revision) == (hit.value, hit.created_at, hit.revision)
    assert item.value.keys() == {
        "content", "tier", "section_id", "memory_id", "current", "start_date", "end_date",
    }  # fmt: skip
    assert (item.value["section_id"], item.value["tier"], item.value["current"]) == ("a", "longterm", False)
    for wrong in ((*NS, "@shortterm"), ("bob", "notes", "@longterm"), ("alice", "other", "@longterm"), NS):
        assert await history.aget(wrong, hit.key) is None
    for key in ("0", "-1", "x", "9" * 30, "1.0", "²"):
        assert await history.aget(hit.namespace, key) is None
    for write in (history.aput(hit.namespace, hit.key, {}), history.adelete(hit.namespace, hit.key)):
        with pytest.raises(ValueError, match="stands for what was consolidated"):
            await write
    assert await history.aget(hit.namespace, hit.key) == item


@pytest.mark.parametrize(
    ("filter", "wanted"),
    [
        ({"tier": "longterm"}, [("@longterm", "- old falcon")]),
        ({"tier": {"$in": ["shortterm", "active"]}}, [("@shortterm", "- young falcon")]),
        ({"section_id": "b"}, [("@shortterm", "- young falcon")]),
        ({"n": 1}, [("notes", "- present falcon")]),
        (
            {"content": {"$contains": "falcon"}, "tier": None},
            [("notes", "- long falcon"), ("notes", "- present falcon")],
        ),
        ({"start_date": {"$lt": "1999"}}, []),
    ],
)
async def test_filters_apply_to_consolidated_chunks_by_what_they_say_of_themselves(
    history: AgentMemoryStore, filter: dict[str, Any], wanted: list[tuple[str, str]]
) -> None:
    assert found(await history.asearch(NS, query="falcon", filter=filter)) == wanted
    assert found(await history.asearch(NS, filter=filter)) == wanted


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("query", ["falcon", "young falcon", None])
async def test_pages_over_items_and_chunks_have_no_gaps_and_no_repeats(
    history: AgentMemoryStore, size: int, query: str | None
) -> None:
    whole = [(hit.namespace, hit.key) for hit in await history.asearch(NS, query=query, limit=50)]
    pages = [await history.asearch(NS, query=query, limit=size, offset=at) for at in range(0, 6, size)]

    assert [(hit.namespace, hit.key) for page in pages for hit in page] == whole
    assert len(whole) == 4


async def test_what_a_closed_memory_gave_is_found_and_its_namespace_can_be_used_anew(
    history: AgentMemoryStore, rows: Rows
) -> None:
    old = await memory_of(history)
    await history.memory.adelete_active_memory("alice", old.id)

    assert await history.alist_namespaces() == []
    assert await AgentMemoryStore(history.memory).asearch(NS, query="falcon") == []
    assert len(await history.asearch(NS, query="falcon")) == 4
    await history.aput(NS, "a", {"content": "A new falcon."})
    new = await memory_of(history)
    assert new.id != old.id
    assert (new.section_count, new.sections["a"].revision, new.consolidation_info.total_update_count) == (1, 1, 1)
    assert [i.value["content"] for i in await AgentMemoryStore(history.memory).asearch(NS)] == ["A new falcon."]
    await history.adelete(NS, "a")
    assert len(await history.asearch(NS, query="falcon")) == 4, "what was closed before is no longer the item's"
    assert rows("SELECT count(*) FROM agentmem.active_memory") == [(2,)]


async def test_a_store_of_all_tiers_lists_as_one_of_items_does_the_newest_first_and_without_scores(
    memory: AgentMemory,
) -> None:
    for key in "cab":
        await AgentMemoryStore(memory).aput(NS, key, {"content": key})

    listed = await AgentMemoryStore(memory, tiers=ALL).asearch(NS)

    assert [(item.key, item.score) for item in listed] == [("b", None), ("a", None), ("c", None)]


async def test_chunks_that_score_alike_have_the_same_order_on_every_page_over_all_tenants(
    memory: AgentMemory, rows: Rows
) -> None:
    store = AgentMemoryStore(memory, tiers=["shortterm"])
    await store.aput(NS, "k", {"content": "\n".join(f"- falcon {word}" for word in "abcdefghijkl")})
    await consolidate(store)
    ids = [str(id) for (id,) in rows("SELECT id FROM agentmem.memory_chunk ORDER BY id")]
    assert {len(id) for id in ids} == {1, 2}, "else they would be ordered alike as numbers and as texts"

    whole = [hit.key for hit in await store.asearch((), limit=20)]
    pages = [await store.asearch((), limit=1, offset=at) for at in range(len(ids))]

    assert [hit.key for page in pages for hit in page] == whole
    assert sorted(whole, key=int) == ids


async def test_what_was_made_from_an_expired_item_is_not_found_either(memory: AgentMemory, rows: Rows) -> None:
    store = AgentMemoryStore(memory, tiers=["shortterm"], ttl={"omit_expired": True})
    await store.aput(NS, "k", {"content": "falcon"}, ttl=1)
    await consolidate(store)
    assert len(await store.asearch(NS, query="falcon")) == 1
    rows("UPDATE agentmem.section SET expires_at = now() - interval '1 second'")

    assert await store.asearch(NS, query="falcon") == []
    await store.aclose()
