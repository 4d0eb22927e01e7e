"""Chunks in all tiers."""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any
from uuid import UUID

from psycopg.rows import DictRow

from langgraph_agentmem.models.base import Tier, Value
from langgraph_agentmem.models.chunk import ChunkHistory, ChunkWords, Origin, TextChunk, Vectors, WrittenSection
from langgraph_agentmem.models.conflict import ConflictChunk
from langgraph_agentmem.policies.placing import content_hash
from langgraph_agentmem.policies.weighing import vector_text, weighed
from langgraph_agentmem.policies.words import DIMENSIONS, reader
from langgraph_agentmem.storage import outbox
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.driver.offloading import worked
from langgraph_agentmem.storage.driver.rows import (
    MAX_ROWS,
    Deferred,
    RawStatement,
    all_rows,
    as_array,
    as_json,
    as_numbers,
    as_vector,
    columns,
    first_row,
    numbered,
    of_tenants,
    send,
)
from langgraph_agentmem.storage.driver.statements import statements, template
from langgraph_agentmem.storage.vectors import EmbeddingModel

_SQL = statements("chunks")
_WRITE = RawStatement(template("chunks", "write_chunks").format(open_memory=template("sections", "open_memory")))
_CHUNK_COLUMNS = (
    "chunk_numbers", "chunk_section_ids", "chunk_orders", "contents", "content_hashes", "equal_before", "overlaps",
    "words", "own_words", "labels", "embeddings", "chunk_metadata",
)  # fmt: skip
_RUN_COLUMNS = (
    "ids", "section_ids", "contents", "content_hashes", "origins", "embeddings", "words", "own_words", "labels",
)  # fmt: skip
_MAX_VANISHED = 200
"""Vanished chunks of one section that a run compares with new ones; older ones just stay valid."""


class RunChunk(Value):
    """A chunk that a run writes."""

    id: int
    section_id: str
    content: str
    origin: Origin
    embedding: list[float] | None = None


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


async def write(
    connection: Connection,
    external_id: str,
    sections: Sequence[WrittenSection],
    vectors: Vectors,
    *,
    model: EmbeddingModel | None,
) -> Deferred[int]:
    """Make the stored chunks of sections those of their present values.

    Args:
        connection: In a transaction that holds the memories' locks.
        external_id: The tenant.
        sections: What was written, also where nothing is to be chunked.
        vectors: By the hash of the chunk's content.
        model: The vectors'.

    Returns:
        How many new chunks lack their vector.
    """
    places = numbered(section.namespace for section in sections)
    params = {
        "external_id": external_id,
        "namespaces": as_array(map(as_array, places)),
        **columns([(places[s.namespace], s.section_id) for s in sections], "places", "section_ids"),
        **await worked(_extent(sections, vectors), partial(_chunk_params, sections, vectors, model)),
    }
    return await _WRITE.send(connection, params, lambda rows: rows[0]["unembedded"])


def _extent(sections: Sequence[WrittenSection], vectors: Vectors) -> int:
    """How many characters, words and components of vectors are to be spelt out."""
    of_vectors = sum(map(len, vectors.values()))
    return of_vectors + sum(len(chunk.text) + 10 * len(chunk.words.weights) for s in sections for chunk in s.chunks)


def _chunk_params(sections: Sequence[WrittenSection], vectors: Vectors, model: EmbeddingModel | None) -> dict[str, Any]:
    """The chunks, whose sections are numbered as they are given."""
    rows = [
        (
            number, section.section_id, chunk.order, chunk.text, chunk.content_hash, chunk.equal_before, chunk.overlap,
            *_words(chunk.words), as_vector(vectors.get(chunk.content_hash)), as_json(chunk.metadata),
        )
        for number, section in enumerate(sections, 1)
        for chunk in section.chunks
    ]  # fmt: skip
    return {"max_rows": MAX_ROWS, **_model(model), **columns(rows, *_CHUNK_COLUMNS)}


