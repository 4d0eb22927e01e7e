"""Threads are deleted and copied as a whole, with what memory knows of them."""

from collections.abc import Callable

import pytest
from checkpoint_threads import Delta, agent, content, of, seen, size

from langgraph_agentmem import AgentMemorySaver
from langgraph_agentmem.errors import CheckpointInUseError, InvalidInputError

Rows = Callable[..., list[tuple[object, ...]]]


# Deleting


async def test_a_deleted_thread_leaves_its_memory(saver: AgentMemorySaver, rows: Rows) -> None:
    graph = agent(saver)
    await graph.ainvoke({"notes": ["tea"]}, of("1"))
    await graph.ainvoke({"notes": ["cake"]}, of("2"))
    kept = size(rows, "2")

    await saver.adelete_thread("1")

    assert size(rows, "1") == (0, 0, 0)
    assert size(rows, "2") == kept
    assert seen(rows) == [("alice", "notes", "2")]
    assert await content(saver, "notes") == "- cake"


async def test_runs_are_deleted_with_what_only_they_had(saver: AgentMemorySaver, rows: Rows) -> None:
    graph = agent(saver)
    await graph.ainvoke({"notes": ["tea"]}, of("1") | {"metadata": {"run_id": "first"}})
    kept = rows("SELECT channel, version FROM checkpoint_blobs ORDER BY 1, 2")
    await graph.ainvoke({"notes": ["cake"]}, of("1") | {"metadata": {"run_id": "second"}})

    await saver.adelete_for_runs(["second"])

    assert (await graph.aget_state(of("1"))).values == {"notes": ["tea"], "plain": {"seen": 1}}
    assert rows("SELECT channel, version FROM checkpoint_blobs ORDER BY 1, 2") == kept
    assert rows(
        "SELECT count(*) FROM checkpoint_writes w LEFT JOIN checkpoints c USING (checkpoint_id) WHERE c IS NULL"
    ) == [(0,)]
    await graph.ainvoke({"notes": ["cake", "again"]}, of("1"))
    assert (await graph.aget_state(of("1"))).values["notes"] == ["cake", "again"]


async def test_a_run_in_the_middle_leaves_what_came_after_it(saver: AgentMemorySaver) -> None:
    graph = agent(saver)
    for run, note in (("first", "tea"), ("second", "cake"), ("third", "milk")):
        await graph.ainvoke({"notes": [note]}, of("1") | {"metadata": {"run_id": run}})

    await saver.adelete_for_runs(["second"])

    states = [state async for state in graph.aget_state_history(of("1"))]
    assert {state.metadata["run_id"] for state in states} == {"first", "third"}
    assert states[0].values == {"notes": ["milk"], "plain": {"seen": 1}}
    assert [state.parent_config for state in states if state.metadata["run_id"] == "third"][-1] is None


async def test_a_run_that_delta_channels_are_rebuilt_from_is_not_deleted(
    delta_saver: AgentMemorySaver, rows: Rows
) -> None:
    graph = agent(delta_saver, Delta)
    for run in ("first", "second"):
        await graph.ainvoke({"log": [run]}, of("1") | {"metadata": {"run_id": run}})
    before = size(rows, "1")

    with pytest.raises(CheckpointInUseError, match="later checkpoints of '1' rebuild their delta channels") as caught:
        await delta_saver.adelete_for_runs(["first"])

    assert caught.value.thread_ids == ["1"]
    assert size(rows, "1") == before
    await delta_saver.adelete_for_runs(["second"])
    assert (await graph.aget_state(of("1"))).values["log"] == ["first"]
    await delta_saver.adelete_for_runs(["first"])
    assert size(rows, "1") == (0, 0, 0)


# Copying


async def test_a_copy_goes_on_by_itself(delta_saver: AgentMemorySaver, rows: Rows) -> None:
    graph = agent(delta_saver, Delta)
    for step in range(3):
        await graph.ainvoke({"log": [str(step)]}, of("1"))
    await delta_saver.acopy_thread("1", "2")

    assert size(rows, "2") == size(rows, "1")
    assert seen(rows) == [("alice", "log", "1"), ("alice", "log", "2")]
    await graph.ainvoke({"log": ["of two"]}, of("2"))
    assert (await graph.aget_state(of("1"))).values["log"] == ["0", "1", "2"]
    assert (await graph.aget_state(of("2"))).values["log"] == ["0", "1", "2", "of two"]
    with pytest.raises(InvalidInputError, match="thread '2' has checkpoints already"):
        await delta_saver.acopy_thread("1", "2")
