"""Removes what has expired, every so often."""

import logging
import weakref

import anyio

from langgraph_agentmem import telemetry
from langgraph_agentmem.errors import AgentMemoryError
from langgraph_agentmem.operations.sections import deleting
from langgraph_agentmem.resources import HasResources

_logger = logging.getLogger(__name__)


async def sweep_forever(memory: "weakref.ref[HasResources]", seconds: float) -> None:
    """Remove what expires in a memory, until nobody uses it any more."""
    while True:
        await anyio.sleep(seconds)
        this = memory()
        if this is None:
            return
        # neither while this sleeps nor while it waits for the server may it keep a memory alive that nobody uses any
        # more: a collection of garbage that comes meanwhile passes it over, and the next may be long in coming
        resources = this.resources
        del this
        try:
            await deleting.sweep(resources)
        except AgentMemoryError as error:  # the next time may find the server up again
            _logger.warning("items that have expired could not be removed: %s", telemetry.described(error))
