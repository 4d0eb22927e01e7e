"""Measures the least that a put and a checkpoint with sections demand: `make bench`, or with numbers of rounds.

What `AgentMemoryStore` and `AgentMemorySaver` do besides LangGraph's stores and checkpointers (count updates on the
memory's row, write sections) is done here by one bare statement that checks nothing, on the tables of this package. No
implementation on them can be faster.
"""

import argparse
import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from functools import lru_cache
from typing import Any

from checkpointer import NEVER, WARM_UP, Thread
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.store.postgres.aio import AsyncPostgresStore
from psycopg import AsyncConnection, sql
from psycopg.rows import DictRow, dict_row
from server import database, started

from langgraph_agentmem import AgentMemory
from langgraph_agentmem.storage.driver.rows import RawStatement, as_array, as_json
from langgraph_agentmem.storage.langgraph import upstream
from langgraph_agentmem.storage.langgraph.inserts import Shape, as_one, ctes

PUTS_AT_ONCE = (1, 32)
CHECKPOINTS_AT_ONCE = (1, 16)
PER_ROUND = 96
TEXT = "The agent has looked at the weather, found a train, and asked for a seat by the window. "

COUNTED = """
counted AS (
    UPDATE agentmem.active_memory SET pending_updates = pending_updates + %(items)s, updated_at = now()
    WHERE external_id = %(external_id)s AND id = %(memory_id)s
)"""
PUT = sql.SQL(
    "WITH "
    + COUNTED
    + """
INSERT INTO agentmem.section (external_id, memory_id, section_id, position, value, revision, update_count,
                              total_updates, needs_chunking)
SELECT %(external_id)s, %(memory_id)s, u.key, 1000000, u.value::jsonb, 1, 1, 1, true
FROM unnest(%(keys)s::text[], %(values)s::text[]) AS u (key, value)"""
)
CHECKPOINT = sql.SQL(
    "WITH {stored}, "
    + COUNTED
    + """
UPDATE agentmem.section s
SET value = u.value::jsonb, revision = revision + 1, update_count = update_count + 1, updated_at = now(),
    needs_chunking = true
FROM unnest(%(keys)s::text[], %(values)s::text[]) AS u (key, value)
WHERE s.external_id = %(external_id)s AND s.memory_id = %(memory_id)s AND s.section_id = u.key"""
)

PUTTING = RawStatement(PUT)

Call = Callable[[int], Awaitable[Any]]
"""What one of several that work at once does, by its number."""


async def connect(dsn: str) -> AsyncConnection[DictRow]:
    return await AsyncConnection[DictRow].connect(dsn, autocommit=True, row_factory=dict_row, prepare_threshold=0)


@lru_cache
def putting(shape: Shape) -> RawStatement:
    """What inserts a checkpoint of this shape, and updates sections."""
    return RawStatement(CHECKPOINT.format(stored=ctes(shape)))


class BarePuts:
    """Items that are put together, into one memory."""

    def __init__(self, connection: AsyncConnection[DictRow], memory: int) -> None:
        self.connection, self.memory, self.number = connection, memory, 0

    async def put(self, items: int) -> None:
        keys = [f"key {self.number + i}" for i in range(items)]
        self.number += items
        values = as_array(as_json({"text": f"{TEXT}{key}"}) for key in keys)
        params = {"external_id": "alice", "memory_id": self.memory, "items": items}
        await PUTTING.execute(self.connection, params | {"keys": as_array(keys), "values": values})


class BareCheckpoints:
    """An agent's checkpoints, of which each changes two sections of its memory."""

    def __init__(self, connection: AsyncConnection[DictRow], tenant: str, memory: int, thread: Thread) -> None:
        self.connection, self.own = connection, {"external_id": tenant, "memory_id": memory}
        self.thread = thread
        self.serde = JsonPlusSerializer()

    async def put(self) -> None:
        checkpoint: Any = self.thread.next()
        texts = self.thread.texts()
        stored, put = await upstream.statements(
            self.serde, lambda saver: saver.put(self.thread.config, *checkpoint), large=False
        )
        one = as_one(put)
        assert one is not None
        values = as_array(as_json({"content": text}) for text in texts.values())
        params = one.params | self.own | {"items": len(texts), "keys": as_array(texts), "values": values}
        await putting(one.shape).execute(self.connection, params)
        self.thread.follow(stored)


