"""Connections that die without a word, and servers that are away for a while, cost a call or two and no more."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from proxies import Proxy, between
from waiting import until

from langgraph_agentmem import AgentMemory, AgentMemorySettings, MemoryWorker
from langgraph_agentmem.errors import OutageError, StorageError
from langgraph_agentmem.storage.driver import connections
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.driver.database import Database
from langgraph_agentmem.storage.driver.tenants import EVERYONE
from langgraph_agentmem.store import AgentMemoryStore

Rows = Callable[..., list[tuple[Any, ...]]]
NS = ("alice", "notes")
ANSWER = 2.0


@pytest.fixture
async def proxy(dsn: str) -> AsyncIterator[Proxy]:
    """Between the memories and the server."""
    async with between(dsn) as proxy:
        yield proxy


@pytest.fixture
async def memory(proxy: Proxy) -> AsyncIterator[AgentMemory]:
    """A memory that does not wait long."""
    settings = AgentMemorySettings(
        answer_timeout_seconds=ANSWER, worker_poll_seconds=0.1, avg_section_update_count=1, connect_timeout_seconds=5
    )
    async with AgentMemory.open(proxy.dsn, settings=settings) as memory:
        yield memory


# Silence


async def test_a_call_on_a_connection_that_fell_silent_ends_in_time_and_the_next_works(
    memory: AgentMemory, proxy: Proxy
) -> None:
    store = AgentMemoryStore(memory)
    database = memory.resources.database
    await store.aput(NS, "k", {"text": "a falcon"})
    async with database.connection(EVERYONE), database.connection(EVERYONE), database.connection(EVERYONE):
        pass  # several, all of which will be silent
    for _ in range(2):
        proxy.fall_silent()
        started = time.monotonic()
        with pytest.raises(OutageError, match=r"no answer within 2 s \(AGENTMEM_ANSWER_TIMEOUT_SECONDS\)"):
            await asyncio.wait_for(store.aget(NS, "k"), 60)
        assert time.monotonic() - started > ANSWER * 0.9
        started = time.monotonic()
        found = await store.aget(NS, "k")
        assert found is not None
        assert time.monotonic() - started < ANSWER, "those beside it were given up as well"


async def test_silence_ends_where_sockets_do_not_tell_that_they_were_shut_down(
    memory: AgentMemory, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows."""
    store = AgentMemoryStore(memory)
    await store.aput(NS, "k", {"text": "a falcon"})
    proxy.fall_silent()
    with monkeypatch.context() as as_on_windows:
        as_on_windows.setattr(connections, "_TELLS_OF_SHUTDOWNS", False)
        as_on_windows.setattr(asyncio.get_running_loop(), "add_reader", lambda *_: None)
        with pytest.raises(OutageError, match="no answer within"):
            await asyncio.wait_for(store.aget(NS, "k"), 60)
    assert await store.aget(NS, "k") is not None


@pytest.mark.parametrize("kind", ["read", "write", "search", "transaction"])
async def test_all_kinds_of_calls_end(memory: AgentMemory, proxy: Proxy, kind: str) -> None:
    store = AgentMemoryStore(memory)
    await store.aput(NS, "k", {"text": "a falcon"})
    made = await memory.acreate_active_memory("bob", "Notes", {"sections": ["a"]})
    calls: dict[str, Callable[[], Any]] = {
        "read": lambda: memory.aget_active_memory("bob", made.id),
        "write": lambda: store.aput(NS, "l", {"text": "x"}),
        "search": lambda: store.asearch(NS, query="falcon"),
        "transaction": lambda: memory.aupdate_active_memory_section("bob", made.id, "a", "- a hen"),
    }
    proxy.fall_silent()
    with pytest.raises(OutageError, match="no answer within"):
        await asyncio.wait_for(calls[kind](), 60)
    await calls[kind]()


async def test_a_caller_that_gives_up_first_is_not_kept(memory: AgentMemory, proxy: Proxy) -> None:
    store = AgentMemoryStore(memory)
    await store.aput(NS, "k", {"text": "a falcon"})
    proxy.fall_silent()
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(memory.aget_active_memories("alice"), 0.2)
    assert time.monotonic() - started < 30
    assert await store.aget(NS, "k")


async def test_a_worker_whose_connections_fell_silent_goes_on(memory: AgentMemory, proxy: Proxy, rows: Rows) -> None:
    made = await memory.acreate_active_memory("alice", "Notes", {"sections": ["a"]})
    worker = MemoryWorker(memory)
    task = asyncio.create_task(worker.arun())
    await until(lambda: rows("SELECT 1 FROM pg_stat_activity WHERE query ~ '^LISTEN' AND datname = current_database()"))
    proxy.fall_silent()
    for i in range(3):
        try:
            await memory.aupdate_active_memory_section("alice", made.id, "a", f"- a fox {i}")
        except OutageError:
            await memory.aupdate_active_memory_section("alice", made.id, "a", f"- a fox {i}")
    await until(lambda: rows("SELECT 1 FROM agentmem.consolidation_run WHERE status = 'applied'"))
    worker.stop()
    await task


