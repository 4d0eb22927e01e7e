"""Chunks' vectors: computed before they are written, or afterwards for those that wait."""

import logging
from collections.abc import Callable, Container, Iterable, Sequence

from langgraph_agentmem import telemetry
from langgraph_agentmem.errors import EmbeddingError
from langgraph_agentmem.models.chunk import PlacedChunk, Vectors
from langgraph_agentmem.operations.sections import reembedding
from langgraph_agentmem.operations.sections.freshness import catch_up_tenant
from langgraph_agentmem.policies import validation
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.storage import chunks as storage
from langgraph_agentmem.storage.driver.tenants import EVERYONE

_BATCH = 128
_logger = logging.getLogger(__name__)


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


async def embed_pending(
    resources: Resources,
    external_id: str | None = None,
    *,
    others: bool = True,
    on_progress: Callable[[int], object] = lambda _: None,
) -> int:
    """Embed chunks that have no vector of the embedder in use yet, and return how many those were.

    Values that are no chunks yet become such first, also without an embedder. Two callers at once do some of the work
    twice, to the same result.

    Args:
        resources: The open memory's.
        external_id: Only this tenant's; all tenants' by default.
        others: Also those that another embedder has embedded, for which all chunks are looked at; see `reembedding`.
        on_progress: Called after every batch, with how many were embedded so far.

    Raises:
        EmbeddingError: The embedder fails; what was embedded before stays.
    """
    external_id = None if external_id is None else validation.tenant(external_id)
    validation.function(on_progress, "on_progress")
    await catch_up_tenant(resources, external_id)
    # first: what is written while it takes over is made up for below
    done = await reembedding.reembed(resources, external_id, on_progress) if others else 0
    if resources.embedder is None or (model := await resources.embedding_model()) is None:
        return done
    # while vectors of another model are still in use, only what has none is embedded
    others = others and await resources.coming_model() is None
    while True:
        async with resources.database.transaction(external_id or EVERYONE) as connection:
            found = await storage.unembedded(connection, external_id, model.id if others else None, limit=_BATCH)
        if not found:
            return done
        vectors = await resources.embedder.embed([pending.content for pending in found])
        embedded = 0
        for tenant, own in reembedding.by_tenant(found, vectors).items():
            async with resources.database.transaction(tenant) as connection:
                embedded += await storage.embed(connection, tenant, own, model)
        done += embedded
        on_progress(done)
        if not embedded:  # others are at them; they stay in the queue
            return done


async def embed_what_is_left(resources: Resources, external_id: str) -> None:
    """Embed a tenant's pending chunks where that is no condition for anything: those that fail stay in the queue."""
    try:
        await embed_pending(resources, external_id)
    except EmbeddingError as error:
        _logger.warning("chunks of tenant %r stay without vectors for now: %s", external_id, telemetry.described(error))
