"""With row-level security the database itself refuses: whoever asks for another tenant's rows, whatever the SQL."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pgbouncer
import psycopg
import pytest
from consistency import assert_consistent
from fakes import ScriptedModel
from guarded import APP, WORKER, as_role
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.store.base import GetOp, PutOp, SearchOp
from psycopg.conninfo import make_conninfo
from sql_files import BLOCK, COUNTS_OVER_ALL_TENANTS, FILES, READS_OVER_ALL_TENANTS, TENANT_TABLES, VIEWS
from store_and_memory import names
from texts import State, agent, of, say

from langgraph_agentmem import AgentMemory, AgentMemorySaver, AgentMemorySettings, AgentMemoryStore, MemoryWorker
from langgraph_agentmem.errors import ConfigurationError
from langgraph_agentmem.operations.sections import deleting

Row = tuple[Any, ...]
Connect = Callable[[str], psycopg.Connection[Row]]
BLOCKS = {f"{file}:{name}": body for file, text in FILES.items() for name, body in BLOCK.findall(text)}
UUID = "00000000-0000-0000-0000-000000000001"
ROWS = {
    "active_memory": "(external_id, id, namespace, title, template) VALUES (%(t)s, 1, ARRAY[%(t)s, 'notes'], 'n', '{}')",
    "section": "(external_id, memory_id, section_id, position, value) VALUES (%(t)s, 1, 'a', 0, '{}')",
    "thread_section": "(external_id, memory_id, section_id, thread_id) VALUES (%(t)s, 1, 'a', %(t)s)",
    "noted_message": "(external_id, memory_id, message_id, section_id) VALUES (%(t)s, 1, 'm', 'a')",
    "shortterm_memory": "(external_id, id, memory_id) VALUES (%(t)s, 1, 1)",
    "consolidation_run": f"(external_id, id, memory_id, status, snapshot) VALUES (%(t)s, '{UUID}', 1, 'applied', '[]')",
    "memory_chunk": "(external_id, id, memory_id, section_id, section_revision, chunk_order, content, content_hash, words, "
    "own_words) VALUES (%(t)s, 1, 1, 'a', 1, 0, 'secret of ' || %(t)s, '', '{}/10', '{7}')",
    "coming_vector": "(external_id, chunk_id, embedding_model) VALUES (%(t)s, 1, 1)",
    "entity": "(external_id, id, tier, name, name_key, form_key, name_words, confidence, importance) "
    "VALUES (%(t)s, 1, 'longterm', 'Ada', 'ada', 'ada', '{ada}', 1, 1)",
    "relationship": "(external_id, id, tier, source_id, target_id, confidence, strength) VALUES (%(t)s, 1, 'longterm', 1, 1, 1, 1)",
    "mention": "(external_id, id, chunk_id, entity_id) VALUES (%(t)s, 1, 1, 1)",
    "state_history": "(external_id, id, entity_id, change) VALUES (%(t)s, 1, 1, '{}')",
    "dispute": "(external_id, id, run_id, memory_id, kind, existing_ids, verdict, because) "
    f"VALUES (%(t)s, 1, '{UUID}', 1, 'chunk', '{{1}}', '{{}}', 'policy')",
    "tombstone": "(external_id, id, memory_id, dispute_id, kind, key) VALUES (%(t)s, 1, 1, 1, 'entity', '')",
    "graph_outbox": "(external_id, id, kind, target_id, operation, revision) VALUES (%(t)s, 1, 'entity', 1, 'upsert', 1)",
    "graph_projection": f"(external_id, store, origin) VALUES (%(t)s, 'neo4j', '{UUID}')",
    "read_grant": "(external_id, reader, namespace) VALUES (%(t)s, 'dave', '{}')",
}
"""A row of each table, in an order in which they can be inserted."""


@pytest.fixture(scope="module")
def full(server: str, guarded_template: str, maintenance: psycopg.Connection[Any]) -> Iterator[str]:
    """A database with policies, of which each table has a row of alice's and one of bob's; the owner's DSN."""
    name = f"test_{uuid4().hex}"
    maintenance.execute(f'CREATE DATABASE "{name}" TEMPLATE "{guarded_template}" STRATEGY FILE_COPY')
    dsn = make_conninfo(server, dbname=name)
    with psycopg.connect(dsn) as connection:
        for table, row in ROWS.items():
            for tenant in ("alice", "bob"):
                connection.execute(f"INSERT INTO agentmem.{table} {row}", {"t": tenant})
    yield dsn
    maintenance.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def connect(full: str) -> Iterator[Connect]:
    """Connects as a role, without any help of the package; whatever is written is undone."""
    opened: list[psycopg.Connection[Row]] = []

    def make(role: str) -> psycopg.Connection[Row]:
        opened.append(psycopg.connect(as_role(full, role)))
        return opened[-1]

    yield make
    for connection in opened:
        connection.rollback()
        connection.close()


