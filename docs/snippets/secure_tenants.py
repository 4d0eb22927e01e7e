"""Tenants that the database itself holds apart."""

import os

from psycopg.conninfo import make_conninfo

from langgraph_agentmem.cli.app import app as agentmem

agentmem(["db", "migrate", "--row-security"], standalone_mode=False)
agentmem(["db", "roles", "--run"], standalone_mode=False)
app_dsn = make_conninfo(os.environ["AGENTMEM_DSN"], user="agentmem_app")

# [open]
from langgraph_agentmem import AgentMemory, AgentMemorySettings

with AgentMemory.open(app_dsn, settings=AgentMemorySettings(row_security="on")) as memory:
    memory.create_active_memory("alice", "Apollo", {"sections": ["plan"]}, exist_ok=True)
    memory.create_active_memory("bob", "Gemini", {"sections": ["plan"]}, {"plan": "- Deadline: June 1"})
# [end]

# [sql]
import psycopg

with psycopg.connect(app_dsn) as connection:
    connection.execute("SELECT set_config('agentmem.external_id', 'alice', true)")
    print(connection.execute("SELECT title FROM agentmem.active_memory").fetchall())  # [('Apollo',)]
    # [end]
    assert connection.execute("SELECT title FROM agentmem.active_memory").fetchall() == [("Apollo",)]

# [without]
with psycopg.connect(app_dsn) as connection:
    try:
        connection.execute("SELECT title FROM agentmem.active_memory")
    except psycopg.errors.UndefinedObject as error:
        print(error)  # unrecognized configuration parameter "agentmem.external_id"
        # [end]
        said = str(error)
assert "agentmem.external_id" in said

# [looks]
from langgraph_agentmem import AgentMemoryStore
from langgraph_agentmem.errors import ConfigurationError

with AgentMemory.open(app_dsn, settings=AgentMemorySettings(row_security="on")) as memory:
    try:
        AgentMemoryStore(memory).search((), query="deadline")
    except ConfigurationError as error:
        print(error)  # this looks over all tenants, which agentmem_app may not, ...
        # [end]
        said = str(error)
assert "looks over all tenants" in said

# [bind]
from langgraph.graph import START, MessagesState, StateGraph

from langgraph_agentmem import AgentMemorySaver
from langgraph_agentmem.errors import ForeignThreadError

graph = StateGraph(MessagesState).add_node("answer", lambda state: {"messages": [("ai", "Noted.")]})
with AgentMemorySaver.from_conn_string(bind_threads=True) as saver:
    agent = graph.add_edge(START, "answer").compile(checkpointer=saver)
    agent.invoke({"messages": ["I live in Oslo."]}, {"configurable": {"thread_id": "1", "user_id": "alice"}})
    try:
        agent.invoke({"messages": ["Go on."]}, {"configurable": {"thread_id": "1", "user_id": "bob"}})
    except ForeignThreadError as error:
        print(error)  # thread '1' is another tenant's; give each tenant threads of its own, ...
        # [end]
        said = str(error)
assert said.startswith("thread '1' is another tenant's; give each tenant threads of its own")

# [share]
with AgentMemory.open(app_dsn, settings=AgentMemorySettings(row_security="on")) as memory:
    memory.grants.give("bob", "alice", ("bob", "Gemini"))
    hits = memory.grants.search("alice", "When is the deadline?", shared_by="bob")
    print([(hit.shared_by, hit.content) for hit in hits])  # [('bob', '- Deadline: June 1')]
    # [end]
    assert [(hit.shared_by, hit.content) for hit in hits] == [("bob", "- Deadline: June 1")]

# [revoke]
from langgraph_agentmem.errors import NotGrantedError

with AgentMemory.open(app_dsn, settings=AgentMemorySettings(row_security="on")) as memory:
    memory.grants.revoke("bob", "alice")
    try:
        memory.grants.search("alice", "When is the deadline?", shared_by="bob")
    except NotGrantedError as error:
        print(error)  # 'bob' lets 'alice' search nothing, or no longer; ...
        # [end]
        said = str(error)
assert "lets 'alice' search nothing" in said
