"""One call for all who ask for the same at the same time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class SharedCall(Generic[T]):
    """Calls that come while one is under way on their event loop wait for that one, and share its result or error.

    Nothing is kept: who comes later calls anew. Loops do not wait for each other, as one that waits may be what the
    other one needs to go on.
    """

    def __init__(self) -> None:
        self._running: dict[asyncio.AbstractEventLoop, asyncio.Future[T]] = {}

    async def __call__(self, function: Callable[[], Awaitable[T]]) -> T:
        """What the function returns, or what it returned to the caller who came first."""
        loop = asyncio.get_running_loop()
        while running := self._running.get(loop):
            await asyncio.wait([running])  # unlike awaiting it, this does not cancel it
            if not running.cancelled():
                return running.result()
        return await self._lead(loop, function)

    async def _lead(self, loop: asyncio.AbstractEventLoop, function: Callable[[], Awaitable[T]]) -> T:
        shared: asyncio.Future[T] = loop.create_future()
        self._running[loop] = shared
        try:
            result = await function()
        except Exception as error:
            shared.set_exception(error)
            shared.exception()  # seen, even if nobody else waits
            raise
        except BaseException:  # cancelled: one of those who wait takes over
            shared.cancel()
            raise
        finally:
            del self._running[loop]
        shared.set_result(result)
        return result
