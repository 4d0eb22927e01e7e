"""A consolidation graph of one's own, put together from the nodes."""

# [graph]
from typing import Any

from langgraph.graph import END, START, StateGraph

from langgraph_agentmem import AgentMemory
from langgraph_agentmem.models.conflict import Decision
from langgraph_agentmem.nodes.apply import apply_node
from langgraph_agentmem.nodes.claim import after_claim, claim_node
from langgraph_agentmem.nodes.conflicts import conflicts_node
from langgraph_agentmem.nodes.state import ConsolidationState


def audit(state: ConsolidationState) -> dict[str, Any]:
    for decision in map(Decision.model_validate, state["decisions"]):
        print(decision.about, decision.action, decision.reason)
    return {}


def audited_consolidation(memory: AgentMemory) -> StateGraph:
    graph = StateGraph(ConsolidationState)
    graph.add_node("claim", claim_node(memory))
    graph.add_node("conflicts", conflicts_node(memory))
    graph.add_node("audit", audit)
    graph.add_node("apply", apply_node(memory))
    graph.add_edge(START, "claim")
    graph.add_conditional_edges("claim", after_claim, {"claimed": "conflicts", "nothing": END, "busy": END})
    graph.add_edge("conflicts", "audit")
    graph.add_edge("audit", "apply")
    graph.add_edge("apply", END)
    return graph


# [end]

with AgentMemory.open() as memory:
    plan = memory.create_active_memory("alice", "Plan", {"sections": ["plan"]})
    consolidation = audited_consolidation(memory).compile()
    for deadline in ("May 1", "June 1"):
        memory.update_active_memory_section("alice", plan.id, "plan", f"- Deadline: {deadline}")
        result = consolidation.invoke({"external_id": "alice", "memory_id": plan.id})
    assert result["report"]["chunks_superseded"] == 1
    assert [hit.content for hit in memory.search("alice", "deadline")] == ["- Deadline: June 1"]
