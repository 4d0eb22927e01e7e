"""The one way into a section: look, decide, write values with the revisions that were looked at; chunks follow.

Values are written without a lock first, by a statement that refuses where somebody has come in between. Then the same
statement is sent again behind the memories' locks, where nobody can.
"""

import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from langgraph_agentmem import telemetry
from langgraph_agentmem.errors import AgentMemoryError
from langgraph_agentmem.models.chunk import Vectors, WrittenSection
from langgraph_agentmem.operations.queue import queueing
from langgraph_agentmem.operations.sections import chunks, freshness
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.settings import AgentMemorySettings
from langgraph_agentmem.storage import values as storage
from langgraph_agentmem.storage.driver.connections import Connection, retrying_deadlocks
from langgraph_agentmem.storage.driver.rows import Deferred, received
from langgraph_agentmem.storage.driver.translation import RefusedError
from langgraph_agentmem.storage.values import CheckpointAlong, Limits, ValueBatch, Written

T = TypeVar("T")
_logger = logging.getLogger(__name__)


async def attempted(writer: str, attempt: Callable[[bool], Awaitable[T]]) -> T:
    """What an attempt to write comes to: without a lock, and where that is refused, with it.

    Args:
        writer: Who writes, as refusals are counted by.
        attempt: Makes one, in a transaction of its own; it is told whether to lock first. It is made again where it
            loses a deadlock.

    Raises:
        RefusedError: Also behind the lock, a section is not at the revision that it is to be at; nothing was written.
    """
    try:
        return await retrying_deadlocks(partial(attempt, False))
    except RefusedError:
        telemetry.write_refused(writer)
    return await retrying_deadlocks(partial(attempt, True))


async def write_alone(resources: Resources, batch: ValueBatch, along: CheckpointAlong | None = None) -> Written:
    """Write values by one statement, in one round trip; their chunks are written when somebody asks for them.

    Raises:
        RefusedError: Somebody has come in between; nothing was written.
    """
    async with resources.database.connection(batch.external_id) as connection:
        answer = await storage.write_values(connection, batch, _limits(resources.settings), along)
    if answer is None:
        raise RefusedError("somebody else has written in between")
    written = await answer()
    resources.frequencies.wrote(batch.external_id, len(batch.writes))
    return written


async def send(
    connection: Connection, resources: Resources, batch: ValueBatch
) -> tuple[Deferred[Written], Deferred[int]]:
    """Write values in a transaction, and their chunks where they are at hand.

    Returns:
        What tells what that has come to, and how many new chunks lack their vector.
    """
    written = await storage.send_values(connection, batch, _limits(resources.settings))
    if batch.later:
        return written, received(0)
    sections = [
        WrittenSection(namespace=write.namespace, section_id=write.section_id, chunks=write.chunks or [])
        for write in batch.writes
    ]
    return written, await chunks.write_chunks(connection, resources, batch.external_id, sections, _vectors(batch))


async def tell(resources: Resources, external_id: str, written: Written) -> None:
    """Wake workers if memories have become due, and see to the chunks of those that are far behind: after every write.

    What was written is stored by now, so that nothing here fails the writer.
    """
    if written.due:
        await queueing.wake_workers(resources)
    try:
        await freshness.catch_up_all(resources, [(external_id, id) for id in written.behind])
    except AgentMemoryError as error:
        _logger.warning("values of tenant %r wait for a search to be cut: %s", external_id, telemetry.described(error))


def _vectors(batch: ValueBatch) -> Vectors:
    vectors: Vectors = {}
    shared = {id(write.vectors): write.vectors for write in batch.writes}  # those of one call share theirs
    for known in shared.values():
        vectors |= known
    return vectors


def _limits(settings: AgentMemorySettings) -> Limits:
    return Limits(
        settings.avg_section_update_count,
        settings.max_pending_updates,
        settings.max_pending_minutes,
        settings.max_unchunked_writes,
    )
