"""A process that is killed at any commit of its checkpoints leaves a checkpoint and its sections, or neither.

The worker is a real process that kills itself with SIGKILL. Nothing in the product knows about it.
"""

import os
import signal
from pathlib import Path
from typing import Any

import forking
import pytest
from checkpoint_worker import State, go_on

from langgraph_agentmem import AgentMemorySaver

STEPS = (0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 2, 3)
"""How many steps there are in the thread before the first commit, and after each: hydrating, checkpoints, their writes.

The writes of a step may overtake a checkpoint, or the other way round.
"""
SECTIONS = "agentmem."
"""What the statements have in them that read or write sections."""
WORKER = Path(__file__).with_name("checkpoint_worker.py")
Standing = tuple[dict[str, Any], dict[str, tuple[str, int, int]]]
EXPECTED: Standing = (
    {"progress": "step 2", "log": ["step 0", "step 1", "step 2"]},
    {"progress": ("step 2", 4, 3), "log": ("- step 0\n- step 1\n- step 2", 4, 3)},
)


def at_each_of(commits: int) -> list[tuple[int, str]]:
    """Where to kill: what is left right after a commit is what is left right before the next one."""
    return [*((number, "before") for number in range(1, commits + 1)), (commits, "after")]


def work(dsn: str, **environment: Any) -> int:
    variables = {"AGENTMEM_DSN": dsn} | {key: str(value) for key, value in environment.items()}
    done = forking.run(WORKER, env={**os.environ, **variables})
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode


def standing(saver: AgentMemorySaver) -> Standing:
    """What the thread's latest checkpoint holds, and (content, revision, pending updates) by section."""
    latest = saver.get_tuple({"configurable": {"thread_id": "1"}})
    state: dict[str, Any] = {}
    if latest is not None:
        writes = saver.get_delta_channel_history(config=latest.config, channels=["log"])["log"]["writes"]
        state = {"progress": latest.checkpoint["channel_values"].get("progress", "")}
        state["log"] = [entry for _, _, value in writes for entry in value]
    memories = saver.memory.get_active_memories("alice")
    found = [section for memory in memories for section in memory.sections.values()]
    return state, {section.section_id: (section.content, section.revision, section.update_count) for section in found}


def test_an_undisturbed_run_leaves_this(dsn: str) -> None:
    with AgentMemorySaver.from_conn_string(dsn, state_schema=State) as saver:
        go_on(saver)
        assert standing(saver) == EXPECTED


def assert_whole(saver: AgentMemorySaver) -> int:
    """Sections are what the thread's latest checkpoint holds; returns its number of steps."""
    state, sections = standing(saver)
    steps = state.get("log", [])
    contents = {id: content for id, (content, _, _) in sections.items()}
    log = "\n".join(f"- {entry}" for entry in steps)
    assert contents == ({"progress": state["progress"], "log": log} if log else {})
    return len(steps)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "when"), at_each_of(4))
def test_a_checkpoint_and_its_sections_are_both_there_or_neither(dsn: str, number: int, when: str) -> None:
    assert work(dsn, KILL_AT=number, KILL_WHEN=when, KILL_OF=SECTIONS) == -signal.SIGKILL

    with AgentMemorySaver.from_conn_string(dsn, state_schema=State) as saver:
        assert assert_whole(saver) == max(number - (when == "before") - 1, 0)  # the first is the node's that reads
        go_on(saver)
        assert standing(saver) == EXPECTED


@pytest.mark.slow
def test_the_last_commit_with_sections_is_the_fourth(dsn: str) -> None:
    assert work(dsn, KILL_AT=5, KILL_WHEN="before", KILL_OF=SECTIONS) == 0


@pytest.mark.slow
@pytest.mark.parametrize(("number", "when"), at_each_of(len(STEPS) - 1))
def test_killed_at_any_commit(dsn: str, number: int, when: str) -> None:
    assert work(dsn, KILL_AT=number, KILL_WHEN=when, KILL_OF="") == -signal.SIGKILL

    with AgentMemorySaver.from_conn_string(dsn, state_schema=State) as saver:
        committed = number - (when == "before")
        assert assert_whole(saver) in STEPS[max(committed - 1, 0) : committed + 2]
        go_on(saver)
        assert standing(saver) == EXPECTED


@pytest.mark.slow
def test_the_commits_above_are_all_there_are(dsn: str) -> None:
    assert work(dsn, KILL_AT=len(STEPS), KILL_WHEN="before", KILL_OF="") == 0
