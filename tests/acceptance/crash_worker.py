"""Consolidates a memory, and kills its own process where the environment says."""

import asyncio
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from crashing import STORY, answer, kill, kill_at_commit, prepare, write
from fakes import ScriptedModel

from langgraph_agentmem import AgentMemory, AgentMemorySettings, create_consolidation_graph

SETTINGS = AgentMemorySettings(lease_seconds=0.25, **STORY)


async def main() -> None:
    async with AgentMemory.open(settings=SETTINGS, model=ScriptedModel(answer=answer)) as memory:
        memory_id = 1
        if "PREPARE" in os.environ:
            memory_id = await prepare(memory)
        if "UPDATE" in os.environ:
            memory_id = (
                await memory.acreate_active_memory("alice", "Project", {"sections": ["facts", "people"]}, exist_ok=True)
            ).id
        if "KILL_AT_COMMIT" in os.environ:
            kill_at_commit(int(os.environ["KILL_AT_COMMIT"]), os.environ["KILL_WHEN"])
        if "UPDATE" in os.environ:
            await write(memory, memory_id, "x", "y")
        elif "PREPARE" in os.environ:
            graph = create_consolidation_graph(memory).compile()
            target = {"external_id": "alice", "memory_id": memory_id}
            async for update in graph.astream(target, stream_mode="updates"):
                if os.environ.get("KILL_AFTER_NODE") in update:
                    kill()
        else:
            await memory.queue.arun_due()


asyncio.run(main())
