"""`agentmem import`, as people use it: what it prints, and how it ends."""

import asyncio
import json
import re
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import legacy_tables
import psycopg
import pytest
from langchain_core.messages import HumanMessage
from langchain_postgres import PostgresChatMessageHistory
from langgraph.store.postgres import PostgresStore
from legacy_graph import Older
from typer.testing import CliRunner

from langgraph_agentmem import AgentMemory
from langgraph_agentmem.cli.app import app
from langgraph_agentmem.projection import Neo4jDatabase

Done = subprocess.CompletedProcess[str]
Rows = Callable[..., list[tuple[Any, ...]]]
SESSION = "5F1D7E5C-6F0C-4B8F-9A34-0D1C3F8F2B11"


@pytest.fixture
def agentmem(dsn: str) -> Callable[..., Done]:
    """Runs the command in this process, with the memory of the test."""

    def run(*arguments: str) -> Done:
        result = CliRunner().invoke(app, ["import", *arguments], env={"AGENTMEM_DSN": dsn})
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return subprocess.CompletedProcess(arguments, result.exit_code, result.stdout, result.stderr)

    return run


def test_a_store_from_another_database(agentmem: Callable[..., Done], empty_dsn: str) -> None:
    with PostgresStore.from_conn_string(empty_dsn) as old:
        old.setup()
        old.put(("memories", "alice"), "drink", {"text": "Green tea."})

    done = agentmem("store", "--from", empty_dsn, "--owner", "1")

    assert (done.returncode, done.stderr) == (0, "")
    first, tenants, hashes = done.stdout.splitlines()
    assert first.startswith("1 row read: 1 written, 0 known, ")
    assert tenants == "tenants: alice"
    assert hashes.startswith("hash of what was verified: ")
    told = json.loads(agentmem("store", "--from", empty_dsn, "--owner", "1", "--json").stdout)
    assert (told["written"], told["known"], told["tenants"]) == (0, 1, ["alice"])


def test_a_history_with_a_list_of_whose_the_sessions_are(
    agentmem: Callable[..., Done], dsn: str, tmp_path: Path
) -> None:
    with psycopg.connect(dsn) as connection:
        PostgresChatMessageHistory.create_tables(connection, "chats")
        for session in (SESSION, SESSION.replace("5", "6")):
            history = PostgresChatMessageHistory("chats", session, sync_connection=connection)
            history.add_messages([HumanMessage("I live in Oslo.")])
    users = tmp_path / "users.csv"
    users.write_text(f"{SESSION}, alice [red]\n\n")

    done = agentmem("postgres-history", "chats", "--tenants", str(users))

    assert done.returncode == 1
    assert "tenants: alice [red]\n" in done.stdout
    assert done.stderr.startswith(
        f"refused: message 2 of session {SESSION.lower().replace('5', '6')}: tenant= gives no"
    )
    assert agentmem("postgres-history", "chats", "--tenant", "alice").returncode == 0
    with AgentMemory.open(dsn) as memory:
        assert len(memory.search("alice [red]", "Oslo")) == 1
        assert len(memory.search("alice", "Oslo")) == 2


def test_documents_by_a_key_of_their_metadata(agentmem: Callable[..., Done], rows: Rows) -> None:
    rows("CREATE TABLE guides (id text, content text, embedding vector(2), langchain_metadata json)")
    rows("INSERT INTO guides VALUES ('1', 'The ferry leaves.', '[1,0]', '{\"user\": \"alice\"}')")

    done = agentmem("vectorstore", "--table", "guides", "--id-column", "id", "--tenant-key", "user")

    assert (done.returncode, done.stderr) == (0, "")
    assert "1 written" in done.stdout
    assert "0 vectors taken over: this memory has no embedder\n" in done.stdout


