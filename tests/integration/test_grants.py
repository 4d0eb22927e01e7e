"""A tenant lets another one search a part of its memory: that part, as long as it holds, and nothing else.

Everything is tried without row-level security and with it, there as the role that reads and writes for one tenant.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from uuid import uuid4

import pgbouncer
import psycopg
import pytest
from consistency import assert_consistent
from fakes import ScriptedModel, WordEmbedder
from guarded import APP, WORKER, as_role, guard
from people import answer
from sql_files import TENANT_TABLES
from store_and_memory import names
from wire import wire

from langgraph_agentmem import AgentMemory, AgentMemorySettings, AgentMemoryStore
from langgraph_agentmem.errors import InvalidInputError, InvalidTextError, NotGrantedError, RedactionError
from langgraph_agentmem.operations.retrieval import asking
from langgraph_agentmem.storage.driver.connections import Connection

Row = tuple[Any, ...]
Rows = Callable[..., list[Row]]
Open = Callable[..., AgentMemory]
TEMPLATE = {"sections": ["facts"]}
NOTES = ("alice", "notes")


@pytest.fixture(scope="module")
def guarded_dsn_of(server: str, template: str, maintenance: psycopg.Connection[Any]) -> Iterator[str]:
    """The name of a migrated database with policies."""
    name = f"test_{uuid4().hex}"
    maintenance.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')
    guard(psycopg.conninfo.make_conninfo(server, dbname=name))
    yield name
    maintenance.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(params=["off", "on"], ids=["without-policies", "with-policies"])
def owners_dsn(request: pytest.FixtureRequest, new_database: Callable[[str], str]) -> str:
    """A database of the test's own, without policies and with them; its owner's DSN."""
    on = request.param == "on"
    return new_database(request.getfixturevalue("guarded_dsn_of" if on else "template"))


@pytest.fixture
async def opened(owners_dsn: str, request: pytest.FixtureRequest) -> AsyncIterator[Open]:
    """Opens memories on it, where it has policies as the role that they hold."""
    on = "with-policies" in request.node.callspec.id
    memories: list[AgentMemory] = []

    def make(*, role: str = APP, settings: dict[str, Any] | None = None, **arguments: Any) -> AgentMemory:
        known = AgentMemorySettings(row_security="on" if on else "off", **(settings or {}))
        dsn = as_role(owners_dsn, role) if on else owners_dsn
        memories.append(AgentMemory.open(dsn, settings=known, **arguments))
        return memories[-1]

    yield make
    for memory in memories:
        await memory.aclose()
    assert_consistent(owners_dsn)


@pytest.fixture
async def memory(opened: Open) -> AgentMemory:
    return opened()


@pytest.fixture
def rows(owners_dsn: str) -> Iterator[Rows]:
    """Reads and writes as the owner, whom no policy holds."""
    with psycopg.connect(owners_dsn, autocommit=True) as connection:

        def run(sql: str, *params: object) -> list[Row]:
            cursor = connection.execute(sql, params)
            return cursor.fetchall() if cursor.description else []

        yield run


async def noted(memory: AgentMemory, *labels: str, text: str, tenant: str = "alice") -> int:
    """A memory under a namespace, with a text."""
    made = await memory.acreate_active_memory(tenant, "/".join(labels), TEMPLATE, {"facts": text}, namespace=labels)
    return made.id


async def register(owners_dsn: str, embedder: Any) -> None:
    """Make an embedder known, which makes an index: that takes the owner's rights."""
    async with AgentMemory.open(owners_dsn, index=embedder) as memory:
        await memory.asetup()


async def found(memory: AgentMemory, query: str = "owl", reader: str = "bob", owner: str = "alice") -> set[str]:
    return {hit.content.strip() for hit in await memory.grants.asearch(reader, query, shared_by=owner, limit=50)}


