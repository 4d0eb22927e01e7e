"""A worker takes what is due, when it is due, once; and goes without losing anything."""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable
from typing import Any

import anyio
import psycopg
import pytest
from consistency import assert_consistent
from fakes import ScriptedModel, WordEmbedder
from psycopg.conninfo import conninfo_to_dict
from waiting import until, until_listening, until_rows, working

from langgraph_agentmem import ActiveMemory, AgentMemory, AgentMemoryStore, MemoryWorker
from langgraph_agentmem.errors import AuthenticationError, InvalidInputError, OutageError
from langgraph_agentmem.models.entity import Extraction
from langgraph_agentmem.models.run import ModelUsage

Rows = Callable[..., list[tuple[Any, ...]]]
Open = Callable[..., AgentMemory]
EAGER = {"avg_section_update_count": 0.1, "worker_poll_seconds": 60}
"""Every update makes its memory due; a worker that was not told would take a minute to see it."""
APPLIED = "SELECT external_id, memory_id FROM agentmem.consolidation_run WHERE status = 'applied' ORDER BY 1, 2"


async def project(memory: AgentMemory, tenant: str = "alice", title: str = "Project") -> ActiveMemory:
    created = await memory.acreate_active_memory(tenant, title, {"sections": ["a"]})
    return await memory.aupdate_active_memory_section(tenant, created.id, "a", "- One.")


class Held:
    """An extractor that answers when it is told to."""

    def __init__(self) -> None:
        self.asked, self.answer, self.seen = asyncio.Event(), asyncio.Event(), 0

    async def extract(self, chunks: object) -> tuple[Extraction, ModelUsage]:
        self.seen += 1
        self.asked.set()
        await self.answer.wait()
        return Extraction(), ModelUsage()


# What it takes


async def test_a_worker_hears_of_what_an_update_makes_due(opened: Open, rows: Rows) -> None:
    memory = opened(settings=EAGER)
    async with working(MemoryWorker(memory)):
        await until_listening(rows)
        created = await project(memory)
        await until_rows(rows, APPLIED, [("alice", created.id)])


async def test_a_worker_hears_of_what_a_put_makes_due(opened: Open, rows: Rows) -> None:
    memory = opened(settings=EAGER)
    async with working(MemoryWorker(memory)):
        await until_listening(rows)
        await AgentMemoryStore(memory).aput(("alice", "notes"), "k", {"text": "One."})
        await until_rows(rows, f"SELECT count(*) FROM ({APPLIED}) r", [(1,)])


async def test_a_worker_that_hears_nothing_finds_it_by_looking(opened: Open, rows: Rows) -> None:
    memory = opened()
    created = await project(memory)
    async with working(MemoryWorker(memory, poll_seconds=0.05)):
        await until_listening(rows)
        rows("UPDATE agentmem.active_memory SET due_at = now()")  # which tells nobody
        await until_rows(rows, APPLIED, [("alice", created.id)])


async def test_a_worker_takes_what_was_due_before_it_came(opened: Open, rows: Rows) -> None:
    memory = opened(settings=EAGER)
    created = [await project(memory, title=f"T{i}") for i in range(9)]
    async with working(MemoryWorker(memory)):
        await until_rows(rows, APPLIED, [("alice", one.id) for one in created])


async def test_a_worker_of_a_tenant_leaves_the_others_alone(opened: Open, rows: Rows) -> None:
    memory = opened(settings=EAGER)
    await project(memory, "bob")
    created = await project(memory, "alice")
    report = await MemoryWorker(memory, external_id="alice").arun_until_idle()
    assert (report.applied, report.failed, report.dead) == (1, 0, 0)
    assert rows(APPLIED) == [("alice", created.id)]


async def test_a_worker_takes_no_more_at_once_than_it_may(opened: Open, rows: Rows) -> None:
    held = Held()
    memory = opened(extractor=held, settings=EAGER)
    for i in range(5):
        await project(memory, title=f"T{i}")
    async with working(MemoryWorker(memory, concurrency=2)):
        await until_rows(rows, "SELECT count(*) FROM agentmem.active_memory WHERE lease_owner IS NOT NULL", [(2,)])
        await until(lambda: held.seen >= 2)  # a leased memory is extracted a moment later
        await asyncio.sleep(0.1)
        assert held.seen == 2
        held.answer.set()
        await until_rows(rows, f"SELECT count(*) FROM ({APPLIED}) r", [(5,)])


