"""Round trips and statements of each public operation: a slower way does the same, and this is where it shows."""

import inspect
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID

import guarded
import legacy_tables
import psycopg
import pytest
from checkpointing import of
from fakes import ScriptedModel, WordEmbedder
from langchain_core.messages import HumanMessage
from langchain_postgres import PostgresChatMessageHistory
from langgraph.store.base import PutOp
from langgraph.store.postgres import AsyncPostgresStore
from store_and_memory import names
from texts import State, agent
from wire import Wire, wire

from langgraph_agentmem import AgentMemory, AgentMemorySaver
from langgraph_agentmem.memory.grants import Grants
from langgraph_agentmem.memory.imports import Imports
from langgraph_agentmem.memory.queue import Queue
from langgraph_agentmem.memory.reviews import Reviews
from langgraph_agentmem.memory.runs import Runs
from langgraph_agentmem.projection import Graph
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


Counts = tuple[int, int]
TABLE: list[tuple[str, Callable[[Operations, int], Awaitable[Call]], Counts, Counts]] = [
    ("AgentMemory.acreate_active_memory", Operations.create, (4, 4), (4, 4)),
    ("AgentMemory.aget_active_memory", Operations.get, (1, 2), (1, 2)),
    ("AgentMemory.aget_active_memories", Operations.get_all, (3, 2), (3, 2)),
    ("AgentMemory.aupdate_active_memory_section", Operations.edit, (2, 6), (2, 7)),
    ("AgentMemory.aupdate_active_memory_sections", Operations.edit_two, (2, 6), (2, 7)),
    ("AgentMemory.aadd", Operations.add, (3, 11), (3, 12)),
    ("AgentMemory.adelete_active_memory", Operations.delete, (4, 6), (4, 6)),
    ("AgentMemory.aconsolidate", Operations.consolidate, (27, 42), (29, 43)),
    ("AgentMemory.adraw_entities", Operations.draw, (4, 3), (4, 3)),
    ("AgentMemory.adraw_entities, around one", Operations.draw_around, (3, 2), (3, 2)),
    ("AgentMemory.aconsolidate, of nothing", Operations.consolidate_nothing, (11, 14), (13, 15)),
    ("AgentMemory.apromote", Operations.promote, (14, 27), (14, 27)),
    ("AgentMemory.asearch", Operations.search, (1, 2), (1, 2)),
    ("AgentMemory.asearch, as of a time", Operations.search_as_of, (1, 2), (1, 2)),
    ("AgentMemory.aretrieve_memories", Operations.retrieve, (1, 2), (1, 2)),
    ("AgentMemory.acontext", Operations.context, (1, 4), (1, 4)),
    ("AgentMemory.acontext, without a query", Operations.sections, (1, 2), (1, 2)),
    ("AgentMemory.adiagnose", Operations.diagnose, (10, 9), (11, 10)),
    ("AgentMemory.aget_entity", Operations.entity, (6, 5), (6, 5)),
    ("AgentMemory.ahistory", Operations.history, (1, 2), (1, 2)),
    ("Runs.alist", Operations.list_runs, (1, 1), (1, 1)),
    ("Runs.aundo", Operations.undo, (12, 18), (12, 18)),
    ("Imports.astore", Operations.import_store, (5, 9), (5, 9)),
    ("Imports.avectorstore", Operations.import_vectorstore, (5, 9), (5, 9)),
    ("Imports.achat_history", Operations.import_chat_history, (9, 17), (9, 18)),
    ("Reviews.apending", Operations.pending, (2, 1), (2, 1)),
    ("Reviews.adisputes", Operations.disputes, (6, 7), (6, 7)),
    ("Reviews.adecide", Operations.decide, (24, 31), (24, 31)),
    ("Queue.arun_due, with nothing due", Operations.run_due, (2, 2), (4, 3)),
    ("Queue.aflush", Operations.flush, (31, 45), (35, 47)),
    ("Queue.astatus", Operations.status, (1, 1), (1, 1)),
    ("Queue.adead_letters", Operations.dead_letters, (1, 1), (1, 1)),
    ("Queue.aretry", Operations.retry, (2, 1), (2, 1)),
    ("Queue.aembed_pending, with nothing pending", Operations.embed_pending, (1, 1), (3, 2)),
    ("Grants.agive", Operations.give, (1, 2), (1, 2)),
    ("Grants.asearch", Operations.search_granted, (5, 7), (5, 7)),
    ("Grants.alist", Operations.list_grants, (1, 1), (1, 1)),
    ("Grants.areceived", Operations.received, (1, 1), (1, 1)),
    ("Grants.arevoke", Operations.revoke, (1, 1), (1, 1)),
    ("AgentMemoryStore.aput", Operations.put, (1, 1), (1, 2)),
    ("AgentMemoryStore.aput, for a while", Operations.put_for_a_while, (1, 1), (1, 2)),
    ("AgentMemoryStore.abatch, of five puts", Operations.put_many, (1, 1), (1, 2)),
    ("AgentMemoryStore.aput_if", Operations.put_if, (1, 2), (1, 3)),
    ("AgentMemoryStore.aget", Operations.get_item, (1, 1), (1, 1)),
    ("AgentMemoryStore.aget, letting it live on", Operations.get_item_and_let_it_live_on, (2, 2), (2, 2)),
    ("AgentMemoryStore.asearch", Operations.search_items, (1, 2), (1, 2)),
    ("AgentMemoryStore.asearch, without a query", Operations.list_items, (1, 1), (1, 1)),
    ("AgentMemoryStore.alist_namespaces", Operations.list_namespaces, (1, 1), (1, 1)),
    ("AgentMemoryStore.adelete", Operations.delete_item, (3, 8), (3, 8)),
    ("AgentMemoryStore.asweep_ttl", Operations.sweep, (1, 1), (1, 1)),
    ("AgentMemorySaver.aput", Operations.save, (1, 1), (1, 1)),
    ("AgentMemorySaver.aput_writes", Operations.save_writes, (1, 1), (1, 1)),
    ("AgentMemorySaver.aget_tuple", Operations.latest, (1, 1), (1, 1)),
    ("AgentMemorySaver.alist", Operations.list_checkpoints, (1, 1), (1, 1)),
    ("AgentMemorySaver.aget_delta_channel_history", Operations.delta_history, (3, 3), (3, 3)),
    ("AgentMemorySaver.ahydrate", Operations.hydrate, (2, 4), (2, 4)),
    ("AgentMemorySaver.adelete_thread", Operations.delete_thread, (3, 6), (3, 6)),
    ("AgentMemorySaver.adelete_for_runs", Operations.delete_for_runs, (2, 2), (2, 2)),
    ("AgentMemorySaver.acopy_thread", Operations.copy_thread, (3, 4), (3, 4)),
    ("AgentMemorySaver.aprune", Operations.prune, (1, 1), (1, 1)),
    ("Graph.aneighborhood", Operations.neighborhood, (3, 2), (3, 2)),
    ("Graph.apaths", Operations.paths, (4, 3), (4, 3)),
    ("Graph.anamed", Operations.named, (2, 1), (2, 1)),
    # last: the driver remembers a hundred statements, and would have forgotten some of the others' by then
    ("AgentMemory.adelete_active_memory, forgetting it", Operations.forget, (26, 30), (26, 30)),
    ("AgentMemory.aforget_tenant", Operations.forget_tenant, (39, 43), (39, 43)),
    ("AgentMemory.averify_receipt", Operations.verify_receipt, (4, 3), (4, 3)),
    ("AgentMemory.asweep, with nothing to remove", Operations.sweep_all, (1, 1), (1, 1)),
    ("Imports.alegacy", Operations.import_legacy, (26, 29), (26, 29)),
]
"""(round trips, statements) of an operation that was done before: without vectors, and with an embedder."""
ONCE = {"aas_vectorstore", "asetup", "aclose", "astart_ttl_sweeper", "astop_ttl_sweeper"}
"""What is done once in the life of what it belongs to, or makes something that is then used."""