def nothing_for(reader: str, owner: str = "alice") -> Any:
    return pytest.raises(
        NotGrantedError, match=rf"'{owner}' lets '{reader}' search nothing.*grants\.give\('{owner}', '{reader}', namesp"
    )


# What is granted, and nothing else


async def test_what_is_under_the_prefix_is_found_and_said_to_be_the_owners(memory: AgentMemory) -> None:
    await noted(memory, *NOTES, text="an owl at night")
    await noted(memory, "alice", "diary", text="a secret owl")
    await noted(memory, "bob", "notes", text="an owl of bob's own", tenant="bob")
    given = await memory.grants.agive("alice", "bob", NOTES)
    [hit] = await memory.grants.asearch("bob", "owl", shared_by="alice")

    assert (given.owner, given.reader, given.namespace, given.expires_at) == ("alice", "bob", NOTES, None)
    assert (hit.content, hit.shared_by, hit.memory_title) == ("an owl at night", "alice", "alice/notes")
    assert "shared by 'alice'" in hit.explain()
    assert "shared by 'alice'" in repr(hit)
    assert {(hit.content, hit.shared_by) for hit in await memory.asearch("bob", "owl")} == {
        ("an owl of bob's own", None)
    }


@pytest.mark.parametrize(
    ("prefix", "opened_up"),
    [
        ((), {"a", "b", "c", "d", "e", "f"}),
        (("alice",), {"a", "b", "c", "d"}),
        (("alice", "notes"), {"a", "b"}),
        (["alice", "notes", "2026"], {"b"}),
        (("alice", "notes", "202"), set()),
        (("alice", "note"), set()),
        (("notes",), {"e"}),
        (("alice", "NOTES"), set()),
        (("alice", "%"), set()),
    ],
)
async def test_a_prefix_ends_between_labels(memory: AgentMemory, prefix: Any, opened_up: set[str]) -> None:
    spaces = [NOTES, (*NOTES, "2026"), ("alice", "notesx"), ("alice", "x", "notes"), ("notes",), ("notesx",)]
    for name, space in zip("abcdef", spaces, strict=True):
        await noted(memory, *space, text=f"owl {name}")
    await memory.grants.agive("alice", "bob", prefix)

    assert await found(memory) == {f"owl {name}" for name in opened_up}


async def test_memories_that_are_made_later_are_under_the_prefix_as_well_also_items_without_chunks(
    memory: AgentMemory, rows: Rows
) -> None:
    await memory.grants.agive("alice", "bob", NOTES)
    assert await found(memory) == set()

    await AgentMemoryStore(memory).aput((*NOTES, "birds"), "k", {"text": "an owl that was put"})
    await AgentMemoryStore(memory).aput(("alice", "diary"), "k", {"text": "a secret owl"})
    behind = "SELECT array_agg(m.title ORDER BY m.title) FROM agentmem.section s JOIN agentmem.active_memory m "
    behind += "ON m.external_id = s.external_id AND m.id = s.memory_id WHERE s.needs_chunking"
    assert rows(behind) == [(["diary", "notes/birds"],)]
    assert await found(memory) == {"an owl that was put"}
    assert rows(behind) == [(["diary"],)], "what is not granted is not even chunked for the reader"


async def test_all_tiers_are_searched_or_those_that_are_asked_for(opened: Open) -> None:
    memory = opened(model=ScriptedModel(answer=names))
    for tier in ("active", "shortterm", "longterm"):
        for space in (NOTES, ("alice", "diary")):
            id = await noted(memory, *space, tier, text="")
            await memory.aupdate_active_memory_section("alice", id, "facts", f"an owl, {tier} in {space[1]}")
            if tier != "active":
                await memory.aconsolidate("alice", id)
            if tier == "longterm":
                await memory.apromote("alice", id, force=True)
    await memory.grants.agive("alice", "bob", NOTES)

    hits = await memory.grants.asearch("bob", "owl", shared_by="alice")
    assert {(hit.tier, hit.content) for hit in hits} == {
        (tier, f"an owl, {tier} in notes") for tier in ("active", "shortterm", "longterm")
    }
    hits = await memory.grants.asearch("bob", "owl", shared_by="alice", tiers=["longterm"])
    assert [hit.content for hit in hits] == ["an owl, longterm in notes"]
    assert len(await memory.grants.asearch("bob", "owl", shared_by="alice", limit=1)) == 1


