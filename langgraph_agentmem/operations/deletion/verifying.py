"""Looks again at what a receipt says is gone."""

from collections.abc import Mapping
from typing import Any

from langgraph_agentmem.models.deletion import DeletionCheck, DeletionReceipt, Projected, RowCounts
from langgraph_agentmem.models.graph import VerifyReport
from langgraph_agentmem.operations.deletion import threads
from langgraph_agentmem.policies import receipts
from langgraph_agentmem.projection import verifying
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.storage import deletion as storage


async def verify(resources: Resources, given: DeletionReceipt | Mapping[str, Any] | str) -> DeletionCheck:
    """See `AgentMemory.averify_receipt`."""
    receipt = receipts.read(given)
    tenant = receipt.external_id
    async with resources.database.transaction(tenant) as connection:
        found, since = RowCounts(), RowCounts()
        if receipt.scope == "tenant":
            found, since = await storage.rows_of_tenant(connection, tenant, receipt.started_at)
        else:
            found = await storage.rows_of_memories(connection, tenant, receipt.memory_ids)
        waiting, projected = await storage.waiting(connection, tenant)
    # a deletion that was enqueued where nobody projects waits for nobody
    state: Projected = ("pending" if waiting else "done") if projected else "never"
    left = [
        thread
        for removed in (True, False)
        for thread in await threads.counted(
            resources, {t.thread_id: t.shared for t in receipt.threads if t.removed == removed}, removed=removed
        )
    ]
    return receipts.judged(
        receipt,
        found=receipts.added([found]),
        written_since=receipts.added([since]),
        projected=state,
        waiting=waiting if projected else 0,
        found_in_neo4j=await _found_in_neo4j(resources, tenant) if projected else 0,
        threads=tuple(left),
    )


async def _found_in_neo4j(resources: Resources, external_id: str) -> int | None:
    """How many things of a tenant Neo4j has and PostgreSQL has not, though no deletion waits; None without a Neo4j."""
    if resources.neo4j is None:
        return None
    await resources.neo4j.setup()
    report = await verifying.verify(resources.database, resources.neo4j, external_id, VerifyReport())
    return sum(difference.problem == "unexpected" for difference in report.differences)
