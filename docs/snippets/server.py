"""A memory on a server: opening it does not connect yet."""

# [start]
from langgraph_agentmem import AgentMemory, AgentMemorySettings

memory = AgentMemory.open(
    "postgresql://agent@db.example.org/agents",
    settings=AgentMemorySettings(avg_section_update_count=3, pool_size=20),
)
# [end]

assert memory.dsn == "postgresql://agent@db.example.org/agents"
assert (memory.settings.avg_section_update_count, memory.settings.pool_size) == (3, 20)
