"""One memory for sync and async callers, any thread and any loop."""

import asyncio
import operator
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import pytest
from fakes import WordEmbedder
from langgraph.channels import Topic
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from pydantic import BaseModel
from typing_extensions import TypedDict

from langgraph_agentmem import (
    AgentMemory,
    create_consolidation_graph,
    create_promotion_graph,
    recall_node,
    remember_node,
)
from langgraph_agentmem.errors import ConfigurationError, SyncCallError
from langgraph_agentmem.nodes.promote import promote_node

TEMPLATE = {"sections": ["notes"]}


def test_sync_methods_do_what_async_ones_do(dsn: str) -> None:
    with AgentMemory.open(dsn) as memory:
        created = memory.create_active_memory("alice", "Notes", TEMPLATE)
        memory.update_active_memory_section("alice", created.id, "notes", "a fox")
        assert memory.consolidate("alice", created.id).status == "applied"
        assert memory.promote("alice", created.id, force=True).status == "promoted"
        assert [hit.tier for hit in memory.search("alice", "fox")] == ["longterm"]
        assert [run.status for run in memory.runs.list("alice")] == ["applied"]
        assert memory.search("alice", "fox") == asyncio.run(memory.asearch("alice", "fox"))


def test_a_memory_sets_itself_up_on_the_first_call(empty_dsn: str) -> None:
    memory = AgentMemory.open(empty_dsn)
    assert memory.get_active_memories("alice") == []
    memory.close()
    assert memory.get_active_memories("alice") == []
    memory.close()


async def test_a_sync_call_on_the_running_loop_names_the_async_twin(memory: AgentMemory) -> None:
    with pytest.raises(SyncCallError, match=r"search\(\) would block.*await asearch"):
        memory.search("alice", "fox")


class Blind(asyncio.SelectorEventLoop):
    """An event loop as Windows has by default, which does not tell when a socket has news."""

    add_reader = asyncio.AbstractEventLoop.add_reader


def test_a_loop_that_the_driver_cannot_use_is_refused_at_once(dsn: str, tmp_path: Path) -> None:
    with AgentMemory.open(dsn) as memory, asyncio.Runner(loop_factory=Blind) as runner:
        for use in (memory, AgentMemory.open(dsn), AgentMemory.open(data_dir=tmp_path / "data")):
            with pytest.raises(ConfigurationError, match=r"\(Blind, .*loop_factory=asyncio.SelectorEventLoop"):
                runner.run(use.asearch("alice", "fox"))
        assert runner.run(asyncio.to_thread(memory.search, "alice", "fox")) == []
    assert not (tmp_path / "data").exists()


def test_one_memory_serves_several_threads(dsn: str) -> None:
    with AgentMemory.open(dsn) as memory:
        created = memory.create_active_memory("alice", "Notes", TEMPLATE)

        def write(i: int) -> None:
            memory.update_active_memory_section("alice", created.id, "notes", f"- {i}", action="insert")

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(write, range(40)))
        content = memory.get_active_memory("alice", created.id).sections["notes"].content
        assert sorted(content.splitlines()) == sorted(f"- {i}" for i in range(40))


def test_one_memory_serves_one_loop_after_another_and_several_at_once(dsn: str) -> None:
    memory = AgentMemory.open(dsn)
    for _ in range(2):
        assert asyncio.run(memory.aget_active_memories("alice")) == []
    with ThreadPoolExecutor(3) as threads:
        assert list(threads.map(lambda _: asyncio.run(memory.aget_active_memories("alice")), range(3))) == [[]] * 3
    assert memory.get_active_memories("alice") == []
    memory.close()


def test_a_sync_call_keeps_the_callers_context(dsn: str) -> None:
    user: ContextVar[str] = ContextVar("user", default="nobody")
    seen: list[str] = []

    class Watching(WordEmbedder):
        async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
            seen.extend(user.get() for text in texts if "fox" in text)
            return self.embed_documents(texts)

    with AgentMemory.open(dsn, index={"embed": Watching(), "dims": 64}) as memory:
        user.set("alice")
        memory.create_active_memory("alice", "Notes", TEMPLATE, {"notes": "a fox"})
    assert seen == ["alice"]


