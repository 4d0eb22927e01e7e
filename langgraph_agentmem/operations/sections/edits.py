"""Batches of section edits, all or nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from langgraph_agentmem.errors import RevisionConflictError, SectionNotFoundError
from langgraph_agentmem.models.active import ActiveMemory, Section, SectionUpdate
from langgraph_agentmem.models.chunk import Vectors
from langgraph_agentmem.models.write import SectionWrite
from langgraph_agentmem.operations.sections import embeddings, values
from langgraph_agentmem.operations.sections.memories import assembled, existing
from langgraph_agentmem.operations.sections.texts import pieces
from langgraph_agentmem.policies import validation
from langgraph_agentmem.policies.editing import edited, read_updates
from langgraph_agentmem.policies.templates import unknown_section
from langgraph_agentmem.redaction import Redactor
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.settings import AgentMemorySettings
from langgraph_agentmem.storage import memories, sections
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.driver.offloading import extent, worked
from langgraph_agentmem.storage.driver.rows import Deferred, as_json, received
from langgraph_agentmem.storage.memories import MemoryRow
from langgraph_agentmem.storage.values import ValueBatch, Written


@dataclass(frozen=True)
class _Edits:
    """A batch of edits of a memory."""

    external_id: str
    memory_id: int
    updates: Sequence[SectionUpdate]
    source: str | None

    @property
    def section_ids(self) -> list[str]:
        return [update.section_id for update in self.updates]


@dataclass(frozen=True)
class _Edited:
    """What a batch of edits has come to."""

    memory: ActiveMemory
    written: Written
    unembedded: int


async def update(
    resources: Resources,
    external_id: object,
    memory_id: object,
    updates: Sequence[SectionUpdate | Mapping[str, Any]],
    source: str | None,
) -> ActiveMemory:
    """See `AgentMemory.aupdate_active_memory_sections`."""
    edits = _Edits(
        validation.tenant(external_id),
        validation.identifier(memory_id, "memory_id"),
        _redacted(resources.redactor, read_updates(updates, limit=resources.settings.max_content_chars)),
        None if source is None else resources.redactor.text(validation.name(source, "source"), "section"),
    )
    seen, known = await _looked(resources, edits)
    vectors = await embeddings.vectors_for(resources, [write.chunks or [] for write in seen.writes], known)

    async def attempt(locked: bool) -> _Edited:
        async with resources.database.transaction(edits.external_id) as connection:
            batch = await _looked_behind_lock(connection, resources, edits) if locked else seen
            written, unembedded = await values.send(connection, resources, _with_vectors(batch, vectors))
            after = await _send(connection, edits)
        return _Edited(_assembled(resources, edits, await after()), await written(), await unembedded())

    done = await values.attempted("edit", attempt)
    await values.tell(resources, edits.external_id, done.written)
    if done.unembedded and resources.embedder_now:
        await embeddings.embed_what_is_left(resources, edits.external_id)
    return done.memory


def _redacted(redactor: Redactor, updates: Sequence[SectionUpdate]) -> list[SectionUpdate]:
    """Edits as they may be kept; what they replace, too, since it stands there as it was kept."""
    return [
        update.model_copy(
            update={
                "new_content": redactor.text(update.new_content, "section"),
                "old_content": redactor.optional(update.old_content, "section"),
            }
        )
        for update in updates
    ]


async def _looked(resources: Resources, edits: _Edits) -> tuple[ValueBatch, set[bytes]]:
    """What the edits write as sections are now, and the hashes of chunks that have a vector; in one round trip."""
    model = None if resources.embedder_now is None else await resources.embedding_model()
    async with resources.database.transaction(edits.external_id) as connection:
        present = await _send(connection, edits)
        embedded = received(set[bytes]())
        if model is not None:
            embedded = await sections.send_embedded(
                connection, edits.external_id, edits.memory_id, edits.section_ids, model.id
            )
    return await _decided(resources.settings, edits, await present()), await embedded()


async def _looked_behind_lock(connection: Connection, resources: Resources, edits: _Edits) -> ValueBatch:
    """What the edits write, as sections are under the memory's lock: the server runs the two one after the other."""
    present = await _send(connection, edits, lock=True)
    return await _decided(resources.settings, edits, await present())


async def _send(
    connection: Connection, edits: _Edits, *, lock: bool = False
) -> Deferred[tuple[MemoryRow | None, list[Section]]]:
    """Ask for the memory with its sections, as far as they are listed."""
    row = await memories.send_get(connection, edits.external_id, edits.memory_id, lock=lock)
    listed = await sections.send_listed(connection, edits.external_id, edits.memory_id, edits.section_ids)

    async def received() -> tuple[MemoryRow | None, list[Section]]:
        return await row(), await listed()

    return received


def _assembled(resources: Resources, edits: _Edits, present: tuple[MemoryRow | None, list[Section]]) -> ActiveMemory:
    row, listed = present
    return assembled(resources.settings, existing(row, edits.external_id, edits.memory_id), listed)


async def _decided(
    settings: AgentMemorySettings, edits: _Edits, present: tuple[MemoryRow | None, list[Section]]
) -> ValueBatch:
    """What the edits write into a memory as it is.

    Raises:
        NotFoundError: There is no such memory or section.
        ConflictError: A section is at another revision, or does not hold what is to be replaced.
    """
    row = existing(present[0], edits.external_id, edits.memory_id)
    sections = {section.section_id: section for section in present[1]}
    known = {**dict.fromkeys(section.id for section in row.template.sections), **sections}
    for change in edits.updates:
        if change.section_id not in sections:
            raise SectionNotFoundError(unknown_section(change.section_id, known))
    edited = [sections[change.section_id].value for change in edits.updates]
    size = extent([*edited, *(change.new_content for change in edits.updates)])
    writes = await worked(size, partial(_writes, settings, row, sections, edits.updates))
    return ValueBatch(edits.external_id, writes, edits.source, edits=True, memory_id=row.id)


def _writes(
    settings: AgentMemorySettings,
    row: MemoryRow,
    sections: Mapping[str, Section],
    updates: Sequence[SectionUpdate],
) -> list[SectionWrite]:
    return [_write(settings, row, sections[change.section_id], change) for change in updates]


def _write(settings: AgentMemorySettings, row: MemoryRow, section: Section, change: SectionUpdate) -> SectionWrite:
    if change.expected_revision not in (None, section.revision):
        raise RevisionConflictError(section.section_id, change.expected_revision, section.revision, section.content)
    text = edited(section.content, change, limit=settings.max_content_chars)
    return SectionWrite(
        namespace=row.namespace,
        section_id=section.section_id,
        json_text=as_json({"content": text}),  # the other keys stay
        fields=section.text_fields,
        expected=section.revision,
        chunks=pieces({**section.value, "content": text}, section.text_fields, settings),
    )


def _with_vectors(batch: ValueBatch, vectors: Vectors) -> ValueBatch:
    return replace(batch, writes=[replace(write, vectors=vectors) for write in batch.writes])
