"""A model that always fails is asked less and less by the queue's runs, and everybody can see that it fails."""

from collections.abc import Callable
from typing import Any

import pytest
from fakes import ScriptedModel
from people import answer, consolidate, start

from langgraph_agentmem import AgentMemory

Rows = Callable[..., list[tuple[object, ...]]]
Open = Callable[..., AgentMemory]
SETTINGS = {"model_attempts": 1, "avg_section_update_count": 1}


class Failing:
    """Fails until it is mended, and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.mended = False

    def __call__(self, name: str, data: dict[str, Any]) -> Any:
        self.asked += 1
        if not self.mended:
            raise RuntimeError("overloaded")
        return answer(name, data)


@pytest.fixture
def model() -> Failing:
    return Failing()


@pytest.fixture
def memory(opened: Open, model: Failing) -> AgentMemory:
    return opened(model=ScriptedModel(answer=model), settings=SETTINGS)


async def written(memory: AgentMemory, id: int, text: str) -> None:
    await memory.aupdate_active_memory_section("alice", id, "facts", text, action="insert")


async def made_due(rows: Rows) -> None:
    rows("UPDATE agentmem.active_memory SET due_at = now() - interval '1 second', next_attempt_at = NULL")


async def last_report(memory: AgentMemory) -> Any:
    [run] = await memory.runs.alist("alice", limit=1)
    return run.report


async def test_runs_from_the_queue_do_not_ask_a_model_that_has_just_failed(
    memory: AgentMemory, model: Failing, rows: Rows
) -> None:
    id = await start(memory, "alice")
    await written(memory, id, "Ada knows Bob")
    await memory.queue.arun_due()
    assert (model.asked, (await last_report(memory)).model_failures) == (1, 1)
    rows("UPDATE agentmem.active_memory SET model_retry_at = now() + interval '1 hour'")
    await written(memory, id, "Ada knows Cy")
    await memory.queue.arun_due()
    report = await last_report(memory)
    assert (model.asked, report.model_failures, report.usage.calls) == (1, 1, 0)
    assert report.chunks_added == 1
    assert "the model was not asked" in report.failures[0]
    assert (await memory.queue.astatus("alice")).model_failing == 1
    assert (await memory.queue.astatus("bob")).model_failing == 0


async def test_each_failure_lets_the_model_rest_longer_up_to_an_hour(
    memory: AgentMemory, model: Failing, rows: Rows
) -> None:
    id = await start(memory, "alice")
    waits: list[float] = []
    for attempt in range(14):
        await consolidate(memory, "alice", id, f"Ada knows Bob for {attempt} years")
        [[seconds]] = rows("SELECT extract(epoch FROM model_retry_at - now())::float8 FROM agentmem.active_memory")
        waits.append(float(str(seconds)))
    assert waits[0] < 2
    assert all(2**n / 2 - 30 < wait <= 2 ** (n + 1) for n, wait in enumerate(waits[:11]))
    assert 1700 < waits[-1] <= 3600


async def test_an_extraction_that_failed_is_made_up_for_without_another_update(
    memory: AgentMemory, model: Failing, rows: Rows
) -> None:
    id = await start(memory, "alice")
    await written(memory, id, "Ada knows Bob")
    await memory.queue.arun_due()
    assert (await memory.queue.astatus("alice")).scheduled == 1
    model.mended = True
    rows("UPDATE agentmem.active_memory SET due_at = now(), model_retry_at = now()")
    await memory.queue.arun_due()
    assert (await memory.aget_entity("alice", "Ada")).relationships[0].target == "Bob"
    assert (await last_report(memory)).model_failures == 0
    status = await memory.queue.astatus("alice")
    assert (status.model_failing, status.due, status.scheduled) == (0, 0, 0)


async def test_a_run_that_only_makes_up_for_an_extraction_is_no_consolidation(
    opened: Open, model: Failing, rows: Rows
) -> None:
    memory = opened(model=ScriptedModel(answer=model), settings={**SETTINGS, "shortterm_update_threshold": 2})
    id = await start(memory, "alice")
    await written(memory, id, "Ada knows Bob")
    for _ in range(4):
        await made_due(rows)
        rows("UPDATE agentmem.active_memory SET model_retry_at = now()")
        await memory.queue.arun_due()
    assert model.asked == 4
    assert rows("SELECT update_count FROM agentmem.shortterm_memory") == [(1,)]


async def test_a_run_that_is_asked_for_asks_the_model(memory: AgentMemory, model: Failing, rows: Rows) -> None:
    id = await start(memory, "alice")
    await consolidate(memory, "alice", id, "Ada knows Bob")
    rows("UPDATE agentmem.active_memory SET model_retry_at = now() + interval '1 hour'")
    model.mended = True
    report = await memory.aconsolidate("alice", id)
    assert (model.asked, report.entities_created, report.model_failures) == (2, 2, 0)
    assert rows("SELECT model_failures, model_retry_at FROM agentmem.active_memory") == [(0, None)]


async def test_a_run_without_the_model_loses_no_chunk(memory: AgentMemory, model: Failing, rows: Rows) -> None:
    id = await start(memory, "alice")
    for number in range(5):
        await written(memory, id, f"\n\n- Ada knows Person{number}\n\n")
        await made_due(rows)
        await memory.queue.arun_due()
    assert model.asked < 5
    model.mended = True
    await memory.aconsolidate("alice", id)
    known = {link.target for link in (await memory.aget_entity("alice", "Ada")).relationships}
    assert known == {f"Person{number}" for number in range(5)}
    assert rows("SELECT count(*) FROM agentmem.memory_chunk WHERE extraction_pending") == [(0,)]
