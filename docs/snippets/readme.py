"""The example of the README."""

# [start]
from langgraph_agentmem import AgentMemory

with AgentMemory.open() as memory:
    apollo = memory.create_active_memory("alice", "Apollo", {"sections": ["plan", "team"]}, exist_ok=True)
    for deadline in ("May 1", "June 1"):
        plan = {"section_id": "plan", "new_content": f"- Deadline: {deadline}\n- Budget: 5000"}
        team = {"section_id": "team", "new_content": "- Ada writes the engine."}
        memory.update_active_memory_sections("alice", apollo.id, [plan, team])  # all or nothing
        memory.consolidate("alice", apollo.id)  # or queue.run_due(), which takes what has piled up
    best = memory.search("alice", "When is the deadline?")[0]
    print(best.tier, best.content)  # shortterm - Deadline: June 1
# [end]

assert (best.tier, best.content.strip()) == ("shortterm", "- Deadline: June 1")
