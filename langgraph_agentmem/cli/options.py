"""Options and arguments that several commands take."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from langgraph_agentmem.errors import ConfigurationError
from langgraph_agentmem.settings import local_path, variable


def as_text(context: typer.Context, parameter: typer.CallbackParam, value: str | None) -> str | None:
    """What an option says; of a variable, as settings are read: without white space around it, and never empty."""
    source = context.get_parameter_source(parameter.name or "")
    if not isinstance(parameter.envvar, str) or (source is not None and source.name == "COMMANDLINE"):
        return value
    try:
        return variable(parameter.envvar, value)
    except ConfigurationError as error:
        raise typer.BadParameter(str(error)) from None


def as_path(context: typer.Context, parameter: typer.CallbackParam, value: Path | None) -> Path | None:
    """The path that an option names, its ~ too where no shell has read it: behind a =, in a variable, of a program."""
    named = as_text(context, parameter, None if value is None else str(value))
    try:
        return None if named is None else local_path(named, parameter.opts[-1])
    except ConfigurationError as error:
        raise typer.BadParameter(str(error)) from None


Dsn = Annotated[str | None, typer.Option(help="PostgreSQL's connection string; by default AGENTMEM_DSN.")]
Tenant = Annotated[str | None, typer.Option(help="Only this tenant (external_id); all by default.", show_default=False)]
OneTenant = Annotated[str, typer.Argument(metavar="TENANT", help="The tenant (external_id).")]
MemoryId = Annotated[int, typer.Argument(metavar="MEMORY", min=1, help="The memory, by its id.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Limit = Annotated[int, typer.Option(min=1, help="The most that are shown.")]
When = Annotated[
    datetime | None,
    typer.Option(
        help="What held then, as 2026-05-08 or 2026-05-08T14:03:00+02:00; UTC where no zone is named.",
        formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"],
        show_default=False,
    ),
]
Run = Annotated[str, typer.Argument(help="The run that has parked the disputes.")]
Source = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="DSN",
        help="Connection string of the database to import from; by default the memory's own.",
        show_default=False,
    ),
]
Schema = Annotated[
    str | None, typer.Option(help="Schema of the source's tables; by default as its search path finds them.")
]
