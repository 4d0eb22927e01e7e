"""What is forgotten is gone from every table, and a receipt says what was removed and what remains."""

import asyncio
import json
import re
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from consistency import assert_consistent
from fakes import ScriptedModel, WordEmbedder
from people import start
from store_and_memory import everything
from triggers import out_of_luck
from waiting import until_waiting
from wire import wire

from langgraph_agentmem import AgentMemory
from langgraph_agentmem.errors import InvalidInputError, MemoryNotFoundError, StorageError
from langgraph_agentmem.operations.deletion import forgetting

Rows = Callable[..., list[tuple[Any, ...]]]
Open = Callable[..., AgentMemory]
TENANT_TABLES = """
SELECT table_name FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)
WHERE table_schema = 'agentmem' AND column_name = 'external_id' AND table_type = 'BASE TABLE'"""


LINE = re.compile(r"(\w+)/(\w+)(?: (\w+) (\w+)/(\w+))?: (.*)")


def said(name: str, data: dict[str, Any]) -> dict[str, Any]:
    """Finds what a line `Name/type: words`, or `Name/type knows Name/type: words`, says: the words describe all of it."""
    found: dict[str, Any] = {"entities": [], "relationships": []}
    for chunk in data.get("chunks", ()) if name == "Extraction" else ():
        for source, type_, kind, target, other, words in LINE.findall(chunk["content"]):
            common = {"description": words, "chunk_ids": [chunk["id"]]}
            named = {source: type_, target: other} if target else {source: type_}
            found["entities"] += [{"name": each, "types": [its], **common} for each, its in named.items()]
            found["relationships"] += (
                [{"source": source, "target": target, "types": [kind], **common}] if target else []
            )
    return found


@pytest.fixture
def memory(opened: Open) -> AgentMemory:
    return opened(model=ScriptedModel(answer=said))


async def promoted(memory: AgentMemory, title: str, *texts: str, tenant: str = "alice") -> int:
    id = await start(memory, tenant, title)
    for text in texts:
        await memory.aupdate_active_memory_section(tenant, id, "facts", text)
        await memory.aconsolidate(tenant, id)
        await memory.apromote(tenant, id, force=True)
    return id


def left_of(rows: Rows, tenant: str = "alice") -> dict[str, int]:
    """How many rows each table has of a tenant."""
    counts = {
        name: rows(f"SELECT count(*) FROM agentmem.{name} WHERE external_id = %s", tenant)[0][0]
        for (name,) in rows(TENANT_TABLES)
    }
    return {name: count for name, count in counts.items() if count}


# What others support as well


SECRET = "- Falcon/hush hides Owl/bird: the zebra plan\n- Owl/hush: met in the zebra house"
OPEN = "- Falcon/project knows Owl/bird: met in public"


@pytest.mark.parametrize("secret_first", [True, False])
async def test_what_two_memories_have_given_to_long_term_memory_loses_what_the_forgotten_one_gave(
    memory: AgentMemory, rows: Rows, dsn: str, secret_first: bool
) -> None:
    texts = {"Secret": [SECRET, SECRET + "\n- Lynx/cat: a zebra, too"], "Open": [OPEN]}
    ids = {title: await promoted(memory, title, *texts[title]) for title in sorted(texts, reverse=secret_first)}
    await memory.aupdate_active_memory_section("alice", ids["Open"], "facts", f"{OPEN}, again")
    await memory.aconsolidate("alice", ids["Open"])
    await memory.apromote("alice", ids["Open"], force=True)
    # Neo4j's errors may quote what they refuse
    rows(
        "UPDATE agentmem.graph_outbox SET dead_at = now(), error = 'the zebra plan is refused' WHERE kind = 'chunk' "
        "AND target_id IN (SELECT id FROM agentmem.memory_chunk WHERE memory_id = %s)",
        ids["Secret"],
    )
    assert "zebra" in everything(rows)

    receipt = await memory.adelete_active_memory("alice", ids["Secret"], forget=True)

    assert receipt is not None
    held = everything(rows).casefold()
    assert [word for word in ("zebra", "hush", "hides", "lynx") if word in held] == []
    assert rows("SELECT name, types, description FROM agentmem.longterm_entity ORDER BY name") == [
        ("Falcon", ["project"], "met in public, again"), ("Owl", ["bird"], "met in public, again"),
    ]  # fmt: skip
    assert rows("SELECT types, description, end_date FROM agentmem.longterm_relationship") == [
        (["knows"], "met in public, again", None)
    ]
    assert receipt.changed["entity"] >= 1
    assert receipt.changed["relationship"] == 1
    history = (await memory.aget_entity("alice", "Falcon", tier="longterm")).state_history
    assert history
    assert (history[-1]["source"], history[-1]["action"]) == ("forgetting", "restored")
    assert_consistent(dsn)


