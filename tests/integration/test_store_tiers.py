"""A store's searches in all tiers: what was consolidated comes beside the items, and is read-only."""

from typing import Any

import pytest
from langgraph.store.base import InvalidNamespaceError

from langgraph_agentmem import AgentMemory, AgentMemoryStore

TIERS = ("active", "shortterm", "longterm")


async def noted(memory: AgentMemory, *values: dict[str, Any]) -> AgentMemoryStore:
    """A store of all tiers whose item "tea" had these values, each consolidated."""
    store = AgentMemoryStore(memory, tiers=TIERS)
    for value in values:
        await store.aput(("alice", "notes"), "tea", value)
        await memory.queue.aflush("alice")
    return store


async def test_what_was_consolidated_is_found_beside_the_items(memory: AgentMemory) -> None:
    store = await noted(memory, {"text": "Alice likes green tea."}, {"text": "The kettle is new."})
    await store.aput(("alice", "notes"), "pot", {"text": "A pot for tea."})

    found = await store.asearch(("alice",), query="tea")

    assert {(item.namespace, item.value.get("text") or item.value["content"]) for item in found[:2]} == {
        (("alice", "notes"), "A pot for tea."),
        (("alice", "notes", "@shortterm"), "Alice likes green tea."),
    }


@pytest.mark.parametrize(
    "prefix", [("alice", "notes", "@shortterm"), ("alice", "@shortterm"), ("@shortterm",)], ids=str
)
async def test_a_reserved_label_searches_one_tier_only(memory: AgentMemory, prefix: tuple[str, ...]) -> None:
    store = AgentMemoryStore((await noted(memory, {"text": "Alice likes green tea."})).memory)  # of items, by default

    [chunk] = await store.asearch(prefix, query="green tea")

    assert chunk.namespace == ("alice", "notes", "@shortterm")
    assert chunk.value["content"] == "Alice likes green tea."
    assert (await store.aget(chunk.namespace, chunk.key)).value == chunk.value
    assert await store.asearch(("alice", "notes", "@longterm"), query="green tea") == []


async def test_filters_reach_what_was_consolidated(memory: AgentMemory) -> None:
    store = await noted(memory, {"text": "Alice likes green tea."}, {"text": "The kettle is new."})

    assert len(await store.asearch(("alice",), query="tea", filter={"tier": "shortterm"})) == 1
    assert await store.asearch(("alice",), query="tea", filter={"tier": "longterm"}) == []


async def test_what_was_consolidated_cannot_be_written(memory: AgentMemory) -> None:
    store = AgentMemoryStore(memory, tiers=TIERS)

    for write in (store.aput(("alice", "@shortterm"), "1", {"a": 1}), store.adelete(("alice", "@longterm"), "1")):
        with pytest.raises(InvalidNamespaceError, match="stands for what was consolidated"):
            await write
