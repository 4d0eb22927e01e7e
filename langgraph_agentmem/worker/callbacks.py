"""Tells the application of runs, and of what they leave to a person, once these are stored."""

import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import cast

import anyio.to_thread

from langgraph_agentmem import telemetry
from langgraph_agentmem.operations.retrieval import reading
from langgraph_agentmem.operations.reviews import disputes
from langgraph_agentmem.resources import Resources

_logger = logging.getLogger(__name__)


async def told(resources: Resources, external_id: str, run_id: str, *, parked: bool = False) -> None:
    """Call what the memory was opened with about a run that is over; whatever fails there is logged and counted.

    Args:
        resources: The open memory's.
        external_id: The tenant.
        run_id: The run; one that never began is not told of.
        parked: Whether it has left something to a person.
    """
    on_run, on_dispute = resources.on_run, resources.on_dispute
    if on_run is not None:

        async def tell_run() -> None:
            run = await reading.run(resources, external_id, run_id)
            if run is not None:
                await _call(lambda: on_run(run))

        await _safely("on_run", tell_run)
    if on_dispute is not None and parked:

        async def tell_dispute() -> None:
            review = await disputes.pending_of_run(resources, external_id, run_id)
            if review is not None:
                await _call(lambda: on_dispute(review))

        await _safely("on_dispute", tell_dispute)


async def _safely(name: str, tell: Callable[[], Awaitable[None]]) -> None:
    try:
        await tell()
    except Exception as error:  # a run that is stored is no failure, whoever hears of it
        telemetry.callback_failed(name, error)
        # its text may quote the memory
        _logger.warning("the callback %s failed: %s", name, type(error).__name__)


async def _call(function: Callable[[], object]) -> None:
    """Call a function in a thread, as it may wait, or use the memory's sync methods; what is async is awaited."""
    answer = await anyio.to_thread.run_sync(function)
    if inspect.isawaitable(answer):
        await cast("Awaitable[object]", answer)
