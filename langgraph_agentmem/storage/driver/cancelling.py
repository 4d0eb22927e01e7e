"""A pool whose workers end when they are cancelled.

psycopg's pool takes a cancellation for an error of the server, and goes on: `asyncio.run`, which cancels each task once
and waits for it, would never return where a coroutine ends while connections are made.
"""

import asyncio
from typing import Any, Self, cast

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from psycopg_pool import AsyncConnectionPool


class _CancelledError(BaseException):
    """A cancellation under a name that the pool does not take for the server's."""


class PooledConnection(AsyncConnection[DictRow]):
    """A connection that tells the pool's worker when it was cancelled while it was made."""

    @classmethod
    async def connect(cls, *args: Any, **kwargs: Any) -> Self:  # pyright: ignore[reportIncompatibleMethodOverride]
        """As psycopg's."""
        try:
            return cast("Self", await cast("Any", super()).connect(*args, **kwargs))
        except BaseException as error:
            if _cancelled():
                raise _CancelledError from error
            raise


class CancellablePool(AsyncConnectionPool[PooledConnection]):
    """A connection pool that `asyncio.run` can end."""

    _closing: asyncio.Event

    async def open(self, wait: bool = False, timeout: float = 30) -> None:  # noqa: ASYNC109 - psycopg's signature
        """As psycopg's."""
        self._closing = asyncio.Event()
        await super().open(wait, timeout)
        self._guard = asyncio.create_task(self._end_with_loop(), name="agentmem guard")

    async def close(self, timeout: float = 5) -> None:  # noqa: ASYNC109 - as above
        """As psycopg's."""
        self._closing.set()
        await super().close(timeout)

    async def _end_with_loop(self) -> None:
        """Cancel the pool's tasks for as long as they swallow it, when the loop cancels what it still runs."""
        try:
            await self._closing.wait()
        except asyncio.CancelledError:
            while left := [task for task in asyncio.all_tasks() if task.get_name().startswith(f"{self.name}-")]:
                for task in left:
                    task.cancel()
                await asyncio.wait(left, timeout=0.01)
            raise

    @classmethod
    async def worker(cls, q: Any) -> None:
        """As psycopg's, until it is cancelled."""
        try:
            await super().worker(cast("Any", _Tasks(q)))
        except _CancelledError:
            raise asyncio.CancelledError from None


class _Tasks:
    """The queue of a worker, which gives it nothing more when it was cancelled."""

    def __init__(self, queue: "asyncio.Queue[Any]") -> None:
        self._queue = queue

    async def get(self) -> Any:
        if _cancelled():
            raise asyncio.CancelledError
        return await self._queue.get()


def _cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
