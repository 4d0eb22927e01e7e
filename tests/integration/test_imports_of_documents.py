"""Documents of langchain-postgres' vector stores are brought along, with their metadata, and vectors where they fit."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from fakes import WordEmbedder
from langchain_core.documents import Document
from langchain_postgres import Column, PGEngine, PGVector, PGVectorStore
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import URL

from langgraph_agentmem import AgentMemory, AgentMemoryStore
from langgraph_agentmem.errors import ConfigurationError

Open = Callable[..., AgentMemory]
Rows = Callable[..., list[tuple[Any, ...]]]
LONG = "\n\n".join(f"Paragraph {number} is about ferries, and takes up some room. " * 4 for number in range(8))
DOCUMENTS = [
    Document("The ferry leaves at nine.", metadata={"user": "alice", "page": 1, "tags": ["sea"]}, id="d1"),
    Document("Bob is allergic to peanuts.", metadata={"user": "bob"}, id="d2"),
    Document(LONG, metadata={"user": "alice", "note": None}, id="d3"),
]


def url(dsn: str) -> str:
    """The DSN as SQLAlchemy takes it."""
    parts = conninfo_to_dict(dsn)
    query = {name: str(parts[name]) for name in ("host", "port") if parts.get(name)}
    parts = {"username": str(parts["user"]), "database": str(parts["dbname"])}
    return URL.create("postgresql+psycopg", **parts, query=query).render_as_string(hide_password=False)


@pytest.fixture
async def table(dsn: str) -> str:
    """A table of a PGVectorStore in the memory's database; the page of a document is in a column of its own."""
    engine = PGEngine.from_connection_string(url(dsn))
    await engine.ainit_vectorstore_table(
        "guides", 64, id_column=Column("langchain_id", "TEXT"), metadata_columns=[Column("page", "INTEGER")]
    )
    store = await PGVectorStore.create(engine, WordEmbedder(), "guides", metadata_columns=["page"])
    await store.aadd_documents(DOCUMENTS)
    await engine.close()
    return "guides"


def user(metadata: Any) -> str | None:
    return metadata.get("user")


async def test_documents_become_items_with_their_metadata_and_vectors(table: str, opened: Open, rows: Rows) -> None:
    embedder = WordEmbedder()
    memory = opened(index=embedder)

    report = await memory.imports.avectorstore(table=table, tenant=user)

    assert (report.read, report.written, report.verified, report.vectors) == (3, 3, 3, 2)
    assert report.hash == report.source_hash
    store = AgentMemoryStore(memory)
    found = {item.key: item.value for item in await store.asearch((), limit=10)}
    assert found == {
        "d1": {"content": DOCUMENTS[0].page_content, "metadata": {"user": "alice", "page": 1, "tags": ["sea"]}},
        "d2": {"content": DOCUMENTS[1].page_content, "metadata": {"user": "bob"}},
        "d3": {"content": LONG, "metadata": {"user": "alice", "note": None}},
    }
    [item] = await store.asearch(("alice", "guides"), query="When does the ferry leave?", filter={"metadata.page": 1})
    assert item.key == "d1"
    assert not any("peanuts" in hit.content for hit in await memory.asearch("alice", "peanuts", limit=100))
    vectors = "SELECT (c.embedding::vector <=> g.embedding) < 1e-3 FROM agentmem.memory_chunk c JOIN guides g ON g.content = c.content ORDER BY g.langchain_id"
    assert rows(vectors) == [(True,), (True,)]
    assert rows("SELECT count(*) FROM agentmem.memory_chunk WHERE embedding IS NULL") == [(0,)]
    assert [text for text in embedder.calls[-1] if text == DOCUMENTS[0].page_content] == []


async def test_the_same_again_adds_nothing_and_what_was_written_here_stays(
    table: str, memory: AgentMemory, rows: Rows
) -> None:
    await memory.imports.avectorstore(table=table, tenant=user)
    assert (await memory.imports.avectorstore(table=table, tenant=user)).known == 3
    await AgentMemoryStore(memory).aput(("bob", "guides"), "d2", {"content": "Written here."})
    rows("UPDATE guides SET content = content || ' Or later.'")

    report = await memory.imports.avectorstore(table=table, tenant=user)

    assert (report.written, report.kept, report.verified) == (2, 1, 2)
    assert (await AgentMemoryStore(memory).aget(("bob", "guides"), "d2")).value == {"content": "Written here."}
    [ferry] = rows("SELECT value ->> 'content' FROM agentmem.section WHERE section_id = 'd1'")
    assert ferry == ("The ferry leaves at nine. Or later.",)


