"""What a memory tells of its chunks: what was remembered when, by whom, and until when."""

import pytest
from reviewing import cycle, project

from langgraph_agentmem import AgentMemory
from langgraph_agentmem.errors import InvalidInputError, MemoryNotFoundError


async def test_what_was_replaced_is_told_with_what_took_its_place(memory: AgentMemory) -> None:
    made = await project(memory, "Deadline: May 1")
    report = await cycle(memory, made, "Deadline: June 1")
    new, old = await memory.ahistory("alice", made.id, "notes")
    assert (old.content, old.current, old.superseded_by) == ("Deadline: May 1", False, new.chunk_id)
    assert old.end_date is not None
    assert (new.content, new.current, new.end_date, new.run_id, new.source) == (
        "Deadline: June 1",
        True,
        None,
        report.run_id,
        "ada",
    )


async def test_it_is_of_one_section_of_a_closed_memory_too_and_only_the_newest(memory: AgentMemory) -> None:
    made = await project(memory, "Deadline: May 1", "team")
    await cycle(memory, made, "Ada is away.", "team")
    await memory.adelete_active_memory("alice", made.id)
    assert {chunk.section_id for chunk in await memory.ahistory("alice", made.id)} == {"notes", "team"}
    assert [chunk.section_id for chunk in await memory.ahistory("alice", made.id, limit=1)] == ["team"]
    assert [chunk.content for chunk in await memory.ahistory("alice", made.id, "notes")] == ["Deadline: May 1"]


async def test_another_tenants_memory_is_unknown_and_an_empty_one_has_nothing_to_tell(memory: AgentMemory) -> None:
    made = await project(memory)
    assert await memory.ahistory("alice", made.id) == []
    with pytest.raises(MemoryNotFoundError, match="'bob' has no memory"):
        await memory.ahistory("bob", made.id)
    with pytest.raises(InvalidInputError, match="limit"):
        await memory.ahistory("alice", made.id, limit=0)
