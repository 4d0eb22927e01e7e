"""The one statement of a search."""

from datetime import datetime
from typing import Any

from psycopg.rows import DictRow

from langgraph_agentmem.models.base import Tier
from langgraph_agentmem.models.graph import NamedMention
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.driver.rows import Deferred, as_vector, columns, send
from langgraph_agentmem.storage.driver.statements import template
from langgraph_agentmem.storage.vectors import EmbeddingModel, parts, set_ann


async def send_candidates(
    connection: Connection,
    external_id: str,
    query: str,
    *,
    vector: list[float] | None,
    model: EmbeddingModel | None,
    tiers: list[Tier] | None,
    memory_ids: list[int] | None,
    as_of: datetime | None,
    limit: int,
    config: str,
    exact_rows: int,
    named: list[NamedMention] | None = None,
) -> Deferred[list[DictRow]]:
    """Ask for chunks that any arm finds, with every arm's score, in no particular order.

    Args:
        connection: In a transaction.
        external_id: The tenant.
        query: Its words are matched.
        vector: Its vector, None to leave out the vector arm.
        model: The model that the vector comes from.
        tiers: Only these; all if None.
        memory_ids: Only chunks of these memories; all if None.
        as_of: Valid at that time; valid now if None.
        limit: The most candidates of one arm.
        config: Text search configuration.
        exact_rows: Up to so many chunks a tenant's vectors are compared exactly.
        named: The entities that the query names, as a graph database found them; looked for here if None.
    """
    params: dict[str, Any] = {
        "external_id": external_id,
        "query": query,
        "vector": as_vector(vector),
        "with_vector": vector is not None,
        "tiers": tiers,
        "memory_ids": memory_ids,
        "as_of": as_of,
        "candidates": limit,
        "config": config,
        "exact_rows": exact_rows,
    }
    mentions = [(mention.name_key, mention.confidence, mention.chunk_id) for mention in named or ()]
    arms = ("named_keys", "named_confidences", "named_chunks")
    # None, unlike an empty list, lets the statement look for the entities itself
    params |= dict.fromkeys(arms) if named is None else columns(mentions, *arms)
    statement = template("search", "search").format(**parts(model.form if model else None))
    if model:
        # it ends with the transaction
        await set_ann(connection)
    return await send(connection, statement, params, list)
