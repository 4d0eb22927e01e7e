"""Which chunk supports which entity or relationship, and what goes when nothing does any more."""

from collections.abc import Sequence
from typing import Literal

from langgraph_agentmem.models.deletion import RowCounts
from langgraph_agentmem.storage import outbox
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.driver.rows import all_rows, columns, first_row
from langgraph_agentmem.storage.driver.statements import statements

_SQL = statements("graph")


Mentions = Sequence[tuple[int, int | None, int | None]]
"""(chunk, entity or None, relationship or None)."""


async def add_mentions(connection: Connection, external_id: str, mentions: Mentions) -> None:
    """Note which chunk supports what."""
    await _execute(connection, external_id, "insert_mentions", mentions)


async def remove_mentions(connection: Connection, external_id: str, mentions: Mentions) -> None:
    """Take support back."""
    await _execute(connection, external_id, "remove_mentions", mentions)


async def _execute(connection: Connection, external_id: str, name: str, mentions: Mentions) -> None:
    if mentions:
        params = columns(list(mentions), "chunk_ids", "entity_ids", "relationship_ids")
        await connection.execute(_SQL[name], {"external_id": external_id, **params})
        await outbox.enqueue_chunks(connection, external_id, (chunk for chunk, _, _ in mentions))


async def inherit_mentions(connection: Connection, external_id: str, rows: Sequence[tuple[int, int, str]]) -> None:
    """Let new chunks support those things that their sources support and they name: (source, new chunk, its text)."""
    if rows:
        folded = [(source, id, text.casefold()) for source, id, text in rows]
        params = columns(folded, "from_ids", "to_ids", "texts")
        await connection.execute(_SQL["inherit_mentions"], {"external_id": external_id, **params})
        await outbox.enqueue_supporting_chunks(connection, external_id, chunks=[id for _, id, _ in rows])


async def delete_unsupported(
    connection: Connection, external_id: str, supported: Sequence[tuple[int | None, int | None]]
) -> RowCounts:
    """Remove those of these entities and relationships that no chunk supports any more; counts what went, by table."""
    # relationships first: an entity stays as long as one of them leads from or to it
    ids = sorted({relationship for _, relationship in supported if relationship})
    relationships = await all_rows(
        connection, _SQL["unsupported_relationships"], {"external_id": external_id, "ids": ids}
    )
    of_relationships = await delete(
        connection, external_id, "relationship", [(r["id"], r["revision"]) for r in relationships]
    )
    ids = sorted({entity for entity, _ in supported if entity})
    entities = await all_rows(connection, _SQL["unsupported_entities"], {"external_id": external_id, "ids": ids})
    of_entities = await delete(connection, external_id, "entity", [(e["id"], e["revision"]) for e in entities])
    history = of_relationships + of_entities
    return {"entity": len(entities), "relationship": len(relationships), "state_history": history}


async def delete(
    connection: Connection, external_id: str, kind: Literal["entity", "relationship"], revisions: list[tuple[int, int]]
) -> int:
    """Remove entities, with their relationships, or relationships, by (id, revision); counts their own history."""
    if not revisions:
        return 0
    sql = {"entity": "delete_entities", "relationship": "delete_relationships"}[kind]
    params = {"external_id": external_id, "ids": [id for id, _ in revisions]}
    removed = await first_row(connection, _SQL[sql], params)
    # a deletion counts as one revision more
    await outbox.enqueue(connection, external_id, kind, ((id, rev + 1) for id, rev in revisions), "delete")
    return removed["state_history"]
