"""`agentmem runs`, `consolidate`, `promote`, `undo`."""

from typing import Annotated

import typer

from langgraph_agentmem.cli.options import AsJson, Dsn, Limit, MemoryId, OneTenant
from langgraph_agentmem.cli.output import cut, print_table, tell
from langgraph_agentmem.cli.terminal import in_one_line, out, report_errors
from langgraph_agentmem.memory import AgentMemory
from langgraph_agentmem.models.run import ConsolidationReport, ConsolidationRun, PromotionReport

_NOT_DONE = {
    "nothing": "No updates are pending.",
    "busy": "Another run holds the memory.",
    "dead": "The memory was set aside: agentmem queue status says why.",
}


@report_errors
def runs(
    tenant: OneTenant,
    dsn: Dsn = None,
    memory_id: Annotated[int | None, typer.Option("--memory", help="Only of this memory.", show_default=False)] = None,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """The runs of a tenant, the newest first: what each has come to, and what it has cost."""
    with AgentMemory.open(dsn, background=False) as memory:
        found = memory.runs.list(tenant, memory_id, limit=limit)
    columns = ("run", "memory", "started", "status", "by", "added", "ended", "unclear", "tokens", "problem")
    tell(found, as_json, lambda: print_table(columns, map(_row, found), "Nothing was consolidated yet."))


def _row(run: ConsolidationRun) -> tuple[object, ...]:
    done = run.report or ConsolidationReport(status="nothing")
    problem = run.error or "; ".join(done.failures)
    tokens = run.usage.input_tokens + run.usage.output_tokens
    counts = (done.chunks_added, done.chunks_superseded, done.chunks_unclear)
    what = (run.id, str(run.memory_id), f"{run.started_at:%F %R}", run.status, run.resolver)
    return (*what, *counts, tokens, cut(problem))


@report_errors
def consolidate(
    tenant: OneTenant,
    memory_id: MemoryId,
    dsn: Dsn = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what it would do, by the same model, and change nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Consolidate a memory now, due or not. Exit code 1 if another run holds it, or it was set aside."""
    with AgentMemory.open(dsn, background=False) as memory:
        report = memory.consolidate(tenant, memory_id, dry_run=dry_run)
    tell(report, as_json, lambda: _print_report(report))
    if report.status in {"busy", "dead"}:
        raise typer.Exit(1)


def _print_report(report: ConsolidationReport) -> None:
    would = " would be" if report.status == "dry_run" else ""
    if report.status in _NOT_DONE:
        out.print(_NOT_DONE[report.status])
        return
    out.print(f"{report.status}{f', run {report.run_id}' if report.run_id else ''}")
    out.print(
        f"{report.updates_consumed:,} updates of {', '.join(map(in_one_line, report.sections))}:{would} "
        f"{report.chunks_added:,} chunks added, {report.chunks_superseded:,} ended, {report.chunks_unclear:,} unclear, "
        f"{report.chunks_merged:,} merged; "
        f"{report.entities_created:,} entities created, {report.entities_merged:,} merged"
    )
    rows = [(str(d.about), d.action, d.decided_by, cut(d.reason)) for d in report.decisions]
    if rows:
        print_table(("about", "action", "by", "why"), rows, "")
    for failure in report.failures:
        out.print(f"[yellow]made up for by the rules:[/yellow] {in_one_line(failure)}")
    if report.parked:
        out.print(f"{len(report.parked):,} conflicts wait for a person: agentmem reviews list")
    if report.promotion is not None:
        _print_promotion(report.promotion)


@report_errors
def promote(
    tenant: OneTenant,
    memory_id: MemoryId,
    dsn: Dsn = None,
    force: Annotated[bool, typer.Option("--force", help="Also if it was not consolidated often enough yet.")] = False,
    as_json: AsJson = False,
) -> None:
    """Promote what was consolidated of a memory to long-term memory, if it was consolidated often enough."""
    with AgentMemory.open(dsn, background=False) as memory:
        report = memory.promote(tenant, memory_id, force=force)
    tell(report, as_json, lambda: _print_promotion(report))


def _print_promotion(report: PromotionReport) -> None:
    if report.status == "not_due":
        out.print(
            f"Not promoted: {report.update_count:,} consolidations of {report.threshold:,} (--force does it now)."
        )
    elif report.status == "nothing":
        out.print("There is nothing to promote.")
    else:
        out.print(
            f"promoted: {report.chunks_added:,} chunks, {report.entities_added:,} entities added and "
            f"{report.entities_modified:,} modified, {report.relationships_added:,} relationships added and "
            f"{report.relationships_modified:,} modified"
        )


@report_errors
def undo(
    tenant: OneTenant,
    run: Annotated[str, typer.Argument(metavar="RUN", help="The run, by its id: agentmem runs.")],
    dsn: Dsn = None,
    as_json: AsJson = False,
) -> None:
    """Undo a run: what it has ended or merged stands as before. Later runs on the same things are named instead."""
    with AgentMemory.open(dsn, background=False) as memory:
        undone = memory.runs.undo(tenant, run)
    tell(undone, as_json, lambda: out.print(f"run {undone.id} is {undone.status}"))
