"""A connection is taken for somebody, and in turn: however many call at once, they wait for each other and not in vain."""

import asyncio
import random
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from waiting import until_sleeping

from langgraph_agentmem import AgentMemory, AgentMemoryStore
from langgraph_agentmem.errors import InvalidInputError, OutageError, StorageError, TooManyCallsError
from langgraph_agentmem.storage.driver.database import Database
from langgraph_agentmem.storage.driver.tenants import EVERYONE

Rows = Callable[..., list[tuple[object, ...]]]
Opened = Callable[..., AgentMemory]
NS = ("alice", "notes")


async def sleeps(database: Database, seconds: float) -> None:
    async with database.connection(EVERYONE) as connection:
        await connection.execute("SELECT pg_sleep(%s)", [seconds])


async def gets(database: Database) -> int:
    async with database.connection("alice") as connection:
        row = await (await connection.execute("SELECT 1 AS one")).fetchone()
    return row["one"] if row else 0


@pytest.fixture
async def database(dsn: str) -> AsyncIterator[Database]:
    database = Database(dsn, pool_size=2, connect_timeout=1, max_waiting_calls=5_000)
    yield database
    await database.close()


# For whom


@pytest.mark.parametrize("tenant", ["", None, 5, True, b"alice", ["alice"]])
async def test_a_connection_for_nobody_is_refused_before_one_is_taken(tenant: Any) -> None:
    down = Database("postgresql://nobody@127.0.0.1:1/none", connect_timeout=1)
    for take in (down.connection, down.transaction):
        with pytest.raises(InvalidInputError, match="for a tenant, by its name, or for EVERYONE"):
            async with take(tenant):
                pass
    with pytest.raises(OutageError):
        await gets(down)


async def test_a_tenant_of_any_name_is_not_everyone(database: Database) -> None:
    for name in ("everyone", "EVERYONE", str(EVERYONE), EVERYONE.value):
        assert name != EVERYONE
        async with database.connection(name), database.transaction(EVERYONE):
            pass


# In turn


async def test_thousands_of_calls_wait_longer_than_the_time_out_for_those_who_work(
    database: Database, rows: Rows
) -> None:
    slow = [asyncio.create_task(sleeps(database, 3)) for _ in range(2)]
    await until_sleeping(rows, 2)
    started = time.monotonic()
    assert await asyncio.gather(*(gets(database) for _ in range(5_000))) == [1] * 5_000
    assert time.monotonic() - started > 1, "which is the time-out"
    await asyncio.gather(*slow)


async def test_thousands_of_a_stores_calls_wait_as_well(opened: Opened, rows: Rows) -> None:
    store = AgentMemoryStore(opened(settings={"pool_size": 2, "connect_timeout_seconds": 1}))
    await store.aput(NS, "k", {"text": "a falcon"})
    database = store.memory.resources.database
    slow = [asyncio.create_task(sleeps(database, 2.5)) for _ in range(2)]
    await until_sleeping(rows, 2)
    found = await asyncio.gather(*(store.aget(NS, "k") for _ in range(5_000)))
    assert all(item and item.value == {"text": "a falcon"} for item in found)
    await asyncio.gather(*slow)


async def test_a_waiter_that_gives_up_leaves_its_turn_to_the_next(database: Database, rows: Rows) -> None:
    slow = [asyncio.create_task(sleeps(database, 1)) for _ in range(2)]
    await until_sleeping(rows, 2)
    waiting = [asyncio.create_task(gets(database)) for _ in range(100)]
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await gets(database)
    for task in waiting[::2]:
        task.cancel()
    outcomes = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 60)
    assert [type(outcome) for outcome in outcomes] == [asyncio.CancelledError, int] * 50
    await asyncio.gather(*slow)
    async with AsyncExitStack() as stack:  # both connections can be had again
        for _ in range(2):
            await stack.enter_async_context(database.connection(EVERYONE))


