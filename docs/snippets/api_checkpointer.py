"""What the examples of the checkpointer's reference begin with."""

# [begin]
from typing import Annotated, TypedDict

from langgraph.graph import START, StateGraph

from langgraph_agentmem import AgentMemory, AgentMemorySaver, MemorySection


class State(TypedDict, total=False):
    request: str
    progress: Annotated[str, MemorySection("How far the work is")]


def work(state: State) -> State:
    return {"progress": f"Began with {state['request']}."}


memory = AgentMemory.open()  # on AGENTMEM_DSN, or embedded
saver = AgentMemorySaver(memory, state_schema=State)
agent = StateGraph(State).add_node("work", work).add_edge(START, "work").compile(checkpointer=saver)
config = {"configurable": {"thread_id": "1", "user_id": "alice"}}
agent.invoke({"request": "Rome"}, config)
# [end]

if __name__ == "__main__":
    assert memory.search("alice", "progress Rome", tiers=["active"])[0].content == "Began with Rome."
    memory.close()
