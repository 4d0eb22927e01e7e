"""Vectors of an embedding model that is to take the place of the one in use."""

from langgraph_agentmem.models.base import Json
from langgraph_agentmem.storage.chunks import PendingChunk, locked, pending, vector_columns
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.driver.rows import all_rows
from langgraph_agentmem.storage.driver.statements import statements
from langgraph_agentmem.storage.driver.tenants import EVERYONE, NOBODY
from langgraph_agentmem.storage.vectors import EmbeddingModel

_SQL = statements("reembedding")
FIRST = ("", 0)
"""Before all chunks."""
_TENANTS = 500


async def chunks_after(
    connection: Connection, external_id: str | None, model: EmbeddingModel, after: tuple[str, int], *, limit: int
) -> list[PendingChunk]:
    """The next chunks with a vector of another model, for which none of this one waits yet.

    Args:
        connection: To the database.
        external_id: Only this tenant's; all tenants' if None.
        model: The model that is to be used.
        after: Tenant and id of the last chunk that was looked at.
        limit: The most.
    """
    params: Json = {"external_id": external_id, "embedding_model": model.id, "limit": limit}
    params |= {"after_tenant": after[0], "after": after[1]}
    return await pending(connection, await all_rows(connection, _SQL["chunks_to_reembed"], params))


async def keep(connection: Connection, external_id: str, vectors: dict[int, list[float]], model: EmbeddingModel) -> int:
    """Keep vectors until there are all of them, except of chunks that somebody else is changing; returns how many."""
    # locked, so that none of them is deleted meanwhile
    free = await locked(connection, external_id, vectors)
    await connection.execute(_SQL["keep_coming_vectors"], vector_columns(external_id, free, vectors, model))
    return len(free)


async def take_over(connection: Connection, model: EmbeddingModel) -> None:
    """Make a model the one in use, with all the vectors that wait for it.

    Args:
        connection: In a transaction: searches see all of it, or nothing.
        model: That model.
    """
    after = ""
    connection.serve(EVERYONE)
    while tenants := await all_rows(
        connection, _SQL["tenants_with_coming_vectors"], {"after": after, "limit": _TENANTS}
    ):
        for row in tenants:
            connection.serve(row["external_id"])
            params: Json = {"external_id": row["external_id"], "embedding_model": model.id}
            await connection.execute(_SQL["take_coming_vectors"], params)
            await connection.execute(_SQL["drop_coming_vectors"], params)
        after = tenants[-1]["external_id"]
        connection.serve(EVERYONE)
    connection.serve(NOBODY)
    await connection.execute(_SQL["use_embedding_model"], {"embedding_model": model.id})
