"""Vectors that are not scaled to length 1."""

from collections.abc import Callable

import pytest

from langgraph_agentmem import AgentMemory
from langgraph_agentmem.store import AgentMemoryStore

VECTORS = {"along": [60.0, 60.0], "against": [-60.0, -60.0], "across": [60.0, -60.0]}


@pytest.mark.parametrize("kind", ["flat", "hnsw"])
async def test_inner_products_may_be_large(opened: Callable[..., AgentMemory], kind: str) -> None:
    index = {
        "embed": lambda texts: [VECTORS.get(text, VECTORS["along"]) for text in texts],
        "dims": 2,
        "distance_type": "inner_product",
        "ann_index_config": {"kind": kind},
    }
    store = AgentMemoryStore(opened(index=index))
    for text in VECTORS:
        await store.aput(("alice",), text, {"text": text})

    hits = await store.asearch(("alice",), query="asked")

    assert [hit.key for hit in hits] == ["along", "across", "against"]