async def test_an_embedder_is_called_on_the_callers_loop(opened: Callable[..., AgentMemory]) -> None:
    threads: list[int] = []

    async def embed(texts: list[str]) -> list[list[float]]:
        threads.append(threading.get_ident())
        return WordEmbedder().embed_documents(texts)

    memory = opened(index=embed)
    await memory.acreate_active_memory("alice", "Notes", TEMPLATE, {"notes": "a fox"})
    assert set(threads) == {threading.get_ident()}


class AgentState(TypedDict):
    external_id: str
    memory_id: int
    updates: list[dict[str, str]]
    query: str
    consolidation_info: dict[str, object]
    memories: list[dict[str, object]]


def agent(memory: AgentMemory) -> StateGraph:
    """A user's own graph that remembers, then recalls."""
    graph = StateGraph(AgentState)
    graph.add_node("remember", remember_node(memory))
    graph.add_node("recall", recall_node(memory, limit=3))
    graph.add_edge(START, "remember")
    graph.add_edge("remember", "recall")
    return graph


def agent_input(memory_id: int) -> dict[str, object]:
    return {
        "external_id": "alice",
        "memory_id": memory_id,
        "updates": [{"section_id": "notes", "new_content": "a fox"}],
        "query": "fox",
    }


def test_nodes_work_in_a_sync_graph(dsn: str) -> None:
    with AgentMemory.open(dsn) as memory:
        created = memory.create_active_memory("alice", "Notes", TEMPLATE)
        state = agent(memory).compile().invoke(agent_input(created.id))
        assert [hit["content"] for hit in state["memories"]] == ["a fox"]
        assert state["updates"] == []
        assert state["consolidation_info"]["total_update_count"] == 1
        target = {"external_id": "alice", "memory_id": created.id}
        assert create_consolidation_graph(memory).compile().invoke(target)["report"]["status"] == "applied"
        promoted = create_promotion_graph(memory).compile().invoke({**target, "force": True})
        assert promoted["report"]["status"] == "promoted"


async def test_nodes_work_in_an_async_graph(memory: AgentMemory) -> None:
    created = await memory.acreate_active_memory("alice", "Notes", TEMPLATE)
    state = await agent(memory).compile().ainvoke(agent_input(created.id))
    assert [hit["content"] for hit in state["memories"]] == ["a fox"]
    await memory.aconsolidate("alice", created.id)
    again = await agent(memory).compile().ainvoke({**state, "updates": []})
    assert again["consolidation_info"]["total_update_count"] == 0


async def test_a_sync_graph_may_run_on_a_running_loop_as_in_a_notebook(memory: AgentMemory) -> None:
    created = await memory.acreate_active_memory("alice", "Notes", TEMPLATE)
    state = agent(memory).compile().invoke(agent_input(created.id))
    assert [hit["content"] for hit in state["memories"]] == ["a fox"]
    memory_loop_is_clean = threading.Thread(target=memory.close)
    memory_loop_is_clean.start()
    memory_loop_is_clean.join()


class PydanticState(BaseModel):
    external_id: str
    memory_id: int
    query: str
    updates: list[dict[str, str]] = []
    consolidation_info: dict[str, object] = {}
    memories: list[dict[str, object]] = []


@dataclass
class DataclassState:
    external_id: str
    memory_id: int
    query: str
    updates: list[dict[str, str]] = field(default_factory=list)
    consolidation_info: dict[str, object] = field(default_factory=dict)
    memories: list[dict[str, object]] = field(default_factory=list)


@dataclass(slots=True)
class SlotsState:
    external_id: str
    memory_id: int
    query: str
    updates: list[dict[str, str]] = field(default_factory=list)
    consolidation_info: dict[str, object] = field(default_factory=dict)
    memories: list[dict[str, object]] = field(default_factory=list)


@pytest.mark.parametrize("schema", [AgentState, PydanticState, DataclassState, SlotsState])
async def test_nodes_read_a_state_of_any_kind(memory: AgentMemory, schema: type) -> None:
    created = await memory.acreate_active_memory("alice", "Notes", TEMPLATE)
    graph = StateGraph(schema).add_sequence([("remember", remember_node(memory)), ("recall", recall_node(memory))])
    state = await graph.add_edge(START, "remember").compile().ainvoke(agent_input(created.id))
    assert [hit["content"] for hit in state["memories"]] == ["a fox"]
    assert (state["updates"], state["consolidation_info"]["total_update_count"]) == ([], 1)
    promotion = StateGraph(schema).add_node("promote", promote_node(memory)).add_edge(START, "promote").compile()
    await promotion.ainvoke(agent_input(created.id))


