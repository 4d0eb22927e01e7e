"""`agentmem grants ...`: what tenants let each other search."""

from datetime import UTC, datetime
from typing import Annotated, Final

import typer

from langgraph_agentmem.cli.options import AsJson, Dsn, OneTenant
from langgraph_agentmem.cli.output import print_table, tell
from langgraph_agentmem.cli.terminal import in_one_line, out, report_errors
from langgraph_agentmem.errors import InvalidInputError
from langgraph_agentmem.memory import AgentMemory
from langgraph_agentmem.models.grant import Grant
from langgraph_agentmem.policies import validation

app: Final = typer.Typer(help="What tenants let each other search.", no_args_is_help=True)
GrantOwner = Annotated[str, typer.Argument(metavar="OWNER", help="The tenant whose memory it is.")]
GrantReader = Annotated[str, typer.Argument(metavar="READER", help="The tenant who may search it.")]
_PREFIX = "The first labels of the namespaces, the tenant's label included, as in: alice notes."


@app.command("list")
@report_errors
def list_grants(
    tenant: OneTenant,
    dsn: Dsn = None,
    received: Annotated[bool, typer.Option("--received", help="What it may search of others instead.")] = False,
    as_json: AsJson = False,
) -> None:
    """Who may search what of a tenant's memory, and until when."""
    with AgentMemory.open(dsn, background=False) as memory:
        found = memory.grants.received(tenant) if received else memory.grants.list(tenant)
    rows = [(each.owner, each.reader, _opened(each), _until(each)) for each in found]
    columns = ("owner", "reader", "opened", "until")
    nothing = "It may search nothing of others." if received else "Nobody else may search its memory."
    tell(found, as_json, lambda: print_table(columns, rows, nothing))


@app.command()
@report_errors
def give(
    owner: GrantOwner,
    reader: GrantReader,
    namespace: Annotated[list[str] | None, typer.Argument(metavar="LABEL", help=_PREFIX)] = None,
    dsn: Dsn = None,
    everything: Annotated[bool, typer.Option("--all", help="All memories, without a label.")] = False,
    days: Annotated[
        float | None, typer.Option(help="For so many days; by default until it is revoked.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Let another tenant search what a tenant's open memories hold under some labels."""
    if bool(namespace) == everything:
        raise InvalidInputError("name the first labels of the namespaces to be opened, or give --all for all of them")
    until = None if days is None else datetime.now(UTC) + validation.days(days, "--days")
    with AgentMemory.open(dsn, background=False) as memory:
        given = memory.grants.give(owner, reader, namespace or (), expires_at=until)
    names = f"{in_one_line(given.reader)} may search {in_one_line(_opened(given))} of {in_one_line(given.owner)}"
    tell(given, as_json, lambda: out.print(names))


@app.command()
@report_errors
def revoke(
    owner: GrantOwner,
    reader: GrantReader,
    namespace: Annotated[list[str] | None, typer.Argument(metavar="LABEL", help=_PREFIX)] = None,
    dsn: Dsn = None,
) -> None:
    """Take a grant back: that of these labels, or, without any, all that the reader has of the owner."""
    with AgentMemory.open(dsn, background=False) as memory:
        count = memory.grants.revoke(owner, reader, namespace or None)
    out.print(f"{count:,} grants revoked")


def _opened(grant: Grant) -> str:
    return " ".join(map(repr, grant.namespace)) or "everything"


def _until(grant: Grant) -> str:
    return "" if grant.expires_at is None else f"{grant.expires_at:%F %R}"
