"""Active memories: create, read, close."""

from collections.abc import Mapping, Sequence
from typing import Any

from langgraph_agentmem.errors import DuplicateTitleError, MemoryNotFoundError
from langgraph_agentmem.models.active import ActiveMemory, ConsolidationInfo, MemoryTemplate, Section
from langgraph_agentmem.operations.sections import chunks as chunking
from langgraph_agentmem.operations.sections import embeddings
from langgraph_agentmem.policies import validation
from langgraph_agentmem.policies.ownership import Ownership
from langgraph_agentmem.policies.templates import initial_contents, read_template
from langgraph_agentmem.policies.thresholds import consolidation_threshold, is_due
from langgraph_agentmem.redaction import Redactor
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.settings import AgentMemorySettings
from langgraph_agentmem.storage import chunks, conversations, sections
from langgraph_agentmem.storage import memories as storage
from langgraph_agentmem.storage.memories import MemoryRow


def info(settings: AgentMemorySettings, pending_updates: int, section_count: int) -> ConsolidationInfo:
    """How far a memory is from its next consolidation."""
    threshold = consolidation_threshold(settings.avg_section_update_count, section_count, settings.max_pending_updates)
    return ConsolidationInfo(
        total_update_count=pending_updates, threshold=threshold, will_consolidate=is_due(pending_updates, threshold)
    )


def assembled(settings: AgentMemorySettings, row: MemoryRow, listed: Sequence[Section]) -> ActiveMemory:
    """A memory from its row and sections."""
    return ActiveMemory(
        **row.model_dump(include={"external_id", "id", "title", "namespace", "metadata", "created_at", "updated_at"}),
        template=row.template,
        sections={section.section_id: section for section in listed},
        section_count=row.section_count,
        consolidation_info=info(settings, row.pending_updates, row.section_count),
    )


async def create(
    resources: Resources,
    external_id: object,
    title: object,
    template_content: MemoryTemplate | Mapping[str, Any] | str,
    initial_sections: Mapping[str, Any] | None,
    metadata: Mapping[str, Any] | None,
    *,
    namespace: Sequence[str] | None,
    exist_ok: bool,
) -> ActiveMemory:
    """See `AgentMemory.acreate_active_memory`."""
    limit = resources.settings.max_content_chars
    tenant, name = validation.tenant(external_id), validation.name(title, "title")
    validation.flag(exist_ok, "exist_ok")
    redactor = resources.redactor
    template = redacted(redactor, read_template(template_content, limit=limit))
    contents = initial_contents(template, initial_sections, limit=limit)
    contents = {id: redactor.text(text, "section") for id, text in contents.items()}
    described = redactor.value(validation.json_object({} if metadata is None else metadata, "metadata"), "memory")
    place = validation.namespace(_default(resources, tenant, name) if namespace is None else namespace)
    for label in (name, *(label for label in place if label != tenant)):
        redactor.name(label, "a title or label")
    written = [chunking.written(resources.settings, place, id, {"content": text}) for id, text in contents.items()]
    vectors = await embeddings.vectors_for(resources, [section.chunks for section in written])
    while True:
        async with resources.database.transaction(tenant) as connection:
            row = await storage.insert(connection, tenant, place, name, template, described)
            if row is not None:
                await sections.insert_template(connection, tenant, row.id, template, contents)
                await chunking.write_chunks(connection, resources, tenant, written, vectors)
            elif not exist_ok:
                raise DuplicateTitleError(
                    f"tenant {tenant!r} already has a memory titled {name!r}; choose another title, "
                    "or pass exist_ok=True to get the existing one"
                    if namespace is None
                    else f"tenant {tenant!r} already has a memory under {place!r}; choose another namespace, "
                    "or pass exist_ok=True to get the existing one"
                )
            elif (row := await storage.get_by_namespace(connection, tenant, place, lock=True)) and _bare(row):
                new = await sections.insert_template(connection, tenant, row.id, template, contents)
                row = await storage.adopt_template(connection, tenant, row.id, template, len(new))
                added = [section for section in written if section.section_id in new]
                await chunking.write_chunks(connection, resources, tenant, added, vectors)
            if row is not None:  # else the existing one has just been closed, and its namespace is free
                return assembled(resources.settings, row, await sections.listed(connection, tenant, row.id))


def redacted(redactor: Redactor, template: MemoryTemplate) -> MemoryTemplate:
    """A template with its texts as they may be kept; the ids of its sections are names."""
    names, texts = ("name", "description"), ("title", "description", "content")
    for section in template.sections:
        redactor.name(section.id, "the id of a section")
    sections = tuple(
        section.model_copy(update={field: redactor.text(getattr(section, field), "memory") for field in texts})
        for section in template.sections
    )
    own = {field: redactor.text(getattr(template, field), "memory") for field in names}
    return template.model_copy(update={**own, "sections": sections})


def _bare(row: MemoryRow) -> bool:
    """Whether a store has made a memory, for which there is no template."""
    return not row.template.sections


def _default(resources: Resources, tenant: str, title: str) -> tuple[str, ...]:
    return Ownership(owner=resources.settings.store_owner).default(tenant, title)


async def find(resources: Resources, external_id: str, title: object) -> MemoryRow | None:
    """The open memory of a title that was made from a template, if there is one."""
    place = validation.namespace(_default(resources, external_id, validation.name(title, "title")))
    async with resources.database.connection(external_id) as connection:
        row = await storage.get_by_namespace(connection, external_id, place)
    return None if row is None or _bare(row) else row


async def get(resources: Resources, external_id: object, memory_id: object) -> ActiveMemory:
    """See `AgentMemory.aget_active_memory`."""
    tenant, id = validation.tenant(external_id), validation.identifier(memory_id, "memory_id")
    async with resources.database.transaction(tenant) as connection:
        row = await storage.send_get(connection, tenant, id)
        listed = await sections.send_listed(connection, tenant, id)
    return assembled(resources.settings, existing(await row(), tenant, id), await listed())


async def list_all(resources: Resources, external_id: object) -> list[ActiveMemory]:
    """See `AgentMemory.aget_active_memories`."""
    tenant = validation.tenant(external_id)
    async with resources.database.transaction(tenant) as connection:
        rows = await storage.list_all(connection, tenant)
        short = [row.id for row in rows if row.section_count <= sections.MAX_LISTED]
        listed = await sections.of_memories(connection, tenant, short)
    return [assembled(resources.settings, row, listed.get(row.id, [])) for row in rows]


def existing(row: MemoryRow | None, external_id: str, memory_id: int) -> MemoryRow:
    """The row, or the error that there is none; another tenant's memory is unknown as well."""
    if row is None:
        raise MemoryNotFoundError(f"tenant {external_id!r} has no active memory {memory_id}")
    return row


async def transcripts(resources: Resources, external_id: str, memory_id: int, *, closed: bool) -> list[int]:
    """The ids of the transcripts of a memory that is a conversation: open ones, or also closed ones."""
    async with resources.database.connection(external_id) as connection:
        return await conversations.transcripts_of(connection, external_id, memory_id, closed=closed)


async def close(resources: Resources, external_id: str, memory_id: int) -> bool:
    """Close a memory, unless something is still to be consolidated; returns whether it was closed."""
    async with resources.database.transaction(external_id) as connection:
        existing(await storage.get(connection, external_id, memory_id, lock=True), external_id, memory_id)
        if await chunks.has_active(connection, external_id, memory_id):
            return False
        await chunks.retire(connection, external_id, memory_id)
        await sections.delete_all(connection, external_id, memory_id)
        await storage.close(connection, external_id, memory_id)
        return True