async def test_what_came_from_a_closed_memory_is_the_owners_alone(memory: AgentMemory) -> None:
    id = await noted(memory, *NOTES, text="")
    await memory.aupdate_active_memory_section("alice", id, "facts", "an owl at night")
    await memory.grants.agive("alice", "bob", NOTES)
    assert await found(memory) == {"an owl at night"}

    await memory.adelete_active_memory("alice", id)
    assert [hit.content for hit in await memory.asearch("alice", "owl")] == ["an owl at night"]
    assert await found(memory) == set()


async def test_what_held_earlier_is_not_shared(memory: AgentMemory) -> None:
    id = await noted(memory, *NOTES, text="")
    for text in ("- Deadline: May 1", "- Deadline: June 1"):
        await memory.aupdate_active_memory_section("alice", id, "facts", text)
        await memory.aconsolidate("alice", id)
    await memory.grants.agive("alice", "bob", NOTES)

    assert len(await memory.ahistory("alice", id)) == 2
    assert await found(memory, "deadline") == {"- Deadline: June 1"}
    with pytest.raises(TypeError, match="as_of"):
        await memory.grants.asearch("bob", "owl", shared_by="alice", as_of=datetime.now(UTC))  # type: ignore[call-arg]


async def test_names_that_other_memories_have_given_to_entities_do_not_show(opened: Open) -> None:
    """The long-term entity that a shared chunk mentions has its name from a memory that is not shared."""
    memory = opened(model=ScriptedModel(answer=answer))
    for space, text in ((("alice", "diary"), "Zebra-Plan/plan knows Ada"), (NOTES, "ZebraPlan/plan knows Owl")):
        id = await noted(memory, *space, text="")
        await memory.aupdate_active_memory_section("alice", id, "facts", text)
        await memory.aconsolidate("alice", id)
        await memory.apromote("alice", id, force=True)
    await memory.grants.agive("alice", "bob", NOTES)
    [own] = [hit for hit in await memory.asearch("alice", "zebraplan owl") if "Owl" in hit.content]
    hits = await memory.grants.asearch("bob", "zebraplan owl", shared_by="alice")

    assert own.entities
    assert own.arms.graph > 0
    assert [(hit.entities, hit.arms.graph, "graph" in hit.weights) for hit in hits] == [([], 0.0, False)]


@pytest.mark.parametrize("embedder", [None, WordEmbedder])
async def test_how_frequent_words_are_in_what_is_not_granted_does_not_show_in_scores(
    opened: Open, owners_dsn: str, embedder: Callable[[], Any] | None
) -> None:
    """Else whoever compares the scores of two words would learn which of them the owner's diary is full of."""
    if embedder is not None:
        await register(owners_dsn, embedder())
    memory = opened(index=embedder() if embedder else None)
    for text in ("an owl", "a heron", "an owl beside a heron"):
        await noted(memory, *NOTES, text, text=text)
    await memory.grants.agive("alice", "bob", NOTES)

    async def scores() -> list[tuple[str, float, Any]]:
        hits = await memory.grants.asearch("bob", "owl heron divorce", shared_by="alice")
        return [(hit.content, hit.score, hit.arms) for hit in hits]

    before = await scores()
    assert len(before) == 3
    for number in range(60):
        await noted(memory, "alice", "diary", f"{number}", text=f"the heron and the divorce, day {number}")
    # the owner's own scores do change, and what is known of its words for these is not used for the reader
    await memory.asearch("alice", "owl heron divorce")
    assert await scores() == before


