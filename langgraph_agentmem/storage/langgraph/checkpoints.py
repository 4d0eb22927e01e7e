"""What this package does with the tables of LangGraph's PostgreSQL checkpointers."""

import zlib
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache, partial
from typing import Any, LiteralString, TypeVar, cast

import anyio
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.serde.base import SerializerProtocol
from psycopg.rows import DictRow

from langgraph_agentmem.models.base import Json
from langgraph_agentmem.storage.driver import migrate
from langgraph_agentmem.storage.driver.connections import Connection, retrying_deadlocks
from langgraph_agentmem.storage.driver.database import Database
from langgraph_agentmem.storage.driver.rows import RawStatement, all_rows, first_row, one_row
from langgraph_agentmem.storage.driver.shared_call import SharedCall
from langgraph_agentmem.storage.driver.statements import statements, template
from langgraph_agentmem.storage.driver.tenants import NOBODY, ForWhom
from langgraph_agentmem.storage.langgraph import inserts, upstream
from langgraph_agentmem.storage.langgraph.upstream import CheckpointStatement

T = TypeVar("T")
_SQL = statements("checkpoints")
_TENANTS_NAMED, _TENANTS_OF_THREAD = (
    template("checkpoints", name).format(named=template("checkpoints", "named_tenant")).as_bytes(None)
    for name in ("tenants_named", "tenants_of_thread")
)
_SETUP_LOCK = zlib.crc32(b"agentmem.checkpoints")
_TURN_SECONDS = 0.05
_NEWEST = len(AsyncPostgresSaver.MIGRATIONS) - 1


class CheckpointTables:
    """The tables of LangGraph's checkpointers on the connections of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._ready = False
        self._setting_up: SharedCall[None] = SharedCall()

    async def setup(self) -> None:
        """Make the tables, or bring them up to date; safe for any number of processes at once."""
        if not self._ready:
            await self._setting_up(self._setup)
            self._ready = True

    async def _setup(self) -> None:
        async with self._database.connection(NOBODY) as connection:
            # mostly they are up to date, and nobody has to wait for a turn
            current = await _version(connection) >= _NEWEST
        if not current:
            async with self._turn(), self._database.as_it_is(patient=True) as connection:
                await AsyncPostgresSaver(connection).setup()
                async with connection.transaction():
                    await migrate.distribute_new(connection, await migrate.server_of(connection))

    @asynccontextmanager
    async def _turn(self) -> AsyncGenerator[None]:
        """The turn of whoever sets the tables up, which another connection's transaction holds meanwhile.

        Behind a pooler no lock outlasts a transaction, and indexes are built concurrently in none.
        """
        # without parameters it is sent and closed at once; a statement with some would keep its snapshot, for which
        # such an index would wait
        lock = template("checkpoints", "try_lock_setup").format(key=_SETUP_LOCK)
        async with self._database.as_it_is() as connection:
            while True:
                async with connection.transaction():
                    row = await (await connection.execute(lock)).fetchone()
                    if row is not None and row["locked"]:
                        yield
                        return
                await anyio.sleep(_TURN_SECONDS)

    async def read(self, serde: SerializerProtocol, call: Callable[[PostgresSaver], T]) -> T:
        """What LangGraph's checkpointer reads; no connection is kept while it deserializes."""
        await self.setup()

        async def fetched(query: str, params: Sequence[Any]) -> list[DictRow]:
            async with self._database.connection(NOBODY) as connection:
                return await _rows(connection, query, params)

        return await upstream.reading(serde, call, fetched)

    async def write(self, statements: Sequence[CheckpointStatement]) -> None:
        """Run statements of LangGraph's checkpointer, in one round trip that is one transaction to the server."""
        await retrying_deadlocks(partial(self._write, statements, inserts.as_one(statements)))

    async def _write(self, statements: Sequence[CheckpointStatement], one: inserts.Inserts | None) -> None:
        if one is None:
            async with self.transaction(NOBODY) as connection:
                await send(connection, statements)
        else:
            async with self.connection(NOBODY) as connection:
                await _inserting(one.shape).execute(connection, one.params)

    @asynccontextmanager
    async def connection(self, tenant: ForWhom) -> AsyncGenerator[Connection]:
        """A connection outside any transaction, where the tables are there.

        Args:
            tenant: Whose sections are written too; `NOBODY` for these tables alone, which know no tenants.
        """
        await self.setup()
        async with self._database.connection(tenant) as connection:
            yield connection

    @asynccontextmanager
    async def transaction(self, tenant: ForWhom) -> AsyncGenerator[Connection]:
        """A transaction in which the tables are there; for whom, as for `connection`."""
        await self.setup()
        async with self._database.transaction(tenant) as connection:
            yield connection


@lru_cache(maxsize=200)
def _inserting(shape: inserts.Shape) -> RawStatement:
    return RawStatement(template("checkpoints", "insert_at_once").format(stored=inserts.ctes(shape)))


