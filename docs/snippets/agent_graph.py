"""An agent's graph that recalls, remembers and consolidates."""

# [state]
from typing import Any, TypedDict

from langgraph.graph import END, START, StateGraph

from langgraph_agentmem import AgentMemory, create_consolidation_graph, recall_node, remember_node


class State(TypedDict, total=False):
    external_id: str
    memory_id: int
    query: str
    memories: list[dict[str, Any]]
    updates: list[dict[str, Any]]
    consolidation_info: dict[str, Any]


# [end]


# [agent]
def agent(state: State) -> dict[str, Any]:
    known = [hit["content"] for hit in state["memories"]]
    # Call a model here, with what is known; it answers and says what to note.
    note = f"- {state['query']} ({len(known)} related memories)"
    return {"updates": [{"section_id": "notes", "new_content": note, "action": "insert"}]}


def due(state: State) -> bool:
    return state["consolidation_info"]["will_consolidate"]


# [end]


# [graph]
def agent_graph(memory: AgentMemory) -> StateGraph:
    graph = StateGraph(State)
    graph.add_node("recall", recall_node(memory, limit=5))
    graph.add_node("agent", agent)
    graph.add_node("remember", remember_node(memory))
    graph.add_node("consolidate", create_consolidation_graph(memory).compile())
    graph.add_edge(START, "recall")
    graph.add_edge("recall", "agent")
    graph.add_edge("agent", "remember")
    graph.add_conditional_edges("remember", due, {True: "consolidate", False: END})
    graph.add_edge("consolidate", END)
    return graph


# [end]


# [run]
with AgentMemory.open() as memory:
    notes = memory.create_active_memory("alice", "Notes", {"sections": ["notes"]})
    compiled = agent_graph(memory).compile()
    for number in range(5):
        compiled.invoke({"external_id": "alice", "memory_id": notes.id, "query": f"Ada asked question {number}."})
    print([hit.tier for hit in memory.search("alice", "Ada")])
    # [end]
    assert {hit.tier for hit in memory.search("alice", "Ada")} == {"shortterm"}
    assert len(memory.get_active_memory("alice", notes.id).sections["notes"].content.splitlines()) == 5
    assert memory.get_active_memory("alice", notes.id).consolidation_info.total_update_count == 0

# [messages]
recall = recall_node(
    memory,
    query=lambda state: state["messages"][-1].content,
    external_id=lambda state: state["user"],
    output="remembered",
    tiers=["shortterm", "longterm"],
)
# [end]
from langchain_core.messages import HumanMessage

assert len(recall.invoke({"messages": [HumanMessage("What did Ada ask?")], "user": "alice"})["remembered"]) == 5
memory.close()
