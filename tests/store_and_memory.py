"""The memory behind a store: found, consolidated, promoted, and seen as a whole."""

import json
from collections.abc import Callable
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

from langgraph_agentmem import AgentMemory
from langgraph_agentmem.store import AgentMemoryStore

Rows = Callable[..., list[tuple[Any, ...]]]


def names(name: str, data: dict[str, Any]) -> dict[str, Any]:
    """Every capitalised word is an entity; two in one chunk know each other."""
    found: dict[str, Any] = {"entities": [], "relationships": []}
    for chunk in data.get("chunks", ()) if name == "Extraction" else ():
        words = [word.strip(".,") for word in chunk["content"].split() if word[0].isupper()]
        found["entities"] += [
            {"name": word, "types": ["thing"], "description": f"about {word}", "chunk_ids": [chunk["id"]]}
            for word in words
        ]
        found["relationships"] += [
            {"source": a, "target": b, "types": ["knows"], "chunk_ids": [chunk["id"]]} for a, b in pairwise(words)
        ]
    return found


async def memory_of(store: AgentMemoryStore, tenant: str = "alice") -> Any:
    [found] = await store.memory.aget_active_memories(tenant)
    return found


async def consolidate(store: AgentMemoryStore) -> Any:
    return await store.memory.aconsolidate("alice", (await memory_of(store)).id)


async def promote(store: AgentMemoryStore) -> Any:
    return await store.memory.apromote("alice", (await memory_of(store)).id, force=True)


def everything(rows: Rows) -> str:
    """All that the database holds, as text."""
    tables = rows("SELECT table_name FROM information_schema.tables WHERE table_schema = 'agentmem'")
    return json.dumps([rows(f"SELECT to_jsonb(t) FROM agentmem.{name} t") for (name,) in tables])


async def during_extraction(memory: AgentMemory, happens: Callable[[], Any], store: AgentMemoryStore) -> Any:
    """Consolidate, while something happens as the model is asked."""
    extractor = memory.resources.extractor
    assert extractor is not None

    async def extract(chunks: Any) -> Any:
        await happens()
        return await extractor.extract(chunks)

    memory.resources.extractor = SimpleNamespace(extract=extract)  # type: ignore[assignment]
    try:
        return await consolidate(store)
    finally:
        memory.resources.extractor = extractor