async def test_a_large_part_is_searched_by_candidates_of_that_part(opened: Open, owners_dsn: str) -> None:
    await register(owners_dsn, WordEmbedder())
    memory = opened(settings={"exact_search_rows": 1}, index=WordEmbedder())
    for space in (NOTES, ("alice", "diary")):
        texts = [f"a {('falcon', 'owl', 'hen')[n % 3]} of {space[1]}, number {n}" for n in range(60)]
        for n, text in enumerate(texts):
            await AgentMemoryStore(memory).aput(space, f"k{n}", {"text": text})
    await memory.grants.agive("alice", "bob", NOTES)

    hits = await memory.grants.asearch("bob", "falcon", shared_by="alice", limit=20)
    assert {hit.content for hit in hits} == {f"a falcon of notes, number {n}" for n in range(0, 60, 3)}


# By whom, and how long


async def test_without_a_grant_it_is_the_same_error_whether_there_is_such_an_owner_or_not(memory: AgentMemory) -> None:
    await noted(memory, *NOTES, text="an owl")
    await memory.grants.agive("alice", "carol", NOTES)
    for owner in ("alice", "nobody"):
        with nothing_for("bob", owner):
            await found(memory, owner=owner)
    with nothing_for("alice", "carol"):  # a grant opens nothing of who receives it
        await found(memory, reader="alice", owner="carol")
    with nothing_for("bob", "carol"):  # nor can it be passed on
        await found(memory, owner="carol")
    assert await found(memory, reader="carol") == {"an owl"}


async def test_what_is_granted_to_somebody_else_is_not_found_besides(memory: AgentMemory) -> None:
    for name in ("notes", "plans"):
        await noted(memory, "alice", name, text=f"an owl in {name}")
    await memory.grants.agive("alice", "bob", NOTES)
    await memory.grants.agive("alice", "carol", ("alice", "plans"))
    await memory.grants.agive("dave", "bob", ())

    assert await found(memory) == {"an owl in notes"}
    assert await found(memory, reader="carol") == {"an owl in plans"}
    assert await found(memory, owner="dave") == set()


async def test_without_a_grant_nothing_is_asked_of_the_owner(opened: Open) -> None:
    memory = opened(settings={"pool_size": 1})
    await noted(memory, *NOTES, text="an owl")
    async with wire(memory) as traffic:
        traffic.clear()
        with nothing_for("bob"):
            await found(memory)
        sent = [statement.text for statement in traffic.statements]

    assert {table for text in sent for table in re.findall(r"(?:FROM|JOIN) agentmem\.(\w+)", text)} == {"read_grant"}
    assert sum("set_config('agentmem.external_id'" in text for text in sent) <= 1, "only the reader is named"


@pytest.mark.parametrize("owners_dsn", ["on"], indirect=True, ids=["with-policies"])
async def test_the_database_is_asked_for_the_grant_as_the_reader(memory: AgentMemory, rows: Rows) -> None:
    await memory.grants.agive("alice", "bob", ())
    assert await found(memory) == set()

    rows("DROP POLICY agentmem_reader ON agentmem.read_grant")
    with nothing_for("bob"):
        await found(memory)
    assert len(await memory.grants.alist("alice")) == 1


async def test_a_grant_ends_by_the_databases_clock(memory: AgentMemory, rows: Rows) -> None:
    await noted(memory, *NOTES, text="an owl")
    later = datetime.now(UTC) + timedelta(hours=1)
    given = await memory.grants.agive("alice", "bob", NOTES, expires_at=later.astimezone(timezone(timedelta(hours=9))))
    assert given.expires_at == later
    assert await found(memory) == {"an owl"}

    rows("UPDATE agentmem.read_grant SET expires_at = now()")
    with nothing_for("bob"):
        await found(memory)
    assert await memory.grants.alist("alice") == await memory.grants.areceived("bob") == []
    await memory.grants.agive("alice", "carol", NOTES)
    assert rows("SELECT reader FROM agentmem.read_grant") == [("carol",)], "what has expired goes with the next grant"


