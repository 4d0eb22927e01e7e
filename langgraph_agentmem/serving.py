"""Web servers: whom they let in, under which names, and until when they answer."""

import ipaddress
import signal
import socket
from collections.abc import Callable, Sequence
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from langgraph_agentmem.errors import ConfigurationError

LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
"""Names of this machine, as nobody else can reach it."""


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address; of names, only `localhost` is taken for that."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def names(host: str, allowed_hosts: Sequence[str], *, asks: bool, remedy: str) -> list[str]:
    """The names under which a server is reached: on a loopback address, this machine's own as well.

    Args:
        host: The address that it listens on.
        allowed_hosts: Names that it is given.
        asks: Whether it asks who somebody is, before it answers.
        remedy: What makes it ask, for who is told that it does not.

    Raises:
        ConfigurationError: Others than this machine would be let in without being asked, or under no name.
    """
    if is_loopback(host):
        return [*allowed_hosts, *LOOPBACK]
    if not asks:
        raise ConfigurationError(
            f"whoever reaches {host} would be let in, as no token is asked for; {remedy}, or let it listen on 127.0.0.1"
        )
    if not allowed_hosts:
        raise ConfigurationError(
            f"say under which names the server on {host} is reached (allowed_hosts), as in "
            "--allowed-host memory.example.org"
        )
    return list(allowed_hosts)


def in_url(host: str) -> str:
    """An address as it stands in a URL: an IPv6 address in brackets."""
    return f"[{host}]" if host.count(":") > 1 and not host.startswith("[") else host


async def serve(
    app: ASGIApp, host: str, port: int, *, grace_seconds: int, on_ready: Callable[[str], object], path: str = "/"
) -> None:
    """Answer requests until SIGTERM or SIGINT.

    Args:
        app: What answers them.
        host: The address to listen on.
        port: Of it; 0 for any that is free.
        grace_seconds: For how long requests that are under way may go on at the end.
        on_ready: Called with the URL, when it listens.
        path: Of the URL.

    Raises:
        ConfigurationError: The address cannot be listened on.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family)
    except OSError as error:
        raise ConfigurationError(f"{host}:{port} cannot be listened on: {error}; choose another port") from error
    # uvicorn hears these, and sends them on when it has ended; the memory is to be closed after that
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _heard)
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=grace_seconds
    )
    on_ready(f"http://{in_url(host)}:{listening.getsockname()[1]}{path}")
    await uvicorn.Server(config).serve(sockets=[listening])


def _heard(number: int, frame: object) -> None:
    """Nothing more is to be done."""