async def test_updates_that_come_while_a_memory_is_consolidated_get_a_run_of_their_own(
    opened: Open, rows: Rows
) -> None:
    held = Held()
    memory = opened(extractor=held, settings=EAGER)
    async with working(MemoryWorker(memory)):
        await until_listening(rows)
        created = await project(memory)
        await held.asked.wait()
        await memory.aupdate_active_memory_section("alice", created.id, "a", "- Two.", action="insert")
        held.answer.set()
        await until_rows(rows, APPLIED, [("alice", created.id)] * 2)
    assert rows("SELECT pending_updates, due_at FROM agentmem.active_memory") == [(0, None)]


async def test_what_is_flushed_or_old_is_taken_below_the_threshold(opened: Open, rows: Rows) -> None:
    memory = opened(settings={"worker_poll_seconds": 0.05})
    asked, old = await project(memory, title="Asked"), await project(memory, title="Old")
    async with working(MemoryWorker(memory)):
        rows("UPDATE agentmem.active_memory SET due_at = now() WHERE title = 'Old'")
        await until_rows(rows, APPLIED, [("alice", old.id)])
        assert {report.status for report in await memory.queue.aflush("alice", asked.id)} <= {
            "applied",
            "busy",
            "nothing",
        }
        await until_rows(rows, APPLIED, [("alice", asked.id), ("alice", old.id)])


async def test_workers_at_once_consolidate_each_memory_once(opened: Open, rows: Rows, dsn: str) -> None:
    memories = [opened(settings=EAGER) for _ in range(4)]
    for i in range(40):
        await project(memories[0], f"tenant {i % 3}", f"T{i}")
    await asyncio.gather(*(MemoryWorker(memory, concurrency=3).arun_until_idle() for memory in memories))
    found = rows(APPLIED)
    assert len(found) == len(set(found)) == 40
    assert rows("SELECT DISTINCT status FROM agentmem.consolidation_run") == [("applied",)]
    assert_consistent(dsn)


async def test_a_memory_that_is_forgotten_while_it_waits_disturbs_nobody(opened: Open, rows: Rows) -> None:
    memory = opened(settings=EAGER)
    gone, other = await project(memory, title="Gone"), await project(memory, title="Other")
    worker = MemoryWorker(memory)
    due = worker._due

    async def forget_then(room: int, **arguments: bool) -> list[tuple[str, int]]:
        found = await due(room, **arguments)
        if ("alice", gone.id) in found:
            await memory.adelete_active_memory("alice", gone.id, forget=True)
        return found

    worker._due = forget_then  # type: ignore[method-assign]
    report = await worker.arun_until_idle()
    assert (report.applied, report.failed) == (1, 0)
    assert rows(APPLIED) == [("alice", other.id)]


async def test_chunks_that_wait_for_a_vector_are_embedded(opened: Open, rows: Rows) -> None:
    memory = opened(index=WordEmbedder(), settings={"embed": "background", "worker_poll_seconds": 0.05})
    async with working(MemoryWorker(memory)):
        await project(memory)
        await until_rows(rows, "SELECT count(*) FROM agentmem.memory_chunk WHERE embedding IS NOT NULL", [(1,)])


async def test_what_another_embedder_has_embedded_is_embedded_again(opened: Open, rows: Rows) -> None:
    await project(opened(index=WordEmbedder()))
    memory = opened(index=WordEmbedder(32), reembed=True, settings={"worker_poll_seconds": 0.05})
    async with working(MemoryWorker(memory)):
        query = "SELECT count(*) FROM agentmem.memory_chunk WHERE vector_dims(embedding::vector) = 32"
        await until_rows(rows, query, [(1,)])


# Failures


async def test_a_run_that_fails_is_logged_without_its_content_and_the_others_go_on(
    opened: Open, rows: Rows, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "langgraph_agentmem")

    def answer(name: str, data: dict[str, Any]) -> dict[str, Any]:
        found = [c["id"] for c in data["chunks"] if "One" in c["content"]]
        return {"entities": [{"name": "Ada", "chunk_ids": found}] if found else [], "relationships": []}

    class Broken(WordEmbedder):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            if "Ada" in texts:
                raise ConnectionError(f"cannot embed {texts}")
            return super().embed_documents(texts)

    memory = opened(model=ScriptedModel(answer=answer), index=Broken(), settings=EAGER)
    bad, good = await project(memory, title="Bad"), await project(memory, title="Good")
    await memory.aupdate_active_memory_section("alice", good.id, "a", "- Two.")
    report = await MemoryWorker(memory).arun_until_idle()
    assert (report.applied, report.failed) == (1, 1)
    assert rows(APPLIED) == [("alice", good.id)]
    [failure] = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert (failure.external_id, failure.memory_id, failure.error) == ("alice", bad.id, "EmbeddingError")
    [done] = [record for record in caplog.records if record.name.endswith("worker") and record.levelno == logging.INFO]
    assert (done.memory_id, done.status, done.updates) == (good.id, "applied", 2)
    assert not [r for r in caplog.records if any(word in r.getMessage() for word in ("Ada", "One", "Two"))]
    assert rows("SELECT attempts, next_attempt_at > now() FROM agentmem.active_memory WHERE attempts > 0") == [
        (1, True)
    ]


