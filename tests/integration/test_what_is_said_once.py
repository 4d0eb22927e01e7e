"""What would stay without effect, or go where nobody looks, is said, once."""

import logging
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from langgraph.graph import START, StateGraph
from typing_extensions import TypedDict

from langgraph_agentmem import AgentMemorySaver, AgentMemoryStore, MemorySection

WARNING = logging.WARNING


class Marked(TypedDict, total=False):
    progress: Annotated[str, MemorySection("How far it is, said to nobody")]


def warnings(caplog: pytest.LogCaptureFixture, said: str) -> list[str]:
    return [record.message for record in caplog.records if record.levelno == WARNING and said in record.message]


async def test_marks_that_no_checkpointer_was_told_of(
    opened_savers: Callable[..., AgentMemorySaver], caplog: pytest.LogCaptureFixture
) -> None:
    def work(state: Marked) -> Marked:
        return {"progress": "Begun."}

    graph = StateGraph(Marked).add_node(work).add_edge(START, "work")
    untold: Any = graph.compile(opened_savers())
    for thread in "12":
        await untold.ainvoke({}, {"configurable": {"thread_id": thread, "user_id": "alice"}})
    assert len(warnings(caplog, "state_schema")) == 1
    caplog.clear()
    told: Any = graph.compile(opened_savers(state_schema=Marked))
    await told.ainvoke({}, {"configurable": {"thread_id": "3", "user_id": "alice"}})
    assert warnings(caplog, "state_schema") == []


async def test_namespaces_of_langmem_that_make_all_users_one_tenant(
    opened_stores: Callable[..., AgentMemoryStore], caplog: pytest.LogCaptureFixture
) -> None:
    await opened_stores(owner=1).aput(("memories", "alice"), "1", {"text": "a fox"})
    assert warnings(caplog, "AGENTMEM_STORE_OWNER=1") == []
    for user in ("alice", "bob"):
        await opened_stores().aput(("memories", user), "1", {"text": "a fox"})
    assert len(warnings(caplog, "AGENTMEM_STORE_OWNER=1")) <= 1
