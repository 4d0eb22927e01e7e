"""Each public operation, prepared and done any number of times, for tests that go through all of them."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import legacy_tables
import psycopg
from checkpointing import of
from langchain_core.messages import HumanMessage
from langchain_postgres import PostgresChatMessageHistory
from langgraph.store.base import PutOp
from langgraph.store.postgres import AsyncPostgresStore
from texts import State, agent

from langgraph_agentmem import AgentMemory, AgentMemorySaver
from langgraph_agentmem.store import AgentMemoryStore

TEMPLATE = {"sections": ["facts", "plans"]}
SPACE = ("alice", "notes")
Call = Callable[[], Awaitable[Any]]


class Operations:
    """Each public operation, as it is done for the n-th time; what a method does itself prepares what it returns."""

    def __init__(self, memory: AgentMemory) -> None:
        self.memory = memory
        self.dsn = str(memory.dsn)
        self.store = AgentMemoryStore(memory, ttl={"default_ttl": 60})
        self.saver = AgentMemorySaver(memory, state_schema=State)

    async def made(self, title: str) -> int:
        return (await self.memory.acreate_active_memory("alice", title, TEMPLATE)).id

    async def written(self, title: str, facts: str = "- Ada knows Bob.") -> int:
        """A memory with an update that waits to be consolidated."""
        id = await self.made(title)
        await self.memory.aupdate_active_memory_section("alice", id, "facts", facts)
        return id

    async def consolidated(self, title: str, facts: str = "- Ada knows Bob.") -> tuple[int, str]:
        """A memory, and the run that has consolidated it."""
        id = await self.written(title, facts)
        report = await self.memory.aconsolidate("alice", id)
        assert report.status == "applied"
        return id, str(report.run_id)

    async def disputed(self, title: str) -> tuple[str, int]:
        """A run, and the dispute that it has parked."""
        id, _ = await self.consolidated(title, "- deadline: may 1")
        await self.memory.aupdate_active_memory_section("alice", id, "facts", "- deadline: june 1")
        report = await self.memory.aconsolidate("alice", id)
        [dispute] = report.parked
        return str(report.run_id), dispute

    async def thread(self, name: str) -> Any:
        """A thread with two steps; returns its config."""
        for text in ("begun", "done"):
            await agent(self.saver).ainvoke({"say": {"progress": text}}, of(name))
        return of(name)

    # Memories

    async def create(self, n: int) -> Call:
        return lambda: self.memory.acreate_active_memory("alice", f"made {n}", TEMPLATE, {"facts": "- A fox."})

    async def get(self, n: int) -> Call:
        id = await self.written(f"got {n}")
        return lambda: self.memory.aget_active_memory("alice", id)

    async def get_all(self, n: int) -> Call:
        return lambda: self.memory.aget_active_memories("alice")

    async def edit(self, n: int) -> Call:
        id = await self.made(f"edited {n}")
        return lambda: self.memory.aupdate_active_memory_section("alice", id, "facts", f"- {n}")

    async def edit_two(self, n: int) -> Call:
        id = await self.made(f"edited twice {n}")
        edits = [{"section_id": section, "new_content": f"- {n}"} for section in ("facts", "plans")]
        return lambda: self.memory.aupdate_active_memory_sections("alice", id, edits)

    async def add(self, n: int) -> Call:
        return lambda: self.memory.aadd("alice", [{"role": "user", "content": f"Line {n}.", "id": f"line {n}"}])

    async def import_store(self, n: int) -> Call:
        async with AsyncPostgresStore.from_conn_string(self.dsn) as old:
            await old.setup()
            await old.aput(("alice", "imported"), f"item {n}", {"text": "A fox."})
        return self.memory.imports.astore

    async def import_vectorstore(self, n: int) -> Call:
        async with await psycopg.AsyncConnection.connect(self.dsn, autocommit=True) as connection:
            columns = "langchain_id text, content text, embedding vector(2)"
            await connection.execute(f"CREATE TABLE documents_{n} ({columns})".encode())
            await connection.execute(f"INSERT INTO documents_{n} VALUES ('d', 'A fox.', '[1,0]')".encode())
        return lambda: self.memory.imports.avectorstore(table=f"documents_{n}", tenant="alice")

    async def import_legacy(self, n: int) -> Call:
        async with await psycopg.AsyncConnection.connect(self.memory.dsn, autocommit=True) as connection:
            for statement in () if n else legacy_tables.filled("newer"):
                await connection.execute(statement.encode())
            insert = b"INSERT INTO shortterm_memory_chunk (external_id, shortterm_memory_id, content) VALUES "
            await connection.execute(insert + f"('agent-7', 1, 'Chunk {n}.')".encode())
        return self.memory.imports.alegacy

    async def import_chat_history(self, n: int) -> Call:
        async with await psycopg.AsyncConnection.connect(self.dsn, autocommit=True) as connection:
            await PostgresChatMessageHistory.acreate_tables(connection, f"chats_{n}")
            history = PostgresChatMessageHistory(f"chats_{n}", str(UUID(int=n)), async_connection=connection)
            await history.aadd_messages([HumanMessage("A fox.")])
        return lambda: self.memory.imports.achat_history(f"chats_{n}", tenant="alice")

    async def delete(self, n: int) -> Call:
        id = await self.made(f"deleted {n}")
        return lambda: self.memory.adelete_active_memory("alice", id)

    async def forget(self, n: int) -> Call:
        id, _ = await self.consolidated(f"forgotten {n}")
        return lambda: self.memory.adelete_active_memory("alice", id, forget=True)

    async def forget_tenant(self, n: int) -> Call:
        made = await self.memory.acreate_active_memory(f"tenant {n}", "Notes", TEMPLATE)
        await self.memory.aupdate_active_memory_section(made.external_id, made.id, "facts", "- Ada knows Bob.")
        await self.memory.aconsolidate(made.external_id, made.id)
        return lambda: self.memory.aforget_tenant(made.external_id)

    async def verify_receipt(self, n: int) -> Call:
        receipt = await self.memory.aforget_tenant(f"tenant {n}")
        return lambda: self.memory.averify_receipt(receipt)

    async def sweep_all(self, n: int) -> Call:
        return self.memory.asweep

    async def consolidate(self, n: int) -> Call:
        id = await self.written(f"consolidated {n}")
        return lambda: self.memory.aconsolidate("alice", id)

    async def consolidate_nothing(self, n: int) -> Call:
        id, _ = await self.consolidated(f"consolidated twice {n}")
        return lambda: self.memory.aconsolidate("alice", id)

    async def promote(self, n: int) -> Call:
        id, _ = await self.consolidated(f"promoted {n}")
        return lambda: self.memory.apromote("alice", id, force=True)

    async def search(self, n: int) -> Call:
        return lambda: self.memory.asearch("alice", "who knows Bob?")

    async def search_as_of(self, n: int) -> Call:
        return lambda: self.memory.asearch("alice", "who knows Bob?", as_of=datetime.now(UTC))

    async def retrieve(self, n: int) -> Call:
        return lambda: self.memory.aretrieve_memories("alice", "who knows Bob?")

    async def context(self, n: int) -> Call:
        return lambda: self.memory.acontext("alice", "who knows Bob?")

    async def sections(self, n: int) -> Call:
        return lambda: self.memory.acontext("alice")

    async def diagnose(self, n: int) -> Call:
        return lambda: self.memory.adiagnose("alice")

    async def entity(self, n: int) -> Call:
        await self.consolidated(f"entity {n}")
        return lambda: self.memory.aget_entity("alice", "Ada")

    async def history(self, n: int) -> Call:
        id, _ = await self.consolidated(f"history {n}")
        return lambda: self.memory.ahistory("alice", id)

    async def draw(self, n: int) -> Call:
        return lambda: self.memory.adraw_entities("alice")

    async def draw_around(self, n: int) -> Call:
        return lambda: self.memory.adraw_entities("alice", ["Ada"])

    # Runs, reviews and the queue

    async def list_runs(self, n: int) -> Call:
        return lambda: self.memory.runs.alist("alice")

    async def undo(self, n: int) -> Call:
        _, run = await self.consolidated(f"undone {n}")
        return lambda: self.memory.runs.aundo("alice", run)

    async def pending(self, n: int) -> Call:
        return lambda: self.memory.reviews.apending("alice")

    async def disputes(self, n: int) -> Call:
        run, _ = await self.disputed(f"disputed {n}")
        return lambda: self.memory.reviews.adisputes("alice", run)

    async def decide(self, n: int) -> Call:
        run, dispute = await self.disputed(f"decided {n}")
        return lambda: self.memory.reviews.adecide("alice", run, [{"dispute": dispute, "action": "accept"}])

    async def run_due(self, n: int) -> Call:
        await self.memory.queue.aflush("alice")
        return lambda: self.memory.queue.arun_due("alice")

    async def flush(self, n: int) -> Call:
        id = await self.written(f"flushed {n}")
        return lambda: self.memory.queue.aflush("alice", id)

    async def status(self, n: int) -> Call:
        return lambda: self.memory.queue.astatus("alice")

    async def dead_letters(self, n: int) -> Call:
        return lambda: self.memory.queue.adead_letters("alice")

    async def retry(self, n: int) -> Call:
        return lambda: self.memory.queue.aretry("alice")

    async def embed_pending(self, n: int) -> Call:
        return lambda: self.memory.queue.aembed_pending("alice")

    # Grants

    async def give(self, n: int) -> Call:
        return lambda: self.memory.grants.agive("alice", "bob", ("alice", "Notes"))

    async def search_granted(self, n: int) -> Call:
        return lambda: self.memory.grants.asearch("bob", "who knows Bob?", shared_by="alice")

    async def list_grants(self, n: int) -> Call:
        return lambda: self.memory.grants.alist("alice")

    async def received(self, n: int) -> Call:
        return lambda: self.memory.grants.areceived("bob")

    async def revoke(self, n: int) -> Call:
        return lambda: self.memory.grants.arevoke("alice", "bob")

    # A store

    async def put(self, n: int) -> Call:
        return lambda: self.store.aput(SPACE, "k", {"text": f"a falcon {n}"}, ttl=None)

    async def put_for_a_while(self, n: int) -> Call:
        return lambda: self.store.aput(SPACE, "k", {"text": f"a falcon {n}"})

    async def put_many(self, n: int) -> Call:
        puts = [PutOp(("alice", f"n{i}"), "k", {"text": f"an owl {n}"}, ttl=i + 1.0) for i in range(5)]
        return lambda: self.store.abatch(puts)

    async def put_if(self, n: int) -> Call:
        item = await self.store.aget(SPACE, "k")
        assert item is not None
        return lambda: self.store.aput_if(SPACE, "k", {"text": f"a heron {n}"}, item.revision)

    async def get_item(self, n: int) -> Call:
        return lambda: self.store.aget(SPACE, "k", refresh_ttl=False)

    async def get_item_and_let_it_live_on(self, n: int) -> Call:
        return lambda: self.store.aget(SPACE, "k")

    async def search_items(self, n: int) -> Call:
        return lambda: self.store.asearch(SPACE, query="falcon", refresh_ttl=False)

    async def list_items(self, n: int) -> Call:
        return lambda: self.store.asearch(SPACE, filter={"text": {"$ne": "x"}}, refresh_ttl=False)

    async def list_namespaces(self, n: int) -> Call:
        return lambda: self.store.alist_namespaces(prefix=("alice",))

    async def delete_item(self, n: int) -> Call:
        await self.store.aput(SPACE, f"deleted {n}", {"text": "a crow"})
        return lambda: self.store.adelete(SPACE, f"deleted {n}")

    async def sweep(self, n: int) -> Call:
        return self.store.asweep_ttl

    # A checkpointer

    async def save(self, n: int) -> Call:
        config = await self.thread(f"saved {n}")
        latest = await self.saver.aget_tuple(config)
        assert latest is not None
        version = self.saver.get_next_version(latest.checkpoint["channel_versions"]["progress"], None)
        following: Any = latest.checkpoint | {"id": f"{latest.checkpoint['id']}{n}"}
        following["channel_values"] = following["channel_values"] | {"progress": f"step {n}"}
        following["channel_versions"] = following["channel_versions"] | {"progress": version}
        parent: Any = {"configurable": latest.config["configurable"] | config["configurable"]}
        return lambda: self.saver.aput(parent, following, latest.metadata, {"progress": version})

    async def save_writes(self, n: int) -> Call:
        latest = await self.saver.aget_tuple(await self.thread(f"wrote {n}"))
        assert latest is not None
        return lambda: self.saver.aput_writes(latest.config, [("progress", f"{n}")], f"task {n}")

    async def latest(self, n: int) -> Call:
        config = await self.thread("latest")
        return lambda: self.saver.aget_tuple(config)

    async def list_checkpoints(self, n: int) -> Call:
        config = await self.thread("listed")

        async def listed() -> None:
            assert [each async for each in self.saver.alist(config, limit=3)]

        return listed

    async def delta_history(self, n: int) -> Call:
        config = await self.thread("history")
        return lambda: self.saver.aget_delta_channel_history(config=config, channels=["say"])

    async def hydrate(self, n: int) -> Call:
        config = await self.thread("hydrated")
        return lambda: self.saver.ahydrate(config, {})

    async def delete_thread(self, n: int) -> Call:
        await self.thread(f"deleted {n}")
        return lambda: self.saver.adelete_thread(f"deleted {n}")

    async def delete_for_runs(self, n: int) -> Call:
        await agent(self.saver).ainvoke({"say": {"progress": "x"}}, {**of("of a run"), "metadata": {"run_id": f"{n}"}})
        return lambda: self.saver.adelete_for_runs([f"{n}"])

    async def copy_thread(self, n: int) -> Call:
        await self.thread(f"original {n}")
        return lambda: self.saver.acopy_thread(f"original {n}", f"copy {n}")

    async def prune(self, n: int) -> Call:
        await self.thread(f"pruned {n}")
        return lambda: self.saver.aprune([f"pruned {n}"])

    # The graph

    async def neighborhood(self, n: int) -> Call:
        return lambda: self.memory.graph.aneighborhood("alice", ["Ada"])

    async def paths(self, n: int) -> Call:
        return lambda: self.memory.graph.apaths("alice", "Ada", "Bob")

    async def named(self, n: int) -> Call:
        return lambda: self.memory.graph.anamed("alice", ["ada"])
