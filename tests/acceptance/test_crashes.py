"""A consolidation that is killed anywhere is completed by the next one, to the same final state.

The process is a real one that kills itself with SIGKILL: between two nodes of the graph, and right before or right after
the commit of an update. Nothing in the product knows about it. What workers do at each of their commits is tried in
test_worker_crashes.
"""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import forking
import pytest
from crashing import STATE

Rows = Callable[..., list[tuple[object, ...]]]
WORKER = Path(__file__).with_name("crash_worker.py")


def work(dsn: str, **environment: Any) -> int:
    variables = {"AGENTMEM_DSN": dsn} | {key: str(value) for key, value in environment.items()}
    process = forking.run(WORKER, env={**os.environ, **variables})
    assert process.returncode in (0, -signal.SIGKILL), process.stderr
    return process.returncode


@pytest.fixture(scope="module")
def undisturbed() -> dict[str, list[tuple[object, ...]]]:
    return {}


def final_state(dsn: str, rows: Rows) -> list[tuple[object, ...]]:
    """Let the killed run's lease expire, then consolidate what is due, as the next worker would."""
    rows("UPDATE agentmem.active_memory SET lease_expires_at = now() - interval '1 second'")
    assert work(dsn) == 0
    return rows(STATE)


def expected(new_database: Callable[[str], str], template: str, known: dict[str, Any]) -> list[tuple[object, ...]]:
    import psycopg

    if "state" not in known:
        dsn = new_database(template)
        assert work(dsn, PREPARE=1) == 0
        with psycopg.connect(dsn) as connection:
            known["state"] = connection.execute(STATE).fetchall()
            statuses = connection.execute("SELECT status FROM agentmem.consolidation_run").fetchall()
        assert statuses == [("applied",), ("applied",)]
        assert {row[2] for row in known["state"] if row[0] == "chunk"} == {"longterm"}
    return known["state"]


@pytest.mark.parametrize("node", ["claim", "extract", "conflicts", "resolve", "apply", "promote"])
def test_killed_between_two_nodes(
    dsn: str, rows: Rows, new_database: Callable[[str], str], template: str, undisturbed: dict[str, Any], node: str
) -> None:
    assert work(dsn, PREPARE=1, KILL_AFTER_NODE=node) == -signal.SIGKILL
    assert final_state(dsn, rows) == expected(new_database, template, undisturbed)


def test_killed_while_updating_a_section_leaves_all_or_nothing(dsn: str, rows: Rows) -> None:
    """An update looks in one transaction, and writes in the next."""
    for commit, when, count in ((1, "before", 0), (1, "after", 0), (2, "before", 0), (2, "after", 1)):
        assert work(dsn, UPDATE=1, KILL_AT_COMMIT=commit, KILL_WHEN=when) == -signal.SIGKILL
        assert rows(
            "SELECT pending_updates, (SELECT sum(update_count) FROM agentmem.section) FROM agentmem.active_memory"
        ) == [(2 * count, 2 * count)]
