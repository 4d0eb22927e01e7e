"""How long it takes to forget a tenant, and to look again at what its receipt says: `python benchmarks/receipts.py`.

Tenants of several sizes are written, consolidated and promoted through the public API, with a stand-in for a model that
takes each capitalised word for an entity. All memories speak of Ada, so that all of a tenant's memories have given to
one long-term entity, and of a few others. One tenant more stays, which nothing of this may touch.

    python benchmarks/receipts.py --chunks 1000 10000 100000       about a quarter of an hour, most of it for writing

    transaction   the longest that was seen while the tenant was forgotten: so long was a lock held at most (s)
    trips         round trips
"""

import argparse
import asyncio
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo
from server import database, started
from stand_in import StandInModel

from langgraph_agentmem import AgentMemory, AgentMemorySettings

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from wire import wire

SECTIONS, OTHERS, AT_ONCE = 10, 40, 2
SETTINGS = AgentMemorySettings(
    max_pending_minutes=None, max_pending_updates=10**6, avg_section_update_count=1e6, answer_timeout_seconds=600
)
FORGETTER, OTHER = "forgetter", "another tenant"
OPEN = """
SELECT coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0)::float8 FROM pg_stat_activity
WHERE application_name = %s AND state <> 'idle'"""
HEADER = ["chunks", "memories", "rows", "forget s", "ms a chunk", "trips", "transaction s", "verify ms", "trips"]


def texts(memory: int, chunks: int) -> dict[str, str]:
    """A memory's sections, with a chunk a line."""
    lines = [f"- Ada asked Person{(memory + line) % OTHERS} for report {memory} {line}." for line in range(chunks)]
    return {f"s{n}": "\n".join(lines[n::SECTIONS]) for n in range(SECTIONS)}


async def fill(memory: AgentMemory, tenant: str, memories: int, chunks: int) -> None:
    """Memories that are consolidated and promoted."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def write(number: int) -> None:
        async with turns:
            template = {"sections": [f"s{n}" for n in range(SECTIONS)]}
            made = await memory.acreate_active_memory(tenant, f"Notes {number}", template)
            edits = [{"section_id": id, "new_content": text} for id, text in texts(number, chunks).items() if text]
            await memory.aupdate_active_memory_sections(tenant, made.id, edits)
            await memory.aconsolidate(tenant, made.id)
            await memory.apromote(tenant, made.id, force=True)

    await asyncio.gather(*(write(number) for number in range(memories)))


@asynccontextmanager
async def watched(dsn: str) -> AsyncGenerator[list[float]]:
    """How long the forgetter's transactions have been open whenever it was looked."""
    seen, over = [0.0], asyncio.Event()

    async def look() -> None:
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
            while not over.is_set():
                row = await (await connection.execute(OPEN, [FORGETTER])).fetchone()
                seen.append(row[0] if row else 0.0)
                await asyncio.sleep(0.02)

    task = asyncio.create_task(look())
    yield seen
    over.set()
    await task


async def row(dsn: str, chunks: int, a_memory: int) -> list[str]:
    """What it takes for a tenant of so many chunks."""
    memories = max(chunks // a_memory, 1)
    async with AgentMemory.open(dsn, settings=SETTINGS, model=StandInModel()) as memory:
        await fill(memory, f"{chunks} chunks", memories, min(chunks, a_memory))
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
    alone = SETTINGS.model_copy(update={"pool_size": 1})
    async with AgentMemory.open(make_conninfo(dsn, application_name=FORGETTER), settings=alone) as memory:
        await memory.queue.astatus()  # which takes the connection that is looked at
        async with wire(memory) as traffic, watched(dsn) as seen:
            began = time.perf_counter()
            receipt = await memory.aforget_tenant(f"{chunks} chunks")
            forgotten = time.perf_counter() - began
            trips = traffic.round_trips
        async with wire(memory) as traffic:
            began = time.perf_counter()
            check = await memory.averify_receipt(receipt)
            verified = time.perf_counter() - began
            assert check.gone, check
            verify_trips = traffic.round_trips
        assert receipt.removed["active_memory"] == memories
        shown = [chunks, memories, sum(receipt.removed.values())]
        return [
            *(f"{number:,}" for number in shown),
            f"{forgotten:.1f}",
            f"{1e3 * forgotten / chunks:.2f}",
            f"{trips:,}",
            f"{max(seen):.2f}",
            f"{1e3 * verified:.0f}",
            str(verify_trips),
        ]


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--memory", type=int, default=100, help="chunks of each memory")
    given = parser.parse_args()
    dsn = database(started())
    async with AgentMemory.open(dsn, settings=SETTINGS, model=StandInModel()) as memory:
        await fill(memory, OTHER, max(given.chunks[0] // given.memory, 1), given.memory)
    for cells in (HEADER, ["---"] * len(HEADER)):
        print(f"| {' | '.join(cells)} |")
    for chunks in given.chunks:
        print(f"| {' | '.join(await row(dsn, chunks, given.memory))} |", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
