"""Sections that checkpoints write in one round trip, and that become chunks when somebody asks for these."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Annotated, Any, TypedDict, cast

import psycopg
import pytest
from consistency import caught_up
from langgraph.graph import END, START, StateGraph
from langgraph.store.base import PutOp, SearchOp
from locks import until_waiting
from wire import Wire, wire

from langgraph_agentmem import AgentMemorySaver, MemorySection, hydrate_node
from langgraph_agentmem.errors import StateConflictError, StorageError
from langgraph_agentmem.nodes.apply import apply_node
from langgraph_agentmem.nodes.conflicts import conflicts_node
from langgraph_agentmem.operations.runs import claiming
from langgraph_agentmem.operations.sections import memories as active
from langgraph_agentmem.store import AgentMemoryStore
from langgraph_agentmem.worker import MemoryWorker

Rows = Callable[..., list[tuple[object, ...]]]
Savers = Callable[..., AgentMemorySaver]
ONE = {"pool_size": 1}
"""Settings of a checkpointer whose traffic is looked at."""
CHUNKS = "SELECT content FROM agentmem.memory_chunk WHERE external_id = %s AND current ORDER BY content"


class State(TypedDict, total=False):
    progress: Annotated[str, MemorySection("What is done")]
    facts: Annotated[str, MemorySection("What is known")]
    say: dict[str, Any]


@pytest.fixture
def savers(opened_savers: Savers) -> Savers:
    return partial(opened_savers, state_schema=State)


def agent(saver: AgentMemorySaver, *, hydrate: bool = False) -> Any:
    """A graph that writes into its state whatever it is told, with a first node that loads memory if so asked."""
    graph = StateGraph(State)
    graph.add_node("work", lambda state: state.get("say") or {})
    if hydrate:
        graph.add_node("hydrate", hydrate_node(saver))
        graph.add_edge("hydrate", "work")
    graph.add_edge(START, "hydrate" if hydrate else "work")
    graph.add_edge("work", END)
    return graph.compile(checkpointer=saver)


def of(thread: str, tenant: str = "alice") -> dict[str, Any]:
    return {"configurable": {"thread_id": thread, "user_id": tenant}}


async def say(saver: AgentMemorySaver, thread: str, tenant: str = "alice", **texts: str) -> None:
    await agent(saver).ainvoke({"say": texts}, of(thread, tenant))


@asynccontextmanager
async def at_work(worker: MemoryWorker) -> AsyncGenerator[None]:
    working = asyncio.create_task(worker.arun())
    try:
        yield
    finally:
        worker.stop()
        await working


async def until(rows: Rows, sql: str, expected: int) -> None:
    async with asyncio.timeout(20):
        while rows(sql) != [(expected,)]:  # noqa: ASYNC110 - another task changes the rows
            await asyncio.sleep(0.02)


class StoredAtOnce:
    """Of each checkpoint with sections that a checkpointer stores, whether it was by one statement."""

    def __init__(self, traffic: Wire) -> None:
        self._traffic = traffic

    def __call__(self) -> list[bool]:
        found = list[bool]()
        for sent in self._traffic.statements:
            if "INSERT INTO checkpoints" in sent.text and "agentmem.section" in sent.text and not sent.refused:
                found.append(True)
            elif "agentmem.active_memory" in sent.text and "namespace = $" in sent.text and "FOR UPDATE" in sent.text:
                found.append(False)
        return found


@asynccontextmanager
async def at_once(saver: AgentMemorySaver) -> AsyncGenerator[StoredAtOnce]:
    """Look at what a checkpointer with one connection stores from now on."""
    async with wire(saver.memory) as traffic:
        yield StoredAtOnce(traffic)


# One round trip


async def test_a_thread_that_writes_alone_needs_one_round_trip(savers: Savers, rows: Rows) -> None:
    saver = savers(settings=ONE)
    async with at_once(saver) as stored:
        for text in ("one", "two", "two", "three"):
            await say(saver, "1", progress=text, facts="the same")
        assert stored() == [False, True, True, True]

    written = "SELECT value, revision, update_count, total_updates, source FROM agentmem.section ORDER BY section_id"
    assert rows(written) == [
        ({"content": "the same"}, 2, 1, 1, "thread 1"),
        ({"content": "three"}, 4, 3, 3, "thread 1"),
    ]
    assert rows("SELECT pending_updates FROM agentmem.active_memory") == [(4,)]


@pytest.mark.parametrize("policy", ["last_write", "refuse"])
async def test_whoever_wrote_in_between_is_noticed(savers: Savers, rows: Rows, policy: Any) -> None:
    saver = savers(on_conflict=policy, settings=ONE)
    async with at_once(saver) as stored:
        await say(saver, "1", progress="one")
        await say(saver, "1", progress="two")
        [memory] = await saver.memory.aget_active_memories("alice")
        await saver.memory.aupdate_active_memory_section("alice", memory.id, "progress", new_content="by hand")
        before = rows("SELECT count(*) FROM checkpoints")

        outcome = await _outcome(agent(saver).aupdate_state(of("1"), {"progress": "three"}))
        assert stored() == [False, True, False]

    refused = policy == "refuse"
    assert isinstance(outcome, StateConflictError) == refused
    assert (rows("SELECT count(*) FROM checkpoints") == before) == refused
    assert (await saver.memory.aget_active_memory("alice", memory.id)).sections["progress"].content == (
        "by hand" if refused else "three"
    )


async def test_a_memory_that_was_closed_in_between_is_made_anew(savers: Savers, rows: Rows) -> None:
    saver = savers()
    await say(saver, "1", progress="one")
    await say(saver, "1", progress="two")
    [memory] = await saver.memory.aget_active_memories("alice")
    await saver.memory.adelete_active_memory("alice", memory.id)

    await say(saver, "1", progress="three")

    [made] = await saver.memory.aget_active_memories("alice")
    assert made.id != memory.id
    assert made.sections["progress"].content == "three"


async def test_the_put_that_reaches_the_threshold_makes_the_memory_due(savers: Savers, rows: Rows) -> None:
    saver = savers(settings=ONE | {"avg_section_update_count": 1.5, "max_pending_minutes": 60})
    due = "SELECT due_at <= now(), due_at <= now() + interval '60 minutes' FROM agentmem.active_memory"

    async with at_once(saver) as stored:
        await say(saver, "1", progress="one")
        await say(saver, "1", progress="two")
        assert rows(due) == [(False, True)]
        assert [report.status for report in await saver.memory.queue.arun_due()] == []
        await say(saver, "1", progress="three")
        assert rows(due) == [(True, True)]
        [report] = await saver.memory.queue.arun_due()
        assert stored() == [False, True, True]

    assert (report.status, report.updates_consumed) == ("applied", 3)
    await say(saver, "1", progress="four")
    assert rows(due) == [(False, True)]


async def test_a_worker_hears_of_a_memory_that_becomes_due(savers: Savers, rows: Rows) -> None:
    saver = savers(settings={"avg_section_update_count": 1.5})
    await say(saver, "1", progress="one")
    async with at_work(MemoryWorker(saver.memory, poll_seconds=600)):
        await until(
            rows,
            "SELECT count(*) FROM pg_stat_activity WHERE query = 'LISTEN agentmem_due' AND datname = current_database()",
            1,
        )
        for text in ("two", "three"):
            await say(saver, "1", progress=text)
        await until(rows, "SELECT count(*) FROM agentmem.consolidation_run WHERE status = 'applied'", 1)


async def test_another_error_is_told_as_it_is(savers: Savers, rows: Rows) -> None:
    saver = savers()
    await say(saver, "1", progress="one")
    await say(saver, "1", progress="two")
    rows("ALTER TABLE agentmem.section ADD CONSTRAINT short CHECK (length(value ->> 'content') < 9)")

    with pytest.raises(StorageError, match="short"):
        await agent(saver).aupdate_state(of("1"), {"progress": "much too long"})

    assert rows("SELECT value ->> 'content' FROM agentmem.section WHERE section_id = 'progress'") == [("two",)]


async def test_several_writers_at_once_lose_no_update(savers: Savers, rows: Rows) -> None:
    contestants = [savers() for _ in range(4)]
    await asyncio.gather(*(say(saver, str(n), progress="begun") for n, saver in enumerate(contestants)))
    [(before,)] = rows("SELECT total_updates FROM agentmem.section WHERE section_id = 'progress'")

    async def work(number: int) -> None:
        for step in range(25):
            await agent(contestants[number]).aupdate_state(of(str(number)), {"progress": f"{number}: {step}"})

    await asyncio.gather(*map(work, range(4)))

    counts = "SELECT total_updates, update_count, revision FROM agentmem.section WHERE section_id = 'progress'"
    [(total, pending, revision)] = rows(counts)
    assert (total, pending, revision) == (before + 100, before + 100, before + 101)
    assert rows("SELECT pending_updates FROM agentmem.active_memory") == [(before + 100,)]


async def test_threads_that_take_turns_do_not_try_what_fails_again_and_again(savers: Savers) -> None:
    saver = savers(settings=ONE)
    async with wire(saver.memory) as traffic:
        for step in range(10):
            await say(saver, str(step % 2), progress=f"step {step}")
        refused = [sent for sent in traffic.statements if sent.refused]
        assert len(refused) <= 2, "each thread has taken itself for the only one once"
        for step in range(3):
            await say(saver, "0", progress=f"alone {step}")
        assert StoredAtOnce(traffic)()[-2:] == [True, True]
        assert [sent for sent in traffic.statements if sent.refused] == refused


async def test_a_text_that_the_section_has_already_makes_nothing_due(savers: Savers, rows: Rows) -> None:
    saver = savers(settings={"max_pending_minutes": 60})
    await say(saver, "1", progress="one", facts="none")
    await say(saver, "1", progress="two")
    [memory] = await saver.memory.aget_active_memories("alice")
    await saver.memory.aupdate_active_memory_sections(
        "alice", memory.id, [{"section_id": "progress", "new_content": "three"}]
    )
    await saver.memory.aconsolidate("alice", memory.id)
    state = "SELECT pending_updates, due_at, updated_at FROM agentmem.active_memory"
    [before] = rows(state)
    await say(saver, "1", progress="three")

    assert before[:2] == (0, None)
    assert rows(state) == [before]


async def test_a_checkpoint_that_loses_a_deadlock_is_stored_once_more(savers: Savers, rows: Rows) -> None:
    """Two who store the same one at once may lock its rows and the memory in another order."""
    saver = savers()
    await say(savers(), "1", progress="begun", facts="none")
    rows("CREATE SEQUENCE deadlocks")
    rows(
        "CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF nextval('deadlocks') = 1 THEN "
        "RAISE EXCEPTION 'lost' USING errcode = '40P01'; END IF; RETURN new; END $$"
    )
    rows("CREATE TRIGGER lost BEFORE INSERT ON checkpoints FOR EACH ROW EXECUTE FUNCTION lose()")
    await agent(saver).aupdate_state(of("1"), {"progress": "done"})
    rows("ALTER SEQUENCE deadlocks RESTART")
    await agent(saver).aupdate_state(of("2", "nobody"), {"say": {}})

    assert rows("SELECT value ->> 'content' FROM agentmem.section WHERE section_id = 'progress'") == [("done",)]


async def test_a_copy_that_a_put_overtakes_does_not_overwrite_what_it_has_not_seen(savers: Savers, rows: Rows) -> None:
    saver = savers(on_conflict="refuse")
    await say(saver, "1", progress="one")
    rows(
        "CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM pg_sleep(0.2); RETURN new; END $$"
    )
    rows(
        "CREATE TRIGGER lingers BEFORE INSERT ON checkpoints FOR EACH ROW WHEN (new.thread_id = 'copy') "
        "EXECUTE FUNCTION linger()"
    )
    copying = asyncio.create_task(saver.acopy_thread("1", "copy"))
    await asyncio.sleep(0.1)
    await agent(saver).aupdate_state(of("1"), {"progress": "two"})
    assert not copying.done()
    await copying
    rows("DROP TRIGGER lingers ON checkpoints")

    with pytest.raises(StateConflictError):
        await agent(saver).aupdate_state(of("copy"), {"progress": "of the copy"})


async def _outcome(call: Any) -> Exception | None:
    try:
        await call
    except (StateConflictError, StorageError) as error:
        return error
    return None


# Chunks when they are needed


async def test_searches_find_the_last_text_and_none_before(savers: Savers, rows: Rows) -> None:
    saver = savers()
    store = AgentMemoryStore(saver.memory)
    for text in ("green tea", "black tea", "black coffee"):
        await say(saver, "1", progress=text)
    assert rows(CHUNKS, "alice") == []

    assert [hit.content for hit in await saver.memory.asearch("alice", "coffee")] == ["black coffee"]
    assert await saver.memory.asearch("alice", "tea") == []
    await say(saver, "1", progress="herbal tea")
    assert [hit.key for hit in await store.asearch(("alice",), query="herbal") if hit.score] == ["progress"]
    await say(saver, "1", progress="white wine")
    assert [hit.key for hit in await store.asearch((), query="wine") if hit.score] == ["progress"]
    await say(saver, "1", progress="red wine")
    found, _ = await store.abatch(
        [SearchOp(("alice",), query="red"), PutOp(("alice", "notes"), "k", {"text": "elsewhere"})]
    )
    assert [hit.key for hit in found if hit.score] == ["progress"]
    await caught_up(saver.memory)
    assert rows(CHUNKS, "alice") == [("elsewhere",), ("red wine",)]


async def test_searches_at_once_write_chunks_once(savers: Savers, rows: Rows) -> None:
    saver = savers()
    await asyncio.gather(*(say(saver, f"{n}", f"user {n % 2}", facts=f"tea {n}") for n in range(6)))
    for round in range(5):
        await asyncio.gather(*(say(saver, f"{n}", f"user {n}", progress=f"coffee {round}") for n in range(2)))
        found = await asyncio.gather(*(saver.memory.asearch(f"user {n % 2}", "coffee") for n in range(8)))
        assert [[hit.content for hit in hits] for hits in found] == [[f"coffee {round}"]] * 8
    for tenant in ("user 0", "user 1"):
        assert [row for row in rows(CHUNKS, tenant) if "coffee" in str(row)] == [("coffee 4",)]


async def test_one_tenants_search_leaves_another_tenants_sections_alone(savers: Savers, rows: Rows) -> None:
    saver = savers()
    await say(saver, "1", "alice", progress="green tea")
    await say(saver, "2", "bob", progress="black tea")

    assert [hit.content for hit in await saver.memory.asearch("alice", "tea")] == ["green tea"]
    assert rows("SELECT external_id FROM agentmem.section WHERE needs_chunking") == [("bob",)]


async def test_a_worker_cuts_what_is_stale_without_an_embedder(savers: Savers, rows: Rows) -> None:
    saver = savers()
    for tenant in ("alice", "bob"):
        await say(saver, tenant, tenant, progress="green tea")
    async with at_work(MemoryWorker(saver.memory, poll_seconds=0.05)):
        await until(rows, "SELECT count(*) FROM agentmem.section WHERE needs_chunking", 0)

    assert rows(CHUNKS, "alice") == rows(CHUNKS, "bob") == [("green tea",)]


async def test_all_tenants_are_cut_however_many_they_are(savers: Savers, rows: Rows) -> None:
    saver = savers()
    await say(saver, "1", "user", progress="tea")
    copies = "SELECT 'user ' || n, {} FROM agentmem.{} t, generate_series(1, 300) n"
    for table, columns in (
        ("active_memory", "id, namespace, title, template, section_count"),
        ("section", "memory_id, section_id, position, value, needs_chunking"),
    ):
        chosen = copies.format("t." + columns.replace(", ", ", t."), table)
        rows(f"INSERT INTO agentmem.{table} (external_id, {columns}) {chosen}")

    await saver.memory.queue.aembed_pending()

    assert rows("SELECT count(*) FROM agentmem.section WHERE needs_chunking") == [(0,)]
    assert rows("SELECT count(*), count(DISTINCT external_id) FROM agentmem.memory_chunk") == [(301, 301)]


async def test_an_update_leaves_nothing_stale_of_what_it_writes(savers: Savers, rows: Rows) -> None:
    saver = savers()
    store = AgentMemoryStore(saver.memory)
    await say(saver, "1", progress="green tea", facts="black tea")
    [memory] = await saver.memory.aget_active_memories("alice")

    await saver.memory.aupdate_active_memory_section("alice", memory.id, "progress", new_content="red wine")
    assert rows("SELECT section_id FROM agentmem.section WHERE needs_chunking") == [("facts",)]
    assert rows(CHUNKS, "alice") == [("red wine",)]
    await store.aput(memory.namespace, "facts", {"content": "white wine"})
    assert rows("SELECT section_id FROM agentmem.section WHERE needs_chunking") == [("facts",)]
    await store.asearch(memory.namespace, query="wine")
    assert rows("SELECT section_id FROM agentmem.section WHERE needs_chunking") == []
    assert rows(CHUNKS, "alice") == [("red wine",), ("white wine",)]


# Runs


async def test_a_run_takes_what_was_written_last(savers: Savers, rows: Rows) -> None:
    saver = savers()
    for text in ("green tea", "black tea"):
        await say(saver, "1", progress=text)

    [report] = await saver.memory.queue.aflush("alice")

    assert (report.updates_consumed, report.chunks_added) == (2, 1)
    assert rows("SELECT content, tier FROM agentmem.memory_chunk") == [("black tea", "shortterm")]


async def test_a_memory_with_values_that_are_no_chunks_yet_is_not_closed(savers: Savers, rows: Rows) -> None:
    saver = savers()
    await say(saver, "1", progress="green tea")
    await saver.memory.queue.aflush("alice")
    await say(saver, "1", progress="black tea")
    [memory] = await saver.memory.aget_active_memories("alice")

    assert not await active.close(saver.memory.resources, "alice", memory.id)
    await saver.memory.adelete_active_memory("alice", memory.id)

    assert ("black tea",) in rows("SELECT content FROM agentmem.memory_chunk WHERE tier <> 'active'")


async def test_a_run_sees_what_checkpoints_write_while_it_is_under_way(savers: Savers, rows: Rows) -> None:
    saver = savers()
    memory = saver.memory
    await say(saver, "1", progress="green tea")
    [found] = await memory.aget_active_memories("alice")
    claim = await claiming.claim(memory.resources, "alice", found.id)
    assert isinstance(claim, claiming.Claim)
    await say(saver, "1", progress="black tea")
    state: dict[str, Any] = {"claim": claim.model_dump(mode="json")}

    await apply_node(memory).ainvoke(state | await conflicts_node(memory).ainvoke(state))

    assert rows("SELECT content, tier, current FROM agentmem.memory_chunk ORDER BY id") == [
        ("green tea", "shortterm", False),
        ("black tea", "active", True),
    ]
    assert rows("SELECT pending_updates FROM agentmem.active_memory") == [(1,)]


@pytest.mark.parametrize("after", ["undo", "promote", "review"])
async def test_whoever_changes_chunks_cuts_first_what_is_stale(savers: Savers, rows: Rows, after: str) -> None:
    saver = savers(settings={"review": "always"})
    memory = saver.memory
    for text in ("Deadline: May 1", "Deadline: June 1"):
        await say(saver, "1", progress=text)
        [report] = await memory.queue.aflush("alice")
    assert report.run_id
    assert len(report.parked) == 1
    await say(saver, "1", progress="Deadline: July 1")
    [found] = await memory.aget_active_memories("alice")

    match after:
        case "undo":
            await memory.runs.aundo("alice", report.run_id)
        case "promote":
            await memory.apromote("alice", found.id, force=True)
        case _:
            await memory.reviews.adecide("alice", report.run_id, [{"dispute": report.parked[0], "action": "accept"}])

    assert rows(CHUNKS, "alice") == [("Deadline: July 1",)]


async def test_what_is_read_of_chunks_is_as_of_the_last_text(savers: Savers) -> None:
    saver = savers(settings={"review": "always"})
    memory = saver.memory
    store = AgentMemoryStore(memory, tiers=("active", "shortterm"))
    for text in ("Deadline: May 1", "Deadline: June 1"):
        await say(saver, "1", progress=text)
        await memory.queue.aflush("alice")
    await say(saver, "1", progress="Deadline: July 1")

    [review] = await memory.reviews.apending("alice")
    assert not review.disputes[0].new_now.current
    await say(saver, "1", progress="Deadline: June 1")
    [dispute] = await memory.reviews.adisputes("alice", review.run_id)
    assert dispute.new_now.current
    [hit] = [hit for hit in await store.asearch(("alice",), query="june") if hit.score]
    assert hit.key == "progress"
    await say(saver, "1", progress="Deadline: August 1")
    [hit] = [hit for hit in await store.asearch(("alice",), query="june") if hit.score]
    assert hit.namespace[-1] == "@shortterm"
    await say(saver, "1", progress="Deadline: June 1")
    found = await store.aget(hit.namespace, hit.key)
    assert found is not None
    assert found.value["current"]


# What comes in between


async def held_up(
    dsn: str, saver: AgentMemorySaver, rows: Rows, statement: str, texts: dict[str, str]
) -> Exception | None:
    """What becomes of a checkpoint that waits for somebody who holds the memory and changes something of it."""
    async with await psycopg.AsyncConnection.connect(dsn) as other:
        await other.execute("SELECT 1 FROM agentmem.active_memory FOR UPDATE")
        await other.execute(cast("Any", statement))
        put = asyncio.create_task(_outcome(agent(saver).aupdate_state(of("1"), texts)))
        await until_waiting(rows)
        await other.commit()
    return await put


async def test_a_section_that_changes_while_a_checkpoint_waits_is_not_overwritten(
    savers: Savers, rows: Rows, dsn: str
) -> None:
    saver = savers(on_conflict="refuse")
    for text in ("one", "two"):
        await say(saver, "1", progress=text)

    outcome = await held_up(
        dsn,
        saver,
        rows,
        'UPDATE agentmem.section SET value = \'{"content": "by another"}\', revision = revision + 1 '
        "WHERE section_id = 'progress'",
        {"progress": "three"},
    )

    assert isinstance(outcome, StateConflictError)
    assert rows("SELECT value, revision FROM agentmem.section WHERE section_id = 'progress'") == [
        ({"content": "by another"}, 4)
    ]


async def test_what_is_loaded_while_a_checkpoint_waits_is_settled_by_it(savers: Savers, rows: Rows, dsn: str) -> None:
    saver = savers()
    for text in ("one", "two"):
        await say(saver, "1", progress=text)

    outcome = await held_up(
        dsn,
        saver,
        rows,
        "UPDATE agentmem.thread_section SET loaded_revision = revision, loaded_hash = 'x', loaded_at = ''",
        {"progress": "three"},
    )

    assert outcome is None
    assert rows("SELECT revision, loaded_at FROM agentmem.thread_section WHERE section_id = 'progress'") == [(4, None)]


async def test_a_memory_that_is_closed_while_a_checkpoint_waits_is_made_anew(
    savers: Savers, rows: Rows, dsn: str
) -> None:
    saver = savers()
    for text in ("one", "two"):
        await say(saver, "1", progress=text)

    outcome = await held_up(
        dsn,
        saver,
        rows,
        "WITH gone AS (DELETE FROM agentmem.section RETURNING 1) "
        "UPDATE agentmem.active_memory SET closed_at = now(), section_count = 0, pending_updates = 0",
        {"progress": "three"},
    )

    assert outcome is None
    [made] = await saver.memory.aget_active_memories("alice")
    assert made.sections["progress"].content == "three"
