"""A large tenant has indexes for itself: its searches use them, and they go when it does."""

import asyncio
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from guarded import APP, EVERYWHERE, WORKER, as_role, guard
from langgraph.store.base import PutOp
from people import start
from searching import Directions, index, keys
from waiting import until

from langgraph_agentmem import AgentMemory, AgentMemorySettings, AgentMemoryStore
from langgraph_agentmem.errors import ConfigurationError, InvalidInputError
from langgraph_agentmem.operations.health import guarding, indexing

Rows = Callable[..., list[tuple[Any, ...]]]
Opens = Callable[..., AgentMemoryStore]
Open = Callable[..., AgentMemory]
BY_INDEX = {"settings": {"exact_search_rows": 0}, "pool_config": {"kwargs": {"options": "-c enable_seqscan=off"}}}
ODD = "o'hara %(vector)s {model} \\ $1"
OWN = "SELECT indexname FROM pg_indexes WHERE indexname ~ '^memory_chunk_(words|vectors_1)_[0-9a-f]+$' ORDER BY 1"
SCANS = (
    "SELECT indexrelname::text, idx_scan FROM pg_stat_all_indexes WHERE indexrelname ~ '^memory_chunk_(words|vectors)'"
)


@pytest.fixture
def guarded_dsn(dsn: str) -> str:
    guard(dsn)
    return dsn


async def put(store: AgentMemoryStore, tenant: str, count: int) -> None:
    await store.abatch([PutOp((tenant, "notes"), f"k{n:03}", {"text": f"{tenant} wrote t{n}"}) for n in range(count)])


async def filled(store: AgentMemoryStore, *tenants: str) -> AgentMemory:
    for tenant in tenants:
        await put(store, tenant, 60)
    return store.memory


async def made(memory: AgentMemory, tenant: str) -> None:
    await indexing.make(memory.resources, tenant)
    memory.resources.frequencies.forget(tenant)  # as after a while, when its words are counted again


@pytest.mark.parametrize("tenant", ["acme", ODD])
async def test_searches_use_the_tenants_own_indexes_and_find_the_same(opens: Opens, rows: Rows, tenant: str) -> None:
    store = opens(index=index(), **BY_INDEX)
    memory = await filled(store, tenant, "other")
    before = [keys(await store.asearch((tenant, "notes"), query=f"t{n}")) for n in range(5)]
    hits = [hit.chunk_id for hit in await memory.asearch(tenant, "t7")]
    await store.aclose()
    await until(lambda: len([scans for _, scans in rows(SCANS) if scans]) == 2)
    shared = dict(rows(SCANS))

    store = opens(index=index(), **BY_INDEX)
    await made(store.memory, tenant)
    for _ in range(2):  # also when the statement is prepared
        assert [keys(await store.asearch((tenant, "notes"), query=f"t{n}")) for n in range(5)] == before
        assert [hit.chunk_id for hit in await store.memory.asearch(tenant, "t7")] == hits
    await store.aclose()
    own = [name for (name,) in rows(OWN)]
    assert len(own) == 2
    await until(lambda: all(dict(rows(SCANS))[name] >= 12 for name in own))
    assert {name: scans for name, scans in rows(SCANS) if name not in own} == shared, "nothing of others is passed"


async def test_searches_of_others_and_of_what_was_written_since_go_on(opens: Opens) -> None:
    store = opens(index=index(), **BY_INDEX)
    memory = await filled(store, "acme", "other")
    await made(memory, "acme")
    await put(store, "acme", 70)
    memory.resources.frequencies.forget("acme")

    assert keys(await store.asearch(("acme", "notes"), query="t66"))[0] == "k066"
    assert keys(await store.asearch(("other", "notes"), query="t6"))[0] == "k006"
    await indexing.drop(memory.resources, "acme")
    assert keys(await store.asearch(("acme", "notes"), query="t66"))[0] == "k066", (
        "what is told of the index may be old"
    )


