"""`agentmem doctor` says what is wrong with a database and what to do about it, and changes nothing."""

import asyncio
import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import forking
import pytest
from fakes import WordEmbedder
from langchain_core.language_models import FakeListChatModel
from psycopg.conninfo import make_conninfo

from langgraph_agentmem import AgentMemory, AgentMemorySettings, MemoryWorker
from langgraph_agentmem.models.health import Finding
from langgraph_agentmem.projection.neo4j_database import Neo4jDatabase

Rows = Callable[..., list[tuple[Any, ...]]]
Open = Callable[..., AgentMemory]
AGENTMEM = Path(sys.executable).with_name("agentmem")
DUE = "UPDATE agentmem.active_memory SET due_at = now() - interval '1 second', model_retry_at = now()"


def doctor(dsn: str, *arguments: str) -> tuple[int, dict[str, str]]:
    """The command's exit code, and its lines by check: the severity and what follows."""
    done = forking.run(AGENTMEM, "doctor", *arguments, env=os.environ | {"AGENTMEM_DSN": dsn, "COLUMNS": "160"})
    assert done.stderr == ""
    lines = [re.fullmatch(r"(ok|warning|error) +(\w+(?: \w+)?) {2,}(.+)", line) for line in done.stdout.splitlines()]
    return done.returncode, {line[2]: f"{line[1]}: {line[3]}" for line in lines if line}


async def written(memory: AgentMemory, title: str = "Notes") -> int:
    created = await memory.acreate_active_memory("alice", title, {"sections": ["facts"]}, exist_ok=True)
    await memory.aupdate_active_memory_section("alice", created.id, "facts", "\n\n- Ada knows Bo.", action="insert")
    return created.id


async def found(memory: AgentMemory, tenant: str | None = None) -> dict[str, Finding]:
    return {finding.check: finding for finding in await memory.adiagnose(tenant)}


def test_a_database_with_which_nothing_is_wrong(dsn: str) -> None:
    code, lines = doctor(dsn)
    assert (code, {line.split(":")[0] for line in lines.values()}) == (0, {"ok"})
    assert list(lines) == [
        "server", "pgvector", "schema", "row security", "permissions", "indexes", "tenants", "embedder", "vectors", "queue",
        "workers", "dead letters", "leases", "model", "reviews", "projection",
    ]  # fmt: skip
    assert lines["server"].startswith("ok: PostgreSQL ")
    told = json.loads(forking.run(AGENTMEM, "doctor", "--json", env=os.environ | {"AGENTMEM_DSN": dsn}).stdout)
    assert {finding["check"]: f"{finding['severity']}: {finding['found']}" for finding in told} == lines


def test_an_empty_database_stays_empty(empty_dsn: str) -> None:
    for _ in range(2):
        code, lines = doctor(empty_dsn)
        assert (code, list(lines)[-2:]) == (0, ["pgvector", "schema"])
        assert lines["schema"] == "warning: there are no tables yet; the first use of the memory makes them"


def test_tables_that_others_have_made_are_an_error_and_not_read(dsn: str, rows: Rows) -> None:
    rows("ALTER TABLE agentmem.schema_migration DROP COLUMN text_hash")
    rows("ALTER TABLE agentmem.active_memory DROP COLUMN model_failures")
    code, lines = doctor(dsn)
    assert (code, list(lines)) == (1, ["server", "pgvector", "schema"])
    assert lines["schema"].startswith("error: migration 1 (tables)")
    assert lines["schema"].endswith("run DROP SCHEMA agentmem CASCADE")


def test_tables_that_somebody_has_changed_are_an_error_behind_what_can_be_seen(dsn: str, rows: Rows) -> None:
    rows("ALTER TABLE agentmem.dispute DROP COLUMN created_at CASCADE")
    code, lines = doctor(dsn)
    assert (code, list(lines)) == (
        1,
        ["server", "pgvector", "schema", "row security", "permissions", "indexes", "tenants", "tables"],
    )
    assert 'column "created_at" does not exist' in lines["tables"]


async def test_an_index_that_is_missing_or_not_valid_is_told_with_what_makes_it(
    dsn: str, opened: Open, rows: Rows
) -> None:
    await written(opened(index=WordEmbedder()))
    rows("DROP INDEX agentmem.section_newest")
    rows("DROP INDEX agentmem.memory_chunk_vectors_1")
    rows("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'agentmem.entity_words'::regclass")
    code, lines = doctor(dsn)
    assert code == 0
    problem, _, advice = lines["indexes"].partition("; run as the owner: ")
    assert problem == ("warning: missing are section_newest, memory_chunk_vectors_1; not valid are entity_words")

    for statement in advice.split("; "):
        rows(statement)  # as an administrator pastes it
    assert doctor(dsn)[1]["indexes"].startswith("ok: all ")


def test_without_an_index_that_keeps_what_is_one_from_being_two_writes_fail(dsn: str, rows: Rows) -> None:
    rows("DROP INDEX agentmem.active_memory_namespace")
    code, lines = doctor(dsn)
    assert (code, lines["indexes"][:44]) == (1, "error: missing are active_memory_namespace; ")


