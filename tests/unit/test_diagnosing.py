"""What counts as wrong in what is found of a database."""

from datetime import UTC, datetime

import pytest

from langgraph_agentmem.models.health import FailingModel, ProjectionHealth, TenantShare
from langgraph_agentmem.models.queue import QueueStatus
from langgraph_agentmem.policies.diagnosing import (
    ALONE,
    ALWAYS_FAILS,
    LARGE,
    LONG_WAIT,
    large_tenants,
    models,
    projection,
    queue,
    schema,
)

AT = datetime(2026, 3, 2, 8, 15, tzinfo=UTC)


def failing(failures: int, **values: object) -> FailingModel:
    given = {"external_id": "alice", "memory_id": 3, "title": "Apollo", "since": AT, "retry_at": AT, "resting": True}
    return FailingModel.model_validate({**given, "errors": ["no key"], "failures": failures, **values})


@pytest.mark.parametrize(("failures", "severity"), [(ALWAYS_FAILS - 1, "warning"), (ALWAYS_FAILS, "error")])
def test_a_model_that_fails_by_chance_is_a_warning_and_one_that_always_fails_an_error(failures, severity):
    [finding] = models([failing(failures)], 1)

    assert finding.severity == severity
    assert finding.found == (
        f"it has failed in {failures} runs in a row of memory 3 (Apollo) of 'alice', since 2026-03-02 08:15 UTC: no key"
    )
    assert "the queue asks it again at 2026-03-02 08:15 UTC" in finding.advice


def test_a_log_that_tells_nothing_any_more_and_a_long_one_do_no_harm():
    [silent] = models([failing(3, since=None, errors=[], resting=False)], 1)
    [long] = models([failing(3, errors=["x" * 10_000])], 1)

    assert silent.found.endswith("for an unknown time")
    assert "the next run asks it" in silent.advice
    assert len(long.found) < 500


def test_memories_that_are_too_many_to_be_shown_are_counted():
    assert [finding.found for finding in models([failing(3)], 12)][1:] == ["it fails for 11 more memories"]


@pytest.mark.parametrize(
    ("due", "lag", "severity"), [(1, LONG_WAIT, "ok"), (1, LONG_WAIT + 1, "warning"), (0, LONG_WAIT + 1, "ok")]
)
def test_what_is_due_may_wait_for_a_while(due, lag, severity):
    counts = {"running": 0, "waiting": 0, "dead": 0, "scheduled": 0, "oldest_due_at": None}

    assert queue(QueueStatus(due=due, lag_seconds=lag, **counts)).severity == severity


def test_a_neo4j_that_is_configured_but_was_never_written_to_is_looked_at():
    health = ProjectionHealth(tenants=0, rebuilding=0, pending=4, dead=0, lag_seconds=LONG_WAIT + 1)

    assert projection(health, configured=False).severity == "ok"
    assert projection(health, configured=True).severity == "warning"


@pytest.mark.parametrize(
    ("version", "severity", "found"),
    [
        (None, "warning", "there are no tables yet"),
        (1, "warning", "version 1 of 2"),
        (2, "ok", "version 2, the newest"),
    ],
)
def test_tables_that_the_next_use_makes_or_changes_are_a_warning(version, severity, found):
    finding = schema(version, 2)

    assert (finding.severity, finding.found) == (severity, found)


@pytest.mark.parametrize(
    ("share", "chunks", "indexed", "told"),
    [(0.5, 5_000, False, True), (LARGE, 5_000, False, True), (0.09, 5_000, False, False), (ALONE, 5_000, False, True),
     (0.95, 5_000, False, False), (0.5, 4_000, False, False), (0.5, 5_000, True, False)],
)  # fmt: skip
def test_a_tenant_is_told_of_that_is_large_among_others_and_has_no_index_of_its_own(share, chunks, indexed, told):
    found = large_tenants([TenantShare(external_id="o'h", chunks=chunks, share=share, indexed=indexed)], 4_000)

    assert found.severity == "ok", "a check before programs start is to succeed"
    assert bool(found.advice) is told
    if told:
        assert """agentmem db tenant-index --tenant 'o'"'"'h'`""" in found.advice
