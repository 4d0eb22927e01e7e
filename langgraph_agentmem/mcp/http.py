"""The MCP server over streamable HTTP, without sessions: what may reach it, and how much of it."""

from collections.abc import Sequence
from typing import Any, Final

from mcp.server.mcpserver import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.middleware import Middleware

from langgraph_agentmem.errors import ConfigurationError
from langgraph_agentmem.mcp.limits import RateLimit
from langgraph_agentmem.serving import LOOPBACK, in_url, is_loopback, names

PATH: Final = "/mcp"
GRACE_SECONDS: Final = 10


def create_mcp_app(
    server: MCPServer[Any],
    *,
    host: str = "127.0.0.1",
    allowed_hosts: Sequence[str] = (),
    allowed_origins: Sequence[str] = (),
    requests_per_minute: int = 600,
    max_body_bytes: int = 1_048_576,
) -> Starlette:
    """The ASGI application of an MCP server: streamable HTTP at `/mcp`, stateless, for old and new clients.

    Requests are refused whose `Host` or `Origin` is not among those allowed (a web page that a user visits could send
    them), that are too large, or too many from one token.

    Args:
        server: Of `create_mcp_server`.
        host: The address that it will listen on.
        allowed_hosts: Names under which it is reached, as `memory.example.org`; on loopback addresses, this machine's
            own as well.
        allowed_origins: Of web pages that may use it, as `https://app.example.org`; none but this machine's own.
        requests_per_minute: The most of one token, or, without tokens, of one address.
        max_body_bytes: The largest request.

    Raises:
        ConfigurationError: The address is not a loopback one, and the server has no tokens, or it is not said under
            which names it is reached.

    Examples:
        >>> app = create_mcp_app(create_mcp_server(memory, tenant="alice"))  # for an ASGI server on this machine
        >>> try:
        ...     create_mcp_app(create_mcp_server(memory, tenant="alice"), host="0.0.0.0")
        ... except ConfigurationError as error:
        ...     str(error)[:42]
        'whoever reaches 0.0.0.0 would be let in, a'
    """
    if requests_per_minute < 1 or max_body_bytes < 1:
        raise ConfigurationError(
            f"requests_per_minute and max_body_bytes are at least 1, not {requests_per_minute} and {max_body_bytes}"
        )
    asks, remedy = server.settings.auth is not None, "give it a token_verifier (--tokens)"
    known_as = [*map(in_url, names(host, allowed_hosts, asks=asks, remedy=remedy))]
    own_origins = [f"http://{in_url(name)}:*" for name in LOOPBACK] if is_loopback(host) else []
    app = server.streamable_http_app(
        streamable_http_path=PATH,
        json_response=True,  # nothing is told on the way, so that no answer needs to be a stream
        stateless_http=True,
        max_request_body_size=max_body_bytes,
        transport_security=TransportSecuritySettings(
            allowed_hosts=[each for name in known_as for each in ([name, f"{name}:*"] if _no_port(name) else [name])],
            allowed_origins=[*allowed_origins, *own_origins],
        ),
        host=host,
    )
    # innermost, where it is known whose request it is
    app.user_middleware.append(Middleware(RateLimit, per_minute=requests_per_minute))
    return app


def _no_port(name: str) -> bool:
    return ":" not in name.rpartition("]")[2]


def address(text: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT`, the host of an IPv6 address in brackets.

    Raises:
        ConfigurationError: It is not of this form.
    """
    host, _, port = text.rpartition(":")
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not host or "[" in host or not (port.isascii() and port.isdigit() and int(port) < 2**16) or _bare_ipv6(text):
        raise ConfigurationError(f"{text!r} is no address to listen on; it looks like 127.0.0.1:8000, or [::1]:8000")
    return host, int(port)


def _bare_ipv6(text: str) -> bool:
    return text.count(":") > 1 and not text.startswith("[")
