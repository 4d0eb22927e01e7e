"""The PostgreSQL database, whose connections are taken for a tenant."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import cast

import anyio.to_thread
import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from langgraph_agentmem.settings import AgentMemorySettings, local_path
from langgraph_agentmem.storage.driver import embedded, migrate, row_security, tenants
from langgraph_agentmem.storage.driver.connections import Connection, check_loop, clean, connect, undo
from langgraph_agentmem.storage.driver.conninfo import readable
from langgraph_agentmem.storage.driver.handles import OfThisProcess
from langgraph_agentmem.storage.driver.pool import Pool, TakenConnection
from langgraph_agentmem.storage.driver.session import Pooler, Session, session_of
from langgraph_agentmem.storage.driver.shared_call import SharedCall
from langgraph_agentmem.storage.driver.tenants import NOBODY, ForWhom
from langgraph_agentmem.storage.driver.translation import translation

LISTENER = "agentmem worker"
"""The application's name of a connection that waits for what becomes due, as `pg_stat_activity` shows it."""


class Database(OfThisProcess):
    """One PostgreSQL database, usable from any number of event loops.

    Args:
        dsn: Connection string; None starts or joins the embedded server.
        data_dir: The embedded server's folder; None for the per-user one.
        pool_size: Most connections per event loop.
        connect_timeout: Seconds to wait for the server before that counts as an outage.
        answer_timeout: Seconds to wait for each of the server's answers before the connection is given up.
        max_waiting_calls: Most callers per event loop that wait for others to give a connection back.
        pooler: Whether a pooler stands between that keeps no sessions.
        listen_dsn: Connection string for what is heard from the server, past a pooler.
        row_security: Whether the server is told for whom each transaction is, and has to hold tenants apart by that.
    """

    def __init__(
        self,
        dsn: str | None,
        *,
        data_dir: Path | None = None,
        pool_size: int = 10,
        connect_timeout: float = 15.0,
        answer_timeout: float = 60.0,
        max_waiting_calls: int = 100_000,
        pooler: Pooler = "auto",
        listen_dsn: str | None = None,
        row_security: bool = False,
    ) -> None:
        self.dsn = None if dsn is None else readable(dsn)
        self._listen_dsn = None if listen_dsn is None else readable(listen_dsn)
        self.data_dir = data_dir
        self._pool_size = pool_size
        self._connect_timeout = connect_timeout
        self._answer_timeout = answer_timeout
        self._pooler: Pooler = pooler
        self._row_security = row_security
        self._session: Session | None = None
        self._max_waiting_calls = max_waiting_calls
        self.on_use: Callable[[], None] | None = None
        """Called on the event loop of every use, before it."""
        self._starting: SharedCall[None] = SharedCall()
        self._lock = threading.Lock()
        """For the following two, which the threads of several loops change."""
        self._pools: dict[asyncio.AbstractEventLoop, Pool] = {}
        self._connections: dict[Connection, asyncio.AbstractEventLoop] = {}

    @classmethod
    def of(
        cls, settings: AgentMemorySettings, dsn: str | None = None, data_dir: Path | str | None = None
    ) -> "Database":
        """The database that the arguments name, or else the settings."""
        folder = settings.data_dir if data_dir is None else data_dir
        if dsn is None and settings.dsn is not None and data_dir is None:
            dsn = settings.dsn.get_secret_value()
        return cls(
            dsn,
            data_dir=None if folder is None else local_path(folder, "data_dir"),
            pool_size=settings.pool_size,
            connect_timeout=settings.connect_timeout_seconds,
            answer_timeout=settings.answer_timeout_seconds,
            max_waiting_calls=settings.max_waiting_calls,
            pooler=settings.pooler,
            listen_dsn=settings.listen_dsn.get_secret_value() if settings.listen_dsn else None,
            row_security=settings.row_security == "on",
        )

    @property
    def name(self) -> str:
        """The database's name on its server; empty before an embedded server is started."""
        return str(conninfo_to_dict(self.dsn).get("dbname") or "") if self.dsn else ""

    @property
    def place(self) -> str:
        """Which server and database, without the password, for people to read."""
        if self.dsn is None:
            return "an embedded server, not started"
        known = conninfo_to_dict(self.dsn)
        return " ".join(f"{key}={known[key]}" for key in ("host", "port", "dbname", "user") if known.get(key))

    @property
    def distributes(self) -> bool:
        """Whether its server, which was reached before, may have its rows on others."""
        return self._session is not None and self._session.distributes

    async def start(self) -> None:
        """Start the embedded server if there is no DSN, and bring the schema up to date.

        Raises:
            ConfigurationError: The server, its extensions, its schema or its row-level security do not fit.
            OutageError: The server cannot be reached.
        """
        await self._known_session()
        if self.on_use is not None:
            self.on_use()

    async def _known_session(self) -> Session:
        if self._session is None:
            await self._starting(self._start)
        return cast("Session", self._session)

    async def _start(self) -> None:
        if self._session is not None:
            return  # another loop was faster
        async with self.as_it_is() as connection:
            session = await session_of(connection, self._pooler, guarded=self._row_security)
            await session.set_up(connection)
            connection.answer_seconds = None  # others may migrate meanwhile, which takes as long as it takes
            await migrate.migrate(connection)
            if self._row_security:
                await row_security.demand(connection)
        self._session = session

    @asynccontextmanager
    async def as_it_is(self, *, patient: bool = False) -> AsyncGenerator[Connection]:
        """A connection of its own, for nobody, to a database whose schema may be missing, old or another's.

        Args:
            patient: Whether answers take as long as they take, as that of an index which is built.

        Raises:
            ConfigurationError: The embedded server cannot be used, or the server refuses the user.
            OutageError: The server cannot be reached.
        """
        if self.dsn is None:
            check_loop()  # no server is started in vain
            self.dsn = await anyio.to_thread.run_sync(embedded.start, self.data_dir)
        async with self._alone(self.dsn) as connection:
            if self._session is not None:
                await self._session.set_up(connection)
            if patient:
                connection.answer_seconds = None
            yield connection

    @asynccontextmanager
    async def snapshot(self) -> AsyncGenerator[Connection]:
        """A connection as `as_it_is` gives one, in a transaction that only reads, and sees all as it is now to its end.

        Raises:
            ConfigurationError: The server refuses the user.
            OutageError: The server cannot be reached, or goes away.
        """
        async with self.as_it_is(patient=True) as connection:
            await connection.set_isolation_level(psycopg.IsolationLevel.REPEATABLE_READ)
            await connection.set_read_only(True)
            async with connection.transaction():
                yield connection

    @asynccontextmanager
    async def listening(self) -> AsyncGenerator[Connection | None]:
        """A connection of its own that keeps its session, to hear what the server tells; None where there can be none.

        Raises:
            OutageError: The server cannot be reached, or went away.
        """
        session = await self._known_session()
        dsn = self._listen_dsn or (self.dsn if session.own else None)
        if dsn is None:
            yield None
            return
        async with self._alone(make_conninfo(dsn, application_name=LISTENER)) as connection:
            yield connection

    @asynccontextmanager
    async def _alone(self, dsn: str) -> AsyncGenerator[Connection]:
        connection = None
        try:
            connection = await self._connected(dsn, prepares=False)
            yield connection
        except psycopg.Error as error:
            raise (connection.translation(error) if connection else translation(error)) from error
        finally:
            if connection is not None:
                # as a context manager it would roll back first, and stay open where that is cancelled as well
                await connection.close()

    async def _connected(self, dsn: str, *, prepares: bool) -> Connection:
        return await connect(
            dsn, prepares=prepares, answer_seconds=self._answer_timeout, connect_seconds=self._connect_timeout
        )

    @asynccontextmanager
    async def transaction(self, tenant: ForWhom) -> AsyncGenerator[Connection]:
        """A transaction on a connection of this loop's pool, committed unless the block raises.

        Statements are pipelined: they wait until a result is fetched and then travel together. What a pipeline sends is
        one transaction to the server, which its end commits; so there is no `BEGIN` and no `COMMIT`, but where the
        server may have its rows on others. Nothing may synchronize the pipeline within the block, as the driver's own
        `transaction()` does.

        Args:
            tenant: For whom, as for `connection`.

        Raises:
            InvalidInputError: That is no tenant's name.
            OutageError: The server cannot be reached, or does not answer in time.
            TooManyCallsError: Too many callers wait for a connection already.
        """
        async with self._taken(tenant) as connection, connection.pipeline() as pipeline:
            connection.open_block()
            connection.serve(tenant)
            try:
                yield connection
            except BaseException:
                await undo(connection, pipeline)
                raise
            connection.close_block()

    @asynccontextmanager
    async def rehearsal(self, tenant: ForWhom) -> AsyncGenerator[Connection]:
        """A transaction, as `transaction` gives one, of which nothing is kept: it is undone at its end in any case.

        Args:
            tenant: For whom, as for `connection`.

        Raises:
            InvalidInputError: That is no tenant's name.
            OutageError: The server cannot be reached, or does not answer in time.
        """
        async with self._taken(tenant) as connection:
            async with connection.pipeline() as pipeline:
                connection.open_block()
                connection.serve(tenant)
                try:
                    yield connection
                finally:
                    await undo(connection, pipeline)
            # as behind an error: the driver has lost track of what is prepared
            await clean(connection)

    def connection(self, tenant: ForWhom) -> AbstractAsyncContextManager[Connection]:
        """A connection outside any transaction: for a single read, or for what cannot run in one.

        With row-level security it is a transaction nevertheless, except for `NOBODY`, as the server remembers for no
        longer for whom it is.

        Args:
            tenant: Whose rows are read and written; `EVERYONE` for a look over all tenants, `NOBODY` for what belongs
                to none.

        Raises:
            InvalidInputError: That is no tenant's name.
            OutageError: The server cannot be reached, or does not answer in time.
            TooManyCallsError: Too many callers wait for a connection already.
        """
        return self.transaction(tenant) if self._row_security and tenant is not NOBODY else self._taken(tenant)

    def _taken(self, tenant: ForWhom) -> TakenConnection:
        tenants.known(tenant)
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
        return self._pools.get(asyncio.get_running_loop()) or self._open_pool()

    def _open_pool(self) -> Pool:
        self._forget_closed_loops()
        pool = Pool(
            self._for_pool,
            size=self._pool_size,
            timeout=self._connect_timeout,
            most_waiting=self._max_waiting_calls,
        )
        with self._lock:
            self._pools[asyncio.get_running_loop()] = pool
        return pool

    async def _for_pool(self) -> Connection:
        session = cast("Session", self._session)
        connection = await self._connected(cast("str", self.dsn), prepares=session.own)
        with self._lock:
            open_ones = {known: loop for known, loop in self._connections.items() if not known.closed}
            self._connections = open_ones | {connection: asyncio.get_running_loop()}
        try:
            await session.set_up(connection)
        except BaseException:
            await connection.close()
            raise
        return connection

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
