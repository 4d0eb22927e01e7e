"""Imports the tables of an older three-tier system, and its graph."""

from collections.abc import Mapping
from contextlib import closing

from langgraph_agentmem.models.imported import ImportReport
from langgraph_agentmem.operations.imports.items import Items
from langgraph_agentmem.operations.imports.legacy.chunks import Chunks
from langgraph_agentmem.operations.imports.legacy.entities import Entities
from langgraph_agentmem.operations.imports.legacy.graph import LegacyGraph
from langgraph_agentmem.operations.imports.legacy.memories import Memories
from langgraph_agentmem.operations.imports.legacy.relationships import Relationships
from langgraph_agentmem.operations.imports.legacy.sections import Sections
from langgraph_agentmem.operations.imports.legacy.shortterm import ShorttermMemories
from langgraph_agentmem.operations.imports.running import Intake, OnPassed, run
from langgraph_agentmem.operations.imports.vectors import Takeover
from langgraph_agentmem.policies.legacy_graph import LABELS, TYPES
from langgraph_agentmem.policies.ownership import Ownership
from langgraph_agentmem.projection.cypher_statements import TIERS
from langgraph_agentmem.projection.neo4j_database import Neo4jDatabase
from langgraph_agentmem.resources import Resources


async def import_legacy(
    resources: Resources,
    dsn: str | None,
    *,
    schema: str | None,
    neo4j: Neo4jDatabase | None,
    on_progress: OnPassed | None,
) -> ImportReport:
    """See `Imports.alegacy`."""
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
    if neo4j is None:
        return await run(resources, dsn, intakes, on_progress)
    with closing(LegacyGraph(neo4j, schema, ownership, limit=resources.settings.max_content_chars)) as older:
        return await run(resources, dsn, {**intakes, **_graph(resources, ownership, older)}, on_progress)


def _graph(resources: Resources, ownership: Ownership, older: LegacyGraph) -> Mapping[str, Intake]:
    """What is done with the graph, behind the chunks that its entities are linked to."""
    entities = {LABELS[tier]: Entities(resources, ownership, older, tier) for tier in TIERS}
    return {**entities, **{TYPES[tier]: Relationships(resources, older, tier) for tier in TIERS}}
