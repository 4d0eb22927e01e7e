"""The first node of a consolidation."""

from typing import Any, Literal

from langgraph_agentmem.models.run import ConsolidationReport
from langgraph_agentmem.nodes.state import ConsolidationState, Node, node
from langgraph_agentmem.operations import claiming
from langgraph_agentmem.resources import HasResources


def claim_node(memory: HasResources) -> Node:
    """Leases the memory and takes what is pending.

    Reads `external_id`, `memory_id`, `run_id`, `everything`; writes `claim` and `run_id`, or, where there is nothing to
    take, `report`.
    """

    async def claim(state: ConsolidationState) -> dict[str, Any]:
        taken = await claiming.claim(
            memory.resources,
            state["external_id"],
            state["memory_id"],
            run_id=state.get("run_id"),
            everything=state.get("everything", False),
        )
        if isinstance(taken, ConsolidationReport):
            return {"claim": None, "report": taken.model_dump(mode="json")}
        return {"claim": taken.model_dump(mode="json"), "run_id": taken.run_id}

    return node(claim, "claim")


def after_claim(state: ConsolidationState) -> Literal["claimed", "nothing", "busy"]:
    """Whether there is something to consolidate: the condition behind `claim`."""
    if state.get("claim") is not None:
        return "claimed"
    return "busy" if ConsolidationReport.model_validate(state["report"]).status == "busy" else "nothing"
