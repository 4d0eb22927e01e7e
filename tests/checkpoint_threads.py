"""Threads of checkpoints: graphs that make them, and how many rows they have."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypedDict

from langgraph.channels.delta import DeltaChannel
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import START, StateGraph

from langgraph_agentmem import AgentMemorySaver, MemorySection

Rows = Callable[..., list[tuple[object, ...]]]
TABLES = ("checkpoints", "checkpoint_blobs", "checkpoint_writes")


def appended(state: list[str], writes: Sequence[list[str]]) -> list[str]:
    return [*state, *(item for write in writes for item in write)]


class State(TypedDict, total=False):
    notes: Annotated[list[str], MemorySection("What is known")]
    plain: dict[str, Any]


class Delta(TypedDict, total=False):
    log: Annotated[list[str], MemorySection(), DeltaChannel(appended, snapshot_frequency=4)]
    plain: dict[str, Any]


def agent(saver: BaseCheckpointSaver[str], schema: type = State) -> Any:
    graph = StateGraph(schema)
    graph.add_node("work", lambda state: {"plain": {"seen": len(state.get("notes") or state.get("log") or [])}})
    graph.add_edge(START, "work")
    return graph.compile(checkpointer=saver)


def of(thread: str, **more: Any) -> dict[str, Any]:
    return {"configurable": {"thread_id": thread, "user_id": "alice"} | more}


def size(rows: Rows, thread: str) -> tuple[object, ...]:
    """How many rows a thread has, by table."""
    return tuple(rows(f"SELECT count(*) FROM {table} WHERE thread_id = %s", thread)[0][0] for table in TABLES)


def seen(rows: Rows) -> list[tuple[object, ...]]:
    return rows("SELECT external_id, section_id, thread_id FROM agentmem.thread_section ORDER BY 1, 2, 3")


async def content(saver: AgentMemorySaver, section: str) -> str:
    [memory] = await saver.memory.aget_active_memories("alice")
    return memory.sections[section].content