@pytest.fixture
def as_alice(connect: Connect) -> psycopg.Connection[Row]:
    connection = connect(APP)
    connection.execute("SELECT set_config('agentmem.external_id', 'alice', true)")
    return connection


# Tables


def test_every_table_that_has_tenants_has_a_row_to_try() -> None:
    assert set(ROWS) == TENANT_TABLES


@pytest.mark.parametrize("table", ROWS)
def test_every_such_table_has_its_policies(connect: Connect, table: str) -> None:
    found = connect(APP).execute(
        "SELECT c.relrowsecurity, row_security_active(c.oid), array_agg(p.polname::text ORDER BY p.polname) "
        "FROM pg_class c LEFT JOIN pg_policy p ON p.polrelid = c.oid WHERE c.oid = %s::regclass GROUP BY c.oid",
        [f"agentmem.{table}"],
    )

    readers = ["agentmem_reader"] if table == "read_grant" else []
    assert found.fetchall() == [(True, True, ["agentmem_lookup", *readers, "agentmem_tenant"])]


@pytest.mark.parametrize("table", ROWS)
def test_another_tenants_rows_cannot_be_read(as_alice: psycopg.Connection[Row], table: str) -> None:
    assert as_alice.execute(f"SELECT external_id FROM agentmem.{table}").fetchall() == [("alice",)]
    assert as_alice.execute(f"SELECT * FROM agentmem.{table} WHERE external_id = 'bob'").fetchall() == []
    assert as_alice.execute(f"SELECT count(*) FROM agentmem.{table}").fetchall() == [(1,)]


@pytest.mark.parametrize("view", sorted(VIEWS))
def test_nor_through_views(as_alice: psycopg.Connection[Row], view: str) -> None:
    assert set(as_alice.execute(f"SELECT external_id FROM agentmem.{view}").fetchall()) <= {("alice",)}


@pytest.mark.parametrize("table", ROWS)
def test_another_tenants_rows_cannot_be_changed_or_removed(as_alice: psycopg.Connection[Row], table: str) -> None:
    for statement in (f"UPDATE agentmem.{table} SET external_id = external_id", f"DELETE FROM agentmem.{table}"):
        assert as_alice.execute(f"{statement} WHERE external_id = 'bob'").rowcount == 0


@pytest.mark.parametrize("table", ROWS)
def test_rows_cannot_be_written_for_another_tenant(as_alice: psycopg.Connection[Row], table: str) -> None:
    for statement in (
        f"INSERT INTO agentmem.{table} {ROWS[table]}",
        f"UPDATE agentmem.{table} SET external_id = %(t)s",
    ):
        with (
            pytest.raises(psycopg.errors.InsufficientPrivilege, match="violates row-level security policy"),
            as_alice.transaction(),
        ):
            as_alice.execute(statement, {"t": "carol"})


@pytest.mark.parametrize("role", [APP, WORKER])
@pytest.mark.parametrize("table", ROWS)
def test_without_a_tenant_nothing_is_empty_but_everything_an_error(connect: Connect, role: str, table: str) -> None:
    connection = connect(role)
    connection.autocommit = True
    statements = (
        f"SELECT * FROM agentmem.{table}",
        f"UPDATE agentmem.{table} SET external_id = external_id",
        f"DELETE FROM agentmem.{table}",
    )
    for statement in statements:
        with pytest.raises(psycopg.errors.UndefinedObject, match=r"agentmem\.external_id"):
            connection.execute(statement)
    # of one that an earlier transaction has named, an empty text is left
    connection.execute("SELECT set_config('agentmem.external_id', 'alice', true)")
    for statement in statements:
        with pytest.raises(psycopg.errors.UndefinedObject, match=r"agentmem\.external_id_is_empty"):
            connection.execute(statement)


