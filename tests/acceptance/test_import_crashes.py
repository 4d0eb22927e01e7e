"""An import that is killed leaves whole batches, and the same call brings along the rest."""

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import forking
import legacy_tables
import pytest
from consistency import assert_consistent
from langgraph.store.postgres import PostgresStore
from legacy_graph import Older

from langgraph_agentmem import AgentMemory
from langgraph_agentmem.projection import Neo4jDatabase

Rows = Callable[..., list[tuple[Any, ...]]]
PROCESS = Path(__file__).with_name("import_process.py")
MANY = "INSERT INTO store (prefix, key, value) SELECT 'user' || i %% 2 || '.notes', 'note ' || i, jsonb_build_object('text', 'Note ' || i) FROM generate_series(1, 250) i"


def killing(dsn: str, imported: str, when: str, of: str) -> dict[str, str]:
    """The environment of a process that is killed at the second transaction that writes so."""
    return os.environ | {"AGENTMEM_DSN": dsn, "IMPORT": imported, "KILL_AT": "2", "WHEN": when, "OF": of}


@pytest.mark.parametrize(("when", "standing"), [("before", 100), ("after", 125)])
def test_killed_in_the_middle_the_same_call_goes_on(dsn: str, rows: Rows, when: str, standing: int) -> None:
    with PostgresStore.from_conn_string(dsn) as old:
        old.setup()
    rows(MANY)

    killed = forking.run(PROCESS, env=killing(dsn, "store", when, "INSERT INTO agentmem.active_memory"))

    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert rows("SELECT count(*) FROM agentmem.section") == [(standing,)]
    with AgentMemory.open(dsn) as memory:
        report = memory.imports.store()
        assert (report.written, report.known, report.verified) == (250 - standing, standing, 250)
    assert rows("SELECT count(*), max(revision) FROM agentmem.section") == [(250, 1)]
    assert rows("SELECT count(*) FROM agentmem.memory_chunk") == [(250,)]
    assert_consistent(dsn)


def test_an_older_system_goes_on_where_its_import_was_killed(dsn: str, rows: Rows) -> None:
    for statement in legacy_tables.filled("newer"):
        rows(statement)
    rows(
        "INSERT INTO shortterm_memory_chunk (external_id, shortterm_memory_id, content) SELECT 'agent-7', 1, 'Chunk ' || i FROM generate_series(1, 250) i"
    )

    killed = forking.run(
        PROCESS,
        env=killing(
            dsn,
            "legacy",
            "before",
            "m.id, 'import'",
        ),
    )

    assert killed.returncode == -signal.SIGKILL, killed.stderr
    [(standing,)] = rows("SELECT count(*) FROM agentmem.memory_chunk WHERE origin = 'import'")
    assert 0 < standing < 255
    with AgentMemory.open(dsn) as memory:
        report = memory.imports.legacy()
        assert (report.known, report.verified) == (9 + standing, 264)
    assert rows(
        "SELECT count(*), count(DISTINCT metadata ->> 'legacy_id') FROM agentmem.memory_chunk WHERE origin = 'import'"
    ) == [(255, 255)]
    assert_consistent(dsn)


async def test_an_older_graph_goes_on_where_its_import_was_killed(
    dsn: str, rows: Rows, neo4j: Neo4jDatabase, neo4j_settings: dict[str, Any], tenant: str
) -> None:
    older = Older(neo4j, tenant)
    for statement in older.tables("newer"):
        rows(statement)
    await older.fill("newer")
    try:
        killed = await asyncio.to_thread(
            forking.run,
            PROCESS,
            env=killing(dsn, "legacy", "before", "INSERT INTO agentmem.entity ")
            | {name.upper(): value for name, value in neo4j_settings.items()},
        )

        assert killed.returncode == -signal.SIGKILL, killed.stderr
        assert rows("SELECT count(*) FROM agentmem.entity") == [(2,)]
        async with AgentMemory.open(dsn) as memory:
            report = await memory.imports.alegacy(neo4j=neo4j)
            assert (report.written, report.known, report.verified) == (7, 16, 23)
            assert (await memory.imports.alegacy(neo4j=neo4j)).written == 0
    finally:
        await older.clear()
    assert rows("SELECT count(*) FROM agentmem.entity") == [(6,)]
    assert rows("SELECT count(*) FROM agentmem.state_history") == [(4,)]
    assert_consistent(dsn)
