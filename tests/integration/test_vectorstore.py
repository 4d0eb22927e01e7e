"""A tenant's vectors as LangChain's PGVectorStore: it reads them and no others, and writes nothing."""

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from fakes import WordEmbedder
from langchain_core.documents import Document
from langchain_postgres import PGVectorStore
from psycopg.conninfo import conninfo_to_dict

from langgraph_agentmem import AgentMemory, AgentMemoryStore
from langgraph_agentmem.errors import (
    ConfigurationError,
    EmbeddingMismatchError,
    InvalidInputError,
    OutageError,
)

Open = Callable[..., AgentMemory]
ALICE, BOB = "- Ada is away until May.", "- Bob's password is swordfish."


@pytest.fixture
async def memory(opened: Open) -> AgentMemory:
    """A memory of two tenants, with vectors."""
    memory = opened(index=WordEmbedder())
    await memory.acreate_active_memory(
        "alice", "Notes", {"sections": ["facts", "more"]}, {"facts": ALICE, "more": "- Cy reads."}
    )
    await memory.acreate_active_memory("bob", "Secrets", {"sections": ["hidden"]}, {"hidden": BOB})
    return memory


def texts(found: list[Document]) -> list[str]:
    return [document.page_content.strip() for document in found]


async def test_the_nearest_documents_of_the_tenant_say_where_they_come_from(memory: AgentMemory) -> None:
    vectors = await memory.aas_vectorstore("alice")

    [nearest, other] = await vectors.asimilarity_search_with_score("Ada is away")

    [hit] = await memory.asearch("alice", "Ada is away", limit=1)
    assert (texts([nearest[0]]), nearest[0].id) == ([ALICE], str(hit.chunk_id))
    assert nearest[0].metadata | {"start_date": None} == {
        "chunk_id": hit.chunk_id, "tier": "active", "memory_id": hit.memory_id, "memory_title": "Notes",
        "section_id": "facts", "current": True, "source": None, "start_date": None,
    }  # fmt: skip
    assert nearest[1] < other[1]
    assert texts(await vectors.amax_marginal_relevance_search("Ada is away", k=1)) == [ALICE]
    assert texts(await vectors.aget_by_ids([str(hit.chunk_id)])) == [ALICE]
    assert isinstance(vectors, PGVectorStore)


REACHING = [
    {"memory_title": "Secrets"},
    {"$or": [{"memory_title": "Notes"}, {"memory_title": "Secrets"}]},
    {"$not": {"memory_title": "Notes"}},
    {"memory_title": {"$ne": "Notes"}},
    {"content": {"$like": "%swordfish%"}},
    {"langchain_id": {"$ne": "0"}},
    {"tier": {"$in": ["active", "shortterm", "longterm"]}},
    {"chunk_id": {"$gte": 0}},
]


@pytest.mark.parametrize("filter", REACHING)
async def test_no_filter_reaches_another_tenant(memory: AgentMemory, filter: dict[str, Any]) -> None:
    vectors = await memory.aas_vectorstore("alice", k=100)
    other = (await memory.asearch("bob", "password"))[0]

    found = await vectors.asimilarity_search("What is the password of Bob?", filter=filter)

    assert set(texts(found)) <= {ALICE, "- Cy reads."}
    assert await vectors.aget_by_ids([str(other.chunk_id)]) == []
    assert BOB not in str(await vectors.aget(where=filter))


LEAK = """CREATE FUNCTION leak(text) RETURNS bool LANGUAGE plpgsql COST 0.00001
AS $$ BEGIN RAISE NOTICE '%', $1; RETURN true; END $$"""


async def test_what_a_filter_reads_before_the_tenant_is_looked_at_is_nothing(memory: AgentMemory, dsn: str) -> None:
    await memory.aas_vectorstore("alice")
    said: list[str] = []

    with psycopg.connect(dsn) as connection:
        connection.add_notice_handler(lambda notice: said.append(str(notice.message_primary)))
        connection.execute(LEAK)
        # so cheap that it is called before the tenants are compared, on whole tables
        connection.execute("SET enable_indexscan = off; SET enable_bitmapscan = off; SET enable_indexonlyscan = off")
        connection.execute("SELECT set_config('agentmem.external_id', 'alice', true)")
        found = connection.execute(
            "SELECT content FROM agentmem.vectors_1 WHERE leak(langchain_metadata::text) AND leak(content)"
        ).fetchall()

    assert len(found) == 2
    assert ALICE in said
    assert "Secrets" not in str(said)
    assert BOB not in str(said)


