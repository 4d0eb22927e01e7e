"""Refuses who sends more requests than is good for the others, before anything is done for them."""

import math
import time
from collections import OrderedDict

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from langgraph_agentmem.policies.rationing import Bucket, taken

_MOST_CALLERS = 10_000
"""Callers that are remembered; who was not heard of for longest starts anew, as they would anyway after a minute."""


class RateLimit:
    """Answers 429, and after how many seconds to try again, to whom has used up what one caller may send in a minute.

    A caller is a token that was found good; whoever has none is known by their address. It stands behind the
    authentication, so that nobody can be kept out by others who use their name.
    """

    def __init__(self, app: ASGIApp, per_minute: int) -> None:
        self._app = app
        self._per_minute = per_minute
        self._buckets: OrderedDict[tuple[str, str], Bucket] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        wait = self._wait(_caller(scope)) if scope["type"] == "http" else 0.0
        if not wait:
            return await self._app(scope, receive, send)
        seconds = math.ceil(wait)
        refusal = PlainTextResponse(
            f"More than {self._per_minute:,} requests in a minute; try again in {seconds} s.",
            status_code=429,
            headers={"Retry-After": str(seconds)},
        )
        return await refusal(scope, receive, send)

    def _wait(self, caller: tuple[str, str]) -> float:
        bucket, wait = taken(self._buckets.pop(caller, None), time.monotonic(), self._per_minute)
        self._buckets[caller] = bucket
        if len(self._buckets) > _MOST_CALLERS:
            self._buckets.popitem(last=False)
        return wait


def _caller(scope: Scope) -> tuple[str, str]:
    user = scope.get("user")
    if isinstance(user, AuthenticatedUser):
        return "token", user.access_token.token
    return "address", (scope.get("client") or ("unknown",))[0]
