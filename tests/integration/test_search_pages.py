"""Searches give what comparing everything would give, in one order over all pages, whatever way they are carried out."""

import hashlib
import math
import random
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import psycopg
import pytest
from consistency import caught_up
from fakes import WordEmbedder
from langgraph.store.base import PutOp

from langgraph_agentmem.errors import EmbeddingMismatchError
from langgraph_agentmem.storage.driver.tenants import EVERYONE
from langgraph_agentmem.storage.vectors import set_ann
from langgraph_agentmem.store import AgentMemoryStore

Rows = Callable[..., list[tuple[Any, ...]]]
Opens = Callable[..., AgentMemoryStore]
pytestmark = pytest.mark.usefixtures("consistent_afterwards")
NS = ("alice", "notes")
WORDS = ["falcon", "owl", "heron", "lynx", "zebra", "otter", "badger", "crane"]
INDEXED_ONLY = {"kwargs": {"options": "-c enable_seqscan=off -c enable_sort=off -c enable_bitmapscan=off"}}


class Directions(WordEmbedder):
    """Gives each text a direction of its own, by chance but always the same."""

    def __init__(self, dimensions: int = 8, model: str = "directions") -> None:
        super().__init__(dimensions, model)

    def _vector(self, text: str) -> list[float]:
        seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
        return np.random.default_rng(seed).normal(size=self.dimensions).tolist()


def index(**config: Any) -> dict[str, Any]:
    return {"embed": Directions(), "dims": 8, **config}


@pytest.fixture
def opens(opened_stores: Opens) -> Opens:
    """Opens stores that take words as they are."""

    def make(*, settings: dict[str, Any] | None = None, **arguments: Any) -> AgentMemoryStore:
        return opened_stores(settings={"text_search_config": "simple", **(settings or {})}, **arguments)

    return make


def places(hits: Sequence[Any]) -> list[tuple[tuple[str, ...], str]]:
    return [(hit.namespace, hit.key) for hit in hits]


def keys(hits: Sequence[Any]) -> list[str]:
    return [hit.key for hit in hits]


def know_so_many_chunks(rows: Rows, count: int) -> None:
    """Let the server believe that there are so many chunks: with few, the approximate index is looked at first."""
    rows("UPDATE pg_class SET reltuples = %s WHERE oid = 'agentmem.memory_chunk'::regclass", count)


def some_items(namespace: tuple[str, ...], count: int, seed: int = 0) -> list[PutOp]:
    """Items with one to three texts each."""
    rng = random.Random(seed)
    ops = []
    for i in range(count):
        texts = [" ".join(rng.choices(WORDS, k=rng.randint(1, 9))) for _ in range(rng.randint(1, 3))]
        ops.append(PutOp(namespace, f"k{i:04}", {"texts": texts, "n": i % 5}, index=["texts[*]"]))
    return ops


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


# Pages


async def everything(store: AgentMemoryStore, prefix: tuple[str, ...], size: int, **what: Any) -> list[Any]:
    """All hits, page by page."""
    found: list[Any] = []
    while page := await store.asearch(prefix, limit=size, offset=len(found), **what):
        found += page
        assert len(page) == size or not await store.asearch(prefix, limit=1, offset=len(found), **what)
    return found


async def test_pages_make_up_the_whole_where_the_index_leads_the_way(opens: Opens, rows: Rows, dsn: str) -> None:
    store = opens(index=index(), settings={"max_pending_updates": 10_000})
    for part in range(0, 1300, 325):
        ops = [
            PutOp(("alice", "big"), f"k{i:04}", {"text": f"{WORDS[i % 7]} {i % 450}", "n": i % 4})
            for i in range(part, part + 325)
        ]
        await store.abatch(ops)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("ANALYZE agentmem.memory_chunk")

    query = "falcon 7"
    whole = await store.asearch(("alice", "big"), query=query, limit=5_000)
    assert len(whole) == len(set(places(whole))) == 1300
    assert all(0 <= hit.score <= 1 for hit in whole)
    for size in (167, 650):
        assert places(await everything(store, ("alice",), size, query=query)) == places(whole)
    for at in (0, 7, 33, 39, 40, 41, 199, 1295):
        assert places(await store.asearch(("alice",), query=query, limit=7, offset=at)) == places(whole[at : at + 7])
    for filter in ({"n": 3}, {"text": {"$contains": "zebra"}}, {"n": {"$in": [0, 9]}, "text": {"$ne": "zebra 4"}}):
        passing = [hit for hit in whole if matches(filter, hit.value)]
        hits = await everything(store, ("alice",), 300, query=query, filter=filter)
        assert sorted(places(hits)) == sorted(places(passing))
    best = sorted(whole, key=lambda hit: -hit.score)[:10]
    assert sum(hit in whole[:10] for hit in best) >= 9, "the index finds nearly all that is nearest"
    await store.aclose()
    [(scans,)] = rows("SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = 'memory_chunk_vectors_1'")
    assert scans > 0, "the index was asked"


