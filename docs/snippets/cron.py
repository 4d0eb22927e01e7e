"""Consolidates what is due, for all tenants, once: for cron and serverless."""

# [start]
import asyncio

from langgraph_agentmem import AgentMemory


async def main() -> None:
    async with AgentMemory.open() as memory:
        for report in await memory.queue.arun_due():
            print(report.status, report.run_id, report.updates_consumed)


asyncio.run(main())
# [end]