async def test_they_are_made_and_dropped_as_often_as_one_likes(opens: Opens, rows: Rows) -> None:
    memory = await filled(opens(index=index()), "acme")
    await asyncio.gather(*(indexing.make(memory.resources, "acme") for _ in range(3)))
    once = rows("SELECT indexrelid FROM pg_index WHERE indexrelid::regclass::text ~ '_[0-9a-f]{9,}$' ORDER BY 1")
    await indexing.make(memory.resources, "acme")

    assert len(once) == 2
    assert (
        rows("SELECT indexrelid FROM pg_index WHERE indexrelid::regclass::text ~ '_[0-9a-f]{9,}$' ORDER BY 1") == once
    )
    found = await indexing.indexes(memory.resources)
    assert [(each.external_id, each.usable) for each in found] == [("acme", True)] * 2
    assert "acme" not in str(rows("SELECT indexdef FROM pg_indexes")), (
        "the catalogue, which all roles read, names nobody"
    )
    for _ in range(2):
        await indexing.drop(memory.resources, "acme")
        assert rows(OWN) == await indexing.indexes(memory.resources) == []


async def test_what_was_broken_off_is_not_used_and_is_built_anew(opens: Opens, rows: Rows) -> None:
    store = opens(index=index(), **BY_INDEX)
    memory = await filled(store, "acme")
    await indexing.make(memory.resources, "acme")
    [vectors, _] = [name for (name,) in rows(OWN)]
    rows(f"UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'agentmem.{vectors}'::regclass")
    assert keys(await store.asearch(("acme", "notes"), query="t6"))[0] == "k006"
    assert [each.usable for each in await indexing.indexes(memory.resources)] == [False, True]

    await indexing.make(memory.resources, "acme")
    assert [each.usable for each in await indexing.indexes(memory.resources)] == [True, True]


async def test_without_vectors_words_are_indexed(opens: Opens, rows: Rows) -> None:
    memory = await filled(opens(**BY_INDEX), "acme")
    await indexing.make(memory.resources, "acme")

    assert [name.rpartition("_")[0] for (name,) in rows(OWN)] == ["memory_chunk_words"]


async def test_another_embedder_gets_an_index_of_its_own(opens: Opens, rows: Rows) -> None:
    await made(await filled(opens(index=index()), "acme"), "acme")
    second = opens(index=index(embed=Directions(model="second")), reembed=True)
    await second.memory.queue.aembed_pending()
    await indexing.make(second.memory.resources, "acme")

    names = [each.name.rpartition("_")[0] for each in await indexing.indexes(second.memory.resources)]
    assert names == ["memory_chunk_vectors_1", "memory_chunk_vectors_2", "memory_chunk_words"]
    await indexing.drop(second.memory.resources, "acme")
    assert await indexing.indexes(second.memory.resources) == []


@pytest.mark.skipif(EVERYWHERE, reason="the owner makes what another role then cannot drop")
async def test_they_go_with_the_tenant_and_the_receipt_says_so(opens: Opens, rows: Rows) -> None:
    memory = await filled(opens(index=index()), "acme", "other")
    for tenant in ("acme", "other"):
        await indexing.make(memory.resources, tenant)
    receipt = await memory.aforget_tenant("acme")

    assert receipt.removed["tenant_index"] == 2
    assert "tenant_index" not in [left.where for left in receipt.remains]
    assert {each.external_id for each in await indexing.indexes(memory.resources)} == {"other"}
    assert (await memory.averify_receipt(receipt)).gone
    assert "tenant_index" not in (await memory.aforget_tenant("acme")).removed


@pytest.mark.skipif(EVERYWHERE, reason="the owner makes what another role then cannot drop")
async def test_who_may_not_drop_them_forgets_all_else_and_says_what_is_left(guarded_dsn: str, rows: Rows) -> None:
    owners, settings = AgentMemory.open(guarded_dsn), AgentMemorySettings(row_security="on")
    async with owners, AgentMemory.open(as_role(guarded_dsn, WORKER), settings=settings) as memory:
        await start(owners, "acme", "Apollo")
        await indexing.make(owners.resources, "acme")
        with pytest.raises(ConfigurationError, match=rf"{WORKER} may not make or drop indexes; connect as the owner"):
            await indexing.drop(memory.resources, "acme")
        receipt = await memory.aforget_tenant("acme")

        [left] = [left for left in receipt.remains if left.where == "tenant_index"]
        assert (left.count, "agentmem db tenant-index --tenant … --drop" in left.why) == (1, True)
        assert [each.external_id for each in await indexing.indexes(owners.resources)] == [None]
        await indexing.drop(owners.resources, "acme")
        assert rows(OWN) == []


