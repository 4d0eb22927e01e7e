"""Round trips and statements of each public operation: a slower way does the same, and this is where it shows."""

import inspect
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import guarded
import pytest
from fakes import ScriptedModel, WordEmbedder
from operations import Call, Operations
from store_and_memory import names
from wire import Wire, wire

from langgraph_agentmem import AgentMemory, AgentMemorySaver
from langgraph_agentmem.memory.grants import Grants
from langgraph_agentmem.memory.imports import Imports
from langgraph_agentmem.memory.queue import Queue
from langgraph_agentmem.memory.reviews import Reviews
from langgraph_agentmem.memory.runs import Runs
from langgraph_agentmem.projection import Graph
from langgraph_agentmem.store import AgentMemoryStore

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
    ("Grants.asearch", Operations.search_granted, (5, 8), (5, 8)),
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
    ("AgentMemory.aforget_tenant", Operations.forget_tenant, (40, 44), (40, 44)),
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
