"""Maps the state of threads onto the sections of memories."""

from collections.abc import Awaitable, Callable, Mapping

from langgraph_agentmem.errors import StateConflictError
from langgraph_agentmem.models.active import MemoryTemplate
from langgraph_agentmem.models.thread import (
    PutCheckpoint,
    SectionConflict,
    SeenSection,
    ThreadMemory,
    ThreadSection,
)
from langgraph_agentmem.operations.sections.edits import write_values
from langgraph_agentmem.policies.thread_writes import ThreadVerdict, seen_at, text_hash, to_load, verdict
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.storage import memories as active
from langgraph_agentmem.storage import threads
from langgraph_agentmem.storage.driver.database import Connection
from langgraph_agentmem.storage.langgraph.inserts import Inserts
from langgraph_agentmem.storage.memories import MemoryRow

Merged = Mapping[tuple[str, int], str]
"""Texts that settle conflicts, by section and the revision that they were made from."""


async def write(
    connection: Connection,
    resources: Resources,
    thread: ThreadMemory,
    put: PutCheckpoint,
    texts: Mapping[str, str],
    rest: Callable[[], Awaitable[Mapping[str, str]]],
    merged: Merged | None,
) -> int | None:
    """Write what a thread's state holds into its sections, as one batch of updates; what is unchanged does not count.

    Chunks are written later: sections are stale until then.

    Args:
        connection: In a transaction.
        resources: The open memory's.
        thread: The thread; its memory is made if there is none, and so are the sections that it lacks.
        put: The checkpoint that is stored in the same transaction.
        texts: By section, of the channels that the checkpoint changes.
        rest: Those of the other channels, which are written as well where memory has nothing of them and the thread is
            new to it.
        merged: Texts that settle conflicts; without them, the thread's own texts are written.

    Returns:
        The memory's id, if its sections were as the thread has last seen them, or new to it: then the next checkpoint
        may be one for `write_as_seen`.

    Raises:
        StateConflictError: Others have written sections since the thread has seen them; no merged texts settle it.
    """
    row, present = await _lock_or_make(connection, thread, put, texts)
    if any(known.seen is None for known in present.values()):
        added = {id: text for id, text in (await rest()).items() if id not in texts and text.strip()}
        row, others = await _lock_or_make(connection, thread, put, added) if added else (row, {})
        empty = {id for id, known in others.items() if known.seen is None and not known.section.content.strip()}
        texts = {**texts, **{id: text for id, text in added.items() if id in empty}}
        present |= others
    verdicts: dict[str, ThreadVerdict] = {
        id: verdict(text, present[id].section, present[id].seen) for id, text in texts.items()
    }
    conflicts = [_conflict(thread, texts[id], present[id]) for id, found in verdicts.items() if found == "conflict"]
    if merged is not None and any((c.section_id, c.revision) not in merged for c in conflicts):
        raise StateConflictError(conflicts)
    wanted = {id: texts[id] for id, found in verdicts.items() if found == "write"}
    wanted |= {c.section_id: c.mine if merged is None else merged[c.section_id, c.revision] for c in conflicts}
    written = {id: text for id, text in wanted.items() if text != present[id].section.content}
    if written:
        values = {id: {**present[id].section.value, "content": text} for id, text in written.items()}
        await write_values(connection, resources, row, values, _source(thread), needs_chunking=True)
    seen = {id: _seen(text, verdicts[id], present[id], written.get(id)) for id, text in texts.items()}
    await threads.note_seen(connection, thread, row.id, {id: now for id, now in seen.items() if now is not None})
    alone = all(known.seen is None or known.seen.revision == known.section.revision for known in present.values())
    return row.id if alone else None


