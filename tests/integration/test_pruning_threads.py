"""A thread is pruned to what its latest checkpoint needs."""

import asyncio
import operator
from collections.abc import Callable
from typing import Annotated, Any, TypedDict

import pytest
from checkpoint_threads import Delta, State, agent, of, seen, size
from langgraph.graph import START, StateGraph

from langgraph_agentmem import AgentMemorySaver
from langgraph_agentmem.errors import CheckpointInUseError, InvalidInputError

Rows = Callable[..., list[tuple[object, ...]]]


async def test_the_latest_checkpoint_is_kept_with_what_it_needs(saver: AgentMemorySaver, rows: Rows) -> None:
    graph = agent(saver)
    for thread in "12":
        for step in range(5):
            await graph.ainvoke({"notes": [str(step)]}, of(thread))
    other = size(rows, "2")

    await saver.aprune(["1", "nobody's"])

    assert size(rows, "1")[0] == 1
    assert rows("SELECT channel FROM checkpoint_blobs WHERE thread_id = '1' ORDER BY 1") == [("notes",), ("plain",)]
    assert size(rows, "2") == other
    state = await graph.aget_state(of("1"))
    assert (state.values, state.parent_config) == ({"notes": ["4"], "plain": {"seen": 1}}, None)
    await graph.ainvoke({"notes": ["on"]}, of("1"))
    assert (await graph.aget_state(of("1"))).values["notes"] == ["on"]


@pytest.mark.parametrize("steps", range(1, 12))
async def test_delta_channels_survive_pruning(delta_saver: AgentMemorySaver, rows: Rows, steps: int) -> None:
    graph = agent(delta_saver, Delta)
    for step in range(steps):
        await graph.ainvoke({"log": [str(step)]}, of("1"))
    before = size(rows, "1")

    await delta_saver.aprune(["1"], strategy="keep_latest")

    assert (await graph.aget_state(of("1"))).values["log"] == [str(step) for step in range(steps)]
    left = size(rows, "1")
    assert left[0] <= before[0]
    assert left[0] <= 13, "no more than a snapshot, and the checkpoints since"
    await delta_saver.aprune(["1"], strategy="keep_latest")
    assert size(rows, "1") == left
    await graph.ainvoke({"log": ["on"]}, of("1"))
    assert (await graph.aget_state(of("1"))).values["log"] == [*(str(step) for step in range(steps)), "on"]


class Plain(TypedDict, total=False):
    log: Annotated[list[str], operator.add]
    plain: dict[str, Any]


async def test_a_channel_that_was_a_delta_channel_once_survives_as_well(
    delta_saver: AgentMemorySaver, rows: Rows
) -> None:
    for run in ("first", "second"):
        await agent(delta_saver, Delta).ainvoke({"log": [run]}, of("1") | {"metadata": {"run_id": run}})
    graph = agent(delta_saver, Plain)
    await graph.ainvoke({"plain": {}}, of("1") | {"metadata": {"run_id": "third"}})
    assert (await graph.aget_state(of("1"))).values["log"] == ["first", "second"]

    with pytest.raises(CheckpointInUseError):
        await delta_saver.adelete_for_runs(["first"])
    await delta_saver.aprune(["1"])

    assert (await graph.aget_state(of("1"))).values["log"] == ["first", "second"]


async def test_forks_of_delta_threads_are_pruned_to_the_latest(delta_saver: AgentMemorySaver, rows: Rows) -> None:
    graph = agent(delta_saver, Delta)
    await graph.ainvoke({"log": ["one"]}, of("1"))
    past = (await graph.aget_state(of("1"))).config["configurable"]
    for step in range(3):
        await graph.ainvoke({"log": [f"left {step}"]}, of("1"))
    await graph.aupdate_state({"configurable": {**past, "user_id": "alice"}}, {"log": ["right"]})
    await graph.ainvoke({"log": ["on"]}, of("1"))
    expected = (await graph.aget_state(of("1"))).values["log"]
    assert expected == ["one", "right", "on"]

    await delta_saver.aprune(["1"])

    assert (await graph.aget_state(of("1"))).values["log"] == expected
    assert b"left" not in b"".join(blob for (blob,) in rows("SELECT blob FROM checkpoint_writes WHERE channel = 'log'"))


async def test_calls_of_subgraphs_go_with_the_checkpoint_that_they_started_from(
    saver: AgentMemorySaver, rows: Rows
) -> None:
    inner = StateGraph(State)
    inner.add_node("note", lambda state: {"plain": {"inner": True}})
    inner.add_edge(START, "note")
    outer = StateGraph(State)
    outer.add_node("inner", inner.compile(checkpointer=True))
    outer.add_node("call", inner.compile())
    outer.add_edge(START, "inner")
    outer.add_edge("inner", "call")
    graph = outer.compile(checkpointer=saver)
    for step in range(3):
        await graph.ainvoke({"notes": [str(step)]}, of("1"))
    assert len(rows("SELECT DISTINCT checkpoint_ns FROM checkpoints")) >= 3

    await saver.aprune(["1"])

    assert rows("SELECT checkpoint_ns, count(*) FROM checkpoints GROUP BY 1 ORDER BY 1") == [("", 1), ("inner", 1)]
    assert (await graph.aget_state(of("1"))).values["notes"] == ["2"]


@pytest.mark.parametrize("strategy", ["delete", "delete_all"])
async def test_pruning_can_delete_everything(saver: AgentMemorySaver, rows: Rows, strategy: str) -> None:
    graph = agent(saver)
    for thread in "123":
        await graph.ainvoke({"notes": ["tea"]}, of(thread))

    await saver.aprune(["1", "2"], strategy=strategy)

    assert [size(rows, thread)[0] for thread in "123"] == [0, 0, 3]
    assert seen(rows) == [("alice", "notes", "3")]


async def test_what_cannot_be_pruned_is_refused(saver: AgentMemorySaver) -> None:
    with pytest.raises(InvalidInputError, match="strategy must be 'keep_latest', 'delete' or 'delete_all', not 'all'"):
        await saver.aprune(["1"], strategy="all")
    with pytest.raises(InvalidInputError, match=r"thread_ids must be a list, not str \('12'\)"):
        await saver.aprune("12")
    with pytest.raises(InvalidInputError, match="run_ids must be a list"):
        await saver.adelete_for_runs("12")


async def test_a_run_goes_on_while_its_thread_is_pruned(delta_saver: AgentMemorySaver) -> None:
    graph = agent(delta_saver, Delta)

    async def work() -> None:
        for step in range(20):
            await graph.ainvoke({"log": [str(step)]}, of("1"))

    async def prune() -> None:
        while not working.done():
            await delta_saver.aprune(["1"])

    working = asyncio.create_task(work())
    await asyncio.gather(working, prune())

    assert (await graph.aget_state(of("1"))).values["log"] == [str(step) for step in range(20)]
