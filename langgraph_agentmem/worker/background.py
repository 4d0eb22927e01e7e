"""A worker within the application."""

import asyncio
import atexit
import contextvars
import logging
import os
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar

import anyio

from langgraph_agentmem import bridge, callers, telemetry
from langgraph_agentmem.worker.worker import MemoryWorker

_LAST_SECONDS = 5.0
"""How long the process's end waits for workers that nobody has stopped."""
_logger = logging.getLogger(__name__)
_working: ContextVar[bool] = ContextVar("working", default=False)
"""Whether this is a task of a worker within the application."""
_made: "weakref.WeakSet[BackgroundWorker]" = weakref.WeakSet()


class BackgroundWorker:
    """Keeps a worker running on an event loop that uses the memory: from the first use on, until it is stopped.

    The worker lives on the loop of whoever came first, as models and embedders are not made for several. When that loop
    has ended, the next use starts it again.

    Args:
        make: Makes the worker.
    """

    def __init__(self, make: Callable[[], MemoryWorker]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._running: tuple[MemoryWorker, asyncio.Task[None], asyncio.AbstractEventLoop, int] | None = None
        _made.add(self)

    def ensure(self) -> None:
        """Start the worker on this event loop, unless it runs on one."""
        # without the lock first, as this is called at every use of the memory
        if self._runs():
            return
        with self._lock:
            if not self._runs():
                loop, worker = asyncio.get_running_loop(), self._make()
                # in a context of its own: the caller may be a node of a graph, of which its runs are no part
                task = loop.create_task(_work(worker), context=contextvars.Context(), name="agentmem worker")
                self._running = (worker, task, loop, os.getpid())

    async def stop(self) -> None:
        """Let the worker finish what it has begun, or give it back, and wait for that.

        A notebook's cell that closes the memory keeps the loop from running on which an earlier cell has started the
        worker; it then finishes behind that cell.
        """
        if self._running is None or not self._runs():
            return
        worker, task, loop, _ = self._running
        worker.stop()
        while not task.done() and loop.is_running() and not bridge.waits_for_this(loop):  # noqa: ASYNC110 - it may live on another loop
            await anyio.sleep(0.005)

    def leave(self) -> None:
        """Begin to give back what is under way, as the process ends and nobody has stopped the worker."""
        if self._running is None or not self._runs():
            return
        _, task, loop, _ = self._running
        if loop.is_running():
            loop.call_soon_threadsafe(task.cancel)
        else:
            task.cancel()

    def left(self) -> None:
        """Wait until it is given back."""
        if self._running is None or not self._runs():
            return
        _, task, loop, _ = self._running
        if not loop.is_running():  # as that of a notebook's kernel, which was stopped and not closed
            loop.run_until_complete(asyncio.wait([task], timeout=_LAST_SECONDS))
            return
        until = time.monotonic() + _LAST_SECONDS
        while not task.done() and loop.is_running() and time.monotonic() < until:
            time.sleep(0.005)

    def _runs(self) -> bool:
        if self._running is None:
            return False
        _, task, loop, process = self._running
        # a forked process inherits the task, but not the loop that would run it
        return not task.done() and not loop.is_closed() and process == os.getpid()


async def _work(worker: MemoryWorker) -> None:
    _working.set(True)
    try:
        await worker.arun()
    except Exception as error:
        message = "the worker within the application has ended; the next use of the memory starts it again: %s"
        _logger.error(message, telemetry.described(error))


def _tells(record: logging.LogRecord) -> bool:
    """Whether psycopg is to log it: not that a statement of a cancelled worker ends unfinished, which is meant."""
    task = asyncio.current_task() if _working.get() and callers.on_running_loop() else None
    return task is None or not task.cancelling()


logging.getLogger("psycopg").addFilter(_tells)


@atexit.register
def _leave() -> None:
    # registered after the embedded server's end, and so called before it
    workers = list(_made)
    # all of them before one is waited for: another one on its loop would take up what it gives back
    for step in (BackgroundWorker.leave, BackgroundWorker.left):
        for worker in workers:
            with suppress(RuntimeError):  # the loop was closed, or its thread has ended it, at this moment
                step(worker)