async def write_as_seen(
    connection: Connection,
    resources: Resources,
    stored: Inserts,
    thread: ThreadMemory,
    memory_id: int,
    texts: Mapping[str, str],
) -> bool:
    """Write what a thread's state holds into sections that it has written before, and since the last time alone.

    It does as `write` does, with a checkpoint, in one statement that is a transaction by itself; where anything else
    holds, that fails as a whole.

    Args:
        connection: In no transaction; a `StorageError` tells that this does not apply.
        resources: The open memory's.
        stored: The checkpoint.
        thread: The thread.
        memory_id: Of its memory, as `write` has returned it.
        texts: By section, of the channels that the checkpoint changes.

    Returns:
        Whether the memory has become due; then `queueing.wake_workers` is to be called.
    """
    settings = resources.settings
    return await threads.write_as_seen(
        connection,
        stored,
        thread,
        memory_id,
        {id: (text, text_hash(text)) for id, text in texts.items()},
        source=_source(thread),
        average=settings.avg_section_update_count,
        most=settings.max_pending_updates,
        minutes=settings.max_pending_minutes,
    )


async def load(
    resources: Resources,
    thread: ThreadMemory,
    checkpoint_id: str,
    texts: Mapping[str, str],
    read: Callable[[str, str], str],
) -> None:
    """Read those sections that a thread's state is to take, and note that it may have them from now on.

    Args:
        resources: The open memory's.
        thread: The thread.
        checkpoint_id: Its last checkpoint; empty if it has none.
        texts: What its state holds, by section.
        read: Takes a section and its content into the state, and returns the text that the state then holds.
    """
    async with resources.database.transaction() as connection:
        row, present = await threads.lock(connection, thread, list(texts))
        if row is None:
            return
        loaded = {
            id: SeenSection(revision=known.section.revision, text_hash=text_hash(read(id, known.section.content)))
            for id, known in present.items()
            if to_load(texts[id], known.section, known.seen)
        }
        await threads.note_loaded(connection, thread, row.id, loaded, checkpoint_id)


async def _lock_or_make(
    connection: Connection, thread: ThreadMemory, put: PutCheckpoint, texts: Mapping[str, str]
) -> tuple[MemoryRow, dict[str, ThreadSection]]:
    """The memory, locked, with the sections of these texts as the thread has seen them now."""
    row, present = await threads.lock(connection, thread, list(texts))
    while row is None or len(present) < len(texts):
        await _make(connection, thread, row)
        row, present = await threads.lock(connection, thread, list(texts))
    return row, {
        id: known.model_copy(update={"seen": seen_at(put, texts[id], known)}) if known.loaded else known
        for id, known in present.items()
    }


async def _make(connection: Connection, thread: ThreadMemory, row: MemoryRow | None) -> None:
    """Make a thread's memory, unless another thread is just doing so, or the sections that it lacks."""
    tenant, template = thread.external_id, MemoryTemplate(name=thread.title, sections=thread.sections)
    empty = dict.fromkeys((section.id for section in template.sections), "")
    if row is None:
        row = await active.insert(connection, tenant, thread.namespace, thread.title, template, {})
        if row is not None:
            await active.insert_sections(connection, tenant, row.id, template, empty)
        return
    new = await active.insert_sections(connection, tenant, row.id, template, empty)
    known = {section.id for section in row.template.sections}
    sections = (*row.template.sections, *(section for section in template.sections if section.id not in known))
    await active.adopt_template(
        connection, tenant, row.id, row.template.model_copy(update={"sections": sections}), len(new)
    )


def _seen(mine: str, found: ThreadVerdict, known: ThreadSection, written: str | None) -> SeenSection | None:
    """What is to be noted of a section that a thread has from now on, or nothing; a merged text it has yet to see."""
    if found == "unchanged":
        return known.seen if known.loaded and known.seen == known.loaded.section else None
    if written == mine:
        revision = known.section.revision + 1
    elif mine == known.section.content:
        revision = known.section.revision
    else:
        revision = known.seen.revision if known.seen else 0
    now = SeenSection(revision=revision, text_hash=text_hash(mine))
    return None if now == known.seen and not known.loaded else now


def _source(thread: ThreadMemory) -> str:
    return f"thread {thread.thread_id}"


def _conflict(thread: ThreadMemory, text: str, known: ThreadSection) -> SectionConflict:
    return SectionConflict(
        section_id=known.section.section_id,
        mine=text,
        theirs=known.section.content,
        revision=known.section.revision,
        seen_revision=known.seen.revision if known.seen else 0,
        thread_id=thread.thread_id,
        external_id=thread.external_id,
    )
