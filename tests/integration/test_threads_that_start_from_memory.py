"""Threads start, and go on, with what others have written into memory."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from checkpointing import State, agent, of, sections
from langgraph.graph import START, StateGraph
from langgraph.types import Overwrite

from langgraph_agentmem import AgentMemorySaver, hydrate_node
from langgraph_agentmem.errors import ConfigurationError, InvalidInputError, StateConflictError

Savers = Callable[..., AgentMemorySaver]


@pytest.fixture
def savers(opened_savers: Savers) -> Savers:
    return partial(opened_savers, state_schema=State)


async def test_a_second_thread_starts_with_what_the_first_one_knew(savers: Savers) -> None:
    saver = savers()
    graph = agent(saver, hydrate=True)
    await graph.ainvoke({"say": {"progress": "begun", "facts": ["tea"]}}, of("1"))

    state = await graph.ainvoke({"say": {"facts": ["cake"]}}, of("2"))

    assert state["progress"] == "begun"
    assert state["facts"] == ["tea", "cake"]
    assert await sections(saver.memory) == {"progress": ("begun", 1), "facts": ("- tea\n- cake", 2)}
    assert await graph.ainvoke({"say": {}}, of("3", "bob")) == {"facts": [], "say": {}}


async def test_a_thread_that_goes_on_takes_what_others_changed_but_keeps_its_own(savers: Savers) -> None:
    saver = savers()
    graph = agent(saver, hydrate=True)
    await graph.ainvoke({"say": {"progress": "begun", "facts": ["tea"]}}, of("1"))
    await graph.ainvoke({"say": {"progress": "half done"}}, of("2"))

    state = await graph.ainvoke({"say": {"facts": ["cake"]}}, of("1"))
    assert (state["progress"], state["facts"]) == ("half done", ["tea", "cake"])
    state = await graph.ainvoke({"progress": "as I say", "say": {}}, of("2"))
    assert state["progress"] == "as I say"


async def test_a_section_edited_as_text_is_read_again_and_what_cannot_be_is_refused(savers: Savers) -> None:
    saver = savers()
    graph = agent(saver, hydrate=True)
    await graph.ainvoke({"say": {"facts": ["tea"]}}, of("1"))
    [memory] = await saver.memory.aget_active_memories("alice")
    edit = {"section_id": "facts", "new_content": "* not a list"}
    await saver.memory.aupdate_active_memory_sections("alice", memory.id, [edit | {"new_content": "- tea\n- milk"}])
    assert (await graph.ainvoke({"say": {}}, of("2")))["facts"] == ["tea", "milk"]

    await saver.memory.aupdate_active_memory_sections("alice", memory.id, [edit])
    with pytest.raises(InvalidInputError, match=r"(?s)section 'facts' cannot be read as a value of channel 'facts'"):
        await graph.ainvoke({"say": {}}, of("3"))
    assert saver.hydrate.__name__ == "hydrate"


async def test_what_was_read_from_memory_is_not_written_back_over_what_came_meanwhile(savers: Savers) -> None:
    """Another thread writes between a thread's reading and its checkpoint."""
    saver = savers()
    await agent(saver).ainvoke({"say": {"progress": "old"}}, of("1"))

    async def meanwhile(state: State) -> State:
        await agent(saver).ainvoke({"say": {"progress": "new"}}, of("1"))
        return {}

    graph = StateGraph(State)
    graph.add_node("hydrate", hydrate_node(saver))
    graph.add_node("meanwhile", meanwhile)
    graph.add_edge(START, "hydrate")
    graph.add_edge(START, "meanwhile")  # in the same step, so that the values are stored after both
    state = await graph.compile(checkpointer=saver).ainvoke({}, of("2"))

    assert state["progress"] in ("old", "new")
    assert await sections(saver.memory) == {"progress": ("new", 2), "facts": ("", 0)}


