"""A dry run shows what a consolidation would do, and changes nothing."""

import asyncio
import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from fakes import ScriptedModel, WordEmbedder
from reviewing import NEW, OLD, cycle, project
from store_and_memory import names

from langgraph_agentmem import AgentMemory, create_consolidation_graph
from langgraph_agentmem.errors import EmbeddingError, MemoryNotFoundError
from langgraph_agentmem.models.run import ConsolidationReport
from langgraph_agentmem.store import AgentMemoryStore

Open = Callable[..., AgentMemory]
Rows = Callable[..., list[tuple[object, ...]]]


def state_of(rows: Rows) -> dict[str, str]:
    """A hash of all rows of each table, with all columns; `xmin` would tell even a change to the same."""
    tables = rows(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'agentmem' AND table_type = 'BASE TABLE'"
    )
    found = {
        str(table): rows(f"SELECT t::text, t.xmin::text, t.ctid::text FROM agentmem.{table} t ORDER BY 1")
        for (table,) in tables
    }
    assert len(found) > 10
    return {table: hashlib.sha256(repr(content).encode()).hexdigest() for table, content in found.items()}


def same(dry: ConsolidationReport, real: ConsolidationReport) -> bool:
    """Whether a dry run has told what the real run has done."""
    left = {"status", "run_id", "timings", "lag_seconds", "preview", "promotion", "parked", "shortterm_memory_id"}
    return dry.model_dump(exclude=left) == real.model_dump(exclude=left)


def deciding(name: str, data: dict[str, Any]) -> Any:
    if name != "ConsolidationPlan":
        return names(name, data)
    pairs = [r for section in data["sections"] for r in section["replacements"]]
    decide = [{"chunk_id": r["chunk_id"], "action": "keep", "reason": "both"} for r in pairs]
    return {"sections": [{"section_id": "notes", "decisions": decide}]}


@pytest.mark.parametrize("review", ["never", "always"])
@pytest.mark.parametrize("with_model", [False, True])
async def test_it_tells_what_the_run_does_and_changes_no_table(
    opened: Open, rows: Rows, with_model: bool, review: str
) -> None:
    model = ScriptedModel(answer=deciding) if with_model else None
    memory = opened(model=model, index=WordEmbedder(), review=review)
    created = await project(memory, f"- {OLD}\n- Ada knows Bob.\n- The venue is the town hall.")
    text = f"- {NEW}\n- Ada knows Bob and Cy.\n- The venue was booked in Rome."
    await memory.aupdate_active_memory_section("alice", created.id, "notes", text)

    before = state_of(rows)
    asked = len(model.prompts) if model else 0
    dry = await memory.aconsolidate("alice", created.id, dry_run=True)
    assert state_of(rows) == before
    assert dry.usage.calls == (len(model.prompts) - asked if model else 0)
    assert dry.usage.calls == (2 if with_model else 0)

    real = await memory.aconsolidate("alice", created.id)
    assert (dry.status, real.status, dry.run_id) == ("dry_run", "applied", None)
    assert same(dry, real)
    [run, _] = await memory.runs.alist("alice")
    assert dry.preview is not None
    assert run.changed is not None
    assert dry.preview.changes.superseded == run.changed.superseded
    assert dry.preview.plan.model_dump(mode="json") == run.plan
    assert dry.preview.disputes == len(real.parked)
    assert (len(real.parked) > 0) == (review == "always")
    assert real.chunks_superseded + len(real.parked) > 0


async def test_the_first_run_of_a_memory_can_be_tried(opened: Open, rows: Rows) -> None:
    memory = opened(model=ScriptedModel(answer=names))
    created = await memory.acreate_active_memory("alice", "Project", {"sections": ["notes"]})
    await memory.aupdate_active_memory_section("alice", created.id, "notes", "Ada knows Bob.")
    before = state_of(rows)
    dry = await memory.aconsolidate("alice", created.id, dry_run=True)
    assert state_of(rows) == before
    assert (dry.chunks_added, dry.shortterm_memory_id) == (1, None)
    assert same(dry, await memory.aconsolidate("alice", created.id))


async def test_nothing_pending_is_nothing_and_promotes_nothing(opened: Open, rows: Rows) -> None:
    memory = opened(settings={"shortterm_update_threshold": 1})
    created = await project(memory, OLD)
    rows("UPDATE agentmem.shortterm_memory SET update_count = 5")
    before = state_of(rows)
    assert (await memory.aconsolidate("alice", created.id, dry_run=True)).status == "nothing"
    assert state_of(rows) == before


async def test_a_run_that_is_due_for_promotion_promotes_nothing(opened: Open, rows: Rows) -> None:
    memory = opened(settings={"shortterm_update_threshold": 1})
    created = await memory.acreate_active_memory("alice", "Project", {"sections": ["notes"]})
    await memory.aupdate_active_memory_section("alice", created.id, "notes", OLD)
    before = state_of(rows)
    dry = await memory.aconsolidate("alice", created.id, dry_run=True)
    assert (dry.status, dry.promotion) == ("dry_run", None)
    assert state_of(rows) == before


