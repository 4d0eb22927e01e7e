"""The node that writes an agent's edits to its active memory."""

from typing import Any

from langgraph_agentmem.nodes.channels import demand, emptied
from langgraph_agentmem.nodes.state import Node, given, node
from langgraph_agentmem.operations.sections import edits, memories
from langgraph_agentmem.policies import validation
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
        InvalidInputError: A channel is no name.
        ConfigurationError: `memory` is something else; or, when it runs, the graph's state has no channel of edits, or
            one that nothing can empty: a `Topic` that accumulates.

    Examples:
        >>> edits = [{"section_id": "plan", "old_content": "May 1", "new_content": "June 1"}]
        >>> state = remember_node(memory).invoke({"external_id": "alice", "memory_id": apollo.id, "updates": edits})
        >>> state["updates"], state["consolidation_info"]["total_update_count"]
        ([], 1)
    """
    validation.name(updates, "updates")
    validation.name(output, "output")

    async def remember(state: Any) -> dict[str, Any]:
        demand(state, updates, "updates")  # another name's edits would be lost
        resources, tenant, id = memory.resources, given(state, "external_id"), given(state, "memory_id")
        # what is left in the channel would be written again, over what a person has corrected meanwhile
        nothing = emptied(updates)
        if state.get(updates):
            written = await edits.update(resources, tenant, id, state[updates], None)
        else:
            written = await memories.get(resources, tenant, id)
        return {updates: nothing, output: written.consolidation_info.model_dump()}

    return node(memory, remember, "remember")
