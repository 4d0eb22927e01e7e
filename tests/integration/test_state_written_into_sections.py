"""What a checkpoint changes of a state is written into the sections of its memory, and counted as updates."""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, TypedDict

import pytest
from checkpointing import State, agent, of, sections
from langgraph.channels import EphemeralValue
from langgraph.graph import START, StateGraph

from langgraph_agentmem import AgentMemory, AgentMemorySaver, MemorySection

Rows = Callable[..., list[tuple[object, ...]]]
Savers = Callable[..., AgentMemorySaver]


@pytest.fixture
def savers(opened_savers: Savers) -> Savers:
    return partial(opened_savers, state_schema=State)


async def test_what_a_step_changes_is_one_batch_of_updates(savers: Savers, rows: Rows) -> None:
    saver = savers()
    graph = agent(saver)

    await graph.ainvoke({"say": {"progress": "begun", "facts": ["tea: green"]}}, of("1"))

    assert await sections(saver.memory) == {"progress": ("begun", 1), "facts": ("- 'tea: green'", 1)}
    [memory] = await saver.memory.aget_active_memories("alice")
    assert (memory.title, memory.namespace) == ("Agent state", ("alice", "Agent state"))
    assert memory.sections["progress"].description == "What is done"
    assert memory.sections["progress"].source == "thread 1"
    assert memory.consolidation_info.total_update_count == 2
    assert rows("SELECT count(DISTINCT updated_at) FROM agentmem.section") == [(1,)]
    [hit] = await saver.memory.asearch("alice", "green tea")
    assert (hit.section_id, hit.content) == ("facts", "- 'tea: green'")


async def test_an_unchanged_value_is_no_update(savers: Savers) -> None:
    saver = savers()
    graph = agent(saver)

    for _ in range(3):
        await graph.ainvoke({"say": {"progress": "begun"}}, of("1"))
    assert await sections(saver.memory) == {"progress": ("begun", 1), "facts": ("", 0)}
    await graph.ainvoke({"say": {"progress": "begun "}}, of("1"))
    assert (await sections(saver.memory))["progress"] == ("begun ", 2)


async def test_updates_make_the_memory_due_and_are_consolidated(savers: Savers) -> None:
    saver = savers(settings={"avg_section_update_count": 1})
    graph = agent(saver)

    await graph.ainvoke({"say": {"progress": "The tea is made", "facts": ["Alice likes tea"]}}, of("1"))
    [memory] = await saver.memory.aget_active_memories("alice")
    assert memory.consolidation_info.will_consolidate

    [report] = await saver.memory.queue.arun_due()
    assert (report.status, report.updates_consumed, report.chunks_added) == ("applied", 2, 2)
    await graph.ainvoke({"say": {"progress": "The tea is drunk"}}, of("1"))
    assert await sections(saver.memory) == {"progress": ("The tea is drunk", 1), "facts": ("- Alice likes tea", 0)}


async def test_chunks_are_embedded_later_and_found_by_their_words_until_then(dsn: str, rows: Rows) -> None:
    from fakes import WordEmbedder

    embedder = WordEmbedder()
    async with AgentMemorySaver.from_conn_string(dsn, state_schema=State, index=embedder) as saver:
        before = len(embedder.calls)
        await agent(saver).ainvoke({"say": {"progress": "The tea is made"}}, of("1"))
        assert len(embedder.calls) == before
        assert rows("SELECT content FROM agentmem.memory_chunk") == []
        assert [hit.content for hit in await saver.memory.asearch("alice", "tea")] == ["The tea is made"]
        assert rows("SELECT embedding IS NULL FROM agentmem.memory_chunk") == [(True,)]
        await saver.memory.queue.arun_due()
        assert rows("SELECT embedding IS NULL FROM agentmem.memory_chunk") == [(False,)]


class Emptied(TypedDict, total=False):
    passing: Annotated[str, MemorySection(), EphemeralValue]
    say: dict[str, Any]


async def test_a_channel_that_loses_its_value_empties_its_section(savers: Savers, rows: Rows) -> None:
    saver = savers(state_schema=Emptied)
    graph = agent(saver, Emptied)

    await graph.ainvoke({"say": {"passing": "a thought"}}, of("1"))
    await graph.ainvoke({"say": {}}, of("1"))

    assert await sections(saver.memory) == {"passing": ("", 2)}


async def test_none_empties_a_section(savers: Savers) -> None:
    saver = savers()
    graph = agent(saver)

    await graph.ainvoke({"say": {"progress": "begun"}}, of("1"))
    await graph.ainvoke({"say": {"progress": None}}, of("1"))

    assert (await sections(saver.memory))["progress"] == ("", 2)


async def test_at_exit_only_the_last_values_are_written(savers: Savers) -> None:
    saver = savers()
    steps = StateGraph(State)
    steps.add_sequence(
        [(f"step {n}", lambda state, n=n: {"progress": f"step {n}", "facts": [str(n)]}) for n in range(3)]
    )
    steps.add_edge(START, "step 0")
    graph = steps.compile(checkpointer=saver)

    await graph.ainvoke({}, of("1"), durability="exit")
    assert await sections(saver.memory) == {"progress": ("step 2", 1), "facts": ("- '0'\n- '1'\n- '2'", 1)}
    await graph.ainvoke({}, of("2"), durability="sync")
    assert (await sections(saver.memory))["progress"] == ("step 2", 4)  # step 0, step 1, and step 2 again


async def test_a_schema_that_has_grown_gets_its_new_sections(savers: Savers) -> None:
    class Grown(State, total=False):
        plan: Annotated[str, MemorySection("What comes next")]

    await agent(savers()).ainvoke({"say": {"progress": "begun"}}, of("1"))
    saver = savers(state_schema=Grown)
    await agent(saver, Grown).ainvoke({"say": {"plan": "rest"}}, of("1"))

    assert await sections(saver.memory) == {"progress": ("begun", 1), "facts": ("", 0), "plan": ("rest", 1)}
    [memory] = await saver.memory.aget_active_memories("alice")
    assert [section.id for section in memory.template.sections] == ["progress", "facts", "plan"]
    assert memory.section_count == 3


async def test_a_section_that_was_deleted_comes_back_above_its_old_revision(savers: Savers) -> None:
    from langgraph_agentmem import AgentMemoryStore

    saver = savers()
    graph = agent(saver)
    await graph.ainvoke({"say": {"progress": "begun"}}, of("1"))
    [before] = await saver.memory.aget_active_memories("alice")
    await AgentMemoryStore(saver.memory).adelete(("alice", "Agent state"), "progress")

    await graph.ainvoke({"say": {"progress": "begun"}}, of("1"))

    [after] = await saver.memory.aget_active_memories("alice")
    assert after.sections["progress"].content == "begun"
    assert after.sections["progress"].revision > before.sections["progress"].revision
    assert after.section_count == 2


async def test_a_memory_that_exists_is_used_with_what_it_has(savers: Savers, memory: AgentMemory) -> None:
    made = await memory.acreate_active_memory(
        "alice",
        "Agent state",
        {"sections": [{"id": "persona", "content": "kind"}, {"id": "progress", "content": "none"}]},
    )
    saver = savers()

    await agent(saver).ainvoke({"say": {"progress": "begun"}}, of("1"))

    found = await memory.aget_active_memory("alice", made.id)
    assert {id: section.content for id, section in found.sections.items()} == {"persona": "kind", "progress": "begun"}
    await agent(saver).ainvoke({"say": {"facts": ["tea"]}}, of("1"))
    assert {"persona", "progress", "facts"} == (await memory.aget_active_memory("alice", made.id)).sections.keys()