async def test_a_long_term_relationship_ends_when_only_the_forgotten_memory_held_it(
    memory: AgentMemory, rows: Rows
) -> None:
    valid = await promoted(memory, "Valid", OPEN)
    ended = await promoted(memory, "Ended", OPEN)
    rows(
        "UPDATE agentmem.relationship r SET end_date = now(), revision = revision + 1 FROM agentmem.shortterm_memory s "
        "WHERE s.id = r.shortterm_memory_id AND s.memory_id = %s",
        ended,
    )
    await memory.apromote("alice", ended, force=True)
    assert rows("SELECT end_date FROM agentmem.longterm_relationship") == [(None,)]

    await memory.adelete_active_memory("alice", valid, forget=True)

    [[end]] = rows("SELECT end_date FROM agentmem.longterm_relationship")
    assert end is not None


async def test_long_term_memory_without_the_forgotten_part_can_be_undone(memory: AgentMemory, rows: Rows) -> None:
    gone = await promoted(memory, "Gone", "Falcon/hush: the zebra plan")
    kept = await promoted(memory, "Kept", "Falcon/bird: a bird", "Falcon/bird: a fast bird")
    await memory.adelete_active_memory("alice", gone, forget=True)
    [run] = [run for run in await memory.runs.alist("alice", kept) if run.changed and run.changed.entities_merged]
    await memory.runs.aundo("alice", run.id)
    assert rows("SELECT types, description FROM agentmem.longterm_entity") == [(["bird"], "a bird")]


# A memory's receipt


async def test_a_memorys_receipt_counts_what_was_removed_and_looking_again_finds_nothing(
    opened: Open, rows: Rows, dsn: str
) -> None:
    memory = opened(model=ScriptedModel(answer=said), review="always")
    id = await promoted(memory, "Project", f"{OPEN}\n- Deadline: May 1", f"{OPEN}\n- Deadline: June 1")
    await memory.aadd("alice", [{"role": "user", "content": "Hello, Falcon.", "id": "m1"}], memory_id=id, infer=False)
    other = await promoted(memory, "Other", "Heron/bird: a heron")
    mine = {id, *(each for (each,) in rows("SELECT id FROM agentmem.active_memory WHERE id <> %s", other))}
    assert len(mine) == 2
    before = left_of(rows)

    receipt = await memory.adelete_active_memory("alice", id, forget=True)

    assert receipt is not None
    after = left_of(rows)
    outbox = ("graph_outbox", "graph_projection")
    assert receipt.removed == {
        name: gone for name in before if name not in outbox and (gone := before[name] - after.get(name, 0))
    }
    assert receipt.removed["dispute"] >= 1
    assert receipt.removed["noted_message"] == 1
    assert (receipt.scope, set(receipt.memory_ids), receipt.projected) == ("memory", mine, "never")
    assert receipt.started_at <= receipt.finished_at
    assert "Falcon" not in receipt.model_dump_json()
    check = await memory.averify_receipt(receipt)
    assert (check.gone, check.intact, check.found, check.waiting) == (True, True, {}, 0)
    with pytest.raises(MemoryNotFoundError):
        await memory.adelete_active_memory("alice", id, forget=True)
    assert_consistent(dsn)