@pytest.mark.parametrize("named", [{}, {"application_name": "my agents"}])
async def test_workers_that_listen_are_counted(dsn: str, rows: Rows, named: dict[str, str]) -> None:
    memory = AgentMemory.open(make_conninfo(dsn, **named))
    await written(memory)
    rows(DUE)
    assert (await found(memory))["workers"].severity == "warning"
    listening = MemoryWorker(memory)
    running = asyncio.create_task(listening.arun())
    try:
        while (seen := (await found(memory))["workers"]).severity != "ok" or not seen.found.startswith("1 "):
            assert not running.done(), "the worker has ended"
            await asyncio.sleep(0.05)
    finally:
        listening.stop()
        await running
        await memory.aclose()
    assert seen.found == "1 listen for memories that become due"


def test_what_cannot_be_reached_or_configured_is_an_error() -> None:
    code, lines = doctor("postgresql://127.0.0.1:1/x")
    assert (code, list(lines)) == (1, ["connection"])
    assert lines["connection"].startswith("error: PostgreSQL cannot be reached")


class Failing(FakeListChatModel):
    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self

    async def _agenerate(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("the key has expired")


async def test_a_model_that_always_fails_is_an_error_with_since_when_how_often_and_why(
    dsn: str, opened: Open, rows: Rows
) -> None:
    memory = opened(model=Failing(responses=[]), settings={"model_attempts": 1})
    for severity in ("warning", "warning", "error"):
        id = await written(memory)
        rows(DUE)
        assert [report.status for report in await memory.queue.arun_due()] == ["applied"]
        assert (await found(memory))["model"].severity == severity
    # this one does not ask the model, which rests
    rows("UPDATE agentmem.active_memory SET model_retry_at = now() + interval '1 hour'")
    await written(memory)
    rows("UPDATE agentmem.active_memory SET due_at = now()")
    await memory.queue.arun_due()
    code, lines = doctor(dsn)
    assert code == 1
    [[began]] = rows("SELECT to_char(min(started_at), 'YYYY-MM-DD HH24:MI') FROM agentmem.consolidation_run")
    assert lines["model"].startswith(
        f"error: it has failed in 3 runs in a row of memory {id} (Notes) of 'alice', since {began} "
    )
    assert "the key has expired" in lines["model"]
    assert "; mend the model, its key or its limits (AGENTMEM_MODEL); the queue asks it again at " in lines["model"]
    assert doctor(dsn, "--tenant", "bob")[1]["model"].startswith("ok: ")


async def test_since_when_a_model_fails_counts_from_its_last_success(opened: Open, rows: Rows) -> None:
    memory = opened()
    ids = [await written(memory, title) for title in ("Notes", "More")]
    for id in ids:
        await memory.aconsolidate("alice", id)
    for id, model_failures in ((ids[0], 1), (ids[1], 2)):
        for number in range(1, model_failures + 1):
            rows(
                "INSERT INTO agentmem.consolidation_run (external_id, id, memory_id, status, snapshot, report, started_at) "
                "VALUES ('alice', gen_random_uuid(), %s, 'applied', '[]', jsonb_build_object('status', 'applied', "
                "'model_failures', %s::int, 'failures', jsonb_build_array('failure ' || %s::int)), now() + interval '1 day' * %s)",
                id, number, number, number,
            )  # fmt: skip
        rows("UPDATE agentmem.active_memory SET model_failures = %s WHERE id = %s", model_failures, id)
    failing = [finding for finding in await memory.adiagnose() if finding.check == "model"]
    [[tomorrow]] = rows("SELECT to_char(now() + interval '1 day', 'YYYY-MM-DD')")
    assert [finding.severity for finding in failing] == ["warning", "warning"]
    assert [f"since {tomorrow} " in finding.found for finding in failing] == [True, True]
    assert [finding.found.rpartition(": ")[2] for finding in failing] == ["failure 2", "failure 1"]


async def test_what_nobody_takes_or_was_set_aside_or_was_left_by_a_process_that_died(
    dsn: str, opened: Open, rows: Rows
) -> None:
    memory = opened()
    dead, _, left = [await written(memory, title) for title in ("Dead", "Due", "Left")]
    rows("UPDATE agentmem.active_memory SET due_at = now() - interval '20 minutes' WHERE id <> %s", left)
    rows("UPDATE agentmem.active_memory SET dead_at = now(), attempts = 12, last_error = 'x' WHERE id = %s", dead)
    rows(
        "UPDATE agentmem.active_memory SET lease_owner = gen_random_uuid(), lease_expires_at = now() - interval '1 hour' "
        "WHERE id = %s", left,
    )  # fmt: skip
    code, lines = doctor(dsn)
    assert code == 1
    assert lines["dead letters"].startswith("error: 1 memories are set aside")
    assert lines["dead letters"].endswith("then `agentmem queue retry`")
    assert lines["queue"].startswith(
        "warning: 1 memories due, 0 running, 0 to be tried again, the oldest for 20 min; let"
    )
    assert lines["leases"].startswith("warning: 1 runs have let their lease run out, since ")
    assert {finding.severity for finding in await memory.adiagnose("bob")} == {"ok"}
    rows("UPDATE agentmem.active_memory SET due_at = now(), dead_at = NULL, lease_owner = NULL")
    findings = await found(memory)
    assert {findings[check].severity for check in ("queue", "dead letters", "leases")} == {"ok"}


async def test_the_embedder_must_be_the_one_that_the_vectors_come_from(opened: Open, rows: Rows) -> None:
    memory = opened(index=WordEmbedder(64), settings={"embed": "background"})
    assert (await found(memory))["embedder"].found.endswith("not used in this database yet")
    await written(memory)
    waiting = (await found(memory))["vectors"]
    assert (waiting.severity, waiting.found) == ("warning", "1 chunks wait for one")
    assert waiting.advice.startswith("a worker computes them")
    await memory.queue.aembed_pending()
    findings = await found(memory)
    assert (findings["embedder"].severity, findings["embedder"].found) == ("ok", "'words' with 64 dimensions")
    assert findings["vectors"].severity == "ok"
    other = (await found(opened(index=WordEmbedder(32))))["embedder"]
    assert other.severity == "error"
    assert "with 64 dimensions, but the embedder given is 'words' with 32" in other.found
    assert other.advice.startswith("open it with the former")
    none = await found(opened())
    assert (none["embedder"].severity, none["vectors"].severity) == ("warning", "ok")
    replaced = opened(index=WordEmbedder(32), reembed=True, settings={"embed": "background"})
    await replaced.asetup()
    assert (await found(replaced))["vectors"].found == "1 chunks wait for one"


async def test_an_embedder_that_fails_is_an_error(opened: Open) -> None:
    def failing(texts: list[str]) -> list[list[float]]:
        raise RuntimeError("no route to host")

    finding = (await found(opened(index={"embed": failing, "dims": 3})))["embedder"]
    assert finding.severity == "error"
    assert "no route to host" in finding.found


async def test_runs_that_wait_for_a_person_are_counted(opened: Open) -> None:
    memory = opened(review="always")
    created = await memory.acreate_active_memory("alice", "Notes", {"sections": ["facts"]})
    for value in ("Deadline: May 1\n\nBudget: 5000", "Deadline: June 1\n\nBudget: 6000"):
        await memory.aupdate_active_memory_section("alice", created.id, "facts", value)
        report = await memory.aconsolidate("alice", created.id)
    assert len(report.parked) == 2
    finding = (await found(memory))["reviews"]
    assert (finding.severity, finding.found[:31]) == ("warning", "1 runs wait for a person, since")
    assert finding.advice.startswith("`agentmem reviews list`")


@pytest.mark.parametrize(
    ("change", "severity", "said"),
    [
        ("SELECT 1", "ok", "1 changes wait, 0 are set aside"),
        ("UPDATE agentmem.graph_outbox SET at = now() - interval '1 hour'", "warning", "the oldest for 60 min"),
        ("UPDATE agentmem.graph_outbox SET dead_at = now(), error = 'x'", "error", "0 changes wait, 1 are set aside"),
        ("UPDATE agentmem.graph_projection SET rebuild = 1", "error", "1 rebuilds are not complete"),
        ("DELETE FROM agentmem.graph_projection", "ok", "the graph has no copy in Neo4j"),
    ],
)
async def test_a_projection_that_does_not_follow(
    opened: Open, rows: Rows, change: str, severity: str, said: str
) -> None:
    rows(
        "INSERT INTO agentmem.graph_outbox (external_id, kind, target_id, operation, revision) "
        "VALUES ('alice', 'entity', 1, 'delete', 1)"
    )
    rows(
        "INSERT INTO agentmem.graph_projection (external_id, store, origin) VALUES ('alice', 'neo4j', gen_random_uuid())"
    )
    # the migrated tables are there already: nothing is opened before
    rows(change)
    finding = (await found(opened()))["projection"]
    assert (finding.severity, said in finding.found) == (severity, True)


async def test_the_neo4j_that_was_chosen_must_answer(
    opened: Open, neo4j: Neo4jDatabase, neo4j_settings: dict[str, Any]
) -> None:
    assert "neo4j" not in await found(opened())
    there = (await found(opened(graph=neo4j)))["neo4j"]
    assert (there.severity, bool(re.match(r"Neo4j \d+\.\d+\S* at bolt://", there.found))) == ("ok", True)
    for uri, database, said in (
        ("bolt://127.0.0.1:1", "neo4j", "cannot be reached"),
        (neo4j.uri, "nowhere", "has no database 'nowhere'"),
    ):
        wrong = AgentMemorySettings(**neo4j_settings | {"neo4j_uri": uri, "neo4j_database": database})
        finding = (await found(opened(graph=Neo4jDatabase.of(wrong))))["neo4j"]
        assert (finding.severity, said in finding.found) == ("error", True), finding
