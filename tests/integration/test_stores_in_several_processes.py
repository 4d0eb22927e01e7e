"""Stores in several processes make one memory; what was acknowledged is there, whoever dies."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import psycopg
import pytest
from consistency import assert_consistent
from fakes import WordEmbedder
from langgraph.store.base import PutOp
from waiting import until_waiting

from langgraph_agentmem import AgentMemory
from langgraph_agentmem.store import AgentMemoryStore

Rows = Callable[..., list[tuple[Any, ...]]]
pytestmark = pytest.mark.usefixtures("consistent_afterwards")


@pytest.fixture
async def store(dsn: str) -> AsyncIterator[AgentMemoryStore]:
    """A store with an embedder."""
    async with AgentMemoryStore.from_conn_string(dsn, index={"embed": WordEmbedder(), "dims": 64}) as store:
        yield store


SET_UP = """
import os, traceback
from langgraph_agentmem.store import AgentMemoryStore

def embed(texts):
    return [[1.0, 2.0] for text in texts]

def use():
    dsn, index = os.environ["AGENTMEM_DSN"], {"embed": embed, "dims": 2, "name": "two"}
    with AgentMemoryStore.from_conn_string(dsn, index=index) as store:
        store.setup()
        store.put(("alice", "notes"), str(os.getpid()), {"text": "falcon"})
        assert store.search(("alice",), query="falcon", limit=1)[0].score > 0.9

children = []
for _ in range(10):
    if not (child := os.fork()):
        try:
            use()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    children.append(child)
assert [os.waitpid(child, 0)[1] for child in children] == [0] * 10
"""


def start(code: str, dsn: str) -> subprocess.Popen[str]:
    env = {**os.environ, "AGENTMEM_DSN": dsn}
    return subprocess.Popen(
        [sys.executable, "-c", code], env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def test_ten_processes_may_set_up_stores_on_an_empty_database_at_once(empty_dsn: str) -> None:
    process = start(SET_UP, empty_dsn)
    _, errors = process.communicate(timeout=300)

    assert process.returncode == 0, errors
    with AgentMemoryStore.from_conn_string(empty_dsn) as store:
        assert len(store.search(("alice", "notes"), limit=20)) == 10
    with psycopg.connect(empty_dsn) as connection:
        assert connection.execute("SELECT count(*) FROM agentmem.embedding_model").fetchone() == (1,)
    assert_consistent(empty_dsn)


MANY_PUTS = """
import asyncio, os
from langgraph_agentmem import AgentMemorySettings
from langgraph_agentmem.store import AgentMemoryStore

async def main():
    settings = AgentMemorySettings(max_pending_updates=100000)
    async with AgentMemoryStore.from_conn_string(os.environ["AGENTMEM_DSN"], settings=settings) as store:
        async def write(writer):
            for i in range(100000):
                await store.aput(("alice", f"n{i % 3}"), f"{writer}-{i // 6}", {"text": f"falcon {writer} {i}\\n- owl {i}"})
                print(f"n{i % 3}/{writer}-{i // 6}/{i}", flush=True)
        await asyncio.gather(*(write(writer) for writer in range(8)))

asyncio.run(main())
"""


def test_of_a_process_that_is_killed_every_put_that_returned_is_there_with_its_chunks(dsn: str, rows: Rows) -> None:
    process = start(MANY_PUTS, dsn)
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(250)]
    process.kill()
    lines += [line for line in process.stdout if line.endswith("\n")]
    process.communicate()
    newest: dict[tuple[str, str], int] = {}
    for line in lines:
        namespace, key, i = line.strip().split("/")
        newest[namespace, key] = max(newest.get((namespace, key), 0), int(i))

    while rows("SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"):
        time.sleep(0.02)
    with AgentMemoryStore.from_conn_string(dsn) as store:
        store.search(("alice",), query="falcon")
    stored = {
        (namespace, key): (content, chunks)
        for namespace, key, content, chunks in rows(
            "SELECT a.namespace[2], s.section_id, s.value ->> 'text', (SELECT string_agg(c.content, '' ORDER BY c.chunk_order) "
            "FROM agentmem.memory_chunk c WHERE c.memory_id = a.id AND c.section_id = s.section_id AND c.current) "
            "FROM agentmem.section s JOIN agentmem.active_memory a ON a.id = s.memory_id"
        )
    }
    assert len(newest) > 50
    for place, i in newest.items():
        assert int(stored[place][0].split()[2]) >= i
    assert all(content == chunks for content, chunks in stored.values())


async def test_stores_that_cross_each_others_batches_all_get_through(dsn: str, rows: Rows) -> None:
    spaces = [("alice", "a"), ("alice", "b"), ("bob", "a"), ("bob", "b"), ("carol", "c")]

    async def write(store: AgentMemoryStore, order: int) -> None:
        for i in range(12):
            ops = [PutOp(space, key, {"text": f"falcon {i}"}) for space in spaces[::order] for key in "xyz"[::order]]
            await store.abatch(
                [*ops, PutOp(spaces[i % 5], "gone", None), PutOp(spaces[-i % 5], f"new{i}", {"text": "owl"})]
            )

    async def consolidate(memory: AgentMemory) -> None:
        for _ in range(6):
            for tenant in ("alice", "bob"):
                await memory.queue.aflush(tenant)

    async with (
        AgentMemoryStore.from_conn_string(dsn) as one,
        AgentMemoryStore.from_conn_string(dsn) as two,
        AgentMemory.open(dsn) as memory,
    ):
        await asyncio.gather(write(one, 1), write(two, -1), write(one, -1), write(two, 1), consolidate(memory))
    assert rows("SELECT DISTINCT revision FROM agentmem.section WHERE length(section_id) = 1") == [(48,)]


@pytest.mark.parametrize("single", [True, False])
async def test_a_transaction_that_loses_a_deadlock_is_done_again(
    store: AgentMemoryStore, rows: Rows, dsn: str, single: bool
) -> None:
    a, b = ("alice", "a"), ("alice", "b")
    await store.abatch([PutOp(a, "k", {"text": "one"}), PutOp(b, "k", {"text": "one"})])
    lock = "SELECT 1 FROM agentmem.active_memory WHERE namespace[2] = %s FOR UPDATE"
    with psycopg.connect(dsn) as rival:
        rival.execute("SET LOCAL deadlock_timeout = '1min'")
        rival.execute(lock, ["b"])
        puts = [PutOp(a, "k", {"text": "two"}), PutOp(b, "k", {"text": "two"})]
        calls = [store.aput(*put[:3]) for put in puts] if single else [store.abatch(puts)]
        task = asyncio.gather(*calls)
        await until_waiting(rows)
        await asyncio.to_thread(rival.execute, lock, ["a"])
        rival.rollback()
        await task

    assert rows("SELECT value ->> 'text', revision FROM agentmem.section") == [("two", 2), ("two", 2)]
    assert rows("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") >= [(0,)]
