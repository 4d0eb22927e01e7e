"""Whether anything grows, leaks or gets lost in a long run of a realistic mix: `python benchmarks/soak.py`.

Clients on one event loop update sections, edit several at once, put, get and search items, store checkpoints with
mapped sections, and retrieve, for some hundred tenants, of which some are busier than others; worker processes
consolidate by rules, without a chat model, with a deterministic embedder. They go on until so many operations and
consolidations are done. Every few seconds it is sampled what the processes and the server look like.

In the end everything that was written has to be there, with its count; whatever was due has to be consolidated; no run
may be left running. If not, the program says what differs and fails.

    python benchmarks/soak.py                                  50,000 operations, 5,000 consolidations: about 20 minutes
    python benchmarks/soak.py --operations 500 --consolidations 50 --tenants 10 --rate 0
    python benchmarks/soak.py --out FOLDER                     writes soak.jsonl and soak.svg there
"""

import argparse
import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any

import psycopg
from checkpointer import Thread, config
from hashed_embeddings import INDEX
from plotting import charts
from psycopg.conninfo import make_conninfo
from sampling import Sample, Sampler, summed
from server import database, started
from writing import table

from langgraph_agentmem import AgentMemory, AgentMemorySaver, AgentMemorySettings, AgentMemoryStore, MemoryWorker

CLIENT, WORKER = "soak-client", "soak-worker"
SECTIONS = ("plan", "people", "open", "done")
MEMORIES, KEYS = 2, 25
"""Memories of a tenant, and items that it puts again and again."""
MIX = {"section": 30, "batch": 15, "put": 15, "get": 10, "search": 8, "checkpoint": 12, "retrieve": 10}
NAMES = ("Ada", "Bo", "Cleo", "Dan", "Eve", "Finn", "Gus", "Hal")
THINGS = ("engine", "budget", "launch date", "supplier", "test rig", "report", "contract", "prototype")
STATES = ("approved", "late", "on hold", "done", "in review", "cancelled", "ordered", "broken")
SETTINGS = AgentMemorySettings(avg_section_update_count=1.5, max_pending_updates=6, shortterm_update_threshold=5)
"""A memory is due at each sixth update, so that about every tenth operation leads to a consolidation."""
MOST_DRAWN = 150
STARTED = "SELECT count(*) FROM pg_stat_activity WHERE query = 'LISTEN agentmem_due'"
BUSY = "SELECT count(*) FROM agentmem.active_memory WHERE due_at <= now() OR lease_owner IS NOT NULL"


@dataclass
class Written:
    """What was written into a section or an item.

    Attributes:
        last: By client, its last text: clients write into the same memories, and any of them may have come last.
    """

    count: int = 0
    last: dict[int, str] = field(default_factory=dict[int, str])


