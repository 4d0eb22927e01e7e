"""What the guard takes for a list of conditions that all must hold."""

import pytest

from langgraph_agentmem.projection.tenant_guard import _conjuncts

WANTED = "e.external_id = $external_id"


@pytest.mark.parametrize(
    "condition",
    [
        WANTED,
        f"({WANTED})",
        f"{WANTED} AND e.name = $x",
        f"(e.name = $x AND {WANTED})",
        f"NOT e.name = $x AND {WANTED} AND all(w IN e.words WHERE w IN $words AND true)",
        f"(a.x = 1) AND {WANTED} AND (b.x = 1)",
    ],
)
def test_a_condition_among_those_that_all_must_hold_is_found(condition: str) -> None:
    assert WANTED in _conjuncts(condition)


@pytest.mark.parametrize(
    "condition",
    [
        f"{WANTED} OR true",
        f"a.x = 1 OR b.x = 1 AND {WANTED}",
        f"a.x = 1 XOR {WANTED}",
        f"(a.x = 1 OR (b.x = 1 AND {WANTED} AND c.x = 1))",
        f"CASE WHEN a.x = 1 AND {WANTED} AND b.x = 1 THEN true ELSE true END",
        f"any(x IN xs WHERE x = 1 AND {WANTED} AND x = 2)",
        f"NOT (a.x = 1 AND {WANTED} AND b.x = 1)",
        f"NOT {WANTED}",
        f"coalesce(a.x = 1 AND {WANTED} AND b.x = 1, true)",
        "f.external_id = $external_id",
        f"{WANTED}2",
        f"({WANTED} AND e.name <> '(')",  # nobody can tell where the parenthesis ends
    ],
)
def test_a_condition_that_need_not_hold_is_not(condition: str) -> None:
    assert WANTED not in _conjuncts(condition)
