"""Time as an event loop has it."""

import asyncio
import weakref
from collections.abc import Callable
from types import TracebackType

_TICK = 0.05


class LoopClock:
    """Counts the seconds of a block in which its event loop came round.

    A loop that has ten thousand callbacks to run before it looks at its sockets again has not waited for anybody
    meanwhile: as the server cannot be blamed for that, such a turn counts as no more than a moment.
    """

    seconds: float = 0.0
    """So far."""

    def __enter__(self) -> "LoopClock":
        """Start counting."""
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(_TICK, self._tick)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop counting."""
        self._timer.cancel()

    def _tick(self) -> None:
        self.seconds += _TICK
        self._timer = self._loop.call_later(_TICK, self._tick)


def call_later(seconds: float, method: Callable[[], None]) -> asyncio.TimerHandle:
    """Call an object's method after so many seconds of the running event loop, if somebody else still holds the object.

    A memory that nobody holds any more, as that of a notebook's cell that was run again, goes with its connections;
    timers would keep both until then.
    """
    return asyncio.get_running_loop().call_later(seconds, _call, weakref.WeakMethod(method))


def _call(method: "weakref.WeakMethod[Callable[[], None]]") -> None:
    if (living := method()) is not None:
        living()
