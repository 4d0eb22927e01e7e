"""LangGraph's own store is brought along: what it holds, as it holds it, and what is written here stays."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from fakes import WordEmbedder
from langgraph.store.postgres import AsyncPostgresStore

from langgraph_agentmem import AgentMemory, AgentMemoryStore
from langgraph_agentmem.errors import ConfigurationError, EmbeddingError, ImportMismatchError, OutageError

Open = Callable[..., AgentMemory]
Rows = Callable[..., list[tuple[Any, ...]]]
DRINK = ("alice", "preferences")
INDEX: Any = {"embed": WordEmbedder(), "dims": 64, "fields": ["text", "turns[*].text"]}
ITEMS = {
    (DRINK, "drink"): {"text": "Green tea.", "rated": 4.0, "of": [1, True, None, 10**25]},
    (DRINK, "talk"): {"text": "A talk.", "turns": [{"text": "Which train?"}, {"text": "The one at nine."}]},
    (("alice",), "top"): {"text": "At the top.", "ignored": "zzz"},
    (("bob", "preferences"), "drink"): {"text": "Black coffee with  two spaces."},
}
TIMES = "SELECT s.external_id, a.namespace, s.section_id, s.created_at, s.updated_at, s.expires_at FROM agentmem.section s JOIN agentmem.active_memory a ON a.external_id = s.external_id AND a.id = s.memory_id ORDER BY 1, 2, 3"


@pytest.fixture
async def source(dsn: str) -> str:
    """The database of the memory, with LangGraph's store in it."""
    await put_there(dsn, ITEMS, index=INDEX)
    return dsn


async def put_there(dsn: str, items: dict[Any, Any], *, index: Any = None, **options: Any) -> None:
    async with AsyncPostgresStore.from_conn_string(dsn, index=index) as store:
        await store.setup()
        for (namespace, key), value in items.items():
            await store.aput(namespace, key, value, **options)


async def test_items_stand_here_with_their_places_values_and_times(
    source: str, memory: AgentMemory, rows: Rows
) -> None:
    passed: list[tuple[int, int]] = []

    report = await memory.imports.astore(on_progress=lambda *so_far: passed.append(so_far))

    assert (report.read, report.written, report.verified, report.tenants) == (4, 4, 4, ["alice", "bob"])
    assert report.hash == report.source_hash != ""
    assert passed == [(4, 8), (8, 8)]
    store = AgentMemoryStore(memory)
    assert {(item.namespace, item.key): item.value for item in await store.asearch((), limit=100)} == ITEMS
    there = "SELECT split_part(prefix, '.', 1), string_to_array(prefix, '.'), key, created_at, updated_at, expires_at FROM store ORDER BY 1, 2, 3"
    assert rows(TIMES) == rows(there)
    assert rows(
        "SELECT count(*) FROM agentmem.memory_chunk WHERE start_date > (SELECT max(updated_at) FROM store)"
    ) == [(0,)]


async def test_from_another_server_into_an_empty_database(source: str, empty_dsn: str, opened: Open) -> None:
    async with AgentMemory.open(empty_dsn) as memory:
        assert (await memory.imports.astore(source)).written == 4
        assert (await memory.imports.astore(source)).known == 4
        assert (await AgentMemoryStore(memory).aget(DRINK, "drink")).value == ITEMS[DRINK, "drink"]
    assert await opened().aget_active_memories("alice") == [], "nothing was written where it was read"


async def test_what_was_written_here_stays_and_what_has_changed_there_comes(
    source: str, memory: AgentMemory, rows: Rows
) -> None:
    store = AgentMemoryStore(memory)
    await store.aput(DRINK, "talk", {"text": "Written before."})
    assert (await memory.imports.astore()).kept == 1
    await store.aput(DRINK, "drink", {"text": "Oolong, written since."})
    await put_there(source, {(DRINK, "drink"): {"text": "Mate."}, (("alice",), "top"): {"text": "Moved on."}})

    report = await memory.imports.astore()

    assert (report.written, report.known, report.kept, report.verified) == (1, 1, 2, 2)
    found = {item.key: item.value["text"] for item in await store.asearch(("alice",), limit=100)}
    assert found == {"drink": "Oolong, written since.", "talk": "Written before.", "top": "Moved on."}
    rows("UPDATE store SET value = '{\"text\": \"From an older copy.\"}', updated_at = '2020-01-01' WHERE key = 'top'")
    assert (await memory.imports.astore()).kept == 3
    assert (await store.aget(("alice",), "top")).value == {"text": "Moved on."}


async def test_two_imports_at_once_write_each_item_once(source: str, opened: Open, rows: Rows) -> None:
    for namespace in {namespace for namespace, _ in ITEMS}:  # whoever makes a memory has it to himself anyway
        await AgentMemoryStore(opened()).aput(namespace, "here", {"text": "Here before."})

    reports = await asyncio.gather(opened().imports.astore(), opened().imports.astore())

    assert [report.verified for report in reports] == [4, 4]
    assert sum(report.written for report in reports) == 4
    assert rows("SELECT max(revision), count(*) FROM agentmem.section") == [(1, 7)]