class Asked(TypedDict):
    question: str


async def test_a_node_may_be_called_by_a_node_whose_graph_lacks_its_channels(memory: AgentMemory) -> None:
    recall = recall_node(memory)

    async def answer(state: dict[str, Any]) -> dict[str, Any]:
        found = await recall.ainvoke({"external_id": "alice", "query": state["question"]})
        return {"question": f"{state['question']}: {found['memories']}"}

    graph = StateGraph(Asked).add_node("answer", answer).add_edge(START, "answer").compile()
    assert await graph.ainvoke({"question": "a fox"}) == {"question": "a fox: []"}


def test_a_sync_call_as_the_interpreter_ends_is_refused_and_ends(dsn: str) -> None:
    code = """
from langgraph_agentmem import AgentMemory

class Agent:
    memory = AgentMemory.open()

    def __del__(self):
        self.memory.close()

Agent.memory.get_active_memories("alice")
agent = Agent()
"""
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "AGENTMEM_DSN": dsn},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (result.returncode, "SyncCallError: the interpreter is ending" in result.stderr) == (0, True), result.stderr


def test_a_memory_that_nobody_closed_goes_quietly(dsn: str) -> None:
    code = "from langgraph_agentmem import AgentMemory\nprint(AgentMemory.open().get_active_memories('alice'))"
    result = subprocess.run(
        [sys.executable, "-X", "dev", "-c", code],
        env={**os.environ, "AGENTMEM_DSN": dsn},
        capture_output=True,
        text=True,
        timeout=300,
    )
    # on a busy machine any step of an event loop takes longer than asyncio likes
    said = [
        line for line in result.stderr.splitlines() if not re.fullmatch(r"Executing <.*> took [\d.]+ seconds", line)
    ]
    assert (result.returncode, result.stdout, said) == (0, "[]\n", [])


Ids: dict[str, Any] = {"external_id": str, "memory_id": int, "consolidation_info": dict[str, Any]}
Reduced = TypedDict("Reduced", {**Ids, "updates": Annotated[list[dict[str, str]], operator.add]}, total=False)
Plain = TypedDict("Plain", {**Ids, "updates": list[dict[str, str]]}, total=False)


@pytest.mark.parametrize("schema", [Reduced, Plain, dict])
@pytest.mark.parametrize("sync", [True, False])
async def test_what_was_remembered_is_not_written_again_over_a_correction(
    memory: AgentMemory, schema: type, sync: bool
) -> None:
    created = await memory.acreate_active_memory("alice", "Notes", TEMPLATE)
    graph: Any = StateGraph(schema).add_node("remember", remember_node(memory)).add_edge(START, "remember")
    graph = graph.compile(InMemorySaver())
    thread = {"configurable": {"thread_id": "1"}}
    state = {"external_id": "alice", "memory_id": created.id}

    async def run(**given: object) -> Any:
        return await (
            asyncio.to_thread(graph.invoke, state | given, thread) if sync else graph.ainvoke(state | given, thread)
        )

    done = await run(updates=[{"section_id": "notes", "new_content": "a fox"}])
    assert done["updates"] == []
    await memory.aupdate_active_memory_section("alice", created.id, "notes", "a hen")
    await run(**({} if schema is not dict else {"updates": []}))
    assert (await memory.aget_active_memory("alice", created.id)).sections["notes"].content == "a hen"


async def test_a_channel_that_nothing_can_empty_is_refused_before_anything_is_written(memory: AgentMemory) -> None:
    Kept = TypedDict("Kept", {**Ids, "updates": Annotated[list[Any], Topic(dict, accumulate=True)]}, total=False)
    created = await memory.acreate_active_memory("alice", "Notes", TEMPLATE)
    graph: Any = StateGraph(Kept).add_node("remember", remember_node(memory)).add_edge(START, "remember").compile()
    edit = {"section_id": "notes", "new_content": "a fox"}
    with pytest.raises(ConfigurationError, match=r"channel 'updates' is a Topic that accumulates.*operator\.add"):
        await graph.ainvoke({"external_id": "alice", "memory_id": created.id, "updates": [edit]})
    assert (await memory.aget_active_memory("alice", created.id)).sections["notes"].content == ""
