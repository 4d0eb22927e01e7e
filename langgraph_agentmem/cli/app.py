"""The commands, each group in a module of its own."""

from importlib.metadata import version as version_of
from typing import Annotated, Final

import typer

from langgraph_agentmem.cli import graph, queue, reviews
from langgraph_agentmem.cli.doctor import doctor
from langgraph_agentmem.cli.inspect import inspect
from langgraph_agentmem.cli.terminal import out
from langgraph_agentmem.cli.worker import worker

app: Final = typer.Typer(
    name="agentmem",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(worker)
app.command()(doctor)
app.command()(inspect)
app.add_typer(queue.app, name="queue")
app.add_typer(graph.app, name="graph")
app.add_typer(reviews.app, name="reviews")


def _say_version(wanted: bool) -> None:
    if wanted:
        out.print(version_of("langgraph-agentmem"))
        raise typer.Exit


@app.callback()
def agentmem(
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Three-tier memory for LangGraph agents on PostgreSQL and pgvector."""
