"""Peers that are optional: each takes part where it is installed, best in an environment of its own.

PGVectorStore   `langchain-postgres`: vectors by HNSW, and PostgreSQL's full-text search, fused as it does by default;
                one table, tenants by a filter
mem0            `mem0ai` without a model (`infer=False`): each text is a memory as it is, on pgvector; its search takes
                words into account by itself
"""

import asyncio
import importlib
import logging
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.util import find_spec
from typing import Any

from psycopg.conninfo import conninfo_to_dict
from talks import Conversation, Hit

from langgraph_agentmem import AgentMemorySettings

AT_ONCE = 500
TABLE = "texts"


class Documents:
    """LangChain's `PGVectorStore`."""

    def __init__(self, store: Any, indexes: Sequence[Any]) -> None:
        self.store, self.indexes = store, indexes

    async def write(self, talks: Sequence[Conversation]) -> None:
        texts = [(text, {"tenant": talk.name, "id": id}) for talk in talks for id, text in talk.texts.items()]
        for start in range(0, len(texts), AT_ONCE):
            part = texts[start : start + AT_ONCE]
            await self.store.aadd_texts([text for text, _ in part], [told for _, told in part])
        for index in self.indexes:
            await self.store.aapply_vector_index(index)
        self.indexes = ()

    async def add(self, talk: Conversation, id: str, text: str) -> None:
        await self.store.aadd_texts([text], [{"tenant": talk.name, "id": id}])

    async def ask(self, talk: Conversation, question: str, limit: int) -> Any:
        return await self.store.asimilarity_search(
            question, k=limit, filter={"tenant": talk.name}, hybrid_search_config=hybrid(limit)
        )

    def hits(self, talk: Conversation, answer: Any) -> list[Hit]:
        return [Hit(found.metadata["id"], len(found.page_content)) for found in answer]


def hybrid(limit: int) -> Any:
    """Its defaults, but for pages of four."""
    module = importlib.import_module("langchain_postgres.v2.hybrid_search_config")
    return module.HybridSearchConfig(
        tsv_column="content_tsv",
        fusion_function_parameters={"fetch_top_k": limit},
        primary_top_k=limit,
        secondary_top_k=limit,
    )


@asynccontextmanager
async def documents(dsn: str, index: Any, settings: AgentMemorySettings) -> AsyncIterator[Documents]:
    library, indexes = (importlib.import_module(f"langchain_postgres{name}") for name in ("", ".v2.indexes"))
    told = conninfo_to_dict(dsn)
    address = "&".join(f"{key}={value}" for key, value in told.items() if key in ("host", "port", "user", "password"))
    engine = library.PGEngine.from_connection_string(f"postgresql+psycopg:///{told['dbname']}?{address}")
    await engine.ainit_vectorstore_table(TABLE, index["dims"], hybrid_search_config=hybrid(4))
    store = await library.PGVectorStore.create(engine, index["embed"], TABLE, hybrid_search_config=hybrid(4))
    await store.aapply_hybrid_search_index()
    try:
        yield Documents(store, [indexes.HNSWIndex()])
    finally:
        await engine.close()


class Memories:
    """mem0."""

    def __init__(self, memory: Any) -> None:
        self.memory = memory

    async def write(self, talks: Sequence[Conversation]) -> None:
        for talk in talks:
            for id, text in talk.texts.items():
                await self.add(talk, id, text)

    async def add(self, talk: Conversation, id: str, text: str) -> None:
        await self.memory.add(text, user_id=talk.name, metadata={"text_id": id}, infer=False)

    async def ask(self, talk: Conversation, question: str, limit: int) -> Any:
        return await self.memory.search(question, filters={"user_id": talk.name}, top_k=limit, threshold=0.0)

    def hits(self, talk: Conversation, answer: Any) -> list[Hit]:
        return [Hit(found["metadata"]["text_id"], len(found["memory"])) for found in answer["results"]]


class Embedder:
    """mem0's door to embeddings."""

    def __init__(self, embeddings: Any) -> None:
        self.embeddings = embeddings

    def embed(self, text: str, memory_action: str | None = None) -> list[float]:
        as_query = memory_action == "search"
        return self.embeddings.embed_query(text) if as_query else self.embeddings.embed_documents([text])[0]

    def embed_batch(self, texts: list[str], memory_action: str | None = None) -> list[list[float]]:
        return [self.embed(text, memory_action) for text in texts]


@asynccontextmanager
async def memories(dsn: str, index: Any, settings: AgentMemorySettings) -> AsyncIterator[Memories]:
    os.environ["MEM0_TELEMETRY"] = "false"
    library = importlib.import_module("mem0")
    logging.getLogger("mem0").setLevel(logging.ERROR)
    unused = {"provider": "openai", "config": {"api_key": "unused"}}  # neither of them is ever called
    place = {"connection_string": dsn, "collection_name": TABLE, "embedding_model_dims": index["dims"]}
    memory = library.AsyncMemory.from_config(
        {
            "llm": unused,
            "embedder": unused,
            "vector_store": {"provider": "pgvector", "config": place},
            "history_db_path": ":memory:",
        }
    )
    memory.embedding_model = Embedder(index["embed"])
    try:
        yield Memories(memory)
    finally:
        await asyncio.to_thread(memory.close)


PEERS = {"PGVectorStore": ("langchain_postgres", documents), "mem0": ("mem0", memories)}
INSTALLED = {name: opened for name, (module, opened) in PEERS.items() if find_spec(module)}
