"""What would break first with a million tenants and a thousand workers: `python benchmarks/fleet.py`.

It measures what a look for due memories and a claim cost with as many tenants as are asked for, and how large the
tables are; then a simulation by events lets workers take memories in turn, as `operations/queue/offering.py` does, from
a server that has so many cores for looks and claims. What a worker rests for, is told of and keeps of a look is as in
`worker/worker.py`.

    costs      measured, on an embedded server
    fairness   simulated: a tenant with a backlog beside many with a memory each; the real statements at a smaller size
    fleet      simulated: many workers, most of which are idle, that are told of each memory or look every so often

    python benchmarks/fleet.py --tenants 10000 100000 --workers 1000
"""

import argparse
import asyncio
import random
import statistics
import time
from bisect import bisect_right, insort
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from typing import Any

import psycopg
from server import database, started
from writing import table

from langgraph_agentmem import AgentMemory
from langgraph_agentmem.operations.queue.offering import Offers
from langgraph_agentmem.policies.taking_turns import in_turn
from langgraph_agentmem.storage import queue
from langgraph_agentmem.storage.driver.statements import statements

CONCURRENCY, PAGES, MOST_OFFERED, OFFERED_SECONDS, POLL_SECONDS = 4, 16, 100, 1.0, 5.0
"""A worker's, by default."""
FILL = """
INSERT INTO agentmem.active_memory (external_id, namespace, title, template, due_at)
SELECT 'user ' || i, ARRAY['user ' || i, 'Notes'], 'Notes', '{"sections": []}',
       CASE WHEN i %% 100 = 0 THEN now() ELSE now() + interval '1 day' END
FROM generate_series(1, %(tenants)s) AS i"""
SIZES = """
SELECT pg_relation_size('agentmem.active_memory'), pg_indexes_size('agentmem.active_memory'),
       pg_relation_size('agentmem.active_memory_due')"""
BACKLOG = """
INSERT INTO agentmem.active_memory (external_id, namespace, title, template, due_at)
SELECT tenant, ARRAY[tenant, i::text], 'Notes', '{"sections": []}', now() - interval '1 hour' * (tenant = 'user 0')::int
FROM (SELECT 'user 0' AS tenant, i FROM generate_series(1, %(backlog)s) AS i
      UNION ALL SELECT 'user ' || i, 1 FROM generate_series(1, %(small)s) AS i) waiting"""
DONE = "UPDATE agentmem.active_memory SET due_at = NULL, lease_owner = NULL WHERE external_id = %s AND id = %s"


# Measured


