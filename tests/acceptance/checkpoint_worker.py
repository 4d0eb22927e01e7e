"""Runs a graph with a checkpointer, and kills its own process right before or after a commit."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, TypedDict

sys.path.insert(0, str(Path(__file__).parents[1]))
import crashing
from langgraph.channels.delta import DeltaChannel
from langgraph.graph import START, StateGraph

from langgraph_agentmem import AgentMemorySaver, MemorySection, hydrate_node


def appended(state: list[str], writes: Sequence[list[str]]) -> list[str]:
    return [*state, *(item for write in writes for item in write)]


class State(TypedDict, total=False):
    progress: Annotated[str, MemorySection("What is done")]
    log: Annotated[list[str], MemorySection("What was done"), DeltaChannel(appended)]
    other: dict[str, Any]


def graph(saver: AgentMemorySaver) -> Any:
    """Loads memory, then takes three steps."""
    steps = StateGraph(State)
    steps.add_node("hydrate", hydrate_node(saver))
    steps.add_sequence(
        [
            (f"step {n}", lambda state, n=n: {"progress": f"step {n}", "log": [f"step {n}"], "other": {"n": n}})
            for n in range(3)
        ]
    )
    steps.add_edge(START, "hydrate")
    steps.add_edge("hydrate", "step 0")
    return steps.compile(checkpointer=saver)


def go_on(saver: AgentMemorySaver) -> None:
    """Begin the thread, or go on with it where it was left, to its end."""
    config = {"configurable": {"thread_id": "1", "user_id": "alice"}}
    agent = graph(saver)
    agent.invoke(None if saver.get_tuple(config) else {"other": {}}, config, durability="sync")


if __name__ == "__main__":
    crashing.kill_at_commit(int(os.environ["KILL_AT"]), os.environ["KILL_WHEN"], os.environ["KILL_OF"].encode())
    with AgentMemorySaver.from_conn_string(os.environ["AGENTMEM_DSN"], state_schema=State) as saver:
        go_on(saver)
