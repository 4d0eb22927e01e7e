"""An agent whose long-term store is an active memory: what it saves in one thread helps in the next, and consolidates.

python examples/store_agent.py                                   no key, no network: a scripted model stands in
python examples/store_agent.py --model provider:model            a chat model decides what to save and to look up
python examples/store_agent.py --dsn postgresql://user@host/db   your own PostgreSQL instead of the embedded one
"""

import argparse
import asyncio
import sys
from datetime import UTC, datetime
from typing import Any

from langchain.agents import create_agent
from langchain.tools import ToolRuntime
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AnyMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.store.base import SearchItem
from narration import Narrator
from scripted_model import ScriptedTraveller

from langgraph_agentmem import AgentMemoryError, AgentMemorySettings, AgentMemoryStore

INSTRUCTIONS = """\
You help to plan journeys. Save every preference that the user states, under a topic of one word ("food", "seat"); what
is saved under a topic takes the place of what was. Before you answer a question, look up what is known."""

SESSIONS = {
    "a first evening": ["I only eat vegetarian food.", "I like a window seat on the train."],
    "a week later, a new thread": ["What food may you book for me?", "I eat vegetarian food, and fish since June."],
    "another week later": ["Which seat on the train do I like?"],
}


# The agent: two tools on the store that LangGraph hands to them


@tool
async def save_preference(topic: str, text: str, runtime: ToolRuntime) -> str:
    """Save a preference of the user."""
    await runtime.store.aput((tenant_of(runtime), "preferences"), topic, {"text": text})
    return f"saved under {topic!r}"


@tool
async def look_up(query: str, runtime: ToolRuntime) -> str:
    """Look up the user's preferences."""
    found = await runtime.store.asearch((tenant_of(runtime), "preferences"), query=query, limit=1)
    return "\n".join(item.value["text"] for item in found) or "nothing is known"


def tenant_of(runtime: ToolRuntime) -> str:
    return runtime.config["configurable"]["user_id"]


# The story


async def tell(store: AgentMemoryStore, model: BaseChatModel | str, scripted: bool) -> None:
    narrator, tenant = Narrator(), f"demo-{datetime.now(UTC):%Y%m%d-%H%M%S-%f}"
    agent = create_agent(
        model,
        [save_preference, look_up],
        system_prompt=INSTRUCTIONS,
        store=store,
        checkpointer=InMemorySaver(),
    )
    narrator.heading("An agent with a long-term store that is an active memory")
    narrator.facts(
        {
            "Chat model": "a scripted stand-in: no key, no network" if scripted else str(model),
            "Store": "AgentMemoryStore, given to create_agent(store=...); its tools put and search items",
            "Tenant": f"{tenant}, a new one in every run",
        }
    )
    for session, texts in SESSIONS.items():
        narrator.heading(f"Thread: {session}")
        for text in texts:
            narrator.said("User", text)
            config: Any = {"configurable": {"thread_id": session, "user_id": tenant}}
            async for step in agent.astream({"messages": [("user", text)]}, config, stream_mode="updates"):
                for update in step.values():
                    narrate(narrator, update["messages"][-1])
        await consolidate(narrator, store, tenant)
    await compare_tiers(narrator, store, tenant, scripted)


def narrate(narrator: Narrator, message: AnyMessage) -> None:
    for call in getattr(message, "tool_calls", []):
        print(f"        → {call['name']}({', '.join(map(repr, call['args'].values()))})")
    if message.type == "ai" and message.text:
        narrator.said("Agent", message.text)


async def consolidate(narrator: Narrator, store: AgentMemoryStore, tenant: str) -> None:
    """What a scheduled job does between the sessions."""
    for report in await store.memory.queue.arun_due(tenant):
        narrator.paragraph(
            f"Meanwhile, a consolidation takes {report.updates_consumed} updates: {report.chunks_added} texts become "
            f"short-term memory, {report.chunks_superseded} superseded."
        )


async def compare_tiers(narrator: Narrator, store: AgentMemoryStore, tenant: str, scripted: bool) -> None:
    """Ask the items, the consolidated tier through a store, and the memory beneath."""
    query = "vegetarian food"
    narrator.heading(f"Where the answers are: {query!r}")
    everything = AgentMemoryStore(store.memory, tiers=("active", "shortterm", "longterm"))
    items = await store.asearch((tenant,), query=query, limit=1)
    chunks = await everything.asearch((tenant, "preferences", "@shortterm"), query=query, limit=1)
    hits = await store.memory.asearch(tenant, query, tiers=["shortterm"], limit=1)
    if scripted and not (items and chunks and hits and hits[0].content == chunks[0].value["content"]):
        raise SystemExit("store_agent: a tier does not answer")
    narrator.facts(
        {
            "An item": shown(items, "text"),
            "Short-term": shown(chunks, "content"),
            "AgentMemory": "".join(f"{hit.content} ({hit.tier}, memory {hit.memory_id})" for hit in hits),
        }
    )
    narrator.paragraph(
        "The item is what the agent saved last; short-term memory knows what it learned before. Deleting an item "
        "deletes what was made from it, too. After a delete of 'food', the same search finds:"
    )
    await store.adelete((tenant, "preferences"), "food")
    left = await everything.asearch((tenant,), query=query)
    narrator.facts(
        {"What is left": ", ".join(f"{item.key} ({'/'.join(item.namespace[1:])})" for item in left) or "nothing"}
    )


def shown(found: list[SearchItem], field: str) -> str:
    return "".join(f"{item.value[field]} ({'/'.join(item.namespace[1:])}, {item.key})" for item in found)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", metavar="PROVIDER:MODEL", help="chat model; without one a scripted model stands in")
    parser.add_argument("--dsn", help="PostgreSQL with pgvector; without one an embedded server starts")
    parser.add_argument("--data-dir", metavar="DIR", help="the embedded server's folder; by default one per user")
    return parser.parse_args()


async def main() -> None:
    given = options()
    settings = AgentMemorySettings(avg_section_update_count=1)  # so low that two sessions consolidate; usually 5
    async with AgentMemoryStore.from_conn_string(given.dsn, data_dir=given.data_dir, settings=settings) as store:
        await tell(store, given.model or ScriptedTraveller(), scripted=not given.model)


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except AgentMemoryError as error:
        sys.exit(f"store_agent: {' '.join(str(error).split())}")