def matches(filter: dict[str, Any], value: dict[str, Any]) -> bool:
    if filter == {"n": 3}:
        return value["n"] == 3
    if "n" in filter:
        return value["n"] in (0, 9) and value["text"] != "zebra 4"
    return "zebra" in value["text"]


@pytest.mark.parametrize("way", ["approximate", "exact"])
@pytest.mark.parametrize("prefix", [("alice",), ("alice", "one")])
async def test_pages_over_several_memories_many_chunks_and_what_has_no_vectors_yet(
    opens: Opens, rows: Rows, prefix: tuple[str, ...], way: str
) -> None:
    store = opens(index=index(), pool_config=INDEXED_ONLY if way == "approximate" else None)
    for name in ("one", "two"):
        await store.abatch(some_items(("alice", name), 45))
        await store.aput(("alice", name), "silent", {"n": 1}, index=False)
        await store.aput(("alice", name), "wordless", {"n": 1})
    later = opens(index=index(), settings={"embed": "background"})
    await later.abatch([PutOp(("alice", "one"), f"u{i}", {"text": f"falcon {i}", "n": 1}) for i in range(15)])
    know_so_many_chunks(rows, 0 if way == "approximate" else 1_000_000)

    [(count,)] = rows("SELECT count(*) FROM agentmem.section s JOIN agentmem.active_memory a ON a.id = s.memory_id "
                      "WHERE a.namespace[1:%s] = %s", len(prefix), list(prefix))  # fmt: skip
    for query in ("falcon owl", "unheard of"):
        whole = await store.asearch(prefix, query=query, limit=1000)
        assert len(set(places(whole))) == len(whole) == count
        assert [hit.score for hit in whole].index(None) == count - 2 * (3 - len(prefix))
        for size in (1, 13):
            assert places(await everything(store, prefix, size, query=query)) == places(whole)
    with_vectors = {hit.key: hit.score for hit in await store.asearch(("alice", "one"), query="falcon owl", limit=1000)}
    assert 0 < with_vectors["u1"] <= 0.39, "they are found by their words"
    assert await later.memory.queue.aembed_pending() == 15
    assert len(await store.asearch(prefix, query="falcon owl", limit=1000)) == count


@pytest.mark.parametrize("query", ["falcon", "heron", "falcon heron"])
async def test_equal_scores_have_one_order_on_every_page(opens: Opens, rows: Rows, query: str) -> None:
    store = opens(index=index())
    for name in "xy":
        await store.abatch([PutOp(("alice", name), f"k{i}", {"text": "falcon"}) for i in range(60)])
    for reltuples in (0, 1_000_000):
        know_so_many_chunks(rows, reltuples)
        whole = await store.asearch(("alice",), query=query, limit=200)
        assert len(set(places(whole))) == 120
        assert places(await everything(store, ("alice",), 11, query=query)) == places(whole)


async def test_items_written_at_once_are_listed_in_one_order_on_every_page(opens: Opens) -> None:
    store = opens(owner=1)
    for tenant in ("alice", "bob"):
        await store.abatch([PutOp(("m", tenant, name), f"{c}{i}", {}) for name in "xY" for c in "aB" for i in range(4)])
    for prefix in ((), ("m",), ("m", "bob")):
        whole = await store.asearch(prefix, limit=100)
        assert len(whole) == (16 if len(prefix) == 2 else 32)
        assert [item.updated_at for item in whole] == sorted((item.updated_at for item in whole), reverse=True)
        for size in (1, 5):
            assert places(await everything(store, prefix, size)) == places(whole)


async def test_an_index_that_gives_up_early_changes_nothing(opens: Opens, rows: Rows) -> None:
    options = INDEXED_ONLY["kwargs"]["options"] + " -c hnsw.max_scan_tuples=1 -c hnsw.ef_search=1"
    store = opens(index=index(), pool_config={"kwargs": {"options": options}})
    await store.abatch([PutOp(NS, f"k{i:03}", {"text": f"t{i}", "n": i % 20}) for i in range(200)])
    know_so_many_chunks(rows, 0)
    whole = {hit.key: hit.score for hit in await opens(index=index()).asearch(NS, query="asked", limit=500)}
    for n in range(20):
        hits = await store.asearch(NS, query="asked", filter={"n": n}, limit=10)
        expected = sorted((score for key, score in whole.items() if int(key[1:]) % 20 == n), reverse=True)
        assert [hit.score for hit in hits] == pytest.approx(expected, abs=1e-6)


