"""Indexes that large tenants have for themselves, for `agentmem db tenant-index`."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from langgraph_agentmem.models.health import TenantIndex
from langgraph_agentmem.policies import validation
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.storage import tenant_indexes
from langgraph_agentmem.storage.driver.connections import Connection, retrying_deadlocks

T = TypeVar("T")


async def make(resources: Resources, external_id: object) -> None:
    """Make a tenant indexes of its own, as far as it lacks them.

    Args:
        resources: Of a memory that the owner has opened.
        external_id: The tenant.

    Raises:
        InvalidInputError: There is no such tenant.
        ConfigurationError: There can be none in this database, or not by this user.
    """
    await _done(resources, tenant_indexes.make, validation.tenant(external_id))


async def drop(resources: Resources, external_id: object) -> int:
    """Drop a tenant's own indexes, and return how many there were.

    Args:
        resources: Of a memory that the owner has opened.
        external_id: The tenant, which may be forgotten.

    Raises:
        ConfigurationError: This user may not.
    """
    return await _done(resources, tenant_indexes.drop, validation.tenant(external_id))


async def indexes(resources: Resources) -> list[TenantIndex]:
    """Those that there are."""
    async with resources.database.as_it_is() as connection:
        return await tenant_indexes.of_all(connection)


async def _done(resources: Resources, change: Callable[[Connection, str], Awaitable[T]], tenant: str) -> T:
    async def attempt() -> T:
        async with resources.database.as_it_is(patient=True) as connection:  # it waits for whoever is writing
            return await change(connection, tenant)

    # two who build at once wait for each other's transactions; what that leaves unusable is built anew
    return await retrying_deadlocks(attempt)
