"""What `langgraph.json` names: the store and the checkpointer of a LangGraph server, configured by the environment."""

import importlib
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio.to_thread
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer

from langgraph_agentmem.checkpoint import AgentMemorySaver
from langgraph_agentmem.errors import ConfigurationError
from langgraph_agentmem.settings import AgentMemorySettings
from langgraph_agentmem.store import AgentMemoryStore

_KEY = "LANGGRAPH_AES_KEY"

__all__ = ["make_checkpointer", "make_store"]


@asynccontextmanager
async def make_store() -> AsyncGenerator[AgentMemoryStore]:
    """A store that is open as long as the server runs.

    In `langgraph.json`: `"store": {"path": "langgraph_agentmem.langgraph_server.make_store"}`.

    Everything comes from the environment, as `AgentMemorySettings` reads it: `AGENTMEM_DSN`, `AGENTMEM_EMBEDDINGS`,
    `AGENTMEM_STORE_OWNER` and the others.

    Raises:
        ConfigurationError: A variable does not fit.
        OutageError: The database cannot be reached.

    Examples:
        >>> async with make_store() as store:
        ...     await store.aput(("alice", "notes"), "1", {"text": "Call Bo."})
    """
    # In a thread: an embedder's packages are imported here, which reads files, and the server forbids that on its loop.
    store = await anyio.to_thread.run_sync(AgentMemoryStore.from_conn_string)
    async with store:
        yield store


@asynccontextmanager
async def make_checkpointer() -> AsyncGenerator[AgentMemorySaver]:
    """A checkpointer that is open as long as the server runs.

    In `langgraph.json`: `"checkpointer": {"path": "langgraph_agentmem.langgraph_server.make_checkpointer"}`.

    Everything comes from the environment, as `AgentMemorySettings` reads it: `AGENTMEM_DSN`,
    `AGENTMEM_CHECKPOINT_STATE_SCHEMA`, `AGENTMEM_CHECKPOINT_TENANT_KEYS`, `AGENTMEM_CHECKPOINT_TITLE` and the others.
    Where `LANGGRAPH_AES_KEY` is set, checkpoints are encrypted with it, as a server's own checkpointer would do.

    Raises:
        ConfigurationError: A variable does not fit, or what it asks for is not installed.
        OutageError: The database cannot be reached.

    Examples:
        >>> async with make_checkpointer() as saver:
        ...     await saver.aget_tuple({"configurable": {"thread_id": "new"}}) is None
        True
    """
    saver = await anyio.to_thread.run_sync(_checkpointer)  # in a thread, as above
    async with saver:
        yield saver


def _checkpointer() -> AgentMemorySaver:
    settings = AgentMemorySettings()
    schema = settings.checkpoint_state_schema
    state_schema = None if schema is None else _named(schema)
    return AgentMemorySaver.from_conn_string(state_schema=state_schema, settings=settings, serde=_encrypting())


def _encrypting() -> EncryptedSerializer | None:
    """The serializer of encrypted checkpoints, where they are asked for; never plain text instead."""
    if _KEY not in os.environ:
        return None
    try:
        return EncryptedSerializer.from_pycryptodome_aes()
    except (ImportError, ValueError) as error:
        raise ConfigurationError(f"{_KEY} asks for encrypted checkpoints, which there cannot be: {error}") from error


def _named(path: str) -> type:
    module, _, name = path.partition(":")
    try:
        schema = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(
            f"AGENTMEM_CHECKPOINT_STATE_SCHEMA names {path!r}, which cannot be imported ({error}); it looks like "
            "package.module:State"
        ) from error
    if not isinstance(schema, type):
        raise ConfigurationError(f"AGENTMEM_CHECKPOINT_STATE_SCHEMA names {path!r}, which is no class but {schema!r}")
    return schema
