"""What the graph projection still has to learn."""

from collections.abc import Iterable
from typing import Literal

from langgraph_agentmem.storage.database import Connection
from langgraph_agentmem.storage.rows import columns
from langgraph_agentmem.storage.statements import statements

_SQL = statements("graph")


async def enqueue(
    connection: Connection,
    external_id: str,
    kind: Literal["entity", "relationship"],
    revisions: Iterable[tuple[int, int]],
    operation: Literal["upsert", "delete"] = "upsert",
) -> None:
    """Note changes, given as (id, revision), in the transaction that makes them."""
    rows = [(kind, id, operation, revision) for id, revision in revisions]
    if rows:
        params = columns(rows, "kinds", "target_ids", "operations", "revisions")
        await connection.execute(_SQL["enqueue"], {"external_id": external_id, **params})
