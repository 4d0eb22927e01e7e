"""A store that takes another label for the tenant than the one by which everything was written says so."""

import logging

import pytest

from langgraph_agentmem import AgentMemory, AgentMemoryStore

NOTES = ("memories", "alice", "notes")


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if "another owner" in record.getMessage()]


async def test_a_read_that_finds_nothing_says_which_owner_would(
    memory: AgentMemory, caplog: pytest.LogCaptureFixture
) -> None:
    await AgentMemoryStore(memory).aput(NOTES, "tea", {"text": "Green tea."})
    store = AgentMemoryStore(memory, owner=1)

    with caplog.at_level(logging.WARNING):
        assert await store.aget(NOTES, "tea") is None
        assert await store.asearch(NOTES, query="tea") == []

    [message] = said(caplog)
    assert "the label at 1" in message
    assert "at 0; open it with owner=0" in message
    assert "alice" not in message, "whose data they are is nobody else's business"


@pytest.mark.parametrize("owner", [0, 1])
async def test_the_right_owner_is_told_nothing(
    memory: AgentMemory, caplog: pytest.LogCaptureFixture, owner: int
) -> None:
    store = AgentMemoryStore(memory, owner=owner)
    await store.aput(NOTES, "tea", {"text": "Green tea."})
    await memory.acreate_active_memory("alice", "Plan", {"sections": ["a"]})

    assert await AgentMemoryStore(memory, owner=owner).aget(NOTES, "coffee") is None
    assert await AgentMemoryStore(memory, owner=owner).asearch(("bob",)) == []

    assert said(caplog) == []


async def test_nothing_stored_is_no_other_owner(memory: AgentMemory, caplog: pytest.LogCaptureFixture) -> None:
    assert await AgentMemoryStore(memory, owner=2).aget(NOTES, "tea") is None

    assert said(caplog) == []
