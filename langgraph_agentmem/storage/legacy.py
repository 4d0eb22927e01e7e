"""Tables of an older three-tier system, read as they are, and what is written here of their rows."""

from collections.abc import Mapping, Sequence

from psycopg import sql

from langgraph_agentmem.models.base import Json
from langgraph_agentmem.models.chunk import Vectors
from langgraph_agentmem.models.item import Namespace
from langgraph_agentmem.models.legacy import LegacyChunk, LegacyMemory, LegacyShortterm, PresentMemory, PresentPiece
from langgraph_agentmem.policies.weighing import vector_text
from langgraph_agentmem.policies.words import DIMENSIONS
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.driver.rows import all_rows, as_array, as_json, as_numbers, as_vector, columns
from langgraph_agentmem.storage.driver.statements import statements, template
from langgraph_agentmem.storage.imports import SourceRows, Table
from langgraph_agentmem.storage.vectors import EmbeddingModel

_SQL = statements("legacy")
_SHORTTERM_COLUMNS = ("memory_ids", "update_counts", "metadata", "created_ats", "last_updateds")
_PIECE_COLUMNS = (
    "memory_ids", "section_ids", "tiers", "chunk_orders", "contents", "content_hashes", "overlaps", "words",
    "own_words", "labels", "embeddings", "metadata", "start_dates", "end_dates", "last_updateds", "confidences",
    "importances",
)  # fmt: skip


# What the source holds


async def memory_rows(connection: Connection, table: Table) -> SourceRows:
    """The memories."""
    return await _counted(connection, _memories(table))


async def section_rows(connection: Connection, table: Table) -> SourceRows:
    """The sections of memories, each with what is known of its memory."""
    return await _counted(connection, template("legacy", "section_rows").format(memories=_memories(table)))


async def shortterm_rows(connection: Connection, table: Table) -> SourceRows:
    """The short-term memories."""
    statement = template("legacy", "shortterm_rows").format(
        table=table.identifier,
        summary=_optional(table, "text", "summary"),
        metadata=_optional(table, "text", "metadata"),
        update_count=_optional(table, "int4", "update_count"),
        created_at=_optional(table, "timestamptz", "created_at"),
        last_updated=_optional(table, "timestamptz", "last_updated"),
    )
    return await _counted(connection, statement)


async def chunk_rows(connection: Connection, table: Table, memories: Table) -> SourceRows:
    """The consolidated chunks of a tier; whichever columns its table has, under one name for each kind."""
    statement = template("legacy", "chunk_rows").format(
        table=table.identifier,
        memories=memories.identifier,
        section_id=_optional(table, "text", "section_id"),
        metadata=_optional(table, "text", "metadata"),
        started_at=_optional(table, "timestamptz", "start_date", "created_at"),
        ended_at=_optional(table, "timestamptz", "end_date"),
        updated_at=_optional(table, "timestamptz", "last_updated"),
        confidence=_optional(table, "float8", "confidence_score", "confidence"),
        importance=_optional(table, "float8", "importance_score", "importance"),
        embedding=_optional(table, "text", "embedding"),
    )
    return await _counted(connection, statement)


async def tenants(connection: Connection, tables: Mapping[str, Table]) -> set[str]:
    """The tenants that the tables name.

    Args:
        connection: To the source.
        tables: `active`, `shortterm`, `shortterm_chunks`, `longterm_chunks`.
    """
    statement = template("legacy", "tenants").format(**{name: table.identifier for name, table in tables.items()})
    rows = await (await connection.execute(statement, {})).fetchall()
    return {row["external_id"] for row in rows}


def _memories(table: Table) -> sql.Composed:
    return template("legacy", "memory_rows").format(
        table=table.identifier,
        template=_optional(table, "text", "template_content"),
        metadata=_optional(table, "text", "metadata"),
        created_at=_optional(table, "timestamptz", "created_at"),
        updated_at=_optional(table, "timestamptz", "updated_at"),
    )


def _optional(table: Table, type: str, *names: str) -> sql.Composed:
    """The first of these columns that a table has, as a type; times without a zone are those of the source's server."""
    name = next((name for name in names if name in table.columns), None)
    column = sql.SQL("NULL") if name is None else sql.SQL("t.{}").format(sql.Identifier(name))
    return sql.SQL("{}::{}").format(column, sql.Identifier(type))


async def _counted(connection: Connection, statement: sql.Composed) -> SourceRows:
    count = template("legacy", "count_rows").format(rows=statement)
    row = await (await connection.execute(count, {})).fetchone()
    return SourceRows(statement, {}, row["rows"] if row else 0)


# Memories


async def present_memories(
    connection: Connection, external_id: str, namespaces: Sequence[Namespace]
) -> dict[Namespace, PresentMemory]:
    """The open memories under namespaces."""
    rows = await all_rows(connection, _SQL["present_memories"], _at(external_id, namespaces))
    return {memory.namespace: memory for memory in map(PresentMemory.model_validate, rows)}


