"""AgentMemorySaver in the place of LangGraph's PostgreSQL checkpointers."""

# [state]
import operator
from typing import Annotated, TypedDict

from langgraph_agentmem import AgentMemorySaver, MemorySection, hydrate_node


class State(TypedDict, total=False):
    request: str
    progress: Annotated[str, MemorySection("How far the work is")]
    findings: Annotated[list[str], MemorySection("What was found out"), operator.add]
    # [end]


# [graph]
from langgraph.graph import START, StateGraph
from langgraph.graph.state import CompiledStateGraph


def look(state: State) -> State:
    return {"progress": "Looked at the trains.", "findings": [f"{state['request']}: the train leaves at 21:40."]}


def agent(saver: AgentMemorySaver) -> CompiledStateGraph:
    graph = StateGraph(State)
    graph.add_node("hydrate", hydrate_node(saver))
    graph.add_node("look", look)
    graph.add_edge(START, "hydrate")
    graph.add_edge("hydrate", "look")
    return graph.compile(checkpointer=saver)


# [end]

# [use]
with AgentMemorySaver.from_conn_string(state_schema=State) as saver:
    config = {"configurable": {"thread_id": "1", "agent_id": "planner"}}
    agent(saver).invoke({"request": "Rome"}, config)
    [memory] = saver.memory.get_active_memories("planner")
    print(memory.title, memory.sections["findings"].content)  # Agent state - 'Rome: the train leaves at 21:40.'
    # [end]
    assert (memory.title, memory.sections["findings"].content) == (
        "Agent state",
        "- 'Rome: the train leaves at 21:40.'",
    )

# [sections]
saver = AgentMemorySaver.from_conn_string(
    sections={"progress": "progress", "messages": MemorySection("What was said", id="transcript")},
)
# [end]

# [values]
by_line = MemorySection("What was found out", render="\n".join, parse=str.splitlines)
# [end]
assert by_line.render is not None
assert by_line.parse is not None
assert by_line.parse(by_line.render(["a", "b"])) == ["a", "b"]

# [whose]
saver = AgentMemorySaver.from_conn_string(
    state_schema=State,
    tenant=("team_id", "user_id"),  # the first that configurable holds
    title="Project {project}",  # a memory a project; "Thread {thread_id}" would be one a thread
)
# [end]
config = {"configurable": {"thread_id": "2", "user_id": "alice", "project": "Rome"}}
with saver:
    agent(saver).invoke({"request": "Rome"}, config)
    assert [memory.title for memory in saver.memory.get_active_memories("alice")] == ["Project Rome"]


# [merge]
from langgraph_agentmem.checkpoint import SectionConflict


def keep_both(conflict: SectionConflict) -> str:
    lines = [*conflict.theirs.splitlines(), *conflict.mine.splitlines()]
    return "\n".join(dict.fromkeys(lines))


merging = AgentMemorySaver.from_conn_string(state_schema=State, on_conflict=keep_both)
# [end]
with merging:
    graph = agent(merging)
    for thread in ("a", "b"):
        config = {"configurable": {"thread_id": thread, "user_id": "bob"}}
        graph.update_state(config, {"findings": [f"found by {thread}"]})
    assert merging.memory.get_active_memories("bob")[0].sections["findings"].content == "- found by a\n- found by b"

# [refuse]
from langgraph_agentmem.errors import StateConflictError

careful = AgentMemorySaver.from_conn_string(state_schema=State, on_conflict="refuse")
try:
    agent(careful).update_state(
        {"configurable": {"thread_id": "c", "user_id": "bob"}}, {"findings": ["something else"]}
    )
except StateConflictError as error:
    print(error.conflicts[0].theirs)  # what the section holds, and the thread has not seen
    # [end]
    seen = error.conflicts[0].theirs
import pytest

assert seen == "- found by a\n- found by b"
refused = agent(careful)
with pytest.raises(StateConflictError):
    refused.update_state({"configurable": {"thread_id": "d", "user_id": "bob"}}, {"findings": ["x"]})

# [share]
from langgraph_agentmem import AgentMemory, AgentMemoryStore

memory = AgentMemory.open()
graph = StateGraph(State).add_node("look", look).add_edge(START, "look")
compiled = graph.compile(checkpointer=AgentMemorySaver(memory, state_schema=State), store=AgentMemoryStore(memory))
# [end]
compiled.invoke({"request": "Oslo"}, {"configurable": {"thread_id": "3", "user_id": "carol"}})
assert AgentMemoryStore(memory).get(("carol", "Agent state"), "progress").value == {"content": "Looked at the trains."}
for one in (memory, careful.memory):
    one.close()
