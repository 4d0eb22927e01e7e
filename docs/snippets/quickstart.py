"""The quickstart."""

# [open]
from langgraph_agentmem import AgentMemory

memory = AgentMemory.open()  # an embedded PostgreSQL, or the one that AGENTMEM_DSN names
apollo = memory.create_active_memory("alice", "Apollo", {"sections": ["plan", "team"]}, exist_ok=True)
# [end]

# [edit]
memory.update_active_memory_sections(
    "alice",
    apollo.id,
    [
        {"section_id": "plan", "new_content": "- Deadline: May 1\n- Budget: 5000"},
        {"section_id": "team", "new_content": "- Ada writes the engine."},
    ],
)
print(memory.search("alice", "Who writes the engine?")[0].content)  # - Ada writes the engine.
# [end]
assert memory.search("alice", "Who writes the engine?")[0].content == "- Ada writes the engine."

# [consolidate]
memory.consolidate("alice", apollo.id)
memory.update_active_memory_section("alice", apollo.id, "plan", "June 1", old_content="May 1")
report = memory.consolidate("alice", apollo.id)
print(report.chunks_superseded)  # 1
for hit in memory.search("alice", "When is the deadline?", limit=1):
    print(hit.tier, hit.content)  # shortterm - Deadline: June 1
memory.close()
# [end]
assert report.chunks_superseded == 1
assert hit.content.strip() == "- Deadline: June 1"
