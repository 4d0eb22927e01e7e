"""The node that puts memories into an agent's state."""

from collections.abc import Callable, Sequence
from typing import Any

from langgraph_agentmem.models.base import Tier
from langgraph_agentmem.nodes.state import Node, node
from langgraph_agentmem.operations.retrieval import searching
from langgraph_agentmem.resources import HasResources


def recall_node(
    memory: HasResources,
    *,
    query: Callable[[Any], str] | str = "query",
    external_id: Callable[[Any], str] | str = "external_id",
    output: str = "memories",
    tiers: Sequence[Tier] | None = None,
    limit: int = 10,
) -> Node:
    """Searches and writes the hits, as JSON, to a channel.

    Args:
        memory: The open memory.
        query: A state key, or a function of the state.
        external_id: A state key, or a function of the state.
        output: The channel to write, a list of `SearchHit` as dicts.
        tiers: Only these; all if None.
        limit: The most hits.

    Examples:
        >>> recall = recall_node(memory, tiers=["shortterm"], limit=1)
        >>> [hit] = recall.invoke({"external_id": "alice", "query": "budget"})["memories"]
        >>> hit["content"]
        '- Budget: 5000'
    """

    async def recall(state: Any) -> dict[str, Any]:
        hits = await searching.search(
            memory.resources, _read(state, external_id), _read(state, query), tiers=tiers, limit=limit
        )
        return {output: [hit.model_dump(mode="json") for hit in hits]}

    return node(recall, "recall")


def _read(state: Any, key: Callable[[Any], str] | str) -> Any:
    return state[key] if isinstance(key, str) else key(state)
