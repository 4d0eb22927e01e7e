"""What the inspector shows, in code: where a wrong fact comes from, and its correction."""

# [begin]
from langgraph_agentmem import AgentMemory

memory = AgentMemory.open()
apollo = memory.create_active_memory("alice", "Apollo", {"sections": ["plan"]}, exist_ok=True)
memory.update_active_memory_section("alice", apollo.id, "plan", "- Deadline: May 1", source="Bo")
memory.consolidate("alice", apollo.id)

wrong = memory.search("alice", "When is the deadline?")[0]
print(wrong.explain())
print(wrong.source, wrong.run_id)  # who wrote it, and the run that has consolidated it
section = memory.get_active_memory("alice", wrong.memory_id).sections[wrong.section_id]
memory.update_active_memory_section(
    "alice", wrong.memory_id, wrong.section_id, "June 1", "May 1", expected_revision=section.revision
)
memory.consolidate("alice", wrong.memory_id)
for chunk in memory.history("alice", wrong.memory_id, wrong.section_id):
    print(chunk.content, chunk.start_date, chunk.end_date, chunk.source)
# [end]
assert [hit.content for hit in memory.search("alice", "deadline")] == ["- Deadline: June 1"]
assert [chunk.content for chunk in memory.history("alice", wrong.memory_id)] == ["- Deadline: June 1", wrong.content]
memory.close()
