"""What waits for a person: both values, side by side, with what the run would have done."""

from collections.abc import Sequence

from langgraph_agentmem.models.base import counted
from langgraph_agentmem.models.review import Dispute, DisputedValue, PendingReview, ReviewReport
from langgraph_agentmem.views.markup import Html, badge, block, element, joined, note, prose, table
from langgraph_agentmem.views.timeline import Axis, Validity, bar

_COLOURS = {"pending": "#fbe3b5", "decided": "#cfe8d0", "withdrawn": "#e3e3e0"}


def pending(found: Sequence[PendingReview]) -> Html:
    """Each run that has left something to a person, with its disputes."""
    return joined(*map(_pending, found))


def _pending(review: PendingReview) -> Html:
    return block(f"{review.memory_title} – run {review.run_id} of {review.external_id}", disputes(review.disputes))


def reviewed(found: Sequence[ReviewReport]) -> Html:
    """Each review: what was carried out, and what is still open."""
    return joined(*map(_reviewed, found))


def _reviewed(report: ReviewReport) -> Html:
    carried_out = f"; {report.report.summary or 'nothing changed'}" if report.report else ""
    said = f"{len(report.pending)} of {counted(len(report.disputes), 'dispute')} still pending{carried_out}"
    return block(f"Review of run {report.run_id}", element("div", said), disputes(report.disputes))


def disputes(found: Sequence[Dispute]) -> Html:
    """A table of disputes, the validity of their values on one axis of time."""
    spans = [span for dispute in found for value in (*dispute.existing, dispute.new) if (span := _span(dispute, value))]
    axis = Axis.of(spans) if spans else None
    return table(["Dispute", "Remembered", "New", "Verdict"], [_dispute(each, axis) for each in found])


def _dispute(dispute: Dispute, axis: Axis | None) -> list[str]:
    state = badge(dispute.status, _COLOURS[dispute.status])
    where = note(f"section {dispute.section_id}" if dispute.section_id else "")
    return [
        joined(element("b", f"{dispute.id} {dispute.kind}"), " ", state, where),
        joined(*(_value(dispute, value, axis) for value in dispute.existing)),
        _value(dispute, dispute.new, axis),
        _verdict(dispute),
    ]


def _value(dispute: Dispute, value: DisputedValue, axis: Axis | None) -> Html:
    span = _span(dispute, value)
    ended = "no longer valid" if _has_ended(dispute, value) else ""
    said = "; ".join(filter(None, [ended, f"by {value.source}" if value.source else ""]))
    return joined(prose(value.content), bar(span, axis) if span and axis else "", note(said))


def _span(dispute: Dispute, value: DisputedValue) -> Validity | None:
    """Since when a value holds, and until when, as far as that is known."""
    if value.start_date is None or (_has_ended(dispute, value) and dispute.decided_at is None):
        return None
    return Validity(value.start_date, dispute.decided_at if _has_ended(dispute, value) else None)


def _has_ended(dispute: Dispute, value: DisputedValue) -> bool:
    now = [*dispute.existing_now, dispute.new_now]
    return value.id is not None and value.id in {each.id for each in now if not each.valid}


def _verdict(dispute: Dispute) -> Html:
    proposed = f"{dispute.verdict.action} (proposed by {dispute.verdict.decided_by})"
    changed = note("something of it has changed since" if dispute.changed else "")
    texts = [prose(text) for text in (dispute.verdict.reason, dispute.verdict.text) if text]
    return joined(element("div", proposed), *texts, _decided(dispute), changed)


def _decided(dispute: Dispute) -> Html:
    if dispute.decision is None:
        return Html()
    by = f" by {dispute.reviewer}" if dispute.reviewer else ""
    said = [f"decided: {dispute.decision.action}{by}", dispute.decision.text, dispute.decision.reason]
    return joined(*(prose(text) for text in said if text))
