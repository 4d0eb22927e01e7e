"""An MCP server whose tokens an authorization server issues tells clients where they get them (RFC 9728)."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx2
import uvicorn
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.server.auth.provider import AccessToken
from mcp.server.auth.settings import AuthSettings
from mcp_clients import call
from pydantic import AnyHttpUrl
from starlette.applications import Starlette

from langgraph_agentmem import AgentMemory
from langgraph_agentmem.mcp import create_mcp_app, create_mcp_server

ISSUER = "https://login.example.org/"
RESOURCE = "https://memory.example.org/mcp"
PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
ACCEPT = {"Accept": "application/json, text/event-stream"}


class Issued:
    """Knows the tokens of an authorization server, as one that asks that server would."""

    async def verify_token(self, token: str) -> AccessToken | None:
        resource = {"of alice": RESOURCE, "of alice, for mail": "https://mail.example.org/"}.get(token)
        if resource is None:
            return None
        return AccessToken(token=token, client_id="desktop", scopes=["memory"], subject="alice", resource=resource)


@asynccontextmanager
async def served(app: Starlette) -> AsyncGenerator[str]:
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", ws="none"))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        assert not serving.done()
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    await serving


async def test_who_is_refused_learns_where_tokens_are_got_and_whose_token_it_is_counts(memory: AgentMemory) -> None:
    auth = AuthSettings(
        issuer_url=AnyHttpUrl(ISSUER), resource_server_url=AnyHttpUrl(RESOURCE), required_scopes=["memory"],
        validate_token_resource=True,
    )  # fmt: skip
    server = create_mcp_server(memory, token_verifier=Issued(), auth=auth)
    async with served(create_mcp_app(server)) as url, httpx2.AsyncClient(timeout=60, headers=ACCEPT) as http:
        refused = await http.post(f"{url}/mcp", json=PING)
        assert refused.status_code == 401
        metadata = "https://memory.example.org/.well-known/oauth-protected-resource/mcp"
        assert f'resource_metadata="{metadata}"' in refused.headers["WWW-Authenticate"]

        told = await http.get(f"{url}/.well-known/oauth-protected-resource/mcp")
        assert told.status_code == 200
        assert told.json().items() >= {
            "resource": RESOURCE, "authorization_servers": [ISSUER], "scopes_supported": ["memory"],
            "bearer_methods_supported": ["header"],
        }.items()  # fmt: skip

        for token in ("of bob", "of alice, for mail"):
            other = await http.post(f"{url}/mcp", json=PING, headers={"Authorization": f"Bearer {token}"})
            assert other.status_code == 401
        http.headers["Authorization"] = "Bearer of alice"
        async with Client(streamable_http_client(f"{url}/mcp", http_client=http)) as alice:
            await call(alice, "create_active_memory", title="Apollo", sections=[{"id": "plan"}])
    assert [each.title for each in await memory.aget_active_memories("alice")] == ["Apollo"]


async def test_a_server_with_tokens_of_its_own_names_nobody_else(memory: AgentMemory) -> None:
    server = create_mcp_server(memory, token_verifier=Issued())
    async with served(create_mcp_app(server)) as url, httpx2.AsyncClient(timeout=60, headers=ACCEPT) as http:
        refused = await http.post(f"{url}/mcp", json=PING)
        assert (refused.status_code, "resource_metadata" in refused.headers["WWW-Authenticate"]) == (401, False)
        assert (await http.get(f"{url}/.well-known/oauth-protected-resource/mcp")).status_code in (401, 404)
