"""Searches give the scores that comparing everything would give, also by words that are none of the language's."""

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from langgraph.store.base import PutOp
from searching import Directions, index, keys, some_items, ways
from waiting import until_alone

from langgraph_agentmem.policies.weighing import ONCE
from langgraph_agentmem.store import AgentMemoryStore

Rows = Callable[..., list[tuple[Any, ...]]]
Opens = Callable[..., AgentMemoryStore]
pytestmark = pytest.mark.usefixtures("consistent_afterwards")
NS = ("alice", "notes")


# Scores


def expected_scores(rows: Rows, namespace: tuple[str, ...], query: str, floor: float) -> dict[str, float]:
    """The documented score of all items of a namespace, by comparing everything: 0.45 BM25, 0.55 similarity."""
    chunks = rows(
        "SELECT a.namespace, c.section_id, c.content, c.embedding::text FROM agentmem.memory_chunk c "
        "JOIN agentmem.active_memory a ON a.external_id = c.external_id AND a.id = c.memory_id "
        "WHERE c.current AND c.external_id = %s",
        namespace[0],
    )
    words = [re.findall(r"\w+", content) for _, _, content, _ in chunks]
    holding = {word: sum(word in found for found in words) for word in re.findall(r"\w+", query)}
    common = {word for word, n in holding.items() if n > max(10, len(chunks) / 4)}
    telling = set(holding) - common
    asked = telling if any(holding[word] for word in telling) else set(holding)
    idf = {word: math.log(1 + (len(chunks) - holding[word] + 0.5) / (holding[word] + 0.5)) for word in asked}
    embedded = " ".join(word for word in query.split() if word not in common) or query
    direction = np.array(Directions()._vector(embedded))
    scores: dict[str, float] = {}
    for (where, key, _, text), found in zip(chunks, words, strict=True):
        if where != list(namespace):
            continue
        vector = np.array([float(x) for x in text[1:-1].split(",")])
        cosine = vector @ direction / (np.linalg.norm(vector) * np.linalg.norm(direction))
        share = sum(idf[word] * weight(found, word) for word in asked) / (1.9 / 1.504 * sum(idf.values()))
        score = 0.45 * min(share, 1) + 0.55 * max((max(cosine, 0) - floor) / (1 - floor), 0)
        scores[key] = max(scores.get(key, 0.0), score)
    return scores


def weight(found: list[str], word: str) -> float:
    count = found.count(word)
    return count * 1.9 / (count + 0.9 * (0.4 + 0.6 * max(len(found), 20) / 75))


@pytest.mark.parametrize("way", ["approximate", "exact"])
async def test_scores_are_those_of_comparing_everything_as_documented(opens: Opens, rows: Rows, way: str) -> None:
    store = opens(index=index(), **ways(way))
    for tenant in ("alice", "bob"):
        await store.abatch(some_items((tenant, "notes"), 90))
        await store.abatch(some_items((tenant, "other"), 20, seed=1))
    for query in ("falcon", "owl lynx", "crane crane heron otter", "nothing of it"):
        hits = await store.asearch(NS, query=query, limit=200)
        [(floor,)] = rows("SELECT floor FROM agentmem.embedding_model")
        expected = expected_scores(rows, NS, query, floor)

        assert {hit.key: hit.score for hit in hits} == pytest.approx(expected, abs=2e-3)
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
        ten = [expected[key] for key in keys(await store.asearch(NS, query=query))]
        assert ten == pytest.approx(sorted(expected.values(), reverse=True)[:10], abs=0.02)
    await store.aclose()
    if way == "approximate":
        await until_alone(rows)
        [(scans,)] = rows("SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = 'memory_chunk_vectors_1'")
        assert scans >= 4, "the index was asked"


