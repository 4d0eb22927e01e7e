"""Connections to PostgreSQL: a pool per event loop, transactions, error translation."""

import asyncio
import select
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeAlias, TypeVar, cast

import anyio.to_thread
import psycopg
from psycopg import AsyncConnection, AsyncPipeline
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import TransactionStatus
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from langgraph_agentmem.errors import (
    AgentMemoryError,
    AuthenticationError,
    ConfigurationError,
    OutageError,
    StorageError,
)
from langgraph_agentmem.policies import validation
from langgraph_agentmem.settings import AgentMemorySettings
from langgraph_agentmem.storage.driver import embedded, migrate
from langgraph_agentmem.storage.driver.shared_call import SharedCall

T = TypeVar("T")
Connection: TypeAlias = AsyncConnection[DictRow]
Params: TypeAlias = dict[str, Any]
_Pool: TypeAlias = AsyncConnectionPool[Connection]

_OUTAGES = ("08", "57P", "XX000", "53300")
_REFUSALS = ("28", "3D000")
_CLEAN_SECONDS = 2.0
_OWN_ARGUMENTS = {"autocommit", "prepare_threshold", "row_factory"}
"""Arguments of connections that are ours to set."""


class Database:
    """One PostgreSQL database, usable from any number of event loops.

    Args:
        dsn: Connection string; None starts or joins the embedded server.
        data_dir: The embedded server's folder; None for the per-user one.
        pool_size: Most connections per event loop.
        connect_timeout: Seconds to wait for a connection before that counts as an outage.
        text_search_config: Checked to exist when the database is opened.
    """

    def __init__(
        self,
        dsn: str | None,
        *,
        data_dir: Path | None = None,
        pool_size: int = 10,
        connect_timeout: float = 15.0,
        text_search_config: str = "english",
    ) -> None:
        self.dsn = None if dsn is None else _readable(dsn)
        self.data_dir = data_dir
        self.text_search_config = text_search_config
        self._pool_size = pool_size
        self._connect_timeout = connect_timeout
        self.on_use: Callable[[], None] | None = None
        """Called on the event loop of every use, before it."""
        self._ready = False
        self._starting: SharedCall[None] = SharedCall()
        self._lock = threading.Lock()
        """For the following two, which the threads of several loops change."""
        self._pools: dict[asyncio.AbstractEventLoop, _Pool] = {}
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
            text_search_config=settings.text_search_config,
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
        if self.dsn is None:
            self.dsn = await anyio.to_thread.run_sync(embedded.start, self.data_dir)
        timeout = max(2, round(self._connect_timeout))
        with translated():
            async with await AsyncConnection[DictRow].connect(
                self.dsn, autocommit=True, row_factory=dict_row, connect_timeout=timeout
            ) as connection:
                await migrate.migrate(connection)
                await migrate.check_text_search(connection, self.text_search_config)
        self._ready = True

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Connection]:
        """A transaction on a connection of this loop's pool, committed unless the block raises.

        Statements are pipelined: they wait until a result is fetched and then travel together. What a pipeline sends is
        one transaction to the server, which its end commits; so there is no `BEGIN` and no `COMMIT`, and nothing may
        synchronize the pipeline within the block, as the driver's own `transaction()` does.
        """
        async with self.connection() as connection, connection.pipeline() as pipeline:
            try:
                yield connection
            except BaseException:
                await _undo(connection, pipeline)
                raise

    @asynccontextmanager
    async def connection(self) -> AsyncGenerator[Connection]:
        """A connection outside any transaction: for a single read, or for what cannot run in one."""
        await self.start()
        with translated():
            pool = self._pools.get(asyncio.get_running_loop()) or await self._open_pool()
            connection = await _living(pool)
            try:
                yield connection
            except BaseException:
                await _clean(connection)
                raise
            finally:
                await pool.putconn(connection)

    async def close(self) -> None:
        """Close this loop's pool, and what is left of the pools of closed loops."""
        with self._lock:
            pool = self._pools.pop(asyncio.get_running_loop(), None)
        if pool is not None:
            await pool.close()
        self._forget_closed_loops()

    async def _open_pool(self) -> _Pool:
        self._forget_closed_loops()
        pool = cast(
            "_Pool",
            AsyncConnectionPool(
                cast("str", self.dsn),
                kwargs={"autocommit": True, "row_factory": dict_row, "prepare_threshold": 0},
                min_size=0,
                max_size=self._pool_size,
                timeout=self._connect_timeout,
                configure=self._remember,
                open=False,
                name="agentmem",
            ),
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


async def retrying_deadlocks(attempt: Callable[[], Awaitable[T]]) -> T:
    """Do a transaction again that lost a deadlock: such a one has done nothing."""
    for _ in range(4):
        try:
            return await attempt()
        except AgentMemoryError as error:
            if getattr(error.__cause__, "sqlstate", None) not in ("40P01", "40001"):
                raise
    return await attempt()


def with_pool_config(
    dsn: str | None, settings: AgentMemorySettings, pool: Mapping[str, Any] | None
) -> tuple[str | None, AgentMemorySettings]:
    """A DSN and settings with a pool configuration as LangGraph's PostgreSQL stores take it.

    Raises:
        ConfigurationError: It has an option that does not apply, or connection options without a DSN.
    """
    options = _mapping(pool, "pool_config", '{"max_size": 20}')
    kwargs = _mapping(options.pop("kwargs", None), "kwargs of pool_config", '{"application_name": "agent"}')
    arguments = {name: value for name, value in kwargs.items() if name not in _OWN_ARGUMENTS}
    size = options.pop("max_size", None)
    options.pop("min_size", None)  # connections are opened as they are needed
    if options:
        raise ConfigurationError(f"pool_config has no option {next(iter(options))!r}; it has max_size and kwargs")
    if size is not None:
        settings = settings.model_copy(update={"pool_size": validation.positive(size, "max_size")})
    if not arguments:
        return dsn, settings
    given = dsn or (settings.dsn.get_secret_value() if settings.dsn else None)
    if given is None:
        raise ConfigurationError("pool_config's kwargs are for a server of your own; give its connection string")
    try:
        return make_conninfo(_readable(given), **arguments), settings
    except psycopg.ProgrammingError as error:
        raise ConfigurationError(
            f"kwargs of pool_config are not what libpq takes ({str(error).strip()}): {', '.join(arguments)}; "
            "it takes connection parameters such as application_name"
        ) from error


def _mapping(given: object, what: str, example: str) -> dict[str, Any]:
    if not isinstance(given, Mapping | None):
        raise ConfigurationError(f"{what} must be a dict, e.g. {example}, not {given!r}")
    return dict(cast("Mapping[str, Any]", given or {}))


def _readable(dsn: str) -> str:
    try:
        conninfo_to_dict(dsn)
    except psycopg.ProgrammingError as error:
        raise ConfigurationError(
            f"the DSN is malformed ({str(error).strip()}); it looks like postgresql://user:password@host:5432/database"
        ) from error
    return dsn


async def _living(pool: _Pool) -> Connection:
    """A connection whose server is there; dead ones are thrown away at once, however many a restart has left."""
    while True:
        connection, alive = await pool.getconn(), False
        try:
            alive = await _alive(connection)
            if alive:
                return connection
        finally:
            if not alive:
                await connection.close()
                await pool.putconn(connection)


async def _undo(connection: Connection, pipeline: AsyncPipeline) -> None:
    """Undo what a pipeline has sent, which its end would commit.

    `BEGIN` makes a transaction block of all that was sent before. Where a statement has failed, that fails as well, and
    nothing is left to undo; only the first error counts, so that all others are collected here.
    """
    undone = False
    try:
        with anyio.move_on_after(_CLEAN_SECONDS, shield=True):
            for statement in (b"BEGIN", b"ROLLBACK"):
                with suppress(psycopg.Error):
                    await connection.execute(statement)
            with suppress(psycopg.Error):
                await pipeline.sync()
            undone = True
    finally:
        if not undone:
            connection.pgconn.finish()


async def _clean(connection: Connection) -> None:
    """Make a connection fit for others after an error or a cancellation, or else close it.

    What was open is rolled back. The driver forgets which statements are prepared, as it does after a rollback: one
    that was never sent, or that failed, it may take for prepared, or not, against the truth.
    """
    clean = False
    try:
        with suppress(psycopg.Error), anyio.move_on_after(_CLEAN_SECONDS, shield=True):
            if connection.info.transaction_status == TransactionStatus.IDLE:
                await connection.execute(b"DEALLOCATE ALL")
            else:
                await connection.rollback()
            clean = True
    finally:
        if not clean:
            await connection.close()


async def _alive(connection: AsyncConnection[Any]) -> bool:
    """Whether a pooled connection can be used; a round trip only where its idle socket has news."""
    if connection.closed:
        return False
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


@contextmanager
def translated() -> Generator[None]:
    """Translate the driver's errors into this package's, chained."""
    try:
        yield
    except psycopg.Error as error:
        raise _translate(error) from error


def _translate(error: psycopg.Error) -> AgentMemoryError:
    if isinstance(error, PoolTimeout):
        return OutageError(f"PostgreSQL gave no connection in time ({error}); is it up, and the pool large enough?")
    state = error.sqlstate or ""
    text = str(error).strip()
    if state.startswith(_REFUSALS) or (not state and _refused_in_words(text)):
        return AuthenticationError(
            f"PostgreSQL refused the connection; check user, password and database in the DSN: {text}"
        )
    if state.startswith(_OUTAGES) or (not state and isinstance(error, psycopg.OperationalError)):
        return OutageError(f"PostgreSQL cannot be reached, or went away: {text}")
    return StorageError(f"PostgreSQL refused a statement ({state}): {text}")


def _refused_in_words(text: str) -> bool:
    """Errors on connecting carry no SQLSTATE, only the server's words."""
    return any(
        words in text for words in ("authentication failed", "no password supplied", "does not exist", "no pg_hba.conf")
    )
