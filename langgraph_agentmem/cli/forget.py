"""`agentmem forget`: forgets a tenant or a memory, and looks again at what a receipt says."""

from pathlib import Path
from typing import Annotated, cast

import typer
from rich.markup import escape

from langgraph_agentmem.cli.options import AsJson, Dsn, as_path
from langgraph_agentmem.cli.output import tell
from langgraph_agentmem.cli.terminal import in_one_line, out, report_errors
from langgraph_agentmem.errors import InvalidInputError
from langgraph_agentmem.memory import AgentMemory
from langgraph_agentmem.models.deletion import DeletionCheck, DeletionReceipt


@report_errors
def forget(
    tenant: Annotated[
        str | None, typer.Argument(metavar="TENANT", help="The tenant (external_id).", show_default=False)
    ] = None,
    dsn: Dsn = None,
    memory_id: Annotated[
        int | None, typer.Option("--memory", help="Only this memory, of the tenant.", show_default=False)
    ] = None,
    checkpoints: Annotated[
        bool, typer.Option("--checkpoints", help="Also the checkpoints of threads that are known to be the tenant's.")
    ] = False,
    threads: Annotated[
        list[str] | None, typer.Option("--thread", help="Also this thread's checkpoints; may be repeated.")
    ] = None,
    receipt: Annotated[
        Path | None, typer.Option(help="Where to write the receipt; by default, it is printed.", callback=as_path)
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask first.")] = False,
    verify: Annotated[
        Path | None,
        typer.Option(help="Look again at what a receipt says is gone.", callback=as_path, show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Remove all of a tenant, or one memory, and hand out a receipt; or verify one (exit code 1 if not all is gone)."""
    if (tenant is None) == (verify is None):
        raise typer.BadParameter("give either a TENANT to forget, or --verify and a receipt's file")
    if memory_id is not None and (checkpoints or threads):
        raise typer.BadParameter("--checkpoints and --thread are for a whole tenant, not for one memory")
    if receipt is not None and (receipt.exists() or not receipt.parent.is_dir()):
        raise typer.BadParameter(f"--receipt {receipt} exists already, or its folder does not")
    issued_before = None if verify is None else _read(verify)
    with AgentMemory.open(dsn, background=False) as memory:
        if issued_before is not None:
            check = memory.verify_receipt(issued_before)
            tell(check, as_json, lambda: _show_check(check))
            if not check.gone:
                raise typer.Exit(1)
            return
        _confirm(cast("str", tenant), memory_id, yes=yes)
        issued = (
            memory.forget_tenant(cast("str", tenant), checkpoints=checkpoints, threads=threads or [])
            if memory_id is None
            else cast("DeletionReceipt", memory.delete_active_memory(cast("str", tenant), memory_id, forget=True))
        )
    _hand_out(issued, receipt)


def _read(receipt: Path) -> str:
    try:
        return receipt.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise InvalidInputError(f"{receipt} cannot be read: {error}") from error


def _confirm(tenant: str, memory_id: int | None, *, yes: bool) -> None:
    what = f"all of tenant {tenant!r}" if memory_id is None else f"memory {memory_id} of tenant {tenant!r}"
    if not yes:
        typer.confirm(f"Remove {what} for good?", abort=True, err=True)


def _hand_out(issued: DeletionReceipt, where: Path | None) -> None:
    text = issued.model_dump_json(indent=2)
    if where is None:
        out.print(escape(text))
        return
    where.write_text(f"{text}\n", encoding="utf-8")
    for title, counts in (("removed", issued.removed), ("rewritten", issued.changed)):
        rows = ", ".join(f"{name} {count:,}" for name, count in counts.items())
        out.print(f"{title}: {rows or 'nothing'}")
    for left in issued.remains:
        count = "" if left.count is None else f" {left.count:,}"
        out.print(f"remains: {left.where}{count}: {in_one_line(left.why)}")


def _show_check(check: DeletionCheck) -> None:
    lines = [] if check.intact else ["the receipt was changed since it was issued"]
    lines += [f"{name}: {count:,} rows that should be gone" for name, count in check.found.items()]
    lines += [f"Neo4j: {check.waiting:,} deletions wait to be projected"] if check.waiting else []
    if check.found_in_neo4j is None:
        lines.append("Neo4j: nobody has looked; set AGENTMEM_GRAPH=neo4j and NEO4J_URI")
    elif check.found_in_neo4j:
        lines.append(f"Neo4j: {check.found_in_neo4j:,} things that should be gone")
    for thread in check.threads:
        state = "has come back" if thread.removed else "remains, as the receipt says"
        lines.append(f"thread {in_one_line(thread.thread_id)}: {state}, with {thread.rows:,} rows of checkpoints")
    lines += [f"{name}: {count:,} new rows, written since" for name, count in check.written_since.items()]
    for line in lines:
        out.print(line)
    out.print("[green]gone[/green]" if check.gone else "[red]not all is gone[/red]")
