"""Turns at something that only so many can have at once."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from langgraph_agentmem.errors import TooManyCallsError


class Turns:
    """The turns of one event loop's callers, first come, first served.

    Args:
        count: How many have a turn at once.
        most_waiting: How many may wait for one.
    """

    def __init__(self, count: int, most_waiting: int) -> None:
        self._count = self._free = count
        self._most_waiting = most_waiting
        self._waiting: dict[asyncio.Future[None], float] = {}
        """Since when, in their order: a dict, as those who give up leave from anywhere."""

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[None]:
        """Wait for a turn, however long it takes, and have it for the block.

        Whoever has one, and what it has called or started since, takes another one at once: if these waited here for
        each other, nobody would ever go on.

        Raises:
            TooManyCallsError: Too many wait already.
        """
        held = tuple(other for other in _HELD.get() if other.open)
        mine = _Held(self)
        nested = any(other.turns is self for other in held)
        if not nested:
            await self._take()
        _HELD.set((*held, mine))
        try:
            yield
        finally:
            mine.open = False
            _HELD.set(held)  # not by a token: a block may end in another context than it began in
            if not nested:
                self._give_on()

    def refuse(self, waiting_since: float, error: Callable[[], Exception]) -> None:
        """Let those fail who wait since then, by the loop's clock, or longer."""
        for waiter, since in self._waiting.items():
            if since <= waiting_since and not waiter.done():
                waiter.set_exception(error())

    async def _take(self) -> None:
        if self._free:
            self._free -= 1
            return
        if len(self._waiting) >= self._most_waiting:
            raise TooManyCallsError(
                f"{len(self._waiting):,} calls wait for one of {self._count} connections already, which is the limit; "
                "start fewer calls at once, or raise pool_size or max_waiting_calls"
            )
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        self._waiting[waiter] = loop.time()
        try:
            await waiter
        except BaseException:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._give_on()  # cancelled when it had just been given its turn
            raise
        finally:
            self._waiting.pop(waiter, None)

    def _give_on(self) -> None:
        while self._waiting:
            waiter = next(iter(self._waiting))
            del self._waiting[waiter]
            if not waiter.done():  # else cancelled, or refused
                waiter.set_result(None)
                return
        self._free += 1


@dataclass
class _Held:
    turns: Turns
    open: bool = True
    """Not any more where a task outlives the block in which it was started."""


_HELD: ContextVar[tuple[_Held, ...]] = ContextVar("_HELD", default=())
