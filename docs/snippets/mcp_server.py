"""The MCP server within an application: a client that holds it, and tokens that the application knows."""

# [client]
import asyncio

from mcp import Client

from langgraph_agentmem import AgentMemory
from langgraph_agentmem.mcp import create_mcp_server


async def main() -> None:
    memory = AgentMemory.open()
    async with memory, Client(create_mcp_server(memory, tenant="bob")) as client:
        sections = [{"id": "plan", "content": "- Deadline: May 1"}]
        await client.call_tool("create_active_memory", {"title": "Apollo", "sections": sections})
        found = await client.call_tool("search_memories", {"query": "When is the deadline?"})
        print(found.content[0].text, found.structured_content["hits"][0]["score"])


asyncio.run(main())
# [end]

# [app]
from mcp.server.auth.provider import AccessToken

from langgraph_agentmem.mcp import create_mcp_app


class Sessions:
    """Knows users by the tokens that the application has given them."""

    def __init__(self, users: dict[str, str]) -> None:
        self.users = users

    async def verify_token(self, token: str) -> AccessToken | None:
        user = self.users.get(token)
        return AccessToken(token=token, client_id="web", scopes=[], subject=user) if user else None


memory = AgentMemory.open()
server = create_mcp_server(memory, token_verifier=Sessions({"0f3a…": "alice"}))
app = create_mcp_app(server, host="0.0.0.0", allowed_hosts=["memory.example.org"])  # for uvicorn, say
# [end]
