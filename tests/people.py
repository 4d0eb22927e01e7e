"""A scripted model that finds in "Ada/person knows Bob" what it says: entities with types, and relationships."""

import re
from typing import Any

from langgraph_agentmem import AgentMemory

_ENTITY = re.compile(r"([A-Z][\w'`{}()$;:-]*)(?:/([\w,]+))?")
_TRIPLE = re.compile(r"([A-Z]\w*)(?:/[\w,]+)? ([a-z_]+) ([A-Z]\w*)")


def answer(name: str, data: dict[str, Any]) -> dict[str, Any]:
    """Capitalised words are entities, their types stand behind a slash; "A verb B" is a relationship."""
    if name != "Extraction":
        return {}
    found: dict[str, Any] = {"entities": [], "relationships": []}
    for chunk in data["chunks"]:
        ids, text = [chunk["id"]], chunk["content"]
        found["entities"] += [
            {"name": name, "types": types.split(",") if types else [], "chunk_ids": ids}
            for name, types in _ENTITY.findall(text)
        ]
        found["relationships"] += [
            {"source": source, "target": target, "types": [kind], "chunk_ids": ids}
            for source, kind, target in _TRIPLE.findall(text)
        ]
    return found


async def start(memory: AgentMemory, tenant: str, title: str = "Project") -> int:
    """A memory with one section, by its id."""
    return (await memory.acreate_active_memory(tenant, title, {"sections": ["facts"]})).id


async def consolidate(memory: AgentMemory, tenant: str, memory_id: int, text: str) -> str:
    """Write a text and consolidate it; returns the run's id."""
    await memory.aupdate_active_memory_section(tenant, memory_id, "facts", text)
    report = await memory.aconsolidate(tenant, memory_id)
    assert report.run_id
    return report.run_id
