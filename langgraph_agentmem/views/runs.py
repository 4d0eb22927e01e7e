"""Runs of consolidation and promotion, and what they report."""

from collections.abc import Sequence
from typing import Final

from langgraph_agentmem.models.base import counted
from langgraph_agentmem.models.conflict import Decision
from langgraph_agentmem.models.run import ConsolidationReport, ConsolidationRun, ModelUsage, PromotionReport
from langgraph_agentmem.views.markup import Html, badge, block, code, joined, note, prose, table, when

MOST: Final = 100
"""Decisions that are listed."""

_COLOURS = {"applied": "#cfe8d0", "promoted": "#cfe8d0", "failed": "#f6c9c4", "dead": "#f6c9c4"}
_OTHER = "#e3e3e0"


def runs(found: Sequence[ConsolidationRun]) -> Html:
    """A table of runs; of a single one, what it decided as well."""
    headers = ["Run", "Status", "By", "Started (UTC)", "What it did"]
    listed = table(headers, [_run(run) for run in found])
    details = _details(found[0].report) if len(found) == 1 and found[0].report else Html()
    return block(counted(len(found), "run"), listed, details)


def _run(run: ConsolidationRun) -> list[str]:
    did = run.report.summary if run.report else ""
    return [
        joined(code(run.id), note(f"memory {run.memory_id} of {run.external_id}")),
        _status(run.status),
        run.resolver or "",
        when(run.started_at),
        joined(prose(did or "nothing changed"), note(run.error or ""), note(_cost(run.usage))),
    ]


def reports(found: Sequence[ConsolidationReport]) -> Html:
    """Each report: what the run did, and each decision with its reason."""
    return joined(*map(_report, found))


def _report(report: ConsolidationReport) -> Html:
    taken = f"{counted(report.updates_consumed, 'update')} of {', '.join(report.sections) or 'no section'}"
    return block(f"Consolidation – {taken}", _status(report.status), f" {report.summary}", _details(report))


def _details(report: ConsolidationReport) -> Html:
    promoted = promotions([report.promotion]) if report.promotion else Html()
    failures = [note(f"failed, and made up for: {failure}") for failure in report.failures]
    return joined(note(_cost(report.usage)), *failures, decisions(report.decisions), promoted)


def promotions(found: Sequence[PromotionReport]) -> Html:
    """Each promotion: what it moved and merged."""
    return joined(*map(_promotion, found))


def _promotion(report: PromotionReport) -> Html:
    waits = f" {report.update_count} of {report.threshold} consolidations" if report.status == "not_due" else ""
    return block("Promotion", _status(report.status), f"{waits} {report.summary}", decisions(report.decisions))


def decisions(found: Sequence[Decision]) -> Html:
    """A table of decisions: about what, by whom, and why."""
    rows = [[str(each.about), each.action, each.decided_by, joined(*_why(each))] for each in found[:MOST]]
    more = note(f"{counted(len(found) - MOST, 'more decision')}" if len(found) > MOST else "")
    return joined(table(["About", "Decided", "By", "Why"], rows), more)


def _why(decision: Decision) -> list[str]:
    refused = note(f"refused: {decision.refused}") if decision.refused else Html()
    return [prose(decision.reason), refused]


def _status(status: str) -> Html:
    return badge(status, _COLOURS.get(status, _OTHER))


def _cost(usage: ModelUsage) -> str:
    if not usage.calls:
        return ""
    tokens = f"{usage.input_tokens:,} tokens in, {usage.output_tokens:,} out"
    return f"{counted(usage.calls, 'call')} of the model: {tokens}"