class Load:
    """Clients, and what they have written."""

    def __init__(self, memory: AgentMemory, tenants: int, chance: random.Random) -> None:
        self.memory, self.store = memory, AgentMemoryStore(memory)
        self.saver = AgentMemorySaver(memory, sections={name: name for name in ("progress", "facts")})
        self.done, self.by_kind, self.taken = 0, Counter[str](), list[float]()
        self.sections: dict[tuple[str, int, str], Written] = {}
        self.items: dict[tuple[str, str], Written] = {}
        self.threads = [Thread(tenant, 2, 2) for tenant in range(tenants)]
        self.saved = Counter[int]()
        self._turns = [asyncio.Lock() for _ in range(tenants)]
        self._keys = defaultdict[tuple[int, str], asyncio.Lock](asyncio.Lock)
        self._memories: dict[str, list[int]] = {}
        self._chance = chance
        self._shares = list(accumulate(1 / (number + 10) for number in range(tenants)))

    async def fill(self) -> None:
        """Make the tenants' memories."""
        for tenant in range(len(self.threads)):
            name = f"user {tenant}"
            for number in range(MEMORIES):
                made = await self.memory.acreate_active_memory(name, f"Notes {number}", {"sections": list(SECTIONS)})
                self._memories.setdefault(name, []).append(made.id)

    async def work(self, client: int, goes_on: Callable[[], bool], pause: Callable[[], Awaitable[None]]) -> None:
        """One client's operations, one after the other."""
        while goes_on():
            [tenant] = self._chance.choices(range(len(self._shares)), cum_weights=self._shares)
            [kind] = self._chance.choices(list(MIX), list(MIX.values()))
            began = time.perf_counter()
            await getattr(self, kind)(client, tenant)
            self.taken.append(time.perf_counter() - began)
            self.by_kind[kind] += 1
            self.done += 1
            await pause()

    def _text(self, lines: int = 4) -> str:
        """Statements of which some correct others that were written before; no text comes twice."""
        said = [
            f"- The {self._chance.choice(THINGS)} of {self._chance.choice(NAMES)} is {self._chance.choice(STATES)}."
            for _ in range(lines)
        ]
        return "\n".join([*said, f"- Note {self._chance.getrandbits(60)} was taken."])

    async def _edit(self, client: int, tenant: int, names: Sequence[str]) -> None:
        name = f"user {tenant}"
        id = self._chance.choice(self._memories[name])
        texts = {section: self._text() for section in names}
        for section, text in texts.items():
            self._note(self.sections, (name, id, section), client, text)
        edits = [{"section_id": section, "new_content": text} for section, text in texts.items()]
        await self.memory.aupdate_active_memory_sections(name, id, edits)

    def _note(self, where: dict[Any, Written], key: object, client: int, text: str) -> None:
        written = where.setdefault(key, Written())
        written.count += 1
        written.last[client] = text

    async def section(self, client: int, tenant: int) -> None:
        await self._edit(client, tenant, [self._chance.choice(SECTIONS)])

    async def batch(self, client: int, tenant: int) -> None:
        await self._edit(client, tenant, self._chance.sample(SECTIONS, 3))

    async def put(self, client: int, tenant: int) -> None:
        key, text = f"k{self._chance.randrange(KEYS)}", self._text(1)
        async with self._keys[tenant, key]:  # of puts of one key in one tick, a store carries out the last
            self._note(self.items, (f"user {tenant}", key), client, text)
            await self.store.aput((f"user {tenant}", "items"), key, {"text": text})

    async def get(self, client: int, tenant: int) -> None:
        await self.store.aget((f"user {tenant}", "items"), f"k{self._chance.randrange(KEYS)}")

    async def search(self, client: int, tenant: int) -> None:
        query = f"What of the {self._chance.choice(THINGS)} of {self._chance.choice(NAMES)}?"
        await self.store.asearch((f"user {tenant}", "items"), query=query, limit=5)

    async def checkpoint(self, client: int, tenant: int) -> None:
        thread = self.threads[tenant]
        async with self._turns[tenant]:  # a graph stores one checkpoint of a thread after the other
            thread.follow(await self.saver.aput(thread.config, *thread.next()))
            await self.saver.aput_writes(thread.unwritten.pop(), [("step", thread.step)], f"task {thread.step}")
            self.saved[tenant] += 1

    async def retrieve(self, client: int, tenant: int) -> None:
        query = f"Is the {self._chance.choice(THINGS)} of {self._chance.choice(NAMES)} late?"
        await self.memory.asearch(f"user {tenant}", query, limit=10)


# Whether everything is there


