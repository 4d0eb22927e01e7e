"""Items to search among, and how a search is carried out."""

import hashlib
import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from fakes import WordEmbedder
from langgraph.store.base import PutOp

from langgraph_agentmem.store import AgentMemoryStore

Rows = Callable[..., list[tuple[Any, ...]]]
WORDS = ["falcon", "owl", "heron", "lynx", "zebra", "otter", "badger", "crane"]
INDEXED_ONLY = {"kwargs": {"options": "-c enable_seqscan=off -c enable_sort=off -c enable_bitmapscan=off -c jit=off"}}
"""Before PostgreSQL 18 a plan with what is off is so dear that it would be compiled."""


class Directions(WordEmbedder):
    """Gives each text a direction of its own, by chance but always the same."""

    def __init__(self, dimensions: int = 8, model: str = "directions") -> None:
        super().__init__(dimensions, model)

    def _vector(self, text: str) -> list[float]:
        seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
        return np.random.default_rng(seed).normal(size=self.dimensions).tolist()


def index(**config: Any) -> dict[str, Any]:
    return {"embed": Directions(), "dims": 8, **config}


def places(hits: Sequence[Any]) -> list[tuple[tuple[str, ...], str]]:
    return [(hit.namespace, hit.key) for hit in hits]


def keys(hits: Sequence[Any]) -> list[str]:
    return [hit.key for hit in hits]


def ways(way: str) -> dict[str, Any]:
    """How a store is opened so that it compares all chunks (`exact`), or candidates from the indexes only."""
    if way == "exact":
        return {}
    return {"settings": {"exact_search_rows": 0}, "pool_config": INDEXED_ONLY}


def some_items(namespace: tuple[str, ...], count: int, seed: int = 0) -> list[PutOp]:
    """Items with one to three texts each."""
    rng = random.Random(seed)
    ops = []
    for i in range(count):
        texts = [" ".join(rng.choices(WORDS, k=rng.randint(1, 9))) for _ in range(rng.randint(1, 3))]
        ops.append(PutOp(namespace, f"k{i:04}", {"texts": texts, "n": i % 5}, index=["texts[*]"]))
    return ops


async def everything(store: AgentMemoryStore, prefix: tuple[str, ...], size: int, **what: Any) -> list[Any]:
    """All hits, page by page."""
    found: list[Any] = []
    while page := await store.asearch(prefix, limit=size, offset=len(found), **what):
        found += page
        assert len(page) == size or not await store.asearch(prefix, limit=1, offset=len(found), **what)
    return found
