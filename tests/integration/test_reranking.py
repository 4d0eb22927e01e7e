"""A reranker orders the best hits anew, behind every door; where it fails, hits stay as they were found."""

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from fakes import WordEmbedder
from langchain_core.callbacks import Callbacks
from langchain_core.documents import BaseDocumentCompressor, Document

from langgraph_agentmem import AgentMemory, AgentMemoryStore
from langgraph_agentmem.errors import ConfigurationError

Open = Callable[..., AgentMemory]
ANIMALS = ["fox", "fox and a fox", "fox hen", "fox hen owl", "a fox that is far from everything else there is"]


def by_length(query: str, texts: list[str]) -> list[float]:
    return [float(len(text)) for text in texts]


async def by_length_async(query: str, texts: list[str]) -> list[float]:
    await asyncio.sleep(0)
    return by_length(query, texts)


class Longest(BaseDocumentCompressor):
    """Keeps the three longest documents, as LangChain's compressors keep some of them."""

    scored: bool = True

    def compress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None
    ) -> Sequence[Document]:
        best = sorted(documents, key=lambda document: -len(document.page_content))[:3]
        if not self.scored:
            return best
        scored = [{**document.metadata, "relevance_score": len(document.page_content) / 100} for document in best]
        return [
            Document(page_content=document.page_content, metadata=metadata)
            for document, metadata in zip(best, scored, strict=True)
        ]


async def animals(memory: AgentMemory) -> AgentMemory:
    for number, text in enumerate(ANIMALS):
        await memory.acreate_active_memory("alice", f"Notes {number}", {"sections": ["notes"]}, {"notes": text})
    return memory


async def found(memory: AgentMemory, **options: Any) -> list[str]:
    return [hit.content for hit in await memory.asearch("alice", "fox", **options)]


@pytest.mark.parametrize("reranker", [by_length, by_length_async], ids=["a function", "an async function"])
async def test_a_function_orders_the_hits_and_they_say_its_score(opened: Open, reranker: Any) -> None:
    plain = await animals(opened())
    before = await plain.asearch("alice", "fox")
    hits = await opened(reranker=reranker).asearch("alice", "fox")

    assert [hit.content for hit in before] != sorted(ANIMALS, key=len, reverse=True)
    assert [hit.content for hit in hits] == sorted(ANIMALS, key=len, reverse=True)
    assert [hit.rerank_score for hit in hits] == [len(hit.content) for hit in hits]
    assert {hit.chunk_id: hit.score for hit in hits} == {hit.chunk_id: hit.score for hit in before}
    assert {hit.rerank_score for hit in before} == {None}


async def test_a_page_is_the_best_of_all_that_is_ordered_anew(opened: Open) -> None:
    memory = await animals(opened(reranker=by_length))

    assert await found(memory, limit=1) == [ANIMALS[4]]


@pytest.mark.parametrize("scored", [True, False])
async def test_what_a_document_compressor_leaves_out_comes_behind(opened: Open, scored: bool) -> None:
    await animals(opened())
    hits = await opened(reranker=Longest(scored=scored)).asearch("alice", "fox")

    longest = sorted(ANIMALS, key=len, reverse=True)[:3]
    assert [hit.content for hit in hits[:3]] == longest
    assert {hit.content for hit in hits[3:]} == set(ANIMALS) - set(longest)
    expected = [len(text) / 100 if scored else None for text in longest]
    assert [hit.rerank_score for hit in hits] == [*expected, None, None]


async def test_only_the_first_fifty_are_read_and_the_rest_follows_as_it_was_found(opened: Open) -> None:
    asked: list[int] = []

    def counting(query: str, texts: list[str]) -> list[float]:
        asked.append(len(texts))
        return [-float(place) for place in range(len(texts))][::-1]

    notes = "\n".join(f"- fox {'and ' * (i % 7)}number {i}" for i in range(70))
    plain = opened()
    await plain.acreate_active_memory("alice", "Notes", {"sections": ["notes"]}, {"notes": notes})
    before = await found(plain, limit=60)
    after = await found(opened(reranker=counting), limit=60)

    assert asked == [50]
    assert after == [*before[:50][::-1], *before[50:]]


