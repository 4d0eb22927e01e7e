"""Gathers what is asked for in one tick of an event loop, so that it is answered together."""

import asyncio
import weakref
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Coalescer(Generic[T, R]):
    """Answers requests that come in one tick by as few calls as possible, on each event loop by itself.

    Args:
        answer: Answers requests, one result or error each, in order. What it raises is every request's error.
        most: The most requests of one call; with more, calls run at once.
    """

    def __init__(self, answer: Callable[[Sequence[T]], Awaitable[Sequence[R | BaseException]]], most: int) -> None:
        self._answer = answer
        self._most = most
        self._waiting: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, list[tuple[T, asyncio.Future[R]]]] = (
            weakref.WeakKeyDictionary()
        )
        self._tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, request: T) -> R:
        """The answer to a request."""
        loop = asyncio.get_running_loop()
        waiting = self._waiting.setdefault(loop, [])
        if not waiting:
            loop.call_soon(self._start, loop)  # behind everything that is ready to run in this tick
        answer: asyncio.Future[R] = loop.create_future()
        waiting.append((request, answer))
        return await answer

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        waiting = [(request, answer) for request, answer in self._waiting.pop(loop, []) if not answer.done()]
        for start in range(0, len(waiting), self._most):
            task = loop.create_task(self._run(waiting[start : start + self._most]))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _run(self, waiting: list[tuple[T, asyncio.Future[R]]]) -> None:
        results: Sequence[R | BaseException]
        try:
            results = await self._answer([request for request, _ in waiting])
        except BaseException as error:
            results = [error] * len(waiting)
        for (_, answer), result in zip(waiting, results, strict=True):
            if answer.done():
                continue
            if isinstance(result, BaseException):
                answer.set_exception(result)
            else:
                answer.set_result(result)