async def test_a_collection_of_pgvector(dsn: str, opened: Open, rows: Rows) -> None:
    for name in ("guides", "others"):
        old = PGVector(WordEmbedder(), collection_name=name, connection=url(dsn), embedding_length=64)
        ids = [f"{name} {document.id}" for document in DOCUMENTS[:2]]
        old.add_documents([document.model_copy(update={"id": None}) for document in DOCUMENTS[:2]], ids=ids)
        old._engine.dispose()
    memory = opened(index=WordEmbedder())

    report = await memory.imports.avectorstore(collection="guides", tenant=user)

    assert (report.written, report.verified, report.vectors, report.tenants) == (2, 2, 2, ["alice", "bob"])
    assert rows("SELECT section_id FROM agentmem.section ORDER BY 1") == [("guides d1",), ("guides d2",)]
    with pytest.raises(ConfigurationError, match="the source has no collection 'guide'"):
        await memory.imports.avectorstore(collection="guide")


async def test_documents_of_nobody_are_the_default_tenants_or_are_refused(
    table: str, memory: AgentMemory, rows: Rows
) -> None:
    rows(
        "INSERT INTO guides (langchain_id, content, embedding, langchain_metadata) SELECT 'x' || i, t, (SELECT embedding FROM guides LIMIT 1), m::json FROM (VALUES (1, 'Nobody''s.', '{}'), (2, '', '{}'), (3, 'A list.', '[1]'), (4, 'NUL.', '{\"a\": \"\\u0000\"}')) v (i, t, m)"
    )

    report = await memory.imports.avectorstore(table=table, tenant=user)

    assert (report.written, report.skipped, report.refused) == (3, 1, 3)
    reasons = {remark.place: remark.reason for remark in report.refusals}
    assert reasons["document 'x1'"] == "tenant= gives no tenant for document 'x1'"
    assert "no JSON object" in reasons["document 'x3'"]
    assert reasons["document 'x4'"] == "tenant= gives no tenant for document 'x4'"
    report = await memory.imports.avectorstore(table=table)
    assert (report.tenants, report.written, report.refused) == (["default"], 4, 2)
    assert "holds a NUL character" in report.refusals[1].reason


async def test_other_names_of_columns(dsn: str, memory: AgentMemory) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA old")
        connection.execute(
            'CREATE TABLE old."Docs" ("k%" int, body text, vec vector(2), "100% the tag" text, words tsvector)'
        )
        connection.execute("INSERT INTO old.\"Docs\" VALUES (1, 'A text.', '[1,0]', 'x', 'y')")
    names = {"id_column": "k%", "content_column": "body", "embedding_column": "vec"}

    report = await memory.imports.avectorstore(table="Docs", schema="old", tenant="alice", **names)

    assert (report.written, report.verified) == (1, 1)
    item = await AgentMemoryStore(memory).aget(("alice", "Docs"), "1")
    assert item
    assert item.value == {"content": "A text.", "metadata": {"100% the tag": "x"}}
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("INSERT INTO old.\"Docs\" VALUES (2, 'One.', '[1,0]'), (2, 'Another.', '[1,0]')")
    report = await memory.imports.avectorstore(table="Docs", schema="old", tenant="alice", **names)
    assert (report.known, report.written, report.refused) == (1, 1, 1)
    assert report.refusals[0].reason == "another row of the source has the same key"
    with pytest.raises(ConfigurationError, match="has no column 'langchain_id', but 'k%', 'body'"):
        await memory.imports.avectorstore(table="Docs", schema="old")
    for wrong in ({}, {"table": "a", "collection": "b"}):
        with pytest.raises(ConfigurationError, match="either table=, for a PGVectorStore, or collection="):
            await memory.imports.avectorstore(**wrong)
