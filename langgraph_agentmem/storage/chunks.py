"""Chunks in all tiers."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from langgraph_agentmem.models.base import Tier, Value
from langgraph_agentmem.models.chunk import Origin
from langgraph_agentmem.models.conflict import ConflictChunk
from langgraph_agentmem.policies.diffing import StoredChunk, content_hash
from langgraph_agentmem.storage import outbox
from langgraph_agentmem.storage.database import Connection
from langgraph_agentmem.storage.rows import all_rows, as_vector, columns, first_row
from langgraph_agentmem.storage.statements import statements

_SQL = statements("chunks")
_MOST_VANISHED = 200
"""Vanished chunks of one section that a run compares with new ones; older ones just stay valid."""


class NewChunk(Value):
    """A chunk to be inserted; without an id it gets the next one."""

    id: int | None = None
    section_id: str
    section_revision: int
    order: int
    content: str
    overlap: str = ""
    neighbours: str = ""
    source: str | None = None
    origin: Origin = "section"
    embedding: list[float] | None = None


class Refreshed(Value):
    """What changes of a chunk that stays."""

    id: int
    order: int
    content: str
    neighbours: str


class PendingChunk(Value):
    """A chunk that waits for its vector."""

    external_id: str
    id: int
    content: str


class SectionChunk(ConflictChunk):
    """A chunk with its section."""

    section_id: str


class TakenChunk(SectionChunk):
    """A chunk that a run looks at.

    Attributes:
        current: Whether it is part of its section's present value.
        taken: Whether the run has taken it, as new (`active`) or as one that came back.
        extraction_pending: Whether an earlier run's extraction failed.
    """

    tier: Tier
    current: bool
    taken: bool | None
    extraction_pending: bool


async def of_sections(
    connection: Connection, external_id: str, memory_id: int, section_ids: Sequence[str]
) -> dict[str, list[StoredChunk]]:
    """The stored chunks that new values of these sections are compared with, by section."""
    params = {"external_id": external_id, "memory_id": memory_id, "section_ids": list(section_ids)}
    found: dict[str, list[StoredChunk]] = {section_id: [] for section_id in section_ids}
    for row in await all_rows(connection, _SQL["section_chunks"], params):
        found[row["section_id"]].append(StoredChunk.model_validate(row))
    return found


async def allocate(connection: Connection, count: int) -> list[int]:
    """Ids for chunks to be inserted."""
    return [row["id"] for row in await all_rows(connection, _SQL["allocate_ids"], {"count": count})] if count else []


async def insert(
    connection: Connection,
    external_id: str,
    memory_id: int,
    chunks: Sequence[NewChunk],
    *,
    config: str,
    embedding_model: int | None,
    run_id: str | None = None,
    shortterm_memory_id: int | None = None,
) -> None:
    """Insert chunks: active ones of a section, or short-term ones that a run has written."""
    if not chunks:
        return
    rows = [_insert_row(chunk) for chunk in chunks]
    names = "ids section_ids section_revisions chunk_orders contents content_hashes overlaps sources origins neighbours"
    params: dict[str, Any] = {
        "external_id": external_id,
        "memory_id": memory_id,
        "tier": "active" if run_id is None else "shortterm",
        "current": run_id is None,
        "run_id": run_id,
        "shortterm_memory_id": shortterm_memory_id,
        "config": config,
        "embedding_model": embedding_model,
        **columns(rows, *names.split(), "embeddings"),
    }
    await connection.execute(_SQL["insert_chunks"], params)


def _insert_row(chunk: NewChunk) -> tuple[Any, ...]:
    return (
        chunk.id, chunk.section_id, chunk.section_revision, chunk.order, chunk.content, content_hash(chunk.content),
        chunk.overlap, chunk.source, chunk.origin, chunk.neighbours, as_vector(chunk.embedding),
    )  # fmt: skip


async def refresh(connection: Connection, external_id: str, chunks: Sequence[Refreshed], *, config: str) -> None:
    """Give chunks that stay their present place, white space and neighbours."""
    if chunks:
        rows = [(chunk.id, chunk.order, chunk.content, chunk.neighbours) for chunk in chunks]
        params = columns(rows, "ids", "chunk_orders", "contents", "neighbours")
        await connection.execute(_SQL["refresh_chunks"], {"external_id": external_id, "config": config, **params})


async def remove(connection: Connection, external_id: str, *, retire: list[int], delete: list[int]) -> None:
    """Take chunks from their section: those that a run has seen stay, the others go."""
    if retire:
        await connection.execute(_SQL["retire_chunks"], {"external_id": external_id, "ids": retire})
    if delete:
        await connection.execute(_SQL["delete_chunks"], {"external_id": external_id, "ids": delete})


async def has_active(connection: Connection, external_id: str, memory_id: int) -> bool:
    """Whether a memory has chunks that no run has consolidated."""
    params = {"external_id": external_id, "memory_id": memory_id}
    return (await first_row(connection, _SQL["active_chunks"], params))["found"]


async def claim(
    connection: Connection, external_id: str, memory_id: int, run_id: str, section_ids: list[str], *, everything: bool
) -> None:
    """Mark what a run takes."""
    params = {"external_id": external_id, "memory_id": memory_id, "run_id": run_id, "section_ids": section_ids}
    await connection.execute(_SQL["claim_chunks"], params | {"everything": everything})


async def claimed(
    connection: Connection, external_id: str, memory_id: int, run_id: str, *, with_pending: bool = False
) -> list[TakenChunk]:
    """The chunks that a run has taken; with those of earlier runs whose extraction failed, if so asked."""
    params = {"external_id": external_id, "memory_id": memory_id, "run_id": run_id, "with_pending": with_pending}
    return [TakenChunk.model_validate(row) for row in await all_rows(connection, _SQL["claimed_chunks"], params)]


async def vanished(
    connection: Connection, external_id: str, memory_id: int, section_ids: list[str]
) -> list[SectionChunk]:
    """Consolidated chunks of these sections that are valid but no longer part of them."""
    params = {"external_id": external_id, "memory_id": memory_id, "section_ids": section_ids, "limit": _MOST_VANISHED}
    return [SectionChunk.model_validate(row) for row in await all_rows(connection, _SQL["vanished_chunks"], params)]


async def consolidate(
    connection: Connection,
    external_id: str,
    memory_id: int,
    run_id: str,
    shortterm_memory_id: int,
    *,
    extracted: list[int] | None,
) -> None:
    """Move a run's chunks to the short-term tier; `extracted` is None where the extraction failed."""
    params = {"external_id": external_id, "memory_id": memory_id, "run_id": run_id}
    params |= {"shortterm_memory_id": shortterm_memory_id, "extraction_pending": extracted is None}
    await connection.execute(_SQL["consolidate_chunks"], params)
    if extracted:
        await connection.execute(_SQL["extracted_chunks"], {"external_id": external_id, "ids": extracted})


