"""Maps the state of threads onto the sections of memories."""

from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from langgraph_agentmem.errors import StateConflictError
from langgraph_agentmem.models.active import MemoryTemplate
from langgraph_agentmem.models.thread import (
    PutCheckpoint,
    SectionConflict,
    SeenSection,
    ThreadMemory,
    ThreadSection,
)
from langgraph_agentmem.models.write import SectionWrite
from langgraph_agentmem.operations.sections import values
from langgraph_agentmem.policies.thread_writes import ThreadVerdict, seen_at, text_hash, to_load, verdict
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.storage import memories, sections, threads
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.driver.rows import Deferred, as_json
from langgraph_agentmem.storage.memories import MemoryRow
from langgraph_agentmem.storage.values import ValueBatch, Written

Merged = Mapping[tuple[str, int], str]
"""Texts that settle conflicts, by section and the revision that they were made from."""


class ThreadWrite(NamedTuple):
    """What writing a thread's state has come to.

    Attributes:
        memory_id: The thread's memory.
        left: The sections that hold the thread's own text, as it has noted, at these revisions.
        written: What writing values has come to; None where none were.
    """

    memory_id: int
    left: Mapping[str, SeenSection]
    written: Deferred[Written] | None


async def write(
    connection: Connection,
    resources: Resources,
    thread: ThreadMemory,
    put: PutCheckpoint,
    texts: Mapping[str, str],
    rest: Callable[[], Awaitable[Mapping[str, str]]],
    merged: Merged | None,
) -> ThreadWrite:
    """Write what a thread's state holds into its sections, as one batch of updates; what is unchanged does not count.

    Chunks are written when somebody asks for them.

    Args:
        connection: In a transaction.
        resources: The open memory's.
        thread: The thread; its memory is made if there is none, and so are the sections that it lacks.
        put: The checkpoint that is stored in the same transaction.
        texts: By section, of the channels that the checkpoint changes.
        rest: Those of the other channels, which are written as well where memory has nothing of them and the thread is
            new to it.
        merged: Texts that settle conflicts; without them, the thread's own texts are written.

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
    wanted = _settled(thread, texts, present, verdicts, merged)
    written = {id: text for id, text in wanted.items() if text != present[id].section.content}
    sent = None
    if written:
        revisions = {id: present[id].section.revision for id in written}
        sent, _ = await values.send(connection, resources, batch(thread, row.id, written, revisions))
    seen = {id: _seen(text, verdicts[id], present[id], written.get(id)) for id, text in texts.items()}
    await threads.note_seen(connection, thread, row.id, {id: now for id, now in seen.items() if now is not None})
    return ThreadWrite(row.id, _left(texts, present, written), sent)


def batch(thread: ThreadMemory, memory_id: int, texts: Mapping[str, str], revisions: Mapping[str, int]) -> ValueBatch:
    """Texts that a thread writes into sections that are at these revisions."""
    writes = [
        SectionWrite(
            namespace=thread.namespace,
            section_id=id,
            json_text=as_json({"content": text}),
            expected=revisions[id],
        )
        for id, text in texts.items()
    ]
    return ValueBatch(thread.external_id, writes, f"thread {thread.thread_id}", edits=True, memory_id=memory_id)


def _settled(
    thread: ThreadMemory,
    texts: Mapping[str, str],
    present: Mapping[str, ThreadSection],
    verdicts: Mapping[str, ThreadVerdict],
    merged: Merged | None,
) -> dict[str, str]:
    """The texts that sections are to hold: the thread's, or what settles the conflict where both sides have changed."""
    conflicts = [_conflict(thread, texts[id], present[id]) for id, found in verdicts.items() if found == "conflict"]
    if merged is not None and any((c.section_id, c.revision) not in merged for c in conflicts):
        raise StateConflictError(conflicts)
    wanted = {id: texts[id] for id, found in verdicts.items() if found == "write"}
    return wanted | {c.section_id: c.mine if merged is None else merged[c.section_id, c.revision] for c in conflicts}


def _left(
    texts: Mapping[str, str], present: Mapping[str, ThreadSection], written: Mapping[str, str]
) -> dict[str, SeenSection]:
    """The sections that hold just what the thread's state holds, and that it alone has written since it saw them.

    Where others write as well, as threads do in turns, the next checkpoint had better look again than be refused.
    """
    left = dict[str, SeenSection]()
    for id, text in texts.items():
        section, seen = present[id].section, present[id].seen
        alone = seen is None or seen.revision == section.revision
        if alone and written.get(id, section.content) == text:
            left[id] = SeenSection(revision=section.revision + (id in written), text_hash=text_hash(text))
    return left


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
    async with resources.database.transaction(thread.external_id) as connection:
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
        row = await memories.insert(connection, tenant, thread.namespace, thread.title, template, {})
        if row is not None:
            await sections.insert_template(connection, tenant, row.id, template, empty)
        return
    new = await sections.insert_template(connection, tenant, row.id, template, empty)
    known = {section.id for section in row.template.sections}
    both = (*row.template.sections, *(section for section in template.sections if section.id not in known))
    await memories.adopt_template(
        connection, tenant, row.id, row.template.model_copy(update={"sections": both}), len(new)
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