async def test_an_answer_that_was_there_while_the_loop_was_busy_is_no_silence(dsn: str) -> None:
    database = Database(dsn, answer_timeout=0.3)
    async with database.connection(EVERYONE) as connection:
        asked = asyncio.create_task(connection.execute("SELECT 1 AS one"))
        await asyncio.sleep(0)
        time.sleep(1)  # noqa: ASYNC251 - the loop that is late
        assert await (await asked).fetchone() == {"one": 1}
    await database.close()


async def test_long_answers_may_be_waited_for(dsn: str) -> None:
    database = Database(dsn, answer_timeout=0.3)
    await database.start()
    async with database.as_it_is(patient=True) as connection:
        await connection.execute("SELECT pg_sleep(1)")
    with pytest.raises(OutageError, match=r"no answer within 0\.3 s"):
        async with database.connection(EVERYONE) as connection:
            await connection.execute("SELECT pg_sleep(5)")
    await database.close()


def option(connection: Connection, name: str) -> str | None:
    found = {each.keyword.decode(): each.val for each in connection.pgconn.info}
    value = found[name]
    return value and value.decode()


async def test_the_system_looks_after_connections_and_the_dsn_may_say_how(proxy: Proxy) -> None:
    for dsn, idle in ((proxy.dsn, "30"), (proxy.dsn + " keepalives_idle=7", "7")):
        database = Database(dsn)
        async with database.connection(EVERYONE) as connection:
            assert option(connection, "keepalives_idle") == idle
            assert option(connection, "tcp_user_timeout") == "30000"
        await database.close()


# Outages


async def test_after_a_long_outage_the_next_call_works_at_once(memory: AgentMemory, proxy: Proxy) -> None:
    made = await memory.acreate_active_memory("alice", "Notes", {"sections": ["a"]})
    await proxy.down()
    with pytest.raises(OutageError):
        await memory.aget_active_memory("alice", made.id)
    started = time.monotonic()
    while time.monotonic() - started < 6:  # who tries again and again must not be slowed down by that later
        with pytest.raises(OutageError):
            await memory.aget_active_memory("alice", made.id)
    await proxy.up()
    started = time.monotonic()
    assert (await memory.aget_active_memory("alice", made.id)).id == made.id
    assert time.monotonic() - started < 2


async def test_a_call_that_waits_for_the_server_goes_on_soon_after_it_is_back(
    memory: AgentMemory, proxy: Proxy
) -> None:
    made = await memory.acreate_active_memory("alice", "Notes", {"sections": ["a"]})
    await proxy.down()
    waiting = [asyncio.create_task(memory.aget_active_memory("alice", made.id)) for _ in range(30)]
    await asyncio.sleep(3)
    await proxy.up()
    started = time.monotonic()
    assert [found.id for found in await asyncio.gather(*waiting)] == [made.id] * 30
    assert time.monotonic() - started < 2


async def test_connections_that_nobody_needs_are_kept_for_the_next(memory: AgentMemory, proxy: Proxy) -> None:
    made = await memory.acreate_active_memory("alice", "Notes", {"sections": ["a"]})
    before = proxy.connections
    for _ in range(20):
        await memory.aget_active_memory("alice", made.id)
    assert proxy.connections == before


@pytest.mark.parametrize(
    ("state", "error"),
    [("XX000", StorageError), ("XX001", StorageError), ("57P01", OutageError), ("57P03", OutageError),
     ("53300", OutageError), ("08006", OutageError), ("57014", StorageError)],
)  # fmt: skip
async def test_what_is_an_outage_is_told_by_the_servers_code(dsn: str, state: str, error: type[Exception]) -> None:
    database = Database(dsn)
    with pytest.raises(StorageError) as caught:
        async with database.connection(EVERYONE) as connection:
            await connection.execute(f"DO $$ BEGIN RAISE EXCEPTION 'oh' USING errcode = '{state}'; END $$")
    assert type(caught.value) is error
    assert await gets(database) == 1
    await database.close()


async def gets(database: Database) -> int:
    async with database.connection(EVERYONE) as connection:
        row = await (await connection.execute("SELECT 1 AS one")).fetchone()
    return row["one"] if row else 0


# Bursts


async def test_ten_thousand_calls_at_once_are_all_answered(memory: AgentMemory) -> None:
    store = AgentMemoryStore(memory)
    puts = (store.aput((f"t{i % 7}", "notes"), f"k{i % 500}", {"number": i}) for i in range(5_000))
    gets = (store.aget((f"t{i % 7}", "notes"), f"k{i % 500}") for i in range(5_000))
    await asyncio.gather(*puts, *gets)


async def test_a_loop_that_is_late_does_not_take_the_server_for_away(dsn: str) -> None:
    database = Database(dsn, connect_timeout=1)
    await database.start()

    async def busy() -> None:
        for _ in range(8):
            time.sleep(0.9)  # noqa: ASYNC251 - as tens of thousands of callbacks would
            await asyncio.sleep(0)

    hindering = asyncio.create_task(busy())
    assert await asyncio.gather(*(gets(database) for _ in range(20))) == [1] * 20
    await hindering
    await database.close()
