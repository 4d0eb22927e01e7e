"""Searches what another tenant has granted."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

from langgraph_agentmem.errors import NotGrantedError
from langgraph_agentmem.models.base import Json, Tier
from langgraph_agentmem.models.search import SearchHit
from langgraph_agentmem.operations.retrieval import searching
from langgraph_agentmem.operations.retrieval.searching import HitSearch
from langgraph_agentmem.operations.sections import freshness
from langgraph_agentmem.policies import validation
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.storage import grants
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.driver.rows import Deferred, DictRow
from langgraph_agentmem.storage.sections import UnchunkedMemory


async def search(
    resources: Resources,
    reader: object,
    query: object,
    *,
    shared_by: object,
    tiers: Sequence[Tier] | None = None,
    limit: int = 10,
    now: datetime | None = None,
) -> list[SearchHit]:
    """See `Grants.asearch`."""
    owner, receiver = validation.two_tenants(shared_by, reader)
    wanted = await searching.prepared(resources, owner, query, tiers=tiers, limit=limit, now=now, reader=receiver)
    rows = await freshness.read(resources, receiver, partial(_send, resources, wanted, receiver))
    # entities have names that other memories of the owner may have given them
    of_owner: Json = {"shared_by": owner, "entities": []}
    return [hit.model_copy(update=of_owner) for hit in await searching.hits(resources, wanted, rows)]


async def _send(
    resources: Resources, wanted: HitSearch, reader: str, connection: Connection
) -> tuple[Deferred[list[DictRow]], Deferred[list[UnchunkedMemory]]]:
    """Search as the owner, once the reader has seen that it may: in one transaction, which begins as the reader's."""
    owner = wanted.tenant
    _demand(await (await grants.send_holds(connection, owner, reader))(), owner, reader)
    connection.serve(owner)
    memory_ids = await grants.memories(connection, owner, reader)
    found, unchunked = await searching.send(resources, replace(wanted, memory_ids=memory_ids), connection)
    # the search itself looks at the grants again, and finds nothing where they were revoked since; that is to be told
    # from finding nothing
    still = await grants.send_holds(connection, owner, reader)

    async def received() -> list[DictRow]:
        rows = await found()
        _demand(await still(), owner, reader)
        return rows

    return received, unchunked


def _demand(holds: bool, owner: str, reader: str) -> None:
    if not holds:
        raise NotGrantedError(
            f"{owner!r} lets {reader!r} search nothing, or no longer; what is to be searched is granted by "
            f"memory.grants.give({owner!r}, {reader!r}, namespace)"
        )
