"""What the settings keep no longer is removed, and what still counts on it stays."""

import asyncio
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from checkpoint_threads import size
from consistency import assert_consistent
from fakes import ScriptedModel
from people import answer, consolidate, start
from texts import State, say
from typer.testing import CliRunner
from waiting import until_rows, working

from langgraph_agentmem import AgentMemory, AgentMemorySaver, MemoryWorker
from langgraph_agentmem.cli.app import app
from langgraph_agentmem.errors import RunNotFoundError
from langgraph_agentmem.operations.deletion import retention

Rows = Callable[..., list[tuple[Any, ...]]]
Open = Callable[..., AgentMemory]
OLD = "- interval '40 days'"
RUNS = "SELECT id::text FROM agentmem.consolidation_run ORDER BY started_at"


def age_runs(rows: Rows, *ids: str) -> None:
    """As if these runs had been carried out forty days ago."""
    for id in ids:
        rows(
            f"UPDATE agentmem.consolidation_run SET started_at = started_at {OLD}, finished_at = finished_at {OLD} "
            "WHERE id = %s",
            id,
        )


async def test_nothing_is_removed_unless_it_is_asked_for(opened: Open, rows: Rows) -> None:
    memory = opened(model=ScriptedModel(answer=answer))
    id = await start(memory, "alice")
    age_runs(rows, await consolidate(memory, "alice", id, "Deadline: May 1"))
    rows(f"UPDATE agentmem.memory_chunk SET end_date = now() {OLD}")
    report = await memory.asweep()
    assert report.model_dump() == {"items": 0, "runs": 0, "chunks": 0, "history": 0, "threads": 0}
    assert rows("SELECT count(*) FROM agentmem.consolidation_run") == [(1,)]


async def test_old_runs_leave_the_log_and_younger_ones_can_be_undone(
    opened: Open, rows: Rows, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "AT_ONCE", 2)
    memory = opened(model=ScriptedModel(answer=answer), settings={"run_log_retention_days": 30})
    id = await start(memory, "alice")
    runs = [await consolidate(memory, "alice", id, f"Deadline: May {day}") for day in range(1, 6)]
    age_runs(rows, *runs[:3])
    assert (await memory.asweep()).runs == 3
    assert rows(RUNS) == [(run,) for run in runs[3:]]
    with pytest.raises(RunNotFoundError):
        await memory.runs.aundo("alice", runs[0])
    assert (await memory.runs.aundo("alice", runs[4])).status == "undone"
    assert_consistent(dsn)


async def test_a_log_is_not_cut_behind_what_waits_for_a_person_or_was_rejected(
    opened: Open, rows: Rows, dsn: str
) -> None:
    memory = opened(
        model=ScriptedModel(answer=answer),
        review="always",
        settings={"run_log_retention_days": 30, "history_retention_days": 30},
    )
    id = await start(memory, "alice")
    first = await consolidate(memory, "alice", id, "- deadline: may 1")
    parked = await consolidate(memory, "alice", id, "- deadline: june 1")
    later = await consolidate(memory, "alice", id, "- deadline: june 1\n- A fox.")
    age_runs(rows, first, parked, later)
    rows(f"UPDATE agentmem.dispute SET created_at = created_at {OLD}")
    rows(f"UPDATE agentmem.memory_chunk SET end_date = now() {OLD} WHERE content LIKE '%%may%%'")

    report = await memory.asweep()

    assert (report.runs, report.chunks) == (1, 0), "a dispute keeps its texts"
    assert rows(RUNS) == [(parked,), (later,)]
    [dispute] = await memory.reviews.adisputes("alice", parked)
    await memory.reviews.adecide("alice", parked, [{"dispute": dispute.id, "action": "reject", "value": "new"}])
    age_runs(rows, *[run for (run,) in rows(RUNS) if run not in (parked, later)])
    rows(f"UPDATE agentmem.dispute SET closed_at = closed_at {OLD}")
    assert (await memory.asweep()).runs == 0, "what was rejected would come back"
    rows("DELETE FROM agentmem.tombstone")
    assert (await memory.asweep()).runs == 3
    assert_consistent(dsn)


async def test_superseded_texts_go_with_what_only_they_support(opened: Open, rows: Rows, dsn: str) -> None:
    memory = opened(model=ScriptedModel(answer=answer), settings={"history_retention_days": 30})
    id = await start(memory, "alice")
    await consolidate(memory, "alice", id, "Ada/person knows Bob/person")
    await memory.apromote("alice", id, force=True)
    await consolidate(memory, "alice", id, "Ada/person knows Carol/person")
    await memory.apromote("alice", id, force=True)
    rows(f"UPDATE agentmem.memory_chunk SET end_date = now() {OLD} WHERE content LIKE '%%Bob%%'")
    rows(
        f"UPDATE agentmem.state_history SET at = at {OLD} WHERE entity_id = (SELECT min(id) FROM agentmem.longterm_entity)"
    )

    report = await memory.asweep()

    assert (report.chunks, report.history) == (1, 1)
    assert rows("SELECT content FROM agentmem.memory_chunk") == [("Ada/person knows Carol/person",)]
    assert rows("SELECT name FROM agentmem.longterm_entity ORDER BY name") == [("Ada",), ("Carol",)]
    assert (await memory.asweep()).chunks == 0
    await consolidate(memory, "alice", id, "Ada/person knows Carol/person\n\nDan/person too")
    assert (await memory.apromote("alice", id, force=True)).entities_added == 1
    assert_consistent(dsn)


async def test_idle_threads_go_as_a_whole_by_setting_by_command_and_by_a_worker(
    opened: Open, rows: Rows, dsn: str
) -> None:
    memory = opened(settings={"checkpoint_retention_days": 30})
    saver = AgentMemorySaver(memory, state_schema=State)
    for thread in ("idle", "resumed", "busy"):
        await say(saver, thread, facts=f"Of {thread}.")
    earlier = "jsonb_set(checkpoint, '{ts}', to_jsonb(((checkpoint ->> 'ts')::timestamptz - interval '40 days')::text))"
    rows(f"UPDATE checkpoints SET checkpoint = {earlier} WHERE thread_id IN ('idle', 'resumed')")
    await say(saver, "resumed", facts="Again.")
    nobody = await asyncio.to_thread(prune, dsn, "50d")
    assert (nobody.returncode, nobody.stdout) == (0, "0 threads removed\n")
    assert (await memory.asweep()).threads == 1
    assert (size(rows, "idle"), size(rows, "resumed") > (0, 0, 0)) == ((0, 0, 0), True)
    assert rows("SELECT DISTINCT thread_id FROM agentmem.thread_section ORDER BY 1") == [("busy",), ("resumed",)]
    rows(f"UPDATE checkpoints SET checkpoint = {earlier} WHERE thread_id = 'resumed'")
    assert (await asyncio.to_thread(prune, dsn, "5w")).stdout == "1 threads removed\n"
    for never in ("soon", "999999w"):  # before there was writing
        assert (await asyncio.to_thread(prune, dsn, never)).returncode == 2
    rows(f"UPDATE checkpoints SET checkpoint = {earlier}")
    async with working(MemoryWorker(memory)):
        await until_rows(rows, "SELECT count(*) FROM checkpoints", [(0,)])
    [facts] = await memory.aget_active_memories("alice")
    assert facts.sections["facts"].content == "Again."


def prune(dsn: str, age: str) -> subprocess.CompletedProcess[str]:
    result = CliRunner().invoke(app, ["threads", "prune", "--older-than", age], env={"AGENTMEM_DSN": dsn})
    return subprocess.CompletedProcess([], result.exit_code, result.stdout, result.stderr)