async def describe(connection: Connection, external_id: str, memories: Sequence[LegacyMemory]) -> None:
    """Give memories, and those of their sections that are there, what the source says of them beside their values.

    Args:
        connection: In a transaction that holds the memories' locks.
        external_id: The tenant.
        memories: Such as have been made by an import, or have no template.
    """
    rows = [
        (as_json(m.namespace), m.title, as_json(m.metadata), m.legacy_id, m.created_at, m.updated_at) for m in memories
    ]
    names = ("namespaces", "titles", "metadata", "legacy_ids", "created_ats", "updated_ats")
    await connection.execute(_SQL["describe_memories"], {"external_id": external_id, **columns(rows, *names)})
    sections = [
        (as_json(m.namespace), section.id, position, section.title, section.description)
        for m in memories
        for position, section in enumerate(m.template.sections)
    ]
    names = ("namespaces", "section_ids", "positions", "titles", "descriptions")
    await connection.execute(_SQL["describe_sections"], {"external_id": external_id, **columns(sections, *names)})


async def insert_shortterm(
    connection: Connection, external_id: str, memories: Sequence[tuple[int, LegacyShortterm | None]]
) -> set[int]:
    """Make short-term memories where there are none; returns the ids of the memories that got one.

    Args:
        connection: In a transaction that holds the memories' locks.
        external_id: The tenant.
        memories: The id of each, with its short-term memory in the source, or None for an empty one.
    """
    empty = '{"promotion_history": []}'
    rows = [
        (id, m.update_count, as_json(m.metadata), m.created_at, m.last_updated) if m else (id, 0, empty, None, None)
        for id, m in memories
    ]
    params = {"external_id": external_id, **columns(rows, *_SHORTTERM_COLUMNS)}
    return {row["memory_id"] for row in await all_rows(connection, _SQL["insert_shortterm"], params)}


async def present_shortterm(
    connection: Connection, external_id: str, namespaces: Sequence[Namespace]
) -> set[Namespace]:
    """Those of these namespaces whose memories have a short-term memory."""
    rows = await all_rows(connection, _SQL["present_shortterm"], _at(external_id, namespaces))
    return {tuple(row["namespace"]) for row in rows}


# Chunks


async def present_pieces(
    connection: Connection, external_id: str, legacy_ids: Sequence[str]
) -> dict[str, list[PresentPiece]]:
    """What imports have written of chunks of a source, by these chunks."""
    params: Json = {"external_id": external_id, "legacy_ids": list(legacy_ids)}
    found: dict[str, list[PresentPiece]] = {}
    for row in await all_rows(connection, _SQL["present_pieces"], params):
        found.setdefault(row["legacy_id"], []).append(PresentPiece.model_validate(row))
    return found


async def insert_pieces(
    connection: Connection,
    external_id: str,
    chunks: Sequence[LegacyChunk],
    memory_ids: Mapping[Namespace, int],
    vectors: Vectors,
    *,
    source: str,
    model: EmbeddingModel | None,
) -> None:
    """Insert chunks of a source, all of whose memories have a short-term memory.

    Args:
        connection: In a transaction that holds the memories' locks.
        external_id: The tenant.
        chunks: Are not here yet.
        memory_ids: Of their memories.
        vectors: By the hash of a piece's content; pieces without one are embedded later.
        source: Who writes.
        model: The vectors'.
    """
    rows = [
        (
            memory_ids[c.namespace], c.section_id, c.tier, piece.order, piece.text, piece.content_hash, piece.overlap,
            vector_text(piece.words.weights, DIMENSIONS), as_numbers(piece.words.own), piece.words.label,
            as_vector(vectors.get(piece.content_hash)), as_json({**piece.metadata, "legacy_id": c.legacy_id}),
            c.started_at, c.ended_at, c.updated_at, c.confidence, c.importance,
        )
        for c in chunks
        for piece in c.pieces
    ]  # fmt: skip
    params: Json = {
        "external_id": external_id,
        "source": source,
        "embedding_model": model and model.id,
        "full_vectors": model is not None and model.vector_type == "vector",
        **columns(rows, *_PIECE_COLUMNS),
    }
    await connection.execute(_SQL["insert_pieces"], params)


async def end_pieces(connection: Connection, external_id: str, ended: Sequence[tuple[int, LegacyChunk]]) -> None:
    """End the validity of pieces when the source has ended that of their chunks."""
    params = columns([(id, chunk.ended_at) for id, chunk in ended], "ids", "end_dates")
    await connection.execute(_SQL["end_pieces"], {"external_id": external_id, **params})


async def replace_pieces(connection: Connection, external_id: str, ids: Sequence[int]) -> None:
    """End the validity of pieces in whose place others are written."""
    await connection.execute(_SQL["replace_pieces"], {"external_id": external_id, "ids": list(ids)})


def _at(external_id: str, namespaces: Sequence[Namespace]) -> Json:
    return {"external_id": external_id, "namespaces": [as_array(namespace) for namespace in namespaces]}