async def test_the_helper_tells_what_a_new_thread_starts_with(savers: Savers) -> None:
    saver = savers()
    await agent(saver).ainvoke({"say": {"progress": "begun", "facts": ["tea"]}}, of("1"))

    assert (await saver.ahydrate(of("2")))["progress"] == "begun"
    assert await saver.ahydrate(of("2", None)) == {}
    assert await saver.ahydrate(of("2", "bob")) == {}
    assert await savers(state_schema=None, sections={}).ahydrate(of("2")) == {}


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
@pytest.mark.parametrize("on_conflict", ["last_write", "refuse"])
async def test_empty_values_to_begin_with_do_not_wipe_what_is_known(
    savers: Savers, durability: Any, on_conflict: Any
) -> None:
    saver = savers(on_conflict=on_conflict)
    graph = agent(saver, hydrate=True)
    await graph.ainvoke({"say": {"progress": "known", "facts": ["tea"]}}, of("1"))

    said = {"progress": "", "facts": [], "say": {"facts": ["cake"]}}
    state = await graph.ainvoke(said, of("2"), durability=durability)

    assert (state["progress"], state["facts"]) == ("known", ["tea", "cake"])
    assert await sections(saver.memory) == {"progress": ("known", 1), "facts": ("- tea\n- cake", 2)}


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
async def test_what_was_read_by_a_run_that_failed_has_not_been_seen(savers: Savers, durability: Any) -> None:
    saver = savers(on_conflict="refuse")
    fails = [False]

    def work(state: State) -> State:
        if fails[0]:
            raise RuntimeError("the network is down")
        return {"progress": f"{state.get('progress', '')} and more"}

    graph = StateGraph(State)
    graph.add_node("hydrate", hydrate_node(saver))
    graph.add_node("work", work)
    graph.add_edge(START, "hydrate")
    graph.add_edge("hydrate", "work")
    compiled = graph.compile(checkpointer=saver)
    await compiled.ainvoke({"progress": "begun"}, of("1"), durability=durability)
    [memory] = await saver.memory.aget_active_memories("alice")
    edit = [{"section_id": "progress", "new_content": "by a colleague"}]
    await saver.memory.aupdate_active_memory_sections("alice", memory.id, edit)
    fails[0] = True
    with pytest.raises(RuntimeError):
        await compiled.ainvoke({"say": {}}, of("1"), durability=durability)
    fails[0] = False

    await compiled.ainvoke({"say": {}}, of("1"), durability=durability)

    assert (await sections(saver.memory))["progress"][0] == "by a colleague and more"


async def test_what_was_read_and_never_used_has_not_been_seen(savers: Savers) -> None:
    saver = savers(on_conflict="refuse")
    await agent(saver).ainvoke({"say": {"progress": "by one"}}, of("1"))
    assert await saver.ahydrate(of("2")) == await saver.ahydrate(of("2")) == {"progress": "by one"}

    with pytest.raises(StateConflictError):
        await agent(saver).ainvoke({"say": {"progress": "by two"}}, of("2"), durability="sync")
    assert (await saver.ahydrate(of("3"))) == {"progress": "by one"}
    await agent(saver).ainvoke({**await saver.ahydrate(of("3")), "say": {}}, of("3"))
    await agent(saver).ainvoke({"say": {"progress": "by three"}}, of("3"))
    assert (await sections(saver.memory))["progress"][0] == "by three"


async def test_a_section_that_another_thread_emptied_is_empty(savers: Savers) -> None:
    saver = savers()
    graph = agent(saver, hydrate=True)
    await graph.ainvoke({"say": {"progress": "begun", "facts": ["tea"]}}, of("1"))
    await graph.ainvoke({"say": {}}, of("2"))
    await agent(saver).ainvoke({"say": {"progress": "", "facts": Overwrite([])}}, of("1"))

    state = await graph.ainvoke({"say": {}}, of("2"))

    assert (state["progress"], state["facts"]) == ("", [])


async def test_hydrating_says_what_it_needs(savers: Savers) -> None:
    with pytest.raises(InvalidInputError, match="the config names no thread"):
        await savers().ahydrate({"configurable": {"user_id": "alice"}})
    with pytest.raises(ConfigurationError, match="no section can be read back"):
        await savers(state_schema=None, sections={"facts": "facts"}).ahydrate(of("1"))
