"""Whatever dies, each threshold that was crossed leads to one applied consolidation, with the same outcome.

Workers are real processes that kill themselves with SIGKILL right before or right after each commit that they make, and
within each call of the model. That a lease runs out is brought about in the database, whose clock is the only one that
counts; nobody waits for it.
"""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import forking
import psutil
import psycopg
import pytest
from consistency import assert_consistent
from crashing import STATE
from waiting import until

from langgraph_agentmem import AgentMemory, AgentMemorySettings
from langgraph_agentmem.storage.driver import embedded

Rows = Callable[..., list[tuple[Any, ...]]]
PROCESS = Path(__file__).with_name("worker_process.py")
AGENTMEM = Path(sys.executable).with_name("agentmem")
TIME_PASSES = "UPDATE agentmem.active_memory SET lease_expires_at = now() - interval '1 second'"
APPLIED = "SELECT external_id, memory_id FROM agentmem.consolidation_run WHERE status = 'applied'"
COMMITS = 9
"""Of a worker that takes the story's second run: claim, conflicts, apply, promote, embedding what is new, and counting what waits."""


def environment(dsn: str, **variables: Any) -> dict[str, str]:
    return os.environ | {"AGENTMEM_DSN": dsn} | {name: str(value) for name, value in variables.items()}


def work(dsn: str, **variables: Any) -> subprocess.CompletedProcess[str]:
    done = forking.run(PROCESS, env=environment(dsn, **variables))
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done