async def compare(what: str, calls: Sequence[tuple[Call, int]], at_once: int, rounds: int, warm_up: int) -> None:
    """Print how long bare statements and LangGraph's take for what is done at once; they take turns in every round.

    Args:
        what: Is measured.
        calls: Of both, with how many work at once.
        at_once: What this stands for.
        rounds: Those that count.
        warm_up: Those before them.
    """
    taken: list[list[float]] = [[] for _ in calls]
    for turn in range(warm_up + rounds):
        for (call, workers), milliseconds in zip(calls, taken, strict=True):
            for _ in range(PER_ROUND // at_once):
                began = time.perf_counter()
                await asyncio.gather(*(call(worker) for worker in range(workers)))
                if turn >= warm_up:
                    milliseconds.append((time.perf_counter() - began) * 1e3)
    bare, theirs = map(statistics.median, taken)
    print(f"| {what} | {at_once} | {bare:.2f} | {theirs:.2f} | {theirs / bare:.2f} |", flush=True)


async def puts(server: str, at_once: int, rounds: int, warm_up: int) -> None:
    """Items without vectors; bare ones that are put at once are put together."""
    async with AsyncExitStack() as stack:
        dsn = database(server)
        memory = await stack.enter_async_context(AgentMemory.open(dsn, settings=NEVER))
        made = await memory.acreate_active_memory("alice", "items", {"sections": ["notes"]})
        bare = BarePuts(await stack.enter_async_context(await connect(dsn)), made.id)
        theirs = await stack.enter_async_context(AsyncPostgresStore.from_conn_string(database(server)))
        await theirs.setup()
        numbers = iter(range(10**9))

        async def put_theirs(_: int) -> None:
            key = f"key {next(numbers)}"
            await theirs.aput(("alice", "items"), key, {"text": f"{TEXT}{key}"})

        await compare("put", [(lambda _: bare.put(at_once), 1), (put_theirs, at_once)], at_once, rounds, warm_up)


async def checkpoints(server: str, at_once: int, rounds: int, warm_up: int) -> None:
    """Checkpoints of several agents, each of which has a memory and a connection."""
    async with AsyncExitStack() as stack:
        dsn = database(server)
        memory = await stack.enter_async_context(AgentMemory.open(dsn, settings=NEVER))
        theirs = await stack.enter_async_context(AsyncPostgresSaver.from_conn_string(database(server)))
        await theirs.setup()
        async with AsyncPostgresSaver.from_conn_string(dsn) as saver:
            await saver.setup()
        agents: list[BareCheckpoints] = []
        threads = [Thread(agent, 2, 1) for agent in range(at_once)]
        for agent in range(at_once):
            tenant, thread = f"user {agent}", Thread(agent, 2, 1)
            contents = dict.fromkeys(thread.texts(), "as yet unknown")
            made = await memory.acreate_active_memory(tenant, "state", {"sections": list(contents)}, contents)
            connection = await stack.enter_async_context(await connect(dsn))
            agents.append(BareCheckpoints(connection, tenant, made.id, thread))

        async def put_theirs(agent: int) -> None:
            checkpoint: Any = threads[agent].next()
            threads[agent].follow(await theirs.aput(threads[agent].config, *checkpoint))

        calls = [(lambda agent: agents[agent].put(), at_once), (put_theirs, at_once)]
        await compare("checkpoint", calls, at_once, rounds, warm_up)


async def main() -> None:
    """Everything, on one embedded server."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rounds", type=int, nargs="?", default=20)
    parser.add_argument("--warm-up", type=int, default=WARM_UP, help="rounds before these")
    given = parser.parse_args()
    server = started()
    print("| call | at once | bare statements, ms for all | LangGraph's | ratio |\n|---|---|---|---|---|")
    for at_once in PUTS_AT_ONCE:
        await puts(server, at_once, given.rounds, given.warm_up)
    for at_once in CHECKPOINTS_AT_ONCE:
        await checkpoints(server, at_once, given.rounds, given.warm_up)


if __name__ == "__main__":
    asyncio.run(main())
