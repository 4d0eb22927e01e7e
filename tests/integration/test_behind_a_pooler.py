"""All doors work behind a PgBouncer that gives each transaction to whichever session is free."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, TypedDict
from uuid import uuid4

import pgbouncer
import psycopg
import pytest
from consistency import assert_consistent
from fakes import ScriptedModel, WordEmbedder
from langgraph.graph import START, StateGraph
from store_and_memory import names
from waiting import until

from langgraph_agentmem import AgentMemory, AgentMemorySaver, AgentMemorySettings, MemoryWorker
from langgraph_agentmem.errors import ConfigurationError, OutageError, PgvectorError
from langgraph_agentmem.storage.driver.tenants import EVERYONE
from langgraph_agentmem.store import AgentMemoryStore

Rows = Callable[..., list[tuple[Any, ...]]]
Pooled = Callable[..., str]
pytestmark = pgbouncer.needed
SETTINGS: dict[str, Any] = {"pool_size": 8, "worker_poll_seconds": 0.2, "avg_section_update_count": 1}


@pytest.fixture(scope="session")
def bouncer(server: str, shared_folder: Path) -> Iterator[str]:
    """Of few sessions for many connections, so that everybody meets everybody's."""
    with pgbouncer.before(server, shared_folder / uuid4().hex) as dsn:
        yield dsn


@pytest.fixture
def pooled(bouncer: str) -> Pooled:
    """The way through the pooler to a database."""

    def through(dsn: str) -> str:
        told = psycopg.conninfo.conninfo_to_dict(bouncer)
        return psycopg.conninfo.make_conninfo(dsn, host=str(told["host"]), port=str(told["port"]))

    return through


@pytest.fixture
async def opened_behind(dsn: str, pooled: Pooled) -> AsyncIterator[Callable[..., AgentMemory]]:
    """Opens memories behind the pooler."""
    memories: list[AgentMemory] = []

    def make(settings: dict[str, Any] | None = None, **arguments: Any) -> AgentMemory:
        chosen = AgentMemorySettings(**{**SETTINGS, **(settings or {})})
        memories.append(AgentMemory.open(pooled(dsn), settings=chosen, **arguments))
        return memories[-1]

    yield make
    for memory in memories:
        await memory.aclose()
    assert_consistent(dsn)


async def test_the_facade_serves_many_callers(opened_behind: Callable[..., AgentMemory]) -> None:
    memory = opened_behind(index=WordEmbedder())
    template = {"sections": ["a", "b"]}

    async def one(i: int) -> None:
        tenant = f"t{i % 5}"
        made = await memory.acreate_active_memory(tenant, f"Notes {i}", template, {"a": f"fox number {i}"})
        await memory.aupdate_active_memory_section(tenant, made.id, "b", f"- a hen of {i}")
        assert await memory.asearch(tenant, "fox")
        with pytest.raises(ValueError, match="does not occur"):
            await memory.aupdate_active_memory_section(tenant, made.id, "b", "x", "nowhere")
        assert (await memory.aget_active_memory(tenant, made.id)).sections["b"].content == f"- a hen of {i}"
        assert (await memory.aconsolidate(tenant, made.id)).status == "applied"

    await asyncio.gather(*map(one, range(30)))
    assert not [each for each in await memory.adiagnose() if each.severity == "error"]


async def test_two_memories_at_once_never_meet_each_others_statements(
    opened_behind: Callable[..., AgentMemory],
) -> None:
    stores = [AgentMemoryStore(opened_behind(index=WordEmbedder())) for _ in range(2)]

    async def one(i: int) -> None:
        store, namespace = stores[i % 2], (f"t{i % 7}", "notes")
        await store.aput(namespace, f"k{i}", {"text": f"falcon {i}"}, ttl=5)
        found = await store.aget(namespace, f"k{i}")
        assert found is not None
        assert found.value == {"text": f"falcon {i}"}
        assert f"k{i}" in {item.key for item in await store.asearch(namespace, query=f"falcon {i}", limit=100)}
        assert f"k{i}" in {item.key for item in await store.asearch(namespace, filter={"text": f"falcon {i}"})}
        if i % 3 == 0:
            await store.adelete(namespace, f"k{i}")
            assert await store.aget(namespace, f"k{i}") is None

    await asyncio.gather(*map(one, range(120)))
    assert len(await stores[0].alist_namespaces()) == 7


