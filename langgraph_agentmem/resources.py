"""What operations and nodes work with: a database, settings, an embedder, a model."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

from langchain_core.language_models import BaseChatModel

from langgraph_agentmem.embedding import Embedder
from langgraph_agentmem.extraction import Extractor
from langgraph_agentmem.projection.graph import Graph, PostgresGraph
from langgraph_agentmem.projection.neo4j_database import Neo4jDatabase
from langgraph_agentmem.projection.neo4j_graph import Neo4jGraph
from langgraph_agentmem.settings import AgentMemorySettings
from langgraph_agentmem.storage.database import Database
from langgraph_agentmem.storage.migrate import EmbeddingModel, register_embedding_model


@dataclass(eq=False)
class Resources:
    """The parts of an open memory.

    Attributes:
        embedder: None searches by words only.
        model: Resolves conflicts; None leaves them to the rules.
        extractor: Finds entities; None finds none.
        neo4j: Where the entity graph is projected to, and read from; None reads it from PostgreSQL.
        reembed: Whether the embedder may take the place of the one that the database's vectors come from.
    """

    database: Database
    settings: AgentMemorySettings
    embedder: Embedder | None = None
    model: BaseChatModel | None = None
    extractor: Extractor | None = None
    reembed: bool = False
    neo4j: Neo4jDatabase | None = None
    _embedding_model: EmbeddingModel | None = field(default=None, init=False)

    @property
    def resources(self) -> "Resources":
        """Itself, so that nodes take a memory or its resources alike."""
        return self

    @cached_property
    def graph(self) -> Graph:
        """What reads the entity graph."""
        return PostgresGraph(self.database) if self.neo4j is None else Neo4jGraph(self.neo4j)

    async def embedding_model(self) -> EmbeddingModel | None:
        """The embedder as the database knows it, registered on first use; None without an embedder.

        Raises:
            EmbeddingMismatchError: The database's vectors come from another embedder.
        """
        if self.embedder is None:
            return None
        if self._embedding_model is None:
            dimensions = await self.embedder.probe()
            async with self.database.connection() as connection:
                self._embedding_model = await register_embedding_model(
                    connection, self.embedder.name, dimensions, replace=self.reembed
                )
        return self._embedding_model


class HasResources(Protocol):
    """An `AgentMemory`, or its `Resources`."""

    @property
    def resources(self) -> Resources:
        """The parts of an open memory."""
        ...
