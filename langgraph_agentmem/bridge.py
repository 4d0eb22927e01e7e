"""Calls async code from sync code: one background event loop for the process."""

import asyncio
import atexit
import functools
import logging
import os
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import Future
from contextvars import ContextVar
from functools import partial
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar, TypeVarTuple, Unpack

import anyio
import anyio.to_thread
from anyio.from_thread import BlockingPortal

from langgraph_agentmem import callers
from langgraph_agentmem.errors import ConfigurationError, SyncCallError
from langgraph_agentmem.storage.driver.handles import OfThisProcess

P = ParamSpec("P")
S = TypeVar("S")
R = TypeVar("R")
Ts = TypeVarTuple("Ts")

_waiting: ContextVar[asyncio.AbstractEventLoop | None] = ContextVar("waiting", default=None)
"""The event loop of the thread that waits for a sync call."""
_lock = threading.Lock()
_portals: list[tuple[BlockingPortal, threading.Thread]] = []
if hasattr(os, "register_at_fork"):  # Windows does not fork
    # a forked process has the list, but not the thread
    os.register_at_fork(after_in_child=_portals.clear)


def blocking(method: Callable[Concatenate[S, P], Coroutine[Any, Any, R]]) -> Callable[Concatenate[S, P], R]:
    """The sync twin of an async method: same arguments, same result, named without the leading `a`.

    Raises:
        SyncCallError: Called in a thread whose event loop is running, which it would block; not in a notebook's cell,
            which its kernel waits for in any case.
    """
    name = method.__name__.removeprefix("a")

    @functools.wraps(method)
    def call(self: S, *args: P.args, **kwargs: P.kwargs) -> R:
        if callers.on_busy_loop():
            called, twin = callers.call(name, method.__name__)
            raise _refusal(f"{called}()", f"await {twin}(...)")
        return run(partial(method, self, *args, **kwargs))

    call.__name__ = name
    call.__qualname__ = method.__qualname__.replace(method.__name__, name)
    return call


def either(method: Callable[Concatenate[S, P], Coroutine[Any, Any, R]]) -> Callable[Concatenate[S, P], Any]:
    """A method that is awaited where an event loop runs, and blocks where none does; named without the leading `a`.

    For names that LangGraph's stores use for both. A notebook's cell may do either.
    """
    name = method.__name__.removeprefix("a")

    @functools.wraps(method)
    def call(self: S, *args: P.args, **kwargs: P.kwargs) -> Any:
        function = partial(method, self, *args, **kwargs)
        if callers.on_busy_loop():
            return function()
        result = run(function)
        return _Done(result, function) if callers.on_running_loop() else result

    call.__name__ = name
    call.__qualname__ = method.__qualname__.replace(method.__name__, name)
    return call


class Opened(OfThisProcess, ABC):
    """What a `with` block, or an `async with` block, sets up and closes; closed as well where setting up fails."""

    @abstractmethod
    async def asetup(self) -> None:
        """Get ready."""

    @abstractmethod
    async def aclose(self) -> None:
        """Let go of what is held."""

    async def __aenter__(self) -> Self:
        try:
            await self.asetup()
        except BaseException:
            await self.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __enter__(self) -> Self:
        _refuse_block()
        return run(self.__aenter__)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _refuse_block()
        run(self.aclose)


def start(function: Callable[[], Coroutine[Any, Any, Any]]) -> Future[Any]:
    """Run an async function on the background loop, without waiting for it; sync methods ask from that loop itself."""
    portal = _portal()
    # the portal refuses calls that come from its own loop
    if _portals[0][1] is threading.current_thread():
        return asyncio.run_coroutine_threadsafe(function(), asyncio.get_running_loop())
    return portal.start_task_soon(function)


async def also(function: Callable[[], Coroutine[Any, Any, Any]]) -> None:
    """Run an async function on the background loop as well, if there is one and this is another."""
    with _lock:
        portal = _portals[0] if _portals else None
    if portal is not None and portal[1] is not threading.current_thread():
        # in a thread, as waiting for the other loop blocks
        await anyio.to_thread.run_sync(portal[0].call, function)