def test_sync_callers_work(dsn: str, pooled: Pooled) -> None:
    with AgentMemoryStore.from_conn_string(pooled(dsn)) as store:
        store.put(("alice", "notes"), "k", {"text": "a falcon"})
        assert store.search(("alice",), query="falcon")[0].key == "k"


class State(TypedDict):
    """Of a thread."""

    count: int


async def test_threads_are_set_up_and_go_on(empty_dsn: str, pooled: Pooled, rows: Rows) -> None:
    builder = StateGraph(State)
    builder.add_node("more", lambda state: {"count": state["count"] + 1})
    builder.add_edge(START, "more")
    settings = AgentMemorySettings(**SETTINGS)
    # several at once, on an empty database: one sets the tables up, the others wait
    savers = [AgentMemorySaver.from_conn_string(pooled(empty_dsn), settings=settings) for _ in range(4)]

    async def one(i: int) -> int:
        graph: Any = builder.compile(checkpointer=savers[i % 4])
        config = {"configurable": {"thread_id": f"thread {i}"}}
        for count in range(3):
            await graph.ainvoke({"count": count}, config)
        return (await graph.aget_state(config)).values["count"]

    assert await asyncio.gather(*map(one, range(16))) == [3] * 16
    for saver in savers:
        await saver.aclose()
    with psycopg.connect(empty_dsn) as connection:
        # other tests' databases are on the same server
        held = connection.execute(
            "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database AND d.datname = current_database() "
            "WHERE l.locktype = 'advisory'"
        ).fetchone()
    assert held == (0,), "no lock is left to a session that others use"


async def test_a_worker_finds_what_is_due_by_looking(opened_behind: Callable[..., AgentMemory], rows: Rows) -> None:
    memory = opened_behind(model=ScriptedModel(answer=names), background=True)
    made = await memory.acreate_active_memory("alice", "Notes", {"sections": ["a"]})
    for i in range(3):
        await memory.aupdate_active_memory_section("alice", made.id, "a", f"- Ada works on Apollo {i}.")
    await until(lambda: rows("SELECT 1 FROM agentmem.consolidation_run WHERE status = 'applied'"))
    assert not rows("SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND query ~ '^LISTEN'")


async def test_a_worker_hears_past_the_pooler(opened_behind: Callable[..., AgentMemory], dsn: str, rows: Rows) -> None:
    memory = opened_behind({"listen_dsn": dsn, "worker_poll_seconds": 3600})
    worker = MemoryWorker(memory)
    task = asyncio.create_task(worker.arun())
    await until(lambda: rows("SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND query ~ '^LISTEN'"))
    made = await memory.acreate_active_memory("alice", "Notes", {"sections": ["a"]})
    for i in range(3):
        await memory.aupdate_active_memory_section("alice", made.id, "a", f"- a fox {i}")
    await until(lambda: rows("SELECT 1 FROM agentmem.consolidation_run WHERE status = 'applied'"))
    worker.stop()
    await task


async def prepared(memory: AgentMemory) -> int:
    async with memory.resources.database.connection(EVERYONE) as connection:
        for _ in range(2):
            await connection.execute("SELECT 1")
        found = await (await connection.execute("SELECT count(*) AS n FROM pg_prepared_statements")).fetchone()
    return found["n"] if found else 0


@pytest.mark.parametrize("pooler", ["auto", "transaction"])
async def test_nothing_is_prepared_behind_it(opened_behind: Callable[..., AgentMemory], pooler: str) -> None:
    assert await prepared(opened_behind({"pooler": pooler})) == 0