async def costs(server: str, tenants: int) -> tuple[list[str], float, float]:
    """(a row of the table, seconds of a look, seconds of a claim) where a hundredth of so many tenants is due."""
    dsn = database(server)
    async with AgentMemory.open(dsn) as memory:
        await memory.asetup()
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(FILL, {"tenants": tenants})
            connection.execute("VACUUM ANALYZE agentmem.active_memory")
            heap, indexes, due = connection.execute(SIZES).fetchone() or ()
            plans = [scans(connection, name, more) for name, more in PLANS.items()]
        looked, claimed = await fastest(memory, min(tenants // 200, 300))
        began = time.perf_counter()
        await memory.queue.astatus()
        status = time.perf_counter() - began
    shown = [heap / tenants, indexes / tenants, due / tenants]
    times = [f"{1e3 * seconds:.1f}" for seconds in (looked, claimed, status)]
    return [f"{tenants:,}", *(f"{number:.0f}" for number in shown), *times, "; ".join(plans)], looked, claimed


async def fastest(memory: AgentMemory, most: int) -> tuple[float, float]:
    """Seconds of a look and of a claim: those that a tenth were faster than, as others use the machine as well."""
    offers, looks, claims = Offers(memory.resources, None), list[float](), list[float]()
    while len(claims) < most:
        began = time.perf_counter()
        found = await offers.next(MOST_OFFERED + CONCURRENCY)
        looks.append(time.perf_counter() - began)
        for tenant, id in found[:20]:
            began = time.perf_counter()
            async with memory.resources.database.transaction(tenant) as connection:
                await queue.lease(connection, tenant, id, f"00000000-0000-0000-0000-{id:012}", 600, if_due=True)
            claims.append(time.perf_counter() - began)
    return sorted(looks)[len(looks) // 10], sorted(claims)[len(claims) // 10]


COSTS = ["tenants", "bytes a memory", "its indexes", "the due one", "a look, ms", "a claim, ms", "queue.status, ms",
         "plans"]  # fmt: skip
PLANS = {"due_after": {"after": "user 5"}, "due_memories": {"external_id": "user 100"}, "longest_waiting": {}}


def scans(connection: psycopg.Connection[Any], name: str, more: dict[str, Any]) -> str:
    """What the plan of a statement reads, as `due_after: Index Scan`."""
    explained = connection.execute(b"EXPLAIN (FORMAT JSON) " + statements("queue")[name], {"limit": 104, **more})
    [[[plan]]] = explained.fetchall()

    def nodes(node: dict[str, Any]) -> Iterator[str]:
        yield node["Node Type"]
        for each in node.get("Plans", ()):
            yield from nodes(each)

    return f"{name}: {', '.join(kind for kind in nodes(plan['Plan']) if 'Scan' in kind)}"


async def real_order(server: str, backlog: int, small: int, workers: int) -> list[int]:
    """How many claims came before that of each small tenant, of workers that take turns on the real statements."""
    dsn, order = database(server), list[str]()
    async with AgentMemory.open(dsn) as memory:
        await memory.asetup()
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(BACKLOG, {"backlog": backlog, "small": small})
            connection.execute("VACUUM ANALYZE agentmem.active_memory")

        async def work(number: int) -> None:
            offers = Offers(memory.resources, None)
            while found := await offers.next(MOST_OFFERED + CONCURRENCY):
                for tenant, id in found:
                    async with memory.resources.database.transaction(tenant) as connection:
                        run = f"00000000-0000-0000-{number:04}-{len(order):012}"
                        if await queue.lease(connection, tenant, id, run, 600, if_due=True) is not None:
                            order.append(tenant)
                            await connection.execute(DONE, (tenant, id))

        await asyncio.gather(*(work(number) for number in range(workers)))
    return [place for place, tenant in enumerate(order) if tenant != "user 0"]


# Simulated


class Waiting:
    """Memories that are due, by tenant; tenants are numbers."""

    def __init__(self) -> None:
        self.tenants: list[int] = []
        self.since: dict[int, deque[float]] = {}

    def add(self, tenant: int, at: float) -> None:
        if tenant not in self.since:
            insort(self.tenants, tenant)
            self.since[tenant] = deque()
        self.since[tenant].append(at)

    def take(self, tenant: int) -> float | None:
        """Since when the tenant's memory has waited that is taken; None if none is left, as others were faster."""
        if tenant not in self.since:
            return None
        at = self.since[tenant].popleft()
        if not self.since[tenant]:
            del self.since[tenant]
            self.tenants.pop(bisect_right(self.tenants, tenant) - 1)
        return at

    def look(self, after: int, limit: int) -> tuple[list[int], int]:
        """(the tenants behind one, in turn, as often as a memory of theirs is to be taken; the last one of them)."""
        start = bisect_right(self.tenants, after)
        behind = [*self.tenants[start : start + limit], *self.tenants[: max(min(limit, start), 0)]][:limit]
        shown: dict[int, int] = {}
        for tenant in list(dict.fromkeys(behind)):
            shown[tenant] = min(len(self.since[tenant]), limit)
            if sum(-(-number // limit) for number in shown.values()) >= PAGES:
                break
        each = -(-limit // max(len(shown), 1))
        turns = in_turn({str(tenant): range(min(number, each)) for tenant, number in shown.items()})[:limit]
        return [int(tenant) for tenant, _ in turns], next(reversed(shown), after)


@dataclass
class Worker:
    last: int
    room: int
    offered: list[int] = field(default_factory=list[int])
    offered_until: float = 0.0
    looking: bool = False
    told: bool = False


@dataclass(frozen=True)
class Fleet:
    """What is simulated; seconds."""

    workers: int
    run: float
    look: float
    claim: float
    cores: int
    concurrency: int = CONCURRENCY
    listens: bool = True


class Simulation:
    """Workers that take what is due, event by event."""

    def __init__(self, fleet: Fleet, chance: random.Random, tenants: int) -> None:
        self.fleet, self.chance = fleet, chance
        self.waiting, self.now = Waiting(), 0.0
        self.workers = [Worker(chance.randrange(-1, tenants), fleet.concurrency) for _ in range(fleet.workers)]
        self.waited: dict[int, list[float]] = {}
        self.counts = Counter[str]()
        self.busy = 0.0
        self._cores = [0.0] * fleet.cores
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()

    def at(self, seconds: float, do: Callable[[], None]) -> None:
        heappush(self._events, (seconds, next(self._numbers), do))

    def run(self, until: float) -> None:
        for worker in self.workers:
            self.at(0.0, lambda worker=worker: self.act(worker))
            self.at(self.chance.uniform(0, POLL_SECONDS), lambda worker=worker: self.poll(worker))
        while self._events and self._events[0][0] <= until:
            self.now, _, do = heappop(self._events)
            do()

    def due(self, tenant: int) -> None:
        """A memory becomes due, of which all workers are told that listen."""
        self.waiting.add(tenant, self.now)
        for worker in self.workers if self.fleet.listens else ():
            self.act(worker)

    def poll(self, worker: Worker) -> None:
        self.act(worker)
        next_time = self.now + POLL_SECONDS * self.chance.uniform(0.75, 1.25)
        self.at(next_time, lambda: self.poll(worker))

    def act(self, worker: Worker) -> None:
        if worker.looking:
            worker.told = True
        elif worker.room and worker.offered and self.now <= worker.offered_until:
            self.take(worker)
        elif worker.room:
            worker.looking, worker.told = True, False
            self.counts["looks"] += 1
            self.at(self.served(self.fleet.look), lambda: self.looked(worker))

    def looked(self, worker: Worker) -> None:
        worker.looking = False
        worker.offered, worker.last = self.waiting.look(worker.last, MOST_OFFERED + self.fleet.concurrency)
        worker.offered_until = self.now + OFFERED_SECONDS
        if worker.offered:
            self.take(worker)
        elif worker.told:
            self.act(worker)

    def take(self, worker: Worker) -> None:
        taken, worker.offered = worker.offered[: worker.room], worker.offered[worker.room :]
        worker.room -= len(taken)
        worker.last = taken[-1] if taken else worker.last
        for tenant in taken:
            self.counts["claims"] += 1
            self.at(self.served(self.fleet.claim), lambda tenant=tenant: self.claimed(worker, tenant))

    def claimed(self, worker: Worker, tenant: int) -> None:
        since = self.waiting.take(tenant)
        if since is None:
            self.counts["in vain"] += 1
            self.ended(worker)
        else:
            self.waited.setdefault(tenant, []).append(self.now - since)
            self.at(self.now + self.fleet.run, lambda: self.ended(worker))

    def ended(self, worker: Worker) -> None:
        worker.room += 1
        self.act(worker)

    def served(self, seconds: float) -> float:
        """When the server has answered what it is asked now."""
        begun = max(heappop(self._cores), self.now)
        heappush(self._cores, begun + seconds)
        self.busy += seconds
        return begun + seconds


def backlog(fleet: Fleet, large: int, small: int) -> Simulation:
    """A tenant with so many memories that are due, whose number is 0, and so many with one."""
    simulation = Simulation(fleet, random.Random(1), small)
    for _ in range(large):
        simulation.waiting.add(0, 0.0)
    for tenant in range(1, small + 1):
        simulation.waiting.add(tenant, 0.0)
    simulation.run(until=(large + small) * max(fleet.run, fleet.claim) + 60)
    return simulation


def simulated_order(fleet: Fleet, large: int, small: int) -> list[int]:
    """As `real_order`, of the simulation."""
    simulation = Simulation(fleet, random.Random(1), small)
    order: list[int] = []
    taken = simulation.waiting.take

    def take(tenant: int) -> float | None:
        since = taken(tenant)
        if since is not None:
            order.append(tenant)
        return since

    simulation.waiting.take = take
    for tenant in [0] * large + list(range(1, small + 1)):
        simulation.waiting.add(tenant, 0.0)
    simulation.run(until=(large + small) * (fleet.run + fleet.claim) + 60)
    return [place for place, tenant in enumerate(order) if tenant]


def steady(fleet: Fleet, tenants: int, due_a_second: float, seconds: float) -> Simulation:
    """Memories of tenants drawn by chance that become due one after the other."""
    simulation = Simulation(fleet, random.Random(2), tenants)
    at = 0.0
    while (at := at + simulation.chance.expovariate(due_a_second)) < seconds:
        tenant = simulation.chance.randrange(tenants)
        simulation.at(at, lambda tenant=tenant: simulation.due(tenant))
    simulation.run(until=seconds)
    return simulation


def places(order: list[int]) -> list[str]:
    return [f"{statistics.median(order):.0f}", str(order[int(0.95 * len(order))]), str(max(order))]


async def fairness(server: str, given: argparse.Namespace, look_s: float, claim_s: float) -> None:
    rows: list[list[str]] = []
    fleet = Fleet(workers=given.fair_workers, run=given.run, look=look_s, claim=claim_s, cores=given.cores)
    waited = backlog(fleet, given.backlog, given.small).waited
    waits = sorted(wait for tenant, each in waited.items() if tenant for wait in each)
    last = max(waited[0])
    print(
        f"### {given.small:,} tenants with a memory each beside one with {given.backlog:,}: {given.fair_workers} "
        f"workers, runs of {given.run:g} s\n"
    )
    oldest_first = given.backlog / (given.fair_workers * CONCURRENCY) * given.run
    rows = [
        ["in turn, simulated", f"{statistics.median(waits):.1f}", f"{max(waits):.1f}", f"{last:.1f}"],
        ["the longest waiting first", f"{oldest_first:.0f} and more", "", f"{oldest_first:.0f}"],
    ]
    table(["", "a small one waits, s: p50", "longest", "the large one's last"], rows)
    print(f"### The same with {given.checked_backlog} and {given.checked_small}, one worker after the other's claims\n")
    quick = Fleet(given.checked_workers, 0.0, look_s, claim_s, given.cores)
    rows = [
        ["simulated", *places(simulated_order(quick, given.checked_backlog, given.checked_small))],
        ["the real statements", *places(
            await real_order(server, given.checked_backlog, given.checked_small, given.checked_workers))],
    ]  # fmt: skip
    table(["claims before a small tenant's", "p50", "p95", "most"], rows)


def fleets(given: argparse.Namespace, look_s: float, claim_s: float) -> None:
    few = max(given.workers * CONCURRENCY // 64, 1)
    kinds = {
        f"{given.workers:,} workers of 4, told of each": (given.workers, CONCURRENCY, True),
        f"{given.workers:,} workers of 4, looking only": (given.workers, CONCURRENCY, False),
        f"{few:,} workers of 64, told of each": (few, 64, True),
        f"{few:,} workers of 64, looking only": (few, 64, False),
    }
    print(f"### {given.simulated_tenants:,} tenants, runs of {given.run:g} s, {given.cores} cores of the server\n")
    rows: list[list[str]] = []
    for due in given.due:
        for name, (workers, concurrency, listens) in kinds.items():
            fleet = Fleet(workers, given.run, look_s, claim_s, given.cores, concurrency, listens)
            done = steady(fleet, given.simulated_tenants, due, given.seconds)
            waits = sorted(wait for each in done.waited.values() for wait in each) or [0.0]
            counted = [done.counts[kind] / given.seconds for kind in ("looks", "claims", "in vain")]
            p50, p95 = statistics.median(waits), waits[int(0.95 * len(waits))]
            rows.append([f"{due:g}", name, *(f"{number:,.0f}" for number in counted),
                         f"{done.busy / given.seconds:.1f}", f"{p50:.2f}", f"{p95:.2f}"])  # fmt: skip
    table(
        ["due a second", "", "looks a second", "claims a second", "in vain", "cores wanted", "waits s: p50", "p95"],
        rows,
    )


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tenants", type=int, nargs="+", default=[10_000, 100_000], help="to measure with")
    parser.add_argument("--simulated-tenants", type=int, default=1_000_000)
    parser.add_argument("--workers", type=int, default=1_000)
    parser.add_argument("--due", type=float, nargs="+", default=[12, 120], help="memories that become due in a second")
    parser.add_argument("--seconds", type=float, default=20, help="simulated")
    parser.add_argument("--run", type=float, default=5, help="seconds that a consolidation takes")
    parser.add_argument("--cores", type=int, default=8, help="of the simulated server, for looks and claims")
    parser.add_argument("--backlog", type=int, default=10_000)
    parser.add_argument("--small", type=int, default=1_000)
    parser.add_argument("--fair-workers", type=int, default=10)
    parser.add_argument("--checked-backlog", type=int, default=1_000)
    parser.add_argument("--checked-small", type=int, default=100)
    parser.add_argument("--checked-workers", type=int, default=3)
    given = parser.parse_args()
    server = started()
    measured = [await costs(server, tenants) for tenants in given.tenants]
    table(COSTS, [row for row, _, _ in measured])
    _, look_s, claim_s = measured[-1]
    await fairness(server, given, look_s, claim_s)
    fleets(given, look_s, claim_s)


if __name__ == "__main__":
    asyncio.run(main())
