"""What row-level security costs: puts, gets and searches, with and without it, one after the other in turn.

    plain      the database does not hold tenants apart, and is not told for whom anything is
    setting    it is told, and its policies do not hold the role that is connected
    policies   it is told, and has policies, which hold the role that is connected

One tenant has as many items as are asked for, ten others a tenth of that together. The texts are made of words whose
frequencies fall as in a language; the vectors are of a deterministic embedder. The median of each is printed, with its
ratio to plain.

    python benchmarks/tenants.py --items 2000 --items 100000
"""

import argparse
import asyncio
import random
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg
from hashed_embeddings import INDEX
from langgraph.store.base import PutOp
from psycopg.conninfo import make_conninfo
from server import started

from langgraph_agentmem import AgentMemory, AgentMemorySettings, AgentMemoryStore
from langgraph_agentmem.operations.sections import embeddings
from langgraph_agentmem.storage.driver import row_security
from langgraph_agentmem.storage.driver.database import Database

VARIANTS = ("plain", "setting", "policies")
ROLE = "agentmem_benchmark"
WORDS, TEXT, QUESTION = 20_000, 14, 4
NAMESPACE = ("big", "notes")
AT_ONCE = 1_000
Call = Callable[[AgentMemoryStore, int], Awaitable[Any]]


class Texts:
    """Texts of words whose frequencies fall as in a language."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._words = [f"{random.Random(n).choice('abcdefghijklmnop')}word{n}" for n in range(WORDS)]
        self._weights = [1 / (n + 10) for n in range(WORDS)]

    def text(self, words: int = TEXT) -> str:
        return " ".join(self._random.choices(self._words, self._weights, k=words))


async def fill(dsn: str, items: int, index: Any) -> None:
    texts = Texts(1)
    async with AgentMemory.open(dsn, index=index, background=False) as memory:
        store = AgentMemoryStore(memory)
        places = [(NAMESPACE, f"k{n}") for n in range(items)]
        places += [((f"small{n % 10}", "notes"), f"k{n}") for n in range(items // 10)]
        for start in range(0, len(places), AT_ONCE):
            await store.abatch([PutOp(*place, {"text": texts.text()}) for place in places[start : start + AT_ONCE]])
        await embeddings.embed_pending(memory.resources)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


async def hold_apart(dsn: str) -> None:
    async with Database(dsn).as_it_is() as connection:
        await row_security.enable(connection)
        for statement in await row_security.grants(connection, None, ROLE):
            await connection.execute(statement.encode())


@asynccontextmanager
async def opened(plain: str, guarded: str, index: Any) -> AsyncIterator[dict[str, AgentMemoryStore]]:
    demand = row_security.demand

    async def demand_nothing(connection: Any) -> None:
        pass

    async with AsyncExitStack() as stack:
        stores: dict[str, AgentMemoryStore] = {}
        for variant in VARIANTS:
            # what is refused elsewhere, to name tenants where nobody asks for them, is to be measured here
            row_security.demand = demand_nothing if variant == "setting" else demand
            # the owner's, whom no policy holds, but to which everything is told
            dsn = {"plain": plain, "setting": guarded, "policies": make_conninfo(guarded, user=ROLE)}[variant]
            settings = AgentMemorySettings(row_security="off" if variant == "plain" else "on", pool_size=1)
            memory = AgentMemory.open(dsn, index=index, settings=settings, background=False)
            stores[variant] = AgentMemoryStore(await stack.enter_async_context(memory))
        row_security.demand = demand
        yield stores


async def measure(stores: dict[str, AgentMemoryStore], call: Call, rounds: int) -> dict[str, float]:
    """The median seconds of a call, by variant; each calls with the same numbers, and none is always the first."""
    taken: dict[str, list[float]] = {variant: [] for variant in stores}
    order = list(stores)
    for number in range(-20, rounds):
        order.append(order.pop(0))
        for variant in order:
            began = time.perf_counter()
            await call(stores[variant], abs(number))
            if number >= 0:
                taken[variant].append(time.perf_counter() - began)
    return {variant: statistics.median(times) for variant, times in taken.items()}


def calls(items: int) -> dict[str, tuple[Call, int]]:
    texts = Texts(2)
    queries = [texts.text(QUESTION) for _ in range(500)]
    values = [{"text": texts.text()} for _ in range(500)]

    async def put(store: AgentMemoryStore, n: int) -> None:
        await store.aput(("writer", "notes"), f"k{n % 100}", values[n % 500])

    async def get(store: AgentMemoryStore, n: int) -> None:
        assert await store.aget(NAMESPACE, f"k{n * 37 % items}")

    async def search(store: AgentMemoryStore, n: int) -> None:
        await store.asearch(NAMESPACE, query=queries[n % 500], limit=10)

    async def hits(store: AgentMemoryStore, n: int) -> None:
        await store.memory.asearch("big", queries[n % 500], limit=10)

    async def newest(store: AgentMemoryStore, n: int) -> None:
        await store.asearch(NAMESPACE, limit=10)

    return {
        "put": (put, 1_000), "get": (get, 1_000), "list": (newest, 300), "search": (search, 150), "hits": (hits, 150),
    }  # fmt: skip


async def run(server: str, items: int, *, vectors: bool, share: float) -> None:
    kept = f"{items}_vectors" if vectors else str(items)
    names = [f"tenants_{kept}_{kind}" for kind in ("plain", "guarded")]
    plain, guarded = (make_conninfo(server, dbname=name) for name in names)
    index = INDEX if vectors else None
    with psycopg.connect(server, autocommit=True) as connection:
        made = connection.execute("SELECT count(*) FROM pg_database WHERE datname = ANY (%s)", [names]).fetchone()
        if made != (2,):  # filled by an earlier run otherwise
            for name in names:
                connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            connection.execute(f'CREATE DATABASE "{names[0]}" TEMPLATE template0')
            await fill(plain, items, index)
            connection.execute(f'CREATE DATABASE "{names[1]}" TEMPLATE "{names[0]}"')
            await hold_apart(guarded)
    async with opened(plain, guarded, index) as stores:
        for name, (call, rounds) in calls(items).items():
            took = await measure(stores, call, max(round(rounds * share), 1))
            shown = "  ".join(f"{v} {took[v] * 1e3:8.3f} ms ×{took[v] / took['plain']:.2f}" for v in VARIANTS)
            print(f"{items:>7} items{', vectors' if vectors else ''}  {name:<7} {shown}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--dsn", help="a superuser's; by default that of an embedded server")
    parser.add_argument("--folder", type=Path, help="of the server that is started, where what was filled stays")
    parser.add_argument("--items", type=int, action="append")
    parser.add_argument("--share", type=float, default=1.0, help="of the calls that are made otherwise")
    parser.add_argument("--vectors", action="store_true")
    chosen = parser.parse_args()
    server = chosen.dsn or started(chosen.folder)
    for items in chosen.items or [2_000]:
        asyncio.run(run(server, items, vectors=chosen.vectors, share=chosen.share))


if __name__ == "__main__":
    main()