async def test_turns_come_back_from_calls_that_fail_or_are_cancelled_at_work(database: Database) -> None:
    async def fails() -> None:
        async with database.transaction(EVERYONE) as connection:
            await (await connection.execute("SELECT %s::int", ["no number"])).fetchall()

    outcomes = await asyncio.gather(*(fails() for _ in range(20)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [StorageError] * 20
    for _ in range(5):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(sleeps(database, 60), 0.05)
    assert await asyncio.wait_for(gets(database), 60) == 1


async def test_more_calls_than_may_wait_are_refused_and_the_others_go_on(dsn: str) -> None:
    database = Database(dsn, pool_size=1, max_waiting_calls=3)
    outcomes = await asyncio.gather(*(gets(database) for _ in range(6)), return_exceptions=True)
    assert [outcome for outcome in outcomes if isinstance(outcome, int)] == [1] * 4
    refused = [outcome for outcome in outcomes if not isinstance(outcome, int)]
    assert [type(outcome) for outcome in refused] == [TooManyCallsError] * 2
    assert not isinstance(refused[0], OutageError)
    assert await gets(database) == 1
    await database.close()


async def test_a_caller_that_holds_all_connections_and_wants_one_more_is_not_left_waiting(database: Database) -> None:
    async with database.connection(EVERYONE), database.connection(EVERYONE):
        started = time.monotonic()
        with pytest.raises(OutageError, match="pool large enough"):
            await gets(database)
        assert time.monotonic() - started < 60
    assert await gets(database) == 1


# Servers that give fewer connections than the pool may have


@pytest.fixture
async def stingy(dsn: str, maintenance: psycopg.Connection[Any]) -> AsyncIterator[Database]:
    """As a role that may have three connections, of a pool of ten."""
    role = f"stingy_{uuid4().hex}"
    maintenance.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'x' CONNECTION LIMIT 3 IN ROLE {maintenance.info.user}")
    database = Database(make_conninfo(dsn, user=role, password="x"), pool_size=10, connect_timeout=3)
    yield database
    await database.close()
    maintenance.execute(f"DROP ROLE {role}")


async def test_callers_get_the_connections_of_others_where_the_server_gives_no_more(stingy: Database) -> None:
    assert await asyncio.gather(*(gets(stingy) for _ in range(300))) == [1] * 300
    await asyncio.gather(*(sleeps(stingy, 0.1) for _ in range(30)))


async def test_no_connection_is_lost_where_callers_give_up_as_they_wait_for_those_of_others(stingy: Database) -> None:
    tasks = [asyncio.create_task(gets(stingy)) for _ in range(400)]
    choose = random.Random(7)
    while pending := [task for task in tasks if not task.done()]:
        choose.choice(pending).cancel()
        await asyncio.sleep(0)
    kinds = {type(outcome) for outcome in await asyncio.gather(*tasks, return_exceptions=True)}
    assert kinds <= {int, asyncio.CancelledError}
    del tasks, pending  # whose errors hold what was on its way
    async with AsyncExitStack() as stack:
        for _ in range(3):
            await stack.enter_async_context(stingy.connection(EVERYONE))
    assert await gets(stingy) == 1


async def test_who_gets_none_in_time_learns_what_to_do(stingy: Database) -> None:
    async with stingy.connection(EVERYONE), stingy.connection(EVERYONE), stingy.connection(EVERYONE):
        with pytest.raises(OutageError, match=r"too many connections.*AGENTMEM_POOL_SIZE"):
            await gets(stingy)
    assert await gets(stingy) == 1


# Servers that do not answer


async def test_a_server_that_does_not_answer_is_an_outage_in_time_for_all_who_wait(dsn: str) -> None:
    database = Database(dsn, pool_size=2, connect_timeout=1)
    await database.start()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        database.dsn = make_conninfo(dsn, host="127.0.0.1", port=silent.getsockname()[1])
        started = time.monotonic()
        outcomes = await asyncio.gather(*(gets(database) for _ in range(200)), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [OutageError] * 200
        assert 0.9 < time.monotonic() - started < 60
        await database.close()

    database.dsn = dsn
    assert await gets(database) == 1
    await database.close()
