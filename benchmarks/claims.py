"""What it costs to take a memory from a long queue, and how long a small tenant waits behind a large one.

    python benchmarks/claims.py [--due 1000 100000] [--claims 300]

One worker's looks and claims, one after the other, without the runs themselves, on an embedded server.
"""

import argparse
import asyncio
import time

import psycopg
from server import database, started

from langgraph_agentmem import AgentMemory
from langgraph_agentmem.operations.queue.offering import Offers
from langgraph_agentmem.storage import queue

_OFFERED = 104
"""As many as a worker of four runs at once asks for."""
_LOOKS = 20
_DUE = """
INSERT INTO agentmem.active_memory (external_id, namespace, title, template, due_at)
SELECT %(tenant)s, ARRAY[%(tenant)s, i::text], i::text, '{"sections": []}', now()
FROM generate_series(1, %(count)s) AS i"""


async def main() -> None:
    """Measure queues of several lengths."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--due", type=int, nargs="+", default=[1_000, 100_000])
    parser.add_argument("--claims", type=int, default=300)
    options = parser.parse_args()
    server = started()
    print("| due | a look, ms | claims a second | runs before a small tenant's |\n|---|---|---|---|")
    for due in options.due:
        dsn = database(server)
        async with AgentMemory.open(dsn) as memory:
            with psycopg.connect(dsn, autocommit=True) as connection:
                connection.execute(_DUE, {"tenant": "large", "count": due})
                connection.execute("VACUUM ANALYZE agentmem.active_memory")
            look = await _look(memory)
            rate = await _claims(memory, min(options.claims, due))
            with psycopg.connect(dsn, autocommit=True) as connection:
                connection.execute(_DUE, {"tenant": "small", "count": 1})
            before = await _before(memory, "small")
        print(f"| {due:,} | {look * 1_000:.1f} | {rate:,.0f} | {before} |", flush=True)


async def _look(memory: AgentMemory) -> float:
    """Seconds of a look, the middle one of some."""
    offers, seconds = Offers(memory.resources, None), list[float]()
    for _ in range(_LOOKS):
        begun = time.perf_counter()
        await offers.next(_OFFERED)
        seconds.append(time.perf_counter() - begun)
    return sorted(seconds)[_LOOKS // 2]


async def _claims(memory: AgentMemory, count: int) -> float:
    """Memories leased in a second, with the looks for them."""
    offers, claimed, begun = Offers(memory.resources, None), 0, time.perf_counter()
    while claimed < count:
        for tenant, memory_id in await offers.next(_OFFERED):
            async with memory.resources.database.transaction(tenant) as connection:
                run = f"00000000-0000-0000-0000-{claimed:012}"
                claimed += await queue.lease(connection, tenant, memory_id, run, 600, if_due=True) is not None
    return claimed / (time.perf_counter() - begun)


async def _before(memory: AgentMemory, tenant: str) -> int:
    """How many memories of others are offered before the first one of a tenant."""
    offers, passed = Offers(memory.resources, None), 0
    while True:
        tenants = [each for each, _ in await offers.next(_OFFERED)]
        if tenant in tenants:
            return passed + tenants.index(tenant)
        passed += len(tenants)


if __name__ == "__main__":
    asyncio.run(main())