async def test_a_blocking_reranker_does_not_block_the_event_loop(opened: Open) -> None:
    at_work, seen = threading.Event(), threading.Event()

    def slow(query: str, texts: list[str]) -> list[float]:
        at_work.set()
        seen.wait(5)
        return by_length(query, texts)

    memory = await animals(opened(reranker=slow))
    task = asyncio.create_task(memory.asearch("alice", "fox"))
    assert await asyncio.to_thread(at_work.wait, 5)
    seen.set()
    assert (await task)[0].rerank_score is not None


async def test_sync_callers_have_it_as_well(opened: Open) -> None:
    await animals(opened())
    memory = opened(reranker=by_length_async)
    hits = await asyncio.to_thread(memory.search, "alice", "fox")

    assert [hit.content for hit in hits] == sorted(ANIMALS, key=len, reverse=True)
    await memory.aclose()


class Foreign(Longest):
    def compress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None
    ) -> Sequence[Document]:
        return [Document(page_content="what was never found")]


def refusing(query: str, texts: list[str]) -> list[float]:
    raise RuntimeError(f"too long: {texts}")


FAILING = {
    "an exception": (refusing, "ModelError (RuntimeError)"),
    "a wrong number": (lambda query, texts: [1.0], "the reranker returned 1 scores for 5 texts"),
    "NaN": (lambda query, texts: [float("nan")] * len(texts), "a score that is NaN or infinite"),
    "no scores": (lambda query, texts: None, "ModelError (TypeError)"),
    "foreign documents": (Foreign(), "documents that it was not given"),
}


@pytest.mark.parametrize("case", FAILING)
async def test_where_it_fails_hits_stay_as_they_were_found_and_a_warning_says_so(
    opened: Open, caplog: pytest.LogCaptureFixture, case: str
) -> None:
    reranker, said = FAILING[case]
    before = await found(await animals(opened()))
    hits = await opened(reranker=reranker).asearch("alice", "fox")

    assert [hit.content for hit in hits] == before
    assert {hit.rerank_score for hit in hits} == {None}
    [warning] = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert said in warning.getMessage()
    assert "hen" not in warning.getMessage()


@pytest.mark.parametrize("reranker", [7, "cohere:rerank", ["x"]])
def test_what_is_no_reranker_is_refused_when_it_is_given(reranker: object) -> None:
    with pytest.raises(ConfigurationError, match=r"a reranker must be .* \(query, texts\) -> scores, not"):
        AgentMemory.open("postgresql://", reranker=reranker)


# The store


async def items(opened: Open) -> AgentMemoryStore:
    store = AgentMemoryStore(opened(reranker=by_length, index=WordEmbedder()))
    for number, text in enumerate(ANIMALS):
        await store.aput(("alice", "notes"), str(number), {"text": text})
    await store.aput(("alice", "notes"), "unread", {"text": "x" * 500}, index=False)
    await store.aput(("bob", "notes"), "other", {"text": "fox " * 30})
    return store


async def test_a_stores_search_is_ordered_anew_and_paged(opened: Open) -> None:
    store = await items(opened)
    order = ["4", "1", "3", "2", "0"]

    whole = await store.asearch(("alice", "notes"), query="fox", limit=10)
    assert [item.key for item in whole] == [*order, "unread"]
    assert [item.rerank_score for item in whole][:5] == [len(ANIMALS[int(key)]) for key in order]
    assert (whole[-1].rerank_score, whole[-1].score) == (None, None)
    pages = [await store.asearch(("alice", "notes"), query="fox", limit=2, offset=offset) for offset in (0, 2, 4)]
    assert [[item.key for item in page] for page in pages] == [order[:2], order[2:4], ["0", "unread"]]


async def test_a_stores_search_over_several_tenants_is_one_order(opened: Open) -> None:
    store = await items(opened)

    best = await store.asearch((), query="fox", limit=2)
    assert [item.key for item in best] == ["other", "4"]


async def test_a_list_without_a_query_is_not_ordered_anew(opened: Open) -> None:
    store = await items(opened)

    assert [item.key for item in await store.asearch(("alice", "notes"), limit=2)] == ["unread", "4"]
