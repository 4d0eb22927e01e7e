"""What a review policy leaves to a person: parked at once, decided at any time, by one, on what there is by then."""

import asyncio
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from consistency import assert_consistent
from fakes import ScriptedModel, WordEmbedder

from langgraph_agentmem import ActiveMemory, AgentMemory, ProposedChange, ReviewDecision
from langgraph_agentmem.errors import (
    ConfigurationError,
    EmbeddingError,
    InvalidInputError,
    InvalidTextError,
    ReviewConflictError,
    RunNotFoundError,
)
from langgraph_agentmem.models.run import ConsolidationReport

Rows = Callable[..., list[tuple[object, ...]]]
Open = Callable[..., AgentMemory]
OLD, NEW = "Deadline: May 1", "Deadline: June 1"


@pytest.fixture
def memory(opened: Open) -> AgentMemory:
    return opened(review="always")


async def project(memory: AgentMemory, content: str = "", *more: str) -> ActiveMemory:
    created = await memory.acreate_active_memory("alice", "Project", {"sections": ["notes", *more]})
    if content:
        await cycle(memory, created, content)
    return created


async def cycle(
    memory: AgentMemory, project: ActiveMemory, content: str, section: str = "notes"
) -> ConsolidationReport:
    await memory.aupdate_active_memory_section("alice", project.id, section, content, source="ada")
    return await memory.aconsolidate("alice", project.id)


async def parked(memory: AgentMemory, old: str = OLD, new: str = NEW) -> tuple[ActiveMemory, str, int]:
    """A memory in which a run has parked one dispute: (memory, run, dispute)."""
    created = await project(memory, old)
    report = await cycle(memory, created, new)
    [dispute] = report.parked
    return created, str(report.run_id), dispute


def says(dispute: int, action: str, **more: object) -> list[dict[str, object]]:
    return [{"dispute": dispute, "action": action, **more}]


async def valid(memory: AgentMemory, query: str = "deadline") -> set[str]:
    return {hit.content.strip() for hit in await memory.asearch("alice", query, limit=50)}


# Parking


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
    assert (dispute.verdict.action, dispute.verdict.decided_by, dispute.verdict.clear) == ("supersede", "rules", False)
    assert dispute.new.run_id == run
    assert await memory.reviews.apending("bob") == []
    assert await memory.reviews.apending("alice", created.id + 1) == []
    assert await memory.reviews.apending() == [review]


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("never", 0),
        ("manual", 1),
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
    unsure = await cycle(memory, created, "Deadline of the project: whenever Ada likes")
    assert (len(unsure.parked), unsure.chunks_superseded) == (1, 0)


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
    created = await project(memory, "\n".join(f"- Item{i}: old" for i in range(5)))
    report = await cycle(memory, created, "\n".join(f"- Item{i}: new" for i in range(5)))
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


async def test_a_process_killed_within_a_review_leaves_all_or_nothing(memory: AgentMemory, dsn: str) -> None:
    _, run, dispute = await parked(memory)
    async with await psycopg.AsyncConnection.connect(
        dsn
    ) as blocker:  # holds the memory's row until the review gives up
        await blocker.execute("SELECT 1 FROM agentmem.active_memory FOR UPDATE")
        review = asyncio.ensure_future(memory.reviews.adecide("alice", run, says(dispute, "accept")))
        await asyncio.sleep(0.2)
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


# Merged texts


def merging(name: str, data: dict[str, Any]) -> dict[str, Any]:
    """Merges all chunks that are in question into one text."""
    if name != "ConsolidationPlan":
        return {}
    sections = []
    for section in data["sections"]:
        chunks = [c for c in section["existing_chunks"] if c["id"] in {r["chunk_id"] for r in section["replacements"]}]
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
    await cycle(opened(review="never"), created, "The venue was booked in Oslo.")
    with pytest.raises(ReviewConflictError, match="would bring back what was replaced"):
        await memory.reviews.adecide("alice", report.run_id, says(report.parked[0], "accept"))
    with pytest.raises(InvalidInputError, match="only the new value can be rejected"):
        await memory.reviews.adecide("alice", report.run_id, says(report.parked[0], "reject", value="existing"))
    await memory.reviews.adecide("alice", report.run_id, says(report.parked[0], "keep_both"))
