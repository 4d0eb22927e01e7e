"""Gathers what is asked for in one tick of an event loop, so that it is answered together."""

import asyncio
import weakref
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class _Asked(Generic[T, R]):
    """A request, with who waits for its answer and, once it is being answered, the call that does so."""

    __slots__ = ("answer", "call", "request")

    def __init__(self, request: T, answer: "asyncio.Future[R]") -> None:
        self.request = request
        self.answer = answer
        self.call: _Call[T, R] | None = None


class _Call(Generic[T, R]):
    """Requests that are answered together."""

    def __init__(self, asked: list[_Asked[T, R]], task: "asyncio.Task[None]") -> None:
        self.asked = asked
        self.task = task
        for one in asked:
            one.call = self

    def abandon(self) -> None:
        """Cancel it if nobody waits for it any more."""
        if all(one.answer.cancelled() for one in self.asked):
            self.task.cancel()


class _Lane(Generic[T, R]):
    """Requests that wait for their turn."""

    def __init__(self) -> None:
        self.waiting: list[_Asked[T, R]] = []
        self.busy = False


class Coalescer(Generic[T, R]):
    """Answers requests that come in one tick by as few calls as possible, on each event loop by itself.

    Args:
        answer: Answers requests, one result or error each, in order. What it raises is every request's error. It is
            cancelled once nobody waits for it any more.
        max_requests: The most requests of one call; with more, calls run at once.
        lane: Requests of one lane are answered in their order, one call after the other, and those of other lanes do
            not wait for them; without it, no call waits for another.
    """

    def __init__(
        self,
        answer: Callable[[Sequence[T]], Awaitable[Sequence[R | BaseException]]],
        max_requests: int,
        lane: Callable[[T], Hashable] | None = None,
    ) -> None:
        self._answer = answer
        self._max_requests = max_requests
        self._lane_of = lane
        self._lanes: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Hashable, _Lane[T, R]]] = (
            weakref.WeakKeyDictionary()
        )
        self._tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, request: T) -> R:
        """The answer to a request."""
        loop = asyncio.get_running_loop()
        lanes = self._lanes.setdefault(loop, {})
        key = None if self._lane_of is None else self._lane_of(request)
        lane = lanes.setdefault(key, _Lane())
        if not lane.waiting and not lane.busy:
            loop.call_soon(self._start, loop, key)  # behind everything that is ready to run in this tick
        asked: _Asked[T, R] = _Asked(request, loop.create_future())
        lane.waiting.append(asked)
        try:
            return await asked.answer
        except asyncio.CancelledError:
            # one that still waits for its turn is passed over when that comes
            if asked.call is not None:
                asked.call.abandon()
            raise

    def _start(self, loop: asyncio.AbstractEventLoop, key: Hashable) -> None:
        lanes = self._lanes[loop]
        lane = lanes[key]
        if self._lane_of is None:
            waiting, lane.waiting = lane.waiting, []
            for start in range(0, len(waiting), self._max_requests):
                self._call(loop, waiting[start : start + self._max_requests])
            return
        batch, lane.waiting = lane.waiting[: self._max_requests], lane.waiting[self._max_requests :]
        lane.busy = bool(batch)
        if not batch:
            # there is a lane for each tenant that writes, so idle ones go
            del lanes[key]
            return
        self._call(loop, batch).add_done_callback(lambda _: self._start(loop, key))

    def _call(self, loop: asyncio.AbstractEventLoop, batch: list[_Asked[T, R]]) -> asyncio.Task[None]:
        asked = [one for one in batch if not one.answer.done()]
        task = loop.create_task(self._run(asked))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        _Call(asked, task)
        return task

    async def _run(self, asked: list[_Asked[T, R]]) -> None:
        results: Sequence[R | BaseException] = []
        try:
            results = await self._answer([one.request for one in asked]) if asked else []
        except BaseException as error:
            results = [error] * len(asked)
            # cancelled: it stays cancelled, but its callers hear of it first, below
            if not isinstance(error, Exception):
                raise
        finally:
            for one, result in zip(asked, results, strict=False):
                # answered: whoever gives up from here on cancels nothing
                one.call = None
                if not one.answer.done():
                    _settle(one.answer, result)


def _settle(answer: "asyncio.Future[R]", result: R | BaseException) -> None:
    if isinstance(result, asyncio.CancelledError):
        answer.cancel()
    elif isinstance(result, BaseException):
        answer.set_exception(result)
    else:
        answer.set_result(result)
