"""An agent whose state outlives its threads: two channels of its state are sections of its memory.

python examples/state_agent.py                                   no key, no network: the agent follows a script
python examples/state_agent.py --dsn postgresql://user@host/db   your own PostgreSQL instead of the embedded one
"""

import argparse
import asyncio
import operator
import sys
from datetime import UTC, datetime
from typing import Annotated, Any, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from narration import Narrator

from langgraph_agentmem import (
    ActiveMemory,
    AgentMemoryError,
    AgentMemorySaver,
    AgentMemorySettings,
    MemorySection,
    hydrate_node,
)

# What the agent works with: two of the channels are sections of its memory, the request is not


class State(TypedDict, total=False):
    request: str
    progress: Annotated[str, MemorySection("How far the work is")]
    findings: Annotated[list[str], MemorySection("What was found out so far"), operator.add]


SOURCES = {"trains": "The night train leaves at 21:40.", "hotels": "The Astoria has a room for two."}


def look(state: State) -> State:
    """Look at the first source that was not looked at yet."""
    known = state.get("findings", [])
    source = next((name for name, text in SOURCES.items() if text not in known), None)
    if source is None:
        return {"progress": "Everything is looked up; the journey can be booked."}
    return {"progress": f"Looked at the {source}.", "findings": [SOURCES[source]]}


def agent(saver: AgentMemorySaver) -> CompiledStateGraph[State, None, State, State]:
    graph = StateGraph(State)
    graph.add_node("hydrate", hydrate_node(saver))
    graph.add_node("look", look)
    graph.add_edge(START, "hydrate")
    graph.add_edge("hydrate", "look")
    graph.add_edge("look", END)
    return graph.compile(checkpointer=saver)


async def tell(saver: AgentMemorySaver) -> None:
    narrator, tenant = Narrator(), f"demo-{datetime.now(UTC):%Y%m%d-%H%M%S-%f}"
    graph = agent(saver)
    narrator.heading("An agent whose state outlives its threads")
    narrator.facts(
        {
            "Checkpointer": "AgentMemorySaver, given to compile(checkpointer=...)",
            "Sections": "the channels progress and findings, marked with MemorySection",
            "Tenant": f"{tenant}, a new one in every run",
        }
    )
    for thread in ("monday", "tuesday", "wednesday"):
        narrator.heading(f"Thread: {thread}")
        config: Any = {"configurable": {"thread_id": f"{tenant}/{thread}", "agent_id": tenant}}
        async for step in graph.astream({"request": "Plan a journey"}, config, stream_mode="updates"):
            for node, update in step.items():
                print(f"        {node:<8} {shown(update)}")
        narrator.facts(contents(await only_memory(saver, tenant)))
    [report] = await saver.memory.queue.arun_due(tenant)
    hits = await saver.memory.asearch(tenant, "When does the train leave?", tiers=["shortterm"], limit=1)
    narrator.paragraph(
        "Every checkpoint and its sections were written in one transaction. The updates have made the memory due: a "
        f"consolidation takes {report.updates_consumed} of them. Short-term memory, asked when the train leaves, says: "
        f"{hits[0].content.removeprefix('- ')}"
    )


async def only_memory(saver: AgentMemorySaver, tenant: str) -> ActiveMemory:
    [memory] = await saver.memory.aget_active_memories(tenant)
    return memory


def contents(memory: ActiveMemory) -> dict[str, str]:
    """Sections as they stand, with their revisions."""
    return {
        id: f"{' '.join(section.content.split())} (revision {section.revision})"
        for id, section in memory.sections.items()
    }


def shown(update: Any) -> str:
    return (
        ", ".join(f"{channel} = {getattr(value, 'value', value)!r}" for channel, value in (update or {}).items()) or "–"
    )


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dsn", help="PostgreSQL with pgvector; without one an embedded server starts")
    parser.add_argument("--data-dir", metavar="DIR", help="the embedded server's folder; by default one per user")
    given = parser.parse_args()
    settings = AgentMemorySettings(avg_section_update_count=2)  # so low that three threads consolidate; usually 5
    async with AgentMemorySaver.from_conn_string(
        given.dsn, data_dir=given.data_dir, state_schema=State, settings=settings
    ) as saver:
        await tell(saver)


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except AgentMemoryError as error:
        sys.exit(f"state_agent: {' '.join(str(error).split())}")
