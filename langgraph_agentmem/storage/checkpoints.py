"""The tables of LangGraph's PostgreSQL checkpointers, as far as these do not look after them themselves."""

import zlib
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import cast

import anyio
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.serde.base import SerializerProtocol, maybe_add_typed_methods
from psycopg import AsyncPipeline

from langgraph_agentmem.models.base import Json
from langgraph_agentmem.storage.database import Connection, Database
from langgraph_agentmem.storage.rows import all_rows, first_row, one_row
from langgraph_agentmem.storage.shared_call import SharedCall
from langgraph_agentmem.storage.statements import statements

_SQL = statements("checkpoints")
_SETUP_LOCK = zlib.crc32(b"agentmem.checkpoints")
_TURN_SECONDS = 0.05
_NEWEST = len(AsyncPostgresSaver.MIGRATIONS) - 1


class _Unsynced:
    """Stands for a pipeline that ends with its transaction: what is sent in between need not be waited for."""

    async def sync(self) -> None:
        """Wait for nothing."""


UNSYNCED = cast("AsyncPipeline", _Unsynced())


class CheckpointTables:
    """LangGraph's own checkpointer and its tables, on the connections of a database.

    There is one for each connection, which one call has to itself: its lock holds up nobody.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._on: dict[Connection, AsyncPostgresSaver] = {}
        self._ready = False
        self._setting_up: SharedCall[None] = SharedCall()

    async def setup(self) -> None:
        """Make the tables, or bring them up to date; safe for any number of processes at once."""
        if not self._ready:
            await self._setting_up(self._setup)
            self._ready = True

    async def _setup(self) -> None:
        async with self._database.connection() as connection:
            if await _version(connection) < _NEWEST:
                async with _turn(connection):
                    await AsyncPostgresSaver(connection).setup()

    @asynccontextmanager
    async def connection(self, serde: SerializerProtocol) -> AsyncGenerator[AsyncPostgresSaver]:
        """LangGraph's checkpointer, outside any transaction."""
        await self.setup()
        async with self._database.connection() as connection:
            yield self._upstream(connection, serde, None)

    @asynccontextmanager
    async def transaction(self, serde: SerializerProtocol) -> AsyncGenerator[tuple[Connection, AsyncPostgresSaver]]:
        """A transaction, and LangGraph's checkpointer in it."""
        await self.setup()
        async with self._database.transaction() as connection:
            yield connection, self._upstream(connection, serde, UNSYNCED)

    def _upstream(
        self, connection: Connection, serde: SerializerProtocol, pipe: AsyncPipeline | None
    ) -> AsyncPostgresSaver:
        upstream = self._on.get(connection)
        if upstream is None:
            upstream = AsyncPostgresSaver(connection)
            self._on = {known: its for known, its in self._on.items() if not known.closed} | {connection: upstream}
        if upstream.serde is not serde:
            upstream.serde = maybe_add_typed_methods(serde)
        upstream.pipe = pipe
        return upstream


async def _version(connection: Connection) -> int:
    """Which of their migrations the tables have seen; -1 where there are none."""
    if not (await first_row(connection, _SQL["checkpoint_tables"], {}))["made"]:
        return -1
    return (await first_row(connection, _SQL["checkpoint_version"], {}))["version"]


@asynccontextmanager
async def _turn(connection: Connection) -> AsyncGenerator[None]:
    """This session's turn to set the tables up."""
    key = {"key": _SETUP_LOCK}
    while not (await first_row(connection, _SQL["try_lock_setup"], key))["locked"]:  # noqa: ASYNC110 - others' locks
        await anyio.sleep(_TURN_SECONDS)
    try:
        yield
    finally:
        await connection.execute(_SQL["unlock_setup"], key)


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
