"""Sections that checkpoints write become chunks when somebody asks for these."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from consistency import caught_up
from langgraph.store.base import PutOp, SearchOp
from texts import State, say
from waiting import until_rows, working

from langgraph_agentmem import AgentMemorySaver
from langgraph_agentmem.nodes.apply import apply_node
from langgraph_agentmem.nodes.conflicts import conflicts_node
from langgraph_agentmem.operations.runs import claiming
from langgraph_agentmem.operations.sections import memories as active
from langgraph_agentmem.store import AgentMemoryStore
from langgraph_agentmem.worker import MemoryWorker

Rows = Callable[..., list[tuple[object, ...]]]
Savers = Callable[..., AgentMemorySaver]
CHUNKS = "SELECT content FROM agentmem.memory_chunk WHERE external_id = %s AND current ORDER BY content"


@pytest.fixture
def savers(opened_savers: Savers) -> Savers:
    return partial(opened_savers, state_schema=State)


# Chunks when they are needed


async def test_searches_find_the_last_text_and_none_before(savers: Savers, rows: Rows) -> None:
    saver = savers()
    store = AgentMemoryStore(saver.memory)
    for text in ("green tea", "black tea", "black coffee"):
        await say(saver, "1", progress=text)
    assert rows(CHUNKS, "alice") == []

    assert [hit.content for hit in await saver.memory.asearch("alice", "coffee")] == ["black coffee"]
    assert await saver.memory.asearch("alice", "tea") == []
    await say(saver, "1", progress="herbal tea")
    assert [hit.key for hit in await store.asearch(("alice",), query="herbal") if hit.score] == ["progress"]
    await say(saver, "1", progress="white wine")
    assert [hit.key for hit in await store.asearch((), query="wine") if hit.score] == ["progress"]
    await say(saver, "1", progress="red wine")
    found, _ = await store.abatch(
        [SearchOp(("alice",), query="red"), PutOp(("alice", "notes"), "k", {"text": "elsewhere"})]
    )
    assert [hit.key for hit in found if hit.score] == ["progress"]
    await caught_up(saver.memory)
    assert rows(CHUNKS, "alice") == [("elsewhere",), ("red wine",)]


async def test_searches_at_once_write_chunks_once(savers: Savers, rows: Rows) -> None:
    saver = savers()
    await asyncio.gather(*(say(saver, f"{n}", f"user {n % 2}", facts=f"tea {n}") for n in range(6)))
    for round in range(5):
        await asyncio.gather(*(say(saver, f"{n}", f"user {n}", progress=f"coffee {round}") for n in range(2)))
        found = await asyncio.gather(*(saver.memory.asearch(f"user {n % 2}", "coffee") for n in range(8)))
        assert [[hit.content for hit in hits] for hits in found] == [[f"coffee {round}"]] * 8
    for tenant in ("user 0", "user 1"):
        assert [row for row in rows(CHUNKS, tenant) if "coffee" in str(row)] == [("coffee 4",)]


async def test_one_tenants_search_leaves_another_tenants_sections_alone(savers: Savers, rows: Rows) -> None:
    saver = savers()
    await say(saver, "1", "alice", progress="green tea")
    await say(saver, "2", "bob", progress="black tea")

    assert [hit.content for hit in await saver.memory.asearch("alice", "tea")] == ["green tea"]
    assert rows("SELECT external_id FROM agentmem.section WHERE needs_chunking") == [("bob",)]


async def test_a_worker_cuts_what_is_stale_without_an_embedder(savers: Savers, rows: Rows) -> None:
    saver = savers()
    for tenant in ("alice", "bob"):
        await say(saver, tenant, tenant, progress="green tea")
    async with working(MemoryWorker(saver.memory, poll_seconds=0.05)):
        await until_rows(rows, "SELECT count(*) FROM agentmem.section WHERE needs_chunking", [(0,)])

    assert rows(CHUNKS, "alice") == rows(CHUNKS, "bob") == [("green tea",)]


async def test_all_tenants_are_cut_however_many_they_are(savers: Savers, rows: Rows) -> None:
    saver = savers()
    await say(saver, "1", "user", progress="tea")
    copies = "SELECT 'user ' || n, {} FROM agentmem.{} t, generate_series(1, 300) n"
    for table, columns in (
        ("active_memory", "id, namespace, title, template, section_count"),
        ("section", "memory_id, section_id, position, value, needs_chunking"),
    ):
        chosen = copies.format("t." + columns.replace(", ", ", t."), table)
        rows(f"INSERT INTO agentmem.{table} (external_id, {columns}) {chosen}")

    await saver.memory.queue.aembed_pending()

    assert rows("SELECT count(*) FROM agentmem.section WHERE needs_chunking") == [(0,)]
    assert rows("SELECT count(*), count(DISTINCT external_id) FROM agentmem.memory_chunk") == [(301, 301)]


async def test_an_update_leaves_nothing_stale_of_what_it_writes(savers: Savers, rows: Rows) -> None:
    saver = savers()
    store = AgentMemoryStore(saver.memory)
    await say(saver, "1", progress="green tea", facts="black tea")
    [memory] = await saver.memory.aget_active_memories("alice")

    await saver.memory.aupdate_active_memory_section("alice", memory.id, "progress", new_content="red wine")
    assert rows("SELECT section_id FROM agentmem.section WHERE needs_chunking") == [("facts",)]
    assert rows(CHUNKS, "alice") == [("red wine",)]
    await store.aput(memory.namespace, "facts", {"content": "white wine"})
    assert rows("SELECT section_id FROM agentmem.section WHERE needs_chunking") == [("facts",)]
    await store.asearch(memory.namespace, query="wine")
    assert rows("SELECT section_id FROM agentmem.section WHERE needs_chunking") == []
    assert rows(CHUNKS, "alice") == [("red wine",), ("white wine",)]


# Runs


async def test_a_run_takes_what_was_written_last(savers: Savers, rows: Rows) -> None:
    saver = savers()
    for text in ("green tea", "black tea"):
        await say(saver, "1", progress=text)

    [report] = await saver.memory.queue.aflush("alice")

    assert (report.updates_consumed, report.chunks_added) == (2, 1)
    assert rows("SELECT content, tier FROM agentmem.memory_chunk") == [("black tea", "shortterm")]


async def test_a_memory_with_values_that_are_no_chunks_yet_is_not_closed(savers: Savers, rows: Rows) -> None:
    saver = savers()
    await say(saver, "1", progress="green tea")
    await saver.memory.queue.aflush("alice")
    await say(saver, "1", progress="black tea")
    [memory] = await saver.memory.aget_active_memories("alice")

    assert not await active.close(saver.memory.resources, "alice", memory.id)
    await saver.memory.adelete_active_memory("alice", memory.id)

    assert ("black tea",) in rows("SELECT content FROM agentmem.memory_chunk WHERE tier <> 'active'")


async def test_a_run_sees_what_checkpoints_write_while_it_is_under_way(savers: Savers, rows: Rows) -> None:
    saver = savers()
    memory = saver.memory
    await say(saver, "1", progress="green tea")
    [found] = await memory.aget_active_memories("alice")
    claim = await claiming.claim(memory.resources, "alice", found.id)
    assert isinstance(claim, claiming.Claim)
    await say(saver, "1", progress="black tea")
    state: dict[str, Any] = {"claim": claim.model_dump(mode="json")}

    await apply_node(memory).ainvoke(state | await conflicts_node(memory).ainvoke(state))

    assert rows("SELECT content, tier, current FROM agentmem.memory_chunk ORDER BY id") == [
        ("green tea", "shortterm", False),
        ("black tea", "active", True),
    ]
    assert rows("SELECT pending_updates FROM agentmem.active_memory") == [(1,)]


@pytest.mark.parametrize("after", ["undo", "promote", "review"])
async def test_whoever_changes_chunks_cuts_first_what_is_stale(savers: Savers, rows: Rows, after: str) -> None:
    saver = savers(settings={"review": "always"})
    memory = saver.memory
    for text in ("Deadline: May 1", "Deadline: June 1"):
        await say(saver, "1", progress=text)
        [report] = await memory.queue.aflush("alice")
    assert report.run_id
    assert len(report.parked) == 1
    await say(saver, "1", progress="Deadline: July 1")
    [found] = await memory.aget_active_memories("alice")

    match after:
        case "undo":
            await memory.runs.aundo("alice", report.run_id)
        case "promote":
            await memory.apromote("alice", found.id, force=True)
        case _:
            await memory.reviews.adecide("alice", report.run_id, [{"dispute": report.parked[0], "action": "accept"}])

    assert rows(CHUNKS, "alice") == [("Deadline: July 1",)]


async def test_what_is_read_of_chunks_is_as_of_the_last_text(savers: Savers) -> None:
    saver = savers(settings={"review": "always"})
    memory = saver.memory
    store = AgentMemoryStore(memory, tiers=("active", "shortterm"))
    for text in ("Deadline: May 1", "Deadline: June 1"):
        await say(saver, "1", progress=text)
        await memory.queue.aflush("alice")
    await say(saver, "1", progress="Deadline: July 1")

    [review] = await memory.reviews.apending("alice")
    assert not review.disputes[0].new_now.current
    await say(saver, "1", progress="Deadline: June 1")
    [dispute] = await memory.reviews.adisputes("alice", review.run_id)
    assert dispute.new_now.current
    [hit] = [hit for hit in await store.asearch(("alice",), query="june") if hit.score]
    assert hit.key == "progress"
    await say(saver, "1", progress="Deadline: August 1")
    [hit] = [hit for hit in await store.asearch(("alice",), query="june") if hit.score]
    assert hit.namespace[-1] == "@shortterm"
    await say(saver, "1", progress="Deadline: June 1")
    found = await store.aget(hit.namespace, hit.key)
    assert found is not None
    assert found.value["current"]
