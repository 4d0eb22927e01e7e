"""A client of the MCP SDK before its second version: run by the tests with an interpreter that has only that."""

import asyncio
import json
import sys
from importlib.metadata import version
from typing import Any

from mcp import ClientSession, StdioServerParameters, types
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamablehttp_client


async def use(streams: Any) -> dict[str, Any]:
    """What a client sees: who the server is, its tools, an error, and a conflict that a person is asked about."""
    asked: list[str] = []

    async def person(context: Any, params: types.ElicitRequestParams) -> types.ElicitResult:
        asked.append(params.message)
        return types.ElicitResult(action="accept", content={"decision": "accept"})

    async with ClientSession(*streams[:2], elicitation_callback=person) as session:
        begun = await session.initialize()
        tools = [tool.name for tool in (await session.list_tools()).tools]
        found = await session.call_tool("search_memories", {"query": "deadline"})
        wrong = await session.call_tool("get_active_memories", {"memory_id": 99})
        decided = await session.call_tool("resolve_conflicts", {})
        prompt = await session.get_prompt("memory_context", {"query": "deadline"})
        return {
            "sdk": version("mcp"),
            "revision": begun.protocolVersion,
            "tools": tools,
            "found": [found.content[0].text, found.structuredContent],
            "wrong": [wrong.isError, wrong.content[0].text],
            "decided": decided.structuredContent,
            "asked": asked,
            "prompt": prompt.messages[0].content.text,
        }


async def main() -> dict[str, Any]:
    how, *rest = sys.argv[1:]
    if how == "http":
        async with streamablehttp_client(rest[0], headers={"Authorization": f"Bearer {rest[1]}"}) as streams:
            return await use(streams)
    server = StdioServerParameters(command=rest[0], args=["mcp", "--tenant", "alice"], env=json.loads(rest[1]))
    async with stdio_client(server) as streams:
        return await use(streams)


print(json.dumps(asyncio.run(main())))
