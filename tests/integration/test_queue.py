"""When a memory is due, what failing costs it, and how one that was given up comes back."""

import asyncio
from collections.abc import Callable

import anyio
import psycopg
import pytest
from fakes import ScriptedModel, WordEmbedder
from triggers import PROMOTED, out_of_luck

from langgraph_agentmem import ActiveMemory, AgentMemory, AgentMemoryStore
from langgraph_agentmem.errors import InvalidInputError, LeaseLostError, MemoryNotFoundError, RunsFailedError
from langgraph_agentmem.operations.runs import claiming

Rows = Callable[..., list[tuple[object, ...]]]
Open = Callable[..., AgentMemory]
LATER = "UPDATE agentmem.active_memory SET due_at = due_at - %s * interval '1 minute', next_attempt_at = NULL"


async def project(memory: AgentMemory, title: str = "Project", tenant: str = "alice") -> ActiveMemory:
    created = await memory.acreate_active_memory(tenant, title, {"sections": ["a", "b", "c"]})
    return await write(memory, created, "- One.")


async def write(memory: AgentMemory, created: ActiveMemory, text: str) -> ActiveMemory:
    return await memory.aupdate_active_memory_section(created.external_id, created.id, "a", text)


class Broken(WordEmbedder):
    """Fails as long as it is told to; consolidations then fail as well."""

    broken = False

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        if self.broken:
            raise ConnectionError("the embedder is down")
        return super().embed_documents(texts)


@pytest.fixture
async def failing(opened: Open) -> AgentMemory:
    """A memory whose runs fail until its embedder is mended."""
    answer = {"entities": [{"name": "Ada", "chunk_ids": [1]}], "relationships": []}
    settings = {"max_attempts": 3, "avg_section_update_count": 0.1, "embed": "background"}
    return opened(
        model=ScriptedModel(answer=lambda name, data: answer | {"entities": _seen(data)}),
        index=Broken(),
        settings=settings,
    )


def _seen(data: dict[str, object]) -> list[dict[str, object]]:
    return [{"name": "Ada", "chunk_ids": [chunk["id"]]} for chunk in data["chunks"]]


def embedder(memory: AgentMemory) -> Broken:
    assert memory.resources.embedder is not None
    found = memory.resources.embedder.embeddings
    assert isinstance(found, Broken)
    return found


async def fail(memory: AgentMemory, rows: Rows, times: int) -> None:
    """Let so many runs fail, as if the time between them had passed."""
    embedder(memory).broken = True
    for _ in range(times):
        rows("UPDATE agentmem.active_memory SET next_attempt_at = NULL")
        with pytest.raises(RunsFailedError):
            await memory.queue.arun_due()
    embedder(memory).broken = False


# Due by age


async def test_updates_below_the_threshold_are_due_when_they_are_old_enough(opened: Open, rows: Rows) -> None:
    memory = opened(settings={"max_pending_minutes": 60})
    created = await project(memory)
    rows(LATER, 59)
    await write(memory, created, "- Two.")
    assert await memory.queue.arun_due() == []
    rows(LATER, 1)
    assert [report.updates_consumed for report in await memory.queue.arun_due()] == [2]
    assert rows("SELECT due_at, pending_updates FROM agentmem.active_memory") == [(None, 0)]


async def test_items_of_a_store_are_due_when_they_are_old_enough(opened: Open, rows: Rows) -> None:
    memory = opened(settings={"max_pending_minutes": 60})
    store = AgentMemoryStore(memory)
    await store.aput(("alice", "notes"), "k", {"text": "One."}, index=False)
    assert rows("SELECT due_at FROM agentmem.active_memory") == [(None,)]
    await store.aput(("alice", "notes"), "k", {"text": "One."})
    rows(LATER, 59)
    await store.aput(("alice", "notes"), "other", {"text": "Two."})
    await store.aput_if(("alice", "notes"), "third", {"text": "Three."}, 0)
    assert await memory.queue.arun_due() == []
    rows(LATER, 1)
    assert [report.updates_consumed for report in await memory.queue.arun_due()] == [3]