def differences(dsn: str, load: Load) -> list[str]:
    """What is not as it was written, in words; empty if all is well."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        return [
            *_values(connection, load),
            *_checkpoints(connection, load),
            *(f"{what}: {count}" for what, sql in NEVER.items() for (count,) in connection.execute(sql) if count),
        ]


NEVER = {
    "runs left running": "SELECT count(*) FROM agentmem.consolidation_run WHERE status = 'running'",
    "runs that failed": "SELECT count(*) FROM agentmem.consolidation_run WHERE status NOT IN ('running', 'applied')",
    "memories still due, held or set aside": "SELECT count(*) FROM agentmem.active_memory "
    "WHERE due_at <= now() OR lease_owner IS NOT NULL OR dead_at IS NOT NULL",
    "memories whose count of updates is not that of their sections": "SELECT count(*) FROM agentmem.active_memory m "
    "WHERE pending_updates <> (SELECT coalesce(sum(update_count), 0) FROM agentmem.section s "
    "WHERE s.external_id = m.external_id AND s.memory_id = m.id)",
    "memories whose runs and pending updates are not all that was written": "SELECT count(*) "
    "FROM agentmem.active_memory m WHERE (SELECT coalesce(sum(total_updates), 0) FROM agentmem.section s "
    "WHERE s.external_id = m.external_id AND s.memory_id = m.id) <> pending_updates + "
    "(SELECT coalesce(sum((report ->> 'updates_consumed')::int), 0) FROM agentmem.consolidation_run r "
    "WHERE r.external_id = m.external_id AND r.memory_id = m.id AND r.status = 'applied' "
    "AND r.resolver IS DISTINCT FROM 'promotion')",
    "memories with enough updates that are not due": "SELECT count(*) FROM agentmem.active_memory "
    f"WHERE pending_updates >= {SETTINGS.max_pending_updates}",
    "consolidated chunks of no short-term memory": "SELECT count(*) FROM agentmem.memory_chunk "
    "WHERE tier <> 'active' AND shortterm_memory_id IS NULL",
}
"""What there has to be none of."""


def _values(connection: psycopg.Connection[Any], load: Load) -> list[str]:
    found: dict[Any, tuple[int, str]] = {}
    rows = connection.execute(
        "SELECT external_id, memory_id, section_id, revision, value FROM agentmem.section WHERE total_updates > 0"
    )
    for tenant, id, section, revision, value in rows:
        if section in SECTIONS:
            found[tenant, id, section] = (revision - 1, value["content"])  # the first is that of the template
        elif "text" in value:
            found[tenant, section] = (revision, value["text"])
    written = {**load.sections, **load.items}
    missing = [f"{key}: not there" for key in written.keys() - found.keys()]
    unexpected = [f"{key}: not written" for key in found.keys() - written.keys()]
    counts = [
        f"{key}: {found[key][0]} revisions of {each.count}"
        for key, each in written.items()
        if key in found and found[key][0] != each.count
    ]
    texts = [
        f"{key}: has {found[key][1]!r}, which nobody wrote last"
        for key, each in written.items()
        if key in found and found[key][1] not in each.last.values()
    ]
    return [*missing, *unexpected, *counts, *texts]


def _checkpoints(connection: psycopg.Connection[Any], load: Load) -> list[str]:
    counted = dict(connection.execute("SELECT thread_id, count(*) FROM checkpoints GROUP BY 1").fetchall())
    wanted = {config(tenant)["configurable"]["thread_id"]: count for tenant, count in load.saved.items()}
    return [] if counted == wanted else [f"checkpoints: {sum(counted.values())} of {sum(wanted.values())}"]


# Workers


async def work(dsn: str) -> None:
    """What a worker process does."""
    async with AgentMemory.open(dsn, settings=SETTINGS, index=INDEX) as memory:
        worker = MemoryWorker(memory)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, worker.stop)
        await worker.arun()


@asynccontextmanager
async def workers(dsn: str, count: int) -> AsyncGenerator[dict[str, int]]:
    """Worker processes that listen; yields their ids by name."""
    named = make_conninfo(dsn, application_name=WORKER)
    begun = [
        await asyncio.create_subprocess_exec(sys.executable, __file__, "--work", named, stdout=subprocess.DEVNULL)
        for _ in range(count)
    ]
    await until(dsn, STARTED, lambda listening: listening >= count)
    try:
        yield {f"worker {number}": process.pid for number, process in enumerate(begun, 1)}
    finally:
        for process in begun:
            process.terminate()
        for process in begun:
            await process.wait()


async def until(dsn: str, sql: str, fits: Callable[[int], bool]) -> None:
    """Ask until a count fits."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        while not fits((connection.execute(sql).fetchone() or (0,))[0]):  # noqa: ASYNC110
            await asyncio.sleep(0.1)


def paced(rate: float) -> Callable[[], Awaitable[None]]:
    """Waits for the next turn of so many a second, of all who call it together; for nothing at 0."""
    began, turns = time.perf_counter(), 0

    async def pause() -> None:
        nonlocal turns
        turns += 1
        ahead = began + turns / rate - time.perf_counter() if rate else 0.0
        await asyncio.sleep(max(ahead, 0.0))

    return pause


# Figures


def panels(samples: Sequence[Sample]) -> dict[str, dict[str, list[float]]]:
    """What is drawn."""
    tables = ("active_memory", "section", "memory_chunk", "consolidation_run", "checkpoints", "checkpoint_blobs")

    def of(name: str, value: Callable[[dict[str, int]], float]) -> list[float]:
        return [value(sample["tables"][name]) for sample in samples]

    return {
        "Resident memory, MB": {name: [s["megabytes"][name] for s in samples] for name in samples[0]["megabytes"]},
        "Connections": {state: summed(samples, "connections", f", {state}") for state in
                        ("active", "idle", "idle in transaction")},
        "Queue": {name: [s["queue"][name] for s in samples] for name in ("due", "running", "lag_seconds")},
        "Dead rows, % of all": {name: of(name, lambda t: 100 * t["dead"] / max(t["live"] + t["dead"], 1))
                                for name in tables[:3]},
        "Tables with indexes, MB": {name: of(name, lambda t: (t["bytes"] + t["index_bytes"]) / 2**20)
                                    for name in tables[2:]},
        "Small tables with indexes, MB": {name: of(name, lambda t: (t["bytes"] + t["index_bytes"]) / 2**20)
                                          for name in tables[:2]},
    }  # fmt: skip


