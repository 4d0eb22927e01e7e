"""Reading memory with SQL."""

from langgraph_agentmem import AgentMemory

memory = AgentMemory.open()
apollo = memory.create_active_memory("alice", "Apollo", {"sections": ["plan"]}, exist_ok=True)
for deadline in ("May 1", "June 1"):
    memory.update_active_memory_section("alice", apollo.id, "plan", f"- Deadline: {deadline}")
    memory.consolidate("alice", apollo.id)

# [read]
import psycopg

with psycopg.connect(memory.dsn) as connection:
    rows = connection.execute(
        """
        SELECT content, start_date, end_date
        FROM agentmem.shortterm_memory_chunk
        WHERE external_id = %s
        ORDER BY start_date
        """,
        ("alice",),
    ).fetchall()
    print([(content, end_date is None) for content, _, end_date in rows])
# [end]
assert [(content, end_date is None) for content, _, end_date in rows] == [
    ("- Deadline: May 1", False),
    ("- Deadline: June 1", True),
]
memory.close()
