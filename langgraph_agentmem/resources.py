"""What operations and nodes work with: a database, settings, an embedder, a model."""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Protocol

from langgraph_agentmem.embedding import Embedder
from langgraph_agentmem.extraction import Extractor
from langgraph_agentmem.models.review import ReviewPolicy
from langgraph_agentmem.projection.graph import Graph, PostgresGraph
from langgraph_agentmem.projection.neo4j_database import Neo4jDatabase
from langgraph_agentmem.projection.neo4j_graph import Neo4jGraph
from langgraph_agentmem.settings import AgentMemorySettings
from langgraph_agentmem.storage.driver.database import Database
from langgraph_agentmem.storage.driver.shared_call import SharedCall
from langgraph_agentmem.storage.driver.tenants import EVERYONE
from langgraph_agentmem.storage.vectors import EmbeddingModel, register_embedding_model

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

_STATISTICS_SECONDS = 300.0


class WordFrequencies:
    """How many chunks hold each of the frequent words, roughly; looked up again after five minutes.

    Args:
        chunks: By word, as the text search configuration writes it; None where it was never looked up.
        at: When it was looked up, by `time.monotonic`; now by default.

    Attributes:
        rare: About how many hold any other word.
    """

    def __init__(self, chunks: Mapping[str, int] | None = None, *, at: float | None = None) -> None:
        looked_up = time.monotonic() if at is None else at
        self._until = 0.0 if chunks is None else looked_up + _STATISTICS_SECONDS
        # the statistics list frequent words only: any other one is rarer than the rarest of these
        self.rare: int = max(min((chunks or {}).values(), default=1) // 2, 1)
        self._by_start: dict[str, dict[str, int]] = {}
        for word, count in (chunks or {}).items():
            # by all letters but the last, which stemming may change: happy and happi
            self._by_start.setdefault(word[: max(len(word) - 1, 2)], {})[word] = count

    @property
    def old(self) -> bool:
        """Whether it is time to look them up again."""
        return time.monotonic() > self._until

    def of(self, text: str) -> dict[str, int]:
        """The frequent words that words of a text may become by stemming, which changes endings."""
        starts = {word[:end] for word in re.findall(r"\w+", text.casefold()) for end in range(2, len(word) + 1)}
        return {word: count for start in starts for word, count in self._by_start.get(start, {}).items()}


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
        word_frequencies: How frequent words are in the database.
    """

    database: Database
    settings: AgentMemorySettings
    embedder: Embedder | None = None
    model: "BaseChatModel | None" = None
    extractor: Extractor | None = None
    reembed: bool = False
    word_frequencies: "WordFrequencies" = field(default_factory=lambda: WordFrequencies())
    neo4j: Neo4jDatabase | None = None
    review: ReviewPolicy = "never"
    _embedding_model: EmbeddingModel | None = field(default=None, init=False)
    _registering: SharedCall[EmbeddingModel] = field(default_factory=SharedCall[EmbeddingModel], init=False, repr=False)

    @property
    def resources(self) -> "Resources":
        """Itself, so that nodes take a memory or its resources alike."""
        return self

    @cached_property
    def graph(self) -> Graph:
        """What reads the entity graph."""
        return PostgresGraph(self.database) if self.neo4j is None else Neo4jGraph(self.neo4j)

    @property
    def embedder_now(self) -> Embedder | None:
        """The embedder, if chunks get their vectors before they are written."""
        return self.embedder if self.settings.embed == "now" else None

    async def embedding_model(self) -> EmbeddingModel | None:
        """The embedder as the database knows it, registered on first use; None without an embedder.

        Raises:
            EmbeddingMismatchError: The database's vectors come from another embedder.
        """
        if self.embedder is None:
            return None
        return self._embedding_model or await self._registering(partial(self._register, self.embedder))

    async def _register(self, embedder: Embedder) -> EmbeddingModel:
        if self._embedding_model is not None:
            return self._embedding_model  # another caller was faster
        dimensions = await embedder.probe()
        async with self.database.connection(EVERYONE) as connection:
            model = await register_embedding_model(
                connection, embedder.name, dimensions, embedder.index, replace=self.reembed
            )
        embedder.kept_as(model)
        self._embedding_model = model
        return model


class HasResources(Protocol):
    """An `AgentMemory`, or its `Resources`."""

    @property
    def resources(self) -> Resources:
        """The parts of an open memory."""
        ...
