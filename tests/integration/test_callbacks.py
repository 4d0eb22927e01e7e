"""The application is told of runs and disputes once they are stored, and what fails there fails no run."""

import asyncio
import logging
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from fakes import ScriptedModel
from reviewing import NEW, OLD, cycle, parked, project
from store_and_memory import names

from langgraph_agentmem import AgentMemory, MemoryWorker
from langgraph_agentmem.errors import ConfigurationError, EmbeddingError, InvalidInputError, MemoryNotFoundError
from langgraph_agentmem.models.review import PendingReview
from langgraph_agentmem.models.run import ConsolidationRun

Open = Callable[..., AgentMemory]
Rows = Callable[..., list[tuple[object, ...]]]


class Told:
    """What callbacks were told, and in which thread."""

    def __init__(self) -> None:
        self.runs: list[ConsolidationRun] = []
        self.reviews: list[PendingReview] = []
        self.threads: set[int] = set()

    def on_run(self, run: ConsolidationRun) -> None:
        self.threads.add(threading.get_ident())
        self.runs.append(run)

    async def on_run_async(self, run: ConsolidationRun) -> None:
        await asyncio.sleep(0)
        self.on_run(run)

    def on_dispute(self, review: PendingReview) -> None:
        self.reviews.append(review)


async def test_a_run_is_told_once_it_is_stored(opened: Open) -> None:
    told = Told()
    memory = opened(on_run=told.on_run)
    created = await project(memory, OLD)
    report = await cycle(memory, created, NEW)
    [first, second] = told.runs
    assert [second, first] == await memory.runs.alist("alice")
    assert (second.id, second.external_id, second.memory_id, second.status) == (
        report.run_id, "alice", created.id, "applied",
    )  # fmt: skip
    assert threading.get_ident() not in told.threads


async def test_an_async_one_is_awaited_on_the_loop(opened: Open) -> None:
    told = Told()
    memory = opened(on_run=told.on_run_async)
    await project(memory, OLD)
    assert (len(told.runs), told.threads) == (1, {threading.get_ident()})


async def test_what_a_run_leaves_to_a_person_is_told_once_for_the_run(opened: Open) -> None:
    told = Told()
    memory = opened(on_dispute=told.on_dispute, review="always")
    created, run_id, dispute = await parked(memory)
    assert told.reviews == await memory.reviews.apending("alice")
    [review] = told.reviews
    assert (review.external_id, review.memory_id, review.run_id, review.memory_title) == (
        "alice", created.id, run_id, "Project",
    )  # fmt: skip
    assert [each.id for each in review.disputes] == [dispute]


async def test_nothing_is_told_of_what_was_nothing_or_only_tried(opened: Open) -> None:
    told = Told()
    memory = opened(on_run=told.on_run, on_dispute=told.on_dispute, review="always")
    created = await project(memory, OLD)
    told.runs.clear()
    await memory.aconsolidate("alice", created.id)
    await memory.aupdate_active_memory_section("alice", created.id, "notes", NEW)
    await memory.aconsolidate("alice", created.id, dry_run=True)
    with pytest.raises(MemoryNotFoundError):
        await memory.aconsolidate("alice", 10_000)
    with pytest.raises(InvalidInputError):
        await memory.aconsolidate("", created.id)
    assert (told.runs, told.reviews) == ([], [])


async def test_workers_and_the_queue_tell_as_well(opened: Open) -> None:
    told = Told()
    memory = opened(on_run=told.on_run, settings={"avg_section_update_count": 1})
    created = await memory.acreate_active_memory("alice", "Project", {"sections": ["notes"]})
    for work in (MemoryWorker(memory).arun_until_idle, memory.queue.arun_due, lambda: memory.queue.aflush("alice")):
        await memory.aupdate_active_memory_section("alice", created.id, "notes", f"Note {len(told.runs)}.")
        await work()
    assert [run.status for run in told.runs] == ["applied"] * 3


async def test_a_run_that_failed_is_told_with_its_error(opened: Open) -> None:
    def broken(texts: list[str]) -> list[list[float]]:
        if "Ada" in texts:
            raise RuntimeError("down")
        return [[1.0, 0.0]] * len(texts)

    told = Told()
    memory = opened(on_run=told.on_run, index={"embed": broken, "dims": 2}, model=ScriptedModel(answer=names))
    with pytest.raises(EmbeddingError):
        await project(memory, "Ada knows Bob.")
    [run] = told.runs
    assert (run.status, "down" in str(run.error)) == ("failed", True)


def failing(_: object) -> None:
    raise ValueError("secret text of a memory")


async def failing_async(_: object) -> None:
    failing(_)


@pytest.mark.parametrize("function", [failing, failing_async])
async def test_one_that_fails_is_logged_and_counted_and_fails_no_run(
    opened: Open, caplog: pytest.LogCaptureFixture, otel: SimpleNamespace, function: Any
) -> None:
    memory = opened(on_run=function, on_dispute=function, review="always")
    with caplog.at_level(logging.WARNING, "langgraph_agentmem"):
        _, run_id, _ = await parked(memory)
    said = [record.getMessage() for record in caplog.records]
    assert said == [*["the callback on_run failed: ValueError"] * 2, "the callback on_dispute failed: ValueError"]
    assert (await memory.runs.alist("alice"))[0].id == run_id
    assert "agentmem.callback.failures" in otel.reader.get_metrics_data().to_json()


async def test_one_may_use_the_memory_itself(opened: Open) -> None:
    found: list[str] = []
    memory = opened(on_run=lambda run: found.extend(hit.content for hit in memory.search(run.external_id, "deadline")))
    await project(memory, OLD)
    assert found == [OLD]


async def test_a_memory_that_is_closed_tells_of_its_last_run(opened: Open) -> None:
    told = Told()
    memory = opened(on_run=told.on_run)
    created = await memory.acreate_active_memory("alice", "Project", {"sections": ["notes"]}, {"notes": OLD})
    await memory.adelete_active_memory("alice", created.id)
    assert [run.status for run in told.runs] == ["applied"]


@pytest.mark.parametrize("name", ["on_run", "on_dispute"])
async def test_what_is_no_function_is_refused(opened: Open, name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{name} must be a function"):
        opened(**{name: "print"})