def quarters(samples: Sequence[Sample]) -> list[list[str]]:
    """Rows of the table: how each quarter of the run ended."""
    last = samples[-1]["seconds"]
    ends = [max((s for s in samples if s["seconds"] <= last * part / 4), key=lambda s: s["done"]) for part in (1, 2, 3)]
    return [_row(sample) for sample in [*ends, samples[-1]]]


HEADER = ["seconds", "operations", "consolidations", "client MB", "workers MB", "connections", "in transaction",
          "due", "lag s", "chunks", "bytes a chunk", "bytes a memory", "bytes a run", "dead chunks %"]  # fmt: skip


def _row(sample: Sample) -> list[str]:
    memory = sample["megabytes"]
    names = ("memory_chunk", "active_memory", "consolidation_run")
    chunks, memories, runs = (sample["tables"][name] for name in names)
    return [
        f"{sample['seconds']:.0f}",
        f"{sample['done']:,}",
        f"{sample['applied']:,}",
        f"{memory['client']:.0f}",
        " + ".join(f"{size:.0f}" for name, size in memory.items() if name != "client"),
        f"{sum(sample['connections'].values()):.0f}",
        f"{summed([sample], 'connections', 'in transaction')[0]:.0f}",
        f"{sample['queue']['due']}",
        f"{sample['queue']['lag_seconds']:.1f}",
        f"{chunks['live']:,}",
        *(f"{(each['bytes'] + each['index_bytes']) / max(each['live'], 1):,.0f}" for each in (chunks, memories, runs)),
        f"{100 * chunks['dead'] / max(chunks['live'] + chunks['dead'], 1):.0f}",
    ]


async def run(given: argparse.Namespace) -> None:
    dsn = database(started())
    named = make_conninfo(dsn, application_name=CLIENT)
    async with AsyncExitStack() as stack:
        memory = await stack.enter_async_context(AgentMemory.open(named, settings=SETTINGS, index=INDEX))
        load = Load(memory, given.tenants, random.Random(given.seed))
        await load.saver.asetup()
        await load.fill()
        processes = await stack.enter_async_context(workers(dsn, given.workers))
        sampler = Sampler(dsn, {"client": os.getpid(), **processes}, lambda: load.done, given.out / "soak.jsonl")
        pause = paced(given.rate)

        def goes_on() -> bool:
            return load.done < given.operations or sampler.applied < given.consolidations

        async with sampler.every(given.every):
            await asyncio.gather(*(load.work(client, goes_on, pause) for client in range(given.clients)))
            await until(dsn, BUSY, lambda busy: busy == 0)
    drawn = sampler.samples[:: max(len(sampler.samples) // MOST_DRAWN, 1)]
    x = [sample["seconds"] for sample in drawn]
    (given.out / "soak.svg").write_text(charts(x, "seconds", panels(drawn)), encoding="utf-8")
    table(HEADER, quarters(sampler.samples))
    told = ", ".join(f"{count:,} × {kind}" for kind, count in load.by_kind.most_common())
    longest = max(sample["longest_transaction_seconds"] for sample in sampler.samples)
    print(f"{told}; load {os.getloadavg()[0]:.1f}; the longest transaction that was seen: {longest:.1f} s\n")
    if wrong := differences(dsn, load):
        raise SystemExit("\n".join([f"{len(wrong)} differences:", *wrong[:20]]))
    sections, items = (sum(each.count for each in of.values()) for of in (load.sections, load.items))
    print(f"nothing is lost of {sections:,} section updates, {items:,} puts and {load.saved.total():,} checkpoints")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--operations", type=int, default=50_000)
    parser.add_argument("--consolidations", type=int, default=5_000)
    parser.add_argument("--tenants", type=int, default=300)
    parser.add_argument("--clients", type=int, default=8, help="at once, on one event loop")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    parser.add_argument("--rate", type=float, default=50, help="operations a second; 0 for as many as there can be")
    parser.add_argument("--every", type=float, default=5, help="seconds between samples")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path(), help="folder of what is written")
    parser.add_argument("--work", help=argparse.SUPPRESS)
    given = parser.parse_args()
    asyncio.run(work(given.work) if given.work else run(given))


if __name__ == "__main__":
    main()
