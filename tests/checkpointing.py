"""A graph with a state of two sections, told what to write, for tests of the checkpointer."""

import operator
from typing import Annotated, Any, TypedDict

from langgraph.graph import END, START, StateGraph

from langgraph_agentmem import AgentMemory, AgentMemorySaver, MemorySection, hydrate_node


class State(TypedDict, total=False):
    progress: Annotated[str, MemorySection("What is done")]
    facts: Annotated[list[str], MemorySection("What is known"), operator.add]
    say: dict[str, Any]


def agent(saver: AgentMemorySaver, schema: type = State, *, hydrate: bool = False) -> Any:
    """A graph that writes into its state whatever it is told, one dict a step; with a first node that loads memory."""

    def work(state: Any) -> Any:
        return state.get("say") or {}

    graph = StateGraph(schema)
    graph.add_node("work", work)
    if hydrate:
        graph.add_node("hydrate", hydrate_node(saver))
        graph.add_edge("hydrate", "work")
    graph.add_edge(START, "hydrate" if hydrate else "work")
    graph.add_edge("work", END)
    return graph.compile(checkpointer=saver)


def of(thread: str, tenant: str | None = "alice", **more: Any) -> dict[str, Any]:
    return {"configurable": {"thread_id": thread} | ({"user_id": tenant} if tenant else {}) | more}


async def sections(memory: AgentMemory, tenant: str = "alice") -> dict[str, tuple[str, int]]:
    """(content, pending updates) by section of a tenant's only memory."""
    [found] = await memory.aget_active_memories(tenant)
    return {id: (section.content, section.update_count) for id, section in found.sections.items()}
