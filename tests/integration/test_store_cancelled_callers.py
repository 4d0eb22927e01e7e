"""Callers that go away leave the pool whole, write all or nothing, and harm nobody else."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import psycopg
import pytest
from fakes import WordEmbedder
from langgraph.store.base import GetOp, PutOp, SearchOp
from psycopg.pq import TransactionStatus
from store_faults import contents
from waiting import until_waiting

from langgraph_agentmem import AgentMemorySettings
from langgraph_agentmem.errors import StorageError
from langgraph_agentmem.storage.driver.database import Database
from langgraph_agentmem.storage.driver.tenants import EVERYONE
from langgraph_agentmem.store import AgentMemoryStore

Rows = Callable[..., list[tuple[Any, ...]]]
pytestmark = pytest.mark.usefixtures("consistent_afterwards")
NS = ("alice", "notes")
SLOW = {"max_pending_updates": 100_000}


@pytest.fixture
async def store(dsn: str) -> AsyncIterator[AgentMemoryStore]:
    """A store with an embedder."""
    async with AgentMemoryStore.from_conn_string(dsn, index={"embed": WordEmbedder(), "dims": 64}) as store:
        yield store


@pytest.mark.parametrize("waits", ["in the tick", "while it is answered"])
async def test_a_caller_that_goes_away_harms_nobody_else(
    store: AgentMemoryStore, rows: Rows, dsn: str, waits: str
) -> None:
    await store.aput(NS, "first", {"text": "a falcon"})
    with psycopg.connect(dsn) as blocker:
        if waits == "while it is answered":
            blocker.execute("SELECT 1 FROM agentmem.active_memory FOR UPDATE")
        tasks = [asyncio.create_task(store.aput(NS, f"k{i}", {"n": i}, index=False)) for i in range(6)]
        if waits == "in the tick":
            await asyncio.sleep(0)
        else:
            await until_waiting(rows)
        for task in tasks[::2]:
            task.cancel()
        blocker.rollback()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)

    assert [isinstance(outcome, asyncio.CancelledError) for outcome in outcomes] == [True, False] * 3
    assert {"first", "k1", "k3", "k5"} <= contents(rows).keys()
    assert await store.aget(NS, "first") is not None


async def test_a_caller_that_goes_away_while_its_text_is_embedded_has_written_nothing(dsn: str, rows: Rows) -> None:
    started, never = asyncio.Event(), asyncio.Event()

    class Slow(WordEmbedder):
        async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
            if "slow" in texts[0]:
                started.set()
                await never.wait()
            return self.embed_documents(texts)

    async with AgentMemoryStore.from_conn_string(dsn, index={"embed": Slow(), "dims": 64}) as store:
        task = asyncio.create_task(store.aput(NS, "slow", {"text": "a slow falcon"}))
        await started.wait()
        await asyncio.gather(*(store.aput(NS, f"k{i}", {"text": "quick"}) for i in range(3)))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await store.aput(NS, "k3", {"text": "quick"})
    assert contents(rows).keys() == {"k0", "k1", "k2", "k3"}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the driver's, of what was cut short
@pytest.mark.parametrize("by", ["asyncio", "anyio"])
async def test_batches_that_are_cancelled_at_any_moment_leave_the_pool_whole_and_write_all_or_nothing(
    dsn: str, rows: Rows, by: str
) -> None:
    async with AgentMemoryStore.from_conn_string(
        dsn, pool_config={"max_size": 2}, settings=AgentMemorySettings(connect_timeout_seconds=5, **SLOW)
    ) as store:
        await store.aput(NS, "first", {"text": "a falcon"})

        async def write(i: int) -> None:
            ops = [PutOp(("alice", name), f"k{i}", {"text": f"falcon {i}\n- owl"}) for name in "abc"]
            await store.abatch([GetOp(NS, "first"), *ops, SearchOp((), query="falcon")])

        for i in range(40):
            if by == "asyncio":
                task = asyncio.create_task(write(i))
                await asyncio.sleep(i * 0.0004)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            else:
                with anyio.move_on_after(i * 0.0004):
                    await write(i)
        await asyncio.gather(*(write(100 + i) for i in range(6)))
    written = rows("SELECT section_id, count(*) FROM agentmem.section WHERE section_id <> 'first' GROUP BY 1")
    assert {count for _, count in written} == {3}
    assert {f"k{100 + i}" for i in range(6)} <= {key for key, _ in written}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the driver's, of what was cut short
async def test_what_was_cancelled_before_it_was_sent_is_not_taken_for_prepared(dsn: str) -> None:
    database = Database(dsn, pool_size=1)
    async with database.connection(EVERYONE):
        pass
    with anyio.CancelScope() as scope:
        async with database.transaction(EVERYONE) as connection:
            scope.cancel()
            time.sleep(0.1)  # noqa: ASYNC251 - after a while without a break, the driver makes one before it sends
            await connection.execute("SELECT 1 AS one")
    assert scope.cancelled_caught
    async with database.connection(EVERYONE) as connection:
        assert await (await connection.execute("SELECT 1 AS one")).fetchall() == [{"one": 1}]
    await database.close()


async def test_what_was_cancelled_as_it_began_leaves_nobody_in_its_transaction(dsn: str, rows: Rows) -> None:
    database = Database(dsn, pool_size=1)
    async with database.connection(EVERYONE):
        pass
    with anyio.CancelScope() as scope:
        scope.cancel()
        time.sleep(0.1)  # noqa: ASYNC251 - after a while without a break, the driver makes one as a pipeline begins
        async with database.transaction(EVERYONE):
            pass
    assert scope.cancelled_caught
    async with database.connection(EVERYONE) as connection:
        await connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
        assert rows("SELECT to_regclass('kept') IS NOT NULL") == [(True,)], "a single statement is committed by itself"
    await database.close()


async def test_a_connection_is_used_again_after_an_error_or_a_timeout(dsn: str) -> None:
    database = Database(dsn, pool_size=1)
    async with database.transaction(EVERYONE) as connection:
        process = connection.info.backend_pid
    with pytest.raises(StorageError, match="division by zero"):
        async with database.transaction(EVERYONE) as connection:
            await connection.execute("SELECT 1 / %s", [0])

    async def slow(statement: str, seconds: float = 0) -> None:
        async with database.transaction(EVERYONE) as connection:
            await (await connection.execute(statement)).fetchall()
            await asyncio.sleep(seconds)

    for waits in (slow("SELECT pg_sleep(5)"), slow("SELECT 'sent'", 5)):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(waits, 0.2)
    async with database.connection(EVERYONE) as connection:
        assert connection.info.backend_pid == process
        assert connection.info.transaction_status == TransactionStatus.IDLE
        prepared = await connection.execute("SELECT statement FROM pg_prepared_statements")
        assert [row["statement"] for row in await prepared.fetchall()] == [
            "SELECT statement FROM pg_prepared_statements"
        ]
    await database.close()