@pytest.mark.skipif(EVERYWHERE, reason="the owner makes what another role then searches by")
async def test_under_row_security_vectors_and_words_are_found_by_them(guarded_dsn: str, rows: Rows) -> None:
    settings = AgentMemorySettings(row_security="on", exact_search_rows=0)
    async with AgentMemory.open(guarded_dsn, index=index()) as owners:
        await filled(AgentMemoryStore(owners), "acme", "other")
        await indexing.make(owners.resources, "acme")
        before = [hit.chunk_id for hit in await owners.asearch("acme", "t7")]
    with_role = f"{as_role(guarded_dsn, APP)} options='-c enable_seqscan=off'"
    async with AgentMemory.open(with_role, index=index(), settings=settings) as memory:
        assert [hit.chunk_id for hit in await memory.asearch("acme", "t7")] == before
    own = [name for (name,) in rows(OWN)]
    await until(lambda: [dict(rows(SCANS))[name] for name in own] == [1, 1])


async def test_a_tenant_that_has_nothing_and_a_database_without_tables_are_refused(
    opens: Opens, empty_dsn: str, rows: Rows
) -> None:
    memory = await filled(opens(index=index()), "acme")
    with pytest.raises(InvalidInputError, match=r"tenant 'Acme' has no memories to be indexed; name one that has"):
        await indexing.make(memory.resources, "Acme")
    assert rows(OWN) == []
    nothing = AgentMemory.open(empty_dsn, background=False)
    assert await indexing.indexes(nothing.resources) == []
    for change in (indexing.make, indexing.drop):
        with pytest.raises(ConfigurationError, match="there are no tables to be indexed; run `agentmem db migrate`"):
            await change(nothing.resources, "acme")
    await nothing.aclose()


async def test_a_tenant_that_is_large_among_others_is_told_of(opens: Opens, dsn: str) -> None:
    store = opens(index=index(), **BY_INDEX)
    await put(store, "acme", 60)
    await put(store, "small", 9)
    await put(store, "other", 90)

    async def told() -> tuple[str, str]:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("ANALYZE agentmem.memory_chunk")
        [found] = [each for each in await guarding.status(store.memory.resources) if each.check == "tenants"]
        assert found.severity == "ok"
        return found.found, found.advice

    found, advice = await told()
    assert found.endswith("of 'other' (57% of all chunks), 'acme' (38% of all chunks)")
    assert advice == "`agentmem db tenant-index --tenant other` makes them, as the owner"
    await indexing.make(store.memory.resources, "other")
    assert (await told())[0].endswith("of 'acme' (38% of all chunks)")
    await indexing.make(store.memory.resources, "acme")
    assert await told() == ("each large one has indexes for itself", "")


async def test_a_hit_is_looked_up_by_its_key_however_large_its_memory_is_for_the_planner(
    opens: Opens, dsn: str, rows: Rows
) -> None:
    count, small = 400, [f"small {n}" for n in range(400)]
    store = opens(index=index(), settings={"exact_search_rows": 0})
    await put(store, "acme", count)
    await store.abatch([PutOp((tenant, "notes"), "k", {"text": "one"}) for tenant in small])
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("ANALYZE")
    assert len(await store.memory.asearch("acme", "t7")) == 10
    await store.aclose()

    read = "SELECT idx_tup_read FROM pg_stat_all_indexes WHERE indexrelname = 'memory_chunk_section'"
    await until(lambda: rows("SELECT 1 FROM pg_stat_all_indexes WHERE indexrelname ~ 'vectors_1$' AND idx_scan > 0"))
    [(before,)] = rows(read)
    assert before < 5 * count, "not all of a memory once a hit"
