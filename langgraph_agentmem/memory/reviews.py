"""What runs leave to a person."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from langgraph_agentmem.bridge import blocking
from langgraph_agentmem.models.review import Dispute, PendingReview, ReviewDecision, ReviewReport
from langgraph_agentmem.operations.reviews import disputes, reviewing
from langgraph_agentmem.resources import Resources


class Reviews:
    """What runs have left to a person, and what a person decides, as `memory.reviews`.

    Every method comes twice, as `await memory.reviews.apending(...)` and as `memory.reviews.pending(...)`.

    Examples:
        >>> [len(review.disputes) for review in memory.reviews.pending("alice")]
        [1]
    """

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    async def apending(
        self, external_id: str | None = None, memory_id: int | None = None, *, limit: int = 50
    ) -> list[PendingReview]:
        """What runs have left to a person, the longest waiting first.

        Args:
            external_id: Only this tenant's; all tenants' by default.
            memory_id: Only this memory's.
            limit: The most runs.

        Returns:
            Both values of each dispute, as they were and as they are now, their sources, and the proposed verdict.

        Examples:
            >>> [review] = await memory.reviews.apending("alice")
            >>> dispute = review.disputes[0]
            >>> dispute.existing[0].content, dispute.new.content
            ('- Deadline: May 1', '- Deadline: June 1')
        """
        return await disputes.pending(self._resources, external_id, memory_id, limit)

    async def adisputes(self, external_id: str, run_id: str) -> list[Dispute]:
        """All that a run has left to a person, decided or not, in the order in which it did.

        Raises:
            RunNotFoundError: The tenant has no such run.

        Examples:
            >>> [dispute] = await memory.reviews.adisputes("alice", report.run_id)
            >>> dispute.status, dispute.verdict.action
            ('pending', 'supersede')
        """
        return await disputes.of_known_run(self._resources, external_id, run_id)

    async def adecide(
        self,
        external_id: str,
        run_id: str,
        decisions: Sequence[ReviewDecision | Mapping[str, Any]],
        *,
        reviewer: str | None = None,
    ) -> ReviewReport:
        """Decide what a run has left to a person, all or nothing; deciding the same twice is deciding it once.

        What is decided is carried out on what there is by now, and logged as a run of its own, which
        `memory.runs.undo` takes back. Disputes that no decision names stay open.

        Args:
            external_id: The tenant.
            run_id: The run that parked them, not the graph's thread.
            decisions: `ReviewDecision`s or dicts: `{"dispute": id, "action": "accept"}`, or `"keep_both"`, `"reject"`
                (with `"value": "new"`, or `"existing"`), or `"override"` with a `"text"`.
            reviewer: Who decides, for the record.

        Raises:
            RunNotFoundError: The tenant has no such run.
            InvalidInputError: A decision is malformed, or the run has no such dispute.
            ReviewConflictError: Somebody has decided otherwise, or what was disputed changed so that a decision does
                not fit any more; nothing was carried out.
            EmbeddingError: A text cannot be embedded; nothing was carried out.

        Examples:
            >>> decisions = [{"dispute": report.parked[0], "action": "accept"}]
            >>> done = await memory.reviews.adecide("alice", report.run_id, decisions, reviewer="eve")
            >>> done.pending, done.report.chunks_superseded
            ([], 1)
        """
        return await reviewing.review(self._resources, external_id, run_id, decisions, reviewer)

    pending: Final = blocking(apending)
    disputes: Final = blocking(adisputes)
    decide: Final = blocking(adecide)
