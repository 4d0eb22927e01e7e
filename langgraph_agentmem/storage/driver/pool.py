"""Connections of an event loop, taken in turn and used again."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from types import TracebackType
from typing import Final

import psycopg

from langgraph_agentmem.errors import AgentMemoryError, OutageError
from langgraph_agentmem.storage.driver.connections import Connection, alive, clean
from langgraph_agentmem.storage.driver.loop_clock import LoopClock, call_later
from langgraph_agentmem.storage.driver.tenants import NOBODY
from langgraph_agentmem.storage.driver.translation import may_pass, translation
from langgraph_agentmem.storage.driver.turns import Turn, Turns

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 1.0
"""Between attempts to connect; so much later than the server, a caller who waits for it goes on at the latest."""
_MOST_IDLE = 600.0


class Pool:
    """The connections of one event loop, opened as they are needed, by those who need them.

    Nothing runs here by itself: an outage leaves nothing behind that would have to find out that it is over.

    Args:
        connect: Opens a connection.
        size: Most connections.
        timeout: Seconds to wait for the server before that counts as an outage.
        most_waiting: Most callers that wait for others to be done.
    """

    def __init__(
        self, connect: Callable[[], Awaitable[Connection]], *, size: int, timeout: float, most_waiting: int
    ) -> None:
        self._connect = connect
        self._size = size
        self._timeout = timeout
        self._turns = Turns(size, most_waiting)
        self._room = asyncio.Semaphore(size)
        self._idle: list[tuple[Connection, float]] = []
        """With the time since when; who comes takes the one that was used last."""
        self._in_use = 0
        self._wanting: dict[asyncio.Future[Connection], None] = {}
        """Whom the server gives no connection of their own, in their order: they get the next that comes back."""
        self._refused_until = 0.0
        """By the loop's clock: sooner than that, the server is not asked for one more while others come back."""
        self._closing: asyncio.TimerHandle | None = None
        self._closed = False

    async def close(self) -> None:
        """Close its connections, those in use when they are given back."""
        self._closed = True
        if self._closing is not None:
            self._closing.cancel()
        await self._close_idle()

    async def take(self) -> tuple[Turn, Connection]:
        """A connection, waited for until those who came before have theirs, and the turn in which it is used.

        Raises:
            OutageError: The server does not give one in time.
            AuthenticationError: The server refuses the user.
            TooManyCallsError: Too many wait already.
        """
        # the time-out would also run while others are at work: a turn first, then it is about the server alone
        turn = await self._turns.take()
        asked = asyncio.get_running_loop().time()
        try:
            return turn, await self._taken()
        except BaseException as error:
            turn.end()
            if isinstance(error, AgentMemoryError):
                # one turn after the other would wait for the same server: who has waited as long as this knows as much
                self._turns.refuse(asked, partial(type(error), str(error)))
            raise

    async def give_back(self, turn: Turn, connection: Connection, error: BaseException | None) -> None:
        """Give back what `take` gave, made fit for others where its use has failed."""
        try:
            if error is not None:
                await clean(connection)
            if connection.silent:  # as its neighbours will be, which came the same way
                await self._close_idle()
            await self._keep(connection)
        finally:
            self._in_use -= 1
            self._room.release()
            turn.end()

    async def _taken(self) -> Connection:
        await self._find_room()
        try:
            connection = await self._living() or await self._opened()
        except BaseException:
            self._room.release()
            raise
        self._in_use += 1
        return connection

    async def _find_room(self) -> None:
        """Wait where whoever has a turn already takes another connection, and there is none left."""
        if not self._room.locked():
            await self._room.acquire()
            return
        try:
            async with asyncio.timeout(self._timeout):
                await self._room.acquire()
        except TimeoutError:
            raise OutageError(
                f"there was no connection in time ({self._timeout:g} s), as those who hold all {self._size} want one "
                "more; is the pool large enough?"
            ) from None

    async def _living(self) -> Connection | None:
        """A connection that is there already; dead ones are thrown away at once, however many a restart has left."""
        while self._idle:
            connection, _ = self._idle.pop()
            living = False
            try:
                living = await alive(connection)
            finally:
                if not living:
                    await connection.close()
            if living:
                return connection
        return None

    async def _opened(self) -> Connection:
        """A new connection; for a server that is away, or busy starting, it is tried until the time is over.

        One that gives no more of them, as it has a limit, is no outage while others of these come back.
        """
        pause, loop = _FIRST_PAUSE, asyncio.get_running_loop()
        with LoopClock() as clock:
            while True:
                others_come_back = self._in_use and loop.time() < self._refused_until
                if not others_come_back or clock.seconds >= self._timeout:
                    try:
                        return await self._connect()
                    except psycopg.Error as error:
                        if clock.seconds >= self._timeout or not may_pass(error):
                            raise translation(error) from error
                    self._refused_until = loop.time() + pause
                    pause = min(2 * pause, _LONGEST_PAUSE)
                connection = await self._living() or await self._given(self._refused_until - loop.time())
                if connection is not None:
                    return connection

    async def _given(self, seconds: float) -> Connection | None:
        """The next connection that comes back, if one does in this time and those who waited before have theirs."""
        waiter = asyncio.get_running_loop().create_future()
        self._wanting[waiter] = None
        try:
            await asyncio.wait((waiter,), timeout=max(seconds, 0))
        except BaseException:
            if waiter.done():
                await self._keep(waiter.result())
            raise
        finally:
            self._wanting.pop(waiter, None)
        return waiter.result() if waiter.done() else None

    async def _keep(self, connection: Connection) -> None:
        if self._closed or connection.closed:
            await connection.close()
            return
        if self._wanting:
            waiter = next(iter(self._wanting))
            del self._wanting[waiter]
            waiter.set_result(connection)
            return
        self._idle.append((connection, time.monotonic()))
        if self._closing is None:
            self._closing = call_later(_MOST_IDLE, self._close_unused)

    def _close_unused(self) -> None:
        """Close what nobody has needed for long: the oldest, as the last used is taken first."""
        since = time.monotonic() - _MOST_IDLE
        while self._idle and self._idle[0][1] <= since:
            self._idle.pop(0)[0].pgconn.finish()
        again = self._idle[0][1] - since if self._idle else None
        self._closing = None
        if again is not None:
            self._closing = call_later(again, self._close_unused)

    async def _close_idle(self) -> None:
        while self._idle:
            await self._idle.pop()[0].close()


class TakenConnection:
    """A connection of a pool for a block, as an asynchronous context manager; the driver's errors are translated.

    Args:
        pool: Gives the pool of the running event loop.
    """

    # not made of generators: every call of a store comes through here, and these would take more than all the rest
    __slots__: Final = ("_connection", "_find", "_pool", "_turn")

    def __init__(self, pool: Callable[[], Awaitable[Pool]]) -> None:
        self._find = pool

    async def __aenter__(self) -> Connection:
        """Take the connection."""
        self._pool = await self._find()
        self._turn, self._connection = await self._pool.take()
        self._connection.served = NOBODY  # whatever was said in the last transaction has ended with it
        return self._connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Give it back."""
        if not isinstance(error, psycopg.Error | UnicodeEncodeError):
            await self._pool.give_back(self._turn, self._connection, error)
            return
        translated = self._connection.translation(error)  # before it is cleaned, or closed as it cannot be
        await self._pool.give_back(self._turn, self._connection, error)
        raise translated from error
