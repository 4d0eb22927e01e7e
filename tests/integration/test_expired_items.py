"""What has expired is gone from every tier, and what is read again lives on."""

import asyncio
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from langgraph.store.base import GetOp, PutOp
from store_and_memory import consolidate, everything, memory_of, promote
from triggers import out_of_luck
from waiting import until_waiting

from langgraph_agentmem import AgentMemory
from langgraph_agentmem.operations.runs import claiming
from langgraph_agentmem.store import AgentMemoryStore

Rows = Callable[..., list[tuple[Any, ...]]]
Open = Callable[..., AgentMemory]
pytestmark = pytest.mark.usefixtures("consistent_afterwards")
NS = ("alice", "notes")


def expire(rows: Rows, *keys: str) -> None:
    rows(
        "UPDATE agentmem.section SET expires_at = now() - interval '1 second', ttl_minutes = 1 WHERE section_id = ANY (%s)",
        list(keys),
    )


async def test_an_item_that_expires_is_deleted_with_all_that_was_made_from_it(
    modelled: AgentMemory, rows: Rows
) -> None:
    store = AgentMemoryStore(modelled)
    await store.aput(NS, "secret", {"content": "Falcon met Owl."})
    await store.aput(NS, "open", {"content": "Owl met Heron."})
    await consolidate(store)
    await promote(store)
    await store.aput(NS, "secret", {"content": "Falcon met Lynx."}, ttl=1)
    await consolidate(store)
    assert await store.asweep_ttl() == 0
    expire(rows, "secret")

    assert await store.asweep_ttl() == 1

    assert {name for (name,) in rows("SELECT name FROM agentmem.entity")} == {"Owl", "Heron"}
    assert rows("SELECT DISTINCT section_id FROM agentmem.memory_chunk") == [("open",)]
    assert rows("SELECT count(*) FROM agentmem.consolidation_run WHERE conflicts IS NOT NULL") == [(0,)]
    assert "falcon" not in everything(rows).casefold()
    assert await store.asweep_ttl() == 0


async def test_what_is_renewed_while_it_is_swept_stays(store: AgentMemoryStore, rows: Rows) -> None:
    await store.abatch([PutOp(NS, f"k{i}", {"content": f"Falcon {i}"}, ttl=1) for i in range(20)])
    for _ in range(5):
        expire(rows, *(f"k{i}" for i in range(20)))
        puts = [store.aput(NS, f"k{i}", {"content": f"Falcon {i}"}, ttl=60) for i in range(0, 20, 2)]
        await asyncio.gather(AgentMemoryStore(store.memory).asweep_ttl(), *puts, store.asweep_ttl())
        left = {item.key for item in await store.asearch(NS, limit=50)}
        assert left == {f"k{i}" for i in range(0, 20, 2)}
        assert len(await store.asearch(NS, query="falcon", limit=50)) == 10


async def test_an_item_that_was_renewed_between_looking_and_locking_is_not_swept(
    store: AgentMemoryStore, rows: Rows, dsn: str
) -> None:
    """The sweeper finds it expired, and waits for whoever renews it."""
    await store.aput(NS, "k", {"content": "Falcon"}, ttl=1)
    expire(rows, "k")
    async with await psycopg.AsyncConnection.connect(dsn) as other:
        await other.execute("SELECT 1 FROM agentmem.active_memory FOR UPDATE")
        sweeping = asyncio.create_task(store.asweep_ttl())
        await until_waiting(rows)
        await other.execute("UPDATE agentmem.section SET expires_at = now() + interval '1 minute'")
        await other.commit()

    assert await sweeping == 0
    assert await store.aget(NS, "k") is not None


async def test_a_tenant_whose_items_cannot_be_removed_keeps_no_other_from_it(
    store: AgentMemoryStore, rows: Rows, caplog: pytest.LogCaptureFixture
) -> None:
    for tenant in ("alice", "bob"):
        await store.aput((tenant, "notes"), "k", {"content": "Falcon"}, ttl=1)
    expire(rows, "k")
    with out_of_luck(rows, "DELETE ON agentmem.section", "old.external_id = 'alice'"):
        assert await store.asweep_ttl() == 1
        assert rows("SELECT external_id FROM agentmem.section") == [("alice",)]
    assert "expired items of tenant 'alice' could not be removed for now" in caplog.text
    assert await store.asweep_ttl() == 1


async def test_one_sweeper_serves_all_tenants_and_more_items_than_it_takes_at_once(
    store: AgentMemoryStore, rows: Rows
) -> None:
    for tenant in ("alice", "bob", "carol"):
        await store.abatch([PutOp((tenant, "notes"), f"k{i}", {"content": "Falcon"}) for i in range(201)])
    expire(rows, *(f"k{i}" for i in range(200)))

    assert await store.asweep_ttl() == 600
    assert rows("SELECT external_id, section_id FROM agentmem.section ORDER BY 1") == [
        ("alice", "k200"), ("bob", "k200"), ("carol", "k200"),
    ]  # fmt: skip


async def test_a_deleted_or_swept_item_that_is_put_again_is_a_new_one(store: AgentMemoryStore, rows: Rows) -> None:
    for _ in range(2):
        await store.aput(NS, "k", {"content": "Falcon"}, ttl=1)
        await store.aput(NS, "k", {"content": "Falcon"}, ttl=1)
        await consolidate(store)
    await store.adelete(NS, "k")
    await store.aput(NS, "k", {"content": "Falcon"}, ttl=1)
    assert (await store.aget(NS, "k")).revision == 5, "a revision that comes twice would pass a compare-and-set"
    expire(rows, "k")
    await store.asweep_ttl()
    await store.aput(NS, "k", {"content": "Falcon"})
    assert (await store.aget(NS, "k")).revision == 6
    assert (await consolidate(store)).chunks_added == 1


async def test_a_batch_reads_what_was_there_before_its_puts_and_the_last_put_of_a_place_wins(
    store: AgentMemoryStore, rows: Rows
) -> None:
    await store.aput(NS, "a", {"content": "one"})
    ops = [
        PutOp(NS, "a", {"content": "two"}), GetOp(NS, "a"), PutOp(NS, "a", None), PutOp(NS, "b", None),
        PutOp(NS, "a", {"content": "three"}), PutOp(NS, "b", {"content": "four"}),
    ]  # fmt: skip
    results = await store.abatch(ops)

    assert results[1].value == {"content": "one"}
    assert rows("SELECT section_id, value ->> 'content', revision, update_count FROM agentmem.section ORDER BY 1") == [
        ("a", "three", 2, 2), ("b", "four", 1, 1),
    ]  # fmt: skip


async def test_a_claimed_run_that_never_ends_does_not_keep_items_from_being_deleted(
    store: AgentMemoryStore, rows: Rows
) -> None:
    await store.aput(NS, "k", {"content": "Falcon"})
    await claiming.claim(store.memory.resources, "alice", (await memory_of(store)).id)
    await store.adelete(NS, "k")

    assert rows("SELECT count(*) FROM agentmem.memory_chunk") == [(0,)]
    assert rows("SELECT section_count, pending_updates FROM agentmem.active_memory") == [(0, 0)]
    rows("UPDATE agentmem.active_memory SET lease_owner = NULL, lease_expires_at = NULL")