@pytest.mark.skipif(
    guarded.EVERYWHERE,
    reason="the owner's statements are counted: another role's begin with one that names the tenant, and the owner alone "
    "makes the tables that are imported",
)
@pytest.mark.parametrize("embedder", [None, WordEmbedder])
async def test_each_operation_takes_so_many_round_trips_and_statements(
    opened: Callable[..., AgentMemory], embedder: Callable[[], Any] | None
) -> None:
    index = embedder() if embedder else None
    memory = opened(settings={"pool_size": 1}, model=ScriptedModel(answer=names), review="always", index=index)
    await memory.asetup()
    on, found = Operations(memory), dict[str, Counts]()
    async with wire(memory) as traffic:
        for name, operation, *_ in TABLE:
            found[name] = await counted(partial(operation, on), traffic)

    assert found == {name: with_vectors if embedder else without for name, _, without, with_vectors in TABLE}


async def counted(operation: Callable[[int], Awaitable[Call]], traffic: Wire) -> tuple[int, int]:
    """(round trips, statements) of an operation that was done before, so that its statements are prepared."""
    await (await operation(0))()
    call = await operation(1)
    traffic.clear()
    await call()
    assert [sent.text for sent in traffic.statements if sent.refused] == []
    return traffic.round_trips, len(traffic.statements)


def test_every_operation_is_counted() -> None:
    kinds = (AgentMemory, Runs, Reviews, Queue, Grants, Imports, AgentMemoryStore, AgentMemorySaver, Graph)
    own = {
        f"{kind.__name__}.{name}" for kind in kinds for name in vars(kind) if is_operation(getattr(kind, name), name)
    }
    of_langgraph = {f"AgentMemoryStore.{name}" for name in ("aget", "aput", "asearch", "adelete", "alist_namespaces")}

    assert {name.partition(",")[0] for name, *_ in TABLE} == own | of_langgraph


def is_operation(value: object, name: str) -> bool:
    asynchronous = inspect.iscoroutinefunction(value) or inspect.isasyncgenfunction(value)
    return asynchronous and not name.startswith("_") and name not in ONCE
