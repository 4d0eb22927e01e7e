"""Conflicts that wait for a person, decided from anywhere, and in a graph."""

# [park]
from langgraph_agentmem import AgentMemory, ProposedChange

with AgentMemory.open(review="always") as memory:
    apollo = memory.create_active_memory("bob", "Apollo", {"sections": ["plan"]})
    for deadline in ("May 1", "June 1"):
        memory.update_active_memory_section("bob", apollo.id, "plan", f"- Deadline: {deadline}", source="Ada")
        report = memory.consolidate("bob", apollo.id)
    print(len(report.parked), [(hit.content, hit.disputed) for hit in memory.search("bob", "deadline")])
# [end]

# [decide]
with AgentMemory.open() as memory:  # days later, in another process
    for review in memory.reviews.pending("bob"):
        for dispute in review.disputes:
            print(dispute.existing[0].content, "or", dispute.new.content, "by", dispute.new.source)
            print(dispute.verdict.action, dispute.verdict.reason, "- changed since:", dispute.changed)
        decisions = [{"dispute": dispute.id, "action": "accept"} for dispute in review.disputes]
        done = memory.reviews.decide("bob", review.run_id, decisions, reviewer="eve")
        print(done.pending, done.report.chunks_superseded)
# [end]


# [policy]
def names_or_numbers(change: ProposedChange) -> bool:
    """Ask a person before a text with a number in it is superseded, and whenever the rules are not sure."""
    return not change.verdict.clear or any(character.isdigit() for character in "".join(change.existing))


memory = AgentMemory.open(review=names_or_numbers)
# [end]
memory.close()

# [graph]
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from langgraph_agentmem import create_consolidation_graph

with AgentMemory.open(review="always") as memory:
    plan = memory.create_active_memory("bob", "Plan", {"sections": ["plan"]})
    graph = create_consolidation_graph(memory).compile(checkpointer=InMemorySaver())
    thread = {"configurable": {"thread_id": "consolidation of the plan"}}
    for deadline in ("May 1", "June 1"):
        memory.update_active_memory_section("bob", plan.id, "plan", f"Deadline: {deadline}")
        state = graph.invoke({"external_id": "bob", "memory_id": plan.id}, thread)
    question = state["__interrupt__"][0].value
    decisions = [{"dispute": dispute["id"], "action": "keep_both"} for dispute in question["disputes"]]
    state = graph.invoke(Command(resume=decisions), thread)
    print(state["review"]["pending"])
# [end]
