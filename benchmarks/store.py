"""Measures `AgentMemoryStore` beside LangGraph's `AsyncPostgresStore`: `make bench`, or with numbers of items.

Both work on one embedded PostgreSQL in a temporary folder, each in a database of its own, with the same items, the
same 384-dimension vectors and HNSW indexes with their defaults, and take turns in every round. Where the peer's
searches miss too many of the nearest items with these defaults, it is measured once more with settings that find them.
Items belong to topics: a topic has words of its own besides common ones, and its vectors scatter around a centre.
"""

import argparse
import asyncio
import gc
import statistics
import time
import zlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from typing import Any

import numpy as np
import psycopg
from langchain_core.embeddings import Embeddings
from langgraph.store.base import BaseStore, PutOp
from langgraph.store.postgres.aio import AsyncPostgresStore
from psycopg.conninfo import make_conninfo
from server import database, started

from langgraph_agentmem import AgentMemoryStore

SIZES = (2_000, 100_000)
NAMESPACES = {
    "1 namespace": [("team", "bench")],
    "100 namespaces of one tenant": [("team", f"bench{i}") for i in range(100)],
    "100 tenants": [(f"user{i}", "bench") for i in range(100)],
}
CONCURRENCY = (1, 32)
DIMENSIONS = 384
TOPICS = 500
ROUNDS = 6
WARM_UP = 6
"""Rounds that do not count: a connection plans a statement anew the first five times."""
PER_ROUND = 32
LIMIT = 10
LOADED_AT_ONCE = 1_000
COMPARED_QUERIES = 20
RECALL = 0.99
SETTINGS = [
    "",
    *(f"-c hnsw.iterative_scan=strict_order -c hnsw.ef_search={n}" for n in (40, 60, 80, 120, 160, 320, 640)),
]
"""Of the peer's connections, from the fastest to the most thorough."""
COMMON = [
    f"{name}{i}" for i in range(30) for name in ("red", "old", "big", "new", "far", "low", "hot", "dry", "raw", "odd")
]

USUAL, THOROUGH, PLAIN = "usual", "thorough", "plain"
"""Pairs of stores: as they are usually, with a peer that finds what is nearest, and without an index."""

Namespace = tuple[str, ...]
Operation = Callable[[BaseStore, int], Awaitable[Any]]
"""One operation with a number that makes it differ from the others."""