async def test_what_came_back_is_found(memory: AgentMemory, rows: Rows) -> None:
    id = await promoted(memory, "Project", OPEN)
    saved = rows("SELECT to_jsonb(m) FROM agentmem.active_memory m")[0][0]
    receipt = await memory.adelete_active_memory("alice", id, forget=True)
    assert receipt is not None
    restored = (
        "INSERT INTO agentmem.active_memory (external_id, id, namespace, title, template) "
        "SELECT external_id, id, namespace, title, template FROM jsonb_populate_record(NULL::agentmem.active_memory, %s)"
    )
    rows(restored, json.dumps(saved))
    check = await memory.averify_receipt(receipt)
    assert (check.gone, check.intact, check.found) == (False, True, {"active_memory": 1})


@pytest.mark.parametrize("form", ["receipt", "dict", "text"])
async def test_a_changed_receipt_is_noticed_in_whichever_form_it_was_kept(memory: AgentMemory, form: str) -> None:
    await promoted(memory, "Project", OPEN)
    receipt = await memory.aforget_tenant("alice")
    forms = {
        "receipt": lambda r: r,
        "dict": lambda r: json.loads(r.model_dump_json()),
        "text": lambda r: r.model_dump_json(),
    }
    for changed, intact in (
        (receipt, True),
        (receipt.model_copy(update={"removed": {**receipt.removed, "memory_chunk": 0}}), False),
        (receipt.model_copy(update={"external_id": "bob"}), False),
        (receipt.model_copy(update={"remains": ()}), False),
    ):
        check = await memory.averify_receipt(forms[form](changed))
        assert (check.intact, check.gone) == (intact, intact)


@pytest.mark.parametrize("given", ["", "{}", "no receipt", {"scope": "tenant"}])
async def test_what_is_no_receipt_is_refused(memory: AgentMemory, given: Any) -> None:
    with pytest.raises(InvalidInputError, match="no receipt of a deletion"):
        await memory.averify_receipt(given)


# A tenant's receipt


async def test_nothing_is_left_of_a_tenant_and_others_keep_what_they_have(opened: Open, rows: Rows, dsn: str) -> None:
    memory = opened(model=ScriptedModel(answer=said), index=WordEmbedder(), review="always")
    for tenant in ("alice", "bob"):
        await promoted(memory, "First", f"{OPEN}\n- Deadline: May 1", f"{OPEN}\n- Deadline: June 1", tenant=tenant)
        await promoted(memory, "Second", SECRET, tenant=tenant)
        closed = await promoted(memory, "Closed", "Heron/bird: a heron", tenant=tenant)
        await memory.adelete_active_memory(tenant, closed)
        await memory.aadd(tenant, [{"role": "user", "content": "Hello.", "id": "m1"}], infer=False)
    before = left_of(rows)
    assert left_of(rows, "bob") == before

    receipt = await memory.aforget_tenant("alice")

    assert left_of(rows) == {}
    assert left_of(rows, "bob") == before
    # that things go is noted there
    assert receipt.removed.pop("graph_outbox") >= before.pop("graph_outbox")
    assert (receipt.removed, receipt.changed) == (before, {})
    again = await memory.aforget_tenant("alice")
    assert (again.removed, again.projected) == ({}, "never")
    assert (await memory.averify_receipt(again)).gone
    assert_consistent(dsn)


async def test_this_process_keeps_no_vectors_of_what_it_has_forgotten(opened: Open) -> None:
    embedder = WordEmbedder()
    memory = opened(index=embedder)
    await promoted(memory, "Project", OPEN)
    asked = len(embedder.calls)
    await promoted(memory, "Again", OPEN)
    assert len(embedder.calls) == asked, "the vectors are known"
    await memory.aforget_tenant("alice")
    await promoted(memory, "Project", OPEN)
    assert len(embedder.calls) > asked


