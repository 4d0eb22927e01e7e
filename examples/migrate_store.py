"""An agent moves from LangGraph's AsyncPostgresStore and AsyncPostgresSaver: what it has stays, and is found.

python examples/migrate_store.py                                   an embedded PostgreSQL, no key, no network
python examples/migrate_store.py --dsn postgresql://user@host/db   your own PostgreSQL
"""

import argparse
import asyncio
import sys
from datetime import UTC, datetime
from typing import Any, TypedDict

from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.graph import START, StateGraph
from langgraph.store.base import BaseStore
from langgraph.store.postgres import AsyncPostgresStore
from narration import Narrator

from langgraph_agentmem import AgentMemory, AgentMemoryError, AgentMemorySaver, AgentMemoryStore


class Turn(TypedDict):
    user: str
    said: str
    answer: str


async def answer(state: Turn, *, store: BaseStore) -> dict[str, str]:
    """Note what is said, and tell what is known of it: the agent, which knows nothing of which store it has."""
    preferences = (state["user"], "preferences")
    if state["said"].endswith("?"):
        found = await store.asearch(preferences, limit=10)
        return {"answer": " ".join(item.value["text"] for item in reversed(found))}
    await store.aput(preferences, state["said"].split()[-1].strip("."), {"text": state["said"]})
    return {"answer": "Noted."}


def agent(checkpointer: Any, store: BaseStore) -> Any:
    graph = StateGraph(Turn)
    graph.add_node("answer", answer)
    graph.add_edge(START, "answer")
    return graph.compile(checkpointer=checkpointer, store=store)


def of(user: str) -> Any:
    return {"configurable": {"thread_id": f"thread of {user}"}}


# The story


async def before(narrator: Narrator, dsn: str, users: list[str]) -> None:
    """The agent as it was, on LangGraph's own store and checkpointer."""
    narrator.heading("Before: an agent on LangGraph's AsyncPostgresStore")
    async with (
        AsyncPostgresStore.from_conn_string(dsn) as store,
        AsyncPostgresSaver.from_conn_string(dsn) as saver,
    ):
        await store.setup()
        await saver.setup()
        for user, said in zip(users, ("I drink green tea.", "I like window seats."), strict=True):
            state = await agent(saver, store).ainvoke({"user": user, "said": said}, of(user))
            narrator.facts({user.partition("-")[0]: f"{said} – {state['answer']}"})
        await store.aput((users[0], "codes"), "door", {"text": "The code is 1234."}, ttl=60)


async def bring_along(narrator: Narrator, memory: AgentMemory) -> None:
    """What there is to do. It may be repeated, as long as the agent writes there."""
    report = await memory.imports.astore()
    narrator.facts({"Import": report.summary})
    if report.hash != report.source_hash or report.refused:
        raise SystemExit("migrate_store: not everything has arrived")


async def after(narrator: Narrator, memory: AgentMemory, users: list[str]) -> None:
    """The same agent, on this package's store and checkpointer."""
    narrator.heading("After: the same agent on AgentMemoryStore")
    store, saver = AgentMemoryStore(memory), AgentMemorySaver(memory)
    ada = users[0]
    door = await store.aget((ada, "codes"), "door", refresh_ttl=False)
    narrator.facts({"Kept": f"{door.value['text']} It was written at {door.created_at:%H:%M} by the old store."})
    thread = await agent(saver, store).aget_state(of(ada))
    narrator.facts({"Checkpoints": f"need no migration; ada's thread goes on behind {thread.values['said']!r}"})
    for said in ("I drink oolong tea.", "What do I drink?"):
        state = await agent(saver, store).ainvoke({"user": ada, "said": said}, of(ada))
        narrator.facts({"ada": f"{said} – {state['answer']}"})
    hits = await memory.asearch(ada, "tea", limit=1)
    narrator.facts({"Memory": f"the item is memory now, too: {hits[0].content}"})


async def tell(dsn: str | None, data_dir: str | None) -> None:
    narrator, stamp = Narrator(), f"{datetime.now(UTC):%Y%m%d-%H%M%S-%f}"
    users = [f"ada-{stamp}", f"bo-{stamp}"]
    async with AgentMemory.open(dsn, data_dir=data_dir) as memory:
        await before(narrator, str(memory.dsn), users)
        narrator.heading("The way over")
        await bring_along(narrator, memory)
        await bring_along(narrator, memory)
        await after(narrator, memory, users)
        narrator.paragraph("Once more, from a store that has not heard of what was written here since:")
        await bring_along(narrator, memory)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dsn", help="PostgreSQL with pgvector; without one an embedded server starts")
    parser.add_argument("--data-dir", metavar="DIR", help="the embedded server's folder; by default one per user")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        given = options()
        asyncio.run(tell(given.dsn, given.data_dir))
    except AgentMemoryError as error:
        sys.exit(f"migrate_store: {' '.join(str(error).split())}")
