"""Searches give the scores that comparing everything would give, also by words that are none of the language's."""

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import psycopg
import pytest
from consistency import caught_up
from langgraph.store.base import PutOp
from searching import INDEXED_ONLY, Directions, index, keys, know_so_many_chunks, some_items

from langgraph_agentmem.resources import WordFrequencies
from langgraph_agentmem.store import AgentMemoryStore

Rows = Callable[..., list[tuple[Any, ...]]]
Opens = Callable[..., AgentMemoryStore]
pytestmark = pytest.mark.usefixtures("consistent_afterwards")
NS = ("alice", "notes")


# Scores


def expected_scores(rows: Rows, namespace: tuple[str, ...], query: str) -> dict[str, float]:
    """The documented score of all items of a namespace, by comparing everything: 61 % cosine, 39 % relative BM25."""
    chunks = rows(
        "SELECT c.section_id, c.content, c.embedding::text FROM agentmem.memory_chunk c JOIN agentmem.active_memory a "
        "ON a.external_id = c.external_id AND a.id = c.memory_id WHERE c.current AND a.namespace = %s",
        list(namespace),
    )
    [(items,)] = rows("SELECT section_count FROM agentmem.active_memory WHERE namespace = %s", list(namespace))
    asked = set(re.findall(r"\w+", query))
    words = [re.findall(r"\w+", content) for _, content, _ in chunks]
    lengths = [len(found) for found in words for word in asked if word in found]
    holding = {word: sum(word in found for found in words) for word in asked}
    idf = {word: math.log(1 + (max(items, n) - n + 0.5) / (n + 0.5)) for word, n in holding.items()}
    direction = np.array(Directions()._vector(query))
    scores: dict[str, float] = {}
    for (key, _, text), found in zip(chunks, words, strict=True):
        vector = np.array([float(x) for x in text[1:-1].split(",")])
        cosine = vector @ direction / (np.linalg.norm(vector) * np.linalg.norm(direction))
        share = sum(idf[word] * weight(found, word, lengths) for word in asked) / sum(idf.values())
        scores[key] = max(scores.get(key, 0.0), 0.61 * max(cosine, 0) + 0.39 * min(share, 1))
    return scores


def weight(found: list[str], word: str, lengths: list[int]) -> float:
    count = found.count(word)
    if not count:
        return 0.0
    frequency = 1 / (math.pi**2 / 6 - sum(1 / j**2 for j in range(1, count + 1))) - 0.5
    return frequency * 2.2 / (frequency + 1.2 * (0.25 + 0.75 * len(found) / (sum(lengths) / len(lengths))))


@pytest.mark.parametrize("way", ["approximate", "exact"])
async def test_scores_are_those_of_comparing_everything_as_documented(opens: Opens, rows: Rows, way: str) -> None:
    store = opens(index=index(), pool_config=INDEXED_ONLY if way == "approximate" else None)
    for tenant in ("alice", "bob"):
        await store.abatch(some_items((tenant, "notes"), 90))
        await store.abatch(some_items((tenant, "other"), 20, seed=1))
    know_so_many_chunks(rows, 0 if way == "approximate" else 1_000_000)
    for query in ("falcon", "owl lynx", "crane crane heron otter", "nothing of it"):
        expected = expected_scores(rows, NS, query)
        hits = await store.asearch(NS, query=query, limit=200)

        assert {hit.key: hit.score for hit in hits} == pytest.approx(expected, abs=2e-3)
        if way == "exact":
            assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
        ten = [expected[key] for key in keys(await store.asearch(NS, query=query))]
        assert ten == pytest.approx(sorted(expected.values(), reverse=True)[:10], abs=0.02)
    await store.aclose()
    if way == "approximate":
        [(scans,)] = rows("SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = 'memory_chunk_vectors_1'")
        assert scans >= 8, "the index was asked"


