"""LangChain's vector store for PostgreSQL, langchain-postgres, on the vectors of a tenant's memory; it only reads."""

import threading
from functools import partial
from typing import Any, NoReturn

import psycopg
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_postgres import PGEngine, PGVectorStore
from langchain_postgres.v2.indexes import DistanceStrategy
from sqlalchemy import Connection, ExceptionContext, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from langgraph_agentmem import bridge
from langgraph_agentmem.embedding import Embedder
from langgraph_agentmem.errors import ConfigurationError, EmbeddingMismatchError, InvalidInputError
from langgraph_agentmem.policies import validation
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.storage.driver import conninfo
from langgraph_agentmem.storage.driver.connections import local_settings
from langgraph_agentmem.storage.driver.tenants import NOBODY
from langgraph_agentmem.storage.driver.translation import translation
from langgraph_agentmem.storage.vectors import (
    VIEW_SET_UP,
    VIEW_SETTINGS,
    EmbeddingModel,
    has_vector_view,
    make_vector_view,
    vector_view,
)

_DISTANCES = {
    "cosine": DistanceStrategy.COSINE_DISTANCE,
    "l2": DistanceStrategy.EUCLIDEAN,
    "inner_product": DistanceStrategy.INNER_PRODUCT,
}
_WRITES = (
    "add_embeddings", "add_texts", "add_documents", "delete", "apply_hybrid_search_index", "apply_vector_index",
    "reindex", "drop_vector_index", "from_texts", "from_documents",
)  # fmt: skip


class AgentMemoryVectorStore(PGVectorStore):
    """A `PGVectorStore` on the vectors of one tenant's memory; `AgentMemory.as_vectorstore` opens it.

    Every transaction of it names the tenant to the server, and the view that it reads holds nothing else; no filter can
    reach further. It cannot write.
    """

    @property
    def _near(self) -> Any:
        """Itself; the types of what it inherits are incomplete."""
        return self

    async def asimilarity_search(
        self, query: str, k: int | None = None, filter: dict[str, Any] | None = None, **kwargs: Any
    ) -> list[Document]:
        """The nearest documents; the embedder is called on the caller's loop, not on that of the connections."""
        return await self._near.asimilarity_search_by_vector(
            await self.embeddings.aembed_query(query), k, filter, **kwargs
        )

    async def asimilarity_search_with_score(
        self, query: str, k: int | None = None, filter: dict[str, Any] | None = None, **kwargs: Any
    ) -> list[tuple[Document, float]]:
        """The nearest documents, with their distances."""
        vector = await self.embeddings.aembed_query(query)
        return await self._near.asimilarity_search_with_score_by_vector(vector, k, filter, **kwargs)

    async def amax_marginal_relevance_search(
        self,
        query: str,
        k: int | None = None,
        fetch_k: int | None = None,
        lambda_mult: float | None = None,
        filter: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> list[Document]:
        """Near documents that differ from each other."""
        vector = await self.embeddings.aembed_query(query)
        return await self._near.amax_marginal_relevance_search_by_vector(
            vector, k, fetch_k, lambda_mult, filter, **kwargs
        )


def _refuse(*_: Any, **__: Any) -> NoReturn:
    raise InvalidInputError(
        "a vector store on memory only reads; write sections with memory.update_active_memory_sections or "
        "AgentMemoryStore, which also keep their chunks, words and vectors"
    )


for _name in _WRITES:
    setattr(AgentMemoryVectorStore, _name, _refuse)
    setattr(AgentMemoryVectorStore, f"a{_name}", _refuse)


class VectorStores:
    """The vector stores of an open memory, on connections that all tenants share.

    They live on the background loop, as LangChain's sync and async methods use the same ones.
    """

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._shared: AsyncEngine | None = None
        self._lock = threading.Lock()
        """For the one above, which callers of several loops make."""

    async def of(self, external_id: object, k: object) -> AgentMemoryVectorStore:
        """See `AgentMemory.aas_vectorstore`."""
        tenant, count = validation.tenant(external_id), validation.positive(k, "k")
        embedder, model = await self._model()
        await self._make_view(model)
        # transactions read there for whom they are
        options = {"agentmem_tenant": tenant, "agentmem_model": model.id}
        options["agentmem_distributes"] = self._resources.database.distributes
        engine = PGEngine.from_engine(self._connections().execution_options(**options), bridge.loop())
        opened = await AgentMemoryVectorStore.create(
            engine,
            _Queries(embedder),
            vector_view(model),
            schema_name="agentmem",
            distance_strategy=_DISTANCES[model.distance],
            k=count,
        )
        assert isinstance(opened, AgentMemoryVectorStore)
        return opened

    async def _make_view(self, model: EmbeddingModel) -> None:
        database = self._resources.database
        async with database.connection(NOBODY) as connection:
            found = await has_vector_view(connection, model)
        if not found:
            async with database.as_it_is() as connection:
                await make_vector_view(connection, model)

    async def aclose(self) -> None:
        """Close the connections."""
        shared, self._shared = self._shared, None
        if shared is not None:
            await PGEngine.from_engine(shared, bridge.loop()).close()

    async def _model(self) -> tuple[Embedder, EmbeddingModel]:
        model = await self._resources.embedding_model()
        if self._resources.embedder is None:
            raise ConfigurationError("a vector store needs an embedder; open the memory with one, as index=")
        if model is None:
            raise ConfigurationError("the database has no vectors yet, and nothing can be written to it")
        return self._resources.embedder, model

    def _connections(self) -> AsyncEngine:
        with self._lock:
            if self._shared is None:
                self._shared = create_async_engine(
                    "postgresql+psycopg://",
                    async_creator=self._connect,
                    pool_size=self._resources.settings.pool_size,
                    max_overflow=0,
                )
                event.listen(self._shared.sync_engine, "begin", _begin)
                event.listen(self._shared.sync_engine, "handle_error", _translate)
            return self._shared

    async def _connect(self) -> "psycopg.AsyncConnection[Any]":
        dsn = conninfo.complete(self._resources.database.dsn or "", self._resources.settings.connect_timeout_seconds)
        # not prepared: a pooler may give each transaction to another session
        return await psycopg.AsyncConnection.connect(dsn, prepare_threshold=None)


class _Queries(Embeddings):
    """An embedder, for questions only."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    async def aembed_query(self, text: str) -> list[float]:
        return await self._embedder.embed_query(text)

    def embed_query(self, text: str) -> list[float]:
        return bridge.run(partial(self.aembed_query, text))

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        _refuse(texts)


def _begin(connection: Connection) -> None:
    """Say for whom a transaction is; without that, the view is empty."""
    options = connection.get_execution_options()
    if options["agentmem_distributes"]:
        for statement in local_settings({"agentmem.external_id": options["agentmem_tenant"], **VIEW_SETTINGS}):
            connection.exec_driver_sql(statement, execution_options={"no_parameters": True})
    found = connection.exec_driver_sql(VIEW_SET_UP, {"external_id": options["agentmem_tenant"]}).mappings().one()
    if found["model"] != options["agentmem_model"]:
        raise EmbeddingMismatchError(
            "the vectors in the database come from another embedder since this vector store was opened; open the "
            "memory with that one, and the vector store again"
        )


def _translate(context: ExceptionContext) -> None:
    if isinstance(context.original_exception, psycopg.Error):
        raise translation(context.original_exception) from context.original_exception
