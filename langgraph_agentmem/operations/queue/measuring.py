"""Counts what waits, for OpenTelemetry's gauges."""

from langgraph_agentmem import telemetry
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.storage import queue, reviews
from langgraph_agentmem.storage.driver.tenants import EVERYONE


async def measure(resources: Resources) -> None:
    """Count the queue and the disputes of all tenants in the database, where OpenTelemetry is installed."""
    if not telemetry.installed():
        return
    async with resources.database.transaction(EVERYONE) as connection:
        status = await queue.status(connection, None)
        disputes = await reviews.count_pending(connection)
    telemetry.counted(
        resources.database.name,
        {
            "memories.due": status.due,
            "memories.running": status.running,
            "memories.waiting": status.waiting,
            "memories.dead": status.dead,
            "memories.oldest_due": status.lag_seconds,
            "disputes.pending": disputes,
        },
    )
