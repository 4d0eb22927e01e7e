"""A process that imports what the environment names, and kills itself where it says."""

import asyncio
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import crashing

from langgraph_agentmem import AgentMemory
from langgraph_agentmem.projection import Neo4jDatabase


async def main() -> None:
    async with AgentMemory.open() as memory:
        crashing.kill_at_commit(int(os.environ["KILL_AT"]), os.environ["WHEN"], of=os.environ["OF"].encode())
        graph = {"neo4j": Neo4jDatabase.of(memory.settings)} if memory.settings.neo4j_uri else {}
        await getattr(memory.imports, f"a{os.environ['IMPORT']}")(**graph)


asyncio.run(main())
