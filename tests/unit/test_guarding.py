"""Whether a database counts as one that holds tenants apart, and what is said of it."""

import pytest

from langgraph_agentmem.models.health import RowSecurity
from langgraph_agentmem.policies import diagnosing, guarding

TABLES = ["section", "tombstone"]
HELD = RowSecurity(
    tables=TABLES, unguarded=[], open_views=[], role="app", held=True, looks=False, inherits=False
)  # fmt: skip
OFF = HELD.model_copy(update={"unguarded": TABLES, "open_views": ["longterm_entity"], "held": False})
OWNER = HELD.model_copy(update={"held": False, "role": "postgres"})


def test_a_role_that_all_policies_hold_is_held() -> None:
    assert guarding.problem(HELD) is None


@pytest.mark.parametrize(
    ("lacking", "said"),
    [
        ({"unguarded": ["tombstone"]}, "policies are missing from tombstone"),
        ({"open_views": ["longterm_entity"]}, "policies are missing from longterm_entity"),
        ({"held": False}, "no policy holds the role 'app'"),
        ({"inherits": True}, "no policy holds the role 'app'"),
    ],
)
def test_whatever_is_lacking_is_an_error_where_it_is_wanted(lacking: dict[str, object], said: str) -> None:
    finding = diagnosing.row_security(HELD.model_copy(update=lacking), wanted=True)

    assert (finding.severity, finding.found) == ("error", said)
    assert "`agentmem db " in finding.advice


@pytest.mark.parametrize(
    ("found", "severity", "said"),
    [
        (OFF, "ok", "off"),
        (HELD, "error", "no tenant is named"),
        (OWNER, "ok", "but not from 'postgres'"),
        (OWNER.model_copy(update={"unguarded": ["tombstone"]}), "warning", "missing from tombstone"),
    ],
)
def test_where_it_is_not_wanted_nothing_may_stand_in_the_way(found: RowSecurity, severity: str, said: str) -> None:
    finding = diagnosing.row_security(found, wanted=False)

    assert finding.severity == severity
    assert said in finding.found


def test_who_may_look_over_all_tenants_is_said() -> None:
    assert "may not look over all" in diagnosing.row_security(HELD, wanted=True).found
    looks = HELD.model_copy(update={"looks": True})
    assert "may look over all" in diagnosing.row_security(looks, wanted=True).found
