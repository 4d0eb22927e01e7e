"""The commands, each group in a module of its own."""

from importlib.metadata import version as version_of
from typing import Annotated, Final

import typer

from langgraph_agentmem.cli import db, grants, graph, imports, mcp, queue, reviews, threads
from langgraph_agentmem.cli.consolidating import consolidate, promote, runs, undo
from langgraph_agentmem.cli.demo import demo
from langgraph_agentmem.cli.doctor import doctor
from langgraph_agentmem.cli.embedding import reembed
from langgraph_agentmem.cli.finding import entity, search
from langgraph_agentmem.cli.forget import forget
from langgraph_agentmem.cli.inspect import inspect
from langgraph_agentmem.cli.memories import edit, memories, show
from langgraph_agentmem.cli.terminal import out
from langgraph_agentmem.cli.transfer import export
from langgraph_agentmem.cli.worker import worker

app: Final = typer.Typer(
    name="agentmem",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for _command in (
    demo, memories, show, edit, search, entity, runs, consolidate, promote, undo, export, reembed, forget,
    worker, doctor, inspect,
):  # fmt: skip
    app.command()(_command)
app.add_typer(db.app, name="db")
app.add_typer(queue.app, name="queue")
app.add_typer(graph.app, name="graph")
app.add_typer(reviews.app, name="reviews")
app.add_typer(grants.app, name="grants")
app.add_typer(mcp.app, name="mcp")
app.add_typer(imports.app, name="import")
app.add_typer(threads.app, name="threads")


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
