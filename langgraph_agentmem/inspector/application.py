"""The inspector as a web application."""

from collections.abc import Sequence
from typing import Final

from fastapi import FastAPI
from nicegui import ui
from starlette.types import ASGIApp

from langgraph_agentmem import serving
from langgraph_agentmem.inspector import pages
from langgraph_agentmem.inspector.access import Access
from langgraph_agentmem.inspector.guard import Guard

GRACE_SECONDS: Final = 1
"""Pages keep their connections open, so that to wait for longer is to wait in vain."""


def application(access: Access, host: str, *, token: str | None, allowed_hosts: Sequence[str] = ()) -> ASGIApp:
    """What answers requests for an address.

    Raises:
        ConfigurationError: Others than this machine would be let in without a token, or under no name.
    """
    known_as = serving.names(host, allowed_hosts, asks=token is not None, remedy="set AGENTMEM_INSPECTOR_TOKEN")
    app = FastAPI(openapi_url=None)
    pages.register(access)
    ui.run_with(app, title="Memory inspector", show_welcome_message=False)  # pyright: ignore[reportUnknownMemberType]
    return Guard(app, hosts=known_as, token=token)
