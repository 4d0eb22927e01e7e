"""Promotion: every chunk goes along, entities and relationships are merged with their history, once."""

import asyncio
import re
from collections.abc import Callable
from typing import Any

import pytest
from fakes import ScriptedModel
from triggers import PROMOTED, out_of_luck

from langgraph_agentmem import ActiveMemory, AgentMemory
from langgraph_agentmem.errors import StorageError

Rows = Callable[..., list[tuple[object, ...]]]
Open = Callable[..., AgentMemory]


def marked(name: str, data: dict[str, Any]) -> dict[str, Any]:
    """Entities are written `Name/type/confidence`, relationships `A>B/type/confidence/strength`."""
    if name != "Extraction":
        return {}
    entities, relationships = [], []
    for chunk in data["chunks"]:
        for entity, type_, confidence in re.findall(r"(\w+)/(\w+)/([\d.]+\d)(?![\d/])", chunk["content"]):
            if ">" not in entity:
                entities.append(
                    {"name": entity, "types": [type_], "confidence": float(confidence), "chunk_ids": [chunk["id"]]}
                )
        for a, b, type_, confidence, strength in re.findall(r"(\w+)>(\w+)/(\w+)/([\d.]+)/([\d.]+\d)", chunk["content"]):
            relationships.append(
                {"source": a, "target": b, "types": [type_], "confidence": float(confidence), "strength": float(strength),
                 "chunk_ids": [chunk["id"]]}
            )  # fmt: skip
    return {"entities": entities, "relationships": relationships}


async def cycle(memory: AgentMemory, project: ActiveMemory, content: str) -> Any:
    await memory.aupdate_active_memory_section(project.external_id, project.id, "notes", content)
    return await memory.aconsolidate(project.external_id, project.id)


async def start(memory: AgentMemory, title: str = "Project") -> ActiveMemory:
    return await memory.acreate_active_memory("alice", title, {"sections": ["notes"]})


async def test_promotion_comes_with_the_last_consolidation_that_is_needed(opened: Open) -> None:
    memory = opened(settings={"shortterm_update_threshold": 3})
    project = await start(memory)
    statuses = [(await cycle(memory, project, f"- Fact {i}.")).promotion.status for i in range(4)]
    assert statuses == ["not_due", "not_due", "promoted", "not_due"]


async def test_every_chunk_goes_along_superseded_ones_too(memory: AgentMemory, rows: Rows) -> None:
    project = await start(memory)
    await cycle(memory, project, "Deadline: May 1")
    await cycle(memory, project, "Deadline: June 1")
    intervals = rows("SELECT id, start_date, end_date, superseded_by FROM agentmem.memory_chunk ORDER BY id")
    report = await memory.apromote("alice", project.id, force=True)
    assert report.chunks_added == 2
    assert (
        rows("SELECT id, start_date, end_date, superseded_by FROM agentmem.longterm_memory_chunk ORDER BY id")
        == intervals
    )
    assert [h.tier for h in await memory.aretrieve_memories("alice", "deadline", search_shortterm=False)] == [
        "longterm"
    ]


async def test_entities_are_merged_by_name_with_the_weighted_confidence_and_their_history(opened: Open) -> None:
    memory = opened(model=ScriptedModel(answer=marked))
    first, second = await start(memory, "First"), await start(memory, "Second")
    await cycle(memory, first, "Mercury/planet/0.90 and Sun/star/0.50 Mercury>Sun/orbits/0.80/0.40")
    one = await memory.apromote("alice", first.id, force=True)
    await cycle(memory, second, "MERCURY/rock/0.40 and Sun/star/0.50 MERCURY>Sun/circles/0.40/0.90")
    two = await memory.apromote("alice", second.id, force=True)
    assert (one.entities_added, one.entities_modified, one.relationships_added) == (2, 0, 1)
    assert (two.entities_added, two.entities_modified, two.relationships_added, two.relationships_modified) == (
        0,
        1,
        0,
        1,
    )
    mercury = await memory.aget_entity("alice", "mercury")
    assert (mercury.tier, mercury.name, mercury.types) == ("longterm", "Mercury", ["planet", "rock"])
    assert mercury.confidence == pytest.approx(0.6 * 0.9 + 0.4 * 0.4)
    created, changed = mercury.state_history
    assert mercury.metadata["state_history"] == [created, changed]
    assert created.pop("timestamp") < changed.pop("timestamp")
    assert created == {
        "source": "shortterm_promotion", "shortterm_memory_id": one.shortterm_memory_id, "action": "created",
        "types": ["planet"], "confidence": 0.9,
    }  # fmt: skip
    assert changed == {
        "source": "shortterm_promotion", "shortterm_memory_id": two.shortterm_memory_id,
        "old_types": ["planet"], "new_types": ["planet", "rock"],
        "old_confidence": 0.9, "new_confidence": pytest.approx(0.7),
    }  # fmt: skip
    [orbit] = mercury.relationships
    assert orbit.types == ["orbits", "circles"]
    assert orbit.confidence == pytest.approx(0.6 * 0.8 + 0.4 * 0.4)
    assert orbit.strength == pytest.approx(0.6 * 0.9 + 0.4 * 0.4)
    assert orbit.state_history[-1].keys() >= {"old_strength", "new_strength", "old_types", "new_confidence"}


