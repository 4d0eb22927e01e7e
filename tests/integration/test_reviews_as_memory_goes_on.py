"""A decision is about what there is by then: memory goes on, is forgotten or undone while a dispute is open."""

import asyncio
from collections.abc import Callable

import psycopg
import pytest
from reviewing import NEW, OLD, cycle, parked, project, says, valid
from waiting import until_waiting

from langgraph_agentmem import AgentMemory
from langgraph_agentmem.errors import ReviewConflictError

Rows = Callable[..., list[tuple[object, ...]]]
Open = Callable[..., AgentMemory]


@pytest.fixture
def memory(opened: Open) -> AgentMemory:
    return opened(review="always")


# While it is open


async def test_updates_and_runs_go_on_and_the_reviewer_sees_both_states(memory: AgentMemory, opened: Open) -> None:
    created, run, dispute = await parked(memory)
    await memory.aupdate_active_memory_section("alice", created.id, "notes", "Deadline: July 1")
    [review] = await memory.reviews.apending("alice")
    assert (review.disputes[0].changed, review.disputes[0].section_content) == (True, "Deadline: July 1")
    assert review.disputes[0].new_now.current is False
    await opened(review="never").aconsolidate("alice", created.id)
    [shown] = (await memory.reviews.apending("alice"))[0].disputes
    assert [(v.content, v.valid) for v in (*shown.existing, shown.new)] == [(OLD, True), (NEW, True)]
    assert [(v.content, v.valid, v.successor) for v in (*shown.existing_now, shown.new_now)] == [
        (OLD, False, "Deadline: July 1"), (NEW, False, "Deadline: July 1"),
    ]  # fmt: skip
    with pytest.raises(ReviewConflictError, match="neither value is valid any more"):
        await memory.reviews.adecide("alice", run, says(dispute, "override", text="Deadline: August 1"))
    await memory.reviews.adecide("alice", run, says(dispute, "accept"))
    assert await valid(memory) == {"Deadline: July 1"}


async def test_a_review_is_decided_on_a_closed_memory_too(memory: AgentMemory) -> None:
    created, run, dispute = await parked(memory)
    await memory.adelete_active_memory("alice", created.id)
    await memory.reviews.adecide("alice", run, says(dispute, "accept"))
    assert await valid(memory) == {NEW}


async def test_values_that_were_promoted_meanwhile_are_decided_all_the_same(memory: AgentMemory) -> None:
    created, run, dispute = await parked(memory)
    await memory.apromote("alice", created.id, force=True)
    assert {hit.disputed for hit in await memory.asearch("alice", "deadline", tiers=["longterm"])} == {True}
    await memory.reviews.adecide("alice", run, says(dispute, "override", text="Deadline: July 1"))
    assert await valid(memory) == {"Deadline: July 1"}


async def test_a_search_as_of_then_marks_what_was_disputed_then(memory: AgentMemory, rows: Rows) -> None:
    _, run, dispute = await parked(memory)
    [[then]] = rows("SELECT clock_timestamp()")
    await memory.reviews.adecide("alice", run, says(dispute, "keep_both"))
    assert [hit.disputed for hit in await memory.asearch("alice", "deadline", as_of=then)] == [True, True]
    assert [hit.disputed for hit in await memory.asearch("alice", "deadline")] == [False, False]


async def test_a_process_killed_within_a_review_leaves_all_or_nothing(
    memory: AgentMemory, rows: Rows, dsn: str
) -> None:
    _, run, dispute = await parked(memory)
    async with await psycopg.AsyncConnection.connect(
        dsn
    ) as blocker:  # holds the memory's row until the review gives up
        await blocker.execute("SELECT 1 FROM agentmem.active_memory FOR UPDATE")
        review = asyncio.ensure_future(memory.reviews.adecide("alice", run, says(dispute, "accept")))
        await until_waiting(rows)
        review.cancel()
        with pytest.raises(asyncio.CancelledError):
            await review
    assert await valid(memory) == {OLD, NEW}
    await memory.reviews.adecide("alice", run, says(dispute, "accept"))
    assert await valid(memory) == {NEW}


