"""Undoing a consolidation."""

from collections.abc import Callable

import pytest
from fakes import ScriptedModel

from langgraph_agentmem import ActiveMemory, AgentMemory
from langgraph_agentmem.errors import InvalidInputError, UndoConflictError

Rows = Callable[..., list[tuple[object, ...]]]


async def cycle(memory: AgentMemory, project: ActiveMemory, content: str) -> str:
    await memory.aupdate_active_memory_section("alice", project.id, "notes", content)
    report = await memory.aconsolidate("alice", project.id)
    assert report.run_id is not None
    return report.run_id


async def valid(memory: AgentMemory, query: str) -> set[str]:
    return {hit.content for hit in await memory.asearch("alice", query, limit=50)}


async def test_undo_makes_superseded_chunks_valid_again(memory: AgentMemory) -> None:
    created = await memory.acreate_active_memory("alice", "Project", {"sections": ["notes"]})
    await cycle(memory, created, "Deadline: May 1")
    run = await cycle(memory, created, "Deadline: June 1")
    undone = await memory.runs.aundo("alice", run)
    assert undone.status == "undone"
    assert await valid(memory, "deadline") == {"Deadline: May 1", "Deadline: June 1"}
    assert await memory.runs.aundo("alice", run) == undone


async def test_undo_ends_the_leftover_that_the_run_wrote(memory: AgentMemory) -> None:
    created = await memory.acreate_active_memory("alice", "Project", {"sections": ["notes"]})
    await cycle(memory, created, "Budget: 5000. The falcon nests.")
    run = await cycle(memory, created, "Budget: 6000.")
    await memory.runs.aundo("alice", run)
    assert await valid(memory, "budget falcon") == {"Budget: 5000. The falcon nests.", "Budget: 6000."}


async def test_undo_refuses_and_names_later_runs_that_changed_the_same(memory: AgentMemory) -> None:
    created = await memory.acreate_active_memory("alice", "Project", {"sections": ["notes"]})
    await cycle(memory, created, "Budget: 5000. The falcon's height: 20.")
    second = await cycle(memory, created, "Budget: 6000.")  # writes the leftover about the falcon
    third = await cycle(memory, created, "Budget: 6000. The falcon's height: 30.")  # supersedes it
    with pytest.raises(UndoConflictError, match=third) as caught:
        await memory.runs.aundo("alice", second)
    assert caught.value.run_ids == [third]
    await memory.runs.aundo("alice", third)
    await memory.runs.aundo("alice", second)


async def test_only_applied_runs_can_be_undone(memory: AgentMemory, rows: Rows) -> None:
    created = await memory.acreate_active_memory("alice", "Project", {"sections": ["notes"]})
    run = await cycle(memory, created, "x")
    rows("UPDATE agentmem.consolidation_run SET status = 'failed'")
    with pytest.raises(InvalidInputError, match="failed"):
        await memory.runs.aundo("alice", run)


def mercury(name: str, data: dict[str, object]) -> dict[str, object]:
    """Extracts Mercury from every chunk, as what the chunk calls it."""
    assert name == "Extraction"
    [chunk] = data["chunks"]
    type_ = "planet" if "planet" in chunk["content"] else "rock"
    entity = {
        "name": "Mercury",
        "types": ["body", type_],
        "description": type_,
        "confidence": 0.5,
        "chunk_ids": [chunk["id"]],
    }
    sun = {"name": "Sun", "types": ["star"], "chunk_ids": [chunk["id"]]}
    orbits = {
        "source": "Mercury",
        "target": "Sun",
        "types": ["orbits"],
        "description": type_,
        "chunk_ids": [chunk["id"]],
    }
    return {"entities": [entity, sun], "relationships": [orbits]}


async def test_undo_parts_entities_and_relationships_that_were_merged(
    opened: Callable[..., AgentMemory], rows: Rows
) -> None:
    memory = opened(model=ScriptedModel(answer=mercury), settings={"entity_overlap_threshold": 0.5})
    created = await memory.acreate_active_memory("alice", "Project", {"sections": ["notes"]})
    await cycle(memory, created, "Mercury is a planet.")
    second = await cycle(memory, created, "Quicksilver looks like a rock to me.")
    assert (await memory.aget_entity("alice", "mercury")).types == ["body", "planet", "rock"]
    await memory.runs.aundo("alice", second)
    found = rows("SELECT types, description FROM agentmem.entity WHERE name = 'Mercury' ORDER BY id")
    assert found == [(["body", "planet"], "planet"), (["body", "rock"], "rock")]
    assert rows("SELECT description FROM agentmem.relationship ORDER BY id") == [("planet",), ("rock",)]
    supported = rows(
        "SELECT e.description, c.content FROM agentmem.entity e JOIN agentmem.mention m ON m.entity_id = e.id "
        "JOIN agentmem.memory_chunk c ON c.id = m.chunk_id WHERE e.name = 'Mercury' ORDER BY e.id"
    )
    assert supported == [("planet", "Mercury is a planet."), ("rock", "Quicksilver looks like a rock to me.")]


async def test_undo_refuses_where_a_later_run_merged_into_the_same_entity(opened: Callable[..., AgentMemory]) -> None:
    memory = opened(model=ScriptedModel(answer=mercury), settings={"entity_overlap_threshold": 0.5})
    created = await memory.acreate_active_memory("alice", "Project", {"sections": ["notes"]})
    await cycle(memory, created, "Mercury is a planet.")
    second = await cycle(memory, created, "Quicksilver looks like a rock to me.")
    third = await cycle(memory, created, "Somebody saw a planet tonight.")
    with pytest.raises(UndoConflictError) as caught:
        await memory.runs.aundo("alice", second)
    assert caught.value.run_ids == [third]
