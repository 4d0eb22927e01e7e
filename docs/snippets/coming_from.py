"""What other memories' users do here."""

import json
import os

import psycopg

DSN = OLD_DSN = os.environ["AGENTMEM_DSN"]
with psycopg.connect(DSN) as connection:
    connection.execute("CREATE TABLE active_memory (id int, external_id text, title text, sections jsonb)")
    connection.execute("CREATE TABLE shortterm_memory (id int, external_id text, title text)")
    for table in ("shortterm_memory_chunk", "longterm_memory_chunk"):
        columns = "id int, external_id text, shortterm_memory_id int, content text"
        connection.execute(f"CREATE TABLE {table} ({columns})")
    row = ("agent-9", "Bridge", json.dumps({"progress": {"content": "The draft is done.", "update_count": 2}}))
    connection.execute("INSERT INTO active_memory VALUES (1, %s, %s, %s)", row)
    connection.execute("INSERT INTO shortterm_memory VALUES (1, 'agent-9', 'Bridge')")
    connection.execute("INSERT INTO shortterm_memory_chunk VALUES (1, 'agent-9', 1, 'It has two lanes.')")

# [postgres_store]
from langgraph.store.postgres import PostgresStore

with PostgresStore.from_conn_string(DSN, pool_config={"max_size": 10}) as store:
    store.setup()
    store.put(("alice", "preferences"), "drink", {"text": "Green tea."})
    store.put(("alice", "preferences", "travel"), "seat", {"text": "By the window."})
# [end]

# [agent_memory_store]
from langgraph_agentmem import AgentMemoryStore

with AgentMemoryStore.from_conn_string(DSN, pool_config={"max_size": 10}) as store:
    store.setup()
    store.put(("alice", "preferences"), "drink", {"text": "Green tea."})
# [end]

# [copy]
from langgraph_agentmem import AgentMemory

with AgentMemory.open(DSN) as memory:
    report = memory.imports.store()  # of this database; imports.store(OLD_DSN) of another one
    print(report.summary)
    # 2 rows read: 1 written, 1 known, 0 kept as they stand here, 0 skipped, 0 refused; 2 verified
    # [end]
    new = AgentMemoryStore(memory)
    assert (report.written, report.known, report.verified) == (1, 1, 2)
    assert new.get(("alice", "preferences"), "drink").value == {"text": "Green tea."}
    assert [item.key for item in new.search(("alice",), query="window", limit=1)] == ["seat"]

# [facts]
from langgraph_agentmem import AgentMemory, AgentMemoryStore

memory = AgentMemory.open()
store = AgentMemoryStore(memory)
facts = ("bob", "facts")

store.put(facts, "food", {"text": "Bob eats vegetarian food."})  # add(..., user_id="bob", infer=False)
hits = memory.search("bob", "What does he eat?", limit=5)  # search(..., filters={"user_id": "bob"}, top_k=5)
items = store.search(facts, limit=100)  # get_all(filters={"user_id": "bob"})
store.put(facts, "food", {"text": "Bob eats fish, too."})  # update(memory_id, ...)
runs = memory.runs.list("bob")  # history(memory_id): of the whole memory, as consolidations have changed it
store.delete(facts, "food")  # delete(memory_id): removes what was made from it, too
for each in memory.get_active_memories("bob"):  # delete_all(user_id="bob")
    memory.delete_active_memory("bob", each.id, forget=True)
# [end]
assert [hit.content for hit in hits] == ["Bob eats vegetarian food."]
assert [item.key for item in items] == ["food"]
assert runs == []
assert memory.search("bob", "food fish") == []
memory.close()

# [sections]
from langgraph_agentmem import AgentMemory

memory = AgentMemory.open()
project = memory.create_active_memory(
    "agent-7",
    "Project",
    {"sections": {"progress": "How far the work is", "open": "What is open"}},
    initial_sections={"progress": "Nothing is done yet."},
    exist_ok=True,
)
edits = [
    {"section_id": "progress", "old_content": "Nothing", "new_content": "The draft", "action": "replace"},
    {"section_id": "open", "new_content": "- The review", "action": "insert"},
]
project = memory.update_active_memory_sections("agent-7", project.id, edits)
hits = memory.retrieve_memories("agent-7", "What is done?", search_shortterm=True, search_longterm=True, limit=10)
# [end]
assert project.sections["progress"].content == "The draft is done yet."
assert project.sections["open"].content == "- The review"
assert hits == []
memory.close()

# [legacy]
from langgraph_agentmem import AgentMemory

with AgentMemory.open() as memory:
    report = memory.imports.legacy(OLD_DSN)
    print(report.summary)
    for table, count in report.tables.items():
        print(table, count.read, count.verified)
    # [end]
    assert (report.written, report.verified, report.refused) == (4, 4, 0)
    assert [hit.content for hit in memory.search("agent-9", "lanes", limit=1)] == ["It has two lanes."]
