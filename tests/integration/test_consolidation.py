"""Consolidation by rules: what is pending moves, what is replaced ends, what is removed stays."""

import asyncio
from collections.abc import Callable

import pytest
from triggers import APPLIED, out_of_luck

from langgraph_agentmem import ActiveMemory, AgentMemory
from langgraph_agentmem.errors import InvalidInputError, MemoryNotFoundError, RunNotFoundError, StorageError
from langgraph_agentmem.operations.runs import claiming

Rows = Callable[..., list[tuple[object, ...]]]


async def project(memory: AgentMemory, **contents: str) -> ActiveMemory:
    created = await memory.acreate_active_memory("alice", "Project", {"sections": list(contents) or ["notes"]})
    if contents:
        await write(memory, created, **contents)
    return created


async def write(memory: AgentMemory, project: ActiveMemory, **contents: str) -> None:
    edits = [{"section_id": id, "new_content": content} for id, content in contents.items()]
    await memory.aupdate_active_memory_sections("alice", project.id, edits)


async def valid(memory: AgentMemory, query: str) -> set[str]:
    return {hit.content.strip() for hit in await memory.asearch("alice", query, limit=50)}


async def test_pending_sections_become_short_term_chunks_that_know_their_section(memory: AgentMemory) -> None:
    created = await project(memory, plan="- Visit Rome.\n- Visit Oslo.", facts="The sky is blue.")
    report = await memory.aconsolidate("alice", created.id)
    assert (report.status, report.updates_consumed, report.chunks_added) == ("applied", 2, 3)
    assert sorted(report.sections) == ["facts", "plan"]
    hits = await memory.aretrieve_memories("alice", "visit Rome Oslo sky", search_longterm=False)
    assert {(hit.content.strip(), hit.section_id, hit.run_id) for hit in hits} == {
        ("- Visit Rome.", "plan", report.run_id),
        ("- Visit Oslo.", "plan", report.run_id),
        ("The sky is blue.", "facts", report.run_id),
    }
    after = await memory.aget_active_memory("alice", created.id)
    assert after.consolidation_info.total_update_count == 0
    assert after.sections["plan"].content == "- Visit Rome.\n- Visit Oslo."


async def test_nothing_pending_is_reported_and_not_logged(memory: AgentMemory) -> None:
    created = await project(memory)
    assert (await memory.aconsolidate("alice", created.id)).status == "nothing"
    assert await memory.runs.alist("alice") == []


async def test_a_held_memory_is_reported_busy_with_the_lease(memory: AgentMemory) -> None:
    created = await project(memory, notes="x")
    taken = await claiming.claim(memory.resources, "alice", created.id)
    assert isinstance(taken, claiming.Claim)
    report = await memory.aconsolidate("alice", created.id)
    assert report.status == "busy"
    assert report.lease_expires_at is not None


async def test_only_the_snapshot_is_consumed(memory: AgentMemory) -> None:
    created = await project(memory, notes="- One.")
    claim = await claiming.claim(memory.resources, "alice", created.id)
    assert isinstance(claim, claiming.Claim)
    await memory.aupdate_active_memory_section("alice", created.id, "notes", "- Two.", action="insert")
    await _apply(memory, claim)
    after = await memory.aget_active_memory("alice", created.id)
    assert after.consolidation_info.total_update_count == 1
    assert {(h.content.strip(), h.tier) for h in await memory.asearch("alice", "one two")} == {
        ("- One.", "shortterm"), ("- Two.", "active"),
    }  # fmt: skip


async def test_a_claimed_chunk_outlives_an_edit_that_takes_it_away(memory: AgentMemory) -> None:
    created = await project(memory, notes="The falcon nests on the tower.")
    claim = await claiming.claim(memory.resources, "alice", created.id)
    assert isinstance(claim, claiming.Claim)
    await write(memory, created, notes="Something else entirely.")
    await _apply(memory, claim)
    assert "The falcon nests on the tower." in await valid(memory, "falcon")


async def _apply(memory: AgentMemory, claim: claiming.Claim) -> None:
    from langgraph_agentmem.nodes.apply import apply_node
    from langgraph_agentmem.nodes.conflicts import conflicts_node

    state = {"external_id": claim.external_id, "memory_id": claim.memory_id, "claim": claim.model_dump(mode="json")}
    state |= await conflicts_node(memory).ainvoke(state)
    await apply_node(memory).ainvoke(state)


async def test_a_statement_said_anew_ends_the_old_one(memory: AgentMemory) -> None:
    created = await project(memory, notes="- Deadline: May 1\n- Budget: 5000 EUR")
    await memory.aconsolidate("alice", created.id)
    await memory.aupdate_active_memory_section("alice", created.id, "notes", "June 1", "May 1")
    report = await memory.aconsolidate("alice", created.id)
    assert report.chunks_superseded == 1
    assert await valid(memory, "deadline budget") == {"- Deadline: June 1", "- Budget: 5000 EUR"}
    [decision] = report.decisions
    assert (decision.action, decision.decided_by) == ("supersede", "rules")
    assert "replaces it (rule: date)" in decision.reason


