"""`agentmem mcp`, as clients start and reach it: processes of their own, over stdio and over HTTP."""

import asyncio
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp_clients import LEGACY, MODERN, call, error, says
from mcp_servers import HttpServer, over_stdio
from typer.testing import CliRunner, Result

from langgraph_agentmem import AgentMemory
from langgraph_agentmem.cli.app import app

SECTIONS = [{"id": "plan", "content": "- Deadline: May 1"}]


def here(*arguments: str, **environment: str) -> Result:
    """Runs the command in this process."""
    return CliRunner().invoke(app, ["mcp", *arguments], env=environment)


# Over stdio


@pytest.mark.parametrize("mode", [LEGACY, MODERN])
async def test_over_stdio_a_client_works_with_the_memory_of_the_tenant_that_was_named(
    dsn: str, memory: AgentMemory, mode: str
) -> None:
    await memory.acreate_active_memory("bob", "Secret", {"sections": ["a"]}, {"a": "the deadline of bob"})
    named = over_stdio(dsn, AGENTMEM_MCP_TENANT="alice") if mode == LEGACY else over_stdio(dsn, "--tenant", "alice")
    async with Client(named, mode=mode, elicitation_callback=says("decline")) as alice:
        assert len((await alice.list_tools()).tools) == 8
        _, made = await call(alice, "create_active_memory", title="Apollo", sections=SECTIONS)
        said, _ = await call(alice, "search_memories", query="deadline")
        assert said.endswith("- Deadline: May 1")
        assert "no active memory 99" in await error(alice, "get_active_memories", memory_id=99)
        assert "- Deadline: May 1" in (await alice.get_prompt("memory_context")).messages[0].content.text
    assert [each.id for each in await memory.aget_active_memories("alice")] == [made["id"]]


# Over HTTP


PING = {
    "jsonrpc": "2.0", "id": 1, "method": "tools/call",
    "params": {"name": "search_memories", "arguments": {"query": "deadline"}},
}  # fmt: skip
ACCEPT = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-06-18"}


async def post(url: str, headers: dict[str, str], body: Any = None) -> httpx2.Response:
    async with httpx2.AsyncClient(timeout=60) as http:
        return await http.post(url, json=PING if body is None else body, headers=ACCEPT | headers)


@contextmanager
def damaged(file: Path) -> Iterator[None]:
    whole = file.read_text()
    file.write_text(whole + "damaged")
    yield
    file.write_text(whole)


@pytest.fixture
def tokens(tmp_path: Path) -> dict[str, str]:
    """Tokens by the names of tenants, and the file."""
    file = str(tmp_path / "tokens.jsonl")
    made = {
        tenant: here("token", "add", f"{tenant}'s laptop", "--tenant", tenant, "--tokens", file).stdout.strip()
        for tenant in ("alice", "bob")
    }
    return made | {"file": file}


@pytest.fixture
def serving(dsn: str, tokens: dict[str, str], request: pytest.FixtureRequest) -> Iterator[HttpServer]:
    running = HttpServer(dsn, "--tokens", tokens["file"], "--allow-forget", *getattr(request, "param", []))
    yield running
    running.end()


async def test_over_http_each_token_opens_its_tenants_memory_only(
    serving: HttpServer, tokens: dict[str, str], memory: AgentMemory
) -> None:
    """Both tenants at once, in both revisions: what one writes never comes to the other."""

    async def use(tenant: str, mode: str) -> str:
        async with serving.client(tokens[tenant], mode) as mcp:
            title = f"{tenant} {mode}"
            _, made = await call(mcp, "create_active_memory", title=title, sections=[{"id": "a"}])
            edit = {"memory_id": made["id"], "section_id": "a", "action": "insert"}
            said = []
            for number in range(5):
                await call(mcp, "update_memory_section", **edit, new_content=f"- deadline {number} of {tenant}")
                said.append((await call(mcp, "search_memories", query="deadline alice bob", limit=50))[0])
            said.append(str((await mcp.get_prompt("memory_context", {"query": "deadline"})).messages))
            said.append(str((await mcp.read_resource("agentmem://memories")).contents))
            return "\n".join(said)

    said = await asyncio.gather(*(use(tenant, mode) for tenant in ("alice", "bob") for mode in (LEGACY, MODERN)))
    assert [("of alice" in text, "of bob" in text, "alice " in text.lower(), "bob " in text) for text in said] == [
        (True, False, True, False),
        (True, False, True, False),
        (False, True, False, True),
        (False, True, False, True),
    ]
    [bobs, *_] = await memory.aget_active_memories("bob")
    async with serving.client(tokens["alice"]) as alice:
        for tool in ("get_active_memories", "forget", "delete_active_memory"):
            assert f"no active memory {bobs.id}" in await error(alice, tool, memory_id=bobs.id)
    hit = (await memory.asearch("bob", "deadline"))[0]
    assert hit.source == "bob's laptop"
    assert serving.stop() == (0, "")


