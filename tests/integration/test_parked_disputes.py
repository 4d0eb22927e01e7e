"""What a review policy leaves to a person is parked at once, and both values stay valid."""

from collections.abc import Callable
from typing import Any

import pytest
from reviewing import NEW, OLD, cycle, parked, project

from langgraph_agentmem import AgentMemory, ProposedChange
from langgraph_agentmem.errors import ConfigurationError

Rows = Callable[..., list[tuple[object, ...]]]
Open = Callable[..., AgentMemory]


@pytest.fixture
def memory(opened: Open) -> AgentMemory:
    return opened(review="always")


async def test_a_parked_conflict_leaves_both_values_valid_and_marked_and_the_memory_free(
    memory: AgentMemory, rows: Rows
) -> None:
    created = await project(memory, f"- {OLD}\n- The falcon nests.")
    report = await cycle(memory, created, f"- {NEW}\n- The falcon nests.\n- Ada writes.")
    assert (report.status, report.chunks_superseded, len(report.parked)) == ("applied", 0, 1)
    hits = {hit.content.strip(): hit.disputed for hit in await memory.asearch("alice", "deadline falcon Ada")}
    assert hits == {f"- {OLD}": True, f"- {NEW}": True, "- The falcon nests.": False, "- Ada writes.": False}
    assert rows("SELECT lease_owner, due_at, pending_updates FROM agentmem.active_memory") == [(None, None, 0)]
    [decision] = [d for d in report.decisions if d.action == "park"]
    assert "left to a person (policy); proposed: supersede" in decision.reason


async def test_the_inbox_shows_both_values_their_sources_and_the_verdict(memory: AgentMemory) -> None:
    created, run, dispute_id = await parked(memory)
    [review] = await memory.reviews.apending("alice")
    [dispute] = review.disputes
    assert (review.run_id, review.memory_id, review.memory_title) == (run, created.id, "Project")
    assert (dispute.id, dispute.kind, dispute.section_id, dispute.changed) == (dispute_id, "chunk", "notes", False)
    assert [value.content for value in dispute.existing] == [OLD]
    assert (dispute.new.content, dispute.new.source, dispute.new.section_revision) == (NEW, "ada", 3)
    assert (dispute.verdict.action, dispute.verdict.decided_by, dispute.verdict.clear) == ("supersede", "rules", True)
    assert dispute.new.run_id == run
    assert await memory.reviews.apending("bob") == []
    assert await memory.reviews.apending("alice", created.id + 1) == []
    assert await memory.reviews.apending() == [review]


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("never", 0),
        ("manual", 0),
        ("always", 1),
        (lambda change: "May" in change.existing[0], 1),
        (lambda change: change.section_id == "other", 0),
    ],
)
async def test_the_policy_says_what_is_parked(opened: Open, policy: Any, expected: int) -> None:
    memory = opened(review=policy)
    report = await cycle(memory, await project(memory, OLD), NEW)
    assert (len(report.parked), report.chunks_superseded) == (expected, 1 - expected)


async def test_manual_parks_what_the_rules_are_not_sure_about(opened: Open) -> None:
    memory = opened(review="manual")
    created = await project(memory, "Deadline of the project: May 1 2026")
    sure = await cycle(memory, created, "Deadline of the project: May 2 2026")
    assert (len(sure.parked), sure.chunks_superseded) == (0, 1)
    await cycle(memory, created, "Goal of the project: to please Ada")
    unsure = await cycle(memory, created, "Goal of the project: to earn money")
    assert (len(unsure.parked), unsure.chunks_superseded, unsure.chunks_unclear) == (1, 0, 0)


async def test_the_policy_of_the_environment_applies(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTMEM_REVIEW", "always")
    memory = opened()
    assert (await cycle(memory, await project(memory, OLD), NEW)).parked


@pytest.mark.parametrize("policy", ["sometimes", 3, ["always"]])
async def test_another_policy_is_refused(opened: Open, policy: Any) -> None:
    with pytest.raises(ConfigurationError, match="'never', 'manual', 'always' or a function"):
        opened(review=policy)


async def test_a_policy_that_fails_fails_the_run_and_loses_nothing(opened: Open) -> None:
    def policy(change: ProposedChange) -> bool:
        raise KeyError("no such rule")

    memory = opened(review=policy)
    created = await project(memory, OLD)
    with pytest.raises(KeyError):
        await cycle(memory, created, NEW)
    assert (await opened().aconsolidate("alice", created.id)).updates_consumed == 1


async def test_what_exceeds_the_cap_is_parked_and_the_rest_is_superseded(opened: Open) -> None:
    memory = opened(settings={"max_superseded_per_run": 2})
    created = await project(memory, "\n".join(f"- Budget of team {i}: 100" for i in range(5)))
    report = await cycle(memory, created, "\n".join(f"- Budget of team {i}: 200" for i in range(5)))
    assert (report.chunks_superseded, len(report.parked)) == (2, 3)
    [review] = await memory.reviews.apending("alice")
    assert {dispute.because for dispute in review.disputes} == {"cap"}


async def test_the_same_dispute_is_not_parked_twice(memory: AgentMemory) -> None:
    created, _, _ = await parked(memory)
    await memory.aupdate_active_memory_section("alice", created.id, "notes", "")
    report = await cycle(memory, created, NEW)  # the same chunk comes back
    assert report.parked == []
    [review] = await memory.reviews.apending("alice")
    assert len(review.disputes) == 1
