"""Clients that are not the present SDK's: the SDK before its second version, and LangChain's adapter in an agent."""

import asyncio
import json
import subprocess
import sys
import sysconfig
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fakes import TurnsModel, calls
from langchain.agents import create_agent
from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command
from mcp_servers import AGENTMEM, HttpServer, environment, over_stdio
from reviewing import NEW, OLD, parked, valid

from langgraph_agentmem import AgentMemory
from langgraph_agentmem.mcp import TokenFile

Open = Callable[..., AgentMemory]
OLDER = Path(__file__).with_name("older_mcp_client.py")


@pytest.fixture(scope="module")
def older(shared_folder: Path) -> Path:
    """An interpreter with the SDK before its second version; what that needs besides is lent by this one."""
    folder = shared_folder / "older-mcp"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python, [packages] = folder / "bin" / "python", folder.glob("lib/*/site-packages")
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--retries", "0", "--timeout", "20"]
    install = [*pip, "--no-deps", "mcp<2", "httpx-sse"]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"mcp<2 cannot be installed, as without a package registry: {done.stderr[-300:]}")
    (packages / "lent.pth").write_text(sysconfig.get_path("purelib"))  # behind what is its own
    return python


@pytest.mark.slow
async def test_an_older_client_works_over_stdio_and_over_http(
    older: Path, dsn: str, opened: Open, tmp_path: Path
) -> None:
    """Over stdio a person is asked; over HTTP, where there is no way back, the client gets the list."""
    memory = opened(review="always")
    _, _, dispute = await parked(memory)
    tokens = TokenFile(tmp_path / "tokens.jsonl")
    http = HttpServer(dsn, "--tokens", str(tokens.path))
    try:
        for how in (
            ["http", http.url, tokens.add("older", "alice")],
            ["stdio", AGENTMEM, json.dumps(environment(dsn))],
        ):
            command = [older, OLDER, *how]
            done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=300)
            assert done.returncode == 0, done.stderr
            seen: dict[str, Any] = json.loads(done.stdout)
            assert (seen["sdk"][:2], seen["revision"]) == ("1.", "2025-11-25")
            assert len(seen["tools"]) == 8
            assert {hit["content"] for hit in seen["found"][1]["hits"]} == {OLD, NEW}
            assert NEW in seen["found"][0]
            assert seen["wrong"] == [True, "tenant 'alice' has no active memory 99"]
            assert NEW in seen["prompt"]
            if how[0] == "http":
                assert seen["asked"] == []
                assert [each["dispute"] for each in seen["decided"]["pending"]] == [dispute]
    finally:
        http.end()
    assert f"New: '{NEW}'" in seen["asked"][0]
    assert seen["decided"]["decided"] == [dispute]
    assert await valid(memory) == {NEW}


async def test_an_agent_uses_it_by_langchains_adapter_and_a_conflict_interrupts_it(dsn: str, opened: Open) -> None:
    pytest.importorskip("fastmcp", reason="LangChain's MCP adapter needs fastmcp-slim[client]")
    from fastmcp.client.transports import StdioTransport

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is in beta
        from langchain.mcp import MCPAdapter

    memory = opened(review="always")
    await parked(memory)
    server = over_stdio(dsn, "--tenant", "alice")
    turns = [
        calls(("search_memories", {"query": "deadline"})),
        calls(("resolve_conflicts", {})),
        AIMessage("June 1 it is."),
    ]
    async with MCPAdapter(StdioTransport(server.command, server.args, env=server.env)) as adapter:
        agent = create_agent(TurnsModel(turns=turns), await adapter.list_tools(), checkpointer=InMemorySaver())
        thread: Any = {"configurable": {"thread_id": "1"}}
        state = await agent.ainvoke({"messages": [("user", "When is the deadline?")]}, thread)
        [interrupt] = state["__interrupt__"]
        [request] = interrupt.value["requests"]
        assert f"New: '{NEW}'" in request["message"]
        answers = {"responses": {request["key"]: {"action": "accept", "content": {"decision": "accept"}}}}
        state = await agent.ainvoke(Command(resume=answers), thread)
    said = [str(message.content) for message in state["messages"] if message.type == "tool"]
    assert NEW in said[0]
    assert "Decided and carried out" in said[1]
    assert await valid(memory) == {NEW}
