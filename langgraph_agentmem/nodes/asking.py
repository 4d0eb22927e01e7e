"""Asks a model again where it fails."""

import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

from langgraph_agentmem.errors import ModelError
from langgraph_agentmem.models.run import ModelUsage

_FIRST_WAIT = 0.2
"""Seconds; doubled with each attempt."""

T = TypeVar("T")


async def answered(ask: Callable[[], Awaitable[tuple[T, ModelUsage]]], attempts: int) -> tuple[T, ModelUsage]:
    """A model's answer, and what it cost with the calls that failed before it.

    Here and not by the graph's retry policy, of which the last error alone is known: the calls before it were paid for
    as well.

    Args:
        ask: One attempt.
        attempts: How many there may be.

    Raises:
        ModelError: All of them failed; it carries what they have cost.
    """
    spent = ModelUsage()
    for attempt in range(attempts):
        try:
            answer, usage = await ask()
        except ModelError as error:
            spent += ModelUsage.of_failure(error)
            if attempt + 1 == attempts:
                raise spent.failing(error) from error
            await anyio.sleep(_FIRST_WAIT * 2**attempt * (1 + random.random()) / 2)
        else:
            return answer, spent + usage
    raise AssertionError("a model is asked at least once")
