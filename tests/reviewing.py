"""Disputes that runs park, and decisions on them."""

from langgraph_agentmem import ActiveMemory, AgentMemory
from langgraph_agentmem.models.run import ConsolidationReport

OLD, NEW = "Deadline: May 1", "Deadline: June 1"


async def project(memory: AgentMemory, content: str = "", *more: str) -> ActiveMemory:
    created = await memory.acreate_active_memory("alice", "Project", {"sections": ["notes", *more]})
    if content:
        await cycle(memory, created, content)
    return created


async def cycle(
    memory: AgentMemory, project: ActiveMemory, content: str, section: str = "notes"
) -> ConsolidationReport:
    await memory.aupdate_active_memory_section("alice", project.id, section, content, source="ada")
    return await memory.aconsolidate("alice", project.id)


async def parked(memory: AgentMemory, old: str = OLD, new: str = NEW) -> tuple[ActiveMemory, str, int]:
    """A memory in which a run has parked one dispute: (memory, run, dispute)."""
    created = await project(memory, old)
    report = await cycle(memory, created, new)
    [dispute] = report.parked
    return created, str(report.run_id), dispute


def says(dispute: int, action: str, **more: object) -> list[dict[str, object]]:
    return [{"dispute": dispute, "action": action, **more}]


async def valid(memory: AgentMemory, query: str = "deadline budget") -> set[str]:
    return {hit.content.strip() for hit in await memory.asearch("alice", query, limit=50)}
