"""What happens in unusual orders: threads used again, dead claims, text that goes back and forth, late undo."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from fakes import ScriptedModel, WordEmbedder
from langgraph.checkpoint.memory import InMemorySaver

from langgraph_agentmem import ActiveMemory, AgentMemory, create_consolidation_graph
from langgraph_agentmem.errors import (
    EmbeddingMismatchError,
    EntityNotFoundError,
    InvalidInputError,
    MemoryBusyError,
    MemoryNotFoundError,
    RunsFailedError,
)
from langgraph_agentmem.operations.runs import claiming

Rows = Callable[..., list[tuple[object, ...]]]
Open = Callable[..., AgentMemory]


async def start(memory: AgentMemory, title: str = "Project") -> ActiveMemory:
    return await memory.acreate_active_memory("alice", title, {"sections": ["notes"]})


async def write(memory: AgentMemory, project: ActiveMemory, content: str) -> None:
    await memory.aupdate_active_memory_section("alice", project.id, "notes", content)


async def cycle(memory: AgentMemory, project: ActiveMemory, content: str) -> str:
    await write(memory, project, content)
    report = await memory.aconsolidate("alice", project.id)
    assert report.run_id is not None
    return report.run_id


async def valid(memory: AgentMemory, query: str) -> list[str]:
    return sorted(hit.content.strip() for hit in await memory.asearch("alice", query, limit=50))


async def test_a_thread_may_consolidate_again_and_again(memory: AgentMemory, rows: Rows) -> None:
    project = await start(memory)
    graph = create_consolidation_graph(memory).compile(checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "project"}}
    runs = set()
    for i in range(3):
        await write(memory, project, f"- Value {i}.")
        state = await graph.ainvoke({"external_id": "alice", "memory_id": project.id}, config)
        runs.add(state["report"]["run_id"])
        assert state["report"]["updates_consumed"] == 1
    assert len(runs) == 3
    assert rows("SELECT pending_updates, lease_owner FROM agentmem.active_memory") == [(0, None)]


async def test_what_a_dead_run_had_taken_is_compared_with_what_came_since(memory: AgentMemory, rows: Rows) -> None:
    project = await start(memory)
    await write(memory, project, "Deadline: May 1")
    await claiming.claim(memory.resources, "alice", project.id)
    rows("UPDATE agentmem.active_memory SET lease_expires_at = now() - interval '1 second'")
    await cycle(memory, project, "Deadline: June 1")
    assert await valid(memory, "deadline") == ["Deadline: June 1"]


async def test_a_text_that_comes_back_replaces_what_had_replaced_it(memory: AgentMemory) -> None:
    project = await start(memory)
    await cycle(memory, project, "Deadline: May 1")
    run = await cycle(memory, project, "Deadline: June 1")
    await memory.runs.aundo("alice", run)
    await cycle(memory, project, "Deadline: May 1")
    assert await valid(memory, "deadline") == ["Deadline: May 1"]


async def test_a_chunk_that_comes_back_and_goes_again_is_not_deleted(memory: AgentMemory) -> None:
    project = await start(memory)
    await cycle(memory, project, "The falcon nests high.")
    await write(memory, project, "")
    await write(memory, project, "The falcon nests high.")
    await write(memory, project, "")
    await memory.aconsolidate("alice", project.id)
    assert await valid(memory, "falcon") == ["The falcon nests high."]


async def test_facts_under_different_headings_do_not_replace_each_other(memory: AgentMemory) -> None:
    project = await start(memory)
    await cycle(memory, project, "## Alice\n\n- likes green tea")
    await cycle(memory, project, "## Bob\n\n- likes green tea")
    assert await valid(memory, "alice bob tea") == ["## Alice\n\n- likes green tea", "## Bob\n\n- likes green tea"]


async def test_a_statement_that_only_lost_its_end_replaces_nothing(memory: AgentMemory) -> None:
    project = await start(memory)
    prose = "The old lighthouse keeper wrote down everything that he saw from the tower at night"
    await cycle(memory, project, f"{prose}\nPIN 4711.")
    await cycle(memory, project, prose)
    assert any("4711" in content for content in await valid(memory, "PIN 4711"))


async def test_a_merge_may_not_swallow_a_short_source(opened: Open) -> None:
    long = "Decision: " + " ".join(f"word{i}" for i in range(60))

    def swallow(name: str, data: dict[str, Any]) -> dict[str, Any]:
        if name == "Extraction":
            return {}
        [section] = data["sections"]
        ids = [chunk["id"] for chunk in (*section["existing_chunks"], *section["new_chunks"])]
        return {"sections": [{"section_id": "notes", "merged": [{"text": f"{long} updated", "chunk_ids": ids}]}]}

    memory = opened(model=ScriptedModel(answer=swallow))
    project = await start(memory)
    await cycle(memory, project, long)
    await cycle(memory, project, "Decision: something else altogether now\n- vaultpin 4711 xylophone")
    assert "- vaultpin 4711 xylophone" in await valid(memory, "vaultpin xylophone")


def alice(name: str, data: dict[str, Any]) -> dict[str, Any]:
    """Alice is what every chunk says about her; she works at and invests in whatever it names."""
    if name != "Extraction":
        stored = {r["id"] for c in data["relationships"] for r in c["shortterm_relationships"]}
        ended = [{"conflict": 0, "action": "supersede", "relationship_id": min(stored)}] if stored else []
        return {"relationships": ended}
    found: dict[str, Any] = {"entities": [], "relationships": []}
    for chunk in data["chunks"]:
        words = chunk["content"].split()
        found["entities"].append({"name": "Alice", "types": ["person", words[-1]], "chunk_ids": [chunk["id"]]})
        found["relationships"] += [
            {"source": "Alice", "target": word.split("@")[1], "types": [word.split("@")[0]], "chunk_ids": [chunk["id"]]}
            for word in words
            if "@" in word
        ]
    return found


async def test_runs_that_merged_into_one_entity_are_undone_newest_first(opened: Open) -> None:
    memory = opened(model=ScriptedModel(answer=alice), settings={"entity_overlap_threshold": 0.5})
    project = await start(memory)
    runs = [await cycle(memory, project, f"She is {kind}") for kind in ("tall", "kind", "busy", "late")]
    for run in reversed(runs[1:]):
        assert (await memory.runs.aundo("alice", run)).status == "undone"
    entity = await memory.aget_entity("alice", "Alice", tier="shortterm")
    assert "person" in entity.types


async def test_a_relationship_that_a_run_confirms_is_not_ended_by_it(opened: Open, rows: Rows) -> None:
    memory = opened(model=ScriptedModel(answer=alice))
    project = await start(memory)
    await cycle(memory, project, "works@Acme tall")
    run = await cycle(memory, project, "works@Acme works@Globex tall still")
    assert rows("SELECT count(*) FROM agentmem.relationship WHERE end_date IS NOT NULL") == [(0,)]
    behind = rows(
        "SELECT count(*) FROM agentmem.graph_outbox o JOIN agentmem.relationship r ON r.id = o.target_id "
        "WHERE o.kind = 'relationship' AND o.revision <> r.revision"
    )
    assert behind == [(0,)]
    await memory.runs.aundo("alice", run)


async def test_a_long_term_relationship_lives_as_long_as_any_short_term_one(opened: Open, rows: Rows) -> None:
    memory = opened(model=ScriptedModel(answer=alice))
    project = await start(memory)
    await cycle(memory, project, "works@Acme tall")
    await cycle(memory, project, "invests@Acme tall")
    rows("UPDATE agentmem.relationship SET end_date = NULL, revision = revision + 1")
    await memory.apromote("alice", project.id, force=True)
    rows(
        "UPDATE agentmem.relationship SET end_date = now(), revision = revision + 1 WHERE tier = 'shortterm' AND types = '{works}'"
    )
    await memory.apromote("alice", project.id, force=True)
    assert rows("SELECT end_date FROM agentmem.relationship WHERE tier = 'longterm'") == [(None,)]


async def test_what_an_extractor_found_nowhere_is_forgotten_with_the_memory(opened: Open, rows: Rows) -> None:
    def secret(name: str, data: dict[str, Any]) -> dict[str, Any]:
        return (
            {"entities": [{"name": "Secret", "types": ["x"], "description": "SSN 123"}]} if name == "Extraction" else {}
        )

    memory = opened(model=ScriptedModel(answer=secret))
    project = await start(memory)
    await cycle(memory, project, "x")
    await memory.apromote("alice", project.id, force=True)
    await memory.adelete_active_memory("alice", project.id)
    await memory.adelete_active_memory("alice", project.id, forget=True)
    assert rows("SELECT count(*) FROM agentmem.entity") == [(0,)]
    assert rows("SELECT count(*) FROM agentmem.active_memory") == [(0,)]


async def test_a_number_that_is_none_does_no_harm(opened: Open) -> None:
    def nan(name: str, data: dict[str, Any]) -> dict[str, Any]:
        return {"entities": [{"name": "X", "confidence": float("nan"), "importance": float("inf")}]}

    memory = opened(model=ScriptedModel(answer=nan))
    project = await start(memory)
    await cycle(memory, project, "x")
    entity = await memory.aget_entity("alice", "x")
    assert (entity.confidence, entity.importance) == (0.5, 1.0)


async def test_a_failing_memory_waits_and_lets_others_pass_until_it_is_flushed(opened: Open, rows: Rows) -> None:
    embedder = WordEmbedder()
    extractor = ScriptedModel(answer=lambda *_: {"entities": [{"name": "X"}]})
    memory = opened(index=embedder, model=extractor, settings={"avg_section_update_count": 1})
    bad, good = await start(memory, "Bad"), await start(memory, "Good")
    await write(memory, bad, "x")
    embedder.embed_documents = lambda texts: 1 / 0  # type: ignore[method-assign]
    with pytest.raises(RunsFailedError):
        await memory.queue.arun_due()
    del embedder.embed_documents
    rows("UPDATE agentmem.active_memory SET next_attempt_at = next_attempt_at + interval '1 hour'")
    await write(memory, good, "y")
    assert [report.status for report in await memory.queue.arun_due(limit=1)] == ["applied"]
    assert await memory.queue.arun_due() == []
    assert [report.status for report in await memory.queue.aflush("alice")] == ["applied"]


async def test_a_cancelled_run_gives_its_memory_back_at_once(opened: Open) -> None:
    class Slow:
        async def extract(self, chunks: Any) -> Any:
            await asyncio.sleep(60)

    memory = opened(extractor=Slow())
    project = await start(memory)
    await write(memory, project, "x")
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(memory.aconsolidate("alice", project.id), 0.5)
    await memory.adelete_active_memory("alice", project.id, forget=True)


@pytest.mark.parametrize("forget", [False, True])
async def test_a_memory_that_is_being_consolidated_is_neither_closed_nor_forgotten(
    memory: AgentMemory, forget: bool
) -> None:
    project = await start(memory)
    await write(memory, project, "x")
    assert isinstance(await claiming.claim(memory.resources, "alice", project.id), claiming.Claim)
    with pytest.raises(MemoryBusyError):
        await memory.adelete_active_memory("alice", project.id, forget=forget)
    assert (await memory.aget_active_memory("alice", project.id)).id == project.id


async def test_an_entity_that_nobody_knows_is_named_in_the_error(memory: AgentMemory) -> None:
    with pytest.raises(EntityNotFoundError, match=r"tenant 'alice' has no entity 'Zoe'$"):
        await memory.aget_entity("alice", "Zoe")
    with pytest.raises(EntityNotFoundError, match=r"tenant 'alice' has no entity 7 in longterm$"):
        await memory.aget_entity("alice", 7, tier="longterm")


async def test_a_run_that_is_over_cannot_be_begun_again(memory: AgentMemory) -> None:
    project = await start(memory)
    run = await cycle(memory, project, "x")
    await write(memory, project, "y")
    with pytest.raises(InvalidInputError, match=f"run {run} is over, or belongs to another memory"):
        await claiming.claim(memory.resources, "alice", project.id, run_id=run)


async def test_flush_during_a_run_says_busy_and_the_memory_stays_due(memory: AgentMemory, rows: Rows) -> None:
    project = await start(memory)
    await write(memory, project, "x")
    claim = await claiming.claim(memory.resources, "alice", project.id)
    assert isinstance(claim, claiming.Claim)
    await write(memory, project, "y")
    assert [report.status for report in await memory.queue.aflush("alice")] == ["busy"]
    from langgraph_agentmem.nodes.apply import apply_node
    from langgraph_agentmem.nodes.conflicts import conflicts_node

    state: dict[str, Any] = {"claim": claim.model_dump(mode="json")}
    await apply_node(memory).ainvoke(state | await conflicts_node(memory).ainvoke(state))
    assert rows("SELECT pending_updates, due_at <= now() FROM agentmem.active_memory") == [(1, True)]
    assert [report.updates_consumed for report in await memory.queue.arun_due()] == [1]


async def test_an_embedder_may_be_changed_there_and_back(opened: Open) -> None:
    first, second = WordEmbedder(64), WordEmbedder(32)
    await opened(index=first).acreate_active_memory("alice", "P", {"sections": ["notes"]}, {"notes": "a fox"})
    for embedder in (second, first, second):
        memory = opened(index=embedder, reembed=True)
        assert await memory.queue.aembed_pending() == 1
    with pytest.raises(EmbeddingMismatchError):
        await opened(index=first).asetup()


async def test_a_filter_never_hides_what_the_index_did_not_reach(opened: Open) -> None:
    class Colours(WordEmbedder):
        def _vector(self, text: str) -> list[float]:
            return [1.0, 0.001 * len(text)] if "red" in text else [0.001 * len(text), 1.0]

    memory = opened(index={"embed": Colours(2), "dims": 2}, settings={"exact_search_rows": 10})
    many = "\n".join(f"- red {i}" for i in range(600))
    await memory.acreate_active_memory("alice", "Red", {"sections": ["notes"]}, {"notes": many})
    blue = await memory.acreate_active_memory(
        "alice", "Blue", {"sections": ["notes"]}, {"notes": "\n".join(f"- blue {i}" for i in range(60))}
    )
    hits = await memory.asearch("alice", "red qqq", memory_ids=[blue.id], limit=10)
    assert len(hits) == 10


async def test_embedding_in_the_background_and_editing_at_once_do_not_deadlock(opened: Open) -> None:
    memory = opened(index=WordEmbedder(), settings={"embed": "background"})
    project = await start(memory)

    async def edit(n: int) -> None:
        for i in range(15):
            await write(memory, project, "\n".join(f"- {n} {i} {j}" for j in range(12)))

    async def embed() -> None:
        for _ in range(25):
            await memory.queue.aembed_pending()

    async def consolidate() -> None:
        for _ in range(10):
            await memory.aconsolidate("alice", project.id)

    await asyncio.gather(edit(1), edit(2), embed(), embed(), consolidate())
    assert (await memory.aget_active_memory("alice", project.id)).sections["notes"].total_updates == 30


async def test_a_consolidation_embeds_what_waits_for_it(opened: Open, rows: Rows) -> None:
    memory = opened(index=WordEmbedder(), settings={"embed": "background"})
    project = await start(memory)
    await cycle(memory, project, "a fox")
    assert rows("SELECT count(*) FROM agentmem.memory_chunk WHERE embedding IS NULL") == [(0,)]


async def test_a_failed_extraction_is_made_up_for_even_if_nothing_else_is_pending(opened: Open) -> None:
    failing = [True]

    def answer(name: str, data: dict[str, Any]) -> Any:
        if failing[0]:
            raise RuntimeError("overloaded")
        return {"entities": [{"name": "Fox", "types": ["animal"]}]}

    memory = opened(model=ScriptedModel(answer=answer), settings={"model_attempts": 1})
    project = await start(memory)
    await cycle(memory, project, "a fox")
    failing[0] = False
    assert (await memory.aconsolidate("alice", project.id)).entities_created == 1
    assert (await memory.aconsolidate("alice", project.id)).status == "nothing"


async def test_flushing_an_unknown_memory_is_an_error(memory: AgentMemory) -> None:
    with pytest.raises(MemoryNotFoundError):
        await memory.queue.aflush("alice", 99)


async def test_an_undone_merge_leaves_no_support_behind_and_notes_the_time(opened: Open, rows: Rows) -> None:
    memory = opened(model=ScriptedModel(answer=alice), settings={"entity_overlap_threshold": 0.5})
    project = await start(memory)
    await cycle(memory, project, "works@Acme tall")
    run = await cycle(memory, project, "still works@Acme tall")
    await memory.runs.aundo("alice", run)
    supports = rows("SELECT count(*) FROM agentmem.mention WHERE relationship_id IS NOT NULL GROUP BY chunk_id")
    assert supports == [(1,), (1,)]
    history = rows("SELECT change ->> 'timestamp' FROM agentmem.state_history WHERE change ->> 'source' = 'undo'")
    assert history
    assert all(timestamp for (timestamp,) in history)


async def test_a_text_that_comes_back_during_the_run_that_replaces_it_is_found_once(memory: AgentMemory) -> None:
    from langgraph_agentmem.nodes.apply import apply_node
    from langgraph_agentmem.nodes.conflicts import conflicts_node

    project = await start(memory)
    both = "Budget: 5000. The falcon nests high."
    await cycle(memory, project, both)
    await write(memory, project, "Budget: 6000.")
    claim = await claiming.claim(memory.resources, "alice", project.id)
    assert isinstance(claim, claiming.Claim)
    state: dict[str, Any] = {"claim": claim.model_dump(mode="json")}
    state |= await conflicts_node(memory).ainvoke(state)
    await write(memory, project, both)
    report = (await apply_node(memory).ainvoke(state))["report"]
    assert report["chunks_superseded"] == 0
    assert await valid(memory, "falcon") == [both]


async def test_a_claimed_chunk_may_go_come_back_and_go_while_its_run_lasts(memory: AgentMemory) -> None:
    from langgraph_agentmem.nodes.apply import apply_node
    from langgraph_agentmem.nodes.conflicts import conflicts_node

    project = await start(memory)
    await write(memory, project, "The falcon nests high.")
    claim = await claiming.claim(memory.resources, "alice", project.id)
    assert isinstance(claim, claiming.Claim)
    for content in ("", "The falcon nests high.", ""):
        await write(memory, project, content)
    state: dict[str, Any] = {"claim": claim.model_dump(mode="json")}
    await apply_node(memory).ainvoke(state | await conflicts_node(memory).ainvoke(state))
    assert [hit.tier for hit in await memory.asearch("alice", "falcon")] == ["shortterm"]
