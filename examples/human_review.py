"""A conflict that waits for a person: the graph stops at it, and goes on when somebody has decided, days later.

pip install "langgraph-agentmem[embedded]"
python examples/human_review.py               you are asked what to do
python examples/human_review.py < /dev/null   where nobody can type, a scripted person decides

The rules need no model here. With AgentMemory.open(model="openai:gpt-5", review="manual"), a model decides what it is
sure about, and a person what is unclear. Without a graph, memory.reviews has the same disputes.
"""

import argparse
import sys
from typing import Any, TypedDict

from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command

from langgraph_agentmem import AgentMemory, AgentMemoryError, AgentMemorySaver, create_consolidation_graph

TENANT = "human-review-example"


class State(TypedDict, total=False):
    external_id: str
    memory_id: int
    says: str
    review: dict[str, Any]


def graph(memory: AgentMemory) -> CompiledStateGraph[State, None, State, State]:
    """Writes what was said, and consolidates it; as a subgraph, the consolidation interrupts the whole graph."""

    def write(state: State) -> State:
        memory.update_active_memory_section(state["external_id"], state["memory_id"], "plan", state["says"])
        return {}

    builder = StateGraph(State)
    builder.add_node("write", write)
    builder.add_node("consolidate", create_consolidation_graph(memory).compile())
    builder.add_edge(START, "write")
    builder.add_edge("write", "consolidate")
    builder.add_edge("consolidate", END)
    # A checkpointer in PostgreSQL, so that the question outlives this process. It holds both texts, too.
    return builder.compile(checkpointer=AgentMemorySaver(memory))


def today(memory: AgentMemory) -> RunnableConfig:
    """The plan is made, and changed: the change has to wait. Returns the thread that waits."""
    for earlier in memory.get_active_memories(TENANT):  # so that each run of the example tells the same
        memory.delete_active_memory(TENANT, earlier.id, forget=True)
    plan = memory.create_active_memory(TENANT, "Apollo", {"sections": ["plan"]})
    thread: RunnableConfig = {"configurable": {"user_id": TENANT, "thread_id": f"{TENANT}/{plan.id}"}}
    for says in ("- Deadline: May 1", "- Deadline: June 1"):
        print(f"Written: {says}")
        state = graph(memory).invoke({"external_id": TENANT, "memory_id": plan.id, "says": says}, thread)
    assert "__interrupt__" in state, "with review='always', nothing ends before somebody is asked"
    print("The graph waits for a person. Until then both are valid, and marked as disputed:")
    show(memory)
    return thread


def days_later(memory: AgentMemory, thread: RunnableConfig) -> None:
    """In another process, it could be: all that is needed is the thread's id."""
    resumed = graph(memory)
    script = iter(["perhaps", "accept"])
    while waiting := [task.interrupts[0].value for task in resumed.get_state(thread).tasks if task.interrupts]:
        question = waiting[0]
        if question["problem"]:  # what was decided cannot be carried out, so the graph asks again
            print(f"  That was refused: {question['problem']}")
        decisions = [{"dispute": each["id"], "action": asked(each, script)} for each in question["disputes"]]
        resumed.invoke(Command(resume=decisions), thread)
    print("Decided; what is valid now:")
    show(memory)


def asked(dispute: dict[str, Any], script: Any) -> str:
    """What a person says to a dispute."""
    old, new = dispute["existing"][0]["content"], dispute["new"]["content"]
    print(f"\n  {old!r} is known, {new!r} is new. Proposed: {dispute['verdict']['action']}.")
    question = "  accept, reject (the new one), or keep_both? "
    if sys.stdin.isatty():
        return input(question).strip()
    answer = next(script)
    print(f"{question}{answer}")
    return answer


def show(memory: AgentMemory) -> None:
    for hit in memory.search(TENANT, "When is the deadline?", tiers=["shortterm"]):
        print(f"  {hit.content}{' (disputed)' if hit.disputed else ''}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dsn", help="PostgreSQL with pgvector; by default AGENTMEM_DSN, else an embedded server")
    given = parser.parse_args()
    try:
        with AgentMemory.open(given.dsn, review="always") as opened:
            waiting_thread = today(opened)
        with AgentMemory.open(given.dsn) as opened:
            days_later(opened, waiting_thread)
    except AgentMemoryError as error:
        sys.exit(f"human_review: {error}")
    except (EOFError, KeyboardInterrupt):
        sys.exit(f'\nNobody has decided. The question stays: agentmem reviews list --tenant {TENANT} (extra "cli")')
