"""`agentmem worker` and `agentmem queue`, as people use them."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import forking
import pytest
from triggers import APPLIED as RUN_APPLIED
from triggers import out_of_luck
from waiting import until_listening, until_rows

from langgraph_agentmem import AgentMemory, AgentMemorySettings

Rows = Callable[..., list[tuple[Any, ...]]]
AGENTMEM = Path(sys.executable).with_name("agentmem")
HANGS = Path(__file__).with_name("hanging_command.py")
AS_ON_WINDOWS = Path(__file__).with_name("command_as_on_windows.py")
APPLIED = "SELECT count(*) FROM agentmem.consolidation_run WHERE status = 'applied'"
HELD = "SELECT count(*) FROM agentmem.active_memory WHERE lease_owner IS NOT NULL"


def environment(dsn: str, **variables: str) -> dict[str, str]:
    return os.environ | {"AGENTMEM_DSN": dsn, "COLUMNS": "160"} | variables


def run(dsn: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return forking.run(AGENTMEM, *arguments, env=environment(dsn, **variables))


def started(dsn: str, *arguments: str) -> forking.Process:
    return forking.Process(AGENTMEM, "worker", *arguments, env=environment(dsn))


def hanging(dsn: str, *arguments: str) -> forking.Process:
    """A worker whose model does not answer."""
    return forking.Process(HANGS, "worker", *arguments, env=environment(dsn, AGENTMEM_MODEL="any:model"))


async def write(dsn: str, count: int = 1) -> None:
    """Memories that are due, with one more update each."""
    async with AgentMemory.open(dsn, settings=AgentMemorySettings(avg_section_update_count=0.1)) as memory:
        for i in range(count):
            created = await memory.acreate_active_memory("alice", f"Memory {i}", {"sections": ["a"]}, exist_ok=True)
            await memory.aupdate_active_memory_section("alice", created.id, "a", "- A secret.", action="insert")


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT])
async def test_a_worker_consolidates_what_comes_until_it_is_told_to_stop(
    dsn: str, rows: Rows, told: signal.Signals
) -> None:
    with started(dsn, "--poll-seconds", "60") as worker:
        await until_listening(rows)
        for number in (1, 2):
            await write(dsn)
            await until_rows(rows, APPLIED, [(number,)])
        worker.send_signal(told)
        done = await asyncio.to_thread(worker.wait)
    assert (done.returncode, done.stdout) == (0, "")
    assert re.search(r" INFO memory 1 of 'alice': applied, 1 updates in 0\.\d\d s\n", done.stderr)
    assert "secret" not in done.stderr


async def test_a_worker_works_and_stops_where_loops_are_as_on_windows(dsn: str, rows: Rows) -> None:
    await write(dsn)
    with forking.Process(AS_ON_WINDOWS, "worker", "--poll-seconds", "60", env=environment(dsn)) as worker:
        await until_rows(rows, APPLIED, [(1,)])
        worker.send_signal(signal.SIGINT)
        done = await asyncio.to_thread(worker.wait)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(("grace", "signals", "code"), [("0.2", 1, 0), ("600", 2, 130)])
async def test_what_does_not_end_in_time_or_is_told_twice_is_given_back(
    dsn: str, rows: Rows, grace: str, signals: int, code: int
) -> None:
    await write(dsn)
    with hanging(dsn, "--grace-seconds", grace) as worker:
        await until_rows(rows, HELD, [(1,)])
        for _ in range(signals):
            worker.send_signal(signal.SIGTERM)
            await asyncio.sleep(0.2)
        done = await asyncio.to_thread(worker.wait)
    assert done.returncode == code, done.stderr
    assert rows("SELECT lease_owner, attempts, due_at <= now() FROM agentmem.active_memory") == [(None, 0, True)]


async def test_once_does_what_is_due_and_ends(dsn: str, rows: Rows) -> None:
    await write(dsn, 3)
    done = await asyncio.to_thread(run, dsn, "worker", "--once", "--quiet")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "3 memories consolidated, 0 failed, 0 set aside\n"
    assert rows(APPLIED) == [(3,)]
    done = await asyncio.to_thread(run, dsn, "worker", "--once", "--tenant", "bob")
    assert (done.returncode, done.stdout) == (0, "0 memories consolidated, 0 failed, 0 set aside\n")


async def test_once_says_by_its_exit_code_that_runs_failed(dsn: str, rows: Rows) -> None:
    await write(dsn)
    with out_of_luck(rows, *RUN_APPLIED):
        done = await asyncio.to_thread(run, dsn, "worker", "--once", "--quiet")
    assert (done.returncode, done.stdout) == (1, "0 memories consolidated, 1 failed, 0 set aside\n")
    assert "a run of memory 1 of 'alice' failed" in done.stderr
    rows(
        "UPDATE agentmem.active_memory SET dead_at = now(), last_error = 'out of luck', due_at = now() - interval '3 hours'"
    )
    done = await asyncio.to_thread(run, dsn, "queue", "status")
    assert (done.returncode, "due 3 h ago" in done.stdout) == (1, False), "what was set aside does not wait"
    rows("UPDATE agentmem.active_memory SET dead_at = NULL")
    done = await asyncio.to_thread(run, dsn, "queue", "status")
    assert (done.returncode, "due 3 h ago" in done.stdout) == (0, True)


async def test_a_worker_that_was_killed_is_replaced_when_its_lease_has_run_out(dsn: str, rows: Rows) -> None:
    await write(dsn)
    with hanging(dsn) as worker:
        await until_rows(rows, HELD, [(1,)])
        worker.kill()
    rows("UPDATE agentmem.active_memory SET lease_expires_at = now() - interval '1 second'")
    with started(dsn, "--poll-seconds", "0.1"):
        await until_rows(rows, APPLIED, [(1,)])
    assert rows("SELECT count(DISTINCT worker), count(*) FROM agentmem.consolidation_run") == [(2, 2)]


async def test_the_queue_is_shown_and_what_was_set_aside_is_retried(dsn: str, rows: Rows) -> None:
    await write(dsn, 2)
    rows(
        "UPDATE agentmem.active_memory SET dead_at = now(), attempts = 12, last_error = E'Error: [red]no\\nluck[/red]' WHERE id = 1"
    )
    done = await asyncio.to_thread(run, dsn, "queue", "status")
    assert (done.returncode, done.stderr) == (1, "")
    assert re.search(r"1 .* 0 .* 0 .* 0 .* 1 .* due \d+ s ago", done.stdout)
    assert "alice: memory 1 (Memory 0) was set aside after 12 attempts: Error: [red]no luck[/red]\n" in done.stdout
    told = json.loads((await asyncio.to_thread(run, dsn, "queue", "status", "--json")).stdout)
    assert (told["status"]["due"], told["status"]["dead"]) == (1, 1)
    assert [letter["error"] for letter in told["dead_letters"]] == ["Error: [red]no\nluck[/red]"]
    done = await asyncio.to_thread(run, dsn, "queue", "retry", "--tenant", "bob")
    assert done.stdout == "0 memories are back in the queue of 'bob'\n"
    done = await asyncio.to_thread(run, dsn, "queue", "retry", "--tenant", "alice", "--memory", "1")
    assert done.stdout == "1 memories are back in the queue of 'alice'\n"
    done = await asyncio.to_thread(run, dsn, "queue", "status", "--tenant", "alice")
    assert (done.returncode, "set aside after" in done.stdout) == (0, False)


@pytest.mark.parametrize(
    ("arguments", "variables", "said"),
    [
        (["worker", "--dsn", "postgresql://127.0.0.1:1/x", "--once"], {}, "error: PostgreSQL cannot be reached"),
        (["worker"], {"AGENTMEM_LEASE_SECONDS": "never"}, "error: invalid settings: AGENTMEM_LEASE_SECONDS"),
        (["worker"], {"AGENTMEM_MODEL": "nonsense"}, "error: "),
        (["worker", "--tenant", ""], {}, "error: external_id"),
        (["queue", "retry", "--memory", "1"], {}, "error: memory_id 1 belongs to a tenant"),
        (["queue", "retry", "--memory", "1", "--tenant", "bob"], {}, "error: tenant 'bob' has no active memory 1"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    dsn: str, arguments: list[str], variables: dict[str, str], said: str
) -> None:
    done = run(dsn, *arguments, **variables)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(said)
    assert done.stderr.count("\n") == 1


def test_help_needs_no_server() -> None:
    for arguments in (["worker", "--help"], ["queue", "--help"], ["queue", "status", "--help"]):
        done = run("nowhere", *arguments)
        assert (done.returncode, done.stderr) == (0, "")
