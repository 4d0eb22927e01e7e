"""A tenant's memory as LangChain's retriever."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from langchain_core.runnables import RunnableLambda
from langchain_tests.integration_tests import RetrieversIntegrationTests
from reviewing import NEW, OLD, cycle, project

from langgraph_agentmem import AgentMemory, AgentMemoryRetriever
from langgraph_agentmem.errors import InvalidInputError, OutageError, SyncCallError

FACTS = "\n".join(f"- Ada has fact {n}." for n in range(8))


class TestLangChainsOwnTests(RetrieversIntegrationTests):
    @pytest.fixture(autouse=True)
    def written(self, dsn: str) -> Iterator[None]:
        with AgentMemory.open(dsn) as memory:
            memory.create_active_memory("alice", "Notes", {"sections": ["facts"]}, {"facts": FACTS})
            self.memory = memory
            yield

    @property
    def retriever_constructor(self) -> type[AgentMemoryRetriever]:
        return AgentMemoryRetriever

    @property
    def retriever_constructor_params(self) -> dict[str, Any]:
        return {"memory": self.memory, "external_id": "alice"}

    @property
    def retriever_query_example(self) -> str:
        return "Ada"


async def test_a_document_says_where_it_comes_from_and_how_far_it_holds(memory: AgentMemory) -> None:
    made = await project(memory, f"## Dates\n- {OLD}")

    [document] = await memory.as_retriever("alice").ainvoke("deadline")

    [hit] = await memory.asearch("alice", "deadline")
    assert (document.page_content, document.id) == (hit.content, str(hit.chunk_id))
    assert document.metadata == {
        "chunk_id": hit.chunk_id, "tier": "shortterm", "memory_id": made.id, "memory_title": "Project",
        "section_id": "notes", "headings": ["Dates"], "current": True, "source": "ada", "score": hit.score,
        "start_date": hit.start_date.isoformat().replace("+00:00", "Z"), "end_date": None, "rerank_score": None,
        "entities": [], "disputed": False, "unclear_with": [],
    }  # fmt: skip


async def test_it_finds_nothing_of_other_tenants_tiers_memories_and_times(memory: AgentMemory) -> None:
    made = await project(memory, f"- {OLD}")
    before = datetime.now(UTC)
    await cycle(memory, made, f"- {NEW}")
    await memory.acreate_active_memory("bob", "Project", {"sections": ["notes"]}, {"notes": "- Deadline: never"})

    async def found(tenant: str = "alice", **options: Any) -> list[str]:
        return [document.page_content for document in await memory.as_retriever(tenant, **options).ainvoke("deadline")]

    assert await found() == [f"- {NEW}"]
    assert await found(as_of=before) == [f"- {OLD}"]
    assert await found(tiers=["longterm"]) == []
    assert await found(memory_ids=[made.id + 1]) == []
    assert await found("bob") == ["- Deadline: never"]
    assert await found("carol") == []


def test_it_is_a_part_of_chains_and_what_it_shows_of_itself_quotes_no_memory(dsn: str) -> None:
    with AgentMemory.open(dsn) as memory:
        memory.create_active_memory("alice", "Notes", {"sections": ["facts"]}, {"facts": FACTS})
        retriever = memory.as_retriever("alice", k=2)

        assert (retriever | RunnableLambda(len)).invoke("Ada") == 2
        assert [len(found) for found in retriever.batch(["Ada", "fact"])] == [2, 2]
        assert "memory=" not in repr(retriever)


async def test_on_a_running_loop_it_is_awaited(memory: AgentMemory) -> None:
    with pytest.raises(SyncCallError, match=r"invoke\(\) would block the running event loop; use `await .*ainvoke"):
        memory.as_retriever("alice").invoke("Ada")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"external_id": " "}, "external_id must not be empty"),
        ({"k": 0}, "k must be an integer of at least 1, not 0"),
        ({"k": "3"}, "k must be an integer of at least 1, not '3'"),
        ({"tiers": ["old"]}, "tiers must be a non-empty list"),
        ({"memory_ids": 7}, "memory_ids must be a list of memory ids, not 7"),
        ({"as_of": "today"}, "as_of must be a datetime with a time zone, not 'today'"),
    ],
)
def test_what_cannot_be_accepted_is_refused_when_it_is_made(arguments: dict[str, Any], problem: str) -> None:
    memory = AgentMemory.open("postgresql://nowhere")

    with pytest.raises(InvalidInputError, match=problem):
        memory.as_retriever(**{"external_id": "alice"} | arguments)


async def test_a_call_is_checked_as_well(memory: AgentMemory) -> None:
    retriever = memory.as_retriever("alice")

    with pytest.raises(InvalidInputError, match="k must be an integer of at least 1, not 0"):
        await retriever.ainvoke("Ada", k=0)
    with pytest.raises(InvalidInputError, match="query must not be empty"):
        await retriever.ainvoke(" ")


async def test_a_database_that_fails_is_an_error_and_no_empty_list() -> None:
    with pytest.raises(OutageError):
        await AgentMemory.open("postgresql://127.0.0.1:1/x").as_retriever("alice").ainvoke("Ada")
