"""Forgets a tenant, and kills its own process at a commit of it."""

import asyncio
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from crashing import kill_at_commit

from langgraph_agentmem import AgentMemory


async def main() -> None:
    async with AgentMemory.open() as memory:
        kill_at_commit(int(os.environ["KILL_AT_COMMIT"]), os.environ["KILL_WHEN"])
        await memory.aforget_tenant("alice")


asyncio.run(main())
