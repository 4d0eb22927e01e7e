"""Items without vectors are put by one statement, and cut into chunks when somebody asks for these."""

import asyncio
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from consistency import assert_consistent, caught_up
from fakes import WordEmbedder
from langgraph.store.base import PutOp

from langgraph_agentmem import AgentMemory
from langgraph_agentmem.operations import items, writing
from langgraph_agentmem.store import AgentMemoryStore

Rows = Callable[..., list[tuple[object, ...]]]
NS = ("alice", "notes")
STALE = "SELECT count(*) FROM agentmem.section WHERE stale"
CHUNKS = "SELECT count(*) FROM agentmem.memory_chunk WHERE current"


async def test_a_put_is_one_transaction_that_leaves_the_chunks_for_later(memory: AgentMemory, rows: Rows) -> None:
    store = AgentMemoryStore(memory)
    await store.aput(NS, "other", {"text": "an owl"})
    await asyncio.gather(*(store.aput(NS, f"k{i}", {"text": f"a falcon {i}"}) for i in range(20)))

    sections = "SELECT xmin::text FROM agentmem.section WHERE section_id <> 'other'"
    written = rows(f"{sections} UNION SELECT xmin::text FROM agentmem.active_memory")
    assert len(written) == 1, "a single transaction has written all of it"
    assert rows(STALE) + rows(CHUNKS) == [(21,), (0,)]
    assert len([hit for hit in await store.asearch(NS, query="falcon", limit=30) if hit.score]) == 20
    assert rows(STALE) + rows(CHUNKS) == [(0,), (21,)]


async def test_an_item_is_found_by_its_newest_words_alone(memory: AgentMemory, rows: Rows) -> None:
    store = AgentMemoryStore(memory)
    for text in ("a falcon", "an owl", "a heron"):
        await store.aput(NS, "k", {"text": text})
        if text == "an owl":
            await caught_up(memory)

    assert [hit.score for hit in await store.asearch(NS, query="owl")] == [0]
    assert [hit.score for hit in await store.asearch(NS, query="heron")] != [0]
    assert rows("SELECT revision, total_updates, update_count FROM agentmem.section") == [(3, 3, 3)]


async def test_memory_finds_what_a_store_has_put_and_consolidates_it(memory: AgentMemory, rows: Rows) -> None:
    store = AgentMemoryStore(memory)
    await store.aput(NS, "k", {"text": "a falcon"})
    assert [hit.content for hit in await memory.asearch("alice", "falcon")] == ["a falcon"]
    await store.aput(NS, "l", {"text": "an owl"})
    [made] = await memory.aget_active_memories("alice")
    await memory.aconsolidate("alice", made.id)

    assert rows("SELECT content, tier FROM agentmem.memory_chunk ORDER BY 1") == [
        ("a falcon", "shortterm"), ("an owl", "shortterm"),
    ]  # fmt: skip
    assert rows("SELECT stale_items FROM agentmem.active_memory") == [(0,)]


async def test_stores_that_put_the_same_new_items_at_once_count_each_once(dsn: str, rows: Rows) -> None:
    async def write(turn: int) -> None:
        async with AgentMemoryStore.from_conn_string(dsn) as store:
            for i in range(40):
                spaces = [("alice", f"n{(i + n) % 3}") for n in range(3)]
                await store.abatch([PutOp(space, f"k{i}", {"text": f"falcon {turn}"}) for space in spaces])

    await asyncio.gather(*(write(turn) for turn in range(6)))

    assert rows("SELECT section_count, pending_updates FROM agentmem.active_memory") == [(40, 240)] * 3
    assert rows("SELECT DISTINCT revision, total_updates, update_count FROM agentmem.section") == [(6, 6, 6)]
    assert_consistent(dsn)


async def test_a_store_that_comes_in_between_is_noticed(
    memory: AgentMemory, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer that holds the memory's lock puts the same new item: what was counted before is wrong."""
    store, refused = AgentMemoryStore(memory), list[psycopg.Error]()
    await store.aput(NS, "other", {"text": "an owl"})
    put_values = items.storage.put_values

    async def noting(*args: Any, **named: Any) -> Any:
        try:
            return await put_values(*args, **named)
        except psycopg.Error as error:
            refused.append(error)
            raise

    monkeypatch.setattr(items.storage, "put_values", noting)
    async with memory.resources.database.transaction() as connection:
        await items.storage.lock(connection, "alice", [NS])
        waiting = asyncio.create_task(store.aput(NS, "k", {"text": "a falcon"}))
        await asyncio.sleep(0.3)
        assert not waiting.done()
        insert = (
            "INSERT INTO agentmem.section (external_id, memory_id, section_id, position, value, update_count) "
            "SELECT 'alice', id, 'k', 1, '{}', 1 FROM agentmem.active_memory"
        )
        await connection.execute(insert.encode())
        count = (
            "UPDATE agentmem.active_memory SET section_count = section_count + 1, pending_updates = pending_updates + 1"
        )
        await connection.execute(count.encode())
    await waiting

    assert len(refused) == 1
    assert rows("SELECT section_count, pending_updates FROM agentmem.active_memory") == [(2, 3)]
    assert rows("SELECT revision, value ->> 'text' FROM agentmem.section WHERE section_id = 'k'") == [(2, "a falcon")]


async def test_whoever_puts_the_last_of_many_cuts_them(
    memory: AgentMemory, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(items, "_MANY_STALE", 10)
    monkeypatch.setattr(writing, "_STALE_AT_ONCE", 3)
    store, left = AgentMemoryStore(memory), list[int]()
    for i in range(25):
        await store.aput(NS, f"k{i}", {"text": f"a falcon {i}"})
        left += [int(str(rows(STALE)[0][0]))]

    assert left == [*range(1, 10), *range(10), *range(6)]
    assert rows("SELECT stale_items FROM agentmem.active_memory") == [(5,)]
    assert len([hit for hit in await store.asearch(NS, query="falcon", limit=30) if hit.score]) == 25


async def test_many_stale_items_are_cut_in_several_steps(
    memory: AgentMemory, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "_STALE_AT_ONCE", 3)
    store = AgentMemoryStore(memory)
    for i in range(9):
        await store.aput(NS, f"k{i}", {"text": f"a falcon {i}"})

    [made] = await memory.aget_active_memories("alice")
    await memory.aconsolidate("alice", made.id)
    assert rows(STALE) + rows("SELECT count(*) FROM agentmem.memory_chunk WHERE tier = 'shortterm'") == [(0,), (9,)]


async def test_with_an_embedder_what_is_put_is_cut_and_embedded_at_once(opened: Any, rows: Rows) -> None:
    store = AgentMemoryStore(opened(index=WordEmbedder()))
    await store.aput(NS, "k", {"text": "a falcon"})
    assert rows(STALE) + rows(CHUNKS) == [(0,), (1,)]

    await store.aput(NS, "k", {"text": "a falcon"}, index=False)
    assert [hit.score for hit in await store.asearch(NS, query="falcon")] == [None]
    assert rows(STALE) + rows(CHUNKS) == [(0,), (0,)]


async def test_items_that_nobody_searches_leave_nothing_to_be_cut(memory: AgentMemory, rows: Rows) -> None:
    store = AgentMemoryStore(memory)
    for _ in range(2):
        await store.aput(NS, "k", {"text": "a falcon"}, index=False)

    assert rows(STALE) + rows("SELECT stale_items, pending_updates FROM agentmem.active_memory") == [(0,), (0, 0)]
