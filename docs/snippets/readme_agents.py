"""What the README shows of graphs of one's own, of a store, and of a checkpointer."""

import sys
from pathlib import Path
from typing import Any, TypedDict

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from fakes import ObligingModel
from langchain.agents import create_agent
from langchain.tools import ToolRuntime
from langchain_core.tools import tool
from langgraph.graph import StateGraph

from langgraph_agentmem import AgentMemory

model = ObligingModel(arguments={("I eat", "save_preference"): {"text": "Alice eats vegetarian food."}})


@tool
def save_preference(text: str, runtime: ToolRuntime) -> str:
    """Save a preference of the user."""
    runtime.store.put((runtime.config["configurable"]["user_id"], "preferences"), "food", {"text": text})
    return "saved"


class Known(TypedDict, total=False):
    external_id: str
    memory_id: int
    query: str
    memories: list[dict[str, Any]]
    updates: list[dict[str, Any]]
    consolidation_info: dict[str, Any]


def due(state: Known) -> bool:
    return state["consolidation_info"]["will_consolidate"]


def noting(state: Known) -> Known:
    return {"updates": [{"section_id": "notes", "new_content": f"- {state['query']}", "action": "insert"}]}


memory = AgentMemory.open()
graph = StateGraph(Known).add_node("agent", noting)

# [graph]
from langgraph.graph import END, START

from langgraph_agentmem import create_consolidation_graph, recall_node, remember_node

graph.add_node("recall", recall_node(memory, limit=5))
graph.add_node("remember", remember_node(memory))
graph.add_node("consolidate", create_consolidation_graph(memory).compile())
graph.add_edge(START, "recall")
graph.add_edge("recall", "agent")
graph.add_edge("agent", "remember")
graph.add_conditional_edges("remember", due, {True: "consolidate", False: END})
graph.add_edge("consolidate", END)
# [end]
notes = memory.create_active_memory("alice", "Notes", {"sections": ["notes"]})
for number in range(5):
    asked = {"external_id": "alice", "memory_id": notes.id, "query": f"Ada asked question {number}."}
    graph.compile().invoke(asked)
assert {hit.tier for hit in memory.search("alice", "Ada")} == {"shortterm"}
memory.close()

# [store]
from langgraph_agentmem import AgentMemoryStore

store = AgentMemoryStore.from_conn_string()  # on AGENTMEM_DSN, or an embedded PostgreSQL
agent = create_agent(model, [save_preference], store=store)
agent.invoke({"messages": [("user", "I eat vegetarian food.")]}, {"configurable": {"user_id": "alice"}})
# [end]
assert store.get(("alice", "preferences"), "food").value == {"text": "Alice eats vegetarian food."}
store.close()

# [state]
import operator
from typing import Annotated, TypedDict

from langgraph_agentmem import MemorySection


class State(TypedDict, total=False):
    request: str
    progress: Annotated[str, MemorySection("How far the work is")]
    findings: Annotated[list[str], MemorySection("What was found out so far"), operator.add]
    # [end]


assert State.__annotations__["progress"].__metadata__ == (MemorySection("How far the work is"),)