async def test_without_an_embedder_the_words_alone_make_the_score(opens: Opens) -> None:
    store = opens()
    texts = {"both": "falcon owl", "one": "falcon heron", "none": "heron lynx", "more": "falcon owl falcon owl"}
    await store.abatch([PutOp(NS, key, {"text": text}) for key, text in texts.items()])
    await store.aput(NS, "unheard", {"text": "falcon owl"}, index=False)
    hits = {hit.key: hit.score for hit in await store.asearch(NS, query="falcon owl")}

    assert list(hits)[2:] == ["one", "none", "unheard"]
    assert 1 >= hits["more"] >= hits["both"] > hits["one"] > hits["none"] == 0
    assert hits["unheard"] is None


# Words


@pytest.mark.parametrize("with_vectors", [False, True])
async def test_a_query_of_words_that_all_items_hold_finds_nonetheless(
    opens: Opens, dsn: str, with_vectors: bool
) -> None:
    writer = opens(index=index(), settings={"max_pending_updates": 100_000})
    await writer.abatch([PutOp(NS, f"k{i}", {"text": f"common ordinary word{i}"}) for i in range(150)])
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("ANALYZE agentmem.memory_chunk")
    store = opens(index=index()) if with_vectors else opens()
    hits = await store.asearch(NS, query="common ordinary", limit=500)
    assert len(hits) == 150
    if not with_vectors:
        assert min(hit.score for hit in hits) > 0
    assert (await store.asearch(NS, query="common ordinary word77", limit=1))[0].key == "k77"
    assert store.memory.resources.word_frequencies.of("common") == {"common": 150}


@pytest.mark.parametrize("most", [1, 40])
async def test_without_vectors_the_rarest_word_counts_even_if_it_is_over_the_budget(opens: Opens, most: int) -> None:
    store = opens()
    await store.abatch([PutOp(NS, f"k{i}", {"text": "common" + " rarer" * (i < 50)}) for i in range(100)])
    await caught_up(store.memory)
    many = 5_000 // most  # so many times more than there are: as if the budget of 5,000 matches were as small
    store.memory.resources.word_frequencies = WordFrequencies({"common": 100 * many, "rarer": 50 * many})
    hits = await store.asearch(NS, query="common rarer", limit=500)

    assert sum(hit.score > 0 for hit in hits) == 50
    assert {hit.key for hit in hits[:50]} == {f"k{i}" for i in range(50)}


ODD = [
    "falcon's", '"falcon', "\\", "falcon \\ owl", "a & b", "!falcon", "(falcon", "falcon)", "falcon | !owl:*", "<->", "':*",
    "'", "''", "%", "%s %(query)s", "{}", "{0} {filter}", "$1", ";--", "the and of", "\t\n falcon", "隼とフクロウ", "сокол и сова",
    "🦅", "é" * 300, "falcon " * 3_000, "x" * 3_000, "a.b@c.de http://x.y/z?q=1", "1 -2 3.5e10", "\u200b", "\u202e", "NULL", "null",
]  # fmt: skip


@pytest.mark.parametrize("with_vectors", [False, True])
async def test_whatever_characters_a_query_holds_it_is_only_searched_for(opens: Opens, with_vectors: bool) -> None:
    store = opens(index=index() if with_vectors else None)
    texts = ["falcon", "сокол", "隼とフクロウ", "it's \\ odd", *ODD]
    await store.abatch([PutOp(NS, str(i), {"text": text}) for i, text in enumerate(texts)])
    for query in ODD:
        hits = await store.asearch(NS, query=query, limit=100)
        assert len(hits) == len(texts)
        assert all(hit.score is None or 0 <= hit.score <= 1 for hit in hits)
        if with_vectors and len(query) < 500:
            same = [hit.score for hit in hits if hit.value["text"] == query and hit.score is not None]
            assert same == [] or max(same) >= 0.6, query
    assert (await store.asearch(NS, query="СОКОЛ"))[0].value["text"] == "сокол" or with_vectors


async def test_a_query_of_stop_words_only_finds_by_vectors_or_lists_without_score(dsn: str) -> None:
    for given in (None, index()):
        async with AgentMemoryStore.from_conn_string(dsn, index=given) as store:
            await store.abatch([PutOp(NS, key, {"text": key}) for key in ("the", "falcon")])
            hits = await store.asearch(NS, query="the of and")
            assert len(hits) == 2
            assert all(0 <= hit.score <= 1 for hit in hits)