@pytest.mark.parametrize("way", ["approximate", "exact"])
@pytest.mark.parametrize("with_vectors", [False, True])
async def test_the_best_chunk_of_a_long_item_counts_less(opens: Opens, way: str, with_vectors: bool) -> None:
    store, lengths = opens(index=index() if with_vectors else None, **ways(way)), (1, 4, 5, 40, 80)
    others = [f"- nothing of it {i}" for i in range(80)]
    for n in lengths:
        await store.aput(NS, f"of {n}", {"text": "\n".join(["- falcon", *others[: n - 1]])})
    rest = f"- the falcon is one of the birds {' or '.join(f'number{i}' for i in range(40))}"
    await store.aput(NS, "rest", {"text": "\n".join([rest, *others])})
    hits = await store.asearch(NS, query="falcon", limit=6)
    scores = {hit.key: hit.score for hit in hits if hit.key != "rest"}

    of_one = scores["of 1"]
    assert of_one >= 0.45 - 1e-6
    expected = {f"of {n}": of_one / (1 + 0.15 * math.log(max(n / 4, 1))) for n in lengths}
    assert scores == pytest.approx({key: expected[key] for key in scores}, rel=1e-4)
    for limit in range(1, 6):
        fewer = await store.asearch(NS, query="falcon", limit=limit)
        assert [(hit.key, hit.score) for hit in fewer] == [(hit.key, hit.score) for hit in hits[:limit]]


async def test_without_an_embedder_the_words_alone_make_the_score(opens: Opens) -> None:
    store = opens()
    texts = {"both": "falcon owl", "one": "falcon heron", "none": "heron lynx", "more": "falcon owl falcon owl"}
    await store.abatch([PutOp(NS, key, {"text": text}) for key, text in texts.items()])
    await store.aput(NS, "unheard", {"text": "falcon owl"}, index=False)
    hits = {hit.key: hit.score for hit in await store.asearch(NS, query="falcon owl")}

    assert list(hits)[2:] == ["one", "none", "unheard"]
    assert 1 >= hits["more"] >= hits["both"] > hits["one"] > hits["none"] == 0
    assert hits["unheard"] is None


# Neighbours


@pytest.mark.parametrize("with_vectors", [False, True])
async def test_what_was_put_before_and_after_counts_of_what_is_said_only(opens: Opens, with_vectors: bool) -> None:
    store = opens(index=index() if with_vectors else None)
    said = [
        "Ada: the falcon flew",
        "Bob: did it",
        "Ada: yes it did",
        "Bob: over there",
        "Ada: well",
        "Bob: quite so",
        "Ada: no",
    ]
    keys_of = [f"k{i}" for i in (9, 10, 2, 1, 7, 3, 5)]  # not in the order of their keys
    await store.abatch([PutOp(NS, key, {"text": text}) for key, text in zip(keys_of, said, strict=True)])
    await store.aput(("alice", "facts"), "a", {"text": "the falcon flew"})
    await store.aput(("alice", "facts"), "b", {"text": "something else"})
    hits = {hit.key: hit for hit in await store.asearch(NS, query="falcon", limit=20)}
    if not with_vectors:
        order = sorted(keys_of, key=lambda key: -hits[key].score)
        assert order[:4] == keys_of[:4]
        # as in a section; all of it together is short
        saturated = [times * 1.9 / (times + 0.9 * (0.4 + 0.6 * 20 / 75)) for times in (1.0, 0.8, 0.6, 0.4)]
        assert [hits[key].score for key in keys_of[:4]] == pytest.approx([s / ONCE for s in saturated], abs=1e-5)
        assert all(hits[key].score == 0 for key in keys_of[4:])
    facts = {hit.key: hit.score for hit in await store.asearch(("alice", "facts"), query="falcon flew")}
    assert facts["a"] > facts["b"]
    if not with_vectors:
        assert facts["b"] == 0, "what is noted stands for itself"

    await store.adelete(NS, keys_of[0])
    left = await store.asearch(NS, query="falcon", limit=20)
    assert with_vectors or all(hit.score == 0 for hit in left), "nothing of it is kept with its neighbours"


