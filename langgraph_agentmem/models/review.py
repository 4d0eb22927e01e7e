"""What a person is asked about, and what they decide."""

from collections.abc import Callable
from datetime import datetime
from typing import ClassVar, Literal

from pydantic import ConfigDict, Field

from langgraph_agentmem.models.about import About
from langgraph_agentmem.models.base import Value, counted, cut
from langgraph_agentmem.models.run import ConsolidationReport

DisputeKind = Literal["chunk", "merge", "entity", "relationship"]
"""A chunk that another is to supersede, a text for the place of several chunks, two entities, two relationships."""

TombstoneKind = Literal["statement", "merge", "entity", "relationship"]
TombstoneKey = tuple[TombstoneKind, bytes]
"""What was rejected: its kind, and a hash of it."""

ReviewAction = Literal["accept", "override", "keep_both", "reject"]


class Verdict(Value):
    """What the run would have done.

    Attributes:
        action: `supersede` the existing value by the new one, `merge` them, or leave both (`keep`, `create`).
        decided_by: Who proposes it.
        clear: Whether the rules were sure.
        text: For `merge`: the text, or the description, to put in the place of both.
        leftover: What the existing chunk says besides; it stays valid in any case.
    """

    action: Literal["supersede", "keep", "merge", "create"]
    decided_by: Literal["rules", "model"] = "rules"
    reason: str = ""
    clear: bool = True
    text: str = ""
    leftover: str = ""


class ProposedChange(Value):
    """A change that a run is about to make, as a review policy sees it.

    Attributes:
        section_id: Of chunks and merged texts; None for entities and relationships.
        existing_ids: Of the chunks, the entity or the relationship that are remembered.
        existing: What they say; for entities and relationships name, types and description in one line.
        new_id: The new chunk's; None for anything else.
        new: What is to take their place.
        conflict: Position of the entity or relationship in the run's conflicts, from 0.
        about: What the run's report says it is about.

    Examples:
        >>> def of_dates(change: ProposedChange) -> bool:
        ...     return "Deadline" in change.new
        >>> memory = AgentMemory.open(review=of_dates)
    """

    kind: DisputeKind
    section_id: str | None = None
    existing_ids: list[int]
    existing: list[str]
    new_id: int | None = None
    new: str
    conflict: int | None = None
    verdict: Verdict
    about: About

    @property
    def supersedes(self) -> int:
        """How many existing things would lose their validity."""
        if self.kind == "merge":
            return len(self.existing_ids)
        return int(self.verdict.action == "supersede")


ReviewPolicy = Literal["never", "manual", "always"] | Callable[[ProposedChange], bool]
"""Which changes a person decides: none; those that the rules are not sure about; all; or those a function names."""


class ValueSource(Value):
    """A chunk that states a disputed entity or relationship."""

    chunk_id: int
    section_id: str
    content: str
    source: str | None = None
    start_date: datetime


class DisputedValue(Value):
    """One of the values between which a person is to decide.

    Attributes:
        id: Of the chunk, entity or relationship; None for a text that was not written.
        content: The chunk's text, or name, types and description in one line.
        section_revision: The section's revision that brought the chunk.
        source: Who wrote the section, as the writer said.
        run_id: The run that consolidated the chunk.
        current: Whether the chunk is part of its section's present value.
        valid: Whether it is valid; False also for what is gone.
        superseded_by: The chunk that took its place.
        successor: What that one says.
        sources: The chunks that state the entity or relationship, the newest first, at most five.
    """

    id: int | None = None
    content: str
    section_id: str | None = None
    section_revision: int | None = None
    source: str | None = None
    run_id: str | None = None
    start_date: datetime | None = None
    current: bool = False
    valid: bool = True
    superseded_by: int | None = None
    successor: str | None = None
    sources: list[ValueSource] = Field(default_factory=list[ValueSource])


