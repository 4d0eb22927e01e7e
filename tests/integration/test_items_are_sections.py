"""Items and sections are the same rows: what the store does, memory sees, and the other way round."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from consistency import caught_up
from fakes import ScriptedModel
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langgraph.store.base import GetOp, PutOp
from locks import until_waiting

from langgraph_agentmem import AgentMemory
from langgraph_agentmem.errors import RevisionConflictError
from langgraph_agentmem.operations.runs import claiming
from langgraph_agentmem.operations.sections import items
from langgraph_agentmem.policies.ownership import Ownership
from langgraph_agentmem.policies.thresholds import consolidation_threshold, is_due
from langgraph_agentmem.storage.driver.tenants import EVERYONE
from langgraph_agentmem.store import AgentMemoryStore

Rows = Callable[..., list[tuple[Any, ...]]]
Open = Callable[..., AgentMemory]
pytestmark = pytest.mark.usefixtures("consistent_afterwards")
NS = ("alice", "notes")


def names(name: str, data: dict[str, Any]) -> dict[str, Any]:
    """Every capitalised word is an entity; two in one chunk know each other."""
    found: dict[str, Any] = {"entities": [], "relationships": []}
    for chunk in data.get("chunks", ()) if name == "Extraction" else ():
        words = [word.strip(".,") for word in chunk["content"].split() if word[0].isupper()]
        found["entities"] += [
            {"name": word, "types": ["thing"], "description": f"about {word}", "chunk_ids": [chunk["id"]]}
            for word in words
        ]
        found["relationships"] += [
            {"source": a, "target": b, "types": ["knows"], "chunk_ids": [chunk["id"]]} for a, b in pairwise(words)
        ]
    return found


@pytest.fixture
def modelled(opened: Open) -> AgentMemory:
    """A memory whose model finds names."""
    return opened(model=ScriptedModel(answer=names))


async def memory_of(store: AgentMemoryStore, tenant: str = "alice") -> Any:
    [found] = await store.memory.aget_active_memories(tenant)
    return found


async def consolidate(store: AgentMemoryStore) -> Any:
    return await store.memory.aconsolidate("alice", (await memory_of(store)).id)


async def promote(store: AgentMemoryStore) -> Any:
    return await store.memory.apromote("alice", (await memory_of(store)).id, force=True)


def everything(rows: Rows) -> str:
    """All that the database holds, as text."""
    tables = rows("SELECT table_name FROM information_schema.tables WHERE table_schema = 'agentmem'")
    return json.dumps([rows(f"SELECT to_jsonb(t) FROM agentmem.{name} t") for (name,) in tables])


# The same rows


async def test_an_item_is_a_section_of_the_memory_of_its_namespace(store: AgentMemoryStore) -> None:
    await store.aput(("alice", "work", "plans"), "goal", {"content": "Ship it.", "n": 1})
    await store.aput(("alice", "work", "plans"), "goal", {"content": "Ship it now.", "n": 2})

    memory = await memory_of(store)
    assert (memory.title, memory.namespace, memory.section_count) == ("work/plans", ("alice", "work", "plans"), 1)
    section = memory.sections["goal"]
    assert (section.content, section.value, section.revision) == (
        "Ship it now.",
        {"content": "Ship it now.", "n": 2},
        2,
    )
    assert (section.update_count, section.total_updates, section.source) == (2, 2, "store")
    assert memory.consolidation_info.total_update_count == 2


async def test_a_section_is_an_item_under_its_memorys_namespace(store: AgentMemoryStore) -> None:
    memory = store.memory
    created = await memory.acreate_active_memory("alice", "Plan", {"sections": ["goal", "done"]}, {"goal": "Ship."})
    await memory.acreate_active_memory("alice", "Other", {"sections": ["x"]}, namespace=("alice", "deep", "er"))

    item = await store.aget(("alice", "Plan"), "goal")
    assert (item.value, item.revision) == ({"content": "Ship."}, 1)
    assert await store.alist_namespaces() == [("alice", "Plan"), ("alice", "deep", "er")]
    assert {item.key for item in await store.asearch(("alice", "Plan"))} == {"goal", "done"}

    await memory.aupdate_active_memory_section("alice", created.id, "goal", "Ship now.")
    item = await store.aget(("alice", "Plan"), "goal")
    assert (item.value, item.revision) == ({"content": "Ship now."}, 2)
    hit, *_ = await store.asearch(("alice",), query="ship")
    assert (hit.namespace, hit.key, hit.value) == (("alice", "Plan"), "goal", {"content": "Ship now."})


async def test_a_put_over_a_sections_template_keeps_its_place_title_and_description(store: AgentMemoryStore) -> None:
    template = {"sections": [{"id": "goal", "title": "The goal", "description": "What for"}, {"id": "done"}]}
    created = await store.memory.acreate_active_memory("alice", "Plan", template)

    await store.aput(("alice", "Plan"), "goal", {"content": "Ship."})
    await store.aput(("alice", "Plan"), "added", {"content": "More."})

    memory = await store.memory.aget_active_memory("alice", created.id)
    assert list(memory.sections) == ["goal", "done", "added"]
    goal = memory.sections["goal"]
    assert (goal.title, goal.description, goal.content, goal.revision) == ("The goal", "What for", "Ship.", 2)
    assert (memory.section_count, memory.consolidation_info.total_update_count) == (3, 2)


async def test_revisions_are_the_same_on_both_sides(store: AgentMemoryStore) -> None:
    await store.aput(NS, "k", {"content": "one"})
    id = (await memory_of(store)).id
    await store.memory.aupdate_active_memory_section("alice", id, "k", "two", expected_revision=1)

    with pytest.raises(RevisionConflictError):
        await store.aput_if(NS, "k", {"content": "three"}, 1)
    assert (await store.aput_if(NS, "k", {"content": "three"}, 2)).revision == 3
    with pytest.raises(RevisionConflictError):
        await store.memory.aupdate_active_memory_section("alice", id, "k", "four", expected_revision=2)


async def test_an_edit_keeps_what_else_the_value_holds_and_its_text_fields(store: AgentMemoryStore, rows: Rows) -> None:
    value = {"content": "The falcon nests.", "aside": "An owl hoots.", "deep": {"n": [1, 2.5, None]}}
    await store.aput(NS, "k", value, index=["content"])
    await store.memory.aupdate_active_memory_section("alice", (await memory_of(store)).id, "k", "rests", "nests")

    assert (await store.aget(NS, "k")).value == value | {"content": "The falcon rests."}
    assert rows("SELECT text_fields FROM agentmem.section") == [(["content"],)]
    assert rows("SELECT content FROM agentmem.memory_chunk WHERE current") == [("The falcon rests.",)]

    await store.aput(NS, "k", value)
    await caught_up(store.memory)
    assert rows("SELECT text_fields FROM agentmem.section") == [(None,)]
    assert rows("SELECT string_agg(content, '' ORDER BY chunk_order) FROM agentmem.memory_chunk WHERE current") == [
        ("An owl hoots.\nThe falcon nests.",)
    ]


# Counts, and when a memory is due


async def test_what_is_not_indexed_never_waits_for_consolidation(store: AgentMemoryStore, rows: Rows) -> None:
    for value in ("one", "two", "three"):
        await store.aput(NS, "quiet", {"content": value}, index=False)
    await store.aput(NS, "heard", {"content": "four"})

    assert rows("SELECT section_id, update_count, total_updates FROM agentmem.section ORDER BY 1") == [
        ("heard", 1, 1), ("quiet", 0, 3),
    ]  # fmt: skip
    assert rows("SELECT section_count, pending_updates FROM agentmem.active_memory") == [(2, 1)]
    await caught_up(store.memory)
    assert rows("SELECT content FROM agentmem.memory_chunk") == [("four",)]


@pytest.mark.parametrize("claimed", [False, True])
async def test_an_item_that_is_no_longer_indexed_has_no_present_chunks(
    store: AgentMemoryStore, rows: Rows, claimed: bool
) -> None:
    await store.aput(NS, "k", {"content": "a falcon"})
    if claimed:
        await consolidate(store)
    await store.aput(NS, "k", {"content": "a falcon"}, index=False)

    assert [hit.score for hit in await store.asearch(NS, query="falcon")] == [None]
    assert rows("SELECT current FROM agentmem.memory_chunk") == ([(False,)] if claimed else [])


@pytest.mark.parametrize(
    ("average", "most", "puts", "due"),
    [
        (2, 100, [("a", 1)], False),
        (2, 100, [("a", 2)], True),
        (2, 100, [("a", 2), ("b", 1), ("c", 1)], True),
        (2, 100, [("a", 1), ("b", 1), ("c", 3)], False),
        (2, 100, [("a", 1), ("b", 1), ("c", 4)], True),
        (5, 3, [("a", 1), ("b", 1)], False),
        (5, 3, [("a", 1), ("b", 1), ("c", 1)], True),
        (1.5, 100, [("a", 1)], False),
    ],
)
async def test_a_memory_is_due_from_the_threshold_on_and_stays_so(
    opened: Open, rows: Rows, average: float, most: int, puts: list[tuple[str, int]], due: bool
) -> None:
    memory = opened(settings={"avg_section_update_count": average, "max_pending_updates": most})
    store = AgentMemoryStore(memory)
    for key, times in puts:
        for n in range(times):
            await store.aput(NS, key, {"content": f"{n}"})

    assert rows("SELECT due_at <= now() FROM agentmem.active_memory") == [(due,)]
    assert [report.status for report in await memory.queue.arun_due()] == ["applied"] * due


async def test_the_formula_in_sql_is_that_of_the_policy(memory: AgentMemory, rows: Rows) -> None:
    await AgentMemoryStore(memory).aput(NS, "k", {"content": "x"})

    async def put(key: str, average: float, most: int) -> None:
        limits = {"avg_section_update_count": average, "max_pending_updates": most}
        settings = memory.settings.model_copy(update=limits)
        [item] = [items.checked(memory.resources, Ownership(), (NS, key), {"content": "x"}, None, None)]
        changed = replace(memory.resources, settings=settings)
        await items.write(connection, changed, Ownership(), [item], locked=False)

    drawn: list[tuple[int, int, float, int]] = []

    @settings(max_examples=40, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.tuples(st.integers(0, 60), st.integers(0, 12), st.floats(0.1, 9), st.integers(1, 50)))
    def draw(case: tuple[int, int, float, int]) -> None:
        drawn.append(case)

    draw()
    drawn += [
        (15, 3, 5.0, 100),
        (14, 3, 5.0, 100),
        (13, 3, 5.0, 100),
        (3, 0, 5.0, 100),
        (5, 0, 5.0, 100),
        (7, 3, 2.5, 100),
        (8, 3, 2.5, 100),
        (50, 12, 9.0, 50),
    ]
    async with memory.resources.database.transaction(EVERYONE) as connection:
        for pending, sections, average, most in drawn:
            await connection.execute(
                "UPDATE agentmem.active_memory SET due_at = NULL, pending_updates = %s, section_count = %s",
                [pending, sections],
            )
            new = pending % 2
            await put(f"{pending} {sections} {average} {most}" if new else "k", average, most)
            row = await (await connection.execute("SELECT * FROM agentmem.active_memory")).fetchone()
            assert (row["pending_updates"], row["section_count"]) == (pending + 1, sections + new)
            wanted = is_due(pending + 1, consolidation_threshold(average, sections + new, most))
            assert (row["due_at"] == row["updated_at"]) is wanted, (pending, sections, average, most)
            await connection.execute("DELETE FROM agentmem.memory_chunk WHERE section_id <> 'k'")
            await connection.execute("DELETE FROM agentmem.section WHERE section_id <> 'k'")
        await connection.execute(
            "UPDATE agentmem.active_memory SET section_count = 1, due_at = NULL, "
            "pending_updates = (SELECT update_count FROM agentmem.section)"
        )


async def test_deletes_take_their_pending_updates_along(store: AgentMemoryStore, rows: Rows) -> None:
    await store.abatch([PutOp(NS, key, {"content": key}) for key in "abc"])
    await store.aput(NS, "a", {"content": "again"})
    await store.abatch([PutOp(NS, "a", None), PutOp(NS, "missing", None), PutOp(("alice", "none"), "a", None)])

    assert rows("SELECT namespace[2], section_count, pending_updates FROM agentmem.active_memory") == [("notes", 2, 2)]


# Consolidation and promotion


async def test_consolidation_takes_items_as_sections_and_the_store_sees_nothing_of_it(
    store: AgentMemoryStore, rows: Rows
) -> None:
    await store.aput(NS, "a", {"title": "Falcon", "body": {"text": "It nests."}, "n": 7})
    await store.aput(NS, "b", {"content": "An owl.", "aside": "A lynx."}, index=["content"])
    await store.aput(NS, "c", {"content": "Unheard."}, index=False)
    before = await store.asearch(NS)

    report = await consolidate(store)

    assert (report.status, sorted(report.sections), report.updates_consumed) == ("applied", ["a", "b"], 2)
    [run] = await store.memory.runs.alist("alice")
    texts = {
        section["section_id"]: set(section["section_content"].splitlines()) for section in run.conflicts["sections"]
    }
    assert texts == {"a": {"Falcon", "It nests."}, "b": {"An owl."}}
    assert await store.asearch(NS) == before
    assert [item.revision for item in await store.asearch(NS)] == [1, 1, 1]
    assert rows("SELECT DISTINCT tier, current FROM agentmem.memory_chunk") == [("shortterm", True)]
    assert rows("SELECT pending_updates FROM agentmem.active_memory") == [(0,)]

    await promote(store)
    assert await store.asearch(NS) == before
    assert rows("SELECT DISTINCT tier, current FROM agentmem.memory_chunk") == [("longterm", True)]
    assert [(hit.key, hit.namespace) for hit in await store.asearch((), query="falcon") if hit.score] == [("a", NS)]


async def test_a_put_during_a_run_stays_pending_and_is_taken_by_the_next_one(modelled: AgentMemory, rows: Rows) -> None:
    store = AgentMemoryStore(modelled)
    await store.aput(NS, "a", {"content": "Falcon"})
    id = (await memory_of(store)).id

    async def answered() -> None:
        await store.aput(NS, "a", {"content": "Falcon and Owl"})

    await during_extraction(modelled, answered, store)
    assert rows("SELECT update_count FROM agentmem.section") == [(1,)]
    assert (await modelled.aconsolidate("alice", id)).updates_consumed == 1
    assert (await modelled.aget_entity("alice", "Owl")).tier == "shortterm"


async def during_extraction(memory: AgentMemory, happens: Callable[[], Any], store: AgentMemoryStore) -> Any:
    """Consolidate, while something happens as the model is asked."""
    extractor = memory.resources.extractor
    assert extractor is not None

    async def extract(chunks: Any) -> Any:
        await happens()
        return await extractor.extract(chunks)

    memory.resources.extractor = SimpleNamespace(extract=extract)  # type: ignore[assignment]
    try:
        return await consolidate(store)
    finally:
        memory.resources.extractor = extractor


# Deleting


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


# Expiry


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
