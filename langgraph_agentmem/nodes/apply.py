"""The node that applies a plan."""

from typing import Any

from langgraph_agentmem.models.claim import Claim
from langgraph_agentmem.models.conflict import ConsolidationConflicts, ConsolidationPlan, Decision
from langgraph_agentmem.models.resolved import ModelUse, ResolvedRun
from langgraph_agentmem.models.run import ModelUsage
from langgraph_agentmem.nodes.state import ConsolidationState, Node, node
from langgraph_agentmem.operations.runs import applying
from langgraph_agentmem.resources import HasResources


def _model_use(claim: Claim, *, failed: bool) -> ModelUse:
    return "rested" if claim.model_rests else "failed" if failed else "fine"


def apply_node(memory: HasResources) -> Node:
    """Carries out the plan in one transaction, once, however often it runs.

    Reads everything that came before, and `dry_run`, for which nothing is kept; writes `report`. Raises
    `LeaseLostError` where the run took longer than its lease and another one has the memory.

    Examples:
        >>> report = apply_node(memory).invoke(state)["report"]
        >>> report["status"], report["chunks_superseded"]
        ('applied', 1)
    """

    async def apply(state: ConsolidationState) -> dict[str, Any]:
        claim = Claim.model_validate(state["claim"])
        failed = state.get("extraction_failed", False)
        resolved = ResolvedRun(
            external_id=claim.external_id,
            memory_id=claim.memory_id,
            run_id=claim.run_id,
            # not those that came back into their section: an earlier run has remembered them
            taken=[chunk.id for chunk in claim.chunks if chunk.new],
            conflicts=ConsolidationConflicts.model_validate(state["conflicts"]),
            plan=ConsolidationPlan.model_validate(state["plan"]),
            decisions=[Decision.model_validate(decision) for decision in state["decisions"]],
            # they quote what a provider has answered
            failures=[memory.resources.redactor.error(failure) for failure in state.get("failures", [])],
            model=_model_use(claim, failed=state.get("model_failed", False)),
            usage=ModelUsage.model_validate(state.get("usage", {})),
            timings=state.get("timings", {}),
            # earlier chunks whose extraction this run has made up for; new ones are marked along with the run
            extracted=None if failed else [chunk.id for chunk in claim.chunks if chunk.to_extract and not chunk.new],
        )
        report = await applying.apply(memory.resources, resolved, dry_run=state.get("dry_run", False))
        return {"report": report.model_dump(mode="json")}

    return node(memory, apply, "apply", timed=True)