async def supersede(
    connection: Connection, external_id: str, pairs: Sequence[tuple[int, int, bool]]
) -> list[tuple[int, int]]:
    """End the validity of chunks; returns the (chunk, successor) pairs that took effect.

    Args:
        connection: In a transaction.
        external_id: The tenant.
        pairs: (chunk, successor, even if it is part of its section).
    """
    if not pairs:
        return []
    params = {"external_id": external_id, **columns(list(pairs), "ids", "superseded_bys", "forced")}
    ended = [(row["id"], row["superseded_by"]) for row in await all_rows(connection, _SQL["supersede_chunks"], params)]
    await outbox.enqueue_supporting_chunks(connection, external_id, chunks=[id for id, _ in ended])
    return ended


class ChunkState(Value):
    """The validity of a chunk."""

    id: int
    ended: bool
    superseded_by: int | None
    superseded_by_run: str | None


async def states(connection: Connection, external_id: str, ids: list[int]) -> dict[int, ChunkState]:
    """The validity of chunks, by id."""
    rows = await all_rows(connection, _SQL["states"], {"external_id": external_id, "ids": ids})
    return {
        row["id"]: ChunkState(
            id=row["id"],
            ended=row["end_date"] is not None,
            superseded_by=row["superseded_by"],
            superseded_by_run=_text(row["superseded_by_run"]),
        )
        for row in rows
    }


async def restore(connection: Connection, external_id: str, *, restored: list[int], ended: list[int]) -> None:
    """Make superseded chunks valid again and end those that took their place."""
    await connection.execute(_SQL["restore_chunks"], {"external_id": external_id, "ids": restored})
    await connection.execute(_SQL["end_chunks"], {"external_id": external_id, "ids": ended})
    await outbox.enqueue_supporting_chunks(connection, external_id, chunks=[*restored, *ended])


async def promote(connection: Connection, external_id: str, memory_id: int) -> int:
    """Refresh long-term chunks that are still current, move the short-term ones; returns how many were moved."""
    params = {"external_id": external_id, "memory_id": memory_id}
    await connection.execute(_SQL["refresh_longterm_chunks"], params)
    await outbox.enqueue_memory_chunks(connection, external_id, memory_id, tier="shortterm")
    return (await first_row(connection, _SQL["promote_chunks"], params))["chunks"]


async def unembedded(
    connection: Connection, external_id: str | None, embedding_model: int, *, outdated: bool, limit: int
) -> list[PendingChunk]:
    """Chunks without a vector, or (`outdated`) with one of another model."""
    params = {"external_id": external_id, "embedding_model": embedding_model, "outdated": outdated, "limit": limit}
    return [PendingChunk.model_validate(row) for row in await all_rows(connection, _SQL["unembedded_chunks"], params)]


async def embed(connection: Connection, external_id: str, vectors: dict[int, list[float]], embedding_model: int) -> int:
    """Give chunks their vectors, except those that somebody else is changing; returns how many got one."""
    params = {"external_id": external_id, "ids": list(vectors)}
    free = [row["id"] for row in await all_rows(connection, _SQL["lock_chunks"], params)]
    rows = [(id, as_vector(vectors[id])) for id in free]
    params = {"external_id": external_id, "embedding_model": embedding_model, **columns(rows, "ids", "embeddings")}
    await connection.execute(_SQL["embed_chunks"], params)
    return len(free)


async def delete_all(connection: Connection, external_id: str, memory_id: int) -> None:
    """Remove all of a memory's chunks, in every tier."""
    await outbox.enqueue_memory_chunks(connection, external_id, memory_id, operation="delete")
    await connection.execute(_SQL["delete_memory_chunks"], {"external_id": external_id, "memory_id": memory_id})


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)
