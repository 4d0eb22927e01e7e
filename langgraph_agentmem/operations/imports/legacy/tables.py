"""Imports the tables of an older three-tier system."""

from langgraph_agentmem.models.imported import ImportReport
from langgraph_agentmem.operations.imports.items import Items
from langgraph_agentmem.operations.imports.legacy.chunks import Chunks
from langgraph_agentmem.operations.imports.legacy.memories import Memories
from langgraph_agentmem.operations.imports.legacy.sections import Sections
from langgraph_agentmem.operations.imports.legacy.shortterm import ShorttermMemories
from langgraph_agentmem.operations.imports.running import Intake, OnPassed, run
from langgraph_agentmem.operations.imports.vectors import Takeover
from langgraph_agentmem.policies.ownership import Ownership
from langgraph_agentmem.resources import Resources


async def import_legacy(
    resources: Resources, dsn: str | None, *, schema: str | None, on_progress: OnPassed | None
) -> ImportReport:
    """See `AgentMemory.aimport_legacy`."""
    ownership = Ownership(owner=resources.settings.store_owner, default_tenant=resources.settings.store_default_tenant)
    takeover = Takeover(resources)
    intakes: dict[str, Intake] = {
        # before the memories, each of which would make its sections empty
        "active_memory.sections": Items(resources, ownership, Sections(schema, ownership)),
        "active_memory": Memories(resources, ownership, schema),
        "shortterm_memory": ShorttermMemories(resources, ownership, schema),
        "shortterm_memory_chunk": Chunks(resources, ownership, schema, "shortterm", takeover),
        "longterm_memory_chunk": Chunks(resources, ownership, schema, "longterm", takeover),
    }
    return await run(resources, dsn, intakes, on_progress)
