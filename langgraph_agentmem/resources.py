"""What operations and nodes work with: a database, settings, an embedder, a model."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Protocol, TypeVar, cast

from langgraph_agentmem.embedding import Embedder, measured_floor
from langgraph_agentmem.errors import ConfigurationError
from langgraph_agentmem.extraction import Extractor
from langgraph_agentmem.models.review import OnDispute, ReviewPolicy
from langgraph_agentmem.models.run import OnRun
from langgraph_agentmem.policies.frequencies import FrequencyCache
from langgraph_agentmem.policies.words import Reader, reader
from langgraph_agentmem.projection.graph import Graph, PostgresGraph
from langgraph_agentmem.projection.neo4j_database import Neo4jDatabase
from langgraph_agentmem.projection.neo4j_graph import Neo4jGraph
from langgraph_agentmem.redaction import UNREDACTED, Redactor
from langgraph_agentmem.reranker import Reranker
from langgraph_agentmem.settings import AgentMemorySettings
from langgraph_agentmem.storage.driver.database import Database
from langgraph_agentmem.storage.driver.shared_call import SharedCall
from langgraph_agentmem.storage.driver.tenants import NOBODY
from langgraph_agentmem.storage.vectors import (
    EmbeddingModel,
    Registration,
    register_embedding_model,
    registered_embedding_model,
)

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel


@dataclass(eq=False)
class Resources:
    """The parts of an open memory.

    Attributes:
        embedder: None searches by words only.
        model: Resolves conflicts; None leaves them to the rules.
        extractor: Finds entities; None finds none.
        neo4j: Where the entity graph is projected to, and read from; None reads it from PostgreSQL.
        review: Which changes are left to a person.
        reranker: Orders the best hits of a search anew; None leaves them as they are.
        on_run: Told of each run that is over.
        on_dispute: Told of what a run has left to a person.
        redactor: Sees every text before it is stored.
        reembed: Whether the embedder is to take the place of the one that the database's vectors come from.
        successor: The embedder that is to take this one's place, when all its vectors are there.
        frequencies: How frequent words are among the chunks of tenants that were searched lately.
    """

    database: Database
    settings: AgentMemorySettings
    embedder: Embedder | None = None
    model: "BaseChatModel | None" = None
    extractor: Extractor | None = None
    reembed: bool = False
    successor: Embedder | None = None
    frequencies: FrequencyCache = field(default_factory=FrequencyCache, init=False, repr=False)
    neo4j: Neo4jDatabase | None = None
    review: ReviewPolicy = "never"
    reranker: "Reranker | None" = None
    redactor: Redactor = UNREDACTED
    on_run: OnRun | None = None
    on_dispute: OnDispute | None = None
    _embedding_model: EmbeddingModel | None = field(default=None, init=False)
    _registering: SharedCall[EmbeddingModel | None] = field(
        default_factory=SharedCall["EmbeddingModel | None"], init=False, repr=False
    )

    @property
    def resources(self) -> "Resources":
        """Itself, so that nodes take a memory or its resources alike."""
        return self

    @cached_property
    def graph(self) -> Graph:
        """What reads the entity graph."""
        return PostgresGraph(self.database) if self.neo4j is None else Neo4jGraph(self.neo4j)

    @property
    def reader(self) -> Reader:
        """Reads the words of what is written and asked."""
        return reader(self.settings.text_search_config)

    @property
    def embedder_now(self) -> Embedder | None:
        """The embedder, if chunks get their vectors before they are written."""
        return self.embedder if self.settings.embed == "now" else None

    @property
    def registered(self) -> EmbeddingModel | None:
        """The embedder as the database knows it, if it was asked already; in use, or to be used."""
        return self._embedding_model

    async def embedding_model(self) -> EmbeddingModel | None:
        """The embedder as the database knows it, registered on first use; None without an embedder.

        A successor whose vectors have become complete, maybe by another process, is the embedder from then on.
        Where nothing can be written, it stays unknown if the database has no vectors yet: None as well.

        Raises:
            EmbeddingMismatchError: The database's vectors come from another embedder.
        """
        if self.embedder is None:
            return None
        if self.successor is not None and await self._in_use(self.successor, replace=True) is not None:
            self.embedder, self.successor, self._embedding_model = self.successor, None, None
        return self._embedding_model or await self._registering(self._register)

    async def coming_model(self) -> tuple[Embedder, EmbeddingModel] | None:
        """The embedder that is to be the database's, and is not yet; None where there is no such.

        Raises:
            EmbeddingError: As `Embedder.embed`.
        """
        model = await self.embedding_model()
        if model is None or self.embedder is None:
            return None
        if self.successor is not None:
            coming = await self._registered(self.successor, replace=True)
            return None if coming is None else (self.successor, coming)
        if not self.reembed or await self._in_use(self.embedder, replace=True) is not None:
            return None
        return self.embedder, model

    async def _register(self) -> EmbeddingModel | None:
        if self._embedding_model is None and self.embedder is not None:
            self._embedding_model = await self._registered(self.embedder, replace=self.reembed)
        return self._embedding_model  # maybe another caller was faster

    async def _registered(self, embedder: Embedder, *, replace: bool) -> EmbeddingModel | None:
        registration = await _registration(embedder, replace)
        async with self.database.connection(NOBODY) as connection:
            model = await registered_embedding_model(connection, registration)
            writable = connection.writable
        if model is None and writable:
            floor = await measured_floor(embedder)
            async with self.database.as_it_is(patient=True) as connection:  # an index over many vectors takes its time
                model = await register_embedding_model(connection, registration, floor)
        if model is not None:
            embedder.kept_as(model)
        return model

    async def _in_use(self, embedder: Embedder, *, replace: bool) -> EmbeddingModel | None:
        registration = await _registration(embedder, replace)
        async with self.database.connection(NOBODY) as connection:
            return await registered_embedding_model(connection, registration)


async def _registration(embedder: Embedder, replace: bool) -> Registration:
    dimensions = await embedder.probe()  # first: its name may be known only after that
    return Registration(name=embedder.name, dimensions=dimensions, index=embedder.index, replace=replace)


class HasResources(Protocol):
    """An `AgentMemory`, or its `Resources`."""

    @property
    def resources(self) -> Resources:
        """The parts of an open memory."""
        ...


M = TypeVar("M", bound=HasResources)


def given_memory(memory: M, kind: type[M] | None = None, *, by_dsn: str = "AgentMemory.open") -> M:
    """The memory, if it is one.

    Args:
        memory: What was given as one.
        kind: What it has to be; by default anything with the parts of one.
        by_dsn: What takes a connection string.

    Raises:
        ConfigurationError: It is something else, as a connection string.
    """
    given = cast("object", memory)
    if not (isinstance(given, kind) if kind else isinstance(getattr(given, "resources", None), Resources)):
        raise ConfigurationError(
            f"memory must be an AgentMemory, not {type(memory).__name__}; for a connection string there is {by_dsn}"
        )
    return memory
