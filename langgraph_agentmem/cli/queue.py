"""`agentmem queue ...`: the memories that wait for a consolidation."""

from typing import Annotated, Final

import typer
from rich.markup import escape
from rich.table import Table

from langgraph_agentmem.cli.options import AsJson, Dsn, Tenant
from langgraph_agentmem.cli.output import tell
from langgraph_agentmem.cli.terminal import ago, in_one_line, out, report_errors
from langgraph_agentmem.memory import AgentMemory
from langgraph_agentmem.models.queue import DeadMemory, QueueStatus

app: Final = typer.Typer(help="The memories that wait for a consolidation.", no_args_is_help=True)

_SHOWN = 100


@app.command()
@report_errors
def status(dsn: Dsn = None, tenant: Tenant = None, as_json: AsJson = False) -> None:
    """How many memories wait for what, and which were set aside; exit code 1 if any were."""
    with AgentMemory.open(dsn, background=False) as memory:
        counts = memory.queue.status(tenant)
        letters = memory.queue.dead_letters(tenant, limit=_SHOWN)
    found = {"status": counts, "dead_letters": letters}
    tell(found, as_json, lambda: _show(counts, letters))
    if counts.dead:
        raise typer.Exit(1)


@app.command()
@report_errors
def retry(
    dsn: Dsn = None,
    tenant: Tenant = None,
    memory_id: Annotated[
        int | None, typer.Option("--memory", help="Only this memory, of the tenant.", show_default=False)
    ] = None,
) -> None:
    """Put memories that were set aside back into the queue."""
    with AgentMemory.open(dsn, background=False) as memory:
        count = memory.queue.retry(tenant, memory_id)
    out.print(f"{count:,} memories are back in the queue" + (f" of {escape(repr(tenant))}" if tenant else ""))


def _show(counts: QueueStatus, letters: list[DeadMemory]) -> None:
    table = Table("due", "running", "waiting to be tried again", "scheduled", "set aside", "model failing", "oldest")
    waits = f"due {ago(counts.lag_seconds)} ago" if counts.oldest_due_at else ""
    numbers = (counts.due, counts.running, counts.waiting, counts.scheduled, counts.dead, counts.model_failing)
    table.add_row(*(f"{number:,}" for number in numbers), waits)
    out.print(table)
    for letter in letters:
        out.print(
            f"{in_one_line(letter.external_id)}: memory {letter.memory_id} ({in_one_line(letter.title)}) was set aside "
            f"after {letter.attempts} attempts: {in_one_line(letter.error or '')}"
        )
    if (more := counts.dead - len(letters)) > 0:
        out.print(f"... and {more:,} more")
