"""Brings along what LangGraph's store and langchain-postgres hold."""

import asyncio
import os
from uuid import UUID

import psycopg
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.messages import AIMessage, HumanMessage
from langchain_postgres import PGEngine, PGVectorStore, PostgresChatMessageHistory
from langgraph.store.postgres import PostgresStore
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import URL

OLD_DSN = os.environ["AGENTMEM_DSN"]
SESSION = str(UUID(int=1))
embeddings = DeterministicFakeEmbedding(size=64)
sessions = {SESSION: "alice"}


def engine() -> PGEngine:
    parts = conninfo_to_dict(OLD_DSN)
    query = {name: str(parts[name]) for name in ("host", "port") if parts.get(name)}
    url = URL.create("postgresql+psycopg", username=str(parts["user"]), database=str(parts["dbname"]), query=query)
    return PGEngine.from_connection_string(url)


async def fill() -> None:
    made = engine()
    await made.ainit_vectorstore_table("guides", 64)
    store = await PGVectorStore.create(made, embeddings, "guides")
    await store.aadd_texts(["The ferry leaves at nine."], metadatas=[{"user": "alice"}])
    await made.close()


asyncio.run(fill())
with PostgresStore.from_conn_string(OLD_DSN) as old:
    old.setup()
    old.put(("alice", "preferences"), "drink", {"text": "Green tea."})
with psycopg.connect(OLD_DSN) as connection:
    PostgresChatMessageHistory.create_tables(connection, "chat_history")
    history = PostgresChatMessageHistory("chat_history", SESSION, sync_connection=connection)
    history.add_messages([HumanMessage("I live in Oslo."), AIMessage("Then you know winters.")])

# [store]
from langgraph_agentmem import AgentMemory

memory = AgentMemory.open(index=embeddings)
report = memory.imports.store(OLD_DSN)
print(report.summary)  # 1 row read: 1 written, 0 known, 0 kept as they stand here, 0 skipped, 0 refused; 1 verified
# [end]
assert (report.written, report.verified) == (1, 1)

# [history]
report = memory.imports.chat_history("chat_history", OLD_DSN, tenant=sessions.get)
for refusal in report.refusals:
    print(refusal.place, refusal.reason)
# [end]
assert (report.written, report.refusals, report.tenants) == (2, [], ["alice"])

# [documents]
report = memory.imports.vectorstore(OLD_DSN, table="guides", tenant=lambda metadata: metadata["user"])
print(report.vectors, report.without_vectors)
# [end]
assert (report.written, report.vectors) == (1, 1)

# [again]
from langgraph_agentmem.errors import ImportMismatchError

try:
    report = memory.imports.store(OLD_DSN, on_progress=lambda passed, total: print(passed, "of", total))
except ImportMismatchError as error:
    for difference in error.report.differences:
        print(difference.place, difference.reason)
# [end]
assert (report.written, report.known) == (0, 1)
memory.close()
