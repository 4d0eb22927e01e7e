"""The first node of a consolidation."""

from typing import Any, Literal

from langgraph_agentmem.models.run import ConsolidationReport
from langgraph_agentmem.nodes.state import ConsolidationState, Node, given, node
from langgraph_agentmem.operations.runs import claiming
from langgraph_agentmem.resources import HasResources

_RESTS = "the model was not asked, as it has failed in the last runs; a later run asks it again"


def claim_node(memory: HasResources) -> Node:
    """Leases the memory and takes what is pending.

    Reads `external_id`, `memory_id`, `run_id`, `everything`, `if_due`, `dry_run`; writes `claim`, or, where there is
    nothing to take, `report`; empties what the nodes behind it write.

    Examples:
        >>> written = memory.update_active_memory_section("alice", apollo.id, "plan", "June 1", "May 1")
        >>> state = claim_node(memory).invoke({"external_id": "alice", "memory_id": apollo.id})
        >>> [section["section_id"] for section in state["claim"]["sections"]]
        ['plan']
    """

    async def claim(state: ConsolidationState) -> dict[str, Any]:
        taken = await claiming.claim(
            memory.resources,
            given(state, "external_id"),
            given(state, "memory_id"),
            run_id=state.get("run_id"),
            everything=state.get("everything", False),
            if_due=state.get("if_due", False),
            dry_run=state.get("dry_run", False),
        )
        # the other channels are emptied, and the id is used up, as the thread may have seen a run before
        fresh: dict[str, Any] = {
            "run_id": None,
            "decisions": [],
            "failures": [],
            "usage": {},
            "extraction_failed": False,
            "model_failed": False,
            "review": {},
            "timings": {},
        }
        if isinstance(taken, ConsolidationReport):
            return {**fresh, "claim": None, "report": taken.model_dump(mode="json")}
        if taken.model_rests:
            fresh["failures"] = [_RESTS]
        return {**fresh, "claim": taken.model_dump(mode="json")}

    return node(memory, claim, "claim", timed=True)


def after_claim(state: ConsolidationState) -> Literal["claimed", "nothing", "busy"]:
    """Whether there is something to consolidate: the condition behind `claim`.

    Examples:
        >>> after_claim(claim_node(memory).invoke({"external_id": "alice", "memory_id": apollo.id}))
        'nothing'
    """
    if state.get("claim") is not None:
        return "claimed"
    # a dry run promotes nothing: it ends as one does that has come too late
    if state.get("dry_run"):
        return "busy"
    return "nothing" if ConsolidationReport.model_validate(state["report"]).status == "nothing" else "busy"
