"""Measures section updates beside a peer, consolidation without a model, and heap-only updates: `make bench`.

Everything runs in one process against one embedded PostgreSQL in a temporary folder. Contestants take turns in every
round, so that whatever disturbs the machine disturbs all of them.
"""

import argparse
import asyncio
import hashlib
import os
import platform
import statistics
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager

import psycopg
from folders import temporary
from langchain_core.embeddings import Embeddings
from psycopg.conninfo import make_conninfo

from langgraph_agentmem import ActiveMemory, AgentMemory

SIZES = (1, 5, 20, 50)
ROUNDS = 30
WARM_UP = 3
MEMORIES = 60
SECTIONS = 5
DIMENSIONS = 384
PROMOTED = 30

Contestant = Callable[[int, str], Awaitable[object]]
"""Writes so many sections or items, whose texts contain a mark that changes every time."""


class HashEmbedder(Embeddings):
    """Vectors of the usual size, at next to no cost."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        digest = hashlib.shake_256(text.encode()).digest(DIMENSIONS)
        return [byte / 255 - 0.5 for byte in digest]


def text_of(index: int, mark: str) -> str:
    """A section of three statements, of which one changes."""
    return (
        f"- Task {index}: the review of the draft is with the editors until the end of the week\n"
        f"- Status of task {index}: {mark}\n"
        f"- Owner {index}: the person who wrote the first version, as agreed in the last meeting\n"
    )


async def project(memory: AgentMemory, tenant: str, title: str, sections: int) -> ActiveMemory:
    """A memory whose sections are filled already."""
    template = {"sections": [f"s{i}" for i in range(sections)]}
    contents = {f"s{i}": text_of(i, "new") for i in range(sections)}
    return await memory.acreate_active_memory(tenant, title, template, contents)


# Updates


async def batch_of_sections(memory: AgentMemory) -> Contestant:
    """One call for all sections."""
    created = await project(memory, "bench", "batch", max(SIZES))

    async def write(count: int, mark: str) -> object:
        edits = [{"section_id": f"s{i}", "new_content": text_of(i, mark)} for i in range(count)]
        return await memory.aupdate_active_memory_sections("bench", created.id, edits)

    return write


async def single_sections(memory: AgentMemory) -> Contestant:
    """One call a section."""
    created = await project(memory, "bench", "single", max(SIZES))

    async def write(count: int, mark: str) -> object:
        for i in range(count):
            await memory.aupdate_active_memory_section("bench", created.id, f"s{i}", text_of(i, mark))
        return None

    return write


@asynccontextmanager
async def peer(server: str) -> AsyncGenerator[dict[str, Contestant]]:
    """LangGraph's own store on the same server, in a database of its own; nothing where it is not installed."""
    try:
        from langgraph.store.base import PutOp  # noqa: PLC0415
        from langgraph.store.postgres.aio import AsyncPostgresStore  # noqa: PLC0415
    except ImportError:
        print("The peer is left out: pip install langgraph-checkpoint-postgres brings it.\n")
        yield {}
        return
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("CREATE DATABASE bench_peer TEMPLATE template0 ENCODING 'UTF8'")
    async with AsyncPostgresStore.from_conn_string(make_conninfo(server, dbname="bench_peer")) as store:
        await store.setup()

        async def batch(count: int, mark: str) -> object:
            return await store.abatch(
                [PutOp(("bench", "batch"), f"s{i}", {"content": text_of(i, mark)}) for i in range(count)]
            )

        async def single(count: int, mark: str) -> object:
            for i in range(count):
                await store.aput(("bench", "single"), f"s{i}", {"content": text_of(i, mark)})
            return None

        yield {"AsyncPostgresStore, one abatch": batch, "AsyncPostgresStore, N aput": single}


async def measure_updates(memory: AgentMemory, server: str) -> None:
    """Medians of every contestant at every size, and how they relate to the batch."""
    async with peer(server) as peers:
        contestants = {
            "agentmem, one batch": await batch_of_sections(memory),
            "agentmem, N updates": await single_sections(memory),
            **peers,
        }
        medians = {size: await medians_of(contestants, size) for size in SIZES}
    print("### Writing N sections (milliseconds, median; in brackets: times the batch of sections)\n")
    table(
        ["", *(f"N = {size}" for size in SIZES)],
        ([name, *(cell(medians[size], name) for size in SIZES)] for name in contestants),
    )
    print(
        "An update locks the memory, counts, cuts the texts into chunks, compares them with the stored ones and\n"
        "indexes their words. A put of the store (without an index) writes one row and nothing else: a lower bound.\n"
    )


async def medians_of(contestants: dict[str, Contestant], size: int) -> dict[str, float]:
    """Seconds by contestant; they take turns."""
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for round_ in range(WARM_UP + ROUNDS):
        for name, write in contestants.items():
            started = time.perf_counter()
            await write(size, f"in round {round_} of {size}")
            if round_ >= WARM_UP:
                seconds[name].append(time.perf_counter() - started)
    return {name: statistics.median(values) for name, values in seconds.items()}


