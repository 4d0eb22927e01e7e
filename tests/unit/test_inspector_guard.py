"""Who may reach the inspector."""

import asyncio
from typing import Any

import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from langgraph_agentmem import AgentMemory
from langgraph_agentmem.errors import ConfigurationError
from langgraph_agentmem.inspector.access import Access
from langgraph_agentmem.inspector.application import application
from langgraph_agentmem.inspector.guard import Guard
from langgraph_agentmem.serving import is_loopback

MEMORY = AgentMemory.open("postgresql://127.0.0.1:1/nowhere")
TOKEN = "a token of some length"


async def inner(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("memory")(scope, receive, send)


def client(guard: Guard, base: str = "http://localhost:8765") -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(guard), base_url=base)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8765", "[::1]:8765", "LOCALHOST:1"])
async def test_who_asks_this_machine_by_name_is_answered(host: str) -> None:
    async with client(Guard(inner)) as browser:
        answer = await browser.get("/", headers={"host": host})
    assert (answer.status_code, answer.text) == (200, "memory")
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "localhost@evil.example", "", "127.0.0.2", "[", "evil#localhost"]
)
async def test_a_name_that_was_made_to_point_here_is_refused(host: str) -> None:
    async with client(Guard(inner)) as browser:
        answer = await browser.get("/", headers={"host": host})
    assert (answer.status_code, "memory" in answer.text.split()) == (403, False)


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:9999", "http://127.0.0.1:8765"])
async def test_pages_of_others_are_refused(origin: str) -> None:
    async with client(Guard(inner)) as browser:
        assert (await browser.post("/", headers={"origin": origin})).status_code == 403
        assert (await browser.post("/", headers={"origin": "http://localhost:8765"})).status_code == 200


async def sent(guard: Guard, **headers: str) -> list[Any]:
    """What a websocket that is to be opened is told."""
    told: list[Any] = []

    async def send(message: Any) -> None:
        told.append(message["type"])

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    named = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "websocket", "path": "/_nicegui_ws/socket.io/", "headers": named, "scheme": "ws"}
    await guard(scope, receive, send)
    return told


async def accepting(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "websocket.accept"})


async def test_websockets_are_guarded_alike() -> None:
    own = {"host": "localhost:1", "origin": "http://localhost:1"}
    assert await sent(Guard(accepting), **own) == ["websocket.accept"]
    assert await sent(Guard(accepting), **{**own, "origin": "http://evil.example"}) == ["websocket.close"]
    assert await sent(Guard(accepting), **{**own, "host": "evil.example"}) == ["websocket.close"]
    assert await sent(Guard(accepting, token=TOKEN), **own) == ["websocket.close"]


async def test_with_a_token_nothing_is_shown_to_whoever_does_not_know_it() -> None:
    guard = Guard(inner, token=TOKEN)
    async with client(guard) as browser, client(guard) as other:
        assert (await browser.get("/memory")).headers["location"] == "/login"
        assert (await browser.post("/_nicegui/upload")).status_code == 401
        assert "<script" not in (await browser.get("/login")).text
        wrong = ({"token": "wrong"}, {}, {"token": TOKEN + " "}, {"token": "x" * 10_000}, {"token": "ü"})
        answers = await asyncio.gather(*(browser.post("/login", data=each) for each in wrong))
        assert [answer.status_code for answer in answers] == [401] * 5
        assert (await browser.get("/")).status_code == 303
        opened = await browser.post("/login", data={"token": TOKEN})
        assert (opened.status_code, opened.headers["location"]) == (303, "/")
        assert all(flag in opened.headers["set-cookie"] for flag in ("HttpOnly", "SameSite=strict"))
        assert TOKEN not in opened.headers["set-cookie"]
        assert (await browser.get("/memory")).text == "memory"
        assert (await other.get("/memory", headers={"cookie": "agentmem_inspector=guessed"})).status_code == 303


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "localhost.evil.example", ""])
def test_others_than_this_machine_need_a_token_and_a_name(host: str) -> None:
    assert not is_loopback(host)
    with pytest.raises(ConfigurationError, match="set AGENTMEM_INSPECTOR_TOKEN"):
        application(Access(MEMORY), host, token=None, allowed_hosts=["memory.example.org"])
    with pytest.raises(ConfigurationError, match="--allowed-host"):
        application(Access(MEMORY), host, token=TOKEN)
