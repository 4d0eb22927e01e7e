"""An embedder that fails for one caller fails for nobody else."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from fakes import WordEmbedder
from langgraph.store.base import PutOp
from store_faults import contents

from langgraph_agentmem.errors import EmbeddingError
from langgraph_agentmem.store import AgentMemoryStore

Rows = Callable[..., list[tuple[Any, ...]]]
pytestmark = pytest.mark.usefixtures("consistent_afterwards")
NS = ("alice", "notes")


class Bad(WordEmbedder):
    """Fails, in one way or another, where a text is bad."""

    def __init__(self, way: str) -> None:
        super().__init__(8)
        self.way = way

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        vectors = super().embed_documents(texts)
        if not any("bad" in text for text in texts):
            return vectors
        if self.way == "raises":
            raise ConnectionError("no such luck")
        return {
            "too few": vectors[1:],
            "too many": [*vectors, vectors[0]],
            "NaN": [[float("nan")] * 8 for _ in vectors],
            "infinity": [[float("inf")] * 8 for _ in vectors],
            "other dimensions": [vector[:7] for vector in vectors],
            "None": None,
            "texts": texts,
        }[self.way]  # type: ignore[return-value]

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]


@pytest.mark.parametrize(
    "way", ["raises", "too few", "too many", "NaN", "infinity", "other dimensions", "None", "texts"]
)
async def test_an_embedder_that_fails_for_one_caller_fails_for_that_one_only(dsn: str, rows: Rows, way: str) -> None:
    async with AgentMemoryStore.from_conn_string(dsn, index={"embed": Bad(way), "dims": 8}) as store:
        texts = {"k0": "good", "k1": "bad", "k2": "good too"}
        puts = [store.aput(NS, key, {"text": text}) for key, text in texts.items()]
        outcomes = await asyncio.gather(*puts, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [type(None), EmbeddingError, type(None)]
        with pytest.raises(EmbeddingError, match="the embedder"):
            await store.abatch([PutOp(NS, "k3", {"text": "good"}), PutOp(NS, "k4", {"text": "bad"})])
        with pytest.raises(EmbeddingError):
            await store.aput_if(NS, "k5", {"text": "bad"}, 0)
        found = await asyncio.gather(
            *(store.asearch(NS, query=q) for q in ("good", "bad", "too")), return_exceptions=True
        )
        if way not in ("too many", "too few"):  # of one query, these are no failure, or another one
            assert [type(answer) for answer in found] == [list, EmbeddingError, list]
    assert contents(rows) == {"k0": 1, "k2": 1}
    assert rows("SELECT count(*) FROM agentmem.memory_chunk WHERE embedding_model IS NULL") == [(0,)]