def cell(medians: dict[str, float], name: str) -> str:
    return f"{medians[name] * 1000:.1f} ({medians[name] / medians['agentmem, one batch']:.2f})"


# Consolidation


async def measure_consolidation(memory: AgentMemory) -> None:
    """Memories and sections that one caller consolidates in a second, without a model."""
    memories = [await project(memory, "bench-runs", f"memory {i}", SECTIONS) for i in range(MEMORIES)]
    first = await project(memory, "bench-runs", "first", SECTIONS)
    await memory.aconsolidate("bench-runs", first.id)  # which imports what consolidates
    rows: list[list[str]] = []
    for label, mark in (("first run: all chunks are new", "drafted"), ("second run: one statement a section", "sent")):
        for created in memories:
            edits = [{"section_id": f"s{i}", "new_content": text_of(i, mark)} for i in range(SECTIONS)]
            await memory.aupdate_active_memory_sections("bench-runs", created.id, edits)
        started = time.perf_counter()
        reports = [await memory.aconsolidate("bench-runs", created.id) for created in memories]
        seconds = time.perf_counter() - started
        superseded = sum(report.chunks_superseded for report in reports)
        rows.append([label, f"{MEMORIES / seconds:.0f}", f"{MEMORIES * SECTIONS / seconds:.0f}", str(superseded)])
    print(f"### Consolidation by rules ({MEMORIES} memories of {SECTIONS} changed sections, one after the other)\n")
    table(["", "memories/s", "sections/s", "chunks superseded"], rows)


# Heap-only updates


async def measure_heap_only(memory: AgentMemory) -> None:
    """The share of the chunks' updates that touched no index, with vectors of 384 dimensions in an HNSW index."""
    memories = [await project(memory, "bench-tiers", f"memory {i}", SECTIONS) for i in range(PROMOTED)]
    for created in memories:
        edits = [{"section_id": f"s{i}", "new_content": text_of(i, "drafted")} for i in range(SECTIONS)]
        await memory.aupdate_active_memory_sections("bench-tiers", created.id, edits)
    rows: list[list[str]] = []

    async def consolidate(id: int) -> object:
        return await memory.aconsolidate("bench-tiers", id)

    async def promote(id: int) -> object:
        return await memory.apromote("bench-tiers", id, force=True)

    for label, step in (("consolidating", consolidate), ("promoting", promote)):
        before = await chunk_updates(memory)
        started = time.perf_counter()
        for created in memories:
            await step(created.id)
        seconds = time.perf_counter() - started
        updated, heap_only = (b - a for a, b in zip(before, await chunk_updates(memory), strict=True))
        rows.append([label, str(updated), f"{heap_only / updated:.0%}", f"{seconds / PROMOTED * 1000:.1f}"])
    print(f"### Heap-only updates of memory_chunk ({PROMOTED} memories, {DIMENSIONS} dimensions)\n")
    table(["", "chunks updated", "heap-only", "ms per memory"], rows)


async def chunk_updates(memory: AgentMemory) -> tuple[int, int]:
    """(updates, heap-only ones) so far; a session hands its counts in when it ends."""
    await memory.aclose()
    await asyncio.sleep(1)
    assert memory.dsn is not None
    with psycopg.connect(memory.dsn, autocommit=True) as connection:
        row = connection.execute(
            "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables "
            "WHERE schemaname = 'agentmem' AND relname = 'memory_chunk'"
        ).fetchone()
    assert row is not None
    return row[0], row[1]


def table(header: list[str], rows: Iterable[list[str]]) -> None:
    """Print a Markdown table."""
    for line in (header, ["---"] * len(header), *rows):
        print(f"| {' | '.join(line)} |")
    print()


async def main() -> None:
    global SIZES, ROUNDS, MEMORIES, PROMOTED
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="sections that are written at once")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument(
        "--memories", type=int, default=MEMORIES, help="that are consolidated; half as many are promoted"
    )
    given = parser.parse_args()
    SIZES, ROUNDS, MEMORIES, PROMOTED = given.sizes, given.rounds, given.memories, given.memories // 2
    folder = temporary() / "data"
    async with AgentMemory.open(data_dir=folder) as memory:
        assert memory.dsn is not None
        with psycopg.connect(memory.dsn) as connection:
            version = connection.execute("SHOW server_version").fetchone()
        print(f"Python {platform.python_version()}, PostgreSQL {version and version[0]}, {os.cpu_count()} cores\n")
        await measure_updates(memory, make_conninfo(memory.dsn, dbname="postgres"))
        await measure_consolidation(memory)
    async with AgentMemory.open(data_dir=folder, index=HashEmbedder()) as memory:
        await measure_heap_only(memory)


if __name__ == "__main__":
    asyncio.run(main())