@pytest.mark.parametrize("sql", ["DROP TABLE agentmem.section", "ALTER TABLE agentmem.section DISABLE ROW LEVEL SECURITY",
    "TRUNCATE agentmem.section", "CREATE TABLE agentmem.mine (id int)", "DROP POLICY agentmem_tenant ON agentmem.section",
    "DELETE FROM agentmem.schema_migration", "SET ROLE agentmem_lookups"])  # fmt: skip
def test_who_uses_the_tables_cannot_change_what_they_are(as_alice: psycopg.Connection[Row], sql: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        as_alice.execute(sql)


@pytest.mark.parametrize("name", ["memories:memory_by_namespace", "sections:lock_memories", "sections:open_memory"])
def test_a_namespace_is_looked_up_by_its_index(
    new_database: Callable[[str], str], guarded_template: str, name: str
) -> None:
    """Under policies, a comparison of the arrays alone would read all memories of the tenant."""
    sql = re.sub(r"--.*\n", "", BLOCKS[name])
    if sql.startswith("LATERAL"):
        sql = f"SELECT * FROM (SELECT '{{alice,notes}}'::text[] AS namespace LIMIT 1) n CROSS JOIN {sql} AS m"
    for parameter, value in (("external_id", "'alice'"), ("namespaces", "'{}'"), ("namespace", "'{alice,notes}'")):
        sql = sql.replace(f"%({parameter})s", value)
    dsn = new_database(guarded_template)
    with psycopg.connect(dsn) as owner:  # so many that what an index leaves to be read matters
        owner.execute(
            "INSERT INTO agentmem.active_memory (external_id, namespace, title, template) "
            "SELECT 'alice', ARRAY['alice', 'n' || i], '', '{}' FROM generate_series(1, 1000) i"
        )
        owner.execute("ANALYZE agentmem.active_memory")
    with psycopg.connect(as_role(dsn, APP)) as connection:
        connection.execute("SELECT set_config('agentmem.external_id', 'alice', true)")
        plan = "\n".join(line for (line,) in connection.execute(f"EXPLAIN {sql}"))

    assert re.search(r"using active_memory_namespace on active_memory.*\n +Index Cond: .*namespace_hash = ", plan), plan


@pytest.mark.parametrize("function", ["chunks_with_words('{7}')", "entities_with_words('{ada}')"])
def test_what_finds_by_words_finds_for_the_tenant_that_is_named(connect: Connect, function: str) -> None:
    """Both tenants have a row of that id and word."""
    connection = connect(APP)
    connection.autocommit = True
    with pytest.raises(psycopg.errors.UndefinedObject, match=r"agentmem\.external_id"):
        connection.execute(f"SELECT agentmem.{function}")
    connection.autocommit = False
    for tenant, found in (("alice", [(1,)]), ("carol", [])):
        connection.execute("SELECT set_config('agentmem.external_id', %s, true)", [tenant])
        assert connection.execute(f"SELECT agentmem.{function}").fetchall() == found


# Looks over all tenants


@pytest.mark.parametrize("name", sorted(READS_OVER_ALL_TENANTS | COUNTS_OVER_ALL_TENANTS))
def test_a_look_over_all_tenants_reads_no_more_than_what_is_granted_for_it(connect: Connect, name: str) -> None:
    connection = connect(WORKER)
    connection.execute("SET LOCAL ROLE agentmem_lookups")
    with_nothing_asked = re.sub(r"%\(\w+\)s", "NULL", BLOCKS[name])

    assert connection.execute(f"EXPLAIN {with_nothing_asked}").fetchall()


@pytest.mark.parametrize(
    ("table", "column"),
    [("memory_chunk", "content"), ("section", "value"), ("active_memory", "title"), ("active_memory", "metadata"),
     ("entity", "name"), ("dispute", "verdict"), ("memory_chunk", "*"), ("active_memory", "last_error")],
)  # fmt: skip
def test_it_cannot_read_what_is_remembered(connect: Connect, table: str, column: str) -> None:
    connection = connect(WORKER)
    connection.execute("SET LOCAL ROLE agentmem_lookups")
    assert set(connection.execute(f"SELECT external_id FROM agentmem.{table}").fetchall()) == {("alice",), ("bob",)}

    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(f"SELECT {column} FROM agentmem.{table}")


@pytest.mark.parametrize("table", ROWS)
def test_it_writes_nothing(connect: Connect, table: str) -> None:
    connection = connect(WORKER)
    connection.execute("SET LOCAL ROLE agentmem_lookups")

    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(f"DELETE FROM agentmem.{table}")


# Memories


@pytest.fixture
def guarded_dsn(new_database: Callable[[str], str], guarded_template: str) -> str:
    """A database of the test's own with policies; the owner's DSN."""
    return new_database(guarded_template)


@pytest.fixture
def rows(guarded_dsn: str) -> Iterator[Callable[[str], list[Row]]]:
    """Reads and writes as the owner, whom no policy holds."""
    with psycopg.connect(guarded_dsn, autocommit=True) as connection:

        def run(sql: str) -> list[Row]:
            cursor = connection.execute(sql)
            return cursor.fetchall() if cursor.description else []

        yield run


@pytest.fixture
async def opened_as(guarded_dsn: str) -> AsyncIterator[Callable[..., AgentMemory]]:
    """Opens memories on it as a role."""
    memories: list[AgentMemory] = []

    def make(role: str, **arguments: Any) -> AgentMemory:
        settings = AgentMemorySettings(row_security="on", avg_section_update_count=1, pool_size=4)
        memories.append(AgentMemory.open(as_role(guarded_dsn, role), **{"settings": settings, **arguments}))
        return memories[-1]

    yield make
    for memory in memories:
        await memory.aclose()
    assert_consistent(guarded_dsn)


OpenedAs = Callable[..., AgentMemory]
TEMPLATE = {"sections": ["facts", "progress"]}
LOOKS_AT_ALL = r'looks over all tenants, which "agentmem_test_app" may not'


async def lives(memory: AgentMemory, tenant: str) -> None:
    """Write, consolidate, find and undo for a tenant, through all doors."""
    store = AgentMemoryStore(memory)
    made = await memory.acreate_active_memory(tenant, "Notes", TEMPLATE, {"facts": f"- Ada knows Bob of {tenant}."})
    await memory.aupdate_active_memory_section(tenant, made.id, "progress", f"- begun by {tenant}")
    await store.aput((tenant, "items"), "k", {"text": f"a falcon of {tenant}"}, ttl=60)
    item = await store.aget((tenant, "items"), "k")
    assert item is not None
    assert item.value == {"text": f"a falcon of {tenant}"}
    assert [hit.value for hit in await store.asearch((tenant,), query="falcon", limit=1)] == [item.value]
    report = await memory.aconsolidate(tenant, made.id)
    assert (report.status, report.updates_consumed > 0) == ("applied", True)
    contents = {hit.content for hit in await memory.asearch(tenant, "Ada begun falcon")}
    assert contents == {f"- Ada knows Bob of {tenant}.", f"- begun by {tenant}", f"a falcon of {tenant}"}
    assert (await memory.runs.aundo(tenant, str(report.run_id))).status == "undone"
    await store.adelete((tenant, "items"), "k")
    assert await store.aget((tenant, "items"), "k") is None


async def threads(memory: AgentMemory, tenant: str) -> None:
    """Keep a thread's state, in part as sections, and go on with it."""
    saver = AgentMemorySaver(memory, state_schema=State)
    await say(saver, f"thread of {tenant}", tenant, progress="begun", facts=f"of {tenant}")
    await say(saver, f"thread of {tenant}", tenant, progress="done")
    found = await agent(saver).aget_state(of(f"thread of {tenant}", tenant))
    assert {"progress": "done", "facts": f"of {tenant}"}.items() <= found.values.items()


@pytest.mark.parametrize("role", [APP, WORKER])
async def test_a_tenants_whole_life_goes_on_under_policies(opened_as: OpenedAs, role: str) -> None:
    memory = opened_as(role, model=ScriptedModel(answer=names))
    for tenant in ("alice", "bob"):
        await lives(memory, tenant)
        await threads(memory, tenant)

    assert await memory.aget_active_memories("carol") == []


async def test_several_tenants_operations_may_travel_together(opened_as: OpenedAs) -> None:
    store = AgentMemoryStore(opened_as(APP))
    spaces = [(f"t{i}", "notes") for i in range(5)]
    await store.abatch([PutOp(space, "k", {"text": f"owl of {space[0]}"}) for space in spaces])
    reads = [*(GetOp(space, "k") for space in spaces), *(SearchOp(space, query="owl") for space in spaces)]
    answers = await store.abatch([*reads, PutOp(("t9", "notes"), "k", {"text": "late"}), *reads])

    for answer in (answers[: len(reads)], answers[-len(reads) :]):
        assert [item.value["text"] for item in answer[:5]] == [f"owl of t{i}" for i in range(5)]
        assert [[hit.value["text"] for hit in found] for found in answer[5:]] == [[f"owl of t{i}"] for i in range(5)]


async def test_candidates_of_a_large_tenant_are_found_past_what_policies_keep_from_the_index(
    opened_as: OpenedAs,
) -> None:
    memory = opened_as(APP, settings=AgentMemorySettings(row_security="on", exact_search_rows=1))
    store = AgentMemoryStore(memory)
    for tenant in ("alice", "bob"):
        texts = [f"a {('falcon', 'owl', 'hen')[n % 3]} of {tenant}, number {n}" for n in range(90)]
        await store.abatch([PutOp((tenant, "notes"), f"k{n}", {"text": text}) for n, text in enumerate(texts)])

    found = await store.asearch(("alice", "notes"), query="falcon", limit=30)
    assert {hit.key for hit in found} == {f"k{n}" for n in range(0, 90, 3)}
    hits = [hit.content for hit in await memory.asearch("alice", "owl", limit=5)]
    assert len(hits) == 5
    assert all("owl of alice" in content for content in hits)


Look = Callable[[AgentMemory], Awaitable[Any]]
MEMORIES_LOOK: dict[str, Look] = {
    "run_due": lambda memory: memory.queue.arun_due(),
    "status": lambda memory: memory.queue.astatus(),
    "dead_letters": lambda memory: memory.queue.adead_letters(),
    "retry": lambda memory: memory.queue.aretry(),
    "embed_pending": lambda memory: memory.queue.aembed_pending(),
    "pending reviews": lambda memory: memory.reviews.apending(),
    "a worker": lambda memory: MemoryWorker(memory).arun_until_idle(),
    "a sweep": lambda memory: deleting.sweep(memory.resources),
    "search(())": lambda memory: AgentMemoryStore(memory).asearch((), query="owl"),
    "listing items": lambda memory: AgentMemoryStore(memory).asearch(()),
    "list_namespaces()": lambda memory: AgentMemoryStore(memory).alist_namespaces(),
    "delete_thread": lambda memory: AgentMemorySaver(memory).adelete_thread("1"),
    "copy_thread": lambda memory: AgentMemorySaver(memory).acopy_thread("1", "2"),
}


@pytest.mark.parametrize("look", MEMORIES_LOOK)
async def test_a_look_over_all_tenants_is_an_error_without_the_right_to_it(opened_as: OpenedAs, look: str) -> None:
    with pytest.raises(ConfigurationError, match=LOOKS_AT_ALL):
        await MEMORIES_LOOK[look](opened_as(APP))


async def test_whoever_may_look_finds_all_tenants(opened_as: OpenedAs, rows: Any) -> None:
    memory = opened_as(WORKER)
    store = AgentMemoryStore(memory)
    for tenant in ("alice", "bob"):
        await store.aput((tenant, "notes"), "k", {"text": f"owl of {tenant}"}, ttl=60)
        await store.aput((tenant, "notes"), "k", {"text": f"white owl of {tenant}"})

    assert await store.alist_namespaces() == [("alice", "notes"), ("bob", "notes")]
    assert {hit.value["text"] for hit in await store.asearch((), query="owl")} == {
        "white owl of alice", "white owl of bob",
    }  # fmt: skip
    assert (await memory.queue.astatus()).due == 2
    assert [finding.check for finding in await memory.adiagnose() if finding.severity == "error"] == []
    assert (await MemoryWorker(memory).arun_until_idle()).applied == 2
    rows("UPDATE agentmem.section SET expires_at = now() - interval '1 second'")
    assert await deleting.sweep(memory.resources) == 2
    rows("UPDATE agentmem.active_memory SET dead_at = now(), due_at = now(), last_error = 'of ' || external_id")
    assert [letter.error for letter in await memory.queue.adead_letters()] == ["of alice", "of bob"]
    assert [letter.error for letter in await memory.queue.adead_letters("bob")] == ["of bob"]
    assert await memory.queue.aretry() == 2
    saver = AgentMemorySaver(memory, state_schema=State)
    await say(saver, "1", "alice", progress="begun")
    await saver.acopy_thread("1", "2")
    await saver.adelete_thread("1")
    assert rows("SELECT external_id, thread_id FROM agentmem.thread_section") == [("alice", "2")]


# Opening


async def test_a_thread_that_has_no_sections_can_be_copied(opened_as: OpenedAs) -> None:
    """Nothing that follows the look for its tenants is done as whoever may look."""
    saver = AgentMemorySaver(opened_as(WORKER))
    thread = {"configurable": {"thread_id": "1", "checkpoint_ns": ""}}
    stored = await saver.aput(thread, empty_checkpoint(), {"source": "input", "step": -1, "parents": {}}, {})
    await saver.acopy_thread("1", "2")
    copied = await saver.aget_tuple({"configurable": {"thread_id": "2"}})
    assert copied.checkpoint["id"] == stored["configurable"]["checkpoint_id"]


async def test_a_database_without_policies_is_refused_with_what_gives_it_some(empty_dsn: str) -> None:
    async with AgentMemory.open(empty_dsn) as memory:
        await memory.asetup()
    settings = AgentMemorySettings(row_security="on")
    with pytest.raises(
        ConfigurationError, match=r"policies are missing from .*section.*; run `agentmem db migrate --row"
    ):
        await AgentMemory.open(empty_dsn, settings=settings).asetup()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("CREATE TABLE agentmem.later (external_id text)", "missing from later"),
        ("DROP POLICY agentmem_tenant ON agentmem.section", "missing from section"),
        ("CREATE POLICY open ON agentmem.section USING (true)", "missing from section"),
        ("ALTER TABLE agentmem.section DISABLE ROW LEVEL SECURITY", "missing from section"),
        ("ALTER VIEW agentmem.longterm_entity RESET (security_invoker)", "missing from longterm_entity"),
    ],
)
async def test_whatever_is_open_is_noticed(opened_as: OpenedAs, rows: Any, change: str, said: str) -> None:
    rows(change)
    memory = opened_as(APP)
    with pytest.raises(ConfigurationError, match=said):
        await memory.asetup()
    [finding] = [each for each in await memory.adiagnose() if each.check == "row security"]
    assert (finding.severity, said in finding.found) == ("error", True)


