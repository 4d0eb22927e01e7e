"""Batches of section edits, all or nothing."""

from collections.abc import Mapping, Sequence
from typing import Any

from langgraph_agentmem.errors import ContentMismatchError, RevisionConflictError, SectionNotFoundError
from langgraph_agentmem.models.active import ActiveMemory, Section, SectionUpdate
from langgraph_agentmem.operations import writing
from langgraph_agentmem.operations.active import assembled, found, info
from langgraph_agentmem.policies import validation
from langgraph_agentmem.policies.diffing import diff
from langgraph_agentmem.policies.editing import edited, read_updates
from langgraph_agentmem.policies.templates import unknown_section
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.storage import active as storage


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


async def _vectors(
    resources: Resources, external_id: str, memory_id: int, updates: Sequence[SectionUpdate]
) -> writing.Vectors:
    """Vectors of the chunks that the edits will bring, as far as can be told without a lock."""
    if resources.embedder is None or resources.settings.embed == "background":
        return {}
    ids = [update.section_id for update in updates]
    async with resources.database.connection() as connection:
        present = await storage.contents(connection, external_id, memory_id, ids)
    contents = {id: content for id, (content, _) in present.items()}
    texts = [text for update in updates if (text := _expected(contents, update, resources)) is not None]
    known = {hash for _, hashes in present.values() for hash in hashes}
    return await writing.vectors_for(resources, texts, known)


def _expected(present: dict[str, str], update: SectionUpdate, resources: Resources) -> str | None:
    try:
        return edited(present[update.section_id], update, limit=resources.settings.max_content_chars)
    except (KeyError, ContentMismatchError):
        return None  # whether this is an error shows under the lock


async def _write(
    resources: Resources,
    external_id: str,
    memory_id: int,
    updates: Sequence[SectionUpdate],
    source: str | None,
    vectors: writing.Vectors,
) -> tuple[ActiveMemory, bool]:
    ids = [update.section_id for update in updates]
    async with resources.database.transaction() as connection:
        row, present, stored = await storage.lock_with_sections(connection, external_id, memory_id, ids)
        row = found(row, external_id, memory_id)
        known = [section.id for section in row.template.sections]
        contents = {u.section_id: _edited(present, u, known, resources.settings.max_content_chars) for u in updates}
        pending = row.pending_updates + len(updates)
        due = info(resources.settings, pending, row.section_count).will_consolidate
        await storage.update_sections(connection, external_id, memory_id, contents, source, due=due)
        revisions = {id: (present[id].revision + 1, content) for id, content in contents.items()}
        diffs = {id: diff(stored[id], writing.chunked(text, resources.settings)) for id, text in contents.items()}
        complete = await writing.write_chunks(
            connection, resources, external_id, memory_id, revisions, diffs, vectors, source
        )
        row, sections = await storage.get_with_sections(connection, external_id, memory_id, ids)
        return assembled(resources.settings, found(row, external_id, memory_id), sections), complete


def _edited(present: Mapping[str, Section], update: SectionUpdate, known: list[str], limit: int) -> str:
    section = present.get(update.section_id)
    if section is None:
        raise SectionNotFoundError(unknown_section(update.section_id, {**dict.fromkeys(known), **present}))
    if update.expected_revision is not None and update.expected_revision != section.revision:
        raise RevisionConflictError(section.section_id, update.expected_revision, section.revision, section.content)
    return edited(section.content, update, limit=limit)