async def test_lives_end_here_when_they_would_have_there(dsn: str, memory: AgentMemory, rows: Rows) -> None:
    await put_there(dsn, {(DRINK, "short"): {"text": "Soon."}}, ttl=0.4)
    await put_there(dsn, {(DRINK, "long"): {"text": "Later."}}, ttl=90)
    await put_there(dsn, {(DRINK, "over"): {"text": "Gone."}}, ttl=1)
    rows("UPDATE store SET expires_at = now() - interval '1 minute' WHERE key = 'over'")

    report = await memory.imports.astore()

    assert (report.written, report.skipped) == (2, 1)
    lives = "SELECT s.section_id, s.expires_at = t.expires_at, s.ttl_minutes FROM agentmem.section s JOIN store t ON t.key = s.section_id ORDER BY 1"
    assert rows(lives) == [("long", True, 90.0), ("short", True, 0.4)]
    await AgentMemoryStore(memory).aget(DRINK, "long", refresh_ttl=True)
    assert rows("SELECT expires_at > %s FROM agentmem.section WHERE section_id = 'long'", in_minutes(89)) == [(True,)]
    assert (await memory.imports.astore()).known == 2


def in_minutes(count: int) -> datetime:
    return datetime.now(UTC) + timedelta(minutes=count)


async def test_items_are_found_by_the_paths_that_they_have_vectors_of(source: str, opened: Open, rows: Rows) -> None:
    await put_there(source, {(DRINK, "secret"): {"text": "Hidden."}}, index=INDEX)
    async with AsyncPostgresStore.from_conn_string(source, index=INDEX) as old:
        await old.aput(DRINK, "secret", {"text": "Hidden again."}, index=False)
    embedder = WordEmbedder()
    memory = opened(index=embedder)
    await memory.asetup()
    asked = len(embedder.calls)

    report = await memory.imports.astore()

    assert rows("SELECT section_id, text_fields FROM agentmem.section ORDER BY 1, 2") == [
        ("drink", ["text"]), ("drink", ["text"]), ("secret", []), ("talk", ["text", "turns[*].text"]), ("top", ["text"]),
    ]  # fmt: skip
    assert (report.vectors, report.without_vectors) == (6, "")
    assert sum(map(len, embedder.calls[asked:])) == 3, "it is asked for a few to compare, and for no others"
    assert rows("SELECT count(*), count(embedding) FROM agentmem.memory_chunk") == [(6, 6)]
    [item] = await AgentMemoryStore(memory).asearch(("alice",), query="Which train?", limit=1)
    assert item.key == "talk"


@pytest.mark.parametrize(
    ("embedder", "why"),
    [
        (WordEmbedder(48), "the source's vectors have 64 dimensions, those of 'words' 48"),
        (None, "this memory has no embedder"),
    ],
)
async def test_vectors_that_do_not_fit_are_computed_again(
    source: str, opened: Open, rows: Rows, embedder: Any, why: str
) -> None:
    report = await opened(index=embedder).imports.astore()

    assert (report.written, report.vectors, report.without_vectors) == (4, 0, why)
    assert rows("SELECT count(*), count(embedding) FROM agentmem.memory_chunk") == [(6, 6 if embedder else 0)]


async def test_vectors_of_another_model_of_the_same_dimensions_are_told(source: str, opened: Open, rows: Rows) -> None:
    class Turned(WordEmbedder):
        def _vector(self, text: str) -> list[float]:
            return super()._vector(text)[::-1]

    report = await opened(index=Turned(64, "turned")).imports.astore()

    assert report.vectors == 0
    assert report.without_vectors == "the source's vectors are not those that 'turned' computes of the same texts"
    assert rows("SELECT count(*), count(embedding) FROM agentmem.memory_chunk") == [(6, 6)]


async def test_what_they_are_found_by_may_be_said(source: str, memory: AgentMemory, rows: Rows) -> None:
    await memory.imports.astore(index=["ignored"])

    assert rows("SELECT content FROM agentmem.memory_chunk") == [("zzz",)]


async def test_the_tenant_is_where_it_is_said_to_be(dsn: str, memory: AgentMemory) -> None:
    await put_there(dsn, {(("memories", "bob"), "1"): {"text": "A."}, (("shared",), "2"): {"text": "B."}})

    report = await memory.imports.astore(owner=1, default_tenant="everybody")

    assert report.tenants == ["bob", "everybody"]
    store = AgentMemoryStore(memory, owner=1, default_tenant="everybody")
    assert [item.key for item in await store.asearch(("memories", "bob"))] == ["1"]
    assert [item.key for item in await store.asearch(("shared",))] == ["2"]


