"""Writes sections' values as chunks, and gives chunks their vectors."""

import logging
from collections.abc import Awaitable, Callable, Container, Iterable, Sequence
from functools import partial
from typing import TypeVar

from langgraph_agentmem import telemetry
from langgraph_agentmem.errors import EmbeddingError
from langgraph_agentmem.models.base import Json
from langgraph_agentmem.models.chunk import PlacedChunk, Vectors, WrittenSection
from langgraph_agentmem.operations.sections.texts import pieces
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.settings import AgentMemorySettings
from langgraph_agentmem.storage import chunks as storage
from langgraph_agentmem.storage import memories as active
from langgraph_agentmem.storage.driver.connections import Connection, retrying_deadlocks
from langgraph_agentmem.storage.driver.rows import Deferred
from langgraph_agentmem.storage.driver.tenants import EVERYONE, Everyone, tenant_or_everyone

T = TypeVar("T")
_BATCH = 128
_UNCHUNKED_AT_ONCE = 250
_logger = logging.getLogger(__name__)


def written(
    settings: AgentMemorySettings,
    namespace: tuple[str, ...],
    section_id: str,
    value: Json,
    fields: Sequence[str] | None = None,
) -> WrittenSection:
    """A section as it is to be remembered; see `operations.texts` for the fields."""
    return WrittenSection(namespace=namespace, section_id=section_id, chunks=pieces(value, fields, settings))


async def vectors_for(
    resources: Resources, sections: Iterable[Sequence[PlacedChunk]], known: Container[bytes] = ()
) -> Vectors:
    """Vectors of those chunks of some sections that are not known yet, if they are to be embedded now.

    Raises:
        EmbeddingError: The embedder fails; nothing was written.
    """
    embedder = resources.embedder_now
    if embedder is None:
        return {}
    await resources.embedding_model()
    texts = {piece.content_hash: piece.overlap + piece.text for pieces in sections for piece in pieces}
    wanted = {hash: text for hash, text in texts.items() if hash not in known}
    return dict(zip(wanted, await embedder.embed(list(wanted.values())), strict=True))


async def write_chunks(
    connection: Connection, resources: Resources, external_id: str, sections: Sequence[WrittenSection], vectors: Vectors
) -> storage.Unembedded:
    """Make the stored chunks those of the sections' present values; one statement, whose result is not waited for.

    Args:
        connection: In a transaction that holds the memories' locks and has written the values.
        resources: The open memory's.
        external_id: The tenant.
        sections: What was written.
        vectors: Of new chunks; those without one are embedded later.

    Returns:
        What tells how many new chunks lack their vector.
    """
    return await storage.write(
        connection,
        external_id,
        sections,
        vectors,
        config=resources.settings.text_search_config,
        model=await resources.embedding_model() if vectors else None,
    )


async def catch_up(connection: Connection, resources: Resources, external_id: str, memory_id: int) -> None:
    """Write the chunks of a memory's stale sections, in a transaction that holds its lock.

    Whoever works with a memory's chunks under its lock does this first.
    """
    while await _catch_up_some(connection, resources, external_id, memory_id):
        pass


async def catch_up_all(resources: Resources, memories: Iterable[storage.UnchunkedMemory]) -> None:
    """Write the chunks of the stale sections of memories; no memory is locked for long."""
    for external_id, memory_id in memories:
        while await retrying_deadlocks(partial(_lock_and_catch_up_some, resources, external_id, memory_id)):
            pass


async def _lock_and_catch_up_some(resources: Resources, external_id: str, memory_id: int) -> bool:
    async with resources.database.transaction(external_id) as connection:
        known = await active.get(connection, external_id, memory_id, lock=True) is not None
        return known and await _catch_up_some(connection, resources, external_id, memory_id)


async def _catch_up_some(connection: Connection, resources: Resources, external_id: str, memory_id: int) -> bool:
    """Write the chunks of some stale sections; returns whether there may be more."""
    unchunked = await storage.take_unchunked(connection, external_id, memory_id, limit=_UNCHUNKED_AT_ONCE)
    if unchunked:
        sections = [written(resources.settings, s.namespace, s.section_id, s.value, s.text_fields) for s in unchunked]
        await write_chunks(connection, resources, external_id, sections, {})
    return len(unchunked) == _UNCHUNKED_AT_ONCE


async def read_fresh(
    resources: Resources,
    tenant: str | Everyone,
    read: Callable[[Connection], Awaitable[tuple[T, Deferred[list[storage.UnchunkedMemory]]]]],
) -> T:
    """What is read of chunks in a transaction, as it is when no section is stale that matters to it.

    Args:
        resources: The open memory's.
        tenant: Whose chunks are read.
        read: Asks for the stale memories that matter before it asks for chunks, and returns both answers. Where there
            are any, they catch up, and it is called once more.
    """
    async with resources.database.transaction(tenant) as connection:
        found, unchunked = await read(connection)
    if behind := await unchunked():
        await catch_up_all(resources, behind)
        async with resources.database.transaction(tenant) as connection:
            found, _ = await read(connection)
    return found


async def embed_pending(resources: Resources, external_id: str | None = None, *, others: bool = True) -> int:
    """Embed chunks that have no vector of the embedder in use yet, and return how many those were.

    Stale sections get their chunks first, also without an embedder. Two callers at once do some of the work twice,
    to the same result.

    Args:
        resources: The open memory's.
        external_id: Only this tenant's; all tenants' by default.
        others: Also those that another embedder has embedded, for which all chunks are looked at.

    Raises:
        EmbeddingError: The embedder fails; what was embedded before stays.
    """
    await _catch_up_pending(resources, external_id)
    model = await resources.embedding_model()
    if model is None or resources.embedder is None:
        return 0
    done = 0
    while True:
        async with resources.database.transaction(tenant_or_everyone(external_id)) as connection:
            found = await storage.unembedded(connection, external_id, model.id if others else None, limit=_BATCH)
        if not found:
            return done
        vectors = await resources.embedder.embed([pending.content for pending in found])
        by_tenant: dict[str, dict[int, list[float]]] = {}
        for pending, vector in zip(found, vectors, strict=True):
            by_tenant.setdefault(pending.external_id, {})[pending.id] = vector
        embedded = 0
        for tenant, tenant_vectors in by_tenant.items():
            async with resources.database.transaction(tenant) as connection:
                embedded += await storage.embed(connection, tenant, tenant_vectors, model)
        done += embedded
        if not embedded:  # others are at them; they stay in the queue
            return done


async def _catch_up_pending(resources: Resources, external_id: str | None) -> None:
    """Write the chunks of all stale sections of a tenant, or of all."""
    if external_id is not None:
        async with resources.database.connection(external_id) as connection:
            unchunked = await storage.send_unchunked(connection, external_id)
        await catch_up_all(resources, await unchunked())
        return
    last = ("", 0)
    while True:
        async with resources.database.connection(EVERYONE) as connection:
            found = await storage.unchunked_after(connection, last, limit=_BATCH)
        if not found:
            return
        await catch_up_all(resources, found)
        last = found[-1]


async def embed_what_is_left(resources: Resources, external_id: str) -> None:
    """Embed a tenant's pending chunks where that is no condition for anything: those that fail stay in the queue."""
    try:
        await embed_pending(resources, external_id)
    except EmbeddingError as error:
        _logger.warning("chunks of tenant %r stay without vectors for now: %s", external_id, telemetry.described(error))