async def test_a_memory_that_a_run_holds_is_busy_and_another_tenants_is_unknown(
    memory: AgentMemory, rows: Rows
) -> None:
    created = await project(memory, OLD)
    await memory.aupdate_active_memory_section("alice", created.id, "notes", NEW)
    rows(
        "UPDATE agentmem.active_memory SET lease_owner = gen_random_uuid(), lease_expires_at = now() + interval '1 hour'"
    )
    before = state_of(rows)
    assert (await memory.aconsolidate("alice", created.id, dry_run=True)).status == "busy"
    with pytest.raises(MemoryNotFoundError):
        await memory.aconsolidate("bob", created.id, dry_run=True)
    assert state_of(rows) == before


async def test_a_real_run_may_go_on_meanwhile(opened: Open) -> None:
    real, model = opened(), ScriptedModel(answer=lambda *_: {})
    created = await project(real, "- The venue is the town hall.")
    await real.aupdate_active_memory_section("alice", created.id, "notes", "- The venue was booked in Rome.")
    reports: list[ConsolidationReport] = []

    def meanwhile(name: str, data: dict[str, Any]) -> Any:
        if name == "Extraction":
            reports.append(real.consolidate("alice", created.id))
        return {}

    model = ScriptedModel(answer=meanwhile)
    dry = await asyncio.to_thread(opened(model=model).consolidate, "alice", created.id, dry_run=True)
    assert (reports[0].status, dry.status) == ("applied", "nothing")


async def test_a_run_that_fails_leaves_all_as_it_was(opened: Open, rows: Rows) -> None:
    def broken(texts: list[str]) -> list[list[float]]:
        if "Ada" in texts:
            raise RuntimeError("down")
        return [[1.0, 0.0]] * len(texts)

    memory = opened(index={"embed": broken, "dims": 2}, model=ScriptedModel(answer=names))
    created = await memory.acreate_active_memory("alice", "Project", {"sections": ["notes"]})
    await memory.aupdate_active_memory_section("alice", created.id, "notes", "Ada knows Bob.")
    before = state_of(rows)
    with pytest.raises(EmbeddingError):
        await memory.aconsolidate("alice", created.id, dry_run=True)
    assert state_of(rows) == before


async def test_a_model_that_fails_does_not_rest_for_it(opened: Open, rows: Rows) -> None:
    def failing(name: str, data: dict[str, Any]) -> Any:
        raise RuntimeError("down")

    memory = opened(model=ScriptedModel(answer=failing), settings={"model_attempts": 1})
    created = await memory.acreate_active_memory("alice", "Project", {"sections": ["notes"]})
    await memory.aupdate_active_memory_section("alice", created.id, "notes", "Ada knows Bob.")
    before = state_of(rows)
    dry = await memory.aconsolidate("alice", created.id, dry_run=True)
    assert (dry.failures, dry.usage.calls) != ([], 0)
    assert state_of(rows) == before


async def test_items_that_are_no_chunks_yet_become_such_as_for_a_search(memory: AgentMemory, rows: Rows) -> None:
    await AgentMemoryStore(memory).aput(("alice", "notes"), "1", {"text": "Ada knows Bob."})
    [[id]] = rows("SELECT id FROM agentmem.active_memory")
    await memory.asearch("alice", "Ada")
    before = state_of(rows)
    dry = await memory.aconsolidate("alice", int(str(id)), dry_run=True)
    assert dry.chunks_added == 1
    assert state_of(rows) == before
    await AgentMemoryStore(memory).aput(("alice", "notes"), "2", {"text": "Cy knows Bob."})
    assert (await memory.aconsolidate("alice", int(str(id)), dry_run=True)).chunks_added == 2


async def test_a_graph_of_ones_own_can_be_tried_and_then_run(memory: AgentMemory, rows: Rows) -> None:
    created = await project(memory, OLD)
    await memory.aupdate_active_memory_section("alice", created.id, "notes", NEW)
    graph: Any = create_consolidation_graph(memory).compile()
    before = state_of(rows)
    tried = await graph.ainvoke({"external_id": "alice", "memory_id": created.id, "dry_run": True})
    assert tried["report"]["status"] == "dry_run"
    assert state_of(rows) == before
    done = await graph.ainvoke({"external_id": "alice", "memory_id": created.id})
    assert done["report"]["status"] == "applied"


async def test_its_connection_serves_on(opened: Open) -> None:
    memory = opened(settings={"pool_size": 1})
    created = await project(memory, OLD)
    for number in range(6):
        await memory.aupdate_active_memory_section("alice", created.id, "notes", f"Deadline: June {number + 1}")
        assert (await memory.aconsolidate("alice", created.id, dry_run=True)).status == "dry_run"
        assert await memory.asearch("alice", "deadline")
    assert (await cycle(memory, created, NEW)).status == "applied"
