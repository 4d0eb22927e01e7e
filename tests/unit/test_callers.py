"""A refused sync call names what the application has called, and who types may call anything."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from langgraph.graph import START, StateGraph

from langgraph_agentmem import AgentMemory, AgentMemorySaver, AgentMemoryStore
from langgraph_agentmem.errors import SyncCallError

NOWHERE = "postgresql://127.0.0.1:1/nowhere"
THREAD: Any = {"configurable": {"thread_id": "1"}}


def ignored(state: dict[str, Any]) -> dict[str, Any]:
    return state


store = AgentMemoryStore.from_conn_string(NOWHERE)
saver = AgentMemorySaver.from_conn_string(NOWHERE)
memory = AgentMemory.open(NOWHERE)
graph: Any = StateGraph(dict).add_node(ignored).add_edge(START, "ignored").compile(saver, store=store)
CALLS: dict[str, Callable[[], object]] = {
    "search": lambda: store.search(("alice",)),
    "put": lambda: store.put(("alice",), "1", {}),
    "get": lambda: store.get(("alice",), "1"),
    "delete": lambda: store.delete(("alice",), "1"),
    "list_namespaces": store.list_namespaces,
    "batch": lambda: store.batch([]),
    "put_if": lambda: store.put_if(("alice",), "1", {}, 0),
    "invoke": lambda: graph.invoke({}, THREAD),
    "stream": lambda: list(graph.stream({}, THREAD)),
    "get_state": lambda: graph.get_state(THREAD),
    "get_state_history": lambda: list(graph.get_state_history(THREAD)),
    "update_state": lambda: graph.update_state(THREAD, {}),
    "get_tuple": lambda: saver.get_tuple(THREAD),
    "list": lambda: list(saver.list(THREAD)),
    "delete_thread": lambda: saver.delete_thread("1"),
    "get_active_memories": lambda: memory.get_active_memories("alice"),
    "run_due": memory.queue.run_due,
}


@pytest.mark.parametrize("name", CALLS)
async def test_a_refusal_names_what_was_called(name: str) -> None:
    with pytest.raises(SyncCallError, match=rf"^{name}\(\) would block.*`await a{name}\(\.\.\.\)`$"):
        CALLS[name]()


async def test_a_chain_with_a_graph_in_it_is_named_by_the_chain() -> None:
    with pytest.raises(SyncCallError, match=r"^invoke\(\).*ainvoke"):
        (graph | ignored).invoke({}, THREAD)


async def test_a_node_that_calls_is_named_by_its_own_call() -> None:
    def node(state: dict[str, Any]) -> dict[str, Any]:
        return {"found": store.search(("alice",))}

    looking: Any = StateGraph(dict).add_node(node).add_edge(START, "node").compile()
    with pytest.raises(SyncCallError, match=r"^search\(\)"):
        looking.invoke({})


TYPED = """
import asyncio
from langgraph_agentmem import bridge
async def alook(self): return "seen"

Called = type("Called", (), {"look": bridge.blocking(alook), "see": bridge.either(alook)})
print(asyncio.get_running_loop() and Called().look())
"""
"""Line by line: from a pipe, the console of Python 3.13.0 takes no more at once."""


def test_the_console_of_asyncio_may_be_blocked() -> None:
    console = subprocess.run(
        [sys.executable, "-m", "asyncio"], input=TYPED, capture_output=True, text=True, timeout=60, check=False
    )
    assert "seen" in console.stdout, console.stderr


def test_an_application_may_not() -> None:
    code = TYPED.replace("print(", "async def main():\n    print(") + "asyncio.run(main())"
    program = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert "SyncCallError: look() would block" in program.stderr