def work_anew(dsn: str) -> str:
    """What a worker prints that has an interpreter of its own: its sets are in another order."""
    command = [sys.executable, PROCESS]
    done = subprocess.run(command, env=environment(dsn), capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def prepared(server: str, template: str) -> Iterator[str]:
    """The name of a database with a memory that is due for its second consolidation, which promotes it."""
    from psycopg.conninfo import make_conninfo

    name = f"prepared_{os.getpid()}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    assert work(make_conninfo(server, dbname=name), PREPARE=1).returncode == 0
    yield name
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@pytest.fixture
def dsn(new_database: Callable[[str], str], prepared: str) -> str:
    return new_database(prepared)


@pytest.fixture(scope="session")
def undisturbed(server: str, prepared: str) -> list[tuple[Any, ...]]:
    """What a worker leaves that nothing happens to."""
    from psycopg.conninfo import make_conninfo

    name = f"{prepared}_done"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{prepared}"')
        dsn = make_conninfo(server, dbname=name)
        assert work_anew(dsn) == "1 0\n"
        with psycopg.connect(dsn) as done:
            state = done.execute(STATE).fetchall()
        assert_consistent(dsn)
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    assert {row[2] for row in state if row[0] == "chunk"} == {"longterm"}
    assert all(row[9] for row in state if row[0] == "chunk")
    return state


def assert_completed(dsn: str, rows: Rows, undisturbed: list[tuple[Any, ...]]) -> None:
    """Let the dead run's lease run out, restart, and find what there would be if nothing had happened."""
    rows(TIME_PASSES)
    assert work(dsn).returncode == 0
    assert rows(STATE) == undisturbed
    assert_consistent(dsn)
    assert len(rows(APPLIED)) == 2
    assert rows("SELECT count(*) FROM agentmem.consolidation_run WHERE status = 'running'") == [(0,)]
    dead = rows("SELECT worker FROM agentmem.consolidation_run WHERE status = 'abandoned'")
    assert all(
        worker not in rows("SELECT worker FROM agentmem.consolidation_run WHERE status = 'applied'") for worker in dead
    )


# The worker dies


# What is left by who dies right after a commit is what is left right before the next one.
@pytest.mark.parametrize(
    ("commit", "when"), [*((commit, "before") for commit in range(1, COMMITS + 1)), (COMMITS, "after")]
)
def test_killed_at_a_commit(dsn: str, rows: Rows, undisturbed: list[tuple[Any, ...]], when: str, commit: int) -> None:
    assert work(dsn, KILL_AT_COMMIT=commit, KILL_WHEN=when).returncode == -signal.SIGKILL
    assert_completed(dsn, rows, undisturbed)


def test_the_commits_above_are_all_there_are(dsn: str, rows: Rows, undisturbed: list[tuple[Any, ...]]) -> None:
    assert work(dsn, KILL_AT_COMMIT=COMMITS + 1, KILL_WHEN="before").returncode == 0
    assert rows(STATE) == undisturbed


@pytest.mark.parametrize("call", [1, 2])
def test_killed_while_the_model_extracts_and_resolves(
    dsn: str, rows: Rows, undisturbed: list[tuple[Any, ...]], call: int
) -> None:
    assert work(dsn, KILL_IN_CALL=call).returncode == -signal.SIGKILL
    assert rows("SELECT attempts FROM agentmem.active_memory") == [(1,)]
    assert_completed(dsn, rows, undisturbed)


def test_there_are_two_calls_of_the_model(dsn: str) -> None:
    assert work(dsn, KILL_IN_CALL=3).returncode == 0


def test_one_worker_after_another_dies_and_the_last_one_completes_it(
    dsn: str, rows: Rows, undisturbed: list[tuple[Any, ...]]
) -> None:
    for commit, when in ((1, "after"), (2, "after"), (3, "before"), (3, "after")):
        assert work(dsn, KILL_AT_COMMIT=commit, KILL_WHEN=when).returncode == -signal.SIGKILL
        rows(TIME_PASSES)
    assert_completed(dsn, rows, undisturbed)


def test_a_memory_that_kills_every_worker_is_set_aside_and_can_be_retried(
    dsn: str, rows: Rows, undisturbed: list[tuple[Any, ...]]
) -> None:
    for _ in range(2):
        assert work(dsn, KILL_IN_CALL=1, AGENTMEM_MAX_ATTEMPTS=2).returncode == -signal.SIGKILL
        rows(TIME_PASSES)
    assert work(dsn, KILL_IN_CALL=1, AGENTMEM_MAX_ATTEMPTS=2).stdout == "0 0\n"
    with AgentMemory.open(dsn) as memory:
        assert [letter.attempts for letter in memory.queue.dead_letters()] == [2]
        assert memory.queue.retry() == 1
    assert_completed(dsn, rows, undisturbed)


# Two workers


def test_another_worker_leaves_a_memory_alone_until_its_lease_has_run_out(
    dsn: str, rows: Rows, undisturbed: list[tuple[Any, ...]]
) -> None:
    assert work(dsn, KILL_AT_COMMIT=1, KILL_WHEN="after").returncode == -signal.SIGKILL
    assert work(dsn).stdout == "0 0\n"
    assert_completed(dsn, rows, undisturbed)


@contextmanager
def waiting(dsn: str, file: Path) -> Iterator[forking.Process]:
    """A worker whose model was asked, and answers as soon as there is a file."""
    with forking.Process(PROCESS, env=environment(dsn, WAIT_FOR=file)) as process:
        process.until_it_says("asked")
        yield process


def test_of_two_workers_that_want_one_memory_one_gets_it(
    dsn: str, rows: Rows, undisturbed: list[tuple[Any, ...]], tmp_path: Path
) -> None:
    with waiting(dsn, tmp_path / "go on") as first:
        assert work(dsn).stdout == "0 0\n"
        (tmp_path / "go on").touch()
        done = first.wait()
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "1 0"), done.stderr
    assert rows(STATE) == undisturbed


def test_a_worker_whose_lease_ran_out_while_the_model_answered_changes_nothing_any_more(
    dsn: str, rows: Rows, undisturbed: list[tuple[Any, ...]], tmp_path: Path
) -> None:
    with waiting(dsn, tmp_path / "go on") as late:
        rows(TIME_PASSES)
        assert work(dsn).stdout == "1 0\n"
        assert rows(STATE) == undisturbed
        (tmp_path / "go on").touch()
        done = late.wait()
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "0 1"), done.stderr
    assert "failed: LeaseLostError" in done.stderr
    assert rows(STATE) == undisturbed
    assert sorted(rows("SELECT status FROM agentmem.consolidation_run")) == [("abandoned",), ("applied",), ("applied",)]
    assert_consistent(dsn)