@pytest.mark.parametrize("serving", [["--rate", "60", "--max-body", "100000"]], indirect=True)
async def test_who_has_no_good_token_comes_from_elsewhere_or_sends_too_much_is_not_let_in(
    serving: HttpServer, tokens: dict[str, str]
) -> None:
    good = {"Authorization": f"Bearer {tokens['alice']}"}
    assert (await post(serving.url, good)).status_code == 200
    for headers in ({}, {"Authorization": "Bearer guessed"}, {"Authorization": tokens["alice"]}):
        refused = await post(serving.url, headers)
        assert (refused.status_code, refused.headers["WWW-Authenticate"][:6]) == (401, "Bearer")
    assert (await post(serving.url, good | {"Host": "memory.evil.org"})).status_code == 421
    assert (await post(serving.url, good | {"Origin": "https://evil.org"})).status_code == 403
    large = PING | {"params": {"name": "search_memories", "arguments": {"query": "x" * 100_000}}}
    assert (await post(serving.url, good, large)).status_code == 413
    assert here("token", "revoke", "alice's laptop", "--tokens", tokens["file"]).stdout == "1 revoked\n"
    assert (await post(serving.url, good)).status_code == 401

    # a damaged file lets nobody in, and is not taken for one without that token
    bob = {"Authorization": f"Bearer {tokens['bob']}"}
    with damaged(Path(tokens["file"])):
        assert (await post(serving.url, bob)).status_code == 500
    assert (await post(serving.url, bob)).status_code == 200

    # as many at once as may be sent in a minute, and a few more; others are not kept waiting
    ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    assert (await post(serving.url, bob, ping)).status_code == 200
    async with httpx2.AsyncClient(headers=ACCEPT | bob, timeout=60) as http:
        answers = await asyncio.gather(*(http.post(serving.url, json=ping) for _ in range(120)))
    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(refused) >= 20
    assert {answer.headers["Retry-After"] for answer in refused} == {"1"}
    assert "More than 60 requests in a minute" in refused[0].text
    carol = here("token", "add", "carol", "--tenant", "carol", "--tokens", tokens["file"]).stdout.strip()
    assert (await post(serving.url, {"Authorization": f"Bearer {carol}"}, ping)).status_code == 200


# Tokens, and what is refused before anything is served


def test_tokens_are_listed_without_what_they_are(tmp_path: Path) -> None:
    file = str(tmp_path / "tokens.jsonl")
    assert here("token", "list", "--tokens", file).stdout == "There are no tokens.\n"
    made = here("token", "add", "[red]laptop", "--tenant", "alice", "--days", "90", AGENTMEM_MCP_TOKENS=file).stdout
    listed = here("token", "list", "--tokens", file).stdout
    assert "[red]laptop" in listed
    assert "alice" in listed
    assert made.strip() not in listed
    [told] = json.loads(here("token", "list", "--tokens", file, "--json").stdout)
    assert (told["name"], told["tenant"], "sha256" in told) == ("[red]laptop", "alice", False)
    nobody = here("token", "revoke", "nobody", "--tokens", file)
    assert (nobody.exit_code, nobody.stdout) == (1, "0 revoked\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "say whose memory it is: --tenant, or AGENTMEM_MCP_TENANT"),
        (["--tenant", " "], "external_id must not be empty"),
        (["--http", "127.0.0.1"], "'127.0.0.1' is no address to listen on; it looks like 127.0.0.1:8000"),
        (["--http", "127.0.0.1:0"], "say whose memory it is"),
        (["--http", "0.0.0.0:0", "--tenant", "alice"], "whoever reaches 0.0.0.0 would be let in"),
        (["--http", "0.0.0.0:0", "--tokens", "none.jsonl"], "say under which names"),
        (["--http", "127.0.0.1:0", "--tenant", "alice", "--tokens", "none.jsonl"], "leave out --tenant"),
        (["--tokens", "none.jsonl"], "tokens are for --http"),
        (["--http", "127.0.0.1:0", "--tokens", "/"], "the file of tokens '/' cannot be read"),
    ],
)
def test_what_would_not_be_safe_or_cannot_be_is_refused_in_one_line(arguments: list[str], said: str) -> None:
    done = here(*arguments, AGENTMEM_DSN="postgresql://127.0.0.1:1/nowhere")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("error: ")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_file_of_tokens_may_be_in_the_home_folder(tmp_path: Path) -> None:
    home, file = {"HOME": str(tmp_path)}, "~/tokens.jsonl"
    assert here("token", "add", "laptop", "--tenant", "alice", AGENTMEM_MCP_TOKENS=f"{file}\r", **home).exit_code == 0
    assert "laptop" in here("token", "list", f"--tokens={file}", **home).stdout
    assert "laptop" in (tmp_path / "tokens.jsonl").read_text(encoding="utf-8")
    refused = here("token", "list", "--tokens=$HOME/tokens.jsonl")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "no shell has read" in refused.stderr


@pytest.mark.parametrize("days", ["0", "nan", "inf", "1e300"])
def test_a_token_lasts_for_days_that_can_be_counted(tmp_path: Path, days: str) -> None:
    done = here("token", "add", "x", "--tenant", "alice", "--days", days, "--tokens", str(tmp_path / "tokens.jsonl"))
    assert (done.exit_code, done.stdout) == (1, "")
    assert "days must be more than 0 and less than 100,000" in done.stderr


@pytest.mark.parametrize("name", ["AGENTMEM_MCP_TENANT", "AGENTMEM_MCP_TOKENS"])
@pytest.mark.parametrize("blank", ["", " ", "\r"])
def test_a_variable_that_was_not_filled_in_lets_nobody_in(name: str, blank: str) -> None:
    named = {"AGENTMEM_MCP_TENANT": "alice", name: blank}
    done = here("--http", "127.0.0.1:0", AGENTMEM_DSN="postgresql://127.0.0.1:1/nowhere", COLUMNS="200", **named)
    assert (done.exit_code, done.stdout) == (2, "")
    assert f"{name} must not be empty; leave it out" in done.stderr


def test_an_address_that_is_taken_is_an_error(dsn: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = here("--http", f"127.0.0.1:{taken.getsockname()[1]}", "--tenant", "alice", AGENTMEM_DSN=dsn)
    assert done.exit_code == 1
    assert "cannot be listened on" in done.stderr
