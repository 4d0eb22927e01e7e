"""Threads that write one section at the same time do as `on_conflict` says, from any loop or thread."""

import asyncio
import re
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from checkpointing import State, agent, of, sections

from langgraph_agentmem import AgentMemory, AgentMemorySaver
from langgraph_agentmem.checkpoint import SectionConflict
from langgraph_agentmem.errors import InvalidInputError, InvalidTextError, StateConflictError

Rows = Callable[..., list[tuple[object, ...]]]
Savers = Callable[..., AgentMemorySaver]


@pytest.fixture
def savers(opened_savers: Savers) -> Savers:
    return partial(opened_savers, state_schema=State)


# Conflicts


async def test_contents_that_a_memory_was_made_with_are_not_overwritten_unseen(
    savers: Savers, memory: AgentMemory
) -> None:
    sections_ = {"sections": ["progress", "facts"]}
    await memory.acreate_active_memory("alice", "Agent state", sections_, {"progress": "from the start"})
    saver = savers(on_conflict="refuse")

    with pytest.raises(StateConflictError):
        await agent(saver).ainvoke({"say": {"progress": "from a thread"}}, of("1"), durability="sync")
    await agent(saver, hydrate=True).ainvoke({"say": {"progress": "from a thread"}}, of("2"), durability="sync")
    assert (await sections(saver.memory))["progress"][0] == "from a thread"


async def in_conflict(saver: AgentMemorySaver, text: str = "by two") -> Any:
    """Two threads have seen one text; both change it, thread 2 first."""
    graph = agent(saver, hydrate=True)
    plain = agent(saver)
    await plain.ainvoke({"say": {"progress": "common"}}, of("1"))
    await graph.ainvoke({"say": {"progress": text}}, of("2"))
    return plain


async def test_the_last_write_wins_by_default(savers: Savers) -> None:
    saver = savers()
    graph = await in_conflict(saver)

    await graph.ainvoke({"say": {"progress": "by one"}}, of("1"))

    assert (await sections(saver.memory))["progress"] == ("by one", 3)


async def test_a_conflict_can_fail_the_checkpoint_until_the_thread_has_seen_it(savers: Savers, rows: Rows) -> None:
    saver = savers(on_conflict="refuse")
    graph = await in_conflict(saver)
    stored = rows("SELECT count(*) FROM checkpoints WHERE thread_id = '1'")

    with pytest.raises(
        StateConflictError, match="others have changed the sections 'progress' since thread '1'"
    ) as caught:
        await graph.aupdate_state(of("1"), {"progress": "by one"})

    [conflict] = caught.value.conflicts
    assert (conflict.mine, conflict.theirs, conflict.revision, conflict.seen_revision) == ("by one", "by two", 3, 2)
    assert rows("SELECT count(*) FROM checkpoints WHERE thread_id = '1'") == stored
    assert (await sections(saver.memory))["progress"] == ("by two", 2)

    await agent(saver, hydrate=True).ainvoke({"say": {"progress": "by both"}}, of("1"))
    assert (await sections(saver.memory))["progress"] == ("by both", 3)


async def test_a_thread_that_has_seen_nothing_does_not_overwrite_where_that_is_refused(savers: Savers) -> None:
    graph = agent(savers(on_conflict="refuse"))
    await graph.ainvoke({"say": {"progress": "begun"}}, of("1"))

    with pytest.raises(StateConflictError):
        await graph.ainvoke({"say": {"progress": "something else"}}, of("2"), durability="sync")


@pytest.mark.parametrize("awaits", [True, False])
async def test_a_function_merges_until_the_thread_has_seen_the_result(savers: Savers, awaits: bool) -> None:
    seen: list[SectionConflict] = []

    def merge(conflict: SectionConflict) -> str:
        seen.append(conflict)
        return "\n".join(dict.fromkeys([*conflict.theirs.split("\n"), *conflict.mine.split("\n")]))

    async def later(conflict: SectionConflict) -> str:
        await asyncio.sleep(0)
        return merge(conflict)

    saver = savers(on_conflict=later if awaits else merge)
    graph = await in_conflict(saver, "common\nby two")

    await graph.ainvoke({"say": {"progress": "common\nby one"}}, of("1"))
    assert (await sections(saver.memory))["progress"] == ("common\nby two\nby one", 3)
    await graph.ainvoke({"say": {"progress": "common\nby one\nagain"}}, of("1"))  # it has not seen the merged text yet
    assert (await sections(saver.memory))["progress"] == ("common\nby two\nby one\nagain", 4)
    assert [conflict.thread_id for conflict in seen] == ["1", "1"]
    state = await agent(saver, hydrate=True).ainvoke({"say": {}}, of("1"))
    assert state["progress"] == "common\nby two\nby one\nagain"
    await graph.ainvoke({"say": {"progress": "all of it"}}, of("1"))
    assert (await sections(saver.memory))["progress"] == ("all of it", 5)
    assert len(seen) == 2


