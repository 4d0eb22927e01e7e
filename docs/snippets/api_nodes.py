"""What the examples of the consolidation's nodes begin with."""

from api import apollo, memory

# [begin]
from langgraph_agentmem.nodes.apply import apply_node
from langgraph_agentmem.nodes.claim import claim_node
from langgraph_agentmem.nodes.conflicts import conflicts_node, needs_model
from langgraph_agentmem.nodes.extract import extract_node

memory.update_active_memory_section("alice", apollo.id, "plan", "June 1", old_content="May 1")
state = {"external_id": "alice", "memory_id": apollo.id}
for node in (claim_node(memory), extract_node(memory), conflicts_node(memory)):  # as a graph would lead through them
    state |= node.invoke(state)
# [end]

if __name__ == "__main__":
    assert apply_node(memory).invoke(state)["report"]["status"] == "applied"
    assert not needs_model(memory, state)
    memory.close()
