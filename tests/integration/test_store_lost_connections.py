"""A store whose connections or server are lost goes on, with nothing half-written."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from consistency import assert_consistent
from fakes import WordEmbedder
from langgraph.store.base import PutOp
from store_faults import CALLS, contents, kill_backends
from waiting import until

from langgraph_agentmem import AgentMemorySettings
from langgraph_agentmem.errors import OutageError
from langgraph_agentmem.storage.driver import embedded
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


@pytest.mark.parametrize("call", CALLS)
async def test_the_next_call_after_all_backends_were_killed_works(
    store: AgentMemoryStore, rows: Rows, call: str
) -> None:
    await store.aput(NS, "k", {"text": "a falcon"})
    async with AsyncExitStack() as stack:
        for _ in range(2):
            await stack.enter_async_context(store.memory.resources.database.connection(EVERYONE))
    assert kill_backends(rows) >= 2

    assert await CALLS[call](store) is not False
    assert contents(rows) == {"delete": {}, "put": {"k": 2}, "put_if": {"k": 2}, "batch": {"k": 2}}.get(call, {"k": 1})


@pytest.mark.parametrize("call", ["put", "batch", "put_if", "delete"])
async def test_a_backend_that_is_killed_in_the_middle_leaves_nothing_half_written(
    store: AgentMemoryStore, rows: Rows, dsn: str, call: str
) -> None:
    await store.aput(NS, "k", {"text": "a falcon"})
    await store.aput(("alice", "also"), "k", {"text": "a falcon"})
    before = rows(
        "SELECT to_jsonb(s)::text FROM agentmem.section s UNION ALL SELECT to_jsonb(c)::text FROM agentmem.memory_chunk c"
    )
    with psycopg.connect(dsn) as blocker:
        blocker.execute("SELECT 1 FROM agentmem.active_memory WHERE namespace[2] = 'notes' FOR UPDATE")
        batch = [
            PutOp(("alice", "also"), "k", {"text": "x"}),
            PutOp(("alice", "new"), "k", {"text": "x"}),
            PutOp(NS, "k", None),
        ]
        task = asyncio.ensure_future(store.abatch(batch) if call == "batch" else CALLS[call](store))
        waiting = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        await until(lambda: rows(waiting))
        rows(waiting.replace("pid", "pg_terminate_backend(pid)", 1))
        with pytest.raises(OutageError):
            await task
        blocker.rollback()

    assert rows(
        "SELECT to_jsonb(s)::text FROM agentmem.section s UNION ALL SELECT to_jsonb(c)::text FROM agentmem.memory_chunk c"
    ) == before  # fmt: skip
    assert await store.alist_namespaces() == [("alice", "also"), NS]
    await CALLS[call](store)


def has_ended(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["restarted", "crashed"])
async def test_after_the_server_was_restarted_the_next_call_works(data_dir: Path, how: signal.Signals) -> None:
    dsn = embedded.start(data_dir)
    acknowledged: list[str] = []

    settings = AgentMemorySettings(**SLOW)
    async with AgentMemoryStore.from_conn_string(dsn, settings=settings) as store:

        async def write(writer: int) -> None:
            for i in range(10_000):
                await store.aput(NS, f"w{writer}-{i}", {"text": f"falcon {i}"})
                acknowledged.append(f"w{writer}-{i}")

        writers = [asyncio.create_task(write(i)) for i in range(5)]
        await until(lambda: len(acknowledged) > 50)
        pid = int((data_dir / "postmaster.pid").read_text().splitlines()[0])
        os.kill(pid, how)
        await until(lambda: has_ended(pid))
        assert await asyncio.to_thread(embedded.start, data_dir) == dsn
        for writer in writers:
            writer.cancel()
        outcomes = await asyncio.gather(*writers, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} <= {OutageError, asyncio.CancelledError}

        await store.aput(NS, "after", {"text": "falcon"})
        listed = {item.key for item in await store.asearch(NS, limit=20_000)}
        assert {*acknowledged, "after"} <= listed
        assert {item.key for item in await store.asearch(NS, query="falcon", limit=20_000) if item.score} == listed
    assert_consistent(dsn)
