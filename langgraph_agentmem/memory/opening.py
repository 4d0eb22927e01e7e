"""Puts the parts of a memory together, from the caller's arguments and the settings."""

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

from langgraph_agentmem import chat, reranker
from langgraph_agentmem.embedding import Embedder, Index
from langgraph_agentmem.errors import ConfigurationError
from langgraph_agentmem.extraction import Extractor, ModelExtractor
from langgraph_agentmem.models.review import OnDispute, ReviewPolicy
from langgraph_agentmem.models.run import OnRun
from langgraph_agentmem.policies import validation
from langgraph_agentmem.policies.words import reader
from langgraph_agentmem.projection.neo4j_database import Neo4jDatabase
from langgraph_agentmem.redaction import Redactor
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.settings import AgentMemorySettings
from langgraph_agentmem.storage.driver.database import Database

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

C = TypeVar("C")


def resources(
    settings: AgentMemorySettings,
    *,
    dsn: str | None,
    data_dir: Path | str | None,
    model: "BaseChatModel | str | None",
    index: Index | None,
    extractor: Extractor | None,
    reembed: bool | Index,
    graph: object,
    review: object,
    reranks: object,
    redact: object,
    on_run: OnRun | None,
    on_dispute: OnDispute | None,
) -> Resources:
    """The parts of a memory; see `AgentMemory.open`."""
    if not isinstance(cast("object", settings), AgentMemorySettings):
        raise ConfigurationError(f"settings must be AgentMemorySettings(...), not {type(settings).__name__}")
    validation.instance(extractor, "the extractor")
    if extractor is not None and not callable(getattr(extractor, "extract", None)):
        raise ConfigurationError(f"an extractor must have an async method extract(chunks), as {extractor!r} has not")
    if dsn is not None and data_dir is not None:
        raise ConfigurationError("data_dir is the embedded server's folder; give it or a dsn, not both")
    model = settings.model if model is None else model
    index = settings.embeddings if index is None else index
    graph = settings.graph if graph is None else graph
    chat_model = None if model is None else chat.chat_model(model)
    if extractor is None and chat_model is not None:
        extractor = ModelExtractor(chat_model, settings.extraction_token_budget, settings.structured_output)
    reader(settings.text_search_config)  # refuses what it does not know
    embedder = None if index is None else Embedder.of(index)
    replaced = _replaced(reembed, embedder)
    return Resources(
        Database.of(settings, dsn, data_dir),
        settings,
        replaced or embedder,
        chat_model,
        extractor,
        reembed is True,
        None if replaced is None else embedder,
        neo4j=_neo4j(graph, settings),
        review=_policy(settings.review if review is None else review),
        reranker=None if reranks is None else reranker.checked(reranks),
        redactor=Redactor.of(settings.redact if redact is None else redact),
        on_run=_callback(on_run, "on_run"),
        on_dispute=_callback(on_dispute, "on_dispute"),
    )


def _replaced(reembed: bool | Index, embedder: Embedder | None) -> Embedder | None:
    """The embedder that is used until another one can take its place, if it was given."""
    if isinstance(reembed, bool):
        return None
    if embedder is None:
        raise ConfigurationError("reembed names the embedder that is to be replaced; give the new one as index=")
    return Embedder.of(reembed)


def _neo4j(graph: object, settings: AgentMemorySettings) -> Neo4jDatabase | None:
    if isinstance(graph, Neo4jDatabase):
        return graph
    if graph not in ("postgres", "neo4j"):
        raise ConfigurationError(f"graph must be 'postgres', 'neo4j' or a Neo4jDatabase, not {graph!r}")
    return Neo4jDatabase.of(settings) if graph == "neo4j" else None


def _policy(review: object) -> ReviewPolicy:
    if callable(review) or review in ("never", "manual", "always"):
        return cast("ReviewPolicy", review)
    raise ConfigurationError(f"review must be 'never', 'manual', 'always' or a function, not {review!r}")


def _callback(given: C, name: str) -> C:
    if given is None or callable(given):
        return given
    raise ConfigurationError(f"{name} must be a function, not {given!r}")