async def test_one_of_several_grants_that_ends_closes_what_it_alone_has_opened(memory: AgentMemory, rows: Rows) -> None:
    await noted(memory, *NOTES, text="owl a")
    await noted(memory, *NOTES, "2026", text="owl b")
    for prefix in (NOTES, (*NOTES, "2026")):
        await memory.grants.agive("alice", "bob", prefix)
    assert await found(memory) == {"owl a", "owl b"}

    rows("UPDATE agentmem.read_grant SET expires_at = now() WHERE namespace = %s", list(NOTES))
    assert await found(memory) == {"owl b"}
    await memory.grants.agive("alice", "bob", NOTES)
    assert await memory.grants.arevoke("alice", "bob", (*NOTES, "2026")) == 1
    assert await found(memory) == {"owl a", "owl b"}, "the shorter prefix opens it as well"


async def test_what_is_revoked_is_closed_at_once_also_to_memories_that_were_searched_before(opened: Open) -> None:
    memory, other = opened(), opened()
    await noted(memory, *NOTES, text="an owl")
    await memory.grants.agive("alice", "bob", NOTES)
    await memory.grants.agive("alice", "carol", NOTES)
    assert await found(other) == {"an owl"}

    assert await memory.grants.arevoke("alice", "bob", ("alice",)) == 0
    assert await found(other) == {"an owl"}
    assert await memory.grants.arevoke("alice", "bob") == 1
    with nothing_for("bob"):
        await found(other)
    assert await found(other, reader="carol") == {"an owl"}
    assert await memory.grants.arevoke("alice", "bob") == 0
    assert await memory.grants.arevoke("nobody", "bob") == 0