async def test_how_far_an_item_is_behind_another_is_counted_in_chunks(opens: Opens) -> None:
    store = opens()
    speech = "Ada: so it began.\n\n" + "\n\n".join(f"And then came the part {i}." for i in range(3))
    said = {"first": "Bob: the falcon", "near": "Ada: yes it did", "speech": speech, "behind": "Bob: did it"}
    await store.abatch([PutOp(NS, key, {"text": text}) for key, text in said.items()])

    hits = {hit.key: hit.score for hit in await store.asearch(NS, query="falcon", limit=20)}

    assert hits["first"] > hits["near"] > hits["speech"] > hits["behind"] == 0


async def test_the_more_is_said_beside_something_the_less_a_word_of_it_weighs(opens: Opens) -> None:
    store = opens()
    told = "Bob: " + " ".join(f"word{i}" for i in range(60))
    said = {"long": told, "beside": "Ada: the falcon", "noted": "the falcon", "end": told, "quiet": "Ada: the falcon"}
    await store.abatch(
        [PutOp((*NS, key if key in {"noted", "quiet"} else "talk"), key, {"text": text}) for key, text in said.items()]
    )

    hits = {hit.key: hit.score for hit in await store.asearch(NS, query="falcon", limit=20)}

    assert hits["quiet"] == hits["noted"] > hits["beside"] > hits["long"] > 0


async def test_what_is_said_again_and_again_counts_less_each_time(opens: Opens) -> None:
    """Who answers both words of the question stands before who is surrounded by one of them."""
    store = opens()
    said = [*["Ada: the falcon"] * 3, "Bob: rain", "Ada: well", "Bob: so", "Ada: an owl", "Bob: a falcon", "Ada: yes"]
    await store.abatch([PutOp(NS, f"k{i}", {"text": text}) for i, text in enumerate(said)])
    for_filler = [PutOp(("alice", "facts"), str(i), {"text": f"filler {i}"}) for i in range(40)]
    await store.abatch(for_filler)
    hits = {hit.key: hit.score for hit in await store.asearch(NS, query="falcon owl", limit=20)}

    assert {*list(hits)[:2]} == {"k6", "k7"}
    assert all(hits[key] < 1 for key in hits)
    assert hits["k2"] > hits["k0"] > 0, "more of it stands before the last"


# Words


@pytest.mark.parametrize("with_vectors", [False, True])
async def test_a_query_of_words_that_all_items_hold_finds_nonetheless(opens: Opens, with_vectors: bool) -> None:
    store = opens(index=index() if with_vectors else None, settings={"max_pending_updates": 100_000})
    await store.abatch([PutOp(NS, f"k{i}", {"text": f"common ordinary word{i}"}) for i in range(150)])
    hits = await store.asearch(NS, query="common ordinary", limit=500)
    assert len(hits) == 150
    if not with_vectors:
        assert min(hit.score for hit in hits) > 0
    assert (await store.asearch(NS, query="common ordinary word77", limit=1))[0].key == "k77"


async def test_candidates_of_the_rarest_words_fill_the_page_or_everything_is_compared(opens: Opens) -> None:
    store = opens(settings={"exact_search_rows": 0})
    await store.abatch([PutOp(NS, f"k{i}", {"text": "common" + " rarer" * (i < 50)}) for i in range(300)])
    hits = await store.asearch(NS, query="common rarer", limit=500)

    assert len(hits) == 300
    assert {hit.key for hit in hits[:50]} == {f"k{i}" for i in range(50)}
    assert keys(await store.asearch(NS, query="common rarer", limit=50)) == keys(hits[:50])


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
            assert same == [] or max(same) >= 0.45 - 1e-6, query
    assert (await store.asearch(NS, query="СОКОЛ"))[0].value["text"] == "сокол" or with_vectors


async def test_a_query_of_stop_words_only_finds_by_vectors_or_lists_without_score(dsn: str) -> None:
    for given in (None, index()):
        async with AgentMemoryStore.from_conn_string(dsn, index=given) as store:
            await store.abatch([PutOp(NS, key, {"text": key}) for key in ("the", "falcon")])
            hits = await store.asearch(NS, query="the of and")
            assert len(hits) == 2
            assert all(0 <= hit.score <= 1 for hit in hits)
