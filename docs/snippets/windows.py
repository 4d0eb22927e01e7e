"""Runs async calls on an event loop that psycopg can use on Windows."""

# [start]
import asyncio

from langgraph_agentmem import AgentMemory


async def main() -> None:
    async with AgentMemory.open() as memory:
        print(await memory.aget_active_memories("alice"))


with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
    runner.run(main())
# [end]