def run(function: Callable[[], Coroutine[Any, Any, R]]) -> R:
    """Run an async function on the background loop, with the caller's context variables, and wait for it."""
    token = _waiting.set(asyncio.get_running_loop() if callers.on_running_loop() else None)
    try:
        return _portal().call(function)
    finally:
        _waiting.reset(token)


def run_here(function: Callable[[Unpack[Ts]], Coroutine[Any, Any, R]], *args: *Ts) -> R:
    """Run an async function on an event loop of this thread, which has none yet, and wait for it."""
    # of this kind on every system: psycopg cannot use the one that Windows has by default
    return anyio.run(function, *args, backend_options={"loop_factory": asyncio.SelectorEventLoop})


def loop() -> asyncio.AbstractEventLoop:
    """The background loop."""
    portal = _portal()
    # the portal refuses calls that come from its own loop
    own = _portals[0][1] is threading.current_thread()
    return asyncio.get_running_loop() if own else portal.call(asyncio.get_running_loop)


def waits_for_this(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether a loop is the one whose thread waits for what is under way here, so that it cannot be waited for."""
    return _waiting.get() is loop


class _Done(int):
    """What a cell has called, done; where the cell awaits it as well, it is also done on the cell's own loop."""

    _result: Any
    _function: Callable[[], Coroutine[Any, Any, Any]]

    def __new__(cls, result: Any, function: Callable[[], Coroutine[Any, Any, Any]]) -> Self:
        self = super().__new__(cls, result or 0)
        self._result, self._function = result, function
        return self

    def __await__(self) -> Generator[Any, Any, Any]:
        yield from self._function().__await__()
        return self._result

    def __repr__(self) -> str:
        return repr(self._result)


def _refuse_block() -> None:
    if callers.on_busy_loop():
        raise _refusal("a `with` block", "async with")


def _refusal(call: str, instead: str) -> SyncCallError:
    return SyncCallError(f"{call} would block the running event loop; use `{instead}`")


_REPLACED = ("threading", "thread", "queue", "select", "socket", "subprocess", "os", "signal", "time")
"""What event loops, threads and the embedded server are made of, as gevent or eventlet call it."""


def _refuse_patches() -> None:
    """Refuse what is not what it looks like: loops would be a part of the caller's, and wait for themselves."""
    gevent, eventlet = (sys.modules.get(name) for name in ("gevent.monkey", "eventlet.patcher"))
    patched = [name for name in _REPLACED if gevent and gevent.is_module_patched(name)]
    patched += [name for name in _REPLACED if eventlet and eventlet.is_monkey_patched(name)]
    if patched:
        raise ConfigurationError(
            f"{', '.join(dict.fromkeys(patched))} were replaced (gevent.monkey.patch_all(), eventlet.monkey_patch()): "
            "no event loop can run sync calls so; leave them as they are in a process that uses memory"
        )


_refuse_patches()


def _portal() -> BlockingPortal:
    with _lock:
        if not _portals:
            _refuse_patches()
            if sys.is_finalizing():  # a thread that is started now never runs, and would be waited for without end
                raise SyncCallError(
                    "the interpreter is ending, and runs no sync call any more, as from a __del__; call it before, in "
                    "a `with` block or by atexit"
                )
            started: Future[BlockingPortal] = Future()
            # a daemon, so that a process that closes nothing can end all the same
            thread = threading.Thread(target=run_here, args=(_serve, started), name="agentmem", daemon=True)
            thread.start()
            _portals.append((started.result(), thread))
            # not earlier: what ends last was registered first, and the embedded server is to outlive its users here
            atexit.unregister(_stop)
            atexit.register(_stop)
        return _portals[0][0]


def _stop() -> None:
    """End the background loop with the process, so that what was not closed goes quietly."""
    for name in ("psycopg", "psycopg.pool"):  # of statements that end unfinished, which is meant
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with _lock:
        for portal, thread in _portals:
            portal.call(portal.stop, True)
            thread.join(timeout=5)
        _portals.clear()


async def _serve(started: "Future[BlockingPortal]") -> None:
    async with BlockingPortal() as portal:
        started.set_result(portal)
        await portal.sleep_until_stopped()
