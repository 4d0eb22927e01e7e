"""Waits for what other sessions do, instead of for time."""

import asyncio
from collections.abc import Callable

WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


async def until_waiting(rows: Callable[..., list[tuple[object, ...]]]) -> None:
    """Wait until a session of the test's database waits for a lock."""
    async with asyncio.timeout(60):
        while rows(WAITING) == [(0,)]:  # noqa: ASYNC110 - another session does so
            await asyncio.sleep(0.01)