def test_an_older_system_with_the_counts_of_its_tables(agentmem: Callable[..., Done], rows: Rows) -> None:
    for statement in legacy_tables.filled("older"):
        rows(statement)

    done = agentmem("legacy")

    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("14 rows read: 14 written, ")
    assert lines[1:7] == [
        "active_memory.sections: 4 read, 4 the same here",
        "active_memory: 3 read, 3 the same here",
        "shortterm_memory: 2 read, 2 the same here",
        "shortterm_memory_chunk: 3 read, 3 the same here",
        "longterm_memory_chunk: 2 read, 2 the same here",
        "tenants: agent-7, agent-8",
    ]


async def test_an_older_system_with_its_graph(
    dsn: str, rows: Rows, neo4j: Neo4jDatabase, neo4j_settings: dict[str, Any], tenant: str
) -> None:
    older = Older(neo4j, tenant)
    for statement in older.tables("older"):
        rows(statement)
    await older.fill("older")
    run = partial(CliRunner().invoke, app, ["import", "legacy", "--neo4j", neo4j_settings["neo4j_uri"]])
    named = {"AGENTMEM_DSN": dsn, "NEO4J_DATABASE": neo4j.database}
    right = named | {name.upper(): value for name, value in neo4j_settings.items() if name != "neo4j_uri"}
    try:
        refused = await asyncio.to_thread(run, env={**right, "NEO4J_PASSWORD": "wrong"})
        assert (refused.exit_code, refused.stderr.count("\n")) == (1, 1)
        assert "refused user 'neo4j'; check NEO4J_USERNAME and NEO4J_PASSWORD" in refused.stderr
        assert rows("SELECT count(*) FROM agentmem.active_memory") == [(0,)]

        done = await asyncio.to_thread(run, env=right)
    finally:
        await older.clear()
    assert (done.exit_code, done.stderr) == (0, "")
    assert re.search(
        r"^ShorttermEntity: \d+ read, 4 the same here\nLongtermEntity: \d+ read, 2 the same here\n"
        r"SHORTTERM_RELATES: \d+ read, 2 the same here\nLONGTERM_RELATES: \d+ read, 1 the same here$",
        done.stdout,
        re.MULTILINE,
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["store"], "the source has no table 'store' on its search path"),
        (["store", "--from", "postgresql://127.0.0.1:1/nowhere"], "cannot be reached"),
        (["postgres-history", "chats", "--tenant", "a", "--tenants", "b"], "give either --tenant or --tenants"),
        (["postgres-history", "chats", "--tenants", "/nowhere"], "--tenants '/nowhere' cannot be read"),
        (["legacy"], "the source has no table 'active_memory' on its search path"),
        (["vectorstore"], "give either table=, for a PGVectorStore, or collection="),
        (["vectorstore", "--table", "t", "--tenant", "a", "--tenant-key", "b"], "give either --tenant or --tenant-key"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(agentmem: Callable[..., Done], arguments: list[str], said: str) -> None:
    done = agentmem(*arguments)

    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_list_that_cannot_be_read_is_told_by_its_line(agentmem: Callable[..., Done], tmp_path: Path) -> None:
    users = tmp_path / "users.csv"
    users.write_text(f"{SESSION},alice\nbob\n")

    assert "line 2 of" in agentmem("postgres-history", "chats", "--tenants", str(users)).stderr


def test_what_differs_at_the_end_is_named(agentmem: Callable[..., Done], dsn: str, rows: Rows) -> None:
    with PostgresStore.from_conn_string(dsn) as old:
        old.setup()
        old.put(("alice",), "drink", {"text": "Green tea."})
    rows(
        'CREATE FUNCTION tea() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.value = \'{"text": "Milk."}\'; RETURN NEW; END $$'
    )
    rows("CREATE TRIGGER tea BEFORE INSERT ON agentmem.section FOR EACH ROW EXECUTE FUNCTION tea()")

    done = agentmem("store")

    assert done.returncode == 1
    assert "different: item 'drink' of ('alice',): another value" in done.stderr
    assert "error: 1 of 1 rows are not here" in done.stderr
