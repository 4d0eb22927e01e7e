"""A consolidation under a checkpointer: interrupted at any node and resumed, also with strict serialisation."""

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from fakes import ScriptedModel
from langgraph.checkpoint.memory import InMemorySaver

from langgraph_agentmem import AgentMemory, create_consolidation_graph, create_promotion_graph

NODES = ["claim", "extract", "conflicts", "resolve", "apply", "promote"]


def answer(name: str, data: dict[str, Any]) -> dict[str, Any]:
    chunks = [chunk["id"] for chunk in data["chunks"]] if name == "Extraction" else []
    return {"entities": [{"name": "Bob", "types": ["person"], "chunk_ids": chunks}]} if name == "Extraction" else {}


async def due_memory(memory: AgentMemory) -> dict[str, Any]:
    created = await memory.acreate_active_memory("alice", "Project", {"sections": ["notes"]})
    await memory.aupdate_active_memory_section("alice", created.id, "notes", "Goal: hire Bob")
    await memory.aconsolidate("alice", created.id)
    await memory.aupdate_active_memory_section("alice", created.id, "notes", "Goal: use PostgreSQL for everything")
    return {"external_id": "alice", "memory_id": created.id}


@pytest.mark.parametrize("node", NODES)
async def test_a_run_interrupted_before_any_node_is_resumed_by_another_process(
    opened: Callable[..., AgentMemory], node: str
) -> None:
    model = ScriptedModel(answer=answer)
    first, second = opened(model=model), opened(model=model)
    target = await due_memory(first)
    saver, config = InMemorySaver(), {"configurable": {"thread_id": "run"}}
    interrupted = create_consolidation_graph(first).compile(checkpointer=saver, interrupt_before=[node])
    assert "report" not in await interrupted.ainvoke(target, config) or node == "promote"
    state = await create_consolidation_graph(second).compile(checkpointer=saver).ainvoke(None, config)
    assert state["report"]["status"] == "applied"
    assert state["report"]["entities_merged"] == 1
    assert [hit.content for hit in await second.asearch("alice", "goal")] == [
        "Goal: use PostgreSQL for everything",
        "Goal: hire Bob",
    ]


STRICT = """
import asyncio, sys
sys.path.insert(0, {tests!r})
from fakes import ScriptedModel
from test_checkpointed_runs import NODES, answer, due_memory
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph_agentmem import AgentMemory, create_consolidation_graph

async def main():
    async with AgentMemory.open(model=ScriptedModel(answer=answer)) as memory, \
            AsyncPostgresSaver.from_conn_string(memory.dsn) as saver:
        await saver.setup()
        graph = create_consolidation_graph(memory).compile(checkpointer=saver, interrupt_after=NODES)
        config = {{"configurable": {{"thread_id": "run"}}}}
        state = await due_memory(memory)
        for _ in NODES:
            state = await graph.ainvoke(None if "claim" in state else state, config)
        print(state["report"]["status"], state["report"]["entities_merged"])

asyncio.run(main())
"""


def test_the_state_survives_strict_serialisation_at_every_node(dsn: str) -> None:
    here = os.path.dirname(__file__)
    path = os.pathsep.join([here, os.path.dirname(here)])
    result = subprocess.run(
        [sys.executable, "-c", STRICT.format(tests=here)],
        env={**os.environ, "AGENTMEM_DSN": dsn, "LANGGRAPH_STRICT_MSGPACK": "true", "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.stdout.split() == ["applied", "1"], result.stderr


async def test_a_promotion_can_be_checkpointed_too(memory: AgentMemory) -> None:
    target = await due_memory(memory)
    graph = create_promotion_graph(memory).compile(checkpointer=InMemorySaver())
    state = await graph.ainvoke({**target, "force": True}, {"configurable": {"thread_id": "run"}})
    assert state["report"]["status"] == "promoted"
