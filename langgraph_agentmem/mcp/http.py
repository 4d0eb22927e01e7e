"""The MCP server over streamable HTTP, without sessions: what may reach it, and how much of it."""

import ipaddress
import signal
import socket
from collections.abc import Callable, Sequence
from typing import Any

import uvicorn
from mcp.server.mcpserver import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.middleware import Middleware

from langgraph_agentmem.errors import ConfigurationError
from langgraph_agentmem.mcp.limits import RateLimit

_PATH = "/mcp"
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_GRACE_SECONDS = 10


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
    loopback = is_loopback(host)
    if not loopback and server.settings.auth is None:
        raise ConfigurationError(
            f"whoever reaches {host} would be let in, as the server has no tokens; give it a token_verifier "
            "(--tokens), or let it listen on 127.0.0.1"
        )
    if not loopback and not allowed_hosts:
        raise ConfigurationError(
            f"say under which names the server on {host} is reached, as allowed_hosts "
            "(--allowed-host memory.example.org)"
        )
    names = [*allowed_hosts, *(_LOOPBACK if loopback else ())]
    own_origins = [f"http://{name}:*" for name in _LOOPBACK] if loopback else []
    app = server.streamable_http_app(
        streamable_http_path=_PATH,
        json_response=True,  # nothing is told on the way, so that no answer needs to be a stream
        stateless_http=True,
        max_request_body_size=max_body_bytes,
        transport_security=TransportSecuritySettings(
            allowed_hosts=[each for name in names for each in ([name, f"{name}:*"] if _no_port(name) else [name])],
            allowed_origins=[*allowed_origins, *own_origins],
        ),
        host=host,
    )
    # innermost, where it is known whose request it is
    app.user_middleware.append(Middleware(RateLimit, per_minute=requests_per_minute))
    return app


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address; of names, only `localhost` is taken for that."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


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


def _heard(number: int, frame: object) -> None:
    """Nothing more is to be done."""


async def serve(app: Starlette, host: str, port: int, *, on_ready: Callable[[str], object]) -> None:
    """Answer requests until SIGTERM or SIGINT, and let those that are under way end.

    Args:
        app: Of `create_mcp_app`.
        host: The address to listen on.
        port: Of it; 0 for any that is free.
        on_ready: Called with the URL, when it listens.

    Raises:
        ConfigurationError: The address cannot be listened on.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family)
    except OSError as error:
        raise ConfigurationError(f"{host}:{port} cannot be listened on: {error}; choose another port") from error
    shown = f"[{host}]" if family == socket.AF_INET6 else host
    # uvicorn hears these, and sends them on when it has ended; the memory is to be closed after that
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _heard)
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=_GRACE_SECONDS
    )
    on_ready(f"http://{shown}:{listening.getsockname()[1]}{_PATH}")
    await uvicorn.Server(config).serve(sockets=[listening])
