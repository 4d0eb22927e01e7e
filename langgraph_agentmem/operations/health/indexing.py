"""Indexes that large tenants have for themselves, for `agentmem db tenant-index`."""

from langgraph_agentmem.models.health import TenantIndex
from langgraph_agentmem.policies import validation
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.storage import tenant_indexes


async def make(resources: Resources, external_id: object) -> None:
    """Make a tenant indexes of its own, as far as it lacks them.

    Args:
        resources: Of a memory that the owner has opened.
        external_id: The tenant.

    Raises:
        InvalidInputError: There is no such tenant with chunks.
        ConfigurationError: There can be none in this database, or not by this user.
    """
    tenant = validation.tenant(external_id)
    async with resources.database.as_it_is(patient=True) as connection:
        await tenant_indexes.make(connection, tenant)


async def drop(resources: Resources, external_id: object) -> None:
    """Drop a tenant's own indexes, if it has them.

    Args:
        resources: Of a memory that the owner has opened.
        external_id: The tenant, which may be forgotten.

    Raises:
        ConfigurationError: This user may not.
    """
    tenant = validation.tenant(external_id)
    async with resources.database.as_it_is(patient=True) as connection:
        await tenant_indexes.drop(connection, tenant)


async def indexes(resources: Resources) -> list[TenantIndex]:
    """Those that there are."""
    async with resources.database.as_it_is() as connection:
        return await tenant_indexes.of_all(connection)
