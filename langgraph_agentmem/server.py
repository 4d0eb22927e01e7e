"""What `langgraph.json` names: the store of a LangGraph server, configured by the environment."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio.to_thread

from langgraph_agentmem.store import AgentMemoryStore

__all__ = ["make_store"]


@asynccontextmanager
async def make_store() -> AsyncGenerator[AgentMemoryStore]:
    """A store that is open as long as the server runs: `"store": {"path": "langgraph_agentmem.server.make_store"}`.

    Everything comes from the environment, as `AgentMemorySettings` reads it: `AGENTMEM_DSN`, `AGENTMEM_EMBEDDINGS`,
    `AGENTMEM_STORE_OWNER` and the others.

    Raises:
        ConfigurationError: A variable does not fit.
        OutageError: The database cannot be reached.
    """
    # In a thread: an embedder's packages are imported here, which reads files, and the server forbids that on its loop.
    store = await anyio.to_thread.run_sync(AgentMemoryStore.from_conn_string)
    async with store:
        yield store
