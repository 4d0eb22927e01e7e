"""The node that finds conflicts and decides by rules what the rules can decide."""

from typing import Any

from langgraph_agentmem.models.claim import Claim
from langgraph_agentmem.models.conflict import ConsolidationConflicts
from langgraph_agentmem.models.entity import Extraction
from langgraph_agentmem.nodes.state import ConsolidationState, Node, node
from langgraph_agentmem.operations.runs import conflicts
from langgraph_agentmem.policies import planning
from langgraph_agentmem.resources import HasResources


def conflicts_node(memory: HasResources) -> Node:
    """Compares what is new with what is remembered, and plans by rules.

    Reads `claim` and `extraction`; writes `conflicts`, and with `plan` and `decisions` the complete plan of the rules,
    which a resolver may improve on.

    Examples:
        >>> [decision["action"] for decision in conflicts_node(memory).invoke(state)["decisions"]]
        ['supersede']
    """

    async def detect(state: ConsolidationState) -> dict[str, Any]:
        claim = Claim.model_validate(state["claim"])
        extraction = Extraction.model_validate(state.get("extraction", {}))
        detected = await conflicts.detect(memory.resources, claim, extraction)
        decided = planning.rules_plan(detected)
        decisions = [*decided.decisions, *conflicts.refused(claim, extraction)]
        return {
            "conflicts": detected.model_dump(mode="json"),
            "plan": decided.plan.model_dump(mode="json"),
            "decisions": [decision.model_dump(mode="json") for decision in decisions],
        }

    return node(memory, detect, "conflicts", timed=True)


def needs_model(memory: HasResources, state: ConsolidationState) -> bool:
    """Whether there is a model that may be asked now, and something that the rules are not sure about.

    Examples:
        >>> needs_model(memory, state)  # there is no model
        False
    """
    if memory.resources.model is None or Claim.model_validate(state["claim"]).model_rests:
        return False
    return planning.unclear(ConsolidationConflicts.model_validate(state["conflicts"])) is not None
