"""Consolidates a memory, and kills its own process where the environment says."""

import asyncio
import os
import re
import signal
import sys
from pathlib import Path
from typing import Any

import psycopg

sys.path.insert(0, str(Path(__file__).parents[1]))
from fakes import ScriptedModel

from langgraph_agentmem import AgentMemory, AgentMemorySettings, create_consolidation_graph

SETTINGS = AgentMemorySettings(lease_seconds=0.25, shortterm_update_threshold=2, avg_section_update_count=1)


def answer(name: str, data: dict[str, Any]) -> dict[str, Any]:
    """Capitalised names are entities, the first one of a chunk likes the others; of two decisions both hold."""
    if name != "Extraction":
        decisions = [
            {
                "section_id": s["section_id"],
                "decisions": [{"chunk_id": r["chunk_id"], "action": "keep"} for r in s["replacements"]],
            }
            for s in data["sections"]
        ]
        return {"sections": decisions}
    found: dict[str, Any] = {"entities": [], "relationships": []}
    for chunk in data["chunks"]:
        names = re.findall(r"[A-Z]\w+", chunk["content"])
        found["entities"] += [{"name": n, "types": ["name"], "chunk_ids": [chunk["id"]]} for n in names]
        found["relationships"] += [
            {"source": names[0], "target": n, "types": ["likes"], "chunk_ids": [chunk["id"]]} for n in names[1:]
        ]
    return found


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def kill_at_commit(number: int, when: str) -> None:
    """Make psycopg kill the process right before it sends, or right after the server has carried out, a commit."""
    execute, exit_pipeline = psycopg.AsyncConnection.execute, psycopg.AsyncPipeline.__aexit__
    commits = 0

    async def counting(self: Any, query: Any, *args: Any, **kwargs: Any) -> Any:
        nonlocal commits
        if query == b"COMMIT":
            commits += 1
            if commits == number and when == "before":
                kill()
        return await execute(self, query, *args, **kwargs)

    async def killing(self: Any, *args: Any) -> None:
        await exit_pipeline(self, *args)
        if commits == number and when == "after":
            kill()

    psycopg.AsyncConnection.execute = counting  # type: ignore[method-assign]
    psycopg.AsyncPipeline.__aexit__ = killing  # type: ignore[method-assign]


async def prepare(memory: AgentMemory) -> int:
    """A memory with one consolidation behind it and another one due."""
    created = await memory.acreate_active_memory("alice", "Project", {"sections": ["facts", "people"]}, exist_ok=True)
    await write(memory, created.id, "Decision: hire bob. Budget: 5000. The tower is old.", "Alice knows Bob.")
    await memory.aconsolidate("alice", created.id)
    await write(memory, created.id, "Decision: use postgres for everything. Budget: 6000.", "Alice knows Carol.")
    return created.id


async def write(memory: AgentMemory, memory_id: int, facts: str, people: str) -> None:
    edits = [{"section_id": "facts", "new_content": facts}, {"section_id": "people", "new_content": people}]
    await memory.aupdate_active_memory_sections("alice", memory_id, edits)


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
            await memory.arun_due()


asyncio.run(main())