async def test_the_old_value_can_be_asked_for_as_of_its_time(memory: AgentMemory, rows: Rows) -> None:
    created = await project(memory, notes="Deadline: May 1")
    await memory.aconsolidate("alice", created.id)
    [[before]] = rows("SELECT clock_timestamp()")
    await write(memory, created, notes="Deadline: June 1")
    await memory.aconsolidate("alice", created.id)
    [old] = await memory.asearch("alice", "deadline", as_of=before)
    [new] = await memory.asearch("alice", "deadline")
    assert (old.content, new.content) == ("Deadline: May 1", "Deadline: June 1")
    assert old.superseded_by == new.chunk_id
    assert old.end_date is not None


async def test_a_removed_statement_stays_valid(memory: AgentMemory) -> None:
    created = await project(memory, notes="The falcon nests on the tower.")
    await memory.aconsolidate("alice", created.id)
    await write(memory, created, notes="")
    report = await memory.aconsolidate("alice", created.id)
    assert report.chunks_superseded == 0
    [hit] = await memory.asearch("alice", "falcon")
    assert (hit.current, hit.end_date) == (False, None)


async def test_what_a_replaced_chunk_said_besides_stays_valid(memory: AgentMemory) -> None:
    created = await project(memory, notes="Budget: 5000 EUR. The falcon nests on the tower.")
    await memory.aconsolidate("alice", created.id)
    await write(memory, created, notes="Budget: 6000 EUR.")
    await memory.aconsolidate("alice", created.id)
    assert await valid(memory, "budget falcon") == {"Budget: 6000 EUR.", "The falcon nests on the tower."}


async def test_a_text_that_comes_back_is_the_same_chunk_again(memory: AgentMemory, rows: Rows) -> None:
    created = await project(memory, notes="The falcon nests on the tower.")
    await memory.aconsolidate("alice", created.id)
    await write(memory, created, notes="")
    await write(memory, created, notes="The falcon nests on the tower.")
    await memory.aconsolidate("alice", created.id)
    assert rows("SELECT count(*), bool_and(current) FROM agentmem.memory_chunk") == [(1, True)]


async def test_a_late_run_is_refused_and_the_new_one_takes_everything_over(memory: AgentMemory, rows: Rows) -> None:
    from langgraph_agentmem.errors import LeaseLostError

    created = await project(memory, notes="The falcon nests on the tower.")
    late = await claiming.claim(memory.resources, "alice", created.id)
    assert isinstance(late, claiming.Claim)
    rows("UPDATE agentmem.active_memory SET lease_expires_at = now() - interval '1 second'")
    report = await memory.aconsolidate("alice", created.id)
    assert (report.status, report.updates_consumed, report.chunks_added) == ("applied", 1, 1)
    with pytest.raises(LeaseLostError, match="nothing was applied"):
        await _apply(memory, late)
    assert rows("SELECT update_count FROM agentmem.shortterm_memory") == [(1,)]
    assert [run.status for run in await memory.runs.alist("alice")] == ["applied", "abandoned"]


async def test_an_expired_lease_that_nobody_took_still_applies(memory: AgentMemory, rows: Rows) -> None:
    created = await project(memory, notes="x")
    claim = await claiming.claim(memory.resources, "alice", created.id)
    assert isinstance(claim, claiming.Claim)
    rows("UPDATE agentmem.active_memory SET lease_expires_at = now() - interval '1 second'")
    await _apply(memory, claim)
    assert [run.status for run in await memory.runs.alist("alice")] == ["applied"]


async def test_applying_twice_is_applying_once(memory: AgentMemory, rows: Rows) -> None:
    created = await project(memory, notes="- One.\n- Two.")
    claim = await claiming.claim(memory.resources, "alice", created.id)
    assert isinstance(claim, claiming.Claim)
    await _apply(memory, claim)
    everything = "SELECT (SELECT jsonb_agg(m) FROM agentmem.shortterm_memory m), (SELECT jsonb_agg(c ORDER BY id) FROM agentmem.memory_chunk c)"
    before = rows(everything)
    await _apply(memory, claim)
    assert rows(everything) == before


async def test_two_callers_at_once_consolidate_once(memory: AgentMemory) -> None:
    created = await project(memory, notes="- One.")
    reports = await asyncio.gather(*(memory.aconsolidate("alice", created.id) for _ in range(6)))
    assert sorted(report.status for report in reports).count("applied") == 1
    assert sum(report.updates_consumed for report in reports) == 1


