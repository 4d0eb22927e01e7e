"""The middleware in deepagents: the main agent has memory, and so has each sub-agent that is given it."""

from typing import Any

import pytest
from deepagents import create_deep_agent
from fakes import TurnsModel, calls
from langchain_core.messages import AIMessage
from recording import texts, user

from langgraph_agentmem import AgentMemory, AgentMemoryMiddleware

ALICE = {"configurable": {"user_id": "alice", "thread_id": "1"}}


@pytest.fixture
async def notes(memory: AgentMemory) -> int:
    """What was consolidated about a venue, and about a budget, and stands in no section."""
    made = await memory.acreate_active_memory("alice", "Notes", {"sections": ["now", "old"]}, {"now": "Ada leads."})
    old = "- The venue is the opera of Oslo.\n\n- The budget is 5000 euros."
    await memory.aupdate_active_memory_section("alice", made.id, "old", old)
    await memory.aconsolidate("alice", made.id)
    await memory.aupdate_active_memory_section("alice", made.id, "old", "")
    return made.id


def task(words: str) -> AIMessage:
    return calls(("task", {"description": words, "subagent_type": "scout"}))


async def test_main_and_sub_agents_recall_what_each_is_asked(memory: AgentMemory, notes: int) -> None:
    model = TurnsModel(turns=[task("Find out about the budget."), AIMessage("5000."), AIMessage("At the opera.")])
    scout: Any = {"name": "scout", "description": "Finds out.", "system_prompt": "You are a scout."}
    scout["middleware"] = [AgentMemoryMiddleware(memory, tools=False)]
    graph = create_deep_agent(model, middleware=[AgentMemoryMiddleware(memory, remember_turns=True)], subagents=[scout])

    state = await graph.ainvoke(user("What is the venue?"), ALICE)

    first, of_scout, last = model.prompts
    assert all("Ada leads." in "".join(texts(prompt, "system")) for prompt in model.prompts)
    assert "opera of Oslo" in texts(first, "human")[0]
    assert "5000 euros" in texts(of_scout, "human")[0]
    assert texts(last, "human") == texts(first, "human")
    assert texts(last, "system") == texts(first, "system")
    assert "memory_recall" not in state
    # what an agent asks its sub-agent, no user has said
    kept = [hit.content.strip() for hit in await memory.asearch("alice", "venue opera find out", tiers=["active"])]
    assert sorted(kept) == ["Assistant: At the opera.", "User: What is the venue?"]
