"""Puts another embedder in the place of the one in use, while searches go on by that.

The new vectors wait beside the chunks until there are all of them, and go into the chunks in one transaction. Whoever
is killed before has lost the batch that it was at; whoever begins again goes on behind what is there.
"""

from collections.abc import Callable, Sequence
from functools import partial

from langgraph_agentmem.embedding import Embedder
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.storage import reembedding as storage
from langgraph_agentmem.storage.chunks import PendingChunk
from langgraph_agentmem.storage.driver.connections import retrying_deadlocks
from langgraph_agentmem.storage.driver.tenants import NOBODY, tenant_or_everyone
from langgraph_agentmem.storage.vectors import EmbeddingModel

_BATCH = 128


async def reembed(resources: Resources, external_id: str | None, on_progress: Callable[[int], object]) -> int:
    """Compute the vectors of an embedder that is to be used, and use it when there are all of them.

    Args:
        resources: The open memory's.
        external_id: Only this tenant's; the embedder in use then stays.
        on_progress: Called after every batch, with how many vectors were computed so far.

    Returns:
        How many vectors were computed.

    Raises:
        EmbeddingError: The embedder fails; what it has computed before is kept.
    """
    coming = await resources.coming_model()
    if coming is None:
        return 0
    embedder, model = coming
    done = found = await _pass(resources, external_id, embedder, model, on_progress)
    # what others were changing, or have written meanwhile, is looked for again; what is written later is made up for
    while found:
        done += (found := await _pass(resources, external_id, embedder, model, on_progress, done))
    if external_id is None:
        await retrying_deadlocks(partial(_take_over, resources, model))
        await resources.embedding_model()
    return done


async def _pass(
    resources: Resources,
    external_id: str | None,
    embedder: Embedder,
    model: EmbeddingModel,
    on_progress: Callable[[int], object],
    before: int = 0,
) -> int:
    """Go through all chunks once, after so many vectors were computed before; returns how many were kept."""
    done, last = 0, storage.FIRST
    while True:
        async with resources.database.connection(tenant_or_everyone(external_id)) as connection:
            chunks = await storage.chunks_after(connection, external_id, model, last, limit=_BATCH)
        if not chunks:
            return done
        done += await _keep(resources, chunks, await embedder.embed([chunk.content for chunk in chunks]), model)
        on_progress(before + done)
        last = (chunks[-1].external_id, chunks[-1].id)


async def _keep(
    resources: Resources, chunks: Sequence[PendingChunk], vectors: Sequence[list[float]], model: EmbeddingModel
) -> int:
    kept = 0
    for tenant, own in by_tenant(chunks, vectors).items():
        async with resources.database.transaction(tenant) as connection:
            kept += await storage.keep(connection, tenant, own, model)
    return kept


def by_tenant(chunks: Sequence[PendingChunk], vectors: Sequence[list[float]]) -> dict[str, dict[int, list[float]]]:
    """Vectors by tenant and chunk: one transaction each."""
    found: dict[str, dict[int, list[float]]] = {}
    for chunk, vector in zip(chunks, vectors, strict=True):
        found.setdefault(chunk.external_id, {})[chunk.id] = vector
    return found


async def _take_over(resources: Resources, model: EmbeddingModel) -> None:
    async with resources.database.transaction(NOBODY) as connection:
        await storage.take_over(connection, model)