async def test_updates_that_come_during_a_run_are_due_in_their_own_time(opened: Open, rows: Rows) -> None:
    memory = opened(settings={"max_pending_minutes": 60})
    created = await project(memory)
    claim = await claiming.claim(memory.resources, "alice", created.id)
    assert isinstance(claim, claiming.Claim)
    await write(memory, created, "- Two.")
    await _apply(memory, claim)
    [[age]] = rows(
        "SELECT m.due_at - r.started_at = interval '60 minutes' FROM agentmem.active_memory m, agentmem.consolidation_run r"
    )
    assert age is True


async def _apply(memory: AgentMemory, claim: claiming.Claim) -> None:
    from langgraph_agentmem.nodes.apply import apply_node
    from langgraph_agentmem.nodes.conflicts import conflicts_node

    state = {"external_id": claim.external_id, "memory_id": claim.memory_id, "claim": claim.model_dump(mode="json")}
    state |= await conflicts_node(memory).ainvoke(state)
    await apply_node(memory).ainvoke(state)


async def test_switched_off_updates_never_grow_too_old(opened: Open, rows: Rows) -> None:
    memory = opened(settings={"max_pending_minutes": None})
    created = await project(memory)
    await AgentMemoryStore(memory).aput(("alice", "notes"), "k", {"text": "One."})
    claim = await claiming.claim(memory.resources, "alice", created.id)
    assert isinstance(claim, claiming.Claim)
    await write(memory, created, "- Two.")
    await _apply(memory, claim)
    assert rows("SELECT due_at FROM agentmem.active_memory") == [(None,), (None,)]


async def test_a_memory_that_was_consolidated_before_its_time_is_not_due_any_more(
    memory: AgentMemory, rows: Rows
) -> None:
    created = await project(memory)
    [[due_at]] = rows("SELECT due_at - updated_at FROM agentmem.active_memory")
    assert due_at.total_seconds() == 24 * 3600
    await memory.aconsolidate("alice", created.id)
    assert rows("SELECT due_at FROM agentmem.active_memory") == [(None,)]


async def test_the_queue_offers_a_memory_only_once_it_is_due(memory: AgentMemory) -> None:
    created = await project(memory)
    report = await claiming.claim(memory.resources, "alice", created.id, if_due=True)
    assert isinstance(report, claiming.ConsolidationReport)
    assert report.status == "busy"
    assert (await memory.aconsolidate("alice", created.id)).status == "applied"


# Waking


@pytest.fixture
async def heard(dsn: str) -> Callable[[], object]:
    """How often a listener was told that memories are due."""
    listener = await psycopg.AsyncConnection.connect(dsn, autocommit=True)
    await listener.execute("LISTEN agentmem_due")

    async def count() -> int:
        return len([notice async for notice in listener.notifies(timeout=0.2)])

    yield count
    await listener.close()


async def test_whoever_listens_hears_when_an_update_makes_a_memory_due_and_only_then(
    opened: Open, heard: Callable[[], object]
) -> None:
    memory = opened(settings={"avg_section_update_count": 1})
    created = await project(memory)
    await write(memory, created, "- Two.")
    assert await heard() == 0
    await write(memory, created, "- Three.")
    assert await heard() == 1
    await write(memory, created, "- Four.")
    assert await heard() == 0


async def test_an_update_that_fails_tells_nobody(opened: Open, heard: Callable[[], object]) -> None:
    memory = opened(settings={"avg_section_update_count": 0.1})
    created = await memory.acreate_active_memory("alice", "Project", {"sections": ["a"]})
    with pytest.raises(LookupError):
        await memory.aupdate_active_memory_sections(
            "alice", created.id, [{"section_id": "a", "new_content": "x"}, {"section_id": "z", "new_content": "x"}]
        )
    assert await heard() == 0


async def test_whoever_listens_hears_when_a_put_makes_a_memory_due(opened: Open, heard: Callable[[], object]) -> None:
    store = AgentMemoryStore(opened(settings={"max_pending_updates": 2}))
    await store.aput(("alice", "notes"), "k", {"text": "One."})
    assert await heard() == 0
    await store.aput(("alice", "notes"), "k", {"text": "Two."})
    assert await heard() == 1
    await store.aput_if(("alice", "more"), "k", {"text": "One."}, 0)
    await store.aput_if(("alice", "more"), "k", {"text": "Two."}, 1)
    assert await heard() == 1


