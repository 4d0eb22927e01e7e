"""One tenant's backlog does not starve others, and a long queue is read from an index."""

import json
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from langgraph_agentmem import AgentMemory, MemoryWorker
from langgraph_agentmem.operations.queue import offering
from langgraph_agentmem.operations.queue.offering import Offers
from langgraph_agentmem.storage.driver.statements import statements
from langgraph_agentmem.worker import worker

Rows = Callable[..., list[tuple[Any, ...]]]
Open = Callable[..., AgentMemory]
DUE = """
INSERT INTO agentmem.active_memory (external_id, namespace, title, template, due_at)
SELECT %(tenant)s, ARRAY[%(tenant)s, %(minutes)s::text, i::text], i::text, '{"sections": []}', now() - %(minutes)s * interval '1 minute'
FROM generate_series(1, %(count)s) AS i"""


@pytest.fixture
def due(dsn: str) -> Callable[..., None]:
    """Makes memories of a tenant that have been due for some minutes."""

    def make(tenant: str, count: int, minutes: float = 0) -> None:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(DUE, {"tenant": tenant, "count": count, "minutes": minutes})
            connection.execute("VACUUM ANALYZE agentmem.active_memory")

    return make


async def test_a_small_tenant_has_its_turn_before_a_large_ones_backlog_is_done(
    memory: AgentMemory, due: Callable[..., None]
) -> None:
    due("large", 300, minutes=60)
    due("small", 2)
    offered = await Offers(memory.resources, None).next(100)
    tenants = [tenant for tenant, _ in offered]
    assert len(tenants) == len(set(offered)) > 50
    assert {tuple(tenants[:2]), tuple(tenants[2:4])} <= {("large", "small"), ("small", "large")}
    assert set(tenants[4:]) == {"large"}


async def test_of_each_tenant_the_longest_waiting_come_first(
    memory: AgentMemory, due: Callable[..., None], rows: Rows
) -> None:
    for tenant in ("alice", "bob"):
        due(tenant, 3, minutes=5)
        due(tenant, 30)
    oldest = {id for (id,) in rows("SELECT id FROM agentmem.active_memory WHERE due_at < now() - interval '1 minute'")}
    assert {id for _, id in await Offers(memory.resources, None).next(6)} == oldest
    assert {id for _, id in await Offers(memory.resources, "alice").next(3)} == {
        id for (id,) in rows("SELECT id FROM agentmem.active_memory WHERE external_id = 'alice' ORDER BY id LIMIT 3")
    }


@pytest.mark.parametrize(("pages", "backlog"), [(16, 1), (16, 20), (2, 20)])
async def test_every_tenant_has_its_turn_however_many_there_are(
    memory: AgentMemory, due: Callable[..., None], monkeypatch: pytest.MonkeyPatch, pages: int, backlog: int
) -> None:
    monkeypatch.setattr(offering, "_PAGES", pages)
    names = [f"tenant {number:02}" for number in range(12)]
    for number, name in enumerate(names):
        due(name, backlog, minutes=60 if number == 7 else 1)
    offers, turns = Offers(memory.resources, None), list[str]()
    while len(turns) < 36:
        turns += dict.fromkeys(tenant for tenant, _ in await offers.next(5))
    assert turns[0] == "tenant 07", "of more tenants than a look shows, the longest waiting comes first"
    assert turns[:12] == names[7:] + names[:7]
    assert turns[12:36] == turns[:12] * 2


async def test_tenants_all_of_whose_memories_are_held_or_wait_do_not_hide_others(
    memory: AgentMemory, due: Callable[..., None], rows: Rows
) -> None:
    for tenant in ("a", "b", "c"):
        due(tenant, 2, minutes=60)
    due("z", 1)
    rows(
        "UPDATE agentmem.active_memory SET next_attempt_at = now() + interval '1 hour' WHERE external_id IN ('a', 'b')"
    )
    rows(
        "UPDATE agentmem.active_memory SET lease_owner = gen_random_uuid(), lease_expires_at = now() + interval '1 hour' "
        "WHERE external_id = 'c'"
    )
    for _ in range(4):  # wherever the turns begin
        assert [tenant for tenant, _ in await Offers(memory.resources, None).next(1)] == ["z"]
    rows("UPDATE agentmem.active_memory SET due_at = NULL WHERE external_id = 'z'")
    assert await Offers(memory.resources, None).next(1) == []


async def test_a_worker_drains_a_backlog_and_each_tenant_early(opened: Open, rows: Rows) -> None:
    memory = opened(settings={"avg_section_update_count": 0.1})
    for tenant, count in (("large", 12), ("small", 1)):
        for number in range(count):
            made = await memory.acreate_active_memory(tenant, f"Memory {number}", {"sections": ["a"]})
            await memory.aupdate_active_memory_section(tenant, made.id, "a", "- One.")
    report = await MemoryWorker(memory, concurrency=1).arun_until_idle()
    assert report.applied == 13
    order = [tenant for (tenant,) in rows("SELECT external_id FROM agentmem.consolidation_run ORDER BY started_at")]
    assert "small" in order[:2]


async def test_a_worker_that_takes_few_of_those_that_it_is_offered_skips_no_tenant(
    opened: Open, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = opened(settings={"avg_section_update_count": 0.1})
    names = [f"tenant {number:02}" for number in range(12)]
    for name in names:
        made = await memory.acreate_active_memory(name, "Notes", {"sections": ["a"]})
        await memory.aupdate_active_memory_section(name, made.id, "a", "- One.")
    monkeypatch.setattr(worker, "_MAX_OFFERED", 4)
    monkeypatch.setattr(worker, "_OFFERED_SECONDS", -1.0)  # it looks again after each memory, as after long runs
    await MemoryWorker(memory, concurrency=1).arun_until_idle()
    order = [tenant for (tenant,) in rows("SELECT external_id FROM agentmem.consolidation_run ORDER BY started_at")]
    first = names.index(order[0])
    assert order == names[first:] + names[:first]


async def test_a_long_queue_is_read_from_its_index_without_sorting(
    dsn: str, due: Callable[..., None], rows: Rows
) -> None:
    due("idle", 20_000)
    rows("UPDATE agentmem.active_memory SET due_at = NULL")
    due("large", 5_000)
    due("small", 1)
    [[of_tenant]] = rows(f"EXPLAIN (FORMAT JSON) {statement('due_memories')}")
    [[of_all]] = rows(f"EXPLAIN (FORMAT JSON) {statement('due_after')}")
    for plan in (of_tenant, of_all):
        nodes = list(inner(plan[0]["Plan"]))
        assert [node["Index Name"] for node in nodes if "Index Name" in node] == ["active_memory_due"]
        assert {node["Node Type"] for node in nodes} == {"Limit", "Index Scan"}, json.dumps(plan)


def statement(name: str) -> str:
    text = statements("queue")[name].decode()
    for parameter, value in (("external_id", "'large'"), ("limit", "100"), ("after", "''")):
        text = text.replace(f"%({parameter})s", value)
    return text


def inner(plan: dict[str, Any]) -> Any:
    yield plan
    for below in plan.get("Plans", ()):
        yield from inner(below)
