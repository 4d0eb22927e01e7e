"""What the examples of the projection's reference begin with; NEO4J_URI and NEO4J_PASSWORD name a Neo4j."""

import uuid

from works_on import WorksOn

tenant = f"tenant {uuid.uuid4()}"

# [begin]
from langgraph_agentmem import AgentMemory

memory = AgentMemory.open(graph="neo4j", extractor=WorksOn())
apollo = memory.create_active_memory(tenant, "Apollo", {"sections": ["team"]})
memory.update_active_memory_section(tenant, apollo.id, "team", "- Ada works on Engine.\n- Bo works on Engine.")
memory.queue.flush(tenant)  # consolidates, and projects into Neo4j
projector = memory.projector
# [end]

if __name__ == "__main__":
    memory.close()
