"""Who may reach the inspector: hosts, origins, and whoever knows the token."""

import asyncio
import secrets
import time
from collections.abc import Iterable
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from langgraph_agentmem.serving import LOOPBACK

_COOKIE = "agentmem_inspector"
_SESSION_SECONDS = 12 * 60 * 60
_LONGEST_FORM = 4096
_SLOW_SECONDS = 0.5
"""How long a wrong token takes, so that nobody tries many."""
_POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Memory inspector</title><style>body{font:16px/1.5 system-ui,sans-serif;max-width:22rem;margin:15vh auto;
padding:0 1rem}input,button{font:inherit;width:100%;box-sizing:border-box;padding:.5rem;margin:.4rem 0}</style></head>
<body><form method="post" action="/login"><h1>Memory inspector</h1><label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="current-password" autofocus required>
<button>Open</button><p role="alert">REASON</p></form></body></html>"""


class Guard:
    """Lets through what comes under a name of this server, from its own pages, from whoever has entered the token.

    A page of another site that a browser shows can send requests here, and through a name that it lets point here (DNS
    rebinding) read the answers; it cannot choose the host, or the origin, that they carry.
    """

    def __init__(self, app: ASGIApp, *, hosts: Iterable[str] = LOOPBACK, token: str | None = None) -> None:
        self._app = app
        self._hosts = {host.lower() for host in hosts}
        self._token = token
        self._sessions = dict[str, float]()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as ASGI wants it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif (answer := await self._instead(scope, receive)) is None:
            await self._app(scope, receive, _secured(send))
        elif scope["type"] == "http":
            await answer(scope, receive, _secured(send))
        else:  # before it was accepted, a closed websocket is an answer 403
            await send({"type": "websocket.close", "code": 1008})

    async def _instead(self, scope: Scope, receive: Receive) -> Response | None:
        """What is answered in the application's place; None where it may answer."""
        headers = Headers(scope=scope)
        if (wrong := _wrong_address(headers, self._hosts)) is not None:
            return PlainTextResponse(wrong, 403)
        if self._token is None:
            return None
        if scope["type"] == "http" and scope["path"] == "/login":
            return await self._login(Request(scope, receive), self._token)
        if self._knows(HTTPConnection(scope)):
            return None
        return RedirectResponse("/login", 303) if scope.get("method") == "GET" else PlainTextResponse("log in", 401)

    def _knows(self, connection: HTTPConnection) -> bool:
        until = self._sessions.get(connection.cookies.get(_COOKIE, ""))
        return until is not None and time.monotonic() < until

    async def _login(self, request: Request, token: str) -> Response:
        if request.method != "POST":
            return _form("")
        given = await _given_token(request)
        if not secrets.compare_digest(given.encode(), token.encode()):
            await asyncio.sleep(_SLOW_SECONDS)
            return _form("That is not the token.", 401)
        now = time.monotonic()
        self._sessions = {known: until for known, until in self._sessions.items() if now < until}
        session = secrets.token_urlsafe(32)
        self._sessions[session] = now + _SESSION_SECONDS
        answer = RedirectResponse("/", 303)
        secure = request.url.scheme == "https"
        answer.set_cookie(_COOKIE, session, max_age=_SESSION_SECONDS, httponly=True, samesite="strict", secure=secure)
        return answer


def _wrong_address(headers: Headers, hosts: set[str]) -> str | None:
    """What is wrong with the host or the origin of a request."""
    host = headers.get("host", "")
    if len(headers.getlist("host")) != 1 or _name(host) not in hosts:
        return "The inspector is not known under this name; `agentmem inspect --allowed-host` adds one."
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
        return "Only the inspector's own pages may ask it."
    return None


def _name(host: str) -> str | None:
    """The name of a host header, without its port and an IPv6 address' brackets."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


async def _given_token(request: Request) -> str:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _LONGEST_FORM:
            return ""
    return parse_qs(body.decode("utf-8", "replace")).get("token", [""])[0]


def _form(reason: str, status: int = 200) -> Response:
    return HTMLResponse(_PAGE.replace("REASON", reason), status)


def _secured(send: Send) -> Send:
    """Adds what tells a browser not to frame a page, load anything from elsewhere, or tell others where it was."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["Content-Security-Policy"] = _POLICY
            headers["Referrer-Policy"] = "no-referrer"
            headers["X-Content-Type-Options"] = "nosniff"
            if headers.get("content-type", "").startswith("text/html"):
                headers["Cache-Control"] = "no-store"
        await send(message)

    return sending