async def test_a_role_that_no_policy_holds_is_refused(guarded_dsn: str, rows: Any) -> None:
    for option in ("SUPERUSER", "BYPASSRLS", "IN ROLE agentmem_lookups"):
        role = f"agentmem_test_{uuid4().hex}"
        rows(f"CREATE ROLE {role} LOGIN {option}")
        rows(f"GRANT USAGE ON SCHEMA agentmem TO {role}; GRANT SELECT ON agentmem.schema_migration TO {role}")
        memory = AgentMemory.open(as_role(guarded_dsn, role), settings=AgentMemorySettings(row_security="on"))
        with pytest.raises(ConfigurationError, match=f"no policy holds the role '{role}'; connect as"):
            await memory.asetup()
        rows(f"DROP OWNED BY {role}; DROP ROLE {role}")


async def test_without_the_setting_a_role_that_policies_hold_gets_errors_that_name_it(guarded_dsn: str) -> None:
    async with AgentMemory.open(as_role(guarded_dsn, WORKER)) as memory:
        for call in (memory.aget_active_memories("alice"), AgentMemoryStore(memory).aput(("alice", "n"), "k", {})):
            with pytest.raises(ConfigurationError, match="set AGENTMEM_ROW_SECURITY=on"):
                await call
        [finding] = [each for each in await memory.adiagnose() if each.check == "row security"]
        assert (finding.severity, finding.advice) == ("error", "set AGENTMEM_ROW_SECURITY=on")


# Behind a pooler


@pgbouncer.needed
async def test_policies_hold_behind_a_pooler_that_gives_each_transaction_another_session(
    guarded_dsn: str, shared_folder: Path
) -> None:
    settings = AgentMemorySettings(row_security="on", pool_size=8, avg_section_update_count=1)
    with pgbouncer.before(as_role(guarded_dsn, WORKER), shared_folder / uuid4().hex) as through:
        async with AgentMemory.open(through, settings=settings, model=ScriptedModel(answer=names)) as memory:
            await asyncio.gather(*(lives(memory, f"t{i}") for i in range(6)))
            await asyncio.gather(*(threads(memory, f"t{i}") for i in range(6)))
            assert len(await AgentMemoryStore(memory).alist_namespaces()) == 12
    assert_consistent(guarded_dsn)
