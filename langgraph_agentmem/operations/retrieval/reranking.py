"""The second stage of a search: a model reads the question along with each of the best hits, and orders them anew."""

import logging
from collections.abc import Callable
from typing import TypeVar

from langgraph_agentmem import telemetry
from langgraph_agentmem.errors import ModelError
from langgraph_agentmem.models.item import FoundItem
from langgraph_agentmem.models.search import SearchHit
from langgraph_agentmem.reranker import ordered
from langgraph_agentmem.resources import Resources

FIRST = 50
"""Hits that are ordered anew; a model reads each of them."""
Hit = TypeVar("Hit", SearchHit, FoundItem)
_logger = logging.getLogger(__name__)


def wanted(resources: Resources, count: int) -> int:
    """How many hits the first stage has to find so that so many can be returned."""
    return count if resources.reranker is None else max(count, FIRST)


async def reranked(resources: Resources, query: str, found: list[Hit], text: Callable[[Hit], str]) -> list[Hit]:
    """What was found, the first of it as the reranker orders it; what that leaves out, and the rest, follow.

    As with a chat model, a reranker that fails is no reason not to answer: the hits stay as they are, without a
    `rerank_score`, and a warning is logged.
    """
    if resources.reranker is None or not found:
        return found
    first = found[:FIRST]
    try:
        places = await ordered(resources.reranker, query, [text(hit) for hit in first])
    except ModelError as error:
        # what the reranker itself says of its failure may quote memory
        problem = str(error) if error.__cause__ is None else telemetry.described(error)
        _logger.warning("hits stay in the order in which they were found: %s", problem)
        return found
    best = [first[place].model_copy(update={"rerank_score": score}) for place, score in places]
    named = {place for place, _ in places}
    return [*best, *(hit for place, hit in enumerate(first) if place not in named), *found[FIRST:]]