class Corpus:
    """Items, queries and their vectors, the same for every contestant."""

    def __init__(self, size: int, namespaces: list[Namespace]) -> None:
        self.size = size
        self.namespaces = namespaces
        self.random = np.random.default_rng(7)
        self.centres = self._units(self.random.normal(size=(TOPICS, DIMENSIONS)))
        topics = self.random.integers(TOPICS, size=size)
        self.vectors = self._scattered(topics)
        self.texts = [self._text(int(topic), f"item {i}") for i, topic in enumerate(topics)]
        queried = self.random.integers(TOPICS, size=PER_ROUND * (WARM_UP + ROUNDS))
        self.queries = [self._text(int(topic), "query", words=6) + f" {i}" for i, topic in enumerate(queried)]
        self.query_vectors = self._scattered(queried)
        self.known = dict(zip([*self.texts, *self.queries], [*self.vectors, *self.query_vectors], strict=True))

    def namespace(self, item: int) -> Namespace:
        return self.namespaces[item % len(self.namespaces)]

    def value(self, item: int) -> dict[str, Any]:
        return {"text": self.texts[item % self.size], "kind": f"k{item % 50}", "n": item}

    def query(self, number: int) -> str:
        return self.queries[number % len(self.queries)]

    def exact(self, query: int) -> set[str]:
        """Keys of the best items of a query's namespace by cosine."""
        items = [i for i in range(self.size) if self.namespace(i) == self.namespace(query)]
        scores = self.vectors[items] @ self.query_vectors[query]
        return {f"i{items[i]}" for i in np.argsort(-scores)[:LIMIT]}

    def _scattered(self, topics: Any) -> Any:
        noise = self._units(self.random.normal(size=(len(topics), DIMENSIONS)))
        return self._units(self.centres[topics] + 0.9 * noise)

    def _units(self, vectors: Any) -> Any:
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def _text(self, topic: int, start: str, words: int = 24) -> str:
        own = [f"{chr(97 + i)}{topic:x}q" for i in self.random.integers(12, size=words // 3)]
        ranks = np.minimum(self.random.zipf(1.3, size=words - len(own)) - 1, len(COMMON) - 1)
        return " ".join([start, *own, *(COMMON[int(rank)] for rank in ranks)])


class KnownVectors(Embeddings):
    """Looks vectors up, so that no embedder's time is measured."""

    model = "known"

    def __init__(self, corpus: Corpus) -> None:
        self.corpus = corpus

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        if text in self.corpus.known:
            return self.corpus.known[text].tolist()
        # what the package asks of any embedder when it first uses it: texts that nothing here is about
        return np.random.default_rng(zlib.crc32(text.encode())).normal(size=DIMENSIONS).tolist()

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        return self.embed_documents(texts)

    async def aembed_query(self, text: str) -> list[float]:
        return self.embed_query(text)


def operations(corpus: Corpus) -> list[tuple[str, Operation, str]]:
    """What is measured: a name, the operation, and on which stores."""

    async def put(store: BaseStore, number: int) -> None:
        await store.aput(corpus.namespace(number), f"p{number}", corpus.value(number))

    async def get(store: BaseStore, number: int) -> Any:
        return await store.aget(corpus.namespace(number), f"i{number % corpus.size}")

    async def search_by_filter(store: BaseStore, number: int) -> Any:
        return await store.asearch(corpus.namespace(number), filter={"kind": f"k{number % 50}"}, limit=LIMIT)

    async def search_by_query(store: BaseStore, number: int) -> Any:
        return await store.asearch(corpus.namespace(number), query=corpus.query(number), limit=LIMIT)

    return [
        ("put", put, USUAL),
        ("get", get, USUAL),
        ("search by filter", search_by_filter, USUAL),
        ("search by query", search_by_query, USUAL),
        ("search by query, peer thorough", search_by_query, THOROUGH),
        ("put, no index", put, PLAIN),
    ]


async def burst(store: BaseStore, operation: Operation, start: int, concurrency: int, latencies: list[float]) -> float:
    """Seconds that a round of operations takes, so many at once."""

    async def one(number: int) -> None:
        began = time.perf_counter()
        await operation(store, number)
        latencies.append(time.perf_counter() - began)

    began = time.perf_counter()
    for first in range(start, start + PER_ROUND, concurrency):
        await asyncio.gather(*(one(first + i) for i in range(concurrency)))
    return time.perf_counter() - began


async def compare(
    ours: BaseStore, theirs: BaseStore, operation: Operation, concurrency: int, turns: Iterator[int]
) -> str:
    """The figures of one operation, as a row of a table; both take turns in every round, which are numbered."""
    stores = (ours, theirs)
    latencies: tuple[list[float], list[float]] = ([], [])
    seconds = [0.0, 0.0]
    for turn in range(WARM_UP + ROUNDS):
        start = next(turns) * PER_ROUND
        for which, store in enumerate(stores):
            counted = latencies[which] if turn >= WARM_UP else []
            seconds[which] += await burst(store, operation, start, concurrency, counted) * (turn >= WARM_UP)
    shown = [
        f"{statistics.median(taken) * 1e3:.2f} / {statistics.quantiles(taken, n=20)[-1] * 1e3:.2f}"
        for taken in latencies
    ]
    rates = [ROUNDS * PER_ROUND / taken for taken in seconds]
    median = statistics.median(latencies[1]) / statistics.median(latencies[0])
    return f"{shown[0]} | {shown[1]} | {rates[0]:,.0f} | {rates[1]:,.0f} | {median:.2f} | {rates[0] / rates[1]:.2f}"


async def load(store: BaseStore, corpus: Corpus) -> float:
    """Seconds that putting all items takes, in batches."""
    began = time.perf_counter()
    for start in range(0, corpus.size, LOADED_AT_ONCE):
        numbers = range(start, min(start + LOADED_AT_ONCE, corpus.size))
        await store.abatch([PutOp(corpus.namespace(i), f"i{i}", corpus.value(i)) for i in numbers])
    return time.perf_counter() - began


async def recall_by_cosine(store: BaseStore, corpus: Corpus) -> float:
    """How many of the best items by cosine are found."""
    found = [
        {item.key for item in await store.asearch(corpus.namespace(i), query=corpus.queries[i], limit=LIMIT)}
        for i in range(COMPARED_QUERIES)
    ]
    return sum(len(keys & corpus.exact(i)) for i, keys in enumerate(found)) / (LIMIT * COMPARED_QUERIES)


async def recall_by_score(store: BaseStore, corpus: Corpus) -> float:
    """How many of the best items are found by the store's own score, which ranks by words too.

    Asked for all items, the store scores each one exactly.
    """
    hits = 0
    for i in range(COMPARED_QUERIES):
        query: dict[str, Any] = {"query": corpus.queries[i]}
        every = await store.asearch(corpus.namespace(i), **query, limit=2 * corpus.size)
        least = sorted((item.score or 0 for item in every), reverse=True)[:LIMIT][-1]
        found = await store.asearch(corpus.namespace(i), **query, limit=LIMIT)
        hits += sum((item.score or 0) >= least for item in found)
    return hits / (LIMIT * COMPARED_QUERIES)


async def thorough(dsn: str, corpus: Corpus, opened: AsyncExitStack) -> BaseStore | None:
    """The peer with the fastest settings by which it finds what is nearest; None if these are the defaults."""
    for settings in SETTINGS:
        configured = make_conninfo(dsn, options=settings)
        peer = await opened.enter_async_context(AsyncPostgresStore.from_conn_string(configured, index=indexed(corpus)))
        recall = await recall_by_cosine(peer, corpus)
        print(f"recall at {LIMIT} of the peer with {settings or 'its defaults'}: {recall:.3f} of the nearest")
        if recall >= RECALL:
            return peer if settings else None
    return None


def indexed(corpus: Corpus) -> Any:
    """LangGraph's configuration of both stores' index."""
    return {"dims": DIMENSIONS, "embed": KnownVectors(corpus), "fields": ["text"]}


@asynccontextmanager
async def contestants(server: str, corpus: Corpus) -> AsyncGenerator[dict[str, tuple[BaseStore, BaseStore]]]:
    """Both stores, filled; the peer once more, thorough, if need be; and both without an index."""
    ours, theirs, ours_plain, theirs_plain = (database(server) for _ in range(4))
    async with AsyncExitStack() as opened:
        open_store = opened.enter_async_context
        pair = (
            await open_store(AgentMemoryStore.from_conn_string(ours, index=indexed(corpus))),
            await open_store(AsyncPostgresStore.from_conn_string(theirs, index=indexed(corpus))),
        )
        plain = (
            await open_store(AgentMemoryStore.from_conn_string(ours_plain)),
            await open_store(AsyncPostgresStore.from_conn_string(theirs_plain)),
        )
        for peer in (pair[1], plain[1]):
            await peer.setup()
        print(f"loaded in batches of {LOADED_AT_ONCE:,}: {await load(pair[0], corpus):.0f} s and", end=" ")
        print(f"{await load(pair[1], corpus):.0f} s\n")
        for dsn in (ours, theirs):
            with psycopg.connect(dsn, autocommit=True) as connection:
                connection.execute("VACUUM ANALYZE")
        recall = await recall_by_score(pair[0], corpus)
        print(f"recall at {LIMIT} of ours: {recall:.3f} of its own exact ranking")
        peer = await thorough(theirs, corpus, opened)
        gc.freeze()  # what is there from now on takes no time of anybody's
        yield {USUAL: pair, PLAIN: plain} | ({THOROUGH: (pair[0], peer)} if peer else {})


async def measure(server: str, size: int, layout: str) -> None:
    """All operations on so many items."""
    corpus = Corpus(size, NAMESPACES[layout])
    print(f"## {size:,} items, {layout}\n")
    turns = count()  # whatever is put is new
    async with contestants(server, corpus) as pairs:
        print(
            "\n| operation | at once | ours p50 / p95 ms | theirs | ours / s | theirs | ratio of p50 | ratio of / s |"
        )
        print("|---|---|---|---|---|---|---|---|")
        for concurrency in CONCURRENCY:
            for name, operation, kind in operations(corpus):
                if kind in pairs:
                    figures = await compare(*pairs[kind], operation, concurrency, turns)
                    print(f"| {name} | {concurrency} | {figures} |", flush=True)
        print()


async def main() -> None:
    """Everything, on one embedded server."""
    global ROUNDS, WARM_UP
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sizes", type=int, nargs="*", default=SIZES, help="numbers of items")
    parser.add_argument("--layouts", nargs="+", choices=NAMESPACES, default=list(NAMESPACES))
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="and as many before these that do not count")
    given = parser.parse_args()
    ROUNDS = WARM_UP = given.rounds
    server = started()
    for size in given.sizes:
        for layout in given.layouts:
            await measure(server, size, layout)


if __name__ == "__main__":
    asyncio.run(main())