async def test_the_promotion_history_tells_the_numbers_moved(memory: AgentMemory, rows: Rows) -> None:
    project = await start(memory)
    await cycle(memory, project, "- One.\n- Two.")
    await memory.apromote("alice", project.id, force=True)
    [[count, history]] = rows("SELECT update_count, metadata -> 'promotion_history' FROM agentmem.shortterm_memory")
    assert count == 0
    [entry] = history
    entry.pop("date")
    assert entry == {
        "chunks_added": 2, "entities_added": 0, "entities_modified": 0, "relationships_added": 0, "relationships_modified": 0,
    }  # fmt: skip


SNAPSHOT = """SELECT (SELECT jsonb_agg(t ORDER BY id) FROM agentmem.memory_chunk t),
    (SELECT jsonb_agg(t ORDER BY id) FROM agentmem.entity t), (SELECT jsonb_agg(t ORDER BY id) FROM agentmem.relationship t),
    (SELECT jsonb_agg(t ORDER BY id) FROM agentmem.state_history t), (SELECT jsonb_agg(t ORDER BY id) FROM agentmem.shortterm_memory t),
    (SELECT jsonb_agg(t ORDER BY chunk_id, entity_id, relationship_id) FROM agentmem.mention t)"""


async def test_promoting_twice_changes_nothing(opened: Open, rows: Rows) -> None:
    memory = opened(model=ScriptedModel(answer=marked))
    project = await start(memory)
    await cycle(memory, project, "Mercury/planet/0.90 and Sun/star/0.50 Mercury>Sun/orbits/0.80/0.40")
    await memory.apromote("alice", project.id, force=True)
    before = rows(SNAPSHOT)
    assert (await memory.apromote("alice", project.id)).status == "nothing"
    assert rows(SNAPSHOT) == before
    assert (await memory.apromote("alice", project.id, force=True)).status == "nothing"
    after = rows("SELECT (SELECT count(*) FROM agentmem.state_history), (SELECT sum(revision) FROM agentmem.entity)")
    assert after == [(6, 4)]


async def test_a_promotion_that_fails_in_the_middle_leaves_no_trace(opened: Open, rows: Rows) -> None:
    memory = opened(model=ScriptedModel(answer=marked))
    project = await start(memory)
    await cycle(memory, project, "Mercury/planet/0.90 and Sun/star/0.50 Mercury>Sun/orbits/0.80/0.40")
    before = rows(SNAPSHOT)
    with out_of_luck(rows, *PROMOTED), pytest.raises(StorageError, match="out of luck"):
        await memory.apromote("alice", project.id, force=True)
    assert rows(SNAPSHOT) == before
    assert (await memory.apromote("alice", project.id, force=True)).entities_added == 2


async def test_promotions_of_one_tenant_at_once_merge_into_the_same_entities(opened: Open, rows: Rows) -> None:
    memory = opened(model=ScriptedModel(answer=marked))
    projects = [await start(memory, f"P{i}") for i in range(6)]
    for i, project in enumerate(projects):
        await cycle(memory, project, f"Mercury/kind{i}/0.50 and Sun/star/0.50 Mercury>Sun/orbits/0.50/0.50")
    await asyncio.gather(*(memory.apromote("alice", project.id, force=True) for project in projects))
    assert rows("SELECT count(*) FROM agentmem.longterm_entity") == [(2,)]
    assert rows("SELECT count(*) FROM agentmem.longterm_relationship") == [(1,)]
    assert sorted((await memory.aget_entity("alice", "Mercury")).types) == [f"kind{i}" for i in range(6)]


async def test_a_current_long_term_chunk_is_confirmed_by_the_next_promotion(memory: AgentMemory, rows: Rows) -> None:
    project = await start(memory)
    await cycle(memory, project, "- One.")
    await memory.apromote("alice", project.id, force=True)
    [[before]] = rows("SELECT last_updated FROM agentmem.memory_chunk")
    await cycle(memory, project, "- One.\n- Two.")
    await memory.apromote("alice", project.id, force=True)
    [[after]] = rows("SELECT last_updated FROM agentmem.memory_chunk WHERE content LIKE '- One%%'")
    assert after > before


async def test_forgetting_one_memory_keeps_what_another_supports(opened: Open, rows: Rows) -> None:
    memory = opened(model=ScriptedModel(answer=marked))
    first, second = await start(memory, "First"), await start(memory, "Second")
    await cycle(memory, first, "Mercury/planet/0.90 and Sun/star/0.50 Mercury>Sun/orbits/0.80/0.40")
    await cycle(memory, second, "Mercury/planet/0.40 and Venus/planet/0.40")
    for project in (first, second):
        await memory.apromote("alice", project.id, force=True)
    await memory.adelete_active_memory("alice", first.id, forget=True)
    left = rows("SELECT tier, name FROM agentmem.entity ORDER BY tier, name")
    assert left == [("longterm", "Mercury"), ("longterm", "Venus"), ("shortterm", "Mercury"), ("shortterm", "Venus")]
    assert rows("SELECT count(*) FROM agentmem.relationship") == [(0,)]
    deleted = rows(
        "SELECT kind, count(*)::int FROM agentmem.graph_outbox WHERE operation = 'delete' GROUP BY kind ORDER BY kind"
    )
    assert deleted == [("chunk", 1), ("entity", 3), ("relationship", 2)]
