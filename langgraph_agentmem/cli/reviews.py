"""`agentmem reviews ...`: what runs have left to a person."""

from typing import Annotated, Final, cast

import typer
from rich.markup import escape
from rich.table import Table

from langgraph_agentmem.cli.options import AsJson, Dsn, OneTenant, Run, Tenant
from langgraph_agentmem.cli.output import cut, tell
from langgraph_agentmem.cli.terminal import as_text, in_one_line, out, report_errors
from langgraph_agentmem.errors import InvalidInputError
from langgraph_agentmem.memory import AgentMemory
from langgraph_agentmem.models.review import Dispute, DisputedValue, PendingReview, ReviewAction, ReviewDecision

app: Final = typer.Typer(help="Conflicts that a review policy leaves to a person.", no_args_is_help=True)

_LONGEST = 60
_ACTIONS = ("accept", "override", "keep_both", "reject", "reject-existing")


@app.command("list")
@report_errors
def list_(
    dsn: Dsn = None,
    tenant: Tenant = None,
    limit: Annotated[int, typer.Option(min=1, help="The most runs.")] = 50,
    as_json: AsJson = False,
) -> None:
    """The runs that wait for a person, the longest waiting first, with a line for each dispute."""
    with AgentMemory.open(dsn, background=False) as memory:
        waiting = memory.reviews.pending(tenant, limit=limit)
    tell(waiting, as_json, lambda: _list(waiting))


@app.command()
@report_errors
def show(tenant: OneTenant, run: Run, dsn: Dsn = None, as_json: AsJson = False) -> None:
    """The disputes of a run, with both values as they were and as they are."""
    with AgentMemory.open(dsn, background=False) as memory:
        disputes = memory.reviews.disputes(tenant, run)
    tell(disputes, as_json, lambda: _show_all(disputes))


@app.command()
@report_errors
def decide(
    tenant: OneTenant,
    run: Run,
    decisions: Annotated[list[str], typer.Argument(help=f"DISPUTE=ACTION, ACTION being one of {', '.join(_ACTIONS)}.")],
    dsn: Dsn = None,
    text: Annotated[str | None, typer.Option(help="For override: what takes the place of both values.")] = None,
    reviewer: Annotated[str | None, typer.Option(help="Who decides, for the record.")] = None,
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "",
) -> None:
    """Decide disputes of a run, all or nothing."""
    with AgentMemory.open(dsn, background=False) as memory:
        waiting = [dispute.id for dispute in memory.reviews.disputes(tenant, run) if dispute.status == "pending"]
        parsed = [made for decision in decisions for made in _decisions(decision, waiting, text, reason)]
        done = memory.reviews.decide(tenant, run, parsed, reviewer=reviewer)
    out.print(f"{len(parsed):,} decided, {len(done.pending):,} of this run still wait")


def _decisions(argument: str, waiting: list[int], text: str | None, reason: str) -> list[ReviewDecision]:
    which, _, action = argument.partition("=")
    if action not in _ACTIONS or not (which == "all" or which.isdecimal()):
        raise InvalidInputError(f"{argument!r} is no decision; it looks like 12=accept, or all=keep_both")
    if action == "override" and text is None:
        raise InvalidInputError("override needs --text: what takes the place of both values")
    return [
        ReviewDecision(
            dispute=dispute,
            action=cast("ReviewAction", action.removesuffix("-existing")),
            value="existing" if action.endswith("-existing") else "new",
            text=text if action == "override" else None,
            reason=reason,
        )
        for dispute in (waiting if which == "all" else [int(which)])
    ]


def _list(waiting: list[PendingReview]) -> None:
    if not waiting:
        out.print("Nothing waits for a review.")
        return
    for review in waiting:
        tenant_and_run = f"{in_one_line(review.external_id)} {review.run_id}"
        out.print(f"[bold]{tenant_and_run}[/bold], memory {in_one_line(review.memory_title)}", soft_wrap=True)
        table = Table("dispute", "kind", "existing", "new", "verdict", "changed")
        for dispute in review.disputes:
            existing = " | ".join(value.content for value in dispute.existing)
            changed = "yes" if dispute.changed else ""
            short = (_short(existing), _short(dispute.new.content))
            table.add_row(str(dispute.id), dispute.kind, *short, dispute.verdict.action, changed)
        out.print(table)


def _show_all(disputes: list[Dispute]) -> None:
    if not disputes:
        out.print("This run has left nothing to a person.")
    for dispute in disputes:
        _show(dispute)


def _show(dispute: Dispute) -> None:
    where = f" in section {dispute.section_id!r}" if dispute.section_id else ""
    out.print(f"[bold]dispute {dispute.id}[/bold] ({dispute.kind}{escape(where)}), {dispute.status}")
    for value in dispute.existing:
        _value("existing", value)
    _value("new", dispute.new)
    verdict = dispute.verdict
    out.print(f"  proposed by the {verdict.decided_by}: {verdict.action}; {in_one_line(verdict.reason)}")
    if verdict.leftover:
        out.print(f"  stays valid in any case: {in_one_line(verdict.leftover)}")
    if dispute.changed:
        for value in (*dispute.existing_now, dispute.new_now):
            state = "valid" if value.valid else "not valid any more"
            by = f", replaced by: {in_one_line(value.successor)}" if value.successor else ""
            out.print(f"  now: {in_one_line(value.content)} ({state}{by})")
    if dispute.section_content is not None:
        out.print(f"  the section now: {in_one_line(dispute.section_content)}")
    if dispute.decision:
        out.print(f"  decided by {in_one_line(dispute.reviewer or 'somebody')}: {dispute.decision.action}")


def _value(name: str, value: DisputedValue) -> None:
    source = f" (by {value.source})" if value.source else ""
    out.print(f"  {name}: {in_one_line(value.content + source)}")
    for source in value.sources:
        out.print(f"    stated in {in_one_line(f'{source.section_id}: {source.content}')}")


def _short(text: str) -> str:
    return as_text(cut(text, _LONGEST))
