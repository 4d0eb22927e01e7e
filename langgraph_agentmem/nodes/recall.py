"""The node that puts memories into an agent's state."""

from collections.abc import Callable, Sequence
from typing import Any

from langgraph_agentmem.errors import ConfigurationError
from langgraph_agentmem.models.base import Tier
from langgraph_agentmem.nodes.channels import demand
from langgraph_agentmem.nodes.state import Node, given, state_node
from langgraph_agentmem.operations.retrieval import recalling, searching
from langgraph_agentmem.policies import validation
from langgraph_agentmem.resources import HasResources


def recall_node(
    memory: HasResources,
    *,
    query: Callable[[Any], str] | str = "query",
    external_id: Callable[[Any], str] | str = "external_id",
    output: str = "memories",
    context: str | None = None,
    token_budget: int = 2000,
    tiers: Sequence[Tier] | None = None,
    limit: int = 10,
) -> Node:
    """Searches and writes the hits, as JSON, to a channel.

    Args:
        memory: The open memory.
        query: A state key, or a function of the state.
        external_id: A state key, or a function of the state.
        output: The channel to write, a list of `SearchHit` as dicts.
        context: A second channel to write: a text for a prompt, as `str()` of what `AgentMemory.context` returns, with
            the sections and the best hits; none by default.
        token_budget: The most tokens of that text, four characters each.
        tiers: Only these; all if None.
        limit: The most hits.

    Raises:
        InvalidInputError: A channel is no name, or a limit, a budget or the tiers cannot be.
        ConfigurationError: `memory`, `query` or `external_id` is something else; or, when it runs, the graph's state
            has no channel for what it writes.

    Examples:
        >>> recall = recall_node(memory, context="known", tiers=["shortterm"], limit=1)
        >>> update = recall.invoke({"external_id": "alice", "query": "budget"})
        >>> [hit["content"] for hit in update["memories"]], "- Deadline: May 1" in update["known"]
        (['- Budget: 5000'], True)
    """
    _check(query, "query")
    _check(external_id, "external_id")
    validation.name(output, "output")
    if context is not None:
        validation.name(context, "context")
    recalling.check(token_budget=token_budget, memory_ids=None, tiers=tiers, limit=limit, count_tokens=None)

    async def recall(state: Any) -> dict[str, Any]:
        demand(state, output, "output")
        if context is not None:
            demand(state, context, "context")
        tenant, text = _read(state, external_id), _read(state, query)
        if context is None:
            hits = await searching.search(memory.resources, tenant, text, tiers=tiers, limit=limit)
            return {output: [hit.model_dump(mode="json") for hit in hits]}
        found = await recalling.context(
            memory.resources, tenant, text, token_budget=token_budget, tiers=tiers, limit=limit
        )
        return {output: [hit.model_dump(mode="json") for hit in found.hits], context: str(found)}

    return state_node(memory, recall, "recall")


def _check(key: object, argument: str) -> None:
    if not isinstance(key, str) and not callable(key):
        raise ConfigurationError(f"{argument} must be a key of the state, or a function of it, not {key!r}")


def _read(state: Any, key: Callable[[Any], str] | str) -> Any:
    return given(state, key) if isinstance(key, str) else key(state)