def _words(words: ChunkWords) -> tuple[str, str, str | None]:
    return vector_text(words.weights, DIMENSIONS), as_numbers(words.own), words.label


def _model(model: EmbeddingModel | None) -> dict[str, Any]:
    return {
        "embedding_model": model and model.id,
        "full_vectors": model is not None and model.vector_type == "vector",
    }


async def allocate(connection: Connection, count: int) -> list[int]:
    """Ids for chunks to be inserted."""
    return [row["id"] for row in await all_rows(connection, _SQL["allocate_ids"], {"count": count})] if count else []


async def insert(
    connection: Connection,
    external_id: str,
    memory_id: int,
    chunks: Sequence[RunChunk],
    *,
    run_id: str,
    shortterm_memory_id: int,
    source: str,
    language: str,
    model: EmbeddingModel | None,
) -> None:
    """Insert short-term chunks that a run has written, in a language."""
    if not chunks:
        return
    read = [weighed([TextChunk(text=chunk.content)], reader(language))[0] for chunk in chunks]
    rows = [
        (c.id, c.section_id, c.content, content_hash(c.content), c.origin, as_vector(c.embedding), *_words(words))
        for c, words in zip(chunks, read, strict=True)
    ]
    params: dict[str, Any] = {
        "external_id": external_id,
        "memory_id": memory_id,
        "run_id": run_id,
        "shortterm_memory_id": shortterm_memory_id,
        "source": source,
        **_model(model),
        **columns(rows, *_RUN_COLUMNS),
    }
    await connection.execute(_SQL["insert_chunks"], params)


async def has_active(connection: Connection, external_id: str, memory_id: int) -> bool:
    """Whether a memory has chunks that no run has consolidated, or values that are no chunks yet."""
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
    """The chunks that a run has taken; `with_pending` adds those of earlier runs whose extraction failed."""
    params = {"external_id": external_id, "memory_id": memory_id, "run_id": run_id, "with_pending": with_pending}
    return [TakenChunk.model_validate(row) for row in await all_rows(connection, _SQL["claimed_chunks"], params)]


async def vanished(
    connection: Connection, external_id: str, memory_id: int, section_ids: list[str]
) -> list[SectionChunk]:
    """Consolidated chunks of these sections that are valid but no longer part of them."""
    params = {"external_id": external_id, "memory_id": memory_id, "section_ids": section_ids, "limit": _MAX_VANISHED}
    return [SectionChunk.model_validate(row) for row in await all_rows(connection, _SQL["vanished_chunks"], params)]


async def surroundings(
    connection: Connection, external_id: str, ids: list[int], length: int
) -> dict[int, tuple[str, str]]:
    """What stood before and after chunks when their runs took them, up to so many characters of each, where known."""
    params = {"external_id": external_id, "ids": ids, "length": length}
    rows = await all_rows(connection, _SQL["surroundings"], params)
    return {row["id"]: (row["before"], row["after"]) for row in rows}


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
    connection: Connection, external_id: str, pairs: Sequence[tuple[int, int | None, bool]]
) -> list[tuple[int, int | None]]:
    """End the validity of chunks; returns the (chunk, successor) pairs that took effect.

    Args:
        connection: In a transaction.
        external_id: The tenant.
        pairs: (chunk, successor or None, even if it is part of its section).
    """
    if not pairs:
        return []
    params = {"external_id": external_id, **columns(list(pairs), "ids", "superseded_bys", "forced")}
    ended = [(row["id"], row["superseded_by"]) for row in await all_rows(connection, _SQL["supersede_chunks"], params)]
    await outbox.enqueue_supporting_chunks(connection, external_id, chunks=[id for id, _ in ended])
    return ended


