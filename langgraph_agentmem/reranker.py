"""Asks rerankers how well texts answer a question."""

import inspect
import math
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import anyio.to_thread

from langgraph_agentmem.errors import ConfigurationError, ModelError
from langgraph_agentmem.policies import validation

if TYPE_CHECKING:
    from langchain_core.documents import BaseDocumentCompressor

Reranker: TypeAlias = (
    "BaseDocumentCompressor | Callable[[str, list[str]], Sequence[float] | Awaitable[Sequence[float]]]"
)
"""LangChain's document compressor, or a function of a question and texts that returns a score each, sync or async."""

_PLACE = "agentmem_place"
"""Where a document says which of the texts it is."""


def checked(reranker: object) -> "Reranker":
    """A reranker that can be asked.

    Raises:
        ConfigurationError: It is none.
    """
    validation.instance(reranker, "the reranker")
    if hasattr(reranker, "acompress_documents") or callable(reranker):
        return cast("Reranker", reranker)
    raise ConfigurationError(
        f"a reranker must be a LangChain document compressor or a function (query, texts) -> scores, not {reranker!r}"
    )


async def ordered(reranker: "Reranker", query: str, texts: list[str]) -> list[tuple[int, float | None]]:
    """The places of the texts, best first, each with its score.

    A document compressor may leave texts out, and need not say a score; equal scores stay in the order of the texts.

    Raises:
        ModelError: The reranker fails, or its answer is not about these texts.
    """
    try:
        if hasattr(reranker, "acompress_documents"):
            return await _compressed(cast("BaseDocumentCompressor", reranker), query, texts)
        scores = await _called(cast("Callable[[str, list[str]], Any]", reranker), query, texts)
        return _best_first([float(score) for score in scores], len(texts))
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(f"the reranker failed: {error}") from error


async def _called(function: Callable[[str, list[str]], Any], query: str, texts: list[str]) -> Any:
    if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None)):  # noqa: B004
        return await function(query, texts)
    # a model takes its time, in which the event loop has other things to do
    scores = await anyio.to_thread.run_sync(function, query, texts)
    return await scores if inspect.isawaitable(scores) else scores


def _best_first(scores: Sequence[float], count: int) -> list[tuple[int, float | None]]:
    if len(scores) != count:
        raise ModelError(f"the reranker returned {len(scores)} scores for {count} texts")
    if not all(map(math.isfinite, scores)):
        raise ModelError("the reranker returned a score that is NaN or infinite")
    return [(place, scores[place]) for place in sorted(range(count), key=lambda place: -scores[place])]


async def _compressed(
    compressor: "BaseDocumentCompressor", query: str, texts: list[str]
) -> list[tuple[int, float | None]]:
    from langchain_core.documents import Document  # noqa: PLC0415 - as long to import as all of this package

    documents = [Document(page_content=text, metadata={_PLACE: place}) for place, text in enumerate(texts)]
    answer = await compressor.acompress_documents(documents, query)
    places: list[Any] = [document.metadata.get(_PLACE) for document in answer]
    if len(set(places)) != len(places) or not set(places) <= set(range(len(texts))):
        raise ModelError("the reranker returned documents that it was not given, or one of them twice")
    scores = [document.metadata.get("relevance_score") for document in answer]
    known = [None if score is None else float(score) for score in scores]
    if not all(score is None or math.isfinite(score) for score in known):
        raise ModelError("the reranker returned a score that is NaN or infinite")
    return list(zip(places, known, strict=True))
