"""Writes texts one after the other into a section, consolidates, and reads what became of them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import psycopg
from judging import Chunk

from langgraph_agentmem import AgentMemory
from langgraph_agentmem.models.run import ConsolidationReport

AT_ONCE = 8


class Texts(Protocol):
    """Two texts of a section: the one that is consolidated first, and the section's text thereafter."""

    @property
    def key(self) -> str: ...

    @property
    def old(self) -> str: ...

    @property
    def written(self) -> str: ...


@dataclass(frozen=True)
class Found:
    """What a section is after its last run.

    Attributes:
        chunks: All, the ended ones as well.
        flagged: Those that are kept and marked as unclear, by id.
    """

    chunks: list[Chunk]
    flagged: set[int]


async def write_all(memory: AgentMemory, tenant: str, cases: Sequence[Texts]) -> dict[str, Found]:
    """Each case in a memory of its own, whose section is named by the case's key."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def write(case: Texts) -> set[int]:
        async with turns:
            created = await memory.acreate_active_memory(tenant, case.key, {"sections": [case.key]})
            await rewritten(memory, tenant, created.id, case.key, case.old)
            report = await rewritten(memory, tenant, created.id, case.key, case.written)
            return await flagged_by(memory, tenant, created.id, report)

    flagged = await asyncio.gather(*(write(case) for case in cases))
    chunks = chunks_of(memory, tenant)
    return {case.key: Found(chunks.get(case.key, []), ids) for case, ids in zip(cases, flagged, strict=True)}


async def rewritten(
    memory: AgentMemory, tenant: str, memory_id: int, section_id: str, text: str
) -> ConsolidationReport:
    """What the consolidation of a section's new text reports."""
    await memory.aupdate_active_memory_section(tenant, memory_id, section_id, text)
    return await memory.aconsolidate(tenant, memory_id)


async def flagged_by(memory: AgentMemory, tenant: str, memory_id: int, report: ConsolidationReport) -> set[int]:
    """The existing chunks that a run was not sure about, and that no model decided; those left to a person as well.

    A chunk that was ended all the same is among them: whether it is valid is for the reader to see.
    """
    [run] = await memory.runs.alist(tenant, memory_id, limit=1)
    sections: list[dict[str, Any]] = (run.conflicts or {}).get("sections", [])
    unclear = {
        pair["chunk_id"] for section in sections for pair in section["replacements"] if pair["relation"] == "unclear"
    }
    by_model = [d for d in report.decisions if d.decided_by == "model" and d.about.kind in ("chunk", "merge")]
    settled = {id for decision in by_model for id in decision.about.ids}
    parked = await memory.reviews.adisputes(tenant, run.id) if report.parked else []
    left = {id for dispute in parked if dispute.kind in ("chunk", "merge") for id in dispute.existing_ids}
    return unclear - settled | left


def chunks_of(memory: AgentMemory, tenant: str) -> dict[str, list[Chunk]]:
    """A tenant's chunks by section, in whichever tier."""
    found: dict[str, list[Chunk]] = {}
    assert memory.dsn is not None
    with psycopg.connect(memory.dsn, autocommit=True) as connection:
        rows = connection.execute(
            "SELECT section_id, id, content, metadata, origin <> 'section', end_date IS NULL "
            "FROM agentmem.memory_chunk WHERE external_id = %s ORDER BY id",
            (tenant,),
        )
        for section_id, *columns in rows:
            found.setdefault(section_id, []).append(Chunk(*columns))
    return found


def share(part: float, whole: float) -> str:
    """A share as a percentage; nothing of nothing is a dash."""
    return f"{part / whole:.1%}" if whole else "–"


def table(header: list[str], rows: Sequence[list[str]]) -> None:
    """Print a Markdown table."""
    for line in (header, ["---"] * len(header), *rows):
        print(f"| {' | '.join(line)} |")
    print(flush=True)
