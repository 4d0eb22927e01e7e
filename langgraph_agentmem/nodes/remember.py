"""The node that writes an agent's edits to its active memory."""

from typing import Any

from langgraph_agentmem.nodes.emptying import emptied
from langgraph_agentmem.nodes.state import Node, given, node
from langgraph_agentmem.operations.sections import edits, memories
from langgraph_agentmem.resources import HasResources


def remember_node(memory: HasResources, *, updates: str = "updates", output: str = "consolidation_info") -> Node:
    """Applies the section edits of a channel as one batch and empties the channel.

    Reads `external_id`, `memory_id` and the channel of edits (a list as `update_active_memory_sections` takes it);
    writes the edits' channel (empty) and a `ConsolidationInfo` as a dict, whose `will_consolidate` a conditional edge
    can follow.

    Args:
        memory: The open memory.
        updates: The channel with the edits.
        output: The channel for the `ConsolidationInfo`.

    Raises:
        ConfigurationError: As it runs: the edits' channel is a `Topic` that accumulates, which nothing can empty.

    Examples:
        >>> edits = [{"section_id": "plan", "old_content": "May 1", "new_content": "June 1"}]
        >>> state = remember_node(memory).invoke({"external_id": "alice", "memory_id": apollo.id, "updates": edits})
        >>> state["updates"], state["consolidation_info"]["total_update_count"]
        ([], 1)
    """

    async def remember(state: Any) -> dict[str, Any]:
        resources, tenant, id = memory.resources, given(state, "external_id"), given(state, "memory_id")
        # what is left in the channel would be written again, over what a person has corrected meanwhile
        nothing = emptied(updates)
        if state.get(updates):
            written = await edits.update(resources, tenant, id, state[updates], None)
        else:
            written = await memories.get(resources, tenant, id)
        return {updates: nothing, output: written.consolidation_info.model_dump()}

    return node(remember, "remember")
