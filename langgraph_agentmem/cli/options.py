"""Options and arguments that several commands have."""

from typing import Annotated

import typer

DsnOption = Annotated[str | None, typer.Option(help="PostgreSQL's connection string; by default AGENTMEM_DSN.")]
TenantOption = Annotated[
    str | None, typer.Option(help="Only this tenant (external_id); all by default.", show_default=False)
]
TenantArgument = Annotated[str, typer.Argument(help="The tenant (external_id).")]