# What was rejected


async def test_a_rejected_value_does_not_come_back_from_old_text_but_from_newer(
    memory: AgentMemory, opened: Open
) -> None:
    created = await project(memory, OLD, "log")
    report = await cycle(memory, created, NEW)
    await memory.aupdate_active_memory_section("alice", created.id, "log", f"{NEW}. The falcon nests.", source="bob")
    await memory.reviews.adecide("alice", report.run_id, says(report.parked[0], "reject"))
    later = await memory.aconsolidate("alice", created.id)  # takes what was written before the rejection
    assert await valid(memory, "deadline falcon") == {OLD, "The falcon nests."}
    assert [(d.action, d.decided_by) for d in later.decisions if "log" in str(d.about)] == [("reject", "person")]
    await cycle(memory, created, f"Ada confirms.\n{NEW}.", "log")
    assert f"{NEW}." in await valid(memory)


async def test_an_undisturbed_working_memory_does_not_bring_a_rejected_value_back(memory: AgentMemory) -> None:
    created = await project(memory, f"- {OLD}\n- Budget: 5000")
    report = await cycle(memory, created, f"- {NEW}\n- Budget: 5000")
    await memory.reviews.adecide("alice", report.run_id, says(report.parked[0], "reject"))
    await cycle(memory, created, f"- {NEW}\n- Budget: 5000\n- Ada writes.")
    assert await valid(memory) == {f"- {OLD}", "- Budget: 5000"}


# Forgetting


async def test_forgetting_a_memory_takes_its_disputes_and_tombstones_along(memory: AgentMemory, rows: Rows) -> None:
    created, run, dispute = await parked(memory)
    await memory.reviews.adecide("alice", run, says(dispute, "reject"))
    assert rows("SELECT count(*) FROM agentmem.tombstone") == [(1,)]
    await memory.adelete_active_memory("alice", created.id, forget=True)
    assert rows("SELECT (SELECT count(*) FROM agentmem.dispute), (SELECT count(*) FROM agentmem.tombstone)") == [(0, 0)]


# Undoing


async def test_undoing_a_review_opens_the_dispute_again(memory: AgentMemory, rows: Rows) -> None:
    _, run, dispute = await parked(memory)
    done = await memory.reviews.adecide("alice", run, says(dispute, "reject"), reviewer="eve")
    assert done.report is not None
    await memory.runs.aundo("alice", str(done.report.run_id))
    assert await valid(memory) == {OLD, NEW}
    assert rows("SELECT count(*) FROM agentmem.tombstone") == [(0,)]
    [shown] = (await memory.reviews.apending("alice"))[0].disputes
    assert (shown.status, shown.decision, shown.reviewer) == ("pending", None, None)
    await memory.reviews.adecide("alice", run, says(dispute, "accept"))
    assert await valid(memory) == {NEW}


async def test_undoing_the_run_withdraws_what_it_had_parked(memory: AgentMemory) -> None:
    _, run, dispute = await parked(memory)
    await memory.runs.aundo("alice", run)
    assert await memory.reviews.apending("alice") == []
    assert {hit.disputed for hit in await memory.asearch("alice", "deadline")} == {False}
    with pytest.raises(ReviewConflictError, match="withdrawn, as the run was undone"):
        await memory.reviews.adecide("alice", run, says(dispute, "accept"))


async def test_what_a_person_decided_stands_when_the_run_is_undone(memory: AgentMemory) -> None:
    _, run, dispute = await parked(memory)
    done = await memory.reviews.adecide("alice", run, says(dispute, "accept"))
    await memory.runs.aundo("alice", run)
    assert await valid(memory) == {NEW}
    await memory.runs.aundo("alice", str(done.report and done.report.run_id))
    assert await valid(memory) == {OLD, NEW}
    assert await memory.reviews.apending("alice") == []
