"""What the examples of the reviews' reference begin with."""

# [begin]
from langgraph_agentmem import AgentMemory

memory = AgentMemory.open(review="always")  # on AGENTMEM_DSN, or embedded
apollo = memory.create_active_memory("alice", "Apollo", {"sections": ["plan"]}, exist_ok=True)
for deadline in ("May 1", "June 1"):
    memory.update_active_memory_section("alice", apollo.id, "plan", f"- Deadline: {deadline}")
    report = memory.consolidate("alice", apollo.id)
# [end]

if __name__ == "__main__":
    assert len(report.parked) == 1
    memory.close()
