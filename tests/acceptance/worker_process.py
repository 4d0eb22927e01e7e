"""A real worker, which kills its own process where the environment says, or waits there for a file to go on."""

import asyncio
import logging
import os
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
if "SKEW" in os.environ:  # before anything reads a clock
    here, here_ns, skew = time.time, time.time_ns, float(os.environ["SKEW"])
    time.time = lambda: here() + skew
    time.time_ns = lambda: here_ns() + int(skew * 1e9)

import crashing
from fakes import ScriptedModel, WordEmbedder

from langgraph_agentmem import AgentMemory, AgentMemorySettings, MemoryWorker

calls = 0


def answer(name: str, data: dict[str, Any]) -> dict[str, Any]:
    """Count the model's calls, and die or wait within one of them."""
    global calls
    calls += 1
    if calls == int(os.environ.get("KILL_IN_CALL", "0")):
        crashing.kill()
    if "WAIT_FOR" in os.environ:
        print("asked", flush=True)
        while not Path(os.environ["WAIT_FOR"]).exists():
            time.sleep(0.02)
    return crashing.answer(name, data)


async def main() -> None:
    logging.basicConfig(level=logging.INFO)
    settings = AgentMemorySettings(embed="background", **crashing.STORY)
    async with AgentMemory.open(settings=settings, model=ScriptedModel(answer=answer), index=WordEmbedder()) as memory:
        if "PREPARE" in os.environ:
            await crashing.prepare(memory)
            return
        worker = MemoryWorker(memory, concurrency=int(os.environ.get("CONCURRENCY", "1")))
        if "FOLLOW" in os.environ:
            await worker.arun()
        if "KILL_AT_COMMIT" in os.environ:
            crashing.kill_at_commit(int(os.environ["KILL_AT_COMMIT"]), os.environ["KILL_WHEN"])
        report = await worker.arun_until_idle()
        print(report.applied, report.failed)


asyncio.run(main())
