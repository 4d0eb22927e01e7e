"""A story that ends in a promotion, and a process that kills itself at a commit of it.

Nothing in the product knows about it: psycopg is watched from the outside.
"""

import itertools
import os
import re
import signal
from collections import defaultdict
from typing import Any

import psycopg
from psycopg.pq import PipelineStatus

from langgraph_agentmem import AgentMemory

STORY = {"shortterm_update_threshold": 2, "avg_section_update_count": 1}
"""Settings with which the story's second run is due, and promotes."""

STATE = """
SELECT 'chunk', c.content, c.tier, c.current, c.origin, c.end_date IS NULL, s.content, NULL::float8,
       c.extraction_pending, c.embedding_model IS NOT NULL
FROM agentmem.memory_chunk c LEFT JOIN agentmem.memory_chunk s ON s.external_id = c.external_id AND s.id = c.superseded_by
UNION ALL
SELECT 'entity', name, tier, true, description, true, types::text, confidence, revision = promoted_revision, true FROM agentmem.entity
UNION ALL
SELECT 'relationship', s.name || t.name, r.tier, true, r.types::text, r.end_date IS NULL, r.revision::text, r.strength, true, true
FROM agentmem.relationship r JOIN agentmem.entity s ON s.id = r.source_id JOIN agentmem.entity t ON t.id = r.target_id
UNION ALL
SELECT 'mention', c.content, c.tier, true, e.name, true, e.tier, NULL, true, true
FROM agentmem.mention m JOIN agentmem.memory_chunk c ON c.id = m.chunk_id LEFT JOIN agentmem.entity e ON e.id = m.entity_id
UNION ALL
SELECT 'section', section_id, value::text, true, revision::text, true, update_count::text, NULL, true, true FROM agentmem.section
UNION ALL
SELECT 'memory', title, NULL, lease_owner IS NULL, pending_updates::text, due_at IS NULL, last_error, attempts, dead_at IS NULL, true
FROM agentmem.active_memory
UNION ALL
SELECT 'shortterm', NULL, jsonb_array_length(metadata -> 'promotion_history')::text, true, NULL, true, NULL, update_count, true, true
FROM agentmem.shortterm_memory
UNION ALL
SELECT 'history', e.name, e.tier, true, h.change ->> 'source', true, h.change ->> 'action', NULL, true, true
FROM agentmem.state_history h LEFT JOIN agentmem.entity e ON e.id = h.entity_id
ORDER BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
"""
"""All that a story leaves in a database, apart from ids, times, and the log of runs."""


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


def kill_at_commit(number: int, when: str, of: bytes = b"") -> None:
    """Make psycopg kill the process right before a commit, or right after the server has done it.

    A commit is the end of a pipeline, and a statement outside any that inserts.

    Args:
        number: Of the commit, from 1.
        when: `before` or `after`.
        of: Only commits count of a statement with this in it.
    """
    end, execute, numbers = psycopg.AsyncPipeline.__aexit__, psycopg.AsyncConnection.execute, itertools.count(1)
    execute_raw = psycopg.AsyncRawCursor.execute
    sent = defaultdict[Any, bytes](bytes)

    async def noting(self: Any, query: Any, *args: Any, **kwargs: Any) -> Any:
        sent[self] += query if isinstance(query, bytes) else b""
        return await execute(self, query, *args, **kwargs)

    async def ending(self: Any, error: type[BaseException] | None, *rest: Any) -> None:
        due = error is None and of in sent.pop(self._conn, b"") and next(numbers) == number
        if due and when == "before":
            kill()
        await end(self, error, *rest)
        if due:
            kill()

    async def alone(self: Any, query: Any, *args: Any, **kwargs: Any) -> Any:
        commits = self.connection.pgconn.pipeline_status == PipelineStatus.OFF and b"INSERT" in query
        due = commits and of in query and next(numbers) == number
        if due and when == "before":
            kill()
        result = await execute_raw(self, query, *args, **kwargs)
        if due:
            kill()
        return result

    psycopg.AsyncRawCursor.execute = alone  # type: ignore[method-assign]
    psycopg.AsyncConnection.execute = noting  # type: ignore[method-assign]
    psycopg.AsyncPipeline.__aexit__ = ending  # type: ignore[method-assign]


async def prepare(memory: AgentMemory) -> int:
    """A memory with one consolidation behind it and another one due."""
    created = await memory.acreate_active_memory("alice", "Project", {"sections": ["facts", "people"]}, exist_ok=True)
    await write(memory, created.id, "Goal: hire bob. Budget: 5000. The tower is old.", "Alice knows Bob.")
    await memory.aconsolidate("alice", created.id)
    await write(memory, created.id, "Goal: use postgres for everything. Budget: 6000.", "Alice knows Carol.")
    return created.id


async def write(memory: AgentMemory, memory_id: int, facts: str, people: str) -> None:
    edits = [{"section_id": "facts", "new_content": facts}, {"section_id": "people", "new_content": people}]
    await memory.aupdate_active_memory_sections("alice", memory_id, edits)
