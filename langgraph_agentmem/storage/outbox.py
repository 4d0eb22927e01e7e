"""What the graph projection still has to learn.

Each change is noted in the transaction that makes it. A chunk's row stands for the chunk and for all that it supports,
so that every row belongs to what one lock guards: a memory's own things, or the tenant's long-term ones.
"""

from collections.abc import Iterable, Sequence
from typing import Literal

from langgraph_agentmem.models.base import Json, Tier
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.driver.rows import columns
from langgraph_agentmem.storage.driver.statements import statements

_SQL = statements("graph")

Kind = Literal["entity", "relationship", "chunk"]
Operation = Literal["upsert", "delete"]


async def enqueue(
    connection: Connection,
    external_id: str,
    kind: Kind,
    revisions: Iterable[tuple[int, int]],
    operation: Operation = "upsert",
) -> None:
    """Note changes, given as (id, revision); chunks have no revision, theirs is 0."""
    rows = [(kind, id, operation, revision) for id, revision in revisions]
    if rows:
        params = columns(rows, "kinds", "target_ids", "operations", "revisions")
        await connection.execute(_SQL["enqueue"], {"external_id": external_id, **params})


async def enqueue_chunks(connection: Connection, external_id: str, ids: Iterable[int]) -> None:
    """Note chunks whose support was given or taken; one that supports nothing any more leaves the graph."""
    # each once, as an upsert cannot meet a row twice
    await enqueue(connection, external_id, "chunk", ((id, 0) for id in sorted(set(ids))))


async def enqueue_supporting_chunks(
    connection: Connection,
    external_id: str,
    *,
    chunks: Sequence[int] = (),
    entities: Sequence[int] = (),
    relationships: Sequence[int] = (),
) -> None:
    """Note those of these chunks that support anything, and those that support these entities and relationships."""
    if chunks or entities or relationships:
        params = {"chunk_ids": list(chunks), "entity_ids": list(entities), "relationship_ids": list(relationships)}
        await connection.execute(_SQL["enqueue_supporting_chunks"], {"external_id": external_id, **params})


async def enqueue_memory_chunks(
    connection: Connection,
    external_id: str,
    memory_id: int,
    *,
    tier: Tier | None = None,
    sections: Sequence[str] | None = None,
    operation: Operation = "upsert",
) -> None:
    """Note those of a memory's chunks that support anything, of one tier and of some sections, or of all."""
    params: Json = {"external_id": external_id, "memory_id": memory_id, "tier": tier, "operation": operation}
    params["section_ids"] = None if sections is None else list(sections)
    await connection.execute(_SQL["enqueue_memory_chunks"], params)
