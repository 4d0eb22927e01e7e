"""Waits for what others do, instead of for time."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from langgraph_agentmem.worker import MemoryWorker

Rows = Callable[..., list[tuple[object, ...]]]
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


async def until(happened: Callable[[], Any]) -> None:
    """Wait until something has happened; it is asked after less and less often, as asking may hold up what is waited for."""
    pause = 0.01
    async with asyncio.timeout(300):
        while not happened():
            await asyncio.sleep(pause)
            pause = min(pause * 1.2, 0.2)


async def until_rows(rows: Rows, sql: str, expected: list[tuple[Any, ...]]) -> None:
    """Wait until a query finds just these rows."""
    await until(lambda: rows(sql) == expected)


async def until_listening(rows: Rows, workers: int = 1) -> None:
    """Wait until so many workers listen to what the database tells."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE query = 'LISTEN agentmem_due' AND datname = current_database()"
    await until_rows(rows, query, [(workers,)])


async def until_waiting(rows: Rows, sessions: int = 1) -> None:
    """Wait until sessions of the test's database wait for a lock."""
    await until(lambda: rows(WAITING) >= [(sessions,)])


async def until_sleeping(rows: Rows, sessions: int) -> None:
    """Wait until so many sessions are in `pg_sleep`."""
    sleeping = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
    await until_rows(rows, sleeping, [(sessions,)])


async def until_alone(rows: Rows) -> None:
    """Wait until all other sessions of the test's database have ended, and so have told what they did."""
    others = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
        "AND backend_type = 'client backend'"
    )
    await until_rows(rows, others, [(0,)])


async def until_idle(rows: Rows) -> None:
    """Wait until no other session of the test's database does anything."""
    busy = (
        "SELECT count(*) FROM pg_stat_activity WHERE state <> 'idle' AND datname = current_database() "
        "AND pid <> pg_backend_pid()"
    )
    await until_rows(rows, busy, [(0,)])


@asynccontextmanager
async def working(*workers: MemoryWorker) -> AsyncIterator[list[asyncio.Task[None]]]:
    """Workers that run meanwhile, and are stopped."""
    tasks = [asyncio.create_task(worker.arun()) for worker in workers]
    try:
        yield tasks
    finally:
        for worker in workers:
            worker.stop()
        await asyncio.gather(*tasks)