async def test_statements_are_prepared_without_a_pooler_unless_told_otherwise(dsn: str) -> None:
    for settings, wanted in (({}, True), ({"pooler": "session"}, True), ({"pooler": "transaction"}, False)):
        async with AgentMemory.open(dsn, settings=AgentMemorySettings(**settings)) as memory:
            assert (await prepared(memory) > 0) is wanted


async def test_pool_configs_that_turn_preparing_off_are_heeded(dsn: str) -> None:
    for kwargs, wanted in (({"prepare_threshold": None}, False), ({"prepare_threshold": 0, "autocommit": True}, True)):
        async with AgentMemoryStore.from_conn_string(dsn, pool_config={"kwargs": kwargs}) as store:
            assert (await prepared(store.memory) > 0) is wanted
    with pytest.raises(ConfigurationError, match="autocommit"):
        AgentMemoryStore.from_conn_string(dsn, pool_config={"kwargs": {"autocommit": False}})


async def test_a_pooler_that_keeps_sessions_may_be_told_of(dsn: str, server: str, shared_folder: Path) -> None:
    with pgbouncer.before(dsn, shared_folder / uuid4().hex, mode="session", sessions=20) as through:
        async with AgentMemory.open(through, settings=AgentMemorySettings(pooler="session")) as memory:
            assert await prepared(memory) > 0


async def test_a_pooler_that_knows_no_transactions_is_refused(dsn: str, shared_folder: Path) -> None:
    """Most calls work behind it, as what is sent in one go is one transaction anyway; what migrates and sets up does not."""
    with pgbouncer.before(dsn, shared_folder / uuid4().hex, mode="statement") as through:
        for pooler in ("auto", "session", "transaction"):
            with pytest.raises(ConfigurationError, match="set pool_mode = transaction"):
                await AgentMemory.open(through, settings=AgentMemorySettings(pooler=pooler)).asetup()


@pytest.mark.parametrize(
    ("setting", "error"),
    [
        ("default_transaction_isolation = 'serializable'", ConfigurationError),
        ("array_nulls = off", ConfigurationError),
        ("DateStyle = 'German, DMY'", ConfigurationError),
    ],
)
async def test_settings_that_cannot_be_relied_on_are_refused_with_what_mends_them(
    new_database: Callable[[str], str], template: str, pooled: Pooled, maintenance: Any, setting: str, error: type
) -> None:
    dsn = new_database(template)
    name = psycopg.conninfo.conninfo_to_dict(dsn)["dbname"]
    maintenance.execute(f'ALTER DATABASE "{name}" SET {setting}')
    with pytest.raises(error, match=rf"(?i)ALTER ROLE .* SET {setting.split()[0]} = .*AGENTMEM_POOLER=session"):
        await AgentMemory.open(pooled(dsn)).asetup()


async def test_a_path_that_leaves_pgvector_out_is_refused_with_what_mends_it(empty_dsn: str, pooled: Pooled) -> None:
    with psycopg.connect(empty_dsn) as connection:
        connection.execute('CREATE SCHEMA "Ext"; CREATE EXTENSION vector SCHEMA "Ext"')
    with pytest.raises(PgvectorError, match='SET search_path = "\\$user", public, "Ext"'):
        await AgentMemory.open(pooled(empty_dsn)).asetup()


async def test_a_server_that_goes_and_comes_behind_the_pooler_is_an_outage_meanwhile(
    opened_behind: Callable[..., AgentMemory], rows: Rows
) -> None:
    memory = opened_behind()
    made = await memory.acreate_active_memory("alice", "Notes", {"sections": ["a"]})
    rows(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    for _ in range(20):  # the pooler finds its sessions ended one by one, and says so to who comes
        try:
            assert (await memory.aget_active_memory("alice", made.id)).id == made.id
            break
        except OutageError:
            continue
    else:
        pytest.fail("no call works again")
