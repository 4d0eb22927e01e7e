"""Clients of the MCP server: the SDK's own, in both protocol revisions."""

from typing import Any

import mcp_types as types
from mcp import Client
from mcp.client.session import ClientRequestContext
from mcp.server.mcpserver import MCPServer

LEGACY, MODERN = "legacy", "auto"
"""Revisions with a handshake, and that of 2026-07-28."""


def says(action: str, content: dict[str, Any] | None = None) -> "Person":
    """A person who answers every question in the same way."""
    return Person([types.ElicitResult(action=action, content=content)])


class Person:
    """Answers questions in turn, the last answer again and again, and keeps what they were asked."""

    def __init__(self, answers: list[types.ElicitResult]) -> None:
        self.answers = answers
        self.asked: list[str] = []

    async def __call__(
        self, context: ClientRequestContext, params: types.ElicitRequestParams
    ) -> types.ElicitResult | types.ErrorData:
        answer = self.answers[min(len(self.asked), len(self.answers) - 1)]
        self.asked.append(params.message)
        return answer


def client(server: MCPServer[Any], mode: str = MODERN, person: Person | None = None) -> Client:
    """A client in this process."""
    return Client(server, mode=mode, elicitation_callback=person)


def text(result: types.CallToolResult) -> str:
    """What a model reads."""
    [block] = result.content
    assert isinstance(block, types.TextContent)
    return block.text


async def error(client: Client, tool: str, **arguments: Any) -> str:
    """What a model reads of a call that is in vain."""
    result = await client.call_tool(tool, arguments)
    assert result.is_error, text(result)
    assert result.structured_content is None
    return text(result)


async def call(client: Client, tool: str, **arguments: Any) -> tuple[str, dict[str, Any]]:
    """What a model reads, and the structured content."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, text(result)
    assert result.structured_content is not None
    return text(result), result.structured_content
