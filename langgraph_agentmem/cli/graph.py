"""`agentmem graph ...`: the entity graph's copy in Neo4j."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Final

import typer
from rich.markup import escape
from rich.table import Table

from langgraph_agentmem import bridge
from langgraph_agentmem.cli.options import AsJson, Dsn, Tenant
from langgraph_agentmem.cli.output import tell
from langgraph_agentmem.cli.terminal import ago, err, in_one_line, out, progress_bar, report_errors
from langgraph_agentmem.models.graph import Difference, ProjectionReport, ProjectionStatus, VerifyReport
from langgraph_agentmem.projection.projector import GraphProjector
from langgraph_agentmem.settings import AgentMemorySettings

app: Final = typer.Typer(
    help="The entity graph's copy in Neo4j: NEO4J_URI, NEO4J_USERNAME, NEO4J_PASSWORD and NEO4J_DATABASE name it.",
    no_args_is_help=True,
)

_SHOWN = 50
_TO_BE_HEARD = 11.0
"""Seconds: a little more than psycopg waits for a query that it cancels."""


def _projector(dsn: str | None) -> GraphProjector:
    return GraphProjector.open(dsn, settings=AgentMemorySettings())


@app.command()
@report_errors
def project(
    dsn: Dsn = None,
    tenant: Tenant = None,
    follow: Annotated[bool, typer.Option("--follow", help="Go on with whatever comes, until interrupted.")] = False,
    poll_seconds: Annotated[float, typer.Option(min=0.05, help="With --follow: the rest when nothing waits.")] = 1.0,
    retry_dead: Annotated[bool, typer.Option("--retry-dead", help="Also try again what was set aside.")] = False,
) -> None:
    """Bring to Neo4j what waits in the outbox."""
    if retry_dead:
        with _projector(dsn) as projector:
            projector.retry_dead(tenant)
    if follow:
        bridge.run_here(_follow, dsn, tenant, poll_seconds)
    with _projector(dsn) as projector, progress_bar("projecting") as progress:
        report = projector.run_once(tenant, progress=progress)
    _print_report(report, f"{report.projected:,} changes projected")


@app.command()
@report_errors
def rebuild(dsn: Dsn = None, tenant: Tenant = None) -> None:
    """Write the graph anew from PostgreSQL, into an empty or a stale Neo4j, and remove what is not in PostgreSQL."""
    with _projector(dsn) as projector:
        with progress_bar("rebuilding") as progress:
            report = projector.rebuild(tenant, progress=progress)
        _print_report(report, f"{report.projected:,} entities, chunks and relationships written")


@app.command()
@report_errors
def status(dsn: Dsn = None, tenant: Tenant = None, as_json: AsJson = False) -> None:
    """How far each tenant's graph is projected; exit code 1 where something stands in the way."""
    with _projector(dsn) as projector:
        statuses = projector.status(tenant)
    tell(statuses, as_json, lambda: _show(statuses, tenant))
    if any(item.problem or item.dead or item.rebuilding for item in statuses):
        raise typer.Exit(1)


@app.command()
@report_errors
def verify(dsn: Dsn = None, tenant: Tenant = None, as_json: AsJson = False) -> None:
    """Compare PostgreSQL and Neo4j and print the differences; exit code 1 where there are any."""
    with _projector(dsn) as projector:
        report = projector.verify(tenant)
    tell(report, as_json, lambda: _print_differences(report))
    if report.differences:
        err.print("`agentmem graph rebuild` mends what differs.")
        raise typer.Exit(1)


async def _follow(dsn: str | None, tenant: str | None, poll_seconds: float) -> None:
    async with _projector(dsn) as projector:
        running = asyncio.create_task(projector.arun(tenant, poll_seconds=poll_seconds))
        try:
            await asyncio.wait([running])
        finally:
            # Ctrl-C cancels once, which a driver that is just connecting may miss; and who cancels again at once cuts
            # psycopg off as it ends its query, which it complains about
            while not running.done():
                running.cancel()
                await asyncio.wait([running], timeout=_TO_BE_HEARD)
        await running


def _show(statuses: list[ProjectionStatus], tenant: str | None) -> None:
    if not statuses:
        out.print("PostgreSQL holds no graph" + (f" of tenant {escape(repr(tenant))}." if tenant else " yet."))
        return
    table = Table("tenant", "waiting", "oldest", "set aside", "last projected", "state")
    for item in statuses:
        waits = "" if item.oldest is None else f"{_ago(item.oldest)} ago"
        last = "never" if item.projected_at is None else f"{_ago(item.projected_at)} ago"
        table.add_row(in_one_line(item.external_id), f"{item.pending:,}", waits, f"{item.dead:,}", last, _state(item))
    out.print(table)
    for item in statuses:
        for letter in item.dead_letters:
            out.print(
                f"{in_one_line(item.external_id)}: {letter.kind} {letter.id} is set aside: {in_one_line(letter.error)}"
            )
    for problem in dict.fromkeys(item.problem for item in statuses if item.problem):
        err.print(f"[red]problem:[/red] {in_one_line(problem)}")


def _print_differences(report: VerifyReport) -> None:
    for difference in report.differences[:_SHOWN]:
        out.print(_line(difference))
    if (more := len(report.differences) - _SHOWN) > 0:
        out.print(f"... and {more:,} more")
    waiting = f"; {report.pending:,} more differ because they still wait to be projected" if report.pending else ""
    out.print(f"{report.compared:,} things compared, {len(report.differences):,} differences{waiting}")


def _print_report(report: ProjectionReport, what: str) -> None:
    out.print(f"{what}, {report.dead:,} set aside")
    if report.dead:
        err.print("`agentmem graph status` says why changes were set aside.")
    for problem in report.problems.values():
        err.print(f"[red]problem:[/red] {in_one_line(problem)}")
    if report.dead or report.problems:
        raise typer.Exit(1)


def _state(item: ProjectionStatus) -> str:
    if item.problem:
        return "[red]stuck[/red]"
    if item.rebuilding:
        return "[yellow]rebuild unfinished: run it again[/yellow]"
    return "[yellow]behind[/yellow]" if item.pending or item.dead else "[green]up to date[/green]"


def _line(difference: Difference) -> str:
    thing = f"{difference.kind} {difference.id}" if difference.id is not None else f"{difference.kind} without an id"
    named = f" {difference.name!r}" if difference.name else ""
    fields = [
        f"{field}: {ours!r} in PostgreSQL, {theirs!r} in Neo4j" for field, (ours, theirs) in difference.fields.items()
    ]
    where = {"missing": "missing in Neo4j", "unexpected": "only in Neo4j"}.get(difference.problem, "; ".join(fields))
    return in_one_line(f"{difference.external_id}: {thing}{named}: {where}")


def _ago(then: datetime) -> str:
    return ago((datetime.now(UTC) - then).total_seconds())