async def test_a_search_is_planned_once_and_leaves_no_setting_behind(opens: Opens) -> None:
    store = opens(index=index(), pool_config={"max_size": 1})
    await store.aput(NS, "k", {"text": "falcon"})
    for query in ("falcon", "owl", "asked"):
        assert await store.asearch(NS, query=query)
    async with store.memory.resources.database.connection(EVERYONE) as connection:
        planned = await connection.execute(
            "SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE statement LIKE 'WITH scope AS%%'"
        )
        assert [tuple(row.values()) for row in await planned.fetchall()] == [(3, 0)]
        left = await connection.execute(
            "SELECT name FROM pg_settings WHERE source = 'session' AND name ~ '^(enable|plan|jit|max_par|hnsw)'"
        )
        assert await left.fetchall() == []


async def test_an_index_is_searched_thoroughly(opens: Opens) -> None:
    store = opens(index=index())
    await store.aput(NS, "k", {"text": "falcon"})
    async with store.memory.resources.database.transaction(EVERYONE) as connection:
        await set_ann(connection)
        shown = await connection.execute("SHOW hnsw.ef_search")
    assert await shown.fetchall() == [{"hnsw.ef_search": "80"}]


@pytest.mark.parametrize("consolidated", [False, True])
async def test_what_an_item_said_before_does_not_find_it(opens: Opens, consolidated: bool) -> None:
    store = opens(index=index())
    await store.aput(NS, "k", {"text": "falcon"})
    if consolidated:
        [memory] = await store.memory.aget_active_memories("alice")
        await store.memory.aconsolidate("alice", memory.id)
    await store.aput(NS, "k", {"text": "owl"})
    await store.aput(NS, "same", {"text": "owl"})

    for query in ("falcon", "owl"):
        [one, other] = await store.asearch(NS, query=query)
        assert one.score == other.score


