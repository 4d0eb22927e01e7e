"""`agentmem reviews`, as people use it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import forking
import pytest
from typer.testing import CliRunner

from langgraph_agentmem import AgentMemory
from langgraph_agentmem.cli.app import app

AGENTMEM = Path(sys.executable).with_name("agentmem")
Done = subprocess.CompletedProcess[str]


@pytest.fixture
def agentmem(dsn: str) -> Callable[..., Done]:
    def run(*arguments: str) -> Done:
        return forking.run(AGENTMEM, "reviews", *arguments, env=os.environ | {"AGENTMEM_DSN": dsn, "COLUMNS": "80"})

    return run


@pytest.fixture
def here(dsn: str) -> Callable[..., Done]:
    """As `agentmem`, in this process, which is quicker."""

    def run(*arguments: str) -> Done:
        result = CliRunner().invoke(app, ["reviews", *arguments], env={"AGENTMEM_DSN": dsn})
        return subprocess.CompletedProcess(arguments, result.exit_code, result.stdout, result.stderr)

    return run


def test_disputes_are_listed_shown_and_decided(
    agentmem: Callable[..., Done], here: Callable[..., Done], dsn: str
) -> None:
    assert here("list").stdout == "Nothing waits for a review.\n"
    with AgentMemory.open(dsn, review="always") as memory:
        created = memory.create_active_memory("alice", "Project", {"sections": ["notes"]})
        for content in ("- Deadline: May 1\n- Budget: [5]", "- Deadline: June 1\n- Budget: [6]"):
            memory.update_active_memory_section("alice", created.id, "notes", content, source="ada")
            report = memory.consolidate("alice", created.id)
        run, (first, second) = str(report.run_id), map(str, report.parked)
        done = agentmem("list")
        assert (done.returncode, done.stderr) == (0, "")
        for text in ("alice", run, first, "Project", "- Deadline: May 1", "- Budget: [6]", "supersede"):
            assert text in done.stdout
        assert here("list", "--tenant", "bob").stdout == "Nothing waits for a review.\n"

        [waiting] = json.loads(here("list", "--json").stdout)
        assert [each["id"] for each in waiting["disputes"]] == [int(first), int(second)]
        assert json.loads(here("show", "alice", run, "--json").stdout) == waiting["disputes"]
        shown = agentmem("show", "alice", run).stdout
        assert f"dispute {first} (chunk in section 'notes'), pending" in shown
        assert "existing: - Budget: [5] (by ada)" in shown
        assert "proposed by the rules: supersede" in shown

        for wrong, said in (
            ([f"{first}=agree"], "is no decision; it looks like 12=accept"),
            (["x=accept"], "is no decision"),
            ([f"{first}=override"], "override needs --text"),
            (["999=accept"], "has no dispute 999"),
        ):
            done = here("decide", "alice", run, *wrong)
            assert (done.returncode, done.stdout) == (1, "")
            assert said in done.stderr
        done = agentmem("decide", "alice", run, f"{first}=override", "--text", "Deadline: July 1", "--reviewer", "eve")
        assert (done.returncode, done.stdout) == (0, "1 decided, 1 of this run still wait\n")
        assert "decided by eve: override" in here("show", "alice", run).stdout
        assert here("decide", "alice", run, "all=reject-existing").returncode == 0
        done = here("decide", "alice", run, f"{second}=accept")
        assert (done.returncode, "decided already: reject" in done.stderr) == (1, True)
        valid = {hit.content.strip() for hit in memory.search("alice", "deadline budget")}
        assert valid == {"Deadline: July 1", "- Budget: [6]"}
        done = agentmem("show", "bob", run)
        assert (done.returncode, done.stdout) == (1, "")


def test_a_dispute_is_shown_with_what_stays_what_changed_and_what_was_merged(
    here: Callable[..., Done], dsn: str
) -> None:
    with AgentMemory.open(dsn, review="always") as memory:
        created = memory.create_active_memory("alice", "Project", {"sections": ["notes"]})
        for content in ("Deadline: May 1. The falcon nests high.", "Deadline: June 1. A heron fishes below."):
            memory.update_active_memory_section("alice", created.id, "notes", content)
            report = memory.consolidate("alice", created.id)
        first = next(str(run.id) for run in memory.runs.list("alice") if str(run.id) != report.run_id)
        assert here("show", "alice", first).stdout == "This run has left nothing to a person.\n"
        shown = here("show", "alice", str(report.run_id)).stdout
        assert "stays valid in any case: The falcon nests high." in shown
        assert "the section now" not in shown
        memory.update_active_memory_section("alice", created.id, "notes", "Deadline: July 1")
        shown = here("show", "alice", str(report.run_id)).stdout
        assert "the section now: Deadline: July 1\n" in shown
