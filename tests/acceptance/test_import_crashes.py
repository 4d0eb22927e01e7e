"""An import that is killed leaves whole batches, and the same call brings along the rest."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import forking
import pytest
from consistency import assert_consistent
from langgraph.store.postgres import PostgresStore

from langgraph_agentmem import AgentMemory

Rows = Callable[..., list[tuple[Any, ...]]]
PROCESS = Path(__file__).with_name("import_process.py")
MANY = "INSERT INTO store (prefix, key, value) SELECT 'user' || i %% 2 || '.notes', 'note ' || i, jsonb_build_object('text', 'Note ' || i) FROM generate_series(1, 250) i"


@pytest.mark.parametrize(("when", "standing"), [("before", 100), ("after", 125)])
def test_killed_in_the_middle_the_same_call_goes_on(dsn: str, rows: Rows, when: str, standing: int) -> None:
    with PostgresStore.from_conn_string(dsn) as old:
        old.setup()
    rows(MANY)

    killed = forking.run(PROCESS, env=os.environ | {"AGENTMEM_DSN": dsn, "KILL_AT": "2", "WHEN": when})

    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert rows("SELECT count(*) FROM agentmem.section") == [(standing,)]
    with AgentMemory.open(dsn) as memory:
        report = memory.import_store()
        assert (report.written, report.known, report.verified) == (250 - standing, standing, 250)
    assert rows("SELECT count(*), max(revision) FROM agentmem.section") == [(250, 1)]
    assert rows("SELECT count(*) FROM agentmem.memory_chunk") == [(250,)]
    assert_consistent(dsn)