async def test_a_search_that_is_under_way_finds_nothing_of_what_is_written_after_a_revocation(
    memory: AgentMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has seen the grant, and which memories it opens, and only has to look into these."""
    id = await noted(memory, *NOTES, text="an owl")
    await memory.grants.agive("alice", "bob", NOTES)
    before = asking.compared
    results: list[list[Any]] = []

    async def compared(resources: Any, connection: Connection, *args: Any) -> Any:
        ready = await before(resources, connection, *args)
        if not results:  # while the owner's own search runs, once
            results.append([])
            await memory.grants.arevoke("alice", "bob")
            await memory.aupdate_active_memory_section("alice", id, "facts", "a secret owl")
        return ready

    async def send_hits(*args: Any, **kwargs: Any) -> Any:
        answer = await hits(*args, **kwargs)

        async def seen() -> Any:
            results.append(await answer())
            return results[-1]

        return seen

    hits = asking.storage.send_hits
    monkeypatch.setattr(asking, "compared", compared)
    monkeypatch.setattr(asking.storage, "send_hits", send_hits)
    with nothing_for("bob"):
        await found(memory)
    assert results == [[], []], "the statement itself has found nothing"


async def test_the_same_grant_is_one_and_expires_as_was_last_said(memory: AgentMemory, rows: Rows) -> None:
    later = datetime.now(UTC) + timedelta(hours=1)
    first = await memory.grants.agive("alice", "bob", NOTES)
    assert await memory.grants.agive("alice", "bob", list(NOTES)) == first
    ending = await memory.grants.agive("alice", "bob", NOTES, expires_at=later)

    assert ending == first.model_copy(update={"expires_at": later})
    assert await memory.grants.alist("alice") == [ending]
    assert await memory.grants.agive("alice", "bob", NOTES) == first
    await asyncio.gather(*(memory.grants.agive("alice", "bob", ()) for _ in range(10)))
    assert rows("SELECT namespace FROM agentmem.read_grant ORDER BY namespace") == [([],), (list(NOTES),)]


async def test_both_sides_see_what_is_granted_and_nobody_else(memory: AgentMemory) -> None:
    given = [
        await memory.grants.agive(*grant)
        for grant in (("alice", "bob", NOTES), ("alice", "carol", ()), ("dave", "bob", ("dave",)))
    ]
    assert await memory.grants.alist("alice") == given[:2]
    assert await memory.grants.areceived("bob") == [given[0], given[2]]
    assert await memory.grants.alist("bob") == await memory.grants.areceived("alice") == []


async def test_everything_but_searching_stays_the_owners(memory: AgentMemory) -> None:
    id = await noted(memory, *NOTES, text="an owl")
    await memory.grants.agive("alice", "bob", ())
    calls: list[Callable[[], Awaitable[Any]]] = [
        lambda: memory.aget_active_memory("bob", id),
        lambda: memory.aupdate_active_memory_section("bob", id, "facts", "mine"),
        lambda: memory.aconsolidate("bob", id),
        lambda: memory.adelete_active_memory("bob", id),
        lambda: memory.ahistory("bob", id),
    ]
    for call in calls:
        with pytest.raises(LookupError):
            await call()
    assert await memory.asearch("bob", "owl") == []
    assert str(await memory.acontext("bob", "owl")) == ""
    assert await memory.aget_active_memories("bob") == []


def test_all_of_it_comes_as_sync_calls_too(opened: Open) -> None:
    with opened() as memory:
        memory.create_active_memory("alice", "notes", TEMPLATE, {"facts": "an owl"})
        given = memory.grants.give("alice", "bob", NOTES)
        assert memory.grants.list("alice") == memory.grants.received("bob") == [given]
        assert [hit.content for hit in memory.grants.search("bob", "owl", shared_by="alice")] == ["an owl"]
        assert memory.grants.revoke("alice", "bob") == 1
        with nothing_for("bob"):
            memory.grants.search("bob", "owl", shared_by="alice")


# Forgetting


@pytest.mark.parametrize("side", ["alice", "bob"])
async def test_both_sides_forgetting_removes_a_grant_which_the_receipt_counts(
    opened: Open, rows: Rows, side: str
) -> None:
    memory = opened(role=WORKER)  # looking for threads that others use as well takes more rights
    for tenant in ("alice", "bob"):
        await noted(memory, tenant, "notes", text="an owl", tenant=tenant)
    await memory.grants.agive("alice", "bob", ())
    await memory.grants.agive("alice", "bob", NOTES, expires_at=datetime.now(UTC) + timedelta(hours=1))
    await memory.grants.agive("bob", "alice", ())
    await memory.grants.agive("carol", "dave", ())
    rows("UPDATE agentmem.read_grant SET expires_at = now() WHERE expires_at IS NOT NULL")
    receipt = await memory.aforget_tenant(side)

    assert receipt.removed["read_grant"] == 3
    assert rows("SELECT external_id, reader FROM agentmem.read_grant") == [("carol", "dave")]
    assert (await memory.averify_receipt(receipt)).gone
    for reader, owner in (("bob", "alice"), ("alice", "bob")):
        with nothing_for(reader, owner):
            await found(memory, reader=reader, owner=owner)


@pytest.mark.parametrize("side", ["alice", "bob"])
async def test_a_grant_that_has_come_back_is_told_from_one_that_is_new(opened: Open, rows: Rows, side: str) -> None:
    memory = opened(role=WORKER)
    receipt = await memory.aforget_tenant(side)
    await memory.grants.agive("alice", "bob", ())
    check = await memory.averify_receipt(receipt)
    assert (check.gone, check.found, check.written_since) == (True, {}, {"read_grant": 1})

    rows("UPDATE agentmem.read_grant SET created_at = created_at - interval '1 day'")
    check = await memory.averify_receipt(receipt)
    assert (check.gone, check.found) == (False, {"read_grant": 1})


async def test_tenants_that_forget_each_others_grants_at_once_do_not_wait_for_each_other_for_ever(
    opened: Open, rows: Rows
) -> None:
    memory = opened(role=WORKER)
    tenants = [f"t{i}" for i in range(5)]
    for owner in tenants:
        for reader in tenants:
            if owner != reader:
                await memory.grants.agive(owner, reader, ())
    receipts = await asyncio.gather(*(memory.aforget_tenant(tenant) for tenant in tenants))

    assert sum(receipt.removed.get("read_grant", 0) for receipt in receipts) == 20
    assert rows("SELECT count(*) FROM agentmem.read_grant") == [(0,)]


# What is refused


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("alice", "alice", ()), "to another tenant, not from 'alice' to itself"),
        ((7, "7", ()), "to another tenant, not from '7' to itself"),
        (("", "bob", ()), "external_id must not be empty"),
        (("alice", None, ()), "external_id must be a string, not NoneType"),
        (("alice", "bob", "notes"), r"namespace must be a tuple of labels, \(\) for all memories, not 'notes'"),
        (("alice", "bob", None), r"namespace must be a tuple of labels, \(\) for all"),
        (("alice", "bob", ("alice", "")), "a label of the namespace must not be empty"),
        (("alice", "bob", ("alice", 3)), "a label of the namespace must be a string"),
        (("alice", "bob", ("alice", "@longterm")), "under which stores find what was consolidated"),
    ],
)
async def test_what_cannot_be_granted_is_refused_and_nothing_is_written(
    memory: AgentMemory, rows: Rows, arguments: Any, said: str
) -> None:
    with pytest.raises(InvalidInputError, match=said):
        await memory.grants.agive(*arguments)
    assert rows("SELECT count(*) FROM agentmem.read_grant") == [(0,)]


async def test_when_a_grant_ends_is_a_time_to_come_with_a_time_zone(memory: AgentMemory, rows: Rows) -> None:
    with pytest.raises(InvalidInputError, match="expires_at must be a datetime with a time zone, not datetime"):
        await memory.grants.agive("alice", "bob", (), expires_at=datetime(2100, 1, 1))
    first = await memory.grants.agive("alice", "bob", ())
    with pytest.raises(
        InvalidInputError, match=r"expires_at is 2020-01-01.*has passed by the database's clock; give a"
    ):
        await memory.grants.agive("alice", "bob", (), expires_at=datetime(2020, 1, 1, tzinfo=UTC))
    assert await memory.grants.alist("alice") == [first]


async def test_the_longest_names_fit_and_what_is_longer_is_refused(memory: AgentMemory) -> None:
    owner, reader = "日" * 266, "x" * 800
    fits = tuple(chr(0x4E00 + n) * 20 for n in range(14))
    given = await memory.grants.agive(owner, reader, fits)
    assert await memory.grants.alist(owner) == [given]
    with pytest.raises(
        InvalidTextError, match=r"namespace takes 1,020 bytes; the limit is 1,002 for .* shorter prefix"
    ):
        await memory.grants.agive(owner, reader, (*fits, "日" * 20))


async def test_a_label_that_redaction_would_change_is_refused(opened: Open, rows: Rows) -> None:
    memory = opened(redact=lambda text: text.replace("hush", "..."))
    with pytest.raises(RedactionError, match="label of the namespace"):
        await memory.grants.agive("alice", "bob", ("alice", "hush"))
    assert rows("SELECT count(*) FROM agentmem.read_grant") == [(0,)]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"reader": "alice"}, "not from 'alice' to itself"),
        ({"query": " "}, "query must not be empty"),
        ({"tiers": ["all"]}, "tiers must be a non-empty list"),
        ({"limit": 0}, "limit must be an integer of at least 1"),
        ({"now": datetime(2026, 1, 1)}, "now must be a datetime with a time zone"),
    ],
)
async def test_a_search_that_cannot_be_is_refused(memory: AgentMemory, arguments: dict[str, Any], said: str) -> None:
    await memory.grants.agive("alice", "bob", ())
    with pytest.raises(InvalidInputError, match=said):
        await memory.grants.asearch(**{"reader": "bob", "query": "owl", "shared_by": "alice", **arguments})


# What the database itself guarantees, where it has policies


@pytest.fixture
async def raw(
    new_database: Callable[[str], str], guarded_dsn_of: str
) -> AsyncIterator[Callable[[str], psycopg.Connection[Row]]]:
    """Connects as the application's role, for a tenant: alice has granted all to bob, and nothing to carol."""
    dsn, opened = new_database(guarded_dsn_of), list[psycopg.Connection[Row]]()
    async with AgentMemory.open(as_role(dsn, APP), settings=AgentMemorySettings(row_security="on")) as memory:
        await noted(memory, *NOTES, text="an owl")
        await memory.grants.agive("alice", "bob", ())

    def connect(tenant: str) -> psycopg.Connection[Row]:
        opened.append(psycopg.connect(as_role(dsn, APP)))
        opened[-1].execute("SELECT set_config('agentmem.external_id', %s, true)", [tenant])
        return opened[-1]

    yield connect
    for connection in opened:
        connection.close()


@pytest.mark.parametrize("table", sorted(TENANT_TABLES - {"read_grant"}))
async def test_who_has_a_grant_sees_by_its_own_name_no_row_of_the_owner(
    raw: Callable[[str], psycopg.Connection[Row]], table: str
) -> None:
    assert raw("bob").execute(f"SELECT * FROM agentmem.{table}").fetchall() == []


async def test_a_grant_is_seen_by_both_sides_and_nobody_else(raw: Callable[[str], psycopg.Connection[Row]]) -> None:
    seen = {
        tenant: raw(tenant).execute("SELECT external_id, reader FROM agentmem.read_grant").fetchall()
        for tenant in ("alice", "bob", "carol")
    }
    assert seen == {"alice": [("alice", "bob")], "bob": [("alice", "bob")], "carol": []}


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE agentmem.read_grant SET expires_at = NULL, namespace = '{}'",
        "UPDATE agentmem.read_grant SET external_id = 'bob'",
        "DELETE FROM agentmem.read_grant",
        "SELECT * FROM agentmem.read_grant FOR UPDATE",
    ],
)
async def test_who_receives_a_grant_does_not_change_it(raw: Callable[[str], psycopg.Connection[Row]], sql: str) -> None:
    assert raw("bob").execute(sql).rowcount == 0


