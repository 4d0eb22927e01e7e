"""Whether a database can be distributed, and how what is found is said."""

import pytest

from langgraph_agentmem.models.health import Distribution
from langgraph_agentmem.policies import diagnosing, distributing
from langgraph_agentmem.storage.driver.statements import commands, migrations


def table(name: str = "section", by: str | None = "external_id", guarded: bool = False) -> dict[str, object]:
    return {"name": name, "by": by, "guarded": guarded}


def found(
    *tables: dict[str, object], nodes: int = 2, coordinator: bool = True, unmanaged: tuple[str, ...] = ()
) -> Distribution:
    return Distribution.model_validate(
        {"version": "13.2-1", "nodes": nodes, "coordinator": coordinator, "tables": tables, "unmanaged": unmanaged}
    )


@pytest.mark.parametrize(
    ("state", "problem", "advice"),
    [
        (found(), "there are no tables yet", "db migrate"),
        (found(table(by=None), nodes=0), "no server of the cluster takes rows", "citus_add_node"),
        (found(table(by=None, guarded=True)), "row-level security holds section", "without it"),
        (
            found(table(by="memory_id")),
            "by another column than external_id: section by memory_id",
            "undistribute_table",
        ),
        (
            found(table(), coordinator=False, unmanaged=("checkpoints",)),
            "the coordinator is no server of its own cluster",
            "citus_set_coordinator_host",
        ),
    ],
)
def test_what_cannot_be_distributed_is_told_with_what_would_be_right(
    state: Distribution, problem: str, advice: str
) -> None:
    said = distributing.problem(state)

    assert said is not None
    assert problem in said[0]
    assert advice in said[1]


@pytest.mark.parametrize(
    "state",
    [
        found(table(by=None)),
        found(table()),
        found(table(), table("mention", None)),
        found(table(), coordinator=False),
        found(table(), unmanaged=("checkpoints",)),
    ],
)
def test_what_is_distributed_in_part_or_as_a_whole_or_not_yet_can_be(state: Distribution) -> None:
    assert distributing.problem(state) is None


@pytest.mark.parametrize(
    ("state", "severity", "said"),
    [
        (found(table(by=None)), "ok", "Citus 13.2-1: every table is on this server alone"),
        (found(table(), table("mention")), "ok", "Citus 13.2-1: 2 tables are distributed by tenant over 2 servers"),
        (found(table(), table("mention", None)), "error", "Citus 13.2-1: not distributed are mention"),
        (found(table(guarded=True)), "error", "row-level security holds section"),
        (found(table(), unmanaged=("checkpoints",)), "warning", "it does not manage LangGraph's checkpoints"),
    ],
)
def test_a_diagnosis_says_how_a_database_is_distributed(state: Distribution, severity: str, said: str) -> None:
    finding = diagnosing.distribution(state)

    assert (finding.check, finding.severity) == ("distribution", severity)
    assert said in finding.found
    assert bool(finding.advice) == (severity != "ok")


def test_a_migration_is_read_statement_by_statement() -> None:
    script = (
        b"-- What it does;\nCREATE TABLE a (\n    id int -- drawn;\n);\nINSERT INTO a VALUES (1) ; \n\nDROP TABLE b"
    )

    read = [b" ".join(command.split()) for command in commands(script)]
    assert read == [b"CREATE TABLE a ( id int )", b"INSERT INTO a VALUES (1)", b"DROP TABLE b"]


def test_every_statement_of_every_migration_ends_a_line() -> None:
    assert [name for _, name, script in migrations() for command in commands(script) if b";" in command] == []
