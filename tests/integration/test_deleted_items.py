"""What is deleted through the store is gone from every tier, also while a run is under way."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from store_and_memory import consolidate, during_extraction, everything, memory_of, promote

from langgraph_agentmem import AgentMemory
from langgraph_agentmem.store import AgentMemoryStore

Rows = Callable[..., list[tuple[Any, ...]]]
Open = Callable[..., AgentMemory]
pytestmark = pytest.mark.usefixtures("consistent_afterwards")
NS = ("alice", "notes")


async def test_a_delete_takes_what_was_made_from_the_item_in_every_tier_and_leaves_the_rest(
    modelled: AgentMemory, rows: Rows
) -> None:
    store = AgentMemoryStore(modelled)
    await store.aput(NS, "secret", {"content": "- Falcon met Owl.\n- Zebra slept.\n"})
    await store.aput(NS, "open", {"content": "- Owl met Heron.\n"})
    await consolidate(store)
    await promote(store)
    await store.aput(NS, "secret", {"content": "- Falcon met Owl.\n- Lynx ran.\n"})
    await consolidate(store)
    await store.aput(NS, "secret", {"content": "- Falcon left quietly.\n"})
    ids = dict(rows("SELECT name || tier, id FROM agentmem.entity"))

    await store.adelete(NS, "secret")

    assert rows("SELECT DISTINCT section_id FROM agentmem.memory_chunk") == [("open",)]
    assert rows("SELECT tier, name FROM agentmem.entity ORDER BY 1, 2") == [
        ("longterm", "Heron"), ("longterm", "Owl"), ("shortterm", "Heron"), ("shortterm", "Owl"),
    ]  # fmt: skip
    kept = rows("SELECT s.name, t.name FROM agentmem.relationship r JOIN agentmem.entity s ON s.id = r.source_id "
                "JOIN agentmem.entity t ON t.id = r.target_id")  # fmt: skip
    assert kept == [("Owl", "Heron")] * 2
    gone = rows("SELECT target_id FROM agentmem.graph_outbox WHERE operation = 'delete' AND kind = 'entity'")
    assert {id for (id,) in gone} == {ids[n + t] for n in ("Falcon", "Zebra") for t in ("shortterm", "longterm")} | {
        ids["Lynxshortterm"]
    }
    for word in ("Falcon", "Zebra", "Lynx"):
        assert word.casefold() not in everything(rows).casefold()
    assert [hit.namespace for hit in await store.asearch((), query="falcon zebra lynx owl") if hit.score] == [NS]


async def test_what_another_memory_of_the_tenant_supports_stays(modelled: AgentMemory, rows: Rows) -> None:
    store = AgentMemoryStore(modelled)
    for namespace in (NS, ("alice", "diary")):
        await store.aput(namespace, "k", {"content": "Falcon met Owl."})
        [id] = [m.id for m in await modelled.aget_active_memories("alice") if m.namespace == namespace]
        await modelled.aconsolidate("alice", id)
        await modelled.apromote("alice", id, force=True)
    await store.adelete(NS, "k")

    assert rows("SELECT tier, name FROM agentmem.entity ORDER BY 1, 2") == [
        ("longterm", "Falcon"), ("longterm", "Owl"), ("shortterm", "Falcon"), ("shortterm", "Owl"),
    ]  # fmt: skip
    await store.adelete(("alice", "diary"), "k")
    assert rows("SELECT count(*) FROM agentmem.entity") == rows("SELECT count(*) FROM agentmem.mention") == [(0,)]


async def test_a_run_that_has_seen_a_deleted_item_keeps_its_counts_but_no_contents(
    modelled: AgentMemory, rows: Rows
) -> None:
    store = AgentMemoryStore(modelled)
    await store.aput(NS, "secret", {"content": "Falcon"})
    await store.aput(NS, "open", {"content": "Owl"})
    await consolidate(store)
    await store.aput(NS, "open", {"content": "Owl and Heron"})
    later = (await consolidate(store)).run_id

    await store.adelete(NS, "secret")

    kept = dict(rows("SELECT id::text, (conflicts IS NOT NULL AND plan IS NOT NULL AND changes IS NOT NULL) "
                     "FROM agentmem.consolidation_run"))  # fmt: skip
    assert not any(kept.values()), "what an entity was said to be stands in the log of every run that met it"
    reports = {run.id: run.report for run in await modelled.runs.alist("alice")}
    assert {id: len(report.sections) for id, report in reports.items()} == {id: 1 if id == later else 2 for id in kept}
    assert all(run.conflicts is None for run in await modelled.runs.alist("alice"))


async def test_a_run_whose_memory_loses_an_item_leaves_out_what_rested_on_it(modelled: AgentMemory, rows: Rows) -> None:
    store = AgentMemoryStore(modelled)
    await store.aput(NS, "secret", {"content": "Falcon"})
    await store.aput(NS, "open", {"content": "Owl"})

    async def delete() -> None:
        await store.adelete(NS, "secret")

    await during_extraction(modelled, delete, store)
    assert rows("SELECT tier, content FROM agentmem.memory_chunk") == [("shortterm", "Owl")]
    assert rows("SELECT name FROM agentmem.entity") == [("Owl",)]
    assert rows("SELECT pending_updates, lease_owner FROM agentmem.active_memory") == [(0, None)]
    [run] = await modelled.runs.alist("alice")
    assert run.report.failures == ["1 chunks were deleted meanwhile; what rested on them was left out"]
    assert "falcon" not in everything(rows).casefold()


async def test_a_run_goes_on_if_another_memory_loses_an_item(modelled: AgentMemory) -> None:
    store = AgentMemoryStore(modelled)
    await store.aput(NS, "a", {"content": "Falcon"})

    async def delete() -> None:
        await store.aput(("alice", "other"), "a", {"content": "Owl"})
        await store.adelete(("alice", "other"), "a")
        await store.adelete(NS, "missing")

    extractor = modelled.resources.extractor
    id = (await memory_of(store)).id
    modelled.resources.extractor = SimpleNamespace(
        extract=lambda chunks: _after(delete(), extractor.extract(chunks))  # type: ignore[union-attr, assignment]
    )
    assert (await modelled.aconsolidate("alice", id)).status == "applied"


async def _after(first: Any, then: Any) -> Any:
    await first
    return await then


async def test_deleting_during_a_promotion_leaves_nothing_behind(modelled: AgentMemory, rows: Rows) -> None:
    store = AgentMemoryStore(modelled)
    for i in range(4):
        await store.aput(NS, f"k{i}", {"content": f"Falcon{i} met Owl{i}."})
    await consolidate(store)
    id = (await memory_of(store)).id
    await asyncio.gather(
        modelled.apromote("alice", id, force=True),
        *(store.adelete(NS, f"k{i}") for i in range(4)),
        modelled.apromote("alice", id, force=True),
    )

    assert rows("SELECT count(*) FROM agentmem.entity") == rows("SELECT count(*) FROM agentmem.memory_chunk") == [(0,)]


async def test_two_deletes_of_what_supports_the_same_leave_nothing_behind(modelled: AgentMemory, rows: Rows) -> None:
    store = AgentMemoryStore(modelled)
    spaces = [("alice", name) for name in "abcd"]
    for space in spaces:
        await store.aput(space, "k", {"content": "Falcon met Owl."})
    for memory in await modelled.aget_active_memories("alice"):
        await modelled.aconsolidate("alice", memory.id)
        await modelled.apromote("alice", memory.id, force=True)
    stores = [AgentMemoryStore(modelled) for _ in spaces]
    await asyncio.gather(*(store.adelete(space, "k") for store, space in zip(stores, spaces, strict=True)))

    assert rows("SELECT count(*) FROM agentmem.entity") == [(0,)]


async def test_a_run_can_be_undone_after_another_item_was_deleted(memory: AgentMemory) -> None:
    store = AgentMemoryStore(memory)
    await store.aput(NS, "other", {"content": "An owl."})
    await consolidate(store)
    await store.aput(NS, "k", {"content": "Deadline: May 1"})
    await consolidate(store)
    await store.aput(NS, "k", {"content": "Deadline: June 1"})
    run = (await consolidate(store)).run_id
    await store.adelete(NS, "other")

    assert (await memory.runs.aundo("alice", run)).status == "undone"
    hits = {hit.content for hit in await memory.asearch("alice", "deadline")}
    assert hits == {"Deadline: May 1", "Deadline: June 1"}
