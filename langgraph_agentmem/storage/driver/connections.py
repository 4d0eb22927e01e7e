"""Connections of an event loop: a pool, and what makes them fit for use and for reuse."""

import asyncio
import select
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Any, TypeAlias, TypeVar, cast

import anyio
import psycopg
from psycopg import AsyncConnection, AsyncPipeline
from psycopg.pq import TransactionStatus
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from langgraph_agentmem.errors import AgentMemoryError
from langgraph_agentmem.storage.driver.cancelling import CancellablePool, PooledConnection
from langgraph_agentmem.storage.driver.translation import translation
from langgraph_agentmem.storage.driver.turns import Turn, Turns

T = TypeVar("T")
Connection: TypeAlias = AsyncConnection[DictRow]

_CLEAN_SECONDS = 2.0


class Pool:
    """The connections of one event loop.

    Args:
        dsn: Connection string.
        size: Most connections.
        timeout: Seconds to wait for the server before that counts as an outage.
        most_waiting: Most callers that wait for others to be done.
        configure: Called with each new connection.
    """

    def __init__(
        self,
        dsn: str,
        *,
        size: int,
        timeout: float,
        most_waiting: int,
        configure: Callable[[AsyncConnection[Any]], Awaitable[None]],
    ) -> None:
        self._turns = Turns(size, most_waiting)
        self._pool = cast(
            "AsyncConnectionPool[Connection]",
            CancellablePool(
                dsn,
                connection_class=PooledConnection,
                kwargs={"autocommit": True, "row_factory": dict_row, "prepare_threshold": 0},
                min_size=0,
                max_size=size,
                timeout=timeout,
                configure=configure,
                open=False,
                name="agentmem",
            ),
        )

    async def open(self) -> None:
        """Make it ready; connections are opened as they are needed."""
        await self._pool.open()

    async def close(self) -> None:
        """Close its connections, those in use when they are given back."""
        await self._pool.close()

    async def take(self) -> tuple[Turn, Connection]:
        """A connection, waited for until those who came before have theirs, and the turn in which it is used.

        Raises:
            PoolTimeout: The server does not give one in time.
            TooManyCallsError: Too many wait already.
        """
        # the pool's time-out would also run while others are at work: a turn first, then it is about the server alone
        turn = await self._turns.take()
        asked = asyncio.get_running_loop().time()
        try:
            return turn, await self._living()
        except BaseException as error:
            turn.end()
            if isinstance(error, PoolTimeout):
                # one turn after the other would wait for the same server: who has waited as long as this knows as much
                self._turns.refuse(asked, partial(PoolTimeout, str(error)))
            raise

    async def give_back(self, turn: Turn, connection: Connection, error: BaseException | None) -> None:
        """Give back what `take` gave, made fit for others where its use has failed."""
        try:
            try:
                if error is not None:
                    await clean(connection)
            finally:
                await self._pool.putconn(connection)
        finally:
            turn.end()

    async def _living(self) -> Connection:
        """A connection whose server is there; dead ones are thrown away at once, however many a restart has left."""
        while True:
            connection, alive = await self._pool.getconn(), False
            try:
                alive = await _alive(connection)
                if alive:
                    return connection
            finally:
                if not alive:
                    await connection.close()
                    await self._pool.putconn(connection)  # which makes room for a new one


class TakenConnection:
    """A connection of a pool for a block, as an asynchronous context manager; the driver's errors are translated.

    Args:
        pool: Gives the pool of the running event loop.
    """

    # not made of generators: every call of a store comes through here, and these would take more than all the rest
    __slots__ = ("_connection", "_find", "_pool", "_turn")

    def __init__(self, pool: Callable[[], Awaitable[Pool]]) -> None:
        self._find = pool

    async def __aenter__(self) -> Connection:
        """Take the connection."""
        try:
            self._pool = await self._find()
            self._turn, self._connection = await self._pool.take()
        except psycopg.Error as error:
            raise translation(error) from error
        return self._connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Give it back."""
        await self._pool.give_back(self._turn, self._connection, error)
        if isinstance(error, psycopg.Error):
            raise translation(error) from error


async def retrying_deadlocks(attempt: Callable[[], Awaitable[T]]) -> T:
    """Do a transaction again that lost a deadlock: such a one has done nothing."""
    for _ in range(4):
        try:
            return await attempt()
        except AgentMemoryError as error:
            if getattr(error.__cause__, "sqlstate", None) not in ("40P01", "40001"):
                raise
    return await attempt()


async def undo(connection: Connection, pipeline: AsyncPipeline) -> None:
    """Undo what a pipeline has sent, which its end would commit.

    `BEGIN` makes a transaction block of all that was sent before, without which the server would warn of the
    `ROLLBACK`. Where a statement has failed, that fails as well, and nothing is left to undo; only the first error
    counts, so that all others are collected here.
    """
    undone = False
    try:
        # shielded: what was cancelled would otherwise be committed by the pipeline's end, instead of undone
        with anyio.move_on_after(_CLEAN_SECONDS, shield=True):
            for statement in (b"BEGIN", b"ROLLBACK"):
                with suppress(psycopg.Error):
                    await connection.execute(statement)
            with suppress(psycopg.Error):
                await pipeline.sync()
            undone = True
    finally:
        if not undone:
            # the socket is closed under the pipeline: without its synchronization, the server commits nothing
            connection.pgconn.finish()


async def clean(connection: Connection) -> None:
    """Make a connection fit for others after an error or a cancellation, or else close it.

    What was open is rolled back. The driver forgets which statements are prepared, as it does after a rollback: one
    that was never sent, or that failed, it may take for prepared, or not, against the truth.
    """
    cleaned = False
    try:
        with suppress(psycopg.Error), anyio.move_on_after(_CLEAN_SECONDS, shield=True):
            if connection.info.transaction_status == TransactionStatus.IDLE:
                # the driver hears of it from the server's answer, and then both know of no prepared statement
                await connection.execute(b"DEALLOCATE ALL")
            else:
                await connection.rollback()
            cleaned = True
    finally:
        if not cleaned:
            await connection.close()


async def _alive(connection: AsyncConnection[Any]) -> bool:
    """Whether a pooled connection can be used; a round trip only where its idle socket has news."""
    if connection.closed:
        return False
    # a server that has gone leaves its farewell, or the end of the stream, to be read; asking each time costs as much
    # as a short statement
    if not _has_news(connection.fileno()):
        return True
    try:
        await AsyncConnectionPool.check_connection(connection)
    except psycopg.Error:
        return False
    return True


def _has_news(fileno: int) -> bool:
    if hasattr(select, "poll"):  # one system call, where a selector takes four
        poll = select.poll()
        poll.register(fileno, select.POLLIN)
        return bool(poll.poll(0))
    return bool(select.select([fileno], [], [], 0)[0])
