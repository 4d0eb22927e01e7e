"""A process that puts another embedder in the place of the one in use, and kills itself where the environment says."""

import asyncio
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import crashing
from synonyms import SynonymEmbedder

from langgraph_agentmem import AgentMemory


async def main() -> None:
    new = SynonymEmbedder("new", 48, kill_in_call=int(os.environ.get("KILL_IN_CALL", "0")))
    async with AgentMemory.open(index=new, reembed=True) as memory:
        if "KILL_AT_TAKING_OVER" in os.environ:
            crashing.kill_at_commit(1, os.environ["KILL_AT_TAKING_OVER"], of=b"SET used_since")
        done = await memory.queue.aembed_pending()
        print(done, new.embedded)


asyncio.run(main())
