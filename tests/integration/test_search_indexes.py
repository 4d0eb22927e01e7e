"""Every kind of index finds what comparing everything finds."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from fakes import WordEmbedder
from langgraph.store.base import PutOp
from searching import Directions, index, keys, ways

from langgraph_agentmem.errors import EmbeddingMismatchError
from langgraph_agentmem.store import AgentMemoryStore

Rows = Callable[..., list[tuple[Any, ...]]]
Opens = Callable[..., AgentMemoryStore]
pytestmark = pytest.mark.usefixtures("consistent_afterwards")
NS = ("alice", "notes")


@pytest.mark.parametrize(
    ("kind", "distance", "type"),
    [
        ("hnsw", "cosine", "halfvec"), ("hnsw", "cosine", "vector"), ("hnsw", "l2", "vector"), ("hnsw", "l2", "halfvec"),
        ("hnsw", "inner_product", "halfvec"), ("hnsw", "inner_product", "vector"), ("ivfflat", "cosine", "vector"),
        ("ivfflat", "l2", "halfvec"), ("ivfflat", "inner_product", "vector"), ("flat", "cosine", "halfvec"),
        ("flat", "l2", "vector"), ("flat", "inner_product", "halfvec"),
    ],
)  # fmt: skip
async def test_every_kind_of_index_orders_as_its_distance_does(
    opens: Opens, rows: Rows, kind: str, distance: str, type: str
) -> None:
    ann = {"kind": kind, "vector_type": type} | ({"nlist": 2} if kind == "ivfflat" else {})
    config = index(distance_type=distance, ann_index_config=ann)
    store = opens(index=config, **ways("approximate"))
    await store.abatch([PutOp(NS, f"k{i:02}", {"text": f"t{i}"}) for i in range(60)])
    hits = await store.asearch(NS, query="asked", limit=60)

    query = np.array(Directions()._vector("asked"))
    similarity = {
        "cosine": lambda v: max(v @ query / np.linalg.norm(v) / np.linalg.norm(query), 0),
        "l2": lambda v: 1 / (1 + np.linalg.norm(v - query)),
        "inner_product": lambda v: 1 / (1 + math.exp(-(v @ query))),
    }[distance]
    [(floor,)] = rows("SELECT floor FROM agentmem.embedding_model")

    def above(vector: Any) -> float:
        return max(similarity(vector) - floor, 0) / (1 - floor)

    assert (floor > 0) is (distance == "cosine")
    expected = {f"k{i:02}": 0.55 * above(np.array(Directions()._vector(f"t{i}"))) for i in range(60)}
    assert {hit.key: hit.score for hit in hits} == pytest.approx(expected, abs=2e-3)
    assert all(0 <= hit.score <= 1 for hit in hits)
    top = [expected[hit.key] for hit in hits[:40]]
    assert top == pytest.approx(sorted(expected.values(), reverse=True)[:40], abs=2e-3)
    column, other = ("embedding", "full_embedding") if type == "halfvec" else ("full_embedding", "embedding")
    assert rows(f"SELECT count({column}), count({other}) FROM agentmem.memory_chunk") == [(60, 0)]
    [(length,)] = rows(f"SELECT max(vector_norm({column}::vector)) FROM agentmem.memory_chunk")
    assert (length == pytest.approx(1, abs=1e-2)) is (distance == "cosine")
    made = rows("SELECT am.amname, pg_get_indexdef(i.indexrelid) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid "
                "JOIN pg_am am ON am.oid = c.relam WHERE c.relname LIKE 'memory_chunk_vectors%%'", )  # fmt: skip
    operators = {"cosine": "cosine_ops", "l2": "l2_ops", "inner_product": "ip_ops"}[distance]
    if kind == "flat":
        assert made == []
    else:
        [(method, definition)] = made
        assert method == kind
        assert f"{type}(8)) {type}_{operators}" in definition
        assert f"{type}(8)" in definition


async def test_vectors_that_are_kept_otherwise_are_refused_until_they_are_computed_again(
    opens: Opens, rows: Rows
) -> None:
    first = opens(index=index())
    await first.abatch([PutOp(NS, f"k{i}", {"text": f"t{i}"}) for i in range(5)])
    before = keys(await first.asearch(NS, query="t3"))
    other = index(distance_type="l2", ann_index_config={"kind": "ivfflat", "nlist": 3, "vector_type": "vector"})

    with pytest.raises(
        EmbeddingMismatchError, match=r"halfvec, cosine, hnsw, .*vector, l2, ivfflat \{'lists': 3\}.*reembed"
    ):
        await opens(index=other).asearch(NS, query="x")
    with pytest.raises(EmbeddingMismatchError, match=r"'directions' with 8 dimensions.*'words' with 8"):
        await opens(index={"embed": WordEmbedder(8), "dims": 8}).asearch(NS, query="x")
    assert keys(await opens(index=index()).asearch(NS, query="t3")) == before

    second = opens(index=other, reembed=True)
    await second.aput(NS, "k5", {"text": "t5"})
    hits = await second.asearch(NS, query="t3")
    assert len(hits) == 6, "what has no vector of its kind yet is found, too"
    assert await second.memory.queue.aembed_pending() == 5
    assert (await second.asearch(NS, query="t3"))[0].key == "k3"
    assert rows(
        "SELECT count(embedding), count(full_embedding), count(DISTINCT embedding_model) FROM agentmem.memory_chunk"
    ) == [(0, 6, 1)]
