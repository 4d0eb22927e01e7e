"""The PostgreSQL database, whose connections are taken for a tenant."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import anyio.to_thread
from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import DictRow, dict_row

from langgraph_agentmem.settings import AgentMemorySettings
from langgraph_agentmem.storage.driver import embedded, migrate, tenants
from langgraph_agentmem.storage.driver.connections import Connection, Pool, TakenConnection, undo
from langgraph_agentmem.storage.driver.conninfo import readable
from langgraph_agentmem.storage.driver.shared_call import SharedCall
from langgraph_agentmem.storage.driver.tenants import Everyone
from langgraph_agentmem.storage.driver.translation import translated


class Database:
    """One PostgreSQL database, usable from any number of event loops.

    Args:
        dsn: Connection string; None starts or joins the embedded server.
        data_dir: The embedded server's folder; None for the per-user one.
        pool_size: Most connections per event loop.
        connect_timeout: Seconds to wait for the server before that counts as an outage.
        max_waiting_calls: Most callers per event loop that wait for others to give a connection back.
    """

    def __init__(
        self,
        dsn: str | None,
        *,
        data_dir: Path | None = None,
        pool_size: int = 10,
        connect_timeout: float = 15.0,
        max_waiting_calls: int = 100_000,
    ) -> None:
        self.dsn = None if dsn is None else readable(dsn)
        self.data_dir = data_dir
        self._pool_size = pool_size
        self._connect_timeout = connect_timeout
        self._max_waiting_calls = max_waiting_calls
        self.on_use: Callable[[], None] | None = None
        """Called on the event loop of every use, before it."""
        self._ready = False
        self._starting: SharedCall[None] = SharedCall()
        self._lock = threading.Lock()
        """For the following two, which the threads of several loops change."""
        self._pools: dict[asyncio.AbstractEventLoop, Pool] = {}
        self._connections: dict[AsyncConnection[Any], asyncio.AbstractEventLoop] = {}

    @classmethod
    def of(
        cls, settings: AgentMemorySettings, dsn: str | None = None, data_dir: Path | str | None = None
    ) -> "Database":
        """The database that the arguments name, or else the settings."""
        folder = data_dir or settings.data_dir
        return cls(
            dsn or (settings.dsn.get_secret_value() if settings.dsn and not data_dir else None),
            data_dir=Path(folder) if folder else None,
            pool_size=settings.pool_size,
            connect_timeout=settings.connect_timeout_seconds,
            max_waiting_calls=settings.max_waiting_calls,
        )

    @property
    def name(self) -> str:
        """The database's name on its server; empty before an embedded server is started."""
        return str(conninfo_to_dict(self.dsn).get("dbname") or "") if self.dsn else ""

    async def start(self) -> None:
        """Start the embedded server if there is no DSN, and bring the schema up to date.

        Raises:
            ConfigurationError: The server, its extensions or its schema do not fit.
            OutageError: The server cannot be reached.
        """
        if not self._ready:
            await self._starting(self._start)
        if self.on_use is not None:
            self.on_use()

    async def _start(self) -> None:
        if self._ready:
            return  # another loop was faster
        async with self.as_it_is() as connection:
            await migrate.migrate(connection)
        self._ready = True

    @asynccontextmanager
    async def as_it_is(self) -> AsyncGenerator[AsyncConnection[DictRow]]:
        """A connection of its own, for nobody, to a database whose schema may be missing, old or another's.

        Raises:
            ConfigurationError: The embedded server cannot be used, or the server refuses the user.
            OutageError: The server cannot be reached.
        """
        if self.dsn is None:
            self.dsn = await anyio.to_thread.run_sync(embedded.start, self.data_dir)
        timeout = max(2, round(self._connect_timeout))
        with translated():
            async with await AsyncConnection[DictRow].connect(
                self.dsn, autocommit=True, row_factory=dict_row, connect_timeout=timeout
            ) as connection:
                yield connection

    @asynccontextmanager
    async def transaction(self, tenant: str | Everyone) -> AsyncGenerator[Connection]:
        """A transaction on a connection of this loop's pool, committed unless the block raises.

        Statements are pipelined: they wait until a result is fetched and then travel together. What a pipeline sends is
        one transaction to the server, which its end commits; so there is no `BEGIN` and no `COMMIT`, and nothing may
        synchronize the pipeline within the block, as the driver's own `transaction()` does.

        Args:
            tenant: For whom, as for `connection`.

        Raises:
            InvalidInputError: That is no tenant's name.
            OutageError: The server cannot be reached, or does not answer in time.
            TooManyCallsError: Too many callers wait for a connection already.
        """
        async with self.connection(tenant) as connection, connection.pipeline() as pipeline:
            try:
                yield connection
            except BaseException:
                await undo(connection, pipeline)
                raise

    def connection(self, tenant: str | Everyone) -> TakenConnection:
        """A connection outside any transaction: for a single read, or for what cannot run in one.

        Args:
            tenant: Whose rows are read and written; `EVERYONE` for what belongs to several tenants, or to none.

        Raises:
            InvalidInputError: That is no tenant's name.
            OutageError: The server cannot be reached, or does not answer in time.
            TooManyCallsError: Too many callers wait for a connection already.
        """
        tenants.known(tenant)  # the one door: row-level security would tell the server here for whom it is taken
        return TakenConnection(self._pool)

    async def close(self) -> None:
        """Close this loop's pool, and what is left of the pools of closed loops."""
        with self._lock:
            pool = self._pools.pop(asyncio.get_running_loop(), None)
        if pool is not None:
            await pool.close()
        self._forget_closed_loops()

    async def _pool(self) -> Pool:
        await self.start()
        return self._pools.get(asyncio.get_running_loop()) or await self._open_pool()

    async def _open_pool(self) -> Pool:
        self._forget_closed_loops()
        pool = Pool(
            cast("str", self.dsn),
            size=self._pool_size,
            timeout=self._connect_timeout,
            most_waiting=self._max_waiting_calls,
            configure=self._remember,
        )
        with self._lock:
            self._pools[asyncio.get_running_loop()] = pool
        await pool.open()
        return pool

    async def _remember(self, connection: AsyncConnection[Any]) -> None:
        with self._lock:
            open_ones = {known: loop for known, loop in self._connections.items() if not known.closed}
            self._connections = open_ones | {connection: asyncio.get_running_loop()}

    def _forget_closed_loops(self) -> None:
        """Release the sockets of loops that ended without `close`; their pools cannot be awaited any more."""
        with self._lock:
            self._pools = {loop: pool for loop, pool in self._pools.items() if not loop.is_closed()}
            left = [connection for connection, loop in self._connections.items() if loop.is_closed()]
            for connection in left:
                del self._connections[connection]
        for connection in left:
            if not connection.closed:
                connection.pgconn.finish()