async def test_a_worker_outlives_an_outage(
    opened: Open, rows: Rows, server: str, dsn: str, caplog: pytest.LogCaptureFixture
) -> None:
    # without a connection that it can lose, it tries for as long to make one before it says that it waits
    at_work = opened(settings=EAGER | {"worker_poll_seconds": 0.05, "connect_timeout_seconds": 0.1})
    async with working(MemoryWorker(at_work)):
        await until_listening(rows)
        with psycopg.connect(server, autocommit=True) as connection:
            name = conninfo_to_dict(dsn)["dbname"]
            connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
            await until(lambda: "the worker waits for the database" in caplog.text)
            connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
        created = await project(opened(settings=EAGER))
        await until_rows(rows, APPLIED, [("alice", created.id)])
        await until_listening(rows)


async def test_what_cannot_be_mended_by_waiting_is_raised(dsn: str) -> None:
    memory = AgentMemory.open(dsn.replace("user=postgres", "user=nobody") if "user=" in dsn else f"{dsn} user=nobody")
    with pytest.raises(AuthenticationError):
        await MemoryWorker(memory).arun()
    with pytest.raises(AuthenticationError):
        await MemoryWorker(memory).arun_until_idle()
    with pytest.raises(OutageError):
        await MemoryWorker(AgentMemory.open("postgresql://127.0.0.1:1/x")).arun_until_idle()


@pytest.mark.parametrize(
    "arguments",
    [{"concurrency": 0}, {"concurrency": 1.5}, {"poll_seconds": 0}, {"poll_seconds": float("inf")}, {"grace_seconds": -1},
     {"external_id": ""}, {"grace_seconds": "long"}],
)  # fmt: skip
async def test_bad_arguments_are_refused(memory: AgentMemory, arguments: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError, match=next(iter(arguments))):
        MemoryWorker(memory, **arguments)


# Stopping


async def test_a_worker_that_is_stopped_finishes_what_it_has_begun_and_takes_no_more(opened: Open, rows: Rows) -> None:
    held = Held()
    memory = opened(extractor=held, settings=EAGER)
    for i in range(3):
        await project(memory, title=f"T{i}")
    worker = MemoryWorker(memory, concurrency=1)
    task = asyncio.create_task(worker.arun())
    await held.asked.wait()
    worker.stop()
    held.answer.set()
    await task
    assert len(rows(APPLIED)) == 1
    assert rows("SELECT count(*) FROM agentmem.active_memory WHERE due_at <= now() AND lease_owner IS NULL") == [(2,)]


@pytest.mark.parametrize("how", ["no grace", "cancelled"])
async def test_what_does_not_end_in_time_is_given_back(opened: Open, rows: Rows, dsn: str, how: str) -> None:
    held = Held()
    memory = opened(extractor=held, settings=EAGER)
    created = await project(memory)
    worker = MemoryWorker(memory, grace_seconds=0)
    task = asyncio.create_task(worker.arun())
    await held.asked.wait()
    if how == "cancelled":
        task.cancel()
    else:
        worker.stop()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert rows("SELECT attempts, lease_owner, due_at <= now() FROM agentmem.active_memory") == [(0, None, True)]
    held.answer.set()
    assert (await MemoryWorker(memory).arun_until_idle()).applied == 1
    assert rows(APPLIED) == [("alice", created.id)]
    assert_consistent(dsn)


async def test_a_worker_can_be_stopped_before_it_starts_and_used_again(opened: Open, rows: Rows) -> None:
    memory = opened(settings=EAGER)
    await project(memory)
    worker = MemoryWorker(memory)
    worker.stop()
    await worker.arun()
    assert rows(APPLIED) == []
    assert (await worker.arun_until_idle()).applied == 1


