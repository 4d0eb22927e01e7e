"""`agentmem forget`, as people use it; and a process that is killed while it forgets."""

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import forking
import pytest
from consistency import assert_consistent
from crashing import STORY, answer, prepare
from fakes import ScriptedModel
from typer.testing import CliRunner

from langgraph_agentmem import AgentMemory
from langgraph_agentmem.cli.app import app

Done = subprocess.CompletedProcess[str]
Rows = Callable[..., list[tuple[Any, ...]]]
Open = Callable[..., AgentMemory]
FORGETS = Path(__file__).with_name("forgetting_process.py")


@pytest.fixture
def agentmem(dsn: str) -> Callable[..., Done]:
    """Runs the command in this process; what is typed is no more than one answer."""

    def run(*arguments: str, typed: str = "") -> Done:
        result = CliRunner().invoke(app, ["forget", *arguments], env={"AGENTMEM_DSN": dsn}, input=typed)
        return subprocess.CompletedProcess(arguments, result.exit_code, result.stdout, result.stderr)

    return run


def filled(dsn: str) -> list[int]:
    """Two memories of a tenant, by their ids."""
    with AgentMemory.open(dsn) as memory:
        return [memory.create_active_memory("alice", title, {"sections": ["facts"]}).id for title in ("One", "Two")]


def test_a_tenant_is_forgotten_after_a_question_and_its_receipt_verified(
    agentmem: Callable[..., Done], dsn: str, tmp_path: Path, rows: Rows
) -> None:
    filled(dsn)
    receipt = tmp_path / "receipt.json"
    refused = agentmem("alice", typed="n\n")
    assert refused.returncode == 1
    assert "Remove all of tenant 'alice' for good?" in refused.stderr
    assert rows("SELECT count(*) FROM agentmem.active_memory") == [(2,)]

    done = agentmem("alice", "--receipt", str(receipt), typed="y\n")

    assert done.returncode == 0
    echoed, _, said = done.stdout.partition("\n")
    assert echoed.strip() == "y"
    assert said.startswith("removed: active_memory 2, section 2\nrewritten: nothing\nremains: PostgreSQL's files: ")
    verified = agentmem("--verify", str(receipt))
    assert (verified.returncode, verified.stdout) == (0, "gone\n")
    told = json.loads(agentmem("--verify", str(receipt), "--json").stdout)
    assert (told["intact"], told["found"], told["threads"]) == (True, {}, [])
    filled(dsn)
    assert agentmem("--verify", str(receipt)).stdout == (
        "active_memory: 2 new rows, written since\nsection: 2 new rows, written since\ngone\n"
    )
    rows("UPDATE agentmem.active_memory SET created_at = created_at - interval '1 day'")
    changed = json.loads(receipt.read_text()) | {"removed": {}}
    receipt.write_text(json.dumps(changed))
    verified = agentmem("--verify", str(receipt))
    assert verified.returncode == 1
    assert verified.stdout == (
        "the receipt was changed since it was issued\nactive_memory: 2 rows that should be gone\n"
        "section: 2 rows that should be gone\nnot all is gone\n"
    )


def test_one_memory_is_forgotten_and_its_receipt_printed(agentmem: Callable[..., Done], dsn: str, rows: Rows) -> None:
    first, second = filled(dsn)
    done = agentmem("alice", "--memory", str(first), "--yes")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["memory_ids"] == [first]
    assert rows("SELECT id FROM agentmem.active_memory") == [(second,)]
    unknown = agentmem("alice", "--memory", str(first), "--yes")
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert f"'alice' has no active memory {first}" in unknown.stderr


def test_a_receipt_may_be_in_the_home_folder_and_has_to_be_there(
    agentmem: Callable[..., Done], dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    filled(dsn)
    assert agentmem("alice", "--receipt=~/receipt.json", "--yes").returncode == 0
    assert agentmem("--verify=~/receipt.json").stdout == "gone\n"
    missing = agentmem("--verify=~/another.json")
    assert (missing.returncode, missing.stdout) == (1, "")
    assert f"error: {tmp_path}/another.json cannot be read" in missing.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["alice", "--verify", __file__],
        ["alice", "--memory", "1", "--checkpoints"],
        ["alice", "--receipt", __file__],
    ],
)
def test_what_does_not_go_together_is_refused(agentmem: Callable[..., Done], arguments: list[str]) -> None:
    assert agentmem(*arguments).returncode == 2


async def test_killed_again_and_again_it_completes(opened: Open, dsn: str, rows: Rows) -> None:
    memory = opened(model=ScriptedModel(answer=answer), settings=STORY)
    await prepare(memory)
    await memory.queue.arun_due()
    for commit, when in ((1, "before"), (2, "before"), (1, "after")):
        variables = {"AGENTMEM_DSN": dsn, "KILL_AT_COMMIT": str(commit), "KILL_WHEN": when}
        process = forking.run(FORGETS, env={**os.environ, **variables})
        assert process.returncode == -signal.SIGKILL, process.stderr
        rows("UPDATE agentmem.active_memory SET section_count = section_count")  # still there, and not locked
    assert rows("SELECT count(*), min(closed_at) IS NOT NULL FROM agentmem.active_memory") == [(1, True)]
    receipt = await memory.aforget_tenant("alice")
    assert receipt.removed["active_memory"] == 1
    assert (await memory.averify_receipt(receipt)).gone
    assert rows("SELECT count(*) FROM agentmem.entity") == rows("SELECT count(*) FROM agentmem.graph_outbox") == [(0,)]
    assert_consistent(dsn)