async def test_a_merge_is_made_again_if_somebody_is_faster(savers: Savers) -> None:
    others = savers()
    made: list[str] = []

    async def merge(conflict: SectionConflict) -> str:
        made.append(conflict.theirs)
        if len(made) == 1:
            await agent(others).aupdate_state(of("2"), {"progress": "by two, again"})
        return f"{conflict.theirs} & {conflict.mine}"

    saver = savers(on_conflict=merge)
    graph = await in_conflict(saver)

    await graph.aupdate_state(of("1"), {"progress": "by one"})

    assert made == ["by two", "by two, again"]
    assert (await sections(saver.memory))["progress"][0] == "by two, again & by one"


@pytest.mark.parametrize(("result", "error"), [(7, InvalidInputError), ("a\0b", InvalidTextError)])
async def test_a_merge_that_makes_nonsense_fails_the_checkpoint(
    savers: Savers, result: Any, error: type[Exception]
) -> None:
    saver = savers(on_conflict=lambda conflict: result)
    graph = await in_conflict(saver)

    with pytest.raises(error, match="merged text of section 'progress'"):
        await graph.aupdate_state(of("1"), {"progress": "by one"})
    assert (await sections(saver.memory))["progress"] == ("by two", 2)


async def test_many_threads_at_once_lose_nothing_that_is_merged(savers: Savers) -> None:
    def merge(conflict: SectionConflict) -> str:
        return "\n".join(sorted({*conflict.theirs.split(), *conflict.mine.split()}))

    saver = savers(on_conflict=merge)
    graph = agent(saver)

    async def thread(number: int) -> None:
        for steps in range(1, 4):
            text = " ".join(f"t{number}s{step}" for step in range(steps))
            await graph.ainvoke({"say": {"progress": text}}, of(str(number)))

    await asyncio.gather(*map(thread, range(8)))

    content, pending = (await sections(saver.memory))["progress"]
    assert sorted(content.split()) == sorted(f"t{number}s{step}" for number in range(8) for step in range(3))
    assert pending == 24


# From anywhere


def test_sync_graphs_threads_and_loops_share_one_checkpointer(dsn: str) -> None:
    with AgentMemorySaver.from_conn_string(dsn, state_schema=State) as saver:
        graph = agent(saver, hydrate=True)
        graph.invoke({"say": {"facts": ["tea"]}}, of("1"))
        assert graph.invoke({"say": {}}, of("2"))["facts"] == ["tea"]
        assert [state.values.get("facts") for state in graph.get_state_history(of("2"), limit=1)] == [["tea"]]

        def elsewhere(number: int) -> None:
            asyncio.run(graph.ainvoke({"say": {"progress": "made"}}, of(f"thread {number}")))

        threads = [threading.Thread(target=elsewhere, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {graph.get_state(of(f"thread {number}")).values["progress"] for number in range(4)} == {"made"}
        assert saver.memory.get_active_memories("alice")[0].sections["progress"].content == "made"
        assert re.fullmatch(r"0{31}1\.\d+\.?\d*", saver.get_next_version(None, None))


async def test_two_objects_make_one_memory_at_the_same_time(savers: Savers) -> None:
    graphs = [agent(savers()) for _ in range(6)]

    await asyncio.gather(*(graph.ainvoke({"say": {"facts": [str(n)]}}, of(str(n))) for n, graph in enumerate(graphs)))

    saver = savers()
    [memory] = await saver.memory.aget_active_memories("alice")
    assert memory.section_count == 2
    assert memory.consolidation_info.total_update_count == 6
