"""Who may only read gets answers: on a replica, in a read-only session, and by a role without the rights to write."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import guarded
import psycopg
import pytest
import standby
from checkpointing import of
from fakes import WordEmbedder
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from texts import State, agent
from waiting import until

from langgraph_agentmem import AgentMemory, AgentMemorySaver
from langgraph_agentmem.errors import AgentMemoryError
from langgraph_agentmem.storage.driver import embedded
from langgraph_agentmem.store import AgentMemoryStore

NS = ("alice", "notes")
KINDS = ["default_transaction_read_only", "select_only"]


@pytest.fixture
def reader(dsn: str, maintenance: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes the DSN of somebody who may only read, in one of several ways."""
    roles: list[str] = []

    def make(kind: str) -> str:
        if kind == "default_transaction_read_only":
            name = conninfo_to_dict(dsn)["dbname"]
            maintenance.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
            return dsn
        roles.append(f"reader_{uuid4().hex}")
        maintenance.execute(f"CREATE ROLE {roles[-1]} LOGIN NOINHERIT PASSWORD 'x'")
        with psycopg.connect(dsn) as connection:
            for schema in ("agentmem", "public"):
                connection.execute(f"GRANT USAGE ON SCHEMA {schema} TO {roles[-1]}")
                connection.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {roles[-1]}")
        if guarded.EVERYWHERE:
            maintenance.execute(f"GRANT agentmem_lookups TO {roles[-1]}")
            monkeypatch.setenv("AGENTMEM_ROW_SECURITY", "on")
        return make_conninfo(dsn, user=roles[-1], password="x")

    yield make
    for role in roles:
        with psycopg.connect(dsn) as connection:
            connection.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


@pytest.fixture
async def written(dsn: str) -> int:
    return await write(dsn)


async def write(dsn: str) -> int:
    """Write values that are not chunked yet, items that expire, and a thread; the id of a memory."""
    async with AgentMemory.open(dsn, index=WordEmbedder()) as memory:
        made = await memory.acreate_active_memory("alice", "Notes", {"sections": ["a"]}, {"a": "- an old fox"})
        await memory.aconsolidate("alice", made.id)
        await memory.asearch("alice", "fox")
    async with AgentMemory.open(dsn) as memory:
        store = AgentMemoryStore(memory, ttl={"default_ttl": 60, "refresh_on_read": True})
        for i in range(3):
            await store.aput(NS, f"k{i}", {"text": f"a falcon {i}"})
        await agent(AgentMemorySaver(memory, state_schema=State)).ainvoke({"say": {"progress": "begun"}}, of("1"))
    with psycopg.connect(dsn) as connection:  # refreshed at once, not only after a hundredth of its time
        connection.execute(
            "UPDATE agentmem.section SET expires_at = now() + interval '5 minutes' WHERE ttl_minutes = 60"
        )
    return made.id


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("index", [None, WordEmbedder()], ids=["words", "vectors"])
async def test_all_that_is_asked_for_is_answered(
    written: int, reader: Callable[[str], str], kind: str, index: Any
) -> None:
    await all_is_answered(reader(kind), written, index)


async def all_is_answered(dsn: str, written: int, index: Any) -> None:
    async with AgentMemory.open(dsn, index=index) as memory:
        store = AgentMemoryStore(memory, ttl={"default_ttl": 60, "refresh_on_read": True})
        found = await store.aget(NS, "k1")
        assert found is not None
        assert found.value == {"text": "a falcon 1"}
        assert len(await store.asearch(NS)) == 3
        assert len(await store.asearch(NS, filter={"text": "a falcon 2"})) == 1
        await store.asearch(NS, query="falcon")  # what waits for its chunks is not found here, which is no error
        assert NS in await store.alist_namespaces()
        assert (await memory.aget_active_memory("alice", written)).title == "Notes"
        assert (await memory.asearch("alice", "old fox"))[0].content == "- an old fox"
        assert not [finding for finding in await memory.adiagnose() if finding.severity == "error"]
        saver = AgentMemorySaver(memory, state_schema=State)
        assert (await agent(saver).aget_state(of("1"))).values["progress"] == "begun"
        with pytest.raises(AgentMemoryError, match=r"DSN of the primary|GRANT"):
            await store.aput(NS, "k9", {"text": "x"})
        with pytest.raises(AgentMemoryError, match=r"DSN of the primary|GRANT"):
            await memory.aupdate_active_memory_section("alice", written, "a", "- a hen")


@pytest.mark.parametrize("kind", KINDS)
async def test_an_embedder_that_the_database_does_not_know_leaves_searches_to_words(
    dsn: str, reader: Callable[[str], str], kind: str
) -> None:
    async with AgentMemory.open(dsn) as memory:
        await memory.acreate_active_memory("alice", "Notes", {"sections": ["a"]}, {"a": "- an old fox"})
        await memory.asearch("alice", "fox")
    async with AgentMemory.open(reader(kind), index=WordEmbedder()) as memory:
        assert (await memory.asearch("alice", "fox"))[0].content == "- an old fox"


async def test_a_database_that_was_never_set_up_says_so(empty_dsn: str, maintenance: psycopg.Connection[Any]) -> None:
    name = conninfo_to_dict(empty_dsn)["dbname"]
    maintenance.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    with pytest.raises(AgentMemoryError, match="read-only"):
        await AgentMemory.open(empty_dsn).asetup()


@pytest.mark.slow
async def test_a_standby_answers_and_writes_once_it_is_promoted(data_dir: Path) -> None:
    primary = await asyncio.to_thread(embedded.start, data_dir)
    written = await write(primary)
    with standby.of(primary, data_dir.with_name("standby")) as dsn:
        for index in (None, WordEmbedder()):
            await all_is_answered(dsn, written, index)
        async with AgentMemory.open(primary) as memory:
            await memory.aupdate_active_memory_section("alice", written, "a", "- a young hen")
        async with AgentMemory.open(dsn, background=True) as memory:
            section = "SELECT 1 FROM agentmem.section WHERE value::text LIKE '%young hen%'"
            with psycopg.connect(dsn, autocommit=True) as connection:
                await until(lambda: connection.execute(section).fetchone())
            assert (await memory.aget_active_memory("alice", written)).sections["a"].content == "- a young hen"
            assert not await memory.asearch("alice", "begun"), "a checkpoint's text is no chunk yet, and cannot be one"
            with psycopg.connect(dsn, autocommit=True) as connection:
                connection.execute("SELECT pg_promote()")
            assert (await memory.asearch("alice", "begun"))[0].content == "begun"
            await memory.aupdate_active_memory_section("alice", written, "a", "- a wren")
            assert (await memory.aget_active_memory("alice", written)).sections["a"].content == "- a wren"