class ReviewDecision(Value):
    """What a person decides about a dispute.

    Attributes:
        dispute: Its id.
        action: `accept` carries the verdict out. `override` puts `text` in the place of both values (for entities and
            relationships: merges them, with the text as description). `keep_both` leaves both valid. `reject` ends the
            validity of one of them, for a text that was proposed: does not write it.
        text: For `override`.
        value: Which one is rejected. A new value that was rejected does not come back from text written before.
        reason: For the record.

    Examples:
        >>> decision = ReviewDecision(dispute=report.parked[0], action="override", text="- Deadline: July 1")
        >>> memory.reviews.decide("alice", report.run_id, [decision]).pending
        []
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    dispute: int
    action: ReviewAction
    text: str | None = None
    value: Literal["new", "existing"] = "new"
    reason: str = ""

    def same(self, other: "ReviewDecision | None") -> bool:
        """Whether another decision has the same effect; its reason does not count.

        Examples:
            >>> decision = ReviewDecision(dispute=7, action="accept")
            >>> decision.same(ReviewDecision(dispute=7, action="accept", reason="Ada says so."))
            True
        """
        return other is not None and self.model_copy(update={"reason": other.reason}) == other


class Dispute(Value):
    """Two values that cannot both hold; both stay valid until a person decides between them.

    Attributes:
        run_id: The run that parked it.
        because: Why a person is asked: `policy`, or `cap` where the run would have superseded too much.
        existing: What was remembered, as it was when the run parked it; several for a merged text.
        new: What came, as it was then.
        changed: Whether any of that is different now, or the section was written to.
        existing_now: As it is now.
        new_now: As it is now.
        section_content: The section's present text, where it was written to since.
        status: `pending`; `decided`; or `withdrawn`, where the run was undone.
        decision: What was decided.
        reviewer: By whom, as they said.
        review_run_id: The run that carried the decision out; undoing that one opens the dispute again.
    """

    id: int
    external_id: str
    run_id: str
    memory_id: int
    kind: DisputeKind
    section_id: str | None = None
    because: Literal["policy", "cap"] = "policy"
    existing: list[DisputedValue]
    new: DisputedValue
    verdict: Verdict
    changed: bool = False
    existing_now: list[DisputedValue] = Field(default_factory=list[DisputedValue])
    new_now: DisputedValue
    section_content: str | None = None
    created_at: datetime
    status: Literal["pending", "decided", "withdrawn"] = "pending"
    decision: ReviewDecision | None = None
    reviewer: str | None = None
    review_run_id: str | None = None
    decided_at: datetime | None = None

    def _told(self) -> str:
        existing = ", ".join(cut(value.content.strip(), 40) for value in self.existing[:3])
        state = self.decision.action if self.decision else f"{self.status}, proposed: {self.verdict.action}"
        return f"{self.id} {self.kind} ({state}): {existing} or {cut(self.new.content.strip(), 40)}"


class PendingReview(Value):
    """What a run has left to a person.

    Examples:
        >>> [review] = memory.reviews.pending("alice")
        >>> review.memory_title, len(review.disputes)
        ('Apollo', 1)
    """

    external_id: str
    run_id: str
    memory_id: int
    memory_title: str
    disputes: list[Dispute]

    def _told(self) -> str:
        return f"run {cut(self.run_id)} of {cut(self.memory_title)}: {counted(len(self.disputes), 'dispute')}"


OnDispute = Callable[[PendingReview], object]
"""Told of what a run has left to a person; may be async."""


class ReviewReport(Value):
    """What a review did.

    Attributes:
        run_id: The run that was reviewed.
        disputes: All of that run's, as they are now.
        pending: The ids of those that are still to be decided.
        report: What was carried out, with the id of the run that did; None where everything was decided before.

    Examples:
        >>> decisions = [{"dispute": report.parked[0], "action": "keep_both"}]
        >>> done = memory.reviews.decide("alice", report.run_id, decisions)
        >>> done.pending, [dispute.status for dispute in done.disputes]
        ([], ['decided'])
    """

    run_id: str
    disputes: list[Dispute]
    pending: list[int]
    report: ConsolidationReport | None = None

    def _told(self) -> str:
        done = f"; {self.report.summary or 'nothing changed'}" if self.report else ""
        pending = f"{len(self.pending)} of {counted(len(self.disputes), 'dispute')} still pending"
        return f"run {cut(self.run_id)}: {pending}{done}"
