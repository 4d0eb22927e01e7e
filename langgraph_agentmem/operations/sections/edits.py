"""Batches of section edits, all or nothing."""

from collections.abc import Mapping, Sequence
from typing import Any

from langgraph_agentmem.errors import ContentMismatchError, RevisionConflictError, SectionNotFoundError
from langgraph_agentmem.models.active import ActiveMemory, Section, SectionUpdate, content_of
from langgraph_agentmem.models.base import Json
from langgraph_agentmem.models.chunk import PlacedChunk, Vectors, WrittenSection
from langgraph_agentmem.operations.sections import chunks as writing
from langgraph_agentmem.operations.sections.memories import assembled, found, info
from langgraph_agentmem.operations.sections.texts import pieces
from langgraph_agentmem.policies import validation
from langgraph_agentmem.policies.editing import edited, read_updates
from langgraph_agentmem.policies.templates import unknown_section
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.storage import memories as storage
from langgraph_agentmem.storage import queue
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.memories import MemoryRow


async def update(
    resources: Resources,
    external_id: object,
    memory_id: object,
    sections: Sequence[SectionUpdate | Mapping[str, Any]],
    source: str | None,
) -> ActiveMemory:
    """See `AgentMemory.aupdate_active_memory_sections`."""
    tenant, id = validation.tenant(external_id), validation.identifier(memory_id, "memory_id")
    updates = read_updates(sections, limit=resources.settings.max_content_chars)
    writer = None if source is None else validation.name(source, "source")
    vectors = await _vectors(resources, tenant, id, updates)
    memory, complete = await _write(resources, tenant, id, updates, writer, vectors)
    if not complete and resources.settings.embed == "now":
        await writing.embed_what_is_left(resources, tenant)
    return memory


async def _vectors(resources: Resources, external_id: str, memory_id: int, updates: Sequence[SectionUpdate]) -> Vectors:
    """Vectors of the chunks that the edits will bring, as far as can be told without a lock."""
    model = None if resources.embedder_now is None else await resources.embedding_model()
    if model is None:
        return {}
    ids = [update.section_id for update in updates]
    async with resources.database.connection(external_id) as connection:
        present = await storage.contents(connection, external_id, memory_id, ids, model.id)
    expected = [_expected(present, update, resources) for update in updates]
    known = {hash for section in present.values() for hash in section.embedded}
    return await writing.vectors_for(resources, expected, known)


def _expected(
    present: Mapping[str, storage.EmbeddedSection], update: SectionUpdate, resources: Resources
) -> list[PlacedChunk]:
    section = present.get(update.section_id)
    if section is None:
        return []
    try:
        text = edited(content_of(section.value), update, limit=resources.settings.max_content_chars)
    except ContentMismatchError:
        return []  # whether this is an error shows under the lock
    return pieces({**section.value, "content": text}, section.text_fields, resources.settings)


async def _write(
    resources: Resources,
    external_id: str,
    memory_id: int,
    updates: Sequence[SectionUpdate],
    source: str | None,
    vectors: Vectors,
) -> tuple[ActiveMemory, bool]:
    ids = [update.section_id for update in updates]
    async with resources.database.transaction(external_id) as connection:
        row, present = await storage.lock_with_sections(connection, external_id, memory_id, ids)
        row = found(row, external_id, memory_id)
        known = [section.id for section in row.template.sections]
        values = {u.section_id: _edited(present, u, known, resources.settings.max_content_chars) for u in updates}
        await write_values(connection, resources, row, values, source, needs_chunking=False)
        unembedded = await writing.write_chunks(
            connection, resources, external_id, _written(resources, row, present, values), vectors
        )
        row, sections = await storage.get_with_sections(connection, external_id, memory_id, ids)
        complete = resources.embedder is None or not await unembedded.count()
        return assembled(resources.settings, found(row, external_id, memory_id), sections), complete


async def write_values(
    connection: Connection,
    resources: Resources,
    row: MemoryRow,
    values: dict[str, Json],
    source: str | None,
    *,
    needs_chunking: bool,
) -> None:
    """Write sections' values as updates that count; nothing is waited for.

    Args:
        connection: In a transaction that holds the memory's lock.
        resources: The open memory's.
        row: The memory.
        values: New values by section.
        source: Who writes.
        needs_chunking: Whether their chunks are not written in this transaction.
    """
    settings = resources.settings
    due = info(settings, row.pending_updates + len(values), row.section_count).will_consolidate
    minutes = 0 if due else settings.max_pending_minutes
    await storage.update_sections(
        connection, row.external_id, row.id, values, source, minutes=minutes, needs_chunking=needs_chunking
    )
    if due and not info(settings, row.pending_updates, row.section_count).will_consolidate:
        await queue.notify(connection)


def _written(
    resources: Resources, row: MemoryRow, present: Mapping[str, Section], values: Mapping[str, Json]
) -> list[WrittenSection]:
    return [
        writing.written(resources.settings, row.namespace, id, value, present[id].text_fields)
        for id, value in values.items()
    ]


def _edited(present: Mapping[str, Section], update: SectionUpdate, known: list[str], limit: int) -> Json:
    section = present.get(update.section_id)
    if section is None:
        raise SectionNotFoundError(unknown_section(update.section_id, {**dict.fromkeys(known), **present}))
    if update.expected_revision is not None and update.expected_revision != section.revision:
        raise RevisionConflictError(section.section_id, update.expected_revision, section.revision, section.content)
    return {**section.value, "content": edited(section.content, update, limit=limit)}
