"""Hears of memories that are due."""

from collections.abc import AsyncGenerator
from typing import cast

from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row

from langgraph_agentmem.storage import queue
from langgraph_agentmem.storage.driver.database import Database
from langgraph_agentmem.storage.driver.translation import translated

_CHECK_SECONDS = 30.0


async def due_notices(database: Database) -> AsyncGenerator[None]:
    """Yields once as soon as it listens, then whenever memories become due; on a connection of its own.

    Behind a pooler that hands connections on after each transaction, nothing is heard.

    Raises:
        OutageError: The connection cannot be made, or was lost.
    """
    await database.start()
    dsn = cast("str", database.dsn)
    with translated():
        connection = await AsyncConnection[DictRow].connect(dsn, autocommit=True, row_factory=dict_row)
        try:
            await queue.listen(connection)
            yield
            while True:
                async for _ in connection.notifies(timeout=_CHECK_SECONDS):
                    yield
                await queue.listen(connection)  # is it still there?
        finally:
            # as a context manager it would roll back first, and stay open where that is cancelled as well
            await connection.close()
