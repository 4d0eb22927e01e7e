"""Which chunk supports which entity or relationship, and what goes when nothing does any more."""

from collections.abc import Sequence
from typing import Literal

from langgraph_agentmem.storage import outbox
from langgraph_agentmem.storage.database import Connection
from langgraph_agentmem.storage.rows import all_rows, columns
from langgraph_agentmem.storage.statements import statements

_SQL = statements("graph")


async def add_mentions(
    connection: Connection, external_id: str, rows: Sequence[tuple[int, int | None, int | None]]
) -> None:
    """Note which chunk supports what: (chunk, entity or None, relationship or None)."""
    if rows:
        params = columns(list(rows), "chunk_ids", "entity_ids", "relationship_ids")
        await connection.execute(_SQL["insert_mentions"], {"external_id": external_id, **params})


async def inherit_mentions(connection: Connection, external_id: str, rows: Sequence[tuple[int, int, str]]) -> None:
    """Let new chunks support what their sources support, as far as they name it: (source, new chunk, its text)."""
    if rows:
        folded = [(source, id, text.casefold()) for source, id, text in rows]
        params = columns(folded, "from_ids", "to_ids", "texts")
        await connection.execute(_SQL["inherit_mentions"], {"external_id": external_id, **params})


async def move_mentions(connection: Connection, external_id: str, from_id: int, to_id: int, chunks: list[int]) -> None:
    """Move the support that some chunks gave from one entity to another."""
    params = {"external_id": external_id, "from_id": from_id, "to_id": to_id, "chunk_ids": chunks}
    await connection.execute(_SQL["move_mentions"], params)


async def delete_unsupported(
    connection: Connection, external_id: str, supported: list[tuple[int | None, int | None]]
) -> None:
    """Remove those of these entities and relationships that no chunk supports any more."""
    ids = sorted({relationship for _, relationship in supported if relationship})
    relationships = await all_rows(
        connection, _SQL["unsupported_relationships"], {"external_id": external_id, "ids": ids}
    )
    await _delete(connection, external_id, "relationship", [(r["id"], r["revision"]) for r in relationships])
    ids = sorted({entity for entity, _ in supported if entity})
    entities = await all_rows(connection, _SQL["unsupported_entities"], {"external_id": external_id, "ids": ids})
    await _delete(connection, external_id, "entity", [(e["id"], e["revision"]) for e in entities])


async def move_link_mentions(
    connection: Connection, external_id: str, from_id: int, to_id: int, chunks: list[int]
) -> None:
    """Move the support that some chunks gave from one relationship to another."""
    params = {"external_id": external_id, "from_id": from_id, "to_id": to_id, "chunk_ids": chunks}
    await connection.execute(_SQL["move_link_mentions"], params)


async def supported_by(connection: Connection, external_id: str, memory_id: int) -> list[tuple[int | None, int | None]]:
    """(entity, relationship) ids of what a memory's chunks support, and of what its short-term memory holds."""
    params = {"external_id": external_id, "memory_id": memory_id}
    rows = await all_rows(connection, _SQL["supported_by_memory"], params)
    return [(row["entity_id"], row["relationship_id"]) for row in rows]


async def _delete(
    connection: Connection, external_id: str, kind: Literal["entity", "relationship"], revisions: list[tuple[int, int]]
) -> None:
    sql = {"entity": "delete_entities", "relationship": "delete_relationships"}[kind]
    await connection.execute(_SQL[sql], {"external_id": external_id, "ids": [id for id, _ in revisions]})
    await outbox.enqueue(connection, external_id, kind, ((id, rev + 1) for id, rev in revisions), "delete")