def test_sync_code_can_run_and_stop_a_worker(dsn: str, rows: Rows) -> None:
    from langgraph_agentmem import AgentMemorySettings

    with AgentMemory.open(dsn, settings=AgentMemorySettings(**EAGER)) as memory:
        created = memory.create_active_memory("alice", "P", {"sections": ["a"]})
        memory.update_active_memory_section("alice", created.id, "a", "x")
        worker = MemoryWorker(memory)
        assert worker.run_until_idle().applied == 1
        thread = threading.Thread(target=worker.run)
        thread.start()
        memory.update_active_memory_section("alice", created.id, "a", "y")
        while len(rows(APPLIED)) < 2:
            threading.Event().wait(0.02)
        worker.stop()
        thread.join()


# Within the application


async def test_a_memory_runs_a_worker_of_its_own(opened: Open, rows: Rows) -> None:
    memory = opened(settings=EAGER, background=True)
    async with memory:
        created = await project(memory)
        await until_rows(rows, APPLIED, [("alice", created.id)])
    before = asyncio.all_tasks()
    await until_listening(rows, 0)
    assert not [task for task in before if task.get_name() == "agentmem worker"]


async def test_the_first_use_starts_it_and_closing_stops_it_until_the_next_use(opened: Open, rows: Rows) -> None:
    memory = opened(settings=EAGER, background=True)
    for title in ("First", "Second"):
        await project(memory, title=title)
        await until_rows(rows, "SELECT count(*) FROM agentmem.active_memory WHERE due_at IS NOT NULL", [(0,)])
        await memory.aclose()
        await until_listening(rows, 0)


async def test_closing_waits_for_what_runs(opened: Open, rows: Rows) -> None:
    held = Held()
    memory = opened(settings=EAGER, background=True, extractor=held)
    created = await project(memory)
    await held.asked.wait()
    closing = asyncio.create_task(memory.aclose())
    await asyncio.sleep(0.05)
    assert not closing.done()
    held.answer.set()
    await closing
    assert rows(APPLIED) == [("alice", created.id)]


async def test_a_store_over_such_a_memory_uses_it(opened: Open, rows: Rows) -> None:
    memory = opened(settings=EAGER, background=True)
    async with AgentMemoryStore(memory) as store:
        await store.aput(("alice", "notes"), "k", {"text": "One."})
        await until_rows(rows, f"SELECT count(*) FROM ({APPLIED}) r", [(1,)])


def test_a_store_can_be_asked_for_one_by_argument_or_environment(
    dsn: str, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENTMEM_AVG_SECTION_UPDATE_COUNT", "0.1")
    for number, background in enumerate((True, None), 1):
        with AgentMemoryStore.from_conn_string(dsn, background=background) as store:
            store.put(("alice", "notes"), "k", {"text": f"Text {number}."})
            while len(rows(APPLIED)) < number:
                threading.Event().wait(0.02)
        monkeypatch.setenv("AGENTMEM_BACKGROUND", "true")


def test_a_worker_whose_loop_has_ended_starts_again_on_the_next(dsn: str, rows: Rows) -> None:
    from langgraph_agentmem import AgentMemorySettings

    memory = AgentMemory.open(dsn, settings=AgentMemorySettings(**EAGER), background=True)

    async def use(title: str) -> None:
        await project(memory, title=title)
        await until_rows(rows, "SELECT count(*) FROM agentmem.active_memory WHERE due_at IS NOT NULL", [(0,)])

    asyncio.run(use("First"))
    asyncio.run(use("Second"))
    memory.close()


async def test_it_is_no_part_of_the_graph_that_used_the_memory_first(opened: Open, rows: Rows) -> None:
    from langchain_core.callbacks import BaseCallbackHandler
    from langgraph.graph import END, START, StateGraph

    seen: list[str] = []

    class Watching(BaseCallbackHandler):
        def on_chain_start(self, serialized: Any, inputs: Any, **kwargs: Any) -> None:
            seen.append(kwargs.get("name") or "")

    memory = opened(settings=EAGER, background=True)

    async def remember(state: dict[str, Any]) -> dict[str, Any]:
        created = await project(memory)
        await until_rows(rows, APPLIED, [("alice", created.id)])
        return state

    graph: Any = StateGraph(dict)
    graph.add_node("remember", remember)
    graph.add_edge(START, "remember")
    graph.add_edge("remember", END)
    await graph.compile().ainvoke({}, {"callbacks": [Watching()]})
    assert "remember" in seen
    assert "claim" not in seen


async def test_without_being_asked_for_there_is_none(opened: Open, rows: Rows) -> None:
    memory = opened(settings=EAGER)
    await project(memory)
    await anyio.sleep(0.1)
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "agentmem worker"]
