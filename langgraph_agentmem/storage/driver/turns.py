"""Turns at something that only so many can have at once."""

import asyncio
from collections.abc import Callable
from contextvars import ContextVar

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

    async def take(self) -> "Turn":
        """Wait for a turn, however long it takes; whoever takes one ends it.

        Whoever has one, and what it has called or started since, does not wait for another one: if these waited here
        for each other, nobody would ever go on.

        Raises:
            TooManyCallsError: Too many wait already.
        """
        held = [turn for turn in _HELD.get() if turn.open]
        turn = Turn(self)
        if self._free:
            self._free -= 1
        elif any(outer.turns is self for outer in held):
            turn.counts = False
        else:
            await self._wait()
        _HELD.set((*held, turn))
        return turn

    def refuse(self, waiting_since: float, error: Callable[[], Exception]) -> None:
        """Let those fail who wait since then, by the loop's clock, or longer."""
        for waiter, since in self._waiting.items():
            if since <= waiting_since and not waiter.done():
                waiter.set_exception(error())

    async def _wait(self) -> None:
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
                self.give_on()  # cancelled when it had just been given its turn
            raise
        finally:
            self._waiting.pop(waiter, None)

    def give_on(self) -> None:
        """Give a turn that has ended to whoever waits first."""
        while self._waiting:
            waiter = next(iter(self._waiting))
            del self._waiting[waiter]
            if not waiter.done():  # else cancelled, or refused
                waiter.set_result(None)
                return
        self._free += 1


class Turn:
    """A turn that was taken."""

    __slots__ = ("counts", "open", "turns")

    def __init__(self, turns: Turns) -> None:
        self.turns: Turns = turns
        self.counts: bool = True
        """Not where it was taken although none was free."""
        self.open: bool = True
        """Not any more where a task outlives the block in which it was started."""

    def end(self) -> None:
        """Leave it to the next."""
        self.open = False
        if self.counts:
            self.turns.give_on()


_HELD: ContextVar[tuple[Turn, ...]] = ContextVar("_HELD", default=())
"""The turns that were taken here; some have ended. These stay until the next is taken: a block may end in another
context than it began in."""