async def mark_unclear(connection: Connection, external_id: str, pairs: Sequence[tuple[int, int]]) -> None:
    """Note on both chunks of each pair that the later one perhaps takes the place of the earlier one."""
    if pairs:
        params = {"external_id": external_id, **_both_ways(pairs)}
        await connection.execute(_SQL["mark_unclear"], params)


async def unmark_unclear(connection: Connection, external_id: str, pairs: Sequence[tuple[int, int]]) -> None:
    """Take such notes back."""
    if pairs:
        params = {"external_id": external_id, **_both_ways(pairs)}
        await connection.execute(_SQL["unmark_unclear"], params)


def _both_ways(pairs: Sequence[tuple[int, int]]) -> dict[str, Any]:
    return columns([*pairs, *((b, a) for a, b in pairs)], "ids", "others")


async def existing(connection: Connection, external_id: str, ids: list[int]) -> set[int]:
    """Those of these chunks that there are."""
    params = {"external_id": external_id, "ids": ids}
    return {row["id"] for row in await all_rows(connection, _SQL["existing_chunks"], params)} if ids else set()


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
    # before they move: the outbox finds them by their tier
    await outbox.enqueue_memory_chunks(connection, external_id, memory_id, tier="shortterm")
    return (await first_row(connection, _SQL["promote_chunks"], params))["chunks"]


async def unembedded(
    connection: Connection, external_id: str | None, embedding_model: int | None, *, limit: int
) -> list[PendingChunk]:
    """Chunks without a vector of a model; without any, which an index finds, if none is named; all tenants' if None."""
    params = {"external_id": external_id, "embedding_model": embedding_model, "limit": limit}
    name = "waiting_chunks" if embedding_model is None else "unembedded_chunks"
    return await pending(connection, await all_rows(connection, _SQL[name], params))


async def pending(connection: Connection, found: Sequence[DictRow]) -> list[PendingChunk]:
    """Chunks that were found by tenant and id, with their contents."""
    return await of_tenants(connection, found, _SQL["contents"], {}, _pending)


def _pending(rows: list[DictRow]) -> list[PendingChunk]:
    return [PendingChunk.model_validate(row) for row in rows]


async def embed(
    connection: Connection, external_id: str, vectors: dict[int, list[float]], model: EmbeddingModel
) -> int:
    """Give chunks their vectors, except those that somebody else is changing; returns how many got one."""
    free = await locked(connection, external_id, vectors)
    await connection.execute(_SQL["embed_chunks"], vector_columns(external_id, free, vectors, model))
    return len(free)


async def locked(connection: Connection, external_id: str, ids: Iterable[int]) -> list[int]:
    """Those of these chunks that nobody else is changing, locked until the transaction ends."""
    params = {"external_id": external_id, "ids": list(ids)}
    return [row["id"] for row in await all_rows(connection, _SQL["lock_chunks"], params)]


def vector_columns(
    external_id: str, ids: Iterable[int], vectors: dict[int, list[float]], model: EmbeddingModel
) -> dict[str, Any]:
    """Some chunks' vectors of a model, as statements take them."""
    rows = [(id, as_vector(vectors[id])) for id in ids]
    return {"external_id": external_id, **_model(model), **columns(rows, "ids", "embeddings")}


async def send_history(
    connection: Connection, external_id: str, memory_id: int, section_id: str | None, *, limit: int
) -> Deferred[list[ChunkHistory]]:
    """Ask for a memory's chunks, or those of one of its sections, valid or not, the newest first."""
    params = {"external_id": external_id, "memory_id": memory_id, "section_id": section_id, "limit": limit}
    return await send(
        connection, _SQL["chunk_history"], params, lambda rows: [ChunkHistory.model_validate(row) for row in rows]
    )


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)


async def retire(connection: Connection, external_id: str, memory_id: int) -> None:
    """Note that what is left of a closed memory's chunks is part of no section any more."""
    await connection.execute(_SQL["retire_chunks"], {"external_id": external_id, "memory_id": memory_id})
