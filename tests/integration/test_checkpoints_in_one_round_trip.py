"""A checkpoint and the sections that it changes are stored by one statement, whoever comes in between."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, cast

import psycopg
import pytest
from checkpointing import of
from texts import State, agent, say
from waiting import until_listening, until_rows, until_waiting, working
from wire import Wire, wire

from langgraph_agentmem import AgentMemorySaver
from langgraph_agentmem.errors import StateConflictError, StorageError
from langgraph_agentmem.worker import MemoryWorker

Rows = Callable[..., list[tuple[object, ...]]]
Savers = Callable[..., AgentMemorySaver]
ONE = {"pool_size": 1}
"""Settings of a checkpointer whose traffic is looked at."""


@pytest.fixture
def savers(opened_savers: Savers) -> Savers:
    return partial(opened_savers, state_schema=State)


class StoredAtOnce:
    """Of each checkpoint with sections that a checkpointer stores, whether it was by one statement."""

    def __init__(self, traffic: Wire) -> None:
        self._traffic = traffic

    def __call__(self) -> list[bool]:
        found = list[bool]()
        for sent in self._traffic.statements:
            if "INSERT INTO checkpoints" in sent.text and "agentmem.section" in sent.text and not sent.refused:
                found.append(True)
            elif "INSERT INTO checkpoints" in sent.text and "stored0" not in sent.text:
                found.append(False)  # LangGraph's own statement, in a transaction that looks at sections
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


async def test_a_section_that_a_thread_leaves_alone_is_looked_at_where_others_have_written_it(
    savers: Savers, rows: Rows
) -> None:
    saver = savers(settings=ONE)
    async with at_once(saver) as stored:
        for text in ("one", "two"):
            await say(saver, "1", progress=text, facts="the same")
        [memory] = await saver.memory.aget_active_memories("alice")
        for text in ("by hand", "the same"):
            await saver.memory.aupdate_active_memory_section("alice", memory.id, "facts", new_content=text)

        await say(saver, "1", progress="three", facts="the same")
        assert stored() == [False, True, False]

    seen = "SELECT t.revision - s.revision FROM agentmem.thread_section t JOIN agentmem.section s USING (section_id)"
    assert rows(seen) == [(0,), (0,)]


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
    async with working(MemoryWorker(saver.memory, poll_seconds=600)):
        await until_listening(rows)
        for text in ("two", "three"):
            await say(saver, "1", progress=text)
        await until_rows(rows, "SELECT count(*) FROM agentmem.consolidation_run WHERE status = 'applied'", [(1,)])


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
        assert StoredAtOnce(traffic)()[-1]
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


async def test_a_copy_that_a_put_overtakes_does_not_overwrite_what_it_has_not_seen(
    savers: Savers, rows: Rows, dsn: str
) -> None:
    saver = savers(on_conflict="refuse")
    await say(saver, "1", progress="one")
    rows(
        "CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM pg_advisory_xact_lock(1); RETURN new; END $$"
    )
    rows(
        "CREATE TRIGGER lingers BEFORE INSERT ON checkpoints FOR EACH ROW WHEN (new.thread_id = 'copy') "
        "EXECUTE FUNCTION linger()"
    )
    with psycopg.connect(dsn) as holding:
        holding.execute("SELECT pg_advisory_lock(1)")
        copying = asyncio.create_task(saver.acopy_thread("1", "copy"))
        await until_waiting(rows)
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