# Failing


async def test_after_too_many_failures_a_memory_is_set_aside_and_can_be_retried(
    failing: AgentMemory, rows: Rows
) -> None:
    created = await project(failing)
    await fail(failing, rows, 3)
    assert await failing.queue.arun_due() == []
    [letter] = await failing.queue.adead_letters()
    assert (letter.external_id, letter.memory_id, letter.title, letter.attempts) == ("alice", created.id, "Project", 3)
    assert letter.pending_updates == 1
    assert letter.error is not None
    assert "the embedder is down" in letter.error
    assert await failing.queue.adead_letters("bob") == []
    assert await failing.queue.aretry("bob") == 0
    assert await failing.queue.aretry() == 1
    assert await failing.queue.adead_letters() == []
    assert [report.status for report in await failing.queue.arun_due()] == ["applied"]
    assert rows("SELECT attempts, last_error, dead_at, due_at FROM agentmem.active_memory") == [(0, None, None, None)]


async def test_one_memory_can_be_retried_by_itself(failing: AgentMemory, rows: Rows) -> None:
    first, second = await project(failing, "First"), await project(failing, "Second")
    await fail(failing, rows, 3)
    assert await failing.queue.aretry("alice", second.id) == 1
    assert [letter.memory_id for letter in await failing.queue.adead_letters("alice")] == [first.id]
    with pytest.raises(MemoryNotFoundError):
        await failing.queue.aretry("bob", first.id)
    with pytest.raises(InvalidInputError, match="external_id"):
        await failing.queue.aretry(memory_id=first.id)


async def test_a_memory_that_was_set_aside_takes_updates_and_comes_back_when_it_is_flushed(
    failing: AgentMemory, rows: Rows
) -> None:
    created = await project(failing)
    await fail(failing, rows, 3)
    await write(failing, created, "- Two.")
    assert await failing.queue.arun_due() == []
    assert (await failing.asearch("alice", "two"))[0].content == "- Two."
    assert [report.updates_consumed for report in await failing.queue.aflush("alice")] == [2]
    assert await failing.queue.adead_letters() == []


async def test_whoever_asks_for_a_run_directly_uses_no_attempts_up(failing: AgentMemory, rows: Rows) -> None:
    created = await project(failing)
    embedder(failing).broken = True
    for _ in range(5):
        with pytest.raises(Exception, match="the embedder is down"):
            await failing.aconsolidate("alice", created.id)
    assert rows("SELECT attempts, dead_at FROM agentmem.active_memory") == [(0, None)]


async def test_a_memory_whose_processes_die_is_set_aside_too(opened: Open, rows: Rows) -> None:
    memory = opened(settings={"max_attempts": 2, "avg_section_update_count": 0.1})
    await project(memory)
    for _ in range(2):
        assert isinstance(await claiming.claim(memory.resources, "alice", 1, if_due=True), claiming.Claim)
        rows("UPDATE agentmem.active_memory SET lease_expires_at = now() - interval '1 second'")
    assert [report.status for report in await memory.queue.arun_due()] == ["dead"]
    assert await memory.queue.arun_due() == []
    [letter] = await memory.queue.adead_letters()
    assert letter.error is not None
    assert "its process died" in letter.error
    assert await memory.queue.aretry("alice") == 1
    assert [report.status for report in await memory.queue.arun_due()] == ["applied"]


async def test_a_promotion_that_fails_backs_off_and_is_set_aside_as_well(opened: Open, rows: Rows) -> None:
    memory = opened(settings={"max_attempts": 2, "avg_section_update_count": 0.1, "shortterm_update_threshold": 1})
    await project(memory)
    with out_of_luck(rows, *PROMOTED):
        with pytest.raises(RunsFailedError, match="out of luck"):
            await memory.queue.arun_due()
        assert await memory.queue.arun_due() == [], "it waits"
        rows("UPDATE agentmem.active_memory SET next_attempt_at = NULL")
        with pytest.raises(RunsFailedError, match="out of luck"):
            await memory.queue.arun_due()
    assert len(await memory.queue.adead_letters()) == 1
    await memory.queue.aretry()
    [report] = await memory.queue.arun_due()
    assert report.promotion is not None
    assert report.promotion.status == "promoted"