async def test_large_memories_go_in_batches_each_of_which_leaves_all_in_order(
    memory: AgentMemory, rows: Rows, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forgetting, "CHUNKS_AT_ONCE", 3)
    await promoted(memory, "Other", "\n\n".join(f"- Bird{i}/bird: number {i}" for i in range(4)))
    id = await promoted(memory, "Large", "\n\n".join(f"- Bird{i}/hush: zebra {i}" for i in range(10)))
    count = rows("SELECT count(*) FROM agentmem.memory_chunk WHERE memory_id = %s", id)[0][0]
    assert count == 10
    with (
        out_of_luck(rows, "DELETE ON agentmem.active_memory", f"old.id = {id}"),
        pytest.raises(StorageError, match="out of luck"),
    ):
        await memory.aforget_tenant("alice")
    # three batches are done, and the last one, with which the memory goes, is not
    assert rows("SELECT memory_id, count(*) FROM agentmem.memory_chunk GROUP BY 1") == [(id, 1)]
    assert len(set(re.findall(r"zebra \d", everything(rows)))) == 1
    assert rows("SELECT id, closed_at IS NULL FROM agentmem.active_memory") == [(id, False)]
    receipt = await memory.aforget_tenant("alice")
    assert (receipt.removed["active_memory"], receipt.removed["memory_chunk"]) == (1, 1)
    assert left_of(rows) == {}
    assert_consistent(dsn)


async def test_two_at_once_share_the_work(memory: AgentMemory, opened: Open, rows: Rows) -> None:
    for i in range(4):
        await promoted(memory, f"Project {i}", OPEN, f"Falcon/project: number {i}")
    before = left_of(rows)
    first, second = await asyncio.gather(memory.aforget_tenant("alice"), opened().aforget_tenant("alice"))
    both = {name: first.removed.get(name, 0) + second.removed.get(name, 0) for name in before}
    assert both.pop("graph_outbox") >= before.pop("graph_outbox")
    assert both == before
    assert left_of(rows) == {}
    assert (await memory.averify_receipt(first)).gone


async def test_memories_that_share_what_they_know_take_no_more_round_trips_and_rows_each_for_being_many(
    memory: AgentMemory, opened: Open
) -> None:
    trips: dict[int, int] = {}
    received: dict[int, int] = {}
    for count in (1, 3, 5):
        for i in range(count):
            await promoted(memory, f"Project {i}", f"{OPEN}, number {i}", tenant=f"tenant of {count}")
        alone = opened(settings={"pool_size": 1})
        await alone.queue.astatus()
        async with wire(alone) as traffic:
            await alone.aforget_tenant(f"tenant of {count}")
            trips[count], received[count] = traffic.round_trips, traffic.rows
            texts = [sent.text for sent in traffic.statements]
    assert trips[5] - trips[3] <= trips[3] - trips[1]
    assert received[5] - received[3] <= received[3] - received[1]
    # looking for memories that have given to the same long-term entities reads all of a tenant's
    assert [text for text in texts if "JOIN agentmem.entity p " in text] == []


@pytest.mark.parametrize("longterm_is_gone", [False, True])
async def test_wherever_it_is_interrupted_nothing_contradicts_anything_and_the_next_call_completes_it(
    memory: AgentMemory, rows: Rows, dsn: str, longterm_is_gone: bool
) -> None:
    first = await promoted(memory, "First", SECRET)
    second = await promoted(memory, "Second", f"{OPEN}\n- Lynx/cat: a cat")
    before = left_of(rows)
    chunk = rows("SELECT max(id) FROM agentmem.memory_chunk WHERE memory_id = %s", second)[0][0]
    failing = {
        False: ("DELETE ON agentmem.mention", f"old.chunk_id = {chunk}"),
        True: ("UPDATE ON agentmem.active_memory", f"new.id = {first} AND new.closed_at IS NOT NULL"),
    }
    with out_of_luck(rows, *failing[longterm_is_gone]), pytest.raises(StorageError, match="out of luck"):
        await memory.aforget_tenant("alice")
    assert len(await memory.aget_active_memories("alice")) == 2
    supported = set() if longterm_is_gone else {"Falcon", "Owl", "Lynx"}
    assert {name for (name,) in rows("SELECT name FROM agentmem.longterm_entity")} == supported
    assert_consistent(dsn)

    receipt = await memory.aforget_tenant("alice")

    assert left_of(rows) == {}
    assert receipt.removed["memory_chunk"] == before["memory_chunk"]
    assert (await memory.averify_receipt(receipt)).gone
    assert_consistent(dsn)


