"""The nodes that promote short-term memories."""

from typing import Any

from langgraph_agentmem.models.run import ConsolidationReport
from langgraph_agentmem.nodes.state import ConsolidationState, Node, PromotionState, given, node
from langgraph_agentmem.operations.runs import promoting
from langgraph_agentmem.resources import HasResources


def promote_node(memory: HasResources) -> Node:
    """Promotes a short-term memory, if it is due or `force` is set.

    Reads `external_id`, `memory_id`, `force`; writes `report`.

    Examples:
        >>> state = promote_node(memory).invoke({"external_id": "alice", "memory_id": apollo.id, "force": True})
        >>> state["report"]["status"]
        'promoted'
    """

    async def promote(state: PromotionState) -> dict[str, Any]:
        report = await promoting.promote(
            memory.resources, given(state, "external_id"), given(state, "memory_id"), force=state.get("force", False)
        )
        return {"report": report.model_dump(mode="json")}

    return node(memory, promote, "promote")


def promote_after_consolidation_node(memory: HasResources) -> Node:
    """Promotes at the end of a consolidation, if the short-term memory is due, also where there was nothing to do.

    Reads `external_id`, `memory_id`, `report`; writes `report` with the promotion's added.

    Examples:
        >>> state |= apply_node(memory).invoke(state)
        >>> promote_after_consolidation_node(memory).invoke(state)["report"]["promotion"]["status"]
        'not_due'
    """

    async def promote(state: ConsolidationState) -> dict[str, Any]:
        report = ConsolidationReport.model_validate(state["report"])
        promotion = await promoting.promote(
            memory.resources, given(state, "external_id"), given(state, "memory_id"), run_id=report.run_id
        )
        return {"report": report.model_copy(update={"promotion": promotion}).model_dump(mode="json")}

    return node(memory, promote, "promote")
