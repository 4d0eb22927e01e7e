"""Sections' values, cut into chunks."""

from collections.abc import Sequence

from langgraph_agentmem.models.base import Json
from langgraph_agentmem.models.chunk import Vectors, WrittenSection
from langgraph_agentmem.operations.sections.texts import pieces
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.settings import AgentMemorySettings
from langgraph_agentmem.storage import chunks as storage
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.driver.rows import Deferred


def written(
    settings: AgentMemorySettings,
    namespace: tuple[str, ...],
    section_id: str,
    value: Json,
    fields: Sequence[str] | None = None,
) -> WrittenSection:
    """A section as it is to be remembered; see `operations.texts` for the fields."""
    return WrittenSection(namespace=namespace, section_id=section_id, chunks=pieces(value, fields, settings))


async def write_chunks(
    connection: Connection, resources: Resources, external_id: str, sections: Sequence[WrittenSection], vectors: Vectors
) -> Deferred[int]:
    """Make the stored chunks those of the sections' present values; one statement, whose result is not waited for.

    Args:
        connection: In a transaction that holds the memories' locks and has written the values.
        resources: The open memory's.
        external_id: The tenant.
        sections: What was written.
        vectors: Of new chunks; those without one are embedded later.

    Returns:
        How many new chunks lack their vector.
    """
    resources.frequencies.wrote(external_id, sum(len(section.chunks) for section in sections))
    return await storage.write(
        connection,
        external_id,
        sections,
        vectors,
        model=await resources.embedding_model() if vectors else None,
    )
