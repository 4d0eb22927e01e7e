"""The MCP server in processes of its own, as clients start and reach it."""

import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import forking
import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp_clients import MODERN, Person

AGENTMEM = str(Path(sys.executable).with_name("agentmem"))


def environment(dsn: str) -> dict[str, str]:
    """What clients have to hand on, as they start a server with little else."""
    return {"AGENTMEM_DSN": dsn, "PYTHONPATH": os.environ.get("PYTHONPATH", "")}


def over_stdio(dsn: str, *arguments: str, **more: str) -> StdioServerParameters:
    """What a client starts."""
    return StdioServerParameters(command=AGENTMEM, args=["mcp", *arguments], env=environment(dsn) | more)


class HttpServer:
    """A server that listens at a free port."""

    def __init__(self, dsn: str, *arguments: str) -> None:
        command = [AGENTMEM, "mcp", "--http", "127.0.0.1:0", *arguments]
        self.process = forking.Process(*command, env=os.environ | {"AGENTMEM_DSN": dsn})
        self.first = self.process.until_it_says("listening on http://127.0.0.1:")
        self.url = self.first.removeprefix("listening on ")

    def stop(self) -> tuple[int, str]:
        """Tell it to end; how it has ended, and what it has said besides where it listens."""
        self.process.send_signal(signal.SIGTERM)
        done = self.process.wait(60)
        return done.returncode, done.stderr.removeprefix(f"{self.first}\n")

    def end(self) -> None:
        """See to it that it is gone."""
        self.process.end()

    @asynccontextmanager
    async def client(self, token: str, mode: str = MODERN, person: Person | None = None) -> AsyncIterator[Client]:
        """A client with a token."""
        headers = {"Authorization": f"Bearer {token}"}
        async with (
            httpx2.AsyncClient(headers=headers, timeout=60) as http,
            Client(
                streamable_http_client(self.url, http_client=http), mode=mode, elicitation_callback=person
            ) as client,
        ):
            yield client
