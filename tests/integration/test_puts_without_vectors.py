"""Items without vectors are put by one statement, and cut into chunks when somebody asks for these."""

import asyncio
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from consistency import assert_consistent, caught_up
from fakes import WordEmbedder
from langgraph.store.base import PutOp
from waiting import until, until_waiting
from wire import wire

from langgraph_agentmem import AgentMemory
from langgraph_agentmem.store import AgentMemoryStore

Rows = Callable[..., list[tuple[object, ...]]]
NS = ("alice", "notes")
STALE = "SELECT count(*) FROM agentmem.section WHERE needs_chunking"
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
    assert rows("SELECT unchunked_writes FROM agentmem.active_memory") == [(0,)]


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


async def test_a_store_that_comes_in_between_is_noticed(memory: AgentMemory, opened: Any, rows: Rows, dsn: str) -> None:
    """A writer that holds the memory's lock puts the same new item: what was counted before is wrong."""
    store = AgentMemoryStore(opened(settings={"pool_size": 1}))
    await store.aput(NS, "other", {"text": "an owl"})
    async with wire(store.memory) as traffic, await psycopg.AsyncConnection.connect(dsn) as other:
        await other.execute("SELECT 1 FROM agentmem.active_memory FOR UPDATE")
        waiting = asyncio.create_task(store.aput(NS, "k", {"text": "a falcon"}))
        await until_waiting(rows)
        await other.execute(
            "INSERT INTO agentmem.section (external_id, memory_id, section_id, position, value, update_count) "
            "SELECT 'alice', id, 'k', 1, '{}', 1 FROM agentmem.active_memory"
        )
        await other.execute(
            "UPDATE agentmem.active_memory SET section_count = section_count + 1, pending_updates = pending_updates + 1"
        )
        await other.commit()
        await waiting
        assert sum(sent.refused for sent in traffic.statements) == 1

    assert rows("SELECT section_count, pending_updates FROM agentmem.active_memory") == [(2, 3)]
    assert rows("SELECT revision, value ->> 'text' FROM agentmem.section WHERE section_id = 'k'") == [(2, "a falcon")]


async def test_whoever_puts_the_last_of_many_cuts_them(opened: Any, rows: Rows) -> None:
    store, left = AgentMemoryStore(opened(settings={"max_unchunked_writes": 10})), list[int]()
    for i in range(25):
        await store.aput(NS, f"k{i}", {"text": f"a falcon {i}"})
        left += [int(str(rows(STALE)[0][0]))]

    assert left == [*range(1, 10), *range(10), *range(6)]
    assert rows("SELECT unchunked_writes FROM agentmem.active_memory") == [(5,)]
    assert len([hit for hit in await store.asearch(NS, query="falcon", limit=30) if hit.score]) == 25


async def test_more_than_are_cut_in_one_step_are_cut_in_several(memory: AgentMemory, rows: Rows) -> None:
    store = AgentMemoryStore(memory)
    for start in range(0, 600, 200):
        await store.abatch([PutOp(NS, f"k{i}", {"text": f"a falcon {i}"}) for i in range(start, start + 200)])

    [made] = await memory.aget_active_memories("alice")
    await memory.aconsolidate("alice", made.id)
    assert rows(STALE) + rows("SELECT count(*) FROM agentmem.memory_chunk WHERE tier = 'shortterm'") == [(0,), (600,)]
    assert rows("SELECT unchunked_writes FROM agentmem.active_memory") == [(0,)]


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

    assert rows(STALE) + rows("SELECT unchunked_writes, pending_updates FROM agentmem.active_memory") == [(0,), (0, 0)]


async def test_what_others_add_in_one_memory_and_remove_in_another_does_not_cancel_out(
    memory: AgentMemory, rows: Rows, dsn: str
) -> None:
    """A batch waits for a writer that puts the item that the batch takes for new, and deletes the one it knows."""
    store, other = AgentMemoryStore(memory), ("alice", "other")
    await store.aput(NS, "z", {"text": "an owl"})
    await store.aput(other, "b", {"text": "an owl"})
    async with await psycopg.AsyncConnection.connect(dsn) as between:
        await between.execute("SELECT 1 FROM agentmem.active_memory ORDER BY namespace FOR UPDATE")
        await between.execute(
            "INSERT INTO agentmem.section (external_id, memory_id, section_id, position, value) "
            "SELECT 'alice', id, 'a', 1, '{}' FROM agentmem.active_memory WHERE namespace[2] = 'notes'"
        )
        await between.execute("DELETE FROM agentmem.section WHERE section_id = 'b'")
        await between.execute(
            "UPDATE agentmem.active_memory SET section_count = CASE namespace[2] WHEN 'notes' THEN 2 ELSE 0 END, "
            "pending_updates = CASE namespace[2] WHEN 'notes' THEN 1 ELSE 0 END"
        )
        batch = [PutOp(NS, "a", {"text": "a falcon"}), PutOp(other, "b", {"text": "a falcon"})]
        waiting = asyncio.create_task(store.abatch(batch))
        await until_waiting(rows)
        await between.commit()
    await waiting

    counts = "SELECT namespace[2], section_count FROM agentmem.active_memory ORDER BY namespace"
    assert rows(counts) == [("notes", 2), ("other", 1)]
    assert_consistent(dsn)


