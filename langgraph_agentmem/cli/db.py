"""`agentmem db ...`: the tables, who may use them, and whether they hold tenants apart."""

from functools import partial
from typing import Annotated, Final

import typer
from rich.markup import escape

from langgraph_agentmem import bridge
from langgraph_agentmem.cli.doctor import say
from langgraph_agentmem.cli.options import AsJson, Dsn
from langgraph_agentmem.cli.output import print_table, tell
from langgraph_agentmem.cli.terminal import out, report_errors
from langgraph_agentmem.errors import InvalidInputError
from langgraph_agentmem.memory import AgentMemory
from langgraph_agentmem.models.health import Distribution, Finding
from langgraph_agentmem.operations.health import guarding, indexing
from langgraph_agentmem.settings import AgentMemorySettings

app: Final = typer.Typer(help="The tables, who may use them, and row-level security.", no_args_is_help=True)

_APP, _WORKER = "agentmem_app", "agentmem_worker"


@app.command()
@report_errors
def migrate(
    dsn: Dsn = None,
    row_security: Annotated[
        bool | None,
        typer.Option(
            "--row-security/--no-row-security",
            help="Let the database hold tenants apart; by default as AGENTMEM_ROW_SECURITY says. What does so stays.",
            show_default=False,
        ),
    ] = None,
    checkpoints: Annotated[
        bool, typer.Option("--checkpoints", help="Also make the tables of LangGraph's checkpointers.")
    ] = False,
) -> None:
    """Make the tables, or bring them up to date, and register the embedder of the environment; run it as the owner."""
    settings = AgentMemorySettings()
    guarded = settings.row_security == "on" if row_security is None else row_security
    with _owners(dsn, settings) as memory:
        bridge.run(partial(guarding.migrate, memory.resources, guarded=guarded, checkpoints=checkpoints))
        say(bridge.run(partial(guarding.status, memory.resources)), as_json=False)


@app.command()
@report_errors
def status(dsn: Dsn = None, as_json: AsJson = False) -> None:
    """Say what the server, the tables and the user's rights are; exit code 1 on an error."""
    say(_found(dsn), as_json=as_json)


@app.command()
@report_errors
def check(dsn: Dsn = None, as_json: AsJson = False) -> None:
    """Say the same for a script that starts programs: exit code 1 unless the database is ready for them as it is.

    That is so where the tables are those of this version, the user may read and write them, and no index is missing.
    """
    say(_found(dsn), as_json=as_json, least="warning")


def _found(dsn: str | None) -> list[Finding]:
    memory = AgentMemory.open(dsn, background=False)  # without `with`, which would make or change the tables
    try:
        return bridge.run(partial(guarding.status, memory.resources))
    finally:
        memory.close()


@app.command()
@report_errors
def distribute(
    dsn: Dsn = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
) -> None:
    """Distribute the tables over the servers of a Citus cluster by tenant, as far as they are not; run it as the owner.

    Where there is no Citus, nothing is done. Writers wait meanwhile.
    """
    memory = _owners(dsn, AgentMemorySettings())
    try:
        found = bridge.run(partial(guarding.distribute, memory.resources, dry_run=dry_run))
    finally:
        memory.close()
    out.print(escape(_outcome(found, dry_run=dry_run)))


def _outcome(found: Distribution | None, *, dry_run: bool) -> str:
    if found is None:
        return "This database has no Citus: nothing was done."
    if not found.local and not found.unmanaged:
        return f"All {len(found.tables)} tables were distributed over {found.nodes} servers before: nothing was done."
    said = [
        f"Distributed by tenant over {found.nodes} servers: {', '.join(found.local)}." if found.local else "",
        f"Managed by Citus on this one: {', '.join(found.unmanaged)}." if found.unmanaged else "",
    ]
    return " ".join(["This would be done." if dry_run else "", *said]).strip()


@app.command()
@report_errors
def roles(
    dsn: Dsn = None,
    app: Annotated[
        str | None,
        typer.Option(
            help=f"Reads and writes for one tenant at a time; {_APP} if no role is named.", show_default=False
        ),
    ] = None,
    worker: Annotated[
        str | None,
        typer.Option(help=f"In addition looks over all tenants; {_WORKER} if no role is named.", show_default=False),
    ] = None,
    run: Annotated[bool, typer.Option("--run", help="Also run them, as the owner.")] = False,
) -> None:
    """Print the statements that give two roles what they need, and make them where they are missing.

    A role that is made has no password yet. Run them again after an upgrade, which may bring new tables.
    """
    if app is None and worker is None:
        app, worker = _APP, _WORKER
    memory = _owners(dsn, AgentMemorySettings())
    try:
        for statement in bridge.run(partial(guarding.roles, memory.resources, app, worker, run=run)):
            out.print(f"{escape(statement)};")
    finally:
        memory.close()


@app.command("tenant-index")
@report_errors
def tenant_index(
    dsn: Dsn = None,
    tenant: Annotated[
        str | None, typer.Option(help="Make them for this tenant (external_id).", show_default=False)
    ] = None,
    drop: Annotated[bool, typer.Option("--drop", help="Drop them instead.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make a large tenant indexes for itself, as far as it lacks them, or drop them; say which tenants have some.

    Its searches then pass nothing of other tenants. Others read and write meanwhile; run it as the owner.
    """
    if drop and tenant is None:
        raise InvalidInputError("--drop does not say whose indexes are to go; name the tenant with --tenant")
    memory = _owners(dsn, AgentMemorySettings())
    try:
        if tenant is not None:
            change = indexing.drop if drop else indexing.make
            bridge.run(partial(change, memory.resources, tenant))
        found = bridge.run(partial(indexing.indexes, memory.resources))
    finally:
        memory.close()
    rows = [(each.external_id, each.name, each.bytes, "yes" if each.usable else "no") for each in found]
    nothing = "No tenant has indexes for itself."
    tell(found, as_json, lambda: print_table(("tenant", "index", "bytes", "usable"), rows, nothing))


def _owners(dsn: str | None, settings: AgentMemorySettings) -> AgentMemory:
    """A memory of the owner's, whom no policy holds."""
    return AgentMemory.open(dsn, settings=settings.model_copy(update={"row_security": "off"}), background=False)
