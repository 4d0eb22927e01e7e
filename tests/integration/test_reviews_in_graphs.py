"""A graph that stops at its review, is resumed by decisions, and finds what was decided elsewhere."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypedDict
from uuid import uuid4

import pytest
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command

from langgraph_agentmem import AgentMemory, AgentMemorySaver, create_consolidation_graph

Open = Callable[..., AgentMemory]
OLD, NEW = "- Deadline: May 1\n- Budget: 5000", "- Deadline: June 1\n- Budget: 6000"


@asynccontextmanager
async def saver_of(kind: str, dsn: str) -> AsyncIterator[BaseCheckpointSaver[str]]:
    if kind == "memory":
        yield InMemorySaver()
        return
    if kind == "ours":
        async with AgentMemorySaver.from_conn_string(dsn) as saver:
            yield saver
        return
    async with AsyncPostgresSaver.from_conn_string(dsn) as saver:
        await saver.setup()
        yield saver


async def due(memory: AgentMemory) -> dict[str, Any]:
    created = await memory.acreate_active_memory("alice", f"Project {uuid4()}", {"sections": ["notes"]})
    await memory.aupdate_active_memory_section("alice", created.id, "notes", OLD)
    await memory.aconsolidate("alice", created.id)
    await memory.aupdate_active_memory_section("alice", created.id, "notes", NEW)
    return {"external_id": "alice", "memory_id": created.id}


def compiled(memory: AgentMemory, saver: Any = None) -> Any:
    return create_consolidation_graph(memory).compile(checkpointer=saver)


def thread(name: str = "run") -> dict[str, Any]:
    return {"configurable": {"thread_id": name}}


def all_of(question: dict[str, Any], action: str) -> list[dict[str, Any]]:
    return [{"dispute": dispute["id"], "action": action} for dispute in question["disputes"]]


def asked(state: dict[str, Any]) -> dict[str, Any]:
    [found] = state["__interrupt__"]
    return found.value


async def valid(memory: AgentMemory) -> set[str]:
    return {hit.content.strip() for hit in await memory.asearch("alice", "deadline budget", limit=50)}


@pytest.mark.parametrize("kind", ["memory", "postgres", "ours"])
async def test_a_graph_stops_with_the_disputes_and_another_process_resumes_it(
    opened: Open, dsn: str, kind: str
) -> None:
    memory = opened(review="always")
    async with saver_of(kind, dsn) as saver:
        state = await compiled(memory, saver).ainvoke(await due(memory), thread())
        question = asked(state)
        assert (question["run_id"], question["problem"]) == (state["report"]["run_id"], None)
        assert [(d["existing"][0]["content"].strip(), d["new"]["content"].strip()) for d in question["disputes"]] == [
            ("- Deadline: May 1", "- Deadline: June 1"), ("- Budget: 5000", "- Budget: 6000"),
        ]  # fmt: skip
        assert {dispute["verdict"]["action"] for dispute in question["disputes"]} == {"supersede"}
        assert (await memory.aconsolidate("alice", state["memory_id"])).status == "nothing"  # the memory is free
        later = compiled(opened(), saver)  # another process, of another policy
        state = await later.ainvoke(Command(resume=all_of(question, "accept")), thread())
    assert "__interrupt__" not in state
    assert (state["review"]["pending"], state["review"]["problem"]) == ([], None)
    assert await valid(memory) == {"- Deadline: June 1", "- Budget: 6000"}


async def test_decisions_one_after_the_other_and_a_bad_one_in_between(opened: Open) -> None:
    memory, saver = opened(review="always"), InMemorySaver()
    graph = compiled(memory, saver)
    first, second = asked(await graph.ainvoke(await due(memory), thread()))["disputes"]
    question = asked(await graph.ainvoke(Command(resume=[{"dispute": first["id"], "action": "accept"}]), thread()))
    assert [dispute["id"] for dispute in question["disputes"]] == [second["id"]]
    question = asked(await graph.ainvoke(Command(resume=[{"dispute": second["id"], "action": "agree"}]), thread()))
    assert "Input should be 'accept'" in question["problem"]
    state = await graph.ainvoke(Command(resume=[{"dispute": second["id"], "action": "reject"}]), thread())
    assert state["review"]["pending"] == []
    assert await valid(memory) == {"- Deadline: June 1", "- Budget: 5000"}


async def test_what_was_decided_elsewhere_stands_and_the_one_who_resumes_is_told(opened: Open) -> None:
    memory, saver = opened(review="always"), InMemorySaver()
    graph = compiled(memory, saver)
    question = asked(await graph.ainvoke(await due(memory), thread()))
    await memory.reviews.adecide("alice", question["run_id"], all_of(question, "accept"), reviewer="eve")
    state = await graph.ainvoke(Command(resume=all_of(question, "reject")), thread())
    assert "decided already by 'eve': accept" in state["review"]["problem"]
    assert await valid(memory) == {"- Deadline: June 1", "- Budget: 6000"}
    assert "__interrupt__" not in state


async def test_a_thread_whose_disputes_were_decided_elsewhere_is_ended_by_no_decisions(opened: Open) -> None:
    memory, saver = opened(review="always"), InMemorySaver()
    graph = compiled(memory, saver)
    question = asked(await graph.ainvoke(await due(memory), thread()))
    assert asked(await graph.ainvoke(Command(resume=[]), thread()))["disputes"] == question["disputes"]
    await memory.reviews.adecide("alice", question["run_id"], all_of(question, "accept"), reviewer="eve")
    state = await graph.ainvoke(Command(resume=[]), thread())
    assert [dispute["reviewer"] for dispute in state["review"]["disputes"]] == ["eve", "eve"]


async def test_without_a_checkpointer_a_graph_goes_on_and_the_disputes_wait_in_the_database(opened: Open) -> None:
    class State(TypedDict, total=False):
        external_id: str
        memory_id: int
        report: dict[str, Any]
        went_on: bool

    memory = opened(review="always")
    graph: Any = StateGraph(State)
    graph.add_node("consolidate", compiled(memory))
    graph.add_node("behind", lambda state: {"went_on": True})
    graph.add_edge(START, "consolidate")
    graph.add_edge("consolidate", "behind")
    graph.add_edge("behind", END)
    state = await graph.compile().ainvoke(await due(memory))
    assert state["went_on"]
    [review] = await memory.reviews.apending("alice")
    assert (review.run_id, len(review.disputes)) == (state["report"]["run_id"], 2)


async def test_a_subgraph_interrupts_the_graph_around_it_which_is_resumed_the_same_way(opened: Open) -> None:
    class State(TypedDict, total=False):
        external_id: str
        memory_id: int
        review: dict[str, Any]

    memory = opened(review="always")
    graph: Any = StateGraph(State)
    graph.add_node("consolidate", compiled(memory))
    graph.add_edge(START, "consolidate")
    graph.add_edge("consolidate", END)
    outer = graph.compile(checkpointer=InMemorySaver())
    question = asked(await outer.ainvoke(await due(memory), thread()))
    state = await outer.ainvoke(Command(resume=all_of(question, "accept")), thread())
    assert state["review"]["pending"] == []
    assert await valid(memory) == {"- Deadline: June 1", "- Budget: 6000"}


async def test_a_graph_that_is_told_not_to_review_never_stops(opened: Open) -> None:
    memory = opened(review="always")
    graph = create_consolidation_graph(memory, review=False).compile(checkpointer=InMemorySaver())
    state = await graph.ainvoke(await due(memory), thread())
    assert "__interrupt__" not in state
    assert len(state["report"]["parked"]) == 2


async def test_a_sync_graph_is_interrupted_and_resumed_alike(opened: Open) -> None:
    memory = opened(review="always")
    target = await due(memory)

    def run() -> dict[str, Any]:
        graph = compiled(memory, InMemorySaver())
        question = asked(graph.invoke(target, thread()))
        return graph.invoke(Command(resume=all_of(question, "accept")), thread())

    state = await asyncio.to_thread(run)
    assert state["review"]["pending"] == []


async def test_two_threads_resumed_at_once_decide_once(opened: Open) -> None:
    memory, saver = opened(review="always"), InMemorySaver()
    graph = compiled(memory, saver)
    question = asked(await graph.ainvoke(await due(memory), thread()))
    states = await asyncio.gather(
        graph.ainvoke(Command(resume=all_of(question, "accept")), thread()),
        memory.reviews.adecide("alice", question["run_id"], all_of(question, "reject"), reviewer="eve"),
        return_exceptions=True,
    )
    assert len(await memory.runs.alist("alice")) == 3
    by_hand = isinstance(states[1], BaseException)
    assert await valid(memory) == (
        {"- Deadline: June 1", "- Budget: 6000"} if by_hand else {"- Deadline: May 1", "- Budget: 5000"}
    )


async def test_the_same_thread_serves_the_next_run_after_a_review(opened: Open) -> None:
    memory, saver = opened(review="always"), InMemorySaver()
    graph = compiled(memory, saver)
    target = await due(memory)
    question = asked(await graph.ainvoke(target, thread()))
    await graph.ainvoke(Command(resume=all_of(question, "accept")), thread())
    await memory.aupdate_active_memory_section("alice", target["memory_id"], "notes", "- Deadline: July 1")
    again = asked(await graph.ainvoke(target, thread()))
    assert again["run_id"] != question["run_id"]
    assert [d["new"]["content"].strip() for d in again["disputes"]] == ["- Deadline: July 1"]
