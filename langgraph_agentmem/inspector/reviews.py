"""The page on which a person decides what runs have left to one."""

from typing import Any

from nicegui import ui

from langgraph_agentmem.inspector import parts
from langgraph_agentmem.inspector.access import Visit
from langgraph_agentmem.models.base import counted
from langgraph_agentmem.models.review import Dispute, DisputedValue, PendingReview


async def show(visit: Visit) -> None:
    """What waits for a person: of the tenant, or of all where none is chosen."""
    waiting = await visit.memory.reviews.apending(visit.chosen)
    count = sum(len(review.disputes) for review in waiting)
    parts.heading(f"{counted(count, 'dispute')} of {counted(len(waiting), 'run')}")
    if not waiting:
        parts.note("Nothing waits for a review.")
        return
    reviewer = ui.input("Your name, for the record").classes("w-64") if visit.write else None
    for review in waiting:
        for dispute in review.disputes:
            _dispute(visit, review, dispute, reviewer)


def _dispute(visit: Visit, review: PendingReview, dispute: Dispute, reviewer: ui.input | None) -> None:
    with parts.card() as card:
        with parts.line():
            ui.label(f"Dispute {dispute.id} ({dispute.kind})").classes("font-semibold")
            where = f" / {dispute.section_id}" if dispute.section_id else ""
            address = visit.link("/memory", tenant=review.external_id, id=review.memory_id, section=dispute.section_id)
            parts.link(f"{review.memory_title}{where}", address)
            parts.note(f"of {review.external_id}, since {parts.since(dispute.created_at)}")
        for value in dispute.existing_now if dispute.changed else dispute.existing:
            _value("Remembered", value)
        _value("New", dispute.new_now if dispute.changed else dispute.new)
        parts.note("Something of it has changed since the run; this is how it is now." if dispute.changed else "")
        verdict = dispute.verdict
        parts.note(f"The {verdict.decided_by} would {verdict.action}: {verdict.reason or 'no reason given'}")
        if verdict.text:
            parts.said(verdict.text)
        if reviewer is not None:
            _Deciding(visit, review, dispute, reviewer, card)


def _value(name: str, value: DisputedValue) -> None:
    with ui.column().classes("w-full gap-0 border-l-4 border-gray-300 pl-3"):
        by = f", written by {value.source}" if value.source else ""
        ended = "" if value.valid else ", not valid any more"
        parts.note(f"{name}{by}{f', since {parts.since(value.start_date)}' if value.start_date else ''}{ended}")
        parts.said(value.content.strip())
        for source in value.sources:
            parts.note(f"stated in {source.section_id}: {source.content.strip()}")


class _Deciding:
    """The decisions that a person can take, and what comes of the one that is taken."""

    def __init__(
        self, visit: Visit, review: PendingReview, dispute: Dispute, reviewer: ui.input, card: ui.element
    ) -> None:
        self._visit, self._review, self._dispute, self._reviewer = visit, review, dispute, reviewer
        with ui.column().classes("w-full gap-1") as self._choice:
            self._reason = ui.input("Why, for the record").classes("w-full")
            self._text = ui.input("Another text, in place of both").classes("w-full")
            with parts.line():
                self._offer("Accept the verdict", action="accept")
                self._offer("Keep both", action="keep_both")
                self._offer("Reject the new one", action="reject", value="new")
                self._offer("Reject the remembered one", action="reject", value="existing")
                parts.button("Write the other text", self._override)

    def _offer(self, text: str, **decision: str) -> None:
        async def decide() -> None:
            await self._decide(decision)

        parts.button(text, decide)

    async def _override(self) -> None:
        await self._decide({"action": "override", "text": self._text.value or ""})

    async def _decide(self, decision: dict[str, str]) -> None:
        self._visit.check_write()
        chosen: dict[str, Any] = {"dispute": self._dispute.id, "reason": self._reason.value or "", **decision}
        reviewer = (self._reviewer.value or "").strip() or None
        reviews = self._visit.memory.reviews
        report = await reviews.adecide(self._review.external_id, self._review.run_id, [chosen], reviewer=reviewer)
        [now] = [each for each in report.disputes if each.id == self._dispute.id]
        # whoever decides the same as somebody before has not decided it
        first = "Decided" if report.report is not None else f"Was decided already, by {now.reviewer or 'somebody'}"
        self._choice.clear()
        with self._choice:
            done = report.report.summary if report.report else ""
            ui.label(f"{first}: {decision['action']}. {done}").props('role="status"')
