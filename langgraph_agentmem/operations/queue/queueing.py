"""Looks at the queue of due memories, and puts memories into it."""

import logging

from langgraph_agentmem import telemetry
from langgraph_agentmem.errors import InvalidInputError, StorageError
from langgraph_agentmem.models.queue import DeadMemory, QueueStatus
from langgraph_agentmem.operations.sections.memories import existing
from langgraph_agentmem.policies import validation
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.storage import memories, queue
from langgraph_agentmem.storage.driver.tenants import EVERYONE, NOBODY, tenant_or_everyone

_TENANTS = 500
_logger = logging.getLogger(__name__)


async def mark_pending_due(resources: Resources, external_id: str, memory_id: int | None) -> list[tuple[str, int]]:
    """Put a tenant's memories with pending updates into the queue, or one of them; returns them with the tenant."""
    id = None if memory_id is None else validation.identifier(memory_id, "memory_id")
    async with resources.database.transaction(external_id) as connection:
        if id is not None:
            existing(await memories.get(connection, external_id, id), external_id, id)
        ids = await queue.mark_pending_due(connection, external_id, id)
    return [(external_id, id) for id in ids]


async def wake_workers(resources: Resources) -> None:
    """Tell workers that memories are due; one that does not hear of it finds them a little later."""
    try:
        async with resources.database.connection(NOBODY) as connection:
            await queue.notify(connection)
    except StorageError as error:
        _logger.debug("workers were not told that memories are due: %s", telemetry.described(error))


async def status(resources: Resources, external_id: object) -> QueueStatus:
    """See `Queue.astatus`."""
    tenant = None if external_id is None else validation.tenant(external_id)
    async with resources.database.connection(tenant_or_everyone(tenant)) as connection:
        return await queue.status(connection, tenant)


async def dead_letters(resources: Resources, external_id: object, limit: object) -> list[DeadMemory]:
    """See `Queue.adead_letters`."""
    tenant = None if external_id is None else validation.tenant(external_id)
    async with resources.database.connection(tenant_or_everyone(tenant)) as connection:
        return await queue.dead_letters(connection, tenant, validation.positive(limit, "limit"))


async def retry_dead_letters(resources: Resources, external_id: object, memory_id: object) -> int:
    """See `Queue.aretry`."""
    tenant = None if external_id is None else validation.tenant(external_id)
    if tenant is not None:
        id = None if memory_id is None else validation.identifier(memory_id, "memory_id")
        return await _retry(resources, tenant, id)
    if memory_id is not None:
        raise InvalidInputError(f"memory_id {memory_id!r} belongs to a tenant; give external_id as well")
    # tenant by tenant: no UPDATE touches the rows of several
    retried, after = 0, ""
    while True:
        async with resources.database.connection(EVERYONE) as connection:
            tenants = await queue.tenants_with_dead_letters(connection, after, _TENANTS)
        retried += sum([await _retry(resources, tenant, None) for tenant in tenants])
        if len(tenants) < _TENANTS:
            return retried
        after = tenants[-1]


async def _retry(resources: Resources, external_id: str, memory_id: int | None) -> int:
    async with resources.database.transaction(external_id) as connection:
        if memory_id is not None:
            existing(await memories.get(connection, external_id, memory_id), external_id, memory_id)
        return await queue.retry_dead_letters(connection, external_id, memory_id)