async def test_what_is_promoted_again_meanwhile_goes_as_well(memory: AgentMemory, rows: Rows, dsn: str) -> None:
    ids = [await promoted(memory, f"Project {i}", f"{OPEN}, number {i}") for i in range(3)]
    await memory.aupdate_active_memory_section("alice", ids[2], "facts", f"{OPEN}\n- Lynx/cat: a zebra")
    await memory.aconsolidate("alice", ids[2])
    with psycopg.connect(dsn) as holder:  # a writer of the first memory, for which closing it waits
        holder.execute("SELECT 1 FROM agentmem.section WHERE memory_id = %s FOR UPDATE", [ids[0]])
        going = asyncio.create_task(memory.aforget_tenant("alice"))
        await until_waiting(rows)
        assert rows("SELECT count(*) FROM agentmem.longterm_entity") == [(0,)]
        await memory.apromote("alice", ids[2], force=True)
        assert ("Lynx",) in rows("SELECT name FROM agentmem.longterm_entity")
    receipt = await going
    assert left_of(rows) == {}
    assert (await memory.averify_receipt(receipt)).gone


async def test_what_a_memory_that_stays_has_said_of_a_tenant_that_is_forgotten_goes(
    memory: AgentMemory, rows: Rows, dsn: str
) -> None:
    old = await promoted(memory, "Old", SECRET)
    with psycopg.connect(dsn) as holder:  # a writer of the old memory, for which forgetting waits
        holder.execute("SELECT 1 FROM agentmem.active_memory WHERE id = %s FOR UPDATE", [old])
        going = asyncio.create_task(memory.aforget_tenant("alice"))
        await until_waiting(rows)
        new = await promoted(memory, "New", OPEN, f"{OPEN}, again")
    await going
    assert [each.id for each in await memory.aget_active_memories("alice")] == [new]
    held = everything(rows).casefold()
    assert [word for word in ("zebra", "hush", "hides") if word in held] == []
    assert_consistent(dsn)


async def test_what_is_written_meanwhile_is_new_and_said_to_be(memory: AgentMemory, rows: Rows, dsn: str) -> None:
    old = await promoted(memory, "Old", OPEN)
    with psycopg.connect(dsn) as holder:  # a writer of the old memory, for which forgetting waits
        holder.execute("SELECT 1 FROM agentmem.active_memory WHERE id = %s FOR UPDATE", [old])
        going = asyncio.create_task(memory.aforget_tenant("alice"))
        await until_waiting(rows)
        # one of its entities becomes part of a long-term one that the old memory has given
        new = await promoted(memory, "New", "Heron/bird: a heron\n\nOwl/bird: an owl")
    receipt = await going
    assert [each.id for each in await memory.aget_active_memories("alice")] == [new]
    check = await memory.averify_receipt(receipt)
    assert (check.gone, check.found) == (True, {})
    assert check.written_since["active_memory"] == 1
    assert check.written_since["entity"] == 4
    assert_consistent(dsn)


async def test_a_run_that_is_under_way_is_not_applied_to_a_tenant_that_is_forgotten(
    memory: AgentMemory, rows: Rows
) -> None:
    id = await start(memory, "alice")
    await memory.aupdate_active_memory_section("alice", id, "facts", OPEN)
    extractor, begun, going_on = memory.resources.extractor, asyncio.Event(), asyncio.Event()
    assert extractor is not None

    class Slow:
        async def extract(self, chunks: Any) -> Any:
            begun.set()
            await going_on.wait()
            return await extractor.extract(chunks)

    memory.resources.extractor = Slow()
    run = asyncio.create_task(memory.aconsolidate("alice", id))
    await begun.wait()
    receipt = await memory.aforget_tenant("alice")
    going_on.set()
    with pytest.raises((LookupError, StorageError)):
        await run
    assert left_of(rows) == {}
    assert (await memory.averify_receipt(receipt)).gone
