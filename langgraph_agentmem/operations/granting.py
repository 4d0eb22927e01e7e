"""Gives, revokes and lists grants: what a tenant lets others search."""

from datetime import datetime

from langgraph_agentmem.errors import InvalidInputError
from langgraph_agentmem.models.grant import Grant
from langgraph_agentmem.policies import validation
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.storage import grants as storage


async def give(
    resources: Resources, owner: object, reader: object, namespace: object, expires_at: datetime | None
) -> Grant:
    """See `Grants.agive`."""
    giver, receiver = validation.two_tenants(owner, reader)
    prefix = validation.granted_prefix(namespace, giver, receiver)
    validation.moments(expires_at=expires_at)
    for label in (label for label in prefix if label != giver):
        resources.redactor.name(label, "a label of the namespace")
    async with resources.database.transaction(giver) as connection:
        given = await storage.send_give(connection, giver, receiver, prefix, expires_at)
    if (grant := await given()) is None:
        raise InvalidInputError(
            f"expires_at is {expires_at}, which has passed by the database's clock; give a time to come, or None"
        )
    return grant


async def revoke(resources: Resources, owner: object, reader: object, namespace: object) -> int:
    """See `Grants.arevoke`."""
    giver, receiver = validation.two_tenants(owner, reader)
    prefix = None if namespace is None else validation.granted_prefix(namespace, giver, receiver)
    async with resources.database.connection(giver) as connection:
        return await storage.revoke(connection, giver, receiver, prefix)


async def given(resources: Resources, owner: object) -> list[Grant]:
    """See `Grants.alist`."""
    tenant = validation.tenant(owner)
    async with resources.database.connection(tenant) as connection:
        return await storage.given(connection, tenant)


async def received(resources: Resources, reader: object) -> list[Grant]:
    """See `Grants.areceived`."""
    tenant = validation.tenant(reader)
    async with resources.database.connection(tenant) as connection:
        return await storage.received(connection, tenant)


async def forget(resources: Resources, external_id: str) -> int:
    """Remove what a tenant has given and received; returns how many grants those were."""
    async with resources.database.connection(external_id) as connection:
        removed = await storage.revoke(connection, external_id)
        owners = {grant.owner for grant in await storage.received(connection, external_id, expired=True)}
    # only its owner may remove a grant; each for itself, so that two who forget each other's never wait for each other
    for owner in sorted(owners):
        async with resources.database.connection(owner) as connection:
            removed += await storage.revoke(connection, owner, external_id)
    return removed