async def send(connection: Connection, statements: Sequence[CheckpointStatement]) -> None:
    """Run statements of LangGraph's checkpointer that return nothing."""
    async with connection.cursor() as cursor:
        for query, rows in statements:
            if len(rows) == 1:
                await cursor.execute(cast("LiteralString", query), rows[0])
            else:
                await cursor.executemany(cast("LiteralString", query), rows)


async def read(connection: Connection, serde: SerializerProtocol, call: Callable[[PostgresSaver], T]) -> T:
    """What LangGraph's checkpointer reads on a connection, which may be in a transaction."""

    async def fetched(query: str, params: Sequence[Any]) -> list[DictRow]:
        return await _rows(connection, query, params)

    return await upstream.reading(serde, call, fetched)


async def _rows(connection: Connection, query: str, params: Sequence[Any]) -> list[DictRow]:
    # binary, as LangGraph's own cursors are: its deserializers expect bytes
    async with connection.cursor(binary=True) as cursor:
        await cursor.execute(cast("LiteralString", query), params)
        return await cursor.fetchall()


async def _version(connection: Connection) -> int:
    """Which of their migrations the tables have seen; -1 where there are none."""
    if not await made(connection):
        return -1
    return (await first_row(connection, _SQL["checkpoint_version"], {}))["version"]


async def metadata(connection: Connection, thread_id: str, checkpoint_id: str) -> Json:
    """The metadata of a checkpoint of a graph itself; empty where there is none."""
    params = {"thread_id": thread_id, "checkpoint_id": checkpoint_id}
    row = await one_row(connection, _SQL["checkpoint_metadata"], params)
    return row["metadata"] if row else {}


async def thread_exists(connection: Connection, thread_id: str) -> bool:
    """Whether a thread has checkpoints or writes."""
    return (await first_row(connection, _SQL["thread_exists"], {"thread_id": thread_id}))["found"]


async def copy(connection: Connection, source: str, target: str) -> None:
    """Copy a thread as it stands at one moment."""
    await connection.execute(_SQL["copy_checkpoints"], {"source": source, "target": target})


async def needing_runs(connection: Connection, run_ids: Sequence[str]) -> list[str]:
    """Threads that cannot be read without the checkpoints of these runs."""
    rows = await all_rows(connection, _SQL["needed_runs"], {"run_ids": list(run_ids)})
    return [row["thread_id"] for row in rows]


async def delete_runs(connection: Connection, run_ids: Sequence[str]) -> None:
    """Remove the checkpoints of runs."""
    await connection.execute(_SQL["delete_runs"], {"run_ids": list(run_ids)})


async def keep_latest(connection: Connection, thread_ids: Sequence[str]) -> None:
    """Remove all checkpoints of threads but the latest of each namespace, and what it is rebuilt from."""
    await connection.execute(_SQL["keep_latest"], {"thread_ids": list(thread_ids)})


async def made(connection: Connection) -> bool:
    """Whether there are tables of LangGraph's checkpointers."""
    return (await first_row(connection, _SQL["checkpoint_tables"], {}))["made"]


async def threads_after(connection: Connection, after: str, limit: int) -> list[str]:
    """Threads in pages by id: those after one of them."""
    params = {"after": after, "limit": limit}
    return [row["thread_id"] for row in await all_rows(connection, _SQL["threads_after"], params)]


async def tenants_named(
    connection: Connection, thread_ids: Sequence[str], tenant_keys: Sequence[str]
) -> dict[str, set[str]]:
    """Which tenants the checkpoints of threads name in their metadata, under the first of these names that is there."""
    params = {"thread_ids": list(thread_ids), "tenant_keys": list(tenant_keys)}
    found: dict[str, set[str]] = {}
    for row in await all_rows(connection, _TENANTS_NAMED, params):
        found.setdefault(row["thread_id"], set()).update([row["tenant"]] if row["tenant"] is not None else [])
    return found


async def tenants_of(connection: Connection, thread_id: str, tenant_keys: Sequence[str]) -> set[str]:
    """Which tenants a thread's checkpoints name, of all its namespaces."""
    params = {"thread_id": thread_id, "tenant_keys": list(tenant_keys)}
    return {row["tenant"] for row in await all_rows(connection, _TENANTS_OF_THREAD, params)}


async def rows_of(connection: Connection, thread_ids: Sequence[str]) -> dict[str, int]:
    """How many rows threads have in all three tables."""
    rows = await all_rows(connection, _SQL["rows_of_threads"], {"thread_ids": list(thread_ids)})
    return {row["thread_id"]: row["count"] for row in rows}


async def forget_threads(connection: Connection, thread_ids: Sequence[str]) -> dict[str, int]:
    """Remove all that threads have; returns how many rows by table."""
    return dict(await first_row(connection, _SQL["forget_threads"], {"thread_ids": list(thread_ids)}))


async def idle(connection: Connection, thread_ids: Sequence[str], days: float) -> list[str]:
    """Those of these threads that have no checkpoint of the last days, by the times that the checkpoints say."""
    params: Json = {"thread_ids": list(thread_ids), "days": days}
    return [row["thread_id"] for row in await all_rows(connection, _SQL["idle_threads"], params)]