async def test_what_cannot_be_kept_is_refused_by_name_and_keeps_nothing_from_it(
    dsn: str, opened: Open, rows: Rows
) -> None:
    def redact(text: str) -> str | None:
        return None if "forbidden" in text else text.replace("swordfish", "[gone]")

    await put_there(dsn, ITEMS)
    rows(
        "INSERT INTO store (prefix, key, value) VALUES ('', 'a', '{}'), ('alice.@longterm', 'b', '{}'), ('alice', '', '{}'), ('alice', 'list', '[1]'), ('alice', 'f', '{\"x\": \"forbidden\"}'), ('alice', 's', '{\"x\": \"swordfish\"}'), ('alice', 'swordfish', '{}')"
    )

    memory = opened(redact=redact)
    report = await memory.imports.astore()

    assert (report.read, report.written, report.refused) == (11, 5, 6)
    reasons = {remark.place: remark.reason for remark in report.refusals}
    assert reasons["item 'a' of ('',)"] == "a label of the namespace must not be empty"
    assert "holds the label '@longterm'" in reasons["item 'b' of ('alice', '@longterm')"]
    assert reasons["item '' of ('alice',)"] == "key must not be empty"
    assert "value must be a dict, not list" in reasons["item 'list' of ('alice',)"]
    assert "refused by the redaction function" in reasons["item 'f' of ('alice',)"]
    assert "choose another one" in reasons["item '[gone]' of ('alice',)"]
    assert report.verified == 5
    assert rows("SELECT value FROM agentmem.section WHERE section_id = 's'") == [({"x": "[gone]"},)]
    assert (await memory.imports.astore()).known == 5


async def test_a_difference_is_an_error_that_says_which(source: str, memory: AgentMemory, rows: Rows) -> None:
    await memory.imports.astore()

    def meddle(passed: int, total: int) -> None:
        if passed * 2 == total:
            rows("UPDATE agentmem.section SET value = '{\"text\": \"Tea.\"}' WHERE external_id = 'bob'")
            rows("DELETE FROM agentmem.section WHERE section_id = 'top'")

    with pytest.raises(ImportMismatchError, match="2 of 4 rows are not here as the source has them") as caught:
        await memory.imports.astore(on_progress=meddle)

    assert {remark.place: remark.reason for remark in caught.value.report.differences} == {
        "item 'top' of ('alice',)": "it is not here",
        "item 'drink' of ('bob', 'preferences')": "another value of it is here, which an import has written",
    }
    assert (await memory.imports.astore()).written == 2, "what is missing, or not as it was, is brought along again"


async def test_many_items_come_some_at_a_time(dsn: str, memory: AgentMemory, rows: Rows) -> None:
    await put_there(dsn, {})
    rows(
        "INSERT INTO store (prefix, key, value) SELECT 'user' || i %% 3 || '.notes', 'note ' || i, jsonb_build_object('text', 'Note ' || i) FROM generate_series(1, 250) i"
    )
    passed: list[tuple[int, int]] = []

    report = await memory.imports.astore(on_progress=lambda *so_far: passed.append(so_far))

    assert (report.written, report.verified, len(report.tenants)) == (250, 250, 3)
    assert passed[0] == (100, 500)
    assert passed[-1] == (500, 500)


async def test_an_empty_store_and_none_at_all(dsn: str, memory: AgentMemory, rows: Rows) -> None:
    with pytest.raises(ConfigurationError, match="the source has no table 'store' on its search path; LangGraph's"):
        await memory.imports.astore()
    await put_there(dsn, {})
    assert (await memory.imports.astore()).summary.startswith("0 rows read")
    with pytest.raises(ConfigurationError, match="no table 'store' in the schema 'elsewhere'"):
        await memory.imports.astore(schema="elsewhere")
    rows("ALTER TABLE store RENAME value TO payload")
    with pytest.raises(ConfigurationError, match="has no column 'value', but 'prefix', 'key', 'payload'"):
        await memory.imports.astore()
    with pytest.raises(OutageError, match="cannot be reached"):
        await memory.imports.astore("postgresql://127.0.0.1:1/nowhere")
    with pytest.raises(ConfigurationError, match="the DSN is malformed"):
        await memory.imports.astore("postgresql+psycopg://localhost/x")


async def test_a_table_that_may_not_be_read_is_told_with_what_would_help(source: str, memory: AgentMemory) -> None:
    with psycopg.connect(source, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS only_looks")
        connection.execute("CREATE ROLE only_looks LOGIN")
    try:
        with pytest.raises(ConfigurationError, match='GRANT SELECT ON "store" TO "only_looks"'):
            await memory.imports.astore(psycopg.conninfo.make_conninfo(source, user="only_looks"))
    finally:
        with psycopg.connect(source, autocommit=True) as connection:
            connection.execute("DROP ROLE only_looks")


async def test_a_failing_embedder_is_an_error_and_leaves_nothing_half_done(
    source: str, opened: Open, rows: Rows
) -> None:
    class Failing(WordEmbedder):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            if any("tea" in text for text in texts):
                raise RuntimeError("out of order")
            return super().embed_documents(texts)

    with pytest.raises(EmbeddingError, match="out of order"):
        await opened(index=Failing(32)).imports.astore()

    assert rows("SELECT count(*) FROM agentmem.section") == [(0,)]
    assert (await opened(index=WordEmbedder(32)).imports.astore()).written == 4
