"""A process that imports LangGraph's store, and kills itself where the environment says."""

import asyncio
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import crashing

from langgraph_agentmem import AgentMemory

WRITES = b"INSERT INTO agentmem.active_memory"


async def main() -> None:
    async with AgentMemory.open() as memory:
        crashing.kill_at_commit(int(os.environ["KILL_AT"]), os.environ["WHEN"], of=WRITES)
        await memory.aimport_store()


asyncio.run(main())
