"""What the examples of the API reference begin with."""

from works_on import WorksOn

# [begin]
from langgraph_agentmem import AgentMemory, AgentMemoryStore

memory = AgentMemory.open(extractor=WorksOn())  # on AGENTMEM_DSN, or embedded
apollo = memory.create_active_memory("alice", "Apollo", {"sections": ["plan", "team"]}, exist_ok=True)
plan = {"section_id": "plan", "new_content": "- Deadline: May 1\n- Budget: 5000"}
team = {"section_id": "team", "new_content": "- Ada works on Engine.\n- Bo works on Engine."}
memory.update_active_memory_sections("alice", apollo.id, [plan, team])
report = memory.consolidate("alice", apollo.id)
store = AgentMemoryStore(memory)
# [end]

if __name__ == "__main__":
    assert report.status == "applied"
    memory.close()
