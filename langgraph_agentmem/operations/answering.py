"""Asks a model again where it fails."""

import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

from langgraph_agentmem.errors import ModelError
from langgraph_agentmem.models.run import ModelUsage
from langgraph_agentmem.policies import retrying

T = TypeVar("T")


async def answered(ask: Callable[[], Awaitable[tuple[T, ModelUsage]]], attempts: int) -> tuple[T, ModelUsage]:
    """A model's answer, and what it cost with the calls that failed before it.

    Between the calls it waits, as long as the provider asks for. Here and not by the graph's retry policy, of which the
    last error alone is known: the calls before it were paid for as well.

    Args:
        ask: One attempt.
        attempts: How many there may be, at least one.

    Raises:
        ModelError: All of them failed, or the provider wants to be left alone for longer than a run should wait; it
            carries what they have cost.
    """
    spent, failed = ModelUsage(), 0
    while True:
        try:
            answer, usage = await ask()
        except ModelError as error:
            spent += ModelUsage.of_failure(error)
            failed += 1
            wait = retrying.model_wait(failed, random.random(), error.retry_after)
            if failed >= attempts or wait is None:
                raise spent.failing(error) from error
            await anyio.sleep(wait)
        else:
            return answer, spent + usage
