"""Items and sections are the same rows: what the store does, memory sees, and the other way round."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from consistency import caught_up
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langgraph.store.base import PutOp
from store_and_memory import consolidate, during_extraction, memory_of, promote

from langgraph_agentmem import AgentMemory
from langgraph_agentmem.errors import RevisionConflictError
from langgraph_agentmem.operations.sections import items
from langgraph_agentmem.policies.ownership import Ownership
from langgraph_agentmem.policies.thresholds import consolidation_threshold, is_due
from langgraph_agentmem.store import AgentMemoryStore

Rows = Callable[..., list[tuple[Any, ...]]]
Open = Callable[..., AgentMemory]
pytestmark = pytest.mark.usefixtures("consistent_afterwards")
NS = ("alice", "notes")


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

    with pytest.raises(RevisionConflictError) as late:
        await store.aput_if(NS, "k", {"content": "three"}, 1)
    assert (late.value.expected, late.value.revision, late.value.content) == (1, 2, "two")
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

    @settings(max_examples=40, database=None, suppress_health_check=list(HealthCheck))
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
    async with memory.resources.database.transaction("alice") as connection:
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
