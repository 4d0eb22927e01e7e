"""Forgetting, and what LangGraph's checkpoints and Neo4j hold of what is forgotten."""

from collections.abc import Callable
from typing import Any

import pytest
from checkpoint_threads import size
from fakes import ScriptedModel
from langgraph.checkpoint.base import empty_checkpoint
from people import answer, consolidate, start
from projecting import EMPTY, agrees, run, things
from texts import State, say

from langgraph_agentmem import AgentMemory, AgentMemorySaver
from langgraph_agentmem.errors import InvalidInputError
from langgraph_agentmem.models.deletion import DeletionReceipt
from langgraph_agentmem.projection import Neo4jDatabase, batches, draining

Rows = Callable[..., list[tuple[Any, ...]]]
Open = Callable[..., AgentMemory]
NOTHING = (0, 0, 0)


# Checkpoints


@pytest.fixture
def saver(memory: AgentMemory) -> AgentMemorySaver:
    return AgentMemorySaver(memory, state_schema=State)


def threads(receipt: DeletionReceipt) -> dict[str, tuple[bool, bool]]:
    """(removed, shared) by thread."""
    assert all(thread.rows for thread in receipt.threads)
    return {thread.thread_id: (thread.removed, thread.shared) for thread in receipt.threads}


async def test_checkpoints_stay_and_are_named_unless_they_are_to_go(
    memory: AgentMemory, saver: AgentMemorySaver, rows: Rows
) -> None:
    await say(saver, "1", facts="The zebra plan.")
    await say(saver, "2", tenant="bob", facts="Nothing.")
    await AgentMemorySaver(memory).aput(*_bare("3"))  # a thread of which only the metadata tell the tenant

    receipt = await memory.aforget_tenant("alice")

    assert threads(receipt) == {"1": (False, False), "3": (False, False)}
    [left] = [each for each in receipt.remains if each.where == "LangGraph's checkpoints"]
    assert left.count == sum(thread.rows for thread in receipt.threads) == sum(size(rows, "1")) + sum(size(rows, "3"))
    check = await memory.averify_receipt(receipt)
    assert (check.gone, {thread.thread_id for thread in check.threads}) == (True, {"1", "3"})

    receipt = await memory.aforget_tenant("alice", checkpoints=True)

    assert threads(receipt) == {"1": (True, False), "3": (True, False)}
    assert receipt.removed["checkpoints"] >= 2
    assert (size(rows, "1"), size(rows, "3"), size(rows, "2") != NOTHING) == (NOTHING, NOTHING, True)
    assert (await memory.averify_receipt(receipt)).threads == ()
    await AgentMemorySaver(memory).aput(*_bare("3"))
    check = await memory.averify_receipt(receipt)
    assert (check.gone, [thread.thread_id for thread in check.threads]) == (False, ["3"])


async def test_a_thread_of_two_tenants_goes_only_if_it_is_named(
    memory: AgentMemory, saver: AgentMemorySaver, rows: Rows
) -> None:
    for tenant in ("alice", "bob"):
        await say(saver, "both", tenant=tenant, facts=f"Of {tenant}.")
    receipt = await memory.aforget_tenant("alice", checkpoints=True)
    assert threads(receipt) == {"both": (False, True)}
    receipt = await memory.aforget_tenant("alice", threads=["both", "there is none"])
    assert threads(receipt) == {"both": (True, True)}
    assert size(rows, "both") == NOTHING
    assert rows("SELECT count(*) FROM agentmem.thread_section") == [(0,)]
    with pytest.raises(InvalidInputError, match="threads must be a list, not str"):
        await memory.aforget_tenant("alice", threads="both")


async def test_a_memorys_receipt_names_the_threads_that_were_mapped_to_it(
    memory: AgentMemory, saver: AgentMemorySaver
) -> None:
    await say(saver, "1", facts="The zebra plan.")
    [mapped] = await memory.aget_active_memories("alice")
    other = await start(memory, "alice", "Other")
    receipt = await memory.adelete_active_memory("alice", mapped.id, forget=True)
    assert receipt is not None
    assert threads(receipt) == {"1": (False, False)}
    assert receipt.removed["thread_section"] >= 1
    receipt = await memory.adelete_active_memory("alice", other, forget=True)
    assert receipt is not None
    assert receipt.threads == ()


def _bare(thread: str) -> tuple[Any, ...]:
    config = {"configurable": {"thread_id": thread, "checkpoint_ns": "", "user_id": "alice"}}
    return config, empty_checkpoint(), {"source": "input", "step": -1}, {}


# Neo4j


@pytest.fixture
def projected(opened: Open, neo4j: Neo4jDatabase) -> AgentMemory:
    return opened(model=ScriptedModel(answer=answer), graph=neo4j)


@pytest.mark.parametrize("whole", [True, False])
async def test_the_copy_in_neo4j_is_pending_until_it_is_projected(
    projected: AgentMemory, opened: Open, neo4j: Neo4jDatabase, tenant: str, whole: bool
) -> None:
    projector = projected.projector
    id = await start(projected, tenant)
    await consolidate(projected, tenant, id, "Ada/person knows Bob/person")
    await projected.apromote(tenant, id, force=True)
    assert await agrees(projector, tenant)

    if whole:
        receipt = await projected.aforget_tenant(tenant)
    else:
        receipt = await projected.adelete_active_memory(tenant, id, forget=True)

    assert receipt is not None
    assert receipt.projected == "pending"
    assert {"graph_outbox", "graph_projection"} <= {each.where for each in receipt.remains}
    check = await projected.averify_receipt(receipt)
    assert (check.gone, check.projected, check.waiting > 0) == (False, "pending", True)
    await projector.arun_once(tenant)
    assert await things(projector, tenant) == 0
    check = await projected.averify_receipt(receipt)
    assert (check.gone, check.projected, check.waiting, check.found_in_neo4j) == (True, "done", 0, 0)
    check = await opened().averify_receipt(receipt)
    assert (check.gone, check.found_in_neo4j) == (False, None), "nobody has looked into Neo4j"
    ghost = "CREATE (:ShorttermEntity {external_id: $external_id, id: 1, name: 'Ada', tier: 'shortterm'})"
    await run(neo4j, tenant, ghost)
    check = await projected.averify_receipt(receipt)
    assert (check.gone, check.found_in_neo4j) == (False, 1)
    await run(neo4j, tenant, EMPTY)


async def test_what_a_projector_has_read_and_not_yet_written_is_gone_in_the_end(
    projected: AgentMemory, tenant: str
) -> None:
    projector = projected.projector
    await consolidate(projected, tenant, await start(projected, tenant), "Ada/person knows Bob/person")
    batch, changes, work = await draining._next(projector.database, tenant, 100)  # read, and not yet written

    receipt = await projected.aforget_tenant(tenant)

    assert receipt.projected == "pending"
    outcome = await batches.write(projector.neo4j, tenant, batch, list(work.items()))
    await draining._finish(projector.database, tenant, batch, changes, outcome)
    assert await things(projector, tenant) > 0
    await projector.arun_once(tenant)
    assert await things(projector, tenant) == 0
    assert (await projected.averify_receipt(receipt)).gone