async def test_nobody_grants_for_another_tenant(raw: Callable[[str], psycopg.Connection[Row]]) -> None:
    insert = "INSERT INTO agentmem.read_grant (external_id, reader, namespace) VALUES ('alice', 'carol', '{}')"
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security policy"):
        raw("carol").execute(insert)


# Behind a pooler, which gives each transaction whichever session is free


@pgbouncer.needed
async def test_readers_behind_a_pooler_never_see_what_another_one_was_granted(
    guarded_dsn_of: str, new_database: Callable[[str], str], shared_folder: Path
) -> None:
    owners_dsn = new_database(guarded_dsn_of)
    settings = AgentMemorySettings(row_security="on", pool_size=8)
    with pgbouncer.before(as_role(owners_dsn, APP), shared_folder / uuid4().hex) as through:
        async with AgentMemory.open(through, settings=settings) as memory:
            readers = [f"reader {i}" for i in range(5)]
            for reader in readers:
                await noted(memory, "alice", reader, text=f"an owl for {reader}")
                await memory.grants.agive("alice", reader, ("alice", reader))

            async def reads(reader: str) -> None:
                for _ in range(10):
                    assert await found(memory, reader=reader) == {f"an owl for {reader}"}
                    assert not await memory.asearch(reader, "owl")
                assert await memory.grants.arevoke("alice", reader) == 1
                with nothing_for(reader):
                    await found(memory, reader=reader)

            await asyncio.gather(*map(reads, readers))
    assert_consistent(owners_dsn)