# Kinds of indexes


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
    store = opens(index=config, pool_config=INDEXED_ONLY)
    await store.abatch([PutOp(NS, f"k{i:02}", {"text": f"t{i}"}) for i in range(60)])
    know_so_many_chunks(rows, 0)
    hits = await store.asearch(NS, query="asked", limit=60)

    query = np.array(Directions()._vector("asked"))
    similarity = {
        "cosine": lambda v: max(v @ query / np.linalg.norm(v) / np.linalg.norm(query), 0),
        "l2": lambda v: 1 / (1 + np.linalg.norm(v - query)),
        "inner_product": lambda v: 1 / (1 + math.exp(-(v @ query))),
    }[distance]
    expected = {f"k{i:02}": 0.61 * similarity(np.array(Directions()._vector(f"t{i}"))) for i in range(60)}
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
async def test_without_vectors_the_rarest_word_counts_even_if_it_is_over_the_budget(
    opens: Opens, dsn: str, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    from langgraph_agentmem.storage import item_search

    monkeypatch.setattr(item_search, "_MOST_MATCHES", {True: most, False: most})
    store = opens()
    await store.abatch([PutOp(NS, f"k{i}", {"text": "common" + " rarer" * (i < 50)}) for i in range(100)])
    await caught_up(store.memory)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("ANALYZE agentmem.memory_chunk")
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


# Expiry


@pytest.mark.parametrize("with_vectors", [False, True])
async def test_what_has_expired_takes_no_place_on_a_page(opens: Opens, rows: Rows, with_vectors: bool) -> None:
    given = index() if with_vectors else None
    store, sees = opens(index=given, ttl={"omit_expired": True}), opens(index=given)
    await store.abatch([PutOp(NS, f"k{i:02}", {"text": f"falcon {i}"}, ttl=10 if i % 2 else None) for i in range(40)])
    rows("UPDATE agentmem.section SET expires_at = now() - interval '1 second' WHERE expires_at IS NOT NULL")
    for reltuples in (0, 1_000_000):
        know_so_many_chunks(rows, reltuples)
        for what in ({"query": "falcon"}, {}, {"query": "falcon", "filter": {"text": {"$ne": "falcon 0"}}}):
            hits = await store.asearch(NS, limit=15, **what)
            assert len(hits) == 15
            assert all(int(hit.key[1:]) % 2 == 0 for hit in hits)
            assert len(await everything(store, NS, 6, **what)) == 20 - ("filter" in what)
            assert len(await sees.asearch(NS, limit=50, refresh_ttl=False, **what)) == 40 - ("filter" in what)
    rows("UPDATE agentmem.section SET expires_at = now() - interval '1 second'")
    assert await store.alist_namespaces() == []
    assert await sees.alist_namespaces() == [NS]


# Tenants


@pytest.mark.parametrize(
    ("owner", "namespaces", "prefix", "seen"),
    [
        (0, [("a", "x"), ("b", "x")], ("a",), [("a", "x")]),
        (0, [("a", "x"), ("b", "x"), ("a",)], (), [("a", "x"), ("b", "x"), ("a",)]),
        (1, [("m", "a"), ("m", "b"), ("o", "a")], ("m",), [("m", "a"), ("m", "b")]),
        (1, [("m", "a"), ("m", "b"), ("o", "a")], ("m", "a"), [("m", "a")]),
        (1, [("m", "a"), ("m",), ("o", "a")], ("m",), [("m", "a"), ("m",)]),
        (2, [("m", "x", "a"), ("m", "x", "b"), ("m", "x"), ("m",)], ("m", "x"), [("m", "x", "a"), ("m", "x", "b"), ("m", "x")]),
        (2, [("m", "x", "a", "y"), ("m", "x", "b", "y")], ("m", "x", "a"), [("m", "x", "a", "y")]),
        (0, [("a", "x"), ("ax",), ("a'", "x")], ("a",), [("a", "x")]),
    ],
)  # fmt: skip
async def test_a_prefix_finds_what_is_under_it_and_nobody_elses(
    opens: Opens, rows: Rows, owner: int, namespaces: Any, prefix: Any, seen: Any
) -> None:
    store = opens(owner=owner, default_tenant="nobody", index=index())
    for namespace in namespaces:
        await store.aput(namespace, "k", {"text": "falcon"})

    assert {row for (row,) in rows("SELECT external_id FROM agentmem.active_memory")} == {
        n[owner] if len(n) > owner else "nobody" for n in namespaces
    }
    for what in (
        {},
        {"query": "falcon"},
        {"query": "falcon", "filter": {"text": "falcon"}},
        {"filter": {"text": "falcon"}},
    ):
        assert sorted(hit.namespace for hit in await store.asearch(prefix, **what)) == sorted(seen)
    if prefix:
        assert sorted(await store.alist_namespaces(prefix=prefix)) == sorted(seen)
    for namespace in namespaces:
        assert (await store.aget(namespace, "k")).namespace == namespace


async def test_a_store_with_another_owner_sees_nothing_that_belongs_to_somebody_else_there(opens: Opens) -> None:
    first, second = opens(owner=0), opens(owner=1)
    await first.aput(("alice", "bob"), "k", {"text": "falcon"})

    assert await second.aget(("alice", "bob"), "k") is None
    assert await second.asearch(("alice", "bob"), query="falcon") == []
    assert await second.asearch((), query="falcon") == await second.asearch(()) == await second.alist_namespaces() == []
    await second.aput(("alice", "bob"), "k", {"text": "owl"})
    assert (await first.aget(("alice", "bob"), "k")).value == {"text": "falcon"}
    assert [hit.value["text"] for hit in await first.asearch(("alice",), query="falcon owl")] == ["falcon"]


@pytest.mark.parametrize("what", [{"query": "falcon owl"}, {}, {"query": "falcon", "filter": {"n": {"$gt": 1}}}])
async def test_the_order_over_several_tenants_is_the_same_for_every_page(opens: Opens, what: dict[str, Any]) -> None:
    store = opens(owner=1, index=index())
    for tenant, count in (("a", 60), ("b", 4), ("c", 45)):
        await store.abatch(some_items(("m", tenant), count, seed=count))
    for prefix in ((), ("m",)):
        whole = await store.asearch(prefix, limit=500, **what)
        assert (
            len(set(places(whole)))
            == len(whole)
            == sum([len(await store.asearch(("m", tenant), limit=500, **what)) for tenant in "abc"])
        )
        for size in (1, 17):
            if size > 1 or prefix:
                assert places(await everything(store, prefix, size, **what)) == places(whole)


async def test_a_memory_whose_namespace_names_another_tenant_is_nobodys_here(opens: Opens) -> None:
    store = opens(index=index())
    template = {"sections": ["k"]}
    await store.memory.acreate_active_memory("alice", "Odd", template, {"k": "falcon"}, namespace=("bob", "notes"))

    for prefix in ((), ("alice",), ("bob",), ("bob", "notes")):
        assert await store.asearch(prefix) == await store.asearch(prefix, query="falcon") == []
    assert await store.aget(("bob", "notes"), "k") is None
    assert await store.alist_namespaces() == []
    await store.aput(("bob", "notes"), "k", {"text": "owl"})
    assert [item.value for item in await store.asearch((), query="falcon")] == [{"text": "owl"}]
