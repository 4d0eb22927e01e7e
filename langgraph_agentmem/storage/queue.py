"""The queue of memories that wait for a consolidation, which is a few columns of their rows.

All times are the database's, so no clock of another machine counts.
"""

from datetime import datetime

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from langgraph_agentmem.models.base import Json
from langgraph_agentmem.models.queue import DeadMemory, QueueStatus
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.driver.rows import all_rows, first_row, of_tenants, one_row
from langgraph_agentmem.storage.driver.statements import statements
from langgraph_agentmem.storage.memories import MemoryRow, memory_row

_SQL = statements("queue")


async def due_after(connection: Connection, after: str, limit: int) -> list[tuple[str, int]]:
    """(tenant, memory id) of what waits for a run, of the tenants after one of them, each's longest waiting first."""
    rows = await all_rows(connection, _SQL["due_after"], {"after": after, "limit": limit})
    return [(row["external_id"], row["id"]) for row in rows]


async def due(connection: Connection, external_id: str, limit: int) -> list[int]:
    """A tenant's memories that wait for a run, longest waiting first."""
    rows = await all_rows(connection, _SQL["due_memories"], {"external_id": external_id, "limit": limit})
    return [row["id"] for row in rows]


async def longest_waiting(connection: Connection) -> str | None:
    """The tenant whose memory waits for a run longest; None if none does."""
    row = await one_row(connection, _SQL["longest_waiting"], {"limit": 1})
    return None if row is None else row["external_id"]


async def mark_due(connection: Connection, external_id: str, memory_id: int) -> None:
    """Put a memory into the queue."""
    await connection.execute(_SQL["mark_due"], {"external_id": external_id, "memory_id": memory_id})


async def notify(connection: Connection) -> None:
    """Wake those who wait for memories that are due; in a transaction, when it commits."""
    await connection.execute(_SQL["notify_due"])


async def listen(connection: AsyncConnection[DictRow]) -> None:
    """Let a connection hear of memories that are due."""
    await connection.execute(_SQL["listen_due"])


async def mark_pending_due(connection: Connection, external_id: str, memory_id: int | None) -> list[int]:
    """Put every memory of a tenant, or one, into the queue if it has pending updates; returns their ids."""
    params = {"external_id": external_id, "memory_id": memory_id}
    return [row["id"] for row in await all_rows(connection, _SQL["mark_pending_due"], params)]


async def schedule(
    connection: Connection, external_id: str, memory_id: int, since: datetime, minutes: float | None
) -> None:
    """Let a memory be due so many minutes after a time at the latest; never for that reason alone if None."""
    params: Json = {"external_id": external_id, "memory_id": memory_id, "since": since, "minutes": minutes}
    await connection.execute(_SQL["schedule"], params)


async def clear_due(connection: Connection, external_id: str, memory_id: int) -> None:
    """Take a memory out of the queue."""
    await connection.execute(_SQL["clear_due"], {"external_id": external_id, "memory_id": memory_id})


async def lease(
    connection: Connection, external_id: str, memory_id: int, run_id: str, seconds: float, *, if_due: bool
) -> MemoryRow | None:
    """Give an open memory to a run; None if another run holds it, or with `if_due` if the queue does not offer it.

    What the queue offers counts as an attempt.
    """
    params: Json = {"external_id": external_id, "memory_id": memory_id, "run_id": run_id, "lease_seconds": seconds}
    params |= {"if_due": if_due, "attempts": int(if_due)}
    return memory_row(await one_row(connection, _SQL["lease_memory"], params))


async def renew(connection: Connection, external_id: str, memory_id: int, run_id: str, seconds: float) -> None:
    """Let a run go on holding its memory, if it does."""
    params = {"external_id": external_id, "memory_id": memory_id, "run_id": run_id, "lease_seconds": seconds}
    await connection.execute(_SQL["renew_lease"], params)


async def leased(connection: Connection, external_id: str, memory_id: int) -> bool:
    """Whether a run holds a memory, by the database's clock."""
    params = {"external_id": external_id, "memory_id": memory_id}
    return await one_row(connection, _SQL["leased"], params) is not None


async def give_back(connection: Connection, external_id: str, memory_id: int, run_id: str, *, if_due: bool) -> None:
    """Take the lease from a run as if it had never claimed the memory."""
    params: Json = {"external_id": external_id, "memory_id": memory_id, "run_id": run_id, "attempts": int(if_due)}
    await connection.execute(_SQL["give_back_memory"], params)


async def fail(
    connection: Connection,
    external_id: str,
    memory_id: int,
    run_id: str,
    error: str,
    *,
    attempts: int,
    wait_seconds: float,
) -> None:
    """Take the lease from a run that failed after so many attempts; the queue offers the memory again after a while."""
    params: Json = {"external_id": external_id, "memory_id": memory_id, "run_id": run_id, "error": error}
    await connection.execute(_SQL["fail_memory"], params | {"attempts": attempts, "wait_seconds": wait_seconds})


async def note_model(
    connection: Connection, external_id: str, memory_id: int, *, failures: int, retry_at: datetime | None
) -> None:
    """Note in how many runs the model has failed, one after the other, and until when the queue's are not to ask it."""
    params: Json = {"external_id": external_id, "memory_id": memory_id, "failures": failures, "retry_at": retry_at}
    await connection.execute(_SQL["note_model"], params)


async def model_rests(connection: Connection, external_id: str, memory_id: int) -> bool:
    """Whether runs from the queue are not to ask the model yet, by the database's clock."""
    params = {"external_id": external_id, "memory_id": memory_id}
    return await one_row(connection, _SQL["model_rests"], params) is not None


async def give_up(connection: Connection, external_id: str, memory_id: int, error: str) -> bool:
    """Set a due memory aside, unless a run holds it; returns whether that was done."""
    params = {"external_id": external_id, "memory_id": memory_id, "error": error}
    return await one_row(connection, _SQL["give_up_memory"], params) is not None


async def dead_letters(connection: Connection, external_id: str | None, limit: int) -> list[DeadMemory]:
    """Memories that were set aside, of one tenant or of all, by tenant and id."""
    params: Json = {"external_id": external_id, "ids": None, "limit": limit}
    if external_id is not None:
        return _dead(await all_rows(connection, _SQL["dead_letters"], params))
    found = await all_rows(connection, _SQL["all_dead_letters"], params)
    return await of_tenants(connection, found, _SQL["dead_letters"], params, _dead)


def _dead(rows: list[DictRow]) -> list[DeadMemory]:
    return [DeadMemory.model_validate(row) for row in rows]


async def tenants_with_dead_letters(connection: Connection, after: str, limit: int) -> list[str]:
    """Tenants with memories that were set aside, in pages by name: those after one of them."""
    rows = await all_rows(connection, _SQL["tenants_with_dead_letters"], {"after": after, "limit": limit})
    return [row["external_id"] for row in rows]


async def retry_dead_letters(connection: Connection, external_id: str, memory_id: int | None) -> int:
    """Put a tenant's memories that were set aside, or one of them, back into the queue; returns their number."""
    params = {"external_id": external_id, "memory_id": memory_id}
    revived = await all_rows(connection, _SQL["retry_dead_letters"], params)
    if revived:
        await notify(connection)
    return len(revived)


async def status(connection: Connection, external_id: str | None) -> QueueStatus:
    """How many memories are in which state of the queue."""
    return QueueStatus.model_validate(await first_row(connection, _SQL["queue_status"], {"external_id": external_id}))
