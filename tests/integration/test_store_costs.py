"""What the store does costs no more the more there is: what it reads is counted by the server."""

import asyncio
from typing import Any

import pytest

from langgraph_agentmem import AgentMemory
from langgraph_agentmem.storage.driver.tenants import NOBODY
from langgraph_agentmem.store import AgentMemoryStore

COUNTED = (
    "SELECT t.relname, coalesce(t.seq_tup_read, 0) + "
    "(SELECT sum(i.idx_tup_read) FROM pg_stat_user_indexes i WHERE i.relid = t.relid)::int AS rows "
    "FROM pg_stat_user_tables t "
    "WHERE t.schemaname = 'agentmem' AND t.relname IN ('section', 'memory_chunk')"
)


async def rows_read(memory: AgentMemory) -> dict[str, int]:
    """Rows that were read so far, by table."""
    async with memory.resources.database.connection(NOBODY) as connection:
        await connection.execute("SELECT pg_stat_force_next_flush()")
        cursor = await connection.execute(COUNTED)
        return {row["relname"]: row["rows"] for row in await cursor.fetchall()}


@pytest.fixture
def store(opened: Any) -> AgentMemoryStore:
    """One connection, whose plans are made while the database is empty, and of which no statistics exist."""
    return AgentMemoryStore(opened(settings={"pool_size": 1}))


async def put(store: AgentMemoryStore, first: int, count: int, value: str = "alpha\n\n- beta") -> None:
    await asyncio.gather(
        *(store.aput(("alice", "notes"), f"{n}", {"text": value}) for n in range(first, first + count))
    )


@pytest.mark.parametrize("at_once", [1, 8, 32])
async def test_putting_new_items_reads_none_of_those_that_are_there(store: AgentMemoryStore, at_once: int) -> None:
    for first in range(0, 320, at_once):
        await put(store, first, at_once)
    before = await rows_read(store.memory)
    for first in range(320, 384, at_once):
        await put(store, first, at_once)
    after = await rows_read(store.memory)

    read = {table: after[table] - before[table] for table in after}
    assert read["memory_chunk"] == read["section"] == 0
