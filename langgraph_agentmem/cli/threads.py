"""`agentmem threads ...`: the checkpoints of LangGraph's threads."""

import re
from typing import Annotated, Final

import typer

from langgraph_agentmem import bridge
from langgraph_agentmem.cli.options import Dsn
from langgraph_agentmem.cli.terminal import out, report_errors
from langgraph_agentmem.memory import AgentMemory
from langgraph_agentmem.operations.deletion import retention

app: Final = typer.Typer(help="The checkpoints of LangGraph's threads.", no_args_is_help=True)
_LONGEST_DAYS = 1e6
_HOURS = {"h": 1, "d": 24, "w": 7 * 24}


# with a callback, typer makes a group of what has one command so far
@app.callback()
def _threads() -> None:
    pass


@app.command()
@report_errors
def prune(
    older_than: Annotated[str, typer.Option(help="Without a checkpoint for so long, as in 12h, 30d or 8w.")],
    dsn: Dsn = None,
) -> None:
    """Remove the checkpoints of threads that have no new ones, whoever uses them; memory stays."""
    found = re.fullmatch(r"([1-9]\d{0,5})([hdw])", older_than.strip())
    if found is None:
        raise typer.BadParameter(f"--older-than {older_than!r} is no time; it looks like 12h, 30d or 8w")
    days = int(found[1]) * _HOURS[found[2]] / 24
    if days > _LONGEST_DAYS:
        raise typer.BadParameter(f"--older-than {older_than!r} is longer ago than any checkpoint can be")
    count = bridge.run_here(_pruned, dsn, days)
    out.print(f"{count:,} threads removed")


async def _pruned(dsn: str | None, days: float) -> int:
    async with AgentMemory.open(dsn, background=False) as memory:
        return await retention.prune_threads(memory.resources, days)
