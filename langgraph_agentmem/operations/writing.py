"""Writes sections' contents as chunks, and gives chunks their vectors."""

import logging
from collections.abc import Container, Iterable, Mapping

from langgraph_agentmem.errors import EmbeddingError
from langgraph_agentmem.models.chunk import TextChunk
from langgraph_agentmem.policies.chunking import chunk
from langgraph_agentmem.policies.diffing import ChunkDiff, PlacedChunk, content_hash
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.settings import AgentMemorySettings
from langgraph_agentmem.storage import chunks as storage
from langgraph_agentmem.storage.chunks import NewChunk, Refreshed
from langgraph_agentmem.storage.database import Connection

Vectors = dict[bytes, list[float]]
"""Vectors by the hash of the chunk's content."""

_BATCH = 128
_logger = logging.getLogger(__name__)


def chunked(content: str, settings: AgentMemorySettings) -> list[TextChunk]:
    """The chunks of a section's content."""
    return chunk(content, settings.chunk_size_chars, settings.chunk_overlap_chars)


async def vectors_for(resources: Resources, contents: Iterable[str], known: Container[bytes] = ()) -> Vectors:
    """Vectors of those chunks of some contents that are not known yet, if they are to be embedded now.

    Raises:
        EmbeddingError: The embedder fails; nothing was written.
    """
    if resources.embedder is None or resources.settings.embed == "background":
        return {}
    await resources.embedding_model()
    texts = {
        content_hash(piece.text): piece.overlap + piece.text
        for content in contents
        for piece in chunked(content, resources.settings)
        if piece.text.strip()
    }
    wanted = {hash: text for hash, text in texts.items() if hash not in known}
    return dict(zip(wanted, await resources.embedder.embed(list(wanted.values())), strict=True))


async def write_chunks(
    connection: Connection,
    resources: Resources,
    external_id: str,
    memory_id: int,
    contents: Mapping[str, tuple[int, str]],
    diffs: Mapping[str, ChunkDiff],
    vectors: Vectors,
    source: str | None,
) -> bool:
    """Make the stored chunks those of the sections' new contents; statements only, no result is waited for.

    Args:
        connection: In a transaction that holds the memory's lock.
        resources: The open memory's.
        external_id: The tenant.
        memory_id: The memory.
        contents: (new revision, content) by section.
        diffs: By section.
        vectors: Of new chunks; those without one are embedded later.
        source: Who wrote.

    Returns:
        Whether every new chunk has its vector, or needs none.
    """
    settings = resources.settings
    new = [
        _new_chunk(section_id, contents[section_id][0], placed, vectors, source)
        for section_id, found in diffs.items()
        for placed in found.insert
    ]
    kept = [
        Refreshed(id=placed.id, order=placed.order, content=placed.text, neighbours=placed.neighbours)
        for found in diffs.values()
        for placed in found.refresh
        if placed.id is not None
    ]
    await storage.remove(
        connection,
        external_id,
        retire=[id for found in diffs.values() for id in found.retire],
        delete=[id for found in diffs.values() for id in found.delete],
    )
    await storage.refresh(connection, external_id, kept, config=settings.text_search_config)
    model = await resources.embedding_model() if vectors else None
    await storage.insert(
        connection,
        external_id,
        memory_id,
        new,
        config=settings.text_search_config,
        embedding_model=model and model.id,
    )
    return resources.embedder is None or all(chunk.embedding for chunk in new)


async def embed_pending(resources: Resources, external_id: str | None = None) -> int:
    """Embed chunks that have no vector of the embedder in use yet, and return how many those were.

    Two callers at once do some of the work twice, to the same result.

    Raises:
        EmbeddingError: The embedder fails; what was embedded before stays.
    """
    model = await resources.embedding_model()
    if model is None or resources.embedder is None:
        return 0
    done = 0
    while True:
        async with resources.database.transaction() as connection:
            found = await storage.unembedded(
                connection, external_id, model.id, outdated=resources.reembed, limit=_BATCH
            )
        if not found:
            return done
        vectors = await resources.embedder.embed([pending.content for pending in found])
        by_tenant: dict[str, dict[int, list[float]]] = {}
        for pending, vector in zip(found, vectors, strict=True):
            by_tenant.setdefault(pending.external_id, {})[pending.id] = vector
        embedded = 0
        for tenant, tenant_vectors in by_tenant.items():
            async with resources.database.transaction() as connection:
                embedded += await storage.embed(connection, tenant, tenant_vectors, model.id)
        done += embedded
        if not embedded:  # others are at them; they stay in the queue
            return done


async def embed_what_is_left(resources: Resources, external_id: str) -> None:
    """Embed a tenant's pending chunks where that is no condition for anything: those that fail stay in the queue."""
    try:
        await embed_pending(resources, external_id)
    except EmbeddingError as error:
        _logger.warning("chunks of tenant %r stay without vectors for now: %s", external_id, error)


def _new_chunk(section_id: str, revision: int, placed: PlacedChunk, vectors: Vectors, source: str | None) -> NewChunk:
    return NewChunk(
        section_id=section_id,
        section_revision=revision,
        order=placed.order,
        content=placed.text,
        overlap=placed.overlap,
        neighbours=placed.neighbours,
        source=source,
        embedding=vectors.get(content_hash(placed.text)),
    )
