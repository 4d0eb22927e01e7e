"""`agentmem inspect`: a page that shows why something was recalled, and where to correct it."""

from typing import TYPE_CHECKING, Annotated

import typer

from langgraph_agentmem import bridge
from langgraph_agentmem.cli.options import Dsn
from langgraph_agentmem.cli.terminal import listening, log_warnings, report_errors
from langgraph_agentmem.errors import MissingDependencyError
from langgraph_agentmem.memory import AgentMemory

if TYPE_CHECKING:
    from starlette.types import ASGIApp


@report_errors
def inspect(
    dsn: Dsn = None,
    tenant: Annotated[
        str | None,
        typer.Option(help="Show this tenant only (external_id); else one is chosen on the page.", show_default=False),
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="Allow edits, decisions, undoing and retrying.")] = False,
    host: Annotated[
        str, typer.Option(help="Where to listen; other than loopback, with AGENTMEM_INSPECTOR_TOKEN only.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where to listen; 0 for any that is free.")] = 8765,
    allowed_host: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Under which name it is reached; may be repeated.")
    ] = None,
) -> None:
    """Show memory in a browser: why something was recalled, where it comes from, and how to correct it.

    Embedder and so on come from the environment. With AGENTMEM_INSPECTOR_TOKEN, whoever opens it has to enter that.
    """
    log_warnings()
    try:
        from langgraph_agentmem.inspector.access import Access  # noqa: PLC0415 - optional
        from langgraph_agentmem.inspector.application import application  # noqa: PLC0415 - optional
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in {"fastapi", "nicegui", "starlette", "uvicorn"}:
            raise
        raise MissingDependencyError(
            'the inspector needs nicegui: pip install "langgraph-agentmem[inspector]"'
        ) from error
    memory = AgentMemory.open(dsn, background=False)
    secret = memory.settings.inspector_token
    token = secret.get_secret_value() if secret else None
    app = application(Access(memory, tenant, write), host, token=token, allowed_hosts=allowed_host or ())
    bridge.run_here(_serve, memory, app, host, port)


async def _serve(memory: AgentMemory, app: "ASGIApp", host: str, port: int) -> None:
    from langgraph_agentmem.inspector.application import GRACE_SECONDS  # noqa: PLC0415 - optional
    from langgraph_agentmem.serving import serve  # noqa: PLC0415 - optional

    async with memory:
        await serve(app, host, port, grace_seconds=GRACE_SECONDS, on_ready=listening)