def test_a_clock_that_is_wrong_by_weeks_does_not_matter(
    dsn: str, rows: Rows, undisturbed: list[tuple[Any, ...]]
) -> None:
    """By a clock that is fast, all would be over; by one that is slow, nothing would be due yet."""
    fast, slow = 40 * 24 * 3600, -40 * 24 * 3600
    assert work(dsn, KILL_AT_COMMIT=1, KILL_WHEN="after").returncode == -signal.SIGKILL
    assert work(dsn, SKEW=fast).stdout == "0 0\n", "the lease is good"
    rows("UPDATE agentmem.active_memory SET lease_owner = NULL, next_attempt_at = now() + interval '1 hour'")
    assert work(dsn, SKEW=fast).stdout == "0 0\n", "it waits after a failure"
    rows("UPDATE agentmem.active_memory SET next_attempt_at = now() - interval '1 second'")
    assert work(dsn, SKEW=slow).stdout == "1 0\n"
    assert rows(STATE) == undisturbed


# Many


async def many(dsn: str, tenants: int, memories: int) -> int:
    """So many memories of each tenant, all of them due."""
    async with AgentMemory.open(dsn, settings=AgentMemorySettings(avg_section_update_count=1)) as memory:
        for i in range(tenants * memories):
            created = await memory.acreate_active_memory(f"tenant {i % tenants}", f"Memory {i}", {"sections": ["a"]})
            await memory.aupdate_active_memory_section(created.external_id, created.id, "a", f"- Fact {i} is new.")
    return tenants * memories


@pytest.mark.slow
async def test_eight_workers_consolidate_each_of_many_memories_once(
    new_database: Callable[[str], str], template: str
) -> None:
    dsn = new_database(template)
    count = await many(dsn, 5, 12)
    command = [AGENTMEM, "worker", "--once", "--quiet"]
    at_once = [asyncio.to_thread(forking.run, *command, env=environment(dsn)) for _ in range(8)]
    outcomes = await asyncio.gather(*at_once)
    assert [outcome.returncode for outcome in outcomes] == [0] * 8, outcomes
    done = [int(outcome.stdout.split()[0]) for outcome in outcomes]
    assert sum(done) == count
    with psycopg.connect(dsn) as connection:
        runs = connection.execute("SELECT external_id, memory_id, status FROM agentmem.consolidation_run").fetchall()
        left = connection.execute("SELECT count(*) FROM agentmem.active_memory WHERE due_at IS NOT NULL").fetchone()
        chunks = connection.execute(
            "SELECT count(*), count(DISTINCT content) FROM agentmem.shortterm_memory_chunk"
        ).fetchone()
    assert len(runs) == len({run[:2] for run in runs}) == count
    assert {status for *_, status in runs} == {"applied"}
    assert (left, chunks) == ((0,), (count, count))
    assert_consistent(dsn)


# PostgreSQL dies


def kill_server(pid: int) -> None:
    """Kill a server, and wait until all of its processes have noticed."""
    processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    os.kill(pid, signal.SIGKILL)
    while any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in processes):
        time.sleep(0.02)


@pytest.mark.slow
async def test_postgresql_is_killed_and_restarted_while_a_worker_works(data_dir: Path) -> None:
    dsn = await asyncio.to_thread(embedded.start, data_dir)
    count = await many(dsn, 3, 20)
    variables = {"AGENTMEM_LEASE_SECONDS": "1", "AGENTMEM_WORKER_POLL_SECONDS": "0.1"}

    def counted(sql: str) -> int:
        with psycopg.connect(dsn) as connection:
            row = connection.execute(f"SELECT count(*) FROM ({sql}) r").fetchone()
        assert row is not None
        return row[0]

    with forking.Process(AGENTMEM, "worker", "--concurrency", "3", env=environment(dsn, **variables)) as process:
        for share in (0.2, 0.5):
            await until(lambda: counted(APPLIED) >= count * share)  # noqa: B023 - it is waited for within the loop
            await asyncio.to_thread(kill_server, int((data_dir / "postmaster.pid").read_text().splitlines()[0]))
            assert await asyncio.to_thread(embedded.start, data_dir) == dsn
        await until(lambda: not counted("SELECT FROM agentmem.active_memory WHERE due_at IS NOT NULL"))
        process.send_signal(signal.SIGTERM)
        done = await asyncio.to_thread(process.wait)
    assert done.returncode == 0, done.stderr
    assert counted(APPLIED) == counted(f"{APPLIED} GROUP BY 1, 2") == count
    assert counted("SELECT FROM agentmem.shortterm_memory_chunk") == count
    assert_consistent(dsn)
