"""What operations and nodes work with: a database, settings, an embedder, a model."""

from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Protocol

from langgraph_agentmem.embedding import Embedder, measured_floor
from langgraph_agentmem.extraction import Extractor
from langgraph_agentmem.models.review import ReviewPolicy
from langgraph_agentmem.policies.frequencies import FrequencyCache
from langgraph_agentmem.policies.words import Reader, reader
from langgraph_agentmem.projection.graph import Graph, PostgresGraph
from langgraph_agentmem.projection.neo4j_database import Neo4jDatabase
from langgraph_agentmem.projection.neo4j_graph import Neo4jGraph
from langgraph_agentmem.settings import AgentMemorySettings
from langgraph_agentmem.storage.driver.database import Database
from langgraph_agentmem.storage.driver.shared_call import SharedCall
from langgraph_agentmem.storage.driver.tenants import EVERYONE
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
        reembed: Whether the embedder may take the place of the one that the database's vectors come from.
        frequencies: How frequent words are among the chunks of tenants that were searched lately.
    """

    database: Database
    settings: AgentMemorySettings
    embedder: Embedder | None = None
    model: "BaseChatModel | None" = None
    extractor: Extractor | None = None
    reembed: bool = False
    frequencies: FrequencyCache = field(default_factory=FrequencyCache, init=False, repr=False)
    neo4j: Neo4jDatabase | None = None
    review: ReviewPolicy = "never"
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

    async def embedding_model(self) -> EmbeddingModel | None:
        """The embedder as the database knows it, registered on first use; None without an embedder.

        Where nothing can be written, it stays unknown if the database has no vectors yet: None as well.

        Raises:
            EmbeddingMismatchError: The database's vectors come from another embedder.
        """
        if self.embedder is None:
            return None
        return self._embedding_model or await self._registering(partial(self._register, self.embedder))

    async def _register(self, embedder: Embedder) -> EmbeddingModel | None:
        if self._embedding_model is not None:
            return self._embedding_model  # another caller was faster
        dimensions = await embedder.probe()
        registration = Registration(
            name=embedder.name, dimensions=dimensions, index=embedder.index, replace=self.reembed
        )
        async with self.database.connection(EVERYONE) as connection:
            model = await registered_embedding_model(connection, registration)
            writable = connection.writable
        if model is None and not writable:
            return None
        if model is None:
            floor = await measured_floor(embedder)
            async with self.database.as_it_is(patient=True) as connection:  # an index over many vectors takes its time
                model = await register_embedding_model(connection, registration, floor)
        embedder.kept_as(model)
        self._embedding_model = model
        return model


class HasResources(Protocol):
    """An `AgentMemory`, or its `Resources`."""

    @property
    def resources(self) -> Resources:
        """The parts of an open memory."""
        ...
