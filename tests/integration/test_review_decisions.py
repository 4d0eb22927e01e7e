"""A dispute is decided at any time, by one, as the decision says."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from consistency import assert_consistent
from fakes import ScriptedModel, WordEmbedder
from reviewing import NEW, OLD, cycle, parked, project, says, valid

from langgraph_agentmem import AgentMemory, ReviewDecision
from langgraph_agentmem.errors import (
    EmbeddingError,
    InvalidInputError,
    InvalidTextError,
    ReviewConflictError,
    RunNotFoundError,
)
from langgraph_agentmem.policies.controls import ALWAYS_TRUE

Rows = Callable[..., list[tuple[object, ...]]]
Open = Callable[..., AgentMemory]


@pytest.fixture
def memory(opened: Open) -> AgentMemory:
    return opened(review="always")


# Deciding


@pytest.mark.parametrize(
    ("decision", "expected"),
    [
        ({"action": "accept"}, {NEW}),
        ({"action": "keep_both"}, {OLD, NEW}),
        ({"action": "reject"}, {OLD}),
        ({"action": "reject", "value": "existing"}, {NEW}),
        ({"action": "override", "text": "Deadline: July 1"}, {"Deadline: July 1"}),
    ],
)
async def test_a_decision_is_carried_out_and_deciding_it_again_changes_nothing(
    memory: AgentMemory, rows: Rows, dsn: str, decision: dict[str, Any], expected: set[str]
) -> None:
    _, run, dispute = await parked(memory)
    done = await memory.reviews.adecide("alice", run, [{"dispute": dispute, **decision}], reviewer="eve")
    assert (done.run_id, done.pending) == (run, [])
    assert [(d.status, d.reviewer) for d in done.disputes] == [("decided", "eve")]
    assert await valid(memory) == expected
    assert not any(hit.disputed for hit in await memory.asearch("alice", "deadline"))
    assert await memory.reviews.apending("alice") == []
    state = "SELECT jsonb_agg(c ORDER BY id) FROM agentmem.memory_chunk c"
    before, logged = rows(state), len(await memory.runs.alist("alice"))
    again = await memory.reviews.adecide("alice", run, [ReviewDecision(dispute=dispute, **decision)], reviewer="bob")
    assert (again.report, again.disputes[0].reviewer) == (None, "eve")
    assert rows(state) == before
    assert len(await memory.runs.alist("alice")) == logged
    assert_consistent(dsn)


async def test_what_was_not_in_dispute_outlives_every_decision(opened: Open) -> None:
    for decision in (
        {"action": "accept"},
        {"action": "reject"},
        {"action": "reject", "value": "existing"},
        {"action": "override", "text": "Deadline: July 1."},
    ):
        memory = opened(review="always")
        created = await memory.acreate_active_memory("alice", str(decision), {"sections": ["notes"]})
        await cycle(memory, created, "Deadline: May 1. The falcon nests high.")
        report = await cycle(memory, created, "Deadline: June 1. A heron fishes below.")
        await memory.reviews.adecide("alice", report.run_id, [{"dispute": report.parked[0], **decision}])
        hits = await memory.asearch("alice", "falcon heron nests fishes", memory_ids=[created.id], limit=50)
        assert {word for hit in hits for word in ("falcon", "heron") if word in hit.content} == {"falcon", "heron"}


async def test_a_text_of_the_reviewers_is_found_by_its_meaning_and_says_who_wrote_it(opened: Open) -> None:
    memory = opened(review="always", index=WordEmbedder())
    _, run, dispute = await parked(memory)
    await memory.reviews.adecide("alice", run, says(dispute, "override", text="Deadline: July 1"), reviewer="eve")
    [hit] = await memory.asearch("alice", "deadline July")
    assert (hit.content, hit.source, hit.arms.vector is not None and hit.arms.vector > 0.5) == (
        "Deadline: July 1", "eve", True,
    )  # fmt: skip


async def test_an_embedder_that_fails_leaves_the_dispute_open(opened: Open, rows: Rows) -> None:
    class Failing(WordEmbedder):
        down = False

        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            if self.down:
                raise RuntimeError("embedder down")
            return super().embed_documents(texts)

    embedder = Failing()
    memory = opened(review="always", index=embedder)
    _, run, dispute = await parked(memory)
    embedder.down = True
    with pytest.raises(EmbeddingError):
        await memory.reviews.adecide("alice", run, says(dispute, "override", text="Deadline: July 1"))
    assert rows("SELECT status FROM agentmem.dispute") == [("pending",)]
    await memory.reviews.adecide("alice", run, says(dispute, "accept"))


async def test_some_disputes_may_be_decided_and_the_others_stay_open(memory: AgentMemory) -> None:
    created = await project(memory, "- Deadline: May 1\n- Budget: 5000")
    report = await cycle(memory, created, "- Deadline: June 1\n- Budget: 6000")
    first, second = report.parked
    done = await memory.reviews.adecide("alice", report.run_id, says(first, "accept"))
    assert done.pending == [second]
    [review] = await memory.reviews.apending("alice")
    assert [dispute.id for dispute in review.disputes] == [second]
    await memory.reviews.adecide("alice", report.run_id, says(first, "accept") + says(second, "reject"))
    assert await valid(memory, "deadline budget") == {"- Deadline: June 1", "- Budget: 5000"}


async def test_of_two_reviewers_at_once_one_wins_and_the_other_is_told(opened: Open) -> None:
    one, two = opened(review="always"), opened()
    for round_ in range(5):
        created = await one.acreate_active_memory("alice", f"Round {round_}", {"sections": ["notes"]})
        await cycle(one, created, OLD)
        report = await cycle(one, created, NEW)
        [dispute] = report.parked
        outcomes = await asyncio.gather(
            one.reviews.adecide("alice", report.run_id, says(dispute, "accept"), reviewer="ada"),
            two.reviews.adecide("alice", report.run_id, says(dispute, "reject"), reviewer="bob"),
            return_exceptions=True,
        )
        [told] = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        [won] = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
        assert isinstance(told, ReviewConflictError)
        assert won.disputes[0].reviewer in str(told)
        assert list(told.disputes) == [dispute]
        hits = await one.asearch("alice", "deadline", memory_ids=[created.id])
        assert [hit.content for hit in hits] == [NEW if won.disputes[0].reviewer == "ada" else OLD]


async def test_a_batch_with_a_decision_that_comes_too_late_changes_nothing(memory: AgentMemory) -> None:
    created = await project(memory, "- Deadline: May 1\n- Budget: 5000")
    report = await cycle(memory, created, "- Deadline: June 1\n- Budget: 6000")
    first, second = report.parked
    await memory.reviews.adecide("alice", report.run_id, says(first, "accept"))
    with pytest.raises(ReviewConflictError, match=f"dispute {first}: decided already: accept"):
        await memory.reviews.adecide("alice", report.run_id, says(first, "reject") + says(second, "accept"))
    [review] = await memory.reviews.apending("alice")
    assert [dispute.id for dispute in review.disputes] == [second]


@pytest.mark.parametrize(
    ("decisions", "match"),
    [
        ([], "non-empty list"),
        ("accept", "non-empty list"),
        ({"dispute": 1, "action": "accept"}, "non-empty list"),
        ([{"dispute": 1}], "action: Field required"),
        ([{"dispute": 1, "action": "agree"}], "action: Input should be 'accept', 'override', 'keep_both' or 'reject'"),
        ([{"dispute": "1", "action": "accept"}], "dispute"),
        ([{"dispute": 0, "action": "accept"}], "positive"),
        ([{"dispute": 1, "action": "override"}], "text must be a string"),
        ([{"dispute": 1, "action": "override", "text": " "}], "text must not be empty"),
        ([{"dispute": 1, "action": "accept", "text": "x"}], "override only"),
        ([{"dispute": 1, "action": "accept", "value": "existing"}], "does not go with accept"),
        ([{"dispute": 1, "action": "accept", "verdict": "x"}], "verdict"),
        ([{"dispute": 1, "action": "accept"}, {"dispute": 1, "action": "reject"}], "more than once"),
        ([{"dispute": 999_999, "action": "accept"}], "has no dispute 999999; it has"),
        ([3], "a decision"),
    ],
)
async def test_malformed_decisions_are_refused_before_anything_is_written(
    memory: AgentMemory, rows: Rows, decisions: Any, match: str
) -> None:
    _, run, _ = await parked(memory)
    with pytest.raises(InvalidInputError, match=match):
        await memory.reviews.adecide("alice", run, decisions)
    assert rows("SELECT status FROM agentmem.dispute") == [("pending",)]


async def test_texts_that_postgresql_cannot_hold_are_refused(memory: AgentMemory) -> None:
    _, run, dispute = await parked(memory)
    with pytest.raises(InvalidTextError, match="text"):
        await memory.reviews.adecide("alice", run, says(dispute, "override", text="a\0b"))


async def test_unknown_runs_and_other_tenants_runs_are_unknown(memory: AgentMemory) -> None:
    _, run, dispute = await parked(memory)
    with pytest.raises(RunNotFoundError):
        await memory.reviews.adecide("bob", run, says(dispute, "accept"))
    with pytest.raises(RunNotFoundError):
        await memory.reviews.adecide("alice", "4be0643f-1d98-573b-97cd-ca98a65347dd", says(dispute, "accept"))
    with pytest.raises(InvalidInputError, match="UUID"):
        await memory.reviews.adecide("alice", "no-uuid", says(dispute, "accept"))
    with pytest.raises(InvalidInputError, match="left nothing to a person"):
        await memory.reviews.adecide("alice", str((await memory.runs.alist("alice"))[-1].id), says(dispute, "accept"))


async def test_reviews_are_logged_as_runs(memory: AgentMemory) -> None:
    _, run, dispute = await parked(memory)
    done = await memory.reviews.adecide("alice", run, says(dispute, "accept", reason="ask Ada"), reviewer="eve")
    assert done.report is not None
    logged = next(r for r in await memory.runs.alist("alice") if r.id == done.report.run_id)
    assert (logged.status, logged.resolver, logged.worker) == ("applied", "review", "eve")
    assert logged.report is not None
    assert (logged.report.review_of, logged.report.chunks_superseded) == (run, 1)
    [decision] = logged.report.decisions
    assert (decision.action, decision.decided_by, decision.reason) == ("accept", "person", "ask Ada")


# Merged texts


def merging(name: str, data: dict[str, Any]) -> dict[str, Any]:
    """Merges all chunks that are in question into one text."""
    if name != "ConsolidationPlan":
        return {}
    sections = []
    for section in data["sections"]:
        asked = {r["chunk_id"] for r in section["replacements"]}
        chunks = [c for c in section["existing_chunks"] if c["id"] in asked and c["content"] not in ALWAYS_TRUE]
        chunks += section["new_chunks"]
        text = " ".join(chunk["content"] for chunk in chunks)
        merged = {"text": text, "chunk_ids": [chunk["id"] for chunk in chunks], "reason": "one text"}
        sections.append({"section_id": section["section_id"], "merged": [merged]})
    return {"sections": sections}


VENUE, BOOKED = "The venue is the town hall.", "The venue was booked in Rome."


@pytest.mark.parametrize(
    ("decision", "expected"),
    [
        ({"action": "accept"}, {f"{VENUE} {BOOKED}"}),
        ({"action": "keep_both"}, {VENUE, BOOKED}),
        ({"action": "reject"}, {VENUE, BOOKED}),
        ({"action": "override", "text": "The venue is in Rome."}, {"The venue is in Rome."}),
    ],
)
async def test_a_merged_text_is_written_only_if_a_person_wants_it(
    opened: Open, decision: dict[str, Any], expected: set[str]
) -> None:
    memory = opened(review="manual", model=ScriptedModel(answer=merging))
    created = await project(memory, VENUE)
    report = await cycle(memory, created, BOOKED)
    [shown] = (await memory.reviews.apending("alice"))[0].disputes
    assert (shown.kind, shown.verdict.decided_by, shown.new.content) == ("merge", "model", f"{VENUE} {BOOKED}")
    assert await valid(memory, "venue") == {VENUE, BOOKED}
    await memory.reviews.adecide("alice", report.run_id, [{"dispute": shown.id, **decision}])
    assert await valid(memory, "venue") == expected


async def test_a_merged_text_whose_source_was_replaced_meanwhile_cannot_be_accepted(opened: Open) -> None:
    memory = opened(review="manual", model=ScriptedModel(answer=merging))
    created = await project(memory, VENUE)
    report = await cycle(memory, created, BOOKED)
    await cycle(opened(review="never"), created, "The venue is no longer the town hall.")
    with pytest.raises(ReviewConflictError, match="would bring back what was replaced"):
        await memory.reviews.adecide("alice", report.run_id, says(report.parked[0], "accept"))
    with pytest.raises(InvalidInputError, match="only the new value can be rejected"):
        await memory.reviews.adecide("alice", report.run_id, says(report.parked[0], "reject", value="existing"))
    await memory.reviews.adecide("alice", report.run_id, says(report.parked[0], "keep_both"))
