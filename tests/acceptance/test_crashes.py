"""A consolidation that is killed anywhere is completed by the next one, to the same final state.

The worker is a real process that kills itself with SIGKILL: between two nodes, and right before or right after every
commit that it makes. Nothing in the product knows about it.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Rows = Callable[..., list[tuple[object, ...]]]
WORKER = Path(__file__).with_name("crash_worker.py")

STATE = """
SELECT 'chunk', c.content, c.tier, c.current, c.origin, c.end_date IS NULL, s.content, NULL::float8, c.extraction_pending
FROM agentmem.memory_chunk c LEFT JOIN agentmem.memory_chunk s ON s.external_id = c.external_id AND s.id = c.superseded_by
UNION ALL
SELECT 'entity', name, tier, true, description, true, types::text, confidence, revision = promoted_revision FROM agentmem.entity
UNION ALL
SELECT 'relationship', s.name || t.name, r.tier, true, r.types::text, r.end_date IS NULL, r.revision::text, r.strength, true
FROM agentmem.relationship r JOIN agentmem.entity s ON s.id = r.source_id JOIN agentmem.entity t ON t.id = r.target_id
UNION ALL
SELECT 'mention', c.content, c.tier, true, e.name, true, e.tier, NULL, true
FROM agentmem.mention m JOIN agentmem.memory_chunk c ON c.id = m.chunk_id LEFT JOIN agentmem.entity e ON e.id = m.entity_id
UNION ALL
SELECT 'section', section_id, value::text, true, revision::text, true, update_count::text, NULL, true FROM agentmem.section
UNION ALL
SELECT 'memory', title, NULL, lease_owner IS NULL, pending_updates::text, due_at IS NULL, NULL, NULL, true FROM agentmem.active_memory
UNION ALL
SELECT 'shortterm', NULL, jsonb_array_length(metadata -> 'promotion_history')::text, true, NULL, true, NULL, update_count, true
FROM agentmem.shortterm_memory
UNION ALL
SELECT 'history', e.name, e.tier, true, h.change ->> 'source', true, h.change ->> 'action', NULL, true
FROM agentmem.state_history h LEFT JOIN agentmem.entity e ON e.id = h.entity_id
ORDER BY 1, 2, 3, 4, 5, 6, 7, 8, 9
"""


def work(dsn: str, **environment: Any) -> int:
    variables = {"AGENTMEM_DSN": dsn} | {key: str(value) for key, value in environment.items()}
    process = subprocess.run(
        [sys.executable, str(WORKER)], env={**os.environ, **variables}, timeout=60, capture_output=True, text=True
    )
    assert process.returncode in (0, -signal.SIGKILL), process.stderr
    return process.returncode


@pytest.fixture(scope="module")
def undisturbed() -> dict[str, list[tuple[object, ...]]]:
    return {}


def final_state(dsn: str, rows: Rows) -> list[tuple[object, ...]]:
    """Let the killed run's lease expire, then consolidate what is due, as the next worker would."""
    time.sleep(0.3)
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


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("commit", [1, 2, 3, 4])
def test_killed_at_a_commit(
    dsn: str,
    rows: Rows,
    new_database: Callable[[str], str],
    template: str,
    undisturbed: dict[str, Any],
    when: str,
    commit: int,
) -> None:
    assert work(dsn, PREPARE=1, KILL_AT_COMMIT=commit, KILL_WHEN=when) == -signal.SIGKILL
    assert final_state(dsn, rows) == expected(new_database, template, undisturbed)


def test_the_four_commits_above_are_all_there_are(dsn: str) -> None:
    assert work(dsn, PREPARE=1, KILL_AT_COMMIT=5, KILL_WHEN="before") == 0


def test_killed_while_updating_a_section_leaves_all_or_nothing(dsn: str, rows: Rows) -> None:
    for when, count in (("before", 0), ("after", 1)):
        assert work(dsn, UPDATE=1, KILL_AT_COMMIT=1, KILL_WHEN=when) == -signal.SIGKILL
        assert rows(
            "SELECT pending_updates, (SELECT sum(update_count) FROM agentmem.section) FROM agentmem.active_memory"
        ) == [(2 * count, 2 * count)]
