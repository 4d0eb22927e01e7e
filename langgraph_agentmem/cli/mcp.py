"""`agentmem mcp`: the MCP server, and the tokens that it takes."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.table import Table

from langgraph_agentmem import bridge
from langgraph_agentmem.cli.options import AsJson, Dsn, as_path, as_text
from langgraph_agentmem.cli.output import tell
from langgraph_agentmem.cli.terminal import in_one_line, listening, log_warnings, out, report_errors
from langgraph_agentmem.errors import ConfigurationError
from langgraph_agentmem.memory import AgentMemory

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer
    from starlette.applications import Starlette

    from langgraph_agentmem.mcp.tokens import TokenGrant

app: Final = typer.Typer(invoke_without_command=True)
token: Final = typer.Typer(help="Bearer tokens for HTTP, each of which stands for a tenant.", no_args_is_help=True)
app.add_typer(token, name="token")

_TOKENS = "AGENTMEM_MCP_TOKENS"
_TokensFile = Annotated[
    Path,
    typer.Option(
        "--tokens", envvar=_TOKENS, metavar="FILE", help="The file of tokens.", show_default=False, callback=as_path
    ),
]
_Http = Annotated[
    str | None,
    typer.Option(metavar="HOST:PORT", help="Listen there instead of on standard input.", show_default=False),
]
_Tokens = Annotated[
    Path | None,
    typer.Option(
        envvar=_TOKENS, metavar="FILE", help="With --http: whom tokens stand for.", show_default=False, callback=as_path
    ),
]
_Hosts = Annotated[list[str] | None, typer.Option(metavar="NAME", help="With --http: under which name it is reached.")]
_Origins = Annotated[list[str] | None, typer.Option(metavar="URL", help="With --http: whose web pages may use it.")]
_Rate = Annotated[int, typer.Option(min=1, help="With --http: requests a minute of one token.")]
_MaxBody = Annotated[int, typer.Option(min=1, help="With --http: the largest request, in bytes.")]


@app.callback()
@report_errors
def serve(
    context: typer.Context,
    dsn: Dsn = None,
    tenant: Annotated[
        str | None,
        typer.Option(
            envvar="AGENTMEM_MCP_TENANT", help="Whose memory it is (external_id).", show_default=False, callback=as_text
        ),
    ] = None,
    http: _Http = None,
    tokens: _Tokens = None,
    allowed_host: _Hosts = None,
    allowed_origin: _Origins = None,
    rate: _Rate = 600,
    max_body: _MaxBody = 1_048_576,
    allow_forget: Annotated[
        bool, typer.Option("--allow-forget", help="Add tools that close and forget memories.")
    ] = False,
    background: Annotated[
        bool | None,
        typer.Option("--background/--no-background", help="Consolidate meanwhile; by default AGENTMEM_BACKGROUND."),
    ] = None,
) -> None:
    """Serve memory over MCP: over standard input and output, or, with --http, over streamable HTTP.

    Model, embedder and so on come from the environment.
    """
    if context.invoked_subcommand is not None:
        return
    log_warnings()  # else the SDK fits it to a screen
    memory = AgentMemory.open(dsn, background=background)
    if http is None:
        if tokens is not None:
            raise ConfigurationError(f"tokens are for --http; over standard input, leave out --tokens ({_TOKENS})")
        bridge.run_here(_over_stdio, memory, _server(memory, tenant, None, allow_forget=allow_forget))
        return
    from langgraph_agentmem.mcp.http import address, create_mcp_app  # noqa: PLC0415 - optional

    host, port = address(http)
    server = _server(memory, tenant, tokens, allow_forget=allow_forget)
    hosts, origins = allowed_host or (), allowed_origin or ()
    limits = {"requests_per_minute": rate, "max_body_bytes": max_body}
    made = create_mcp_app(server, host=host, allowed_hosts=hosts, allowed_origins=origins, **limits)
    bridge.run_here(_over_http, memory, made, host, port)


@token.command()
@report_errors
def add(
    name: Annotated[str, typer.Argument(help="For whom, or which client; what it writes is marked with it.")],
    tokens: _TokensFile,
    tenant: Annotated[str, typer.Option(help="Whose memory it opens (external_id).")],
    days: Annotated[float | None, typer.Option(help="After how many days it expires; never by default.")] = None,
) -> None:
    """Make a token and print it; only its hash is kept, so that it is never seen again."""
    from langgraph_agentmem.mcp import TokenFile  # noqa: PLC0415 - optional

    out.print(TokenFile(tokens).add(name, tenant, days=days), markup=False)


@token.command("list")
@report_errors
def list_(tokens: _TokensFile, as_json: AsJson = False) -> None:
    """Show whom tokens stand for, and until when."""
    from langgraph_agentmem.mcp import TokenFile  # noqa: PLC0415 - optional

    granted = TokenFile(tokens).grants()
    # what a token's hash is, is of no use to anybody
    tell([grant.model_dump(exclude={"sha256"}) for grant in granted], as_json, lambda: _show(granted))


@token.command()
@report_errors
def revoke(name: Annotated[str, typer.Argument(help="The token's name.")], tokens: _TokensFile) -> None:
    """Refuse a token from now on, also where a server is running; exit code 1 where there is none of that name."""
    from langgraph_agentmem.mcp import TokenFile  # noqa: PLC0415 - optional

    revoked = TokenFile(tokens).revoke(name)
    out.print(f"{revoked} revoked")
    if not revoked:
        raise typer.Exit(1)


def _show(grants: "list[TokenGrant]") -> None:
    table, now = Table("name", "tenant", "made", "expires"), datetime.now(UTC)
    for grant in grants:
        ends = f"{grant.expires_at:%Y-%m-%d %H:%M}" if grant.expires_at else "never"
        expired = " (expired)" if grant.expires_at and grant.expires_at <= now else ""
        table.add_row(
            in_one_line(grant.name), in_one_line(grant.tenant), f"{grant.created_at:%Y-%m-%d}", ends + expired
        )
    out.print(table if table.row_count else "There are no tokens.")


def _server(memory: AgentMemory, tenant: str | None, tokens: Path | None, *, allow_forget: bool) -> "MCPServer[None]":
    from langgraph_agentmem.mcp import TokenFile, create_mcp_server  # noqa: PLC0415 - optional

    if tenant is None and tokens is None:
        raise ConfigurationError(
            "say whose memory it is: --tenant, or AGENTMEM_MCP_TENANT; or, with --http, --tokens with a file of tokens"
        )
    if tenant is not None and tokens is not None:
        raise ConfigurationError("tokens say whose memory it is; leave out --tenant (AGENTMEM_MCP_TENANT), or --tokens")
    verifier = None if tokens is None else TokenFile(tokens)
    if verifier is not None:
        verifier.grants()  # a file that cannot be read is better known now
    return create_mcp_server(memory, tenant=tenant, token_verifier=verifier, allow_forget=allow_forget)


async def _over_stdio(memory: AgentMemory, server: "MCPServer[None]") -> None:
    async with memory:
        await server.run_stdio_async()


async def _over_http(memory: AgentMemory, app: "Starlette", host: str, port: int) -> None:
    from langgraph_agentmem.mcp.http import GRACE_SECONDS, PATH  # noqa: PLC0415 - optional
    from langgraph_agentmem.serving import serve as serving  # noqa: PLC0415 - optional

    async with memory:
        await serving(app, host, port, path=PATH, grace_seconds=GRACE_SECONDS, on_ready=listening)
