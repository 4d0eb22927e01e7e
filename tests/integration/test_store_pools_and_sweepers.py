"""One store serves many threads and loops from a small pool, and may be closed and used again."""

import asyncio
import gc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from fakes import WordEmbedder
from store_faults import CALLS, contents, kill_backends
from waiting import until, until_waiting

from langgraph_agentmem import AgentMemory, AgentMemorySettings, bridge
from langgraph_agentmem.errors import OutageError
from langgraph_agentmem.storage.driver.tenants import EVERYONE
from langgraph_agentmem.store import AgentMemoryStore

Rows = Callable[..., list[tuple[Any, ...]]]
pytestmark = pytest.mark.usefixtures("consistent_afterwards")
NS = ("alice", "notes")
SLOW = {"max_pending_updates": 100_000}


async def test_a_pool_of_one_connection_serves_everybody_in_turn(dsn: str) -> None:
    config = {"embed": WordEmbedder(), "dims": 64}
    settings = AgentMemorySettings(connect_timeout_seconds=20, **SLOW)
    async with AgentMemoryStore.from_conn_string(
        dsn,
        index=config,
        pool_config={"max_size": 1},
        settings=settings,
        ttl={"refresh_on_read": True, "default_ttl": 5},
    ) as store:
        await store.aput(NS, "k", {"text": "a falcon"})
        kinds = [kind for name, kind in CALLS.items() if name not in ("put_if", "delete")]
        await asyncio.wait_for(asyncio.gather(*(kind(store) for _ in range(8) for kind in kinds)), 60)
        await asyncio.gather(*(store.asearch((), query=f"falcon {i}") for i in range(30)))


async def test_an_exhausted_pool_is_an_outage_that_says_so_and_passes(dsn: str) -> None:
    settings = AgentMemorySettings(connect_timeout_seconds=0.2)
    async with AgentMemoryStore.from_conn_string(dsn, pool_config={"max_size": 1}, settings=settings) as store:
        await store.aput(NS, "k", {"text": "a falcon"})
        async with store.memory.resources.database.connection(EVERYONE):
            outcomes = await asyncio.gather(
                store.aget(NS, "k"), store.aput(NS, "k", {}), store.asearch(NS), return_exceptions=True
            )
        assert [type(outcome) for outcome in outcomes] == [OutageError] * 3
        assert "pool large enough" in str(outcomes[0])
        assert (await store.aget(NS, "k")).value == {"text": "a falcon"}


def test_one_store_serves_twenty_threads_and_two_loops_at_once(dsn: str, rows: Rows) -> None:
    store = AgentMemoryStore.from_conn_string(
        dsn, index={"embed": WordEmbedder(), "dims": 64}, settings=AgentMemorySettings(**SLOW)
    )

    store.setup()

    def in_a_thread(thread: int) -> None:
        for i in range(5):
            store.put(NS, f"t{thread}-{i}", {"text": f"falcon {thread} {i}"})
            assert store.get(NS, f"t{thread}-{i}").value == {"text": f"falcon {thread} {i}"}
            assert store.search(NS, query=f"falcon {thread}", limit=3)

    async def on_a_loop(loop: int) -> None:
        async def one(i: int) -> None:
            await store.aput(NS, f"l{loop}-{i}", {"text": f"owl {loop} {i}"})
            assert (await store.aget(NS, f"l{loop}-{i}")).value == {"text": f"owl {loop} {i}"}
            assert await store.asearch(NS, query=f"owl {i}", limit=3)

        await asyncio.gather(*map(one, range(50)))
        await store.memory.resources.database.close()

    with ThreadPoolExecutor(22) as threads:
        loops = [threads.submit(asyncio.run, on_a_loop(i)) for i in range(2)]
        others = [threads.submit(in_a_thread, i) for i in range(20)]
        for future in [*loops, *others]:
            future.result()
    store.close()
    assert len(contents(rows)) == 200
    assert set(contents(rows).values()) == {1}


async def test_a_store_that_was_closed_can_be_used_again(dsn: str, rows: Rows) -> None:
    store = AgentMemoryStore.from_conn_string(dsn, ttl={"default_ttl": 5, "sweep_interval_minutes": 0.001})
    for i in range(3):
        async with store:
            await store.aput(NS, f"k{i}", {"text": "a falcon"})
        assert store._sweeper is None
        await store.aput(NS, f"l{i}", {"text": "a falcon"})
        rows("UPDATE agentmem.section SET expires_at = now() WHERE section_id = %s", f"l{i}")
        await until(lambda i=i: f"l{i}" not in contents(rows))
    await store.aclose()
    await store.aclose()
    assert contents(rows) == {"k0": 1, "k1": 2, "k2": 3}, "no revision of a memory comes twice"


async def test_closing_a_store_leaves_a_memory_open_that_it_has_not_opened(memory: AgentMemory) -> None:
    async with AgentMemoryStore(memory, ttl={"sweep_interval_minutes": 0.001}) as store:
        await store.aput(NS, "k", {"text": "a falcon"})
    assert memory.resources.database._pools, "its connections are still there"
    assert store._sweeper is None


async def test_the_sweeper_of_a_store_that_nobody_holds_any_more_ends_even_while_it_sweeps(
    dsn: str, rows: Rows
) -> None:
    store = AgentMemoryStore.from_conn_string(dsn, ttl={"sweep_interval_minutes": 0.0005})
    await store.aput(NS, "k", {"text": "a falcon"}, ttl=5)
    sweeper = store._sweeper
    assert sweeper is not None
    assert not sweeper.done()
    database = store.memory.resources.database
    async with await psycopg.AsyncConnection.connect(dsn) as other:
        await other.execute("SELECT 1 FROM agentmem.active_memory FOR UPDATE")
        rows("UPDATE agentmem.section SET expires_at = now()")
        await until_waiting(rows)
        del store
        gc.collect()

    await until(sweeper.done)
    assert sweeper.exception() is None
    await database.close()
    await bridge.also(database.close)


async def test_a_sweeper_goes_on_after_it_has_failed(dsn: str, rows: Rows, caplog: pytest.LogCaptureFixture) -> None:
    async with AgentMemoryStore.from_conn_string(dsn, ttl={"sweep_interval_minutes": 0.0005}) as store:
        await store.aput(NS, "k", {"text": "a falcon"}, ttl=5)
        rows("ALTER TABLE agentmem.section RENAME TO hidden")
        await until(lambda: "items that have expired could not be removed" in caplog.text)
        rows("ALTER TABLE agentmem.hidden RENAME TO section")
        kill_backends(rows)
        rows("UPDATE agentmem.section SET expires_at = now()")
        await until(lambda: not contents(rows))
        assert await store.astop_ttl_sweeper()
