"""Hears of memories that are due."""

from collections.abc import AsyncGenerator

from langgraph_agentmem.storage import queue
from langgraph_agentmem.storage.driver.database import Database

_CHECK_SECONDS = 30.0


async def due_notices(database: Database) -> AsyncGenerator[None]:
    """Yields once as soon as it listens, then whenever memories become due; on a connection of its own.

    Behind a pooler that hands connections on after each transaction nothing is heard, and it ends at once.

    Raises:
        OutageError: The connection cannot be made, or was lost.
    """
    async with database.listening() as connection:
        if connection is None:
            return
        await queue.listen(connection)
        yield
        while True:
            async for _ in connection.heard(_CHECK_SECONDS):
                yield
            await queue.listen(connection)  # is it still there?