@pytest.mark.parametrize("new", [0, 1, 5])
async def test_a_memory_is_due_when_all_its_items_were_updated_often_enough(
    memory: AgentMemory, rows: Rows, new: int
) -> None:
    """The threshold is that of the memory, not that of the batch: five updates of an item on average."""
    store, due = AgentMemoryStore(memory), "SELECT pending_updates, due_at <= now() FROM agentmem.active_memory"
    for i in range(10):
        await store.aput(NS, f"k{i}", {"text": f"a falcon {i}"})
    pending = 10
    while pending < 5 * (10 + new):
        assert rows(due) == [(pending, False)]
        batch = [*(f"n{i}" for i in range(new)), *(f"k{i}" for i in range(5))]
        await asyncio.gather(*(store.aput(NS, key, {"text": f"an owl {pending}"}) for key in batch))
        pending += len(batch)

    assert rows(due) == [(pending, True)]


REFUSE = (
    "CREATE SEQUENCE refusals",
    "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN IF nextval('refusals') <= {} THEN RAISE EXCEPTION 'refused' USING errcode = '{}'; END IF; "
    "RETURN new; END $$",
    "CREATE TRIGGER refused BEFORE INSERT ON agentmem.memory_chunk FOR EACH ROW EXECUTE FUNCTION refuse()",
)
"""The server refuses so many first chunks, with an SQLSTATE."""


def refuse(dsn: str, times: int, state: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        for statement in REFUSE:
            connection.execute(statement.replace("{}", str(times), 1).replace("{}", state).encode())


async def test_a_put_that_was_stored_does_not_fail_because_others_cannot_be_cut(
    opened: Any, rows: Rows, dsn: str, caplog: pytest.LogCaptureFixture
) -> None:
    store = AgentMemoryStore(opened(settings={"max_unchunked_writes": 2}))
    await store.aput(NS, "k", {"text": "a falcon"})
    refuse(dsn, 1000, "57014")
    await asyncio.gather(*(store.aput(NS, f"n{i}", {"text": "an owl"}) for i in range(4)))

    assert rows("SELECT DISTINCT revision, update_count FROM agentmem.section") == [(1, 1)]
    assert rows("SELECT section_count, pending_updates FROM agentmem.active_memory") == [(5, 5)]
    assert "57014" in caplog.text


async def test_a_search_that_loses_a_deadlock_cuts_the_items_once_more(memory: AgentMemory, dsn: str) -> None:
    store = AgentMemoryStore(memory)
    await store.aput(NS, "k", {"text": "a falcon"})
    refuse(dsn, 2, "40P01")

    assert [hit.score for hit in await store.asearch(NS, query="falcon")] != [0]


async def test_what_is_found_is_never_a_new_value_for_old_words(memory: AgentMemory, opened: Any) -> None:
    """Two writers change words all the time while two others search for them."""
    writer, reader, stop = AgentMemoryStore(memory), AgentMemoryStore(opened()), asyncio.Event()
    for i in range(60):
        await writer.aput(NS, f"k{i}", {"text": "a falcon"})
    seen, torn = 0, list[object]()

    async def write(start: int) -> None:
        turn = start
        while not stop.is_set():
            turn += 1
            await writer.aput(NS, f"k{turn * 3 % 60}", {"text": ("a falcon", "an owl")[turn % 2]})

    async def search() -> None:
        nonlocal seen
        while not stop.is_set():
            for hit in await reader.asearch(NS, query="falcon", limit=100):
                seen += 1
                if bool(hit.score) != ("falcon" in hit.value["text"]):
                    torn.append(hit)

    tasks = [asyncio.create_task(work) for work in (write(0), write(1), search(), search())]
    await until(lambda: seen > 300)
    stop.set()
    await asyncio.gather(*tasks)

    assert torn == []
