"""Options and arguments that several commands take."""

from typing import Annotated

import typer

Dsn = Annotated[str | None, typer.Option(help="PostgreSQL's connection string; by default AGENTMEM_DSN.")]
Tenant = Annotated[str | None, typer.Option(help="Only this tenant (external_id); all by default.", show_default=False)]
OneTenant = Annotated[str, typer.Argument(metavar="TENANT", help="The tenant (external_id).")]
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
