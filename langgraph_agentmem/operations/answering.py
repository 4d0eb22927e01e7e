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
        attempts: How many there may be, at least one.

    Raises:
        ModelError: All of them failed; it carries what they have cost.
    """
    spent, wait = ModelUsage(), _FIRST_WAIT
    while True:
        try:
            answer, usage = await ask()
        except ModelError as error:
            spent += ModelUsage.of_failure(error)
            attempts -= 1
            if not attempts:
                raise spent.failing(error) from error
            await anyio.sleep(wait * (1 + random.random()) / 2)
            wait *= 2
        else:
            return answer, spent + usage
