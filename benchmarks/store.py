"""Measures `AgentMemoryStore` beside LangGraph's `AsyncPostgresStore`: `make bench`, or with numbers of items.

Both work on one embedded PostgreSQL in a temporary folder, each in a database of its own, with the same items, the
same 384-dimension vectors and HNSW indexes with their defaults, and take turns in every round. Items belong to topics:
a topic has words of its own besides common ones, and its vectors scatter around a centre.
"""

import asyncio
import statistics
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import psycopg
from langchain_core.embeddings import Embeddings
from langgraph.store.base import BaseStore, PutOp
from langgraph.store.postgres.aio import AsyncPostgresStore
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
PER_ROUND = 32
LIMIT = 10
LOADED_AT_ONCE = 1_000
COMPARED_QUERIES = 20
COMMON = [
    f"{name}{i}" for i in range(30) for name in ("red", "old", "big", "new", "far", "low", "hot", "dry", "raw", "odd")
]

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
        queried = self.random.integers(TOPICS, size=PER_ROUND * (ROUNDS + 1))
        self.queries = [self._text(int(topic), "query", words=6) + f" {i}" for i, topic in enumerate(queried)]
        self.query_vectors = self._scattered(queried)
        self.known = dict(zip([*self.texts, *self.queries], [*self.vectors, *self.query_vectors], strict=True))

    def namespace(self, item: int) -> Namespace:
        return self.namespaces[item % len(self.namespaces)]

    def value(self, item: int) -> dict[str, Any]:
        return {"text": self.texts[item % self.size], "kind": f"k{item % 50}", "n": item}

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
        return self.corpus.known[text].tolist()

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        return self.embed_documents(texts)

    async def aembed_query(self, text: str) -> list[float]:
        return self.embed_query(text)


def operations(corpus: Corpus) -> dict[str, Operation]:
    """What is measured, by name; the last one on stores without an index."""

    async def put(store: BaseStore, number: int) -> None:
        await store.aput(corpus.namespace(number), f"p{number}", corpus.value(number))

    async def get(store: BaseStore, number: int) -> Any:
        return await store.aget(corpus.namespace(number), f"i{number}")

    async def search_by_filter(store: BaseStore, number: int) -> Any:
        return await store.asearch(corpus.namespace(number), filter={"kind": f"k{number % 50}"}, limit=LIMIT)

    async def search_by_query(store: BaseStore, number: int) -> Any:
        return await store.asearch(corpus.namespace(number), query=corpus.queries[number], limit=LIMIT)

    return {
        "put": put,
        "get": get,
        "search by filter": search_by_filter,
        "search by query": search_by_query,
        "put, no index": put,
    }


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


async def compare(ours: BaseStore, theirs: BaseStore, operation: Operation, concurrency: int) -> str:
    """The figures of one operation, as a row of a table; both take turns in every round."""
    stores = (ours, theirs)
    latencies: tuple[list[float], list[float]] = ([], [])
    seconds = [0.0, 0.0]
    for store in stores:
        await burst(store, operation, 0, concurrency, [])  # warms up
    for turn in range(1, ROUNDS + 1):
        for which, store in enumerate(stores):
            seconds[which] += await burst(store, operation, turn * PER_ROUND, concurrency, latencies[which])
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


@asynccontextmanager
async def contestants(server: str, corpus: Corpus) -> AsyncGenerator[tuple[BaseStore, BaseStore, BaseStore, BaseStore]]:
    """Both stores, filled, and both without an index on databases of their own."""
    index: Any = {"dims": DIMENSIONS, "embed": KnownVectors(corpus), "fields": ["text"]}
    dsns = {kind: database(server) for kind in ("ours", "theirs", "ours_plain", "theirs_plain")}
    async with (
        AgentMemoryStore.from_conn_string(dsns["ours"], index=index) as ours,
        AsyncPostgresStore.from_conn_string(dsns["theirs"], index=index) as theirs,
        AgentMemoryStore.from_conn_string(dsns["ours_plain"]) as ours_plain,
        AsyncPostgresStore.from_conn_string(dsns["theirs_plain"]) as theirs_plain,
    ):
        await theirs.setup()
        await theirs_plain.setup()
        print(f"loaded in batches of {LOADED_AT_ONCE:,}: {await load(ours, corpus):.0f} s and", end=" ")
        print(f"{await load(theirs, corpus):.0f} s\n")
        for dsn in (dsns["ours"], dsns["theirs"]):
            with psycopg.connect(dsn, autocommit=True) as connection:
                connection.execute("VACUUM ANALYZE")
        yield ours, theirs, ours_plain, theirs_plain


async def measure(server: str, size: int, layout: str) -> None:
    """All operations on so many items."""
    corpus = Corpus(size, NAMESPACES[layout])
    print(f"## {size:,} items, {layout}\n")
    async with contestants(server, corpus) as (ours, theirs, ours_plain, theirs_plain):
        print("| operation | at once | ours p50 / p95 ms | theirs | ours per s | theirs | ratio of p50 | ratio per s |")
        print("|---|---|---|---|---|---|---|---|")
        for concurrency in CONCURRENCY:
            for name, operation in operations(corpus).items():
                pair = (ours_plain, theirs_plain) if name == "put, no index" else (ours, theirs)
                print(f"| {name} | {concurrency} | {await compare(*pair, operation, concurrency)} |", flush=True)
        found = f"{await recall_by_score(ours, corpus):.3f} of its own exact ranking"
        print(f"\nrecall at {LIMIT}: ours {found}, theirs {await recall_by_cosine(theirs, corpus):.3f} of theirs\n")


async def main() -> None:
    """Everything, on one embedded server."""
    sizes = [int(argument) for argument in sys.argv[1:]] or list(SIZES)
    server = started()
    for size in sizes:
        for layout in NAMESPACES:
            await measure(server, size, layout)


if __name__ == "__main__":
    asyncio.run(main())
