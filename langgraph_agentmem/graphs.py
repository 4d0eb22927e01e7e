"""The consolidation and promotion graphs, made of the nodes."""

from typing import Any, Literal

import langgraph.graph as langgraph_graph  # for signatures: by another name `pyright --verifytypes` does not know them
from langgraph.errors import NodeError
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, RetryPolicy

from langgraph_agentmem.errors import ModelError, OutageError
from langgraph_agentmem.nodes.apply import apply_node
from langgraph_agentmem.nodes.claim import after_claim, claim_node
from langgraph_agentmem.nodes.conflicts import conflicts_node, needs_model
from langgraph_agentmem.nodes.extract import extract_node, without_extraction
from langgraph_agentmem.nodes.promote import promote_after_consolidation_node, promote_node
from langgraph_agentmem.nodes.resolve import resolve_node, with_rules
from langgraph_agentmem.nodes.review import after_promotion, review_node
from langgraph_agentmem.nodes.state import ConsolidationState, PromotionState
from langgraph_agentmem.policies import validation
from langgraph_agentmem.resources import HasResources

_ON_OUTAGE = RetryPolicy(retry_on=OutageError, initial_interval=0.2)


def create_consolidation_graph(
    memory: HasResources, *, review: bool = True
) -> langgraph_graph.StateGraph[ConsolidationState, Any, Any, Any]:
    """An uncompiled graph that consolidates one memory: claim → extract → conflicts → (resolve) → apply → promote.

    Invoke it with `{"external_id", "memory_id"}`; its state's `report` is a `ConsolidationReport` as a dict. Compiled
    with a checkpointer it can be interrupted and resumed at any node. A model that fails is asked again by its node,
    then the rules decide.

    Where a review policy leaves something to a person, a last node, `review`, interrupts the graph until they have
    decided, if there is a checkpointer; the memory is free meanwhile.

    With `"dry_run": True` in its input, it shows what it would do: the report's status is `dry_run`, and nothing is
    kept.

    Args:
        memory: An open `AgentMemory`.
        review: Whether to interrupt; otherwise, what was parked waits for `memory.reviews.adecide`.

    Examples:
        >>> consolidation = create_consolidation_graph(memory).compile()
        >>> written = memory.update_active_memory_section("alice", apollo.id, "plan", "June 1", "May 1")
        >>> consolidation.invoke({"external_id": "alice", "memory_id": apollo.id})["report"]["chunks_superseded"]
        1
    """
    interrupts = validation.flag(review, "review")

    def route_conflicts(state: ConsolidationState) -> Literal["resolve", "apply"]:
        return "resolve" if needs_model(memory, state) else "apply"

    graph: Any = StateGraph(ConsolidationState)
    graph.add_node("claim", claim_node(memory), retry_policy=_ON_OUTAGE)
    graph.add_node("extract", extract_node(memory), error_handler=_go_on_without_extraction)
    graph.add_node("conflicts", conflicts_node(memory), retry_policy=_ON_OUTAGE)
    graph.add_node("resolve", resolve_node(memory), error_handler=_go_on_with_rules)
    graph.add_node("apply", apply_node(memory), retry_policy=_ON_OUTAGE)
    graph.add_node("promote", promote_after_consolidation_node(memory), retry_policy=_ON_OUTAGE)
    graph.add_edge(START, "claim")
    # with nothing to consolidate, a promotion may still be due: a process may have died before it
    graph.add_conditional_edges("claim", after_claim, {"claimed": "extract", "nothing": "promote", "busy": END})
    graph.add_edge("extract", "conflicts")
    graph.add_conditional_edges("conflicts", route_conflicts)
    graph.add_edge("resolve", "apply")
    graph.add_conditional_edges("apply", _route_applied, {"promote": "promote", "done": END})
    if interrupts:
        graph.add_node("review", review_node(memory), retry_policy=_ON_OUTAGE)
        graph.add_conditional_edges("promote", after_promotion, {"parked": "review", "done": END})
        graph.add_edge("review", END)
    else:
        graph.add_edge("promote", END)
    return graph


def create_promotion_graph(memory: HasResources) -> langgraph_graph.StateGraph[PromotionState, Any, Any, Any]:
    """An uncompiled graph that promotes one short-term memory.

    Invoke it with `{"external_id", "memory_id"[, "force"]}`; its state's `report` is a `PromotionReport` as a dict.

    Args:
        memory: An open `AgentMemory`.

    Examples:
        >>> promotion = create_promotion_graph(memory).compile()
        >>> promotion.invoke({"external_id": "alice", "memory_id": apollo.id, "force": True})["report"]["status"]
        'promoted'
    """
    graph: Any = StateGraph(PromotionState)
    graph.add_node("promote", promote_node(memory), retry_policy=_ON_OUTAGE)
    graph.add_edge(START, "promote")
    graph.add_edge("promote", END)
    return graph


def _route_applied(state: ConsolidationState) -> Literal["promote", "done"]:
    return "done" if state.get("dry_run") else "promote"


def _go_on_without_extraction(state: ConsolidationState, error: NodeError) -> Command[Literal["conflicts"]]:
    # an error of another kind is no failure of the model: the run fails, and its updates stay pending
    if not isinstance(error.error, ModelError):
        raise error.error
    return Command(update=without_extraction(error.error), goto="conflicts")


def _go_on_with_rules(state: ConsolidationState, error: NodeError) -> Command[Literal["apply"]]:
    if not isinstance(error.error, ModelError):
        raise error.error
    return Command(update=with_rules(state, error.error), goto="apply")