async def test_run_due_takes_due_memories_only_and_flush_all(opened: Callable[..., AgentMemory]) -> None:
    memory = opened(settings={"avg_section_update_count": 2})
    due = await project(memory, notes="- One.")
    await write(memory, due, notes="- Two.")
    other = await memory.acreate_active_memory("alice", "Other", {"sections": ["notes"]})
    await write(memory, other, notes="x")
    assert [report.updates_consumed for report in await memory.queue.arun_due()] == [2]
    assert await memory.queue.arun_due() == []
    assert [report.updates_consumed for report in await memory.queue.aflush("alice")] == [1]
    assert await memory.queue.aflush("alice") == []


async def test_enough_updates_during_a_run_keep_the_memory_due(opened: Callable[..., AgentMemory], rows: Rows) -> None:
    memory = opened(settings={"avg_section_update_count": 1})
    created = await project(memory, notes="- One.")
    claim = await claiming.claim(memory.resources, "alice", created.id)
    assert isinstance(claim, claiming.Claim)
    await write(memory, created, notes="- Two.")
    await _apply(memory, claim)
    assert rows("SELECT due_at <= now(), pending_updates, lease_owner FROM agentmem.active_memory") == [(True, 1, None)]


async def test_runs_tell_what_happened(memory: AgentMemory) -> None:
    created = await project(memory, notes="- One.")
    report = await memory.aconsolidate("alice", created.id)
    [run] = await memory.runs.alist("alice", created.id, status="applied")
    assert run.id == report.run_id
    assert run.report is not None
    assert run.report.chunks_added == 1
    assert run.resolver == "rules"
    assert run.snapshot[0].section_id == "notes"
    assert run.finished_at is not None
    assert run.worker
    assert await memory.runs.alist("bob") == []


@pytest.mark.parametrize("arguments", [{"limit": 0}, {"status": "done"}, {"memory_id": "x"}])
async def test_bad_arguments_of_runs_are_refused(memory: AgentMemory, arguments: dict[str, object]) -> None:
    with pytest.raises(InvalidInputError):
        await memory.runs.alist("alice", **arguments)


async def test_unknown_ids_are_refused(memory: AgentMemory) -> None:
    with pytest.raises(MemoryNotFoundError):
        await memory.aconsolidate("alice", 99)
    with pytest.raises(MemoryNotFoundError):
        await memory.apromote("alice", 99)
    with pytest.raises(RunNotFoundError):
        await memory.runs.aundo("alice", "4be0643f-1d98-573b-97cd-ca98a65347dd")
    with pytest.raises(InvalidInputError, match="UUID"):
        await memory.runs.aundo("alice", "no-uuid")


async def test_another_tenants_run_is_unknown(memory: AgentMemory) -> None:
    created = await project(memory, notes="x")
    report = await memory.aconsolidate("alice", created.id)
    with pytest.raises(RunNotFoundError):
        await memory.runs.aundo("bob", report.run_id)


async def test_a_failed_run_gives_the_memory_back_with_everything_pending(memory: AgentMemory, rows: Rows) -> None:
    created = await project(memory, notes="- One.")
    with out_of_luck(rows, *APPLIED), pytest.raises(StorageError, match="out of luck") as raised:
        await memory.aconsolidate("alice", created.id)
    [failed] = await memory.runs.alist("alice")
    assert (failed.status, failed.error) == ("failed", f"StorageError: {raised.value}")
    assert (await memory.aconsolidate("alice", created.id)).updates_consumed == 1


async def test_a_forgotten_memory_cannot_be_consolidated_any_more(memory: AgentMemory) -> None:
    created = await project(memory, notes="- One.")
    await memory.adelete_active_memory("alice", created.id, forget=True)
    with pytest.raises(MemoryNotFoundError):
        await memory.aconsolidate("alice", created.id)


async def test_moving_chunks_between_tiers_is_heap_only(memory: AgentMemory, rows: Rows) -> None:
    created = await project(memory, notes="\n".join(f"- Item {i} is here." for i in range(40)))
    await memory.aconsolidate("alice", created.id)
    await memory.apromote("alice", created.id, force=True)
    await memory.aclose()
    rows("SELECT pg_stat_force_next_flush()")
    for _ in range(100):
        [(counted,)] = rows("SELECT to_jsonb(t) FROM pg_stat_user_tables t WHERE relname = 'memory_chunk'")
        if counted["n_tup_upd"]:
            break
        await asyncio.sleep(0.05)
    assert counted["n_tup_upd"] >= 120
    # A page that is full moves a row: while somebody in another database is in a transaction, dead rows keep their room.
    # PostgreSQL 15 does not tell how often. An index on a tier's column would move them all.
    moved = counted.get("n_tup_newpage_upd", counted["n_tup_upd"] // 2)
    assert counted["n_tup_hot_upd"] >= counted["n_tup_upd"] - moved
