"""Memory follows what a step changes, not the history that a thread goes back to: forks, subgraphs, delta channels."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Any, TypedDict

import pytest
from checkpointing import State, agent, of, sections
from langgraph.channels.delta import DeltaChannel
from langgraph.graph import START, StateGraph
from langgraph.types import Command, interrupt

from langgraph_agentmem import AgentMemorySaver, MemorySection
from langgraph_agentmem.errors import ConfigurationError

Rows = Callable[..., list[tuple[object, ...]]]
Savers = Callable[..., AgentMemorySaver]


@pytest.fixture
def savers(opened_savers: Savers) -> Savers:
    return partial(opened_savers, state_schema=State)


async def test_time_travel_does_not_rewind_memory_but_what_it_changes_is_written(savers: Savers) -> None:
    saver = savers()
    graph = agent(saver)
    await graph.ainvoke({"say": {"progress": "first", "facts": ["one"]}}, of("1"))
    first = await graph.aget_state(of("1"))
    await graph.ainvoke({"say": {"progress": "second", "facts": ["two"]}}, of("1"))
    past = {"configurable": {**first.config["configurable"], "user_id": "alice"}}

    forked = await graph.aupdate_state(past, {"facts": ["another"]})

    assert (await graph.aget_state(forked)).values["progress"] == "first"
    assert await sections(saver.memory) == {"progress": ("second", 2), "facts": ("- one\n- another", 3)}
    await graph.ainvoke({"say": {"progress": "another second"}}, of("1"))
    assert (await sections(saver.memory))["progress"] == ("another second", 3)


async def test_a_copy_of_a_checkpoint_changes_no_section(savers: Savers) -> None:
    saver = savers()
    graph = agent(saver)
    await graph.ainvoke({"say": {"progress": "first"}}, of("1"))
    first = await graph.aget_state(of("1"))
    await graph.ainvoke({"say": {"progress": "second"}}, of("1"))

    await graph.aupdate_state({"configurable": {**first.config["configurable"], "user_id": "alice"}}, None, "__copy__")

    assert (await graph.aget_state(of("1"))).values["progress"] == "first"
    assert (await sections(saver.memory))["progress"] == ("second", 2)


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
async def test_a_command_from_an_old_checkpoint_changes_sections(savers: Savers, durability: Any) -> None:
    saver = savers()
    graph = agent(saver)
    await graph.ainvoke({"say": {"progress": "first"}}, of("1"))
    states = [state async for state in graph.aget_state_history(of("1"))]
    before = next(state for state in states if state.next == ("work",))
    past = {"configurable": {**before.config["configurable"], "user_id": "alice"}}

    await graph.ainvoke(Command(update={"facts": ["by command"]}, goto="work"), past, durability=durability)

    assert (await graph.aget_state(of("1"))).values["facts"] == ["by command"]
    assert (await sections(saver.memory))["facts"][0] == "- by command"


async def test_what_a_subgraph_changes_is_written_when_it_comes_back(savers: Savers) -> None:
    saver = savers()

    def ask(state: State) -> State:
        return {"progress": f"asked: {interrupt('well?')}"}

    inner = StateGraph(State)
    inner.add_node("note", lambda state: {"progress": "inside"})
    inner.add_node("ask", ask)
    inner.add_sequence([("last", lambda state: {"facts": ["seen"]})])
    inner.add_edge(START, "note")
    inner.add_edge("note", "ask")
    inner.add_edge("ask", "last")
    outer = StateGraph(State)
    outer.add_node("inner", inner.compile())
    outer.add_edge(START, "inner")
    graph = outer.compile(checkpointer=saver)

    await graph.ainvoke({"progress": "begun"}, of("1"))
    assert await sections(saver.memory) == {"progress": ("begun", 1), "facts": ("", 0)}
    await graph.ainvoke(Command(resume="yes"), of("1"))
    assert await sections(saver.memory) == {"progress": ("asked: yes", 2), "facts": ("- seen", 1)}


def appended(state: list[str], writes: Sequence[list[str]]) -> list[str]:
    return [*state, *(item for write in writes for item in write)]


class Delta(TypedDict, total=False):
    log: Annotated[list[str], MemorySection(), DeltaChannel(appended, snapshot_frequency=3)]
    say: dict[str, Any]


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
async def test_delta_channels_are_written_at_every_step(savers: Savers, durability: Any, rows: Rows) -> None:
    saver = savers(state_schema=Delta)
    graph = agent(saver, Delta)

    for step in range(8):
        await graph.ainvoke({"say": {"log": [f"step {step}"]}}, of("1"), durability=durability)
        content, pending = (await sections(saver.memory))["log"]
        assert content == "\n".join(f"- step {n}" for n in range(step + 1))
        assert pending == step + 1
    stored = rows("SELECT checkpoint -> 'channel_values' ? 'log' FROM checkpoints ORDER BY checkpoint_id")
    assert {(True,), (False,)} <= set(stored)  # snapshots, and steps without one


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
async def test_time_travel_does_not_rewind_delta_channels(savers: Savers, durability: Any) -> None:
    """LangGraph snapshots a delta channel where a thread forks, though nobody has written it."""
    saver = savers(state_schema=Delta)
    graph = agent(saver, Delta)
    for step in range(3):
        await graph.ainvoke({"say": {"log": [f"step {step}"]}}, of("1"), durability="sync")
    states = [state async for state in graph.aget_state_history(of("1"))]
    pasts = [state.config["configurable"] for state in states if state.next == ("work",)]
    remembered = (await sections(saver.memory))["log"]

    for past in pasts:
        config = {"configurable": {**past, "user_id": "alice"}}
        await graph.aupdate_state(config, {"say": {"x": 1}}, as_node="work")
        assert (await sections(saver.memory))["log"] == remembered
        await graph.ainvoke({"say": {"x": 1}}, config, durability=durability)
        assert (await sections(saver.memory))["log"] == remembered
    await graph.aupdate_state({"configurable": {**pasts[-1], "user_id": "alice"}}, {"log": ["forked"]}, as_node="work")
    assert (await sections(saver.memory))["log"] == ("- forked", remembered[1] + 1)


async def test_a_new_thread_starts_with_a_delta_channel_from_memory(savers: Savers) -> None:
    saver = savers(state_schema=Delta)
    graph = agent(saver, Delta, hydrate=True)
    await graph.ainvoke({"say": {"log": ["one"]}}, of("1"))
    await graph.ainvoke({"say": {"log": ["two"]}}, of("2"))

    assert (await graph.aget_state(of("2"))).values["log"] == ["one", "two"]
    assert (await sections(saver.memory))["log"] == ("- one\n- two", 2)


async def test_a_delta_channel_without_its_schema_says_what_is_needed(savers: Savers) -> None:
    graph = agent(savers(state_schema=None, sections={"log": "log"}), Delta)

    with pytest.raises(ConfigurationError, match="channel 'log' is a delta channel; give the checkpointer the graph's"):
        await graph.ainvoke({"say": {"log": ["one"]}}, of("1"), durability="sync")
