"""The inspector as a web server."""

import signal
import socket
from collections.abc import Callable, Sequence
from typing import Final

import uvicorn
from fastapi import FastAPI
from nicegui import ui
from starlette.types import ASGIApp

from langgraph_agentmem.errors import ConfigurationError
from langgraph_agentmem.inspector import pages
from langgraph_agentmem.inspector.access import Access
from langgraph_agentmem.inspector.guard import LOOPBACK, Guard, is_loopback

_GRACE_SECONDS: Final = 1
"""Pages keep their connections open, so that to wait for longer is to wait in vain."""


def application(access: Access, host: str, *, token: str | None, allowed_hosts: Sequence[str] = ()) -> ASGIApp:
    """What answers requests for an address.

    Raises:
        ConfigurationError: Others than this machine would be let in without a token, or under no name.
    """
    loopback = is_loopback(host)
    if not loopback and token is None:
        raise ConfigurationError(
            f"whoever reaches {host} would be let in; set AGENTMEM_INSPECTOR_TOKEN, or listen on 127.0.0.1"
        )
    if not loopback and not allowed_hosts:
        raise ConfigurationError(
            f"say under which names the inspector on {host} is reached, as in --allowed-host memory.example.org"
        )
    app = FastAPI(openapi_url=None)
    pages.register(access)
    ui.run_with(app, title="Memory inspector", show_welcome_message=False)  # pyright: ignore[reportUnknownMemberType]
    return Guard(app, hosts=[*allowed_hosts, *(LOOPBACK if loopback else ())], token=token)


async def serve(app: ASGIApp, host: str, port: int, *, on_ready: Callable[[str], object]) -> None:
    """Answer requests until SIGTERM or SIGINT.

    Args:
        app: Of `application`.
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
        raise ConfigurationError(f"{host}:{port} cannot be listened on: {error}; choose another one") from error
    # uvicorn hears these, and sends them on when it has ended; the memory is to be closed after that
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _heard)
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=_GRACE_SECONDS
    )
    shown = f"[{host}]" if family == socket.AF_INET6 else host
    on_ready(f"http://{shown}:{listening.getsockname()[1]}/")
    await uvicorn.Server(config).serve(sockets=[listening])


def _heard(number: int, frame: object) -> None:
    """Nothing more is to be done."""