async def test_a_run_that_is_stopped_is_given_back_and_costs_no_attempt(
    opened: Open, rows: Rows, heard: Callable[[], object]
) -> None:
    asked = asyncio.Event()

    class Endless:
        async def extract(self, chunks: object) -> object:
            asked.set()
            await anyio.sleep_forever()

    memory = opened(extractor=Endless(), settings={"avg_section_update_count": 0.1})
    await project(memory)
    run = asyncio.create_task(memory.queue.arun_due())
    await asked.wait()
    assert rows("SELECT attempts, lease_owner IS NOT NULL FROM agentmem.active_memory") == [(1, True)]
    await heard()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert await heard() == 1
    assert rows("SELECT attempts, lease_owner, next_attempt_at, due_at <= now() FROM agentmem.active_memory") == [
        (0, None, None, True)
    ]
    assert rows("SELECT status FROM agentmem.consolidation_run") == [("failed",)]


async def test_who_lost_a_memory_to_another_run_leaves_no_mark_on_it(memory: AgentMemory, rows: Rows) -> None:
    created = await project(memory)
    claim = await claiming.claim(memory.resources, "alice", created.id)
    assert isinstance(claim, claiming.Claim)
    rows("UPDATE agentmem.active_memory SET lease_expires_at = now() - interval '1 second'")
    assert (await memory.aconsolidate("alice", created.id)).status == "applied"
    with pytest.raises(LeaseLostError) as lost:
        await _apply(memory, claim)
    await claiming.release(memory.resources, "alice", created.id, claim.run_id, lost.value, if_due=True)
    assert rows("SELECT attempts, last_error, next_attempt_at FROM agentmem.active_memory") == [(0, None, None)]


# The lease


async def test_a_run_renews_its_lease_as_long_as_it_lasts(opened: Open, rows: Rows) -> None:
    renewed = asyncio.Event()
    first: list[object] = []

    class Slow:
        async def extract(self, chunks: object) -> object:
            from langgraph_agentmem.models.entity import Extraction
            from langgraph_agentmem.models.run import ModelUsage

            first.extend(rows("SELECT lease_expires_at FROM agentmem.active_memory"))
            while rows("SELECT lease_expires_at FROM agentmem.active_memory") == first[:1]:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
            renewed.set()
            return Extraction(), ModelUsage()

    memory = opened(extractor=Slow(), settings={"lease_seconds": 0.3})
    created = await project(memory)
    assert (await memory.aconsolidate("alice", created.id)).status == "applied"
    assert renewed.is_set()


# Looking


async def test_the_status_counts_memories_by_what_they_wait_for(opened: Open, rows: Rows) -> None:
    memory = opened(settings={"avg_section_update_count": 1})
    titles = ["scheduled", "due", "running", "waiting", "dead"]
    created = {title: await project(memory, title) for title in titles}
    set_to = "UPDATE agentmem.active_memory SET due_at = now() - interval '90 seconds'"
    rows(f"{set_to} WHERE title <> 'scheduled'")
    rows("UPDATE agentmem.active_memory SET next_attempt_at = now() + interval '1 minute' WHERE title = 'waiting'")
    rows("UPDATE agentmem.active_memory SET dead_at = now() WHERE title = 'dead'")
    assert isinstance(await claiming.claim(memory.resources, "alice", created["running"].id), claiming.Claim)
    status = await memory.queue.astatus()
    assert {name: getattr(status, name) for name in titles} == dict.fromkeys(titles, 1)
    assert 90 <= status.lag_seconds < 3600
    assert status.oldest_due_at is not None
    nothing = await memory.queue.astatus("bob")
    assert (nothing.due, nothing.oldest_due_at, nothing.lag_seconds) == (0, None, 0.0)


async def test_runs_tell_since_when_their_memory_was_due(opened: Open, rows: Rows) -> None:
    memory = opened(settings={"avg_section_update_count": 0.1})
    await project(memory)
    [[due_at]] = rows("SELECT due_at FROM agentmem.active_memory")
    await memory.queue.arun_due()
    [run] = await memory.runs.alist("alice")
    assert run.due_at == due_at