async def test_tenants_at_once_share_connections_and_nothing_else(opened: Open, memory: AgentMemory) -> None:
    narrow = opened(index=WordEmbedder(), settings={"pool_size": 1})
    stores = {tenant: await narrow.aas_vectorstore(tenant) for tenant in ("alice", "bob", "carol")}

    found = await asyncio.gather(
        *(stores[t].asimilarity_search("Ada password", k=9) for t in ("alice", "bob", "carol") * 5)
    )

    assert [len(documents) for documents in found] == [2, 1, 0] * 5
    assert {document.metadata["memory_title"] for document in found[1]} == {"Secrets"}


async def test_without_a_tenant_the_view_is_empty_and_takes_no_writes(memory: AgentMemory, rows: Any) -> None:
    await memory.aas_vectorstore("alice")
    [(view,)] = rows("SELECT table_name FROM information_schema.views WHERE table_name LIKE 'vectors%%'")

    assert rows(f"SELECT * FROM agentmem.{view}") == []
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="cannot delete from view"):
        rows(f"DELETE FROM agentmem.{view}")


WRITING = ("add_", "delete", "from_", "apply_", "reindex", "drop_")
WRITES = [
    name
    for name, _ in inspect.getmembers(PGVectorStore)
    if name.removeprefix("a").startswith(WRITING) or name.startswith(WRITING)
]


@pytest.mark.parametrize("name", WRITES)
async def test_writing_is_refused_and_says_what_writes(memory: AgentMemory, rows: Any, name: str) -> None:
    before = rows("SELECT count(*) FROM agentmem.memory_chunk")
    vectors = await memory.aas_vectorstore("alice")

    with pytest.raises(
        InvalidInputError, match=r"only reads; write sections with memory\.update_active_memory_sections"
    ):
        await getattr(vectors, name)(["1"])
    assert rows("SELECT count(*) FROM agentmem.memory_chunk") == before


def test_sync_code_uses_it_alike(dsn: str) -> None:
    with AgentMemory.open(dsn, index=WordEmbedder()) as memory:
        memory.create_active_memory("alice", "Notes", {"sections": ["facts"]}, {"facts": ALICE})
        vectors = memory.as_vectorstore("alice", k=1)

        assert texts(vectors.similarity_search("Ada")) == [ALICE]
        assert texts(vectors.as_retriever(search_kwargs={"k": 1}).invoke("Ada")) == [ALICE]
        assert texts(vectors.max_marginal_relevance_search("Ada")) == [ALICE]


async def test_it_reads_what_is_valid_and_has_a_vector(opened: Open, memory: AgentMemory, rows: Any) -> None:
    vectors = await memory.aas_vectorstore("alice", k=9)
    later = opened(index=WordEmbedder(), settings={"embed": "background"})
    await AgentMemoryStore(later).aput(("alice", "put"), "x", {"text": "Ada was put."})
    rows("UPDATE agentmem.memory_chunk SET end_date = now() WHERE content = '- Cy reads.'")

    assert texts(await vectors.asimilarity_search("Ada")) == [ALICE]
    await memory.queue.aembed_pending("alice")
    assert set(texts(await vectors.asimilarity_search("Ada"))) == {ALICE, "Ada was put."}


@pytest.mark.parametrize("distance", ["cosine", "l2", "inner_product"])
@pytest.mark.parametrize("vector_type", ["halfvec", "vector"])
async def test_vectors_are_compared_as_the_database_keeps_them(
    opened: Open, distance: str, vector_type: str, rows: Any
) -> None:
    index = {
        "embed": WordEmbedder(),
        "dims": 64,
        "distance_type": distance,
        "ann_index_config": {"vector_type": vector_type},
    }
    memory = opened(index=index)
    await memory.acreate_active_memory("alice", "Notes", {"sections": ["a", "b"]}, {"a": ALICE, "b": "- Cy reads."})
    vectors = await memory.aas_vectorstore("alice")

    assert texts(await vectors.asimilarity_search("Ada is away until May")) == [ALICE, "- Cy reads."]
    assert texts(await vectors.amax_marginal_relevance_search("Ada is away", k=1)) == [ALICE]
    assert rows(
        "SELECT data_type, udt_name FROM information_schema.columns WHERE table_name = 'vectors_1' AND column_name = 'embedding'"
    ) == [("USER-DEFINED", vector_type)]


