"""What a checkpointer's threads have of the sections that their state is mapped to."""

from collections.abc import Mapping, Sequence

from psycopg.rows import DictRow

from langgraph_agentmem.models.active import Section
from langgraph_agentmem.models.base import Json
from langgraph_agentmem.models.thread import LoadedSection, SeenSection, ThreadMemory, ThreadSection
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.driver.rows import all_rows, columns
from langgraph_agentmem.storage.driver.statements import statements
from langgraph_agentmem.storage.driver.tenants import EVERYONE, NOBODY
from langgraph_agentmem.storage.memories import MemoryRow, memory_row

_SQL = statements("threads")
_TENANTS = 100


async def lock(
    connection: Connection, thread: ThreadMemory, section_ids: Sequence[str]
) -> tuple[MemoryRow | None, dict[str, ThreadSection]]:
    """The memory of a thread, locked, with those of the sections that it has, in one round trip.

    The statements are sent together, and the server runs them one after the other.
    """
    params: Json = {"external_id": thread.external_id, "namespace": list(thread.namespace)}
    params |= {"section_ids": list(section_ids), "thread_id": thread.thread_id}
    locked = await connection.execute(_SQL["lock_memory_of_thread"], params)
    rows = await all_rows(connection, _SQL["sections_of_thread"], params)
    return memory_row(await locked.fetchone()), {row["section_id"]: _section(row) for row in rows}


async def note_seen(
    connection: Connection, thread: ThreadMemory, memory_id: int, seen: Mapping[str, SeenSection]
) -> None:
    """Note what a thread's checkpoint has of sections."""
    if seen:
        await connection.execute(_SQL["note_seen"], _noted(thread, memory_id, seen))


async def note_loaded(
    connection: Connection, thread: ThreadMemory, memory_id: int, loaded: Mapping[str, SeenSection], checkpoint_id: str
) -> None:
    """Note what is loaded for a thread, at its last checkpoint; what was loaded before and not stored is forgotten."""
    params: Json = {"external_id": thread.external_id, "memory_id": memory_id, "thread_id": thread.thread_id}
    await connection.execute(_SQL["forget_loaded"], params)
    if loaded:
        params = _noted(thread, memory_id, loaded) | {"checkpoint_id": checkpoint_id}
        await connection.execute(_SQL["note_loaded"], params)


def _noted(thread: ThreadMemory, memory_id: int, seen: Mapping[str, SeenSection]) -> Json:
    rows = [(section_id, known.revision, known.text_hash) for section_id, known in sorted(seen.items())]
    params: Json = {"external_id": thread.external_id, "memory_id": memory_id, "thread_id": thread.thread_id}
    return params | columns(rows, "section_ids", "revisions", "hashes")


async def forget(connection: Connection, thread_ids: Sequence[str]) -> None:
    """Forget what threads have of any tenant's sections."""
    # some tenants at a time; those that are done are not found again
    while tenants := await _tenants(connection, thread_ids):
        for tenant in tenants:
            connection.serve(tenant)
            params = {"external_id": tenant, "thread_ids": list(thread_ids)}
            await connection.execute(_SQL["forget_threads"], params)


async def copy(connection: Connection, source: str, target: str) -> None:
    """Note that a thread has of sections what another one has."""
    for tenant in await _tenants(connection, [source]):
        connection.serve(tenant)
        params = {"external_id": tenant, "source": source, "target": target}
        await connection.execute(_SQL["copy_thread"], params)


async def _tenants(connection: Connection, thread_ids: Sequence[str]) -> list[str]:
    connection.serve(EVERYONE)
    params = {"thread_ids": list(thread_ids), "limit": _TENANTS}
    found = [row["external_id"] for row in await all_rows(connection, _SQL["tenants_of_threads"], params)]
    connection.serve(NOBODY)  # what follows, of LangGraph's tables too, is not for whoever may look over all tenants
    return found


def _section(row: DictRow) -> ThreadSection:
    seen = loaded = None
    if row["seen_revision"] is not None:
        seen = SeenSection(revision=row["seen_revision"], text_hash=row["text_hash"])
    if row["loaded_at"] is not None:
        known = SeenSection(revision=row["loaded_revision"], text_hash=row["loaded_hash"])
        loaded = LoadedSection(section=known, checkpoint_id=row["loaded_at"])
    return ThreadSection(section=Section.model_validate(row), seen=seen, loaded=loaded)
