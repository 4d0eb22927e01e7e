"""Pages of a search make up the whole in one order, whatever way it is carried out."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from langgraph.store.base import PutOp
from searching import INDEXED_ONLY, WORDS, everything, index, places, some_items, ways
from waiting import until_alone

from langgraph_agentmem.storage.driver.tenants import NOBODY
from langgraph_agentmem.store import AgentMemoryStore

Rows = Callable[..., list[tuple[Any, ...]]]
Opens = Callable[..., AgentMemoryStore]
pytestmark = pytest.mark.usefixtures("consistent_afterwards")
NS = ("alice", "notes")


# Pages


async def test_pages_make_up_the_whole_where_the_index_leads_the_way(opens: Opens, rows: Rows, dsn: str) -> None:
    store = opens(index=index(), settings={"max_pending_updates": 10_000, "exact_search_rows": 0})
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
    await until_alone(rows)
    [(scans,)] = rows("SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = 'memory_chunk_vectors_1'")
    assert scans > 0, "the index was asked"


async def test_by_words_alone_nothing_is_read_that_holds_none_of_them(opens: Opens, rows: Rows, dsn: str) -> None:
    exact = opens()
    texts = {f"k{i:04}": f"{WORDS[i % 7]} {'quagga' if i % 200 == 3 else 'horse'} t{i}" for i in range(1200)}
    await exact.abatch([PutOp(NS, key, {"text": text}) for key, text in texts.items()])
    queries = ("t77", "quagga t3", "quagga or unheard of", "Did they see a t12-quagga?")
    wanted = {query: await exact.memory.asearch("alice", query, limit=50) for query in queries}
    before = await read_by_closing(exact, rows)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("ANALYZE agentmem.memory_chunk")

    # words have an index that only bitmap scans can read, and what is left but scans that are off is anybody's guess
    store = opens(settings={"exact_search_rows": 0}, pool_config={"kwargs": {"options": "-c enable_seqscan=off"}})
    for query, hits in wanted.items():
        found = await store.memory.asearch("alice", query, limit=50)
        assert [(hit.chunk_id, hit.score) for hit in found] == [(hit.chunk_id, hit.score) for hit in hits], query
        assert len(found) in (1, 6, 7)
    read = await read_by_closing(store, rows) - before
    assert 0 < read < 3 * 1200, "words are counted once, in all of them; the chunks of a page are read once more"


async def read_by_closing(store: AgentMemoryStore, rows: Rows) -> int:
    """How many chunks have been read until a store is closed; a session tells that as it ends."""
    await store.aclose()
    await until_alone(rows)
    [(read,)] = rows("SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_user_tables WHERE relname = 'memory_chunk'")
    return read


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
    store = opens(index=index(), **ways(way))
    for name in ("one", "two"):
        await store.abatch(some_items(("alice", name), 45))
        await store.aput(("alice", name), "silent", {"n": 1}, index=False)
        await store.aput(("alice", name), "wordless", {"n": 1})
    later = opens(index=index(), settings={"embed": "background"})
    await later.abatch([PutOp(("alice", "one"), f"u{i}", {"text": f"falcon {i}", "n": 1}) for i in range(15)])

    [(count,)] = rows("SELECT count(*) FROM agentmem.section s JOIN agentmem.active_memory a ON a.id = s.memory_id "
                      "WHERE a.namespace[1:%s] = %s", len(prefix), list(prefix))  # fmt: skip
    for query in ("falcon owl", "unheard of"):
        whole = await store.asearch(prefix, query=query, limit=1000)
        assert len(set(places(whole))) == len(whole) == count
        assert [hit.score for hit in whole].index(None) == count - 2 * (3 - len(prefix))
        for size in (1, 13):
            assert places(await everything(store, prefix, size, query=query)) == places(whole)
    with_vectors = {hit.key: hit.score for hit in await store.asearch(("alice", "one"), query="falcon owl", limit=1000)}
    assert 0 < with_vectors["u1"] <= 0.52, "they are found by their words"
    assert await later.memory.queue.aembed_pending() == 15
    assert len(await store.asearch(prefix, query="falcon owl", limit=1000)) == count


@pytest.mark.parametrize("query", ["falcon", "heron", "falcon heron"])
async def test_equal_scores_have_one_order_on_every_page(opens: Opens, query: str) -> None:
    writer = opens(index=index())
    for name in "xy":
        await writer.abatch([PutOp(("alice", name), f"k{i}", {"text": "falcon"}) for i in range(60)])
    for way in ("exact", "approximate"):
        store = opens(index=index(), **ways(way))
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


async def test_an_index_that_gives_up_early_changes_nothing(opens: Opens) -> None:
    options = INDEXED_ONLY["kwargs"]["options"] + " -c hnsw.max_scan_tuples=1 -c hnsw.ef_search=1"
    store = opens(index=index(), pool_config={"kwargs": {"options": options}}, settings={"exact_search_rows": 0})
    await store.abatch([PutOp(NS, f"k{i:03}", {"text": f"t{i}", "n": i % 20}) for i in range(200)])
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
    async with store.memory.resources.database.connection(NOBODY) as connection:
        planned = await connection.execute(
            "SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE statement LIKE 'WITH scope AS%%'"
        )
        assert [tuple(row.values()) for row in await planned.fetchall()] == [(3, 0)]
        left = await connection.execute(
            "SELECT name FROM pg_settings WHERE source = 'session' AND name ~ '^(enable|plan|jit|max_par|hnsw)'"
        )
        assert await left.fetchall() == []


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


# Expiry


@pytest.mark.parametrize("with_vectors", [False, True])
async def test_what_has_expired_takes_no_place_on_a_page(opens: Opens, rows: Rows, with_vectors: bool) -> None:
    given = index() if with_vectors else None
    stores = [opens(index=given, ttl={"omit_expired": True}, **ways(way)) for way in ("exact", "approximate")]
    store, sees = stores[0], opens(index=given)
    await store.abatch([PutOp(NS, f"k{i:02}", {"text": f"falcon {i}"}, ttl=10 if i % 2 else None) for i in range(40)])
    rows("UPDATE agentmem.section SET expires_at = now() - interval '1 second' WHERE expires_at IS NOT NULL")
    for store in stores:
        for what in ({"query": "falcon"}, {}, {"query": "falcon", "filter": {"text": {"$ne": "falcon 0"}}}):
            hits = await store.asearch(NS, limit=15, **what)
            assert len(hits) == 15
            assert all(int(hit.key[1:]) % 2 == 0 for hit in hits)
            assert len(await everything(store, NS, 6, **what)) == 20 - ("filter" in what)
            assert len(await sees.asearch(NS, limit=50, refresh_ttl=False, **what)) == 40 - ("filter" in what)
    rows("UPDATE agentmem.section SET expires_at = now() - interval '1 second'")
    assert await store.alist_namespaces() == []
    assert await sees.alist_namespaces() == [NS]