async def test_a_small_tenant_beside_a_large_one_finds_all_that_it_asks_for(memory: AgentMemory, rows: Any) -> None:
    crowd = await memory.acreate_active_memory("crowd", "Crowd", {"sections": ["facts"]})
    lines = "\n".join(f"- Ada is away until May {n}." for n in range(1500))
    await memory.aupdate_active_memory_section("crowd", crowd.id, "facts", lines)
    rows("ANALYZE agentmem.memory_chunk")

    small, large = await memory.aas_vectorstore("alice", k=2), await memory.aas_vectorstore("crowd", k=50)

    assert len(await small.asimilarity_search("Cy reads")) == 2
    assert len(await large.asimilarity_search("Ada is away until May 7")) == 50


async def test_a_large_tenants_search_goes_by_the_vector_index(memory: AgentMemory, rows: Any, dsn: str) -> None:
    crowd = await memory.acreate_active_memory("crowd", "Crowd", {"sections": ["facts"]})
    await memory.aupdate_active_memory_section(
        "crowd", crowd.id, "facts", "\n".join(f"- Ada has fact {n}." for n in range(1500))
    )
    rows("ANALYZE agentmem.memory_chunk")
    await memory.aas_vectorstore("crowd")
    vector = str(WordEmbedder().embed_query("Ada"))

    with psycopg.connect(dsn) as connection:
        connection.execute("SELECT set_config('agentmem.external_id', 'crowd', true)")
        plan = connection.execute(
            "EXPLAIN SELECT content, cosine_distance(embedding, %(v)s) FROM agentmem.vectors_1 ORDER BY embedding <=> %(v)s LIMIT 4",
            {"v": vector},
        ).fetchall()

    assert any("memory_chunk_vectors_1" in line for (line,) in plan), plan


async def test_what_does_not_fit_is_refused_when_it_is_opened(opened: Open, memory: AgentMemory) -> None:
    await memory.asetup()

    with pytest.raises(ConfigurationError, match="a vector store needs an embedder"):
        await opened().aas_vectorstore("alice")
    with pytest.raises(EmbeddingMismatchError, match="vectors of 'words' with 64 dimensions"):
        await opened(index=WordEmbedder(32)).aas_vectorstore("alice")
    with pytest.raises(InvalidInputError, match="external_id must not be empty"):
        await memory.aas_vectorstore("")
    with pytest.raises(InvalidInputError, match="k must be an integer of at least 1, not 0"):
        await memory.aas_vectorstore("alice", k=0)
    with pytest.raises(OutageError):
        await AgentMemory.open("postgresql://127.0.0.1:1/x", index=WordEmbedder()).aas_vectorstore("alice")


async def test_another_embedder_in_its_models_place_is_an_error_and_no_empty_list(
    opened: Open, memory: AgentMemory
) -> None:
    vectors = await memory.aas_vectorstore("alice")
    other = opened(index=WordEmbedder(32, "other"), reembed=True)
    await other.queue.aembed_pending()

    with pytest.raises(EmbeddingMismatchError, match="come from another embedder since this vector store was opened"):
        await vectors.asimilarity_search("Ada")
    assert texts(await (await other.aas_vectorstore("alice", k=1)).asimilarity_search("Ada is away")) == [ALICE]


async def test_connections_that_the_server_has_ended_are_an_outage_and_then_made_anew(
    memory: AgentMemory, rows: Any, dsn: str
) -> None:
    vectors = await memory.aas_vectorstore("alice", k=1)
    rows(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()",
        conninfo_to_dict(dsn)["dbname"],
    )

    with pytest.raises(OutageError):
        await vectors.asimilarity_search("Ada is away")
    assert texts(await vectors.asimilarity_search("Ada is away")) == [ALICE]
