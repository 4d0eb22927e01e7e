"""What the store once did wrong."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from consistency import caught_up
from fakes import ScriptedModel, WordEmbedder
from langgraph.store.base import PutOp
from triggers import setups_counted

from langgraph_agentmem import AgentMemory, AgentMemorySettings
from langgraph_agentmem.errors import AgentMemoryError
from langgraph_agentmem.storage.driver.tenants import EVERYONE
from langgraph_agentmem.store import AgentMemoryStore

Rows = Callable[..., list[tuple[Any, ...]]]
Open = Callable[..., AgentMemory]
NS = ("alice", "notes")


async def consolidate(store: AgentMemoryStore) -> Any:
    [memory] = await store.memory.aget_active_memories("alice")
    return await store.memory.aconsolidate("alice", memory.id)


async def test_a_run_of_chunks_alone_can_be_undone_though_an_item_of_it_is_gone(memory: AgentMemory) -> None:
    store = AgentMemoryStore(memory)
    await store.aput(NS, "k", {"content": "Falcon"})
    run = (await consolidate(store)).run_id
    await store.adelete(NS, "k")

    assert (await memory.runs.aundo("alice", run)).status == "undone"


async def test_undoing_a_run_whose_entities_were_forgotten_says_that_it_cannot_be(opened: Open) -> None:
    def answer(name: str, data: dict[str, Any]) -> Any:
        found = [{"name": "Falcon", "chunk_ids": [chunk["id"]]} for chunk in data.get("chunks", ())]
        return {"entities": found} if name == "Extraction" else {}

    store = AgentMemoryStore(opened(model=ScriptedModel(answer=answer)))
    for key in ("secret", "open"):
        await store.aput(NS, key, {"content": f"The falcon is {key}."})
        run = (await consolidate(store)).run_id
    await store.adelete(NS, "secret")

    with pytest.raises(AgentMemoryError, match="cannot be undone any more"):
        await store.memory.runs.aundo("alice", run)


async def test_a_run_that_made_up_for_another_ones_failed_extraction_forgets_the_item_too(
    opened: Open, rows: Rows
) -> None:
    failing = [True]

    def answer(name: str, data: dict[str, Any]) -> Any:
        if failing[0]:
            raise RuntimeError("overloaded")
        found = [c for c in data.get("chunks", ()) if "Falcon" in c["content"]] if name == "Extraction" else []
        return {"entities": [{"name": "Falcon", "types": ["bird"], "chunk_ids": [c["id"]]} for c in found]}

    store = AgentMemoryStore(opened(model=ScriptedModel(answer=answer), settings={"model_attempts": 1}))
    await store.aput(NS, "secret", {"content": "Falcon"})
    await consolidate(store)
    failing[0] = False
    await store.aput(NS, "open", {"content": "owl"})
    assert (await consolidate(store)).entities_created == 1
    await store.adelete(NS, "secret")

    assert rows("SELECT count(*) FROM agentmem.consolidation_run r WHERE to_jsonb(r)::text ~ 'Falcon'") == [(0,)]


class Birds(WordEmbedder):
    """Takes birds and questions for nearly the same."""

    def _vector(self, text: str) -> list[float]:
        return [1.0, len(text) / 100] if text.startswith(("bird", "question")) else [0.3, 1.0]


async def test_the_best_come_first_over_all_tenants(dsn: str) -> None:
    async with AgentMemoryStore.from_conn_string(dsn, index={"embed": Birds(2), "dims": 2}) as store:
        await store.abatch([PutOp(("alice", "notes"), f"k{i}", {"text": "bird" * (i + 1)}) for i in range(60)])
        await store.abatch([PutOp(("bob", "notes"), f"k{i}", {"text": f"stone {i}"}) for i in range(5)])
        hits = await store.asearch((), query="question", limit=100)

    assert len(hits) == 65
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


async def test_callers_that_come_at_once_to_a_new_store_set_it_up_once(empty_dsn: str) -> None:
    setups = setups_counted(empty_dsn)
    index = {"embed": WordEmbedder(), "dims": 64}
    store = AgentMemoryStore.from_conn_string(empty_dsn, index=index, pool_config={"max_size": 1})
    await asyncio.gather(*(store.aput(NS, f"k{i}", {"text": "falcon"}) for i in range(12)))
    await store.aclose()

    assert setups() == 1, "each opens a connection besides the pool's, and many are more than the server has"


async def test_an_edit_of_an_item_keeps_the_order_of_its_texts(memory: AgentMemory, rows: Rows) -> None:
    store = AgentMemoryStore(memory)
    await store.aput(NS, "k", {"summary": "The falcon nests.", "content": "The owl rests."})
    await consolidate(store)
    [active] = await memory.aget_active_memories("alice")
    await memory.aupdate_active_memory_section("alice", active.id, "k", "The owl hoots.")

    chunks = rows("SELECT string_agg(content, '' ORDER BY chunk_order) FROM agentmem.memory_chunk WHERE current")
    assert chunks == [("The owl hoots.\nThe falcon nests.",)], (
        "in the order in which PostgreSQL keeps equally long keys"
    )


async def test_the_next_call_works_though_all_connections_of_a_well_used_pool_have_died(dsn: str, rows: Rows) -> None:
    settings = AgentMemorySettings(connect_timeout_seconds=3)  # with the default of 15, seven dead ones are too many
    async with AgentMemoryStore.from_conn_string(dsn, settings=settings) as store:
        await store.aput(NS, "k", {"text": "falcon"})
        async with AsyncExitStack() as stack:
            for _ in range(9):
                await stack.enter_async_context(store.memory.resources.database.connection(EVERYONE))
        killed = rows(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        assert len(killed) == 9

        assert await store.aget(NS, "k") is not None


async def test_a_memory_that_a_store_has_made_takes_a_template_on(memory: AgentMemory, rows: Rows) -> None:
    store = AgentMemoryStore(memory)
    await store.aput(("alice", "project"), "plan", {"content": "Ship in May."})
    template = {"sections": [{"id": "plan", "content": "nothing yet"}, {"id": "team", "content": "Ada"}]}

    for _ in range(2):
        made = await memory.acreate_active_memory("alice", "project", template, exist_ok=True)
        assert {id: section.content for id, section in made.sections.items()} == {"plan": "Ship in May.", "team": "Ada"}
        assert (made.section_count, made.consolidation_info.total_update_count) == (2, 1)
    await caught_up(memory)
    assert rows("SELECT section_id, content FROM agentmem.memory_chunk ORDER BY 1") == [
        ("plan", "Ship in May."), ("team", "Ada"),
    ]  # fmt: skip
    await memory.aupdate_active_memory_section("alice", made.id, "team", "Ada and Bob")


@pytest.mark.parametrize("owner", [0, 1, 2, 3])
async def test_memories_made_without_the_store_are_seen_by_it_whichever_label_is_the_tenant(
    dsn: str, owner: int
) -> None:
    async with AgentMemoryStore.from_conn_string(dsn, owner=owner) as store:
        made = await store.memory.acreate_active_memory("alice", "project", {"sections": ["plan"]})
        assert made.namespace[owner] == "alice"
        assert await store.alist_namespaces() == [made.namespace]
        assert (await store.aget(made.namespace, "plan")).value == {"content": ""}


async def test_a_store_that_is_opened_with_fields_searches_those_alone(dsn: str) -> None:
    async with AgentMemoryStore.from_conn_string(dsn, fields=["text"]) as store:
        await store.aput(("alice", "notes"), "1", {"text": "green tea", "note": "harbour"})

        [found] = await store.asearch(("alice",), query="tea")
        [besides] = await store.asearch(("alice",), query="harbour")

    assert (found.score or 0) > 0
    assert besides.score == 0
