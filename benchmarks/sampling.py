"""Looks at a server and at processes every so often while something else goes on; a line of JSON each time."""

import asyncio
import json
import os
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

SAMPLER = "soak-sampler"
_CONNECTIONS = """
SELECT application_name || ', ' || coalesce(state, 'other'), count(*) FROM pg_stat_activity
WHERE datname = current_database() AND application_name <> %s AND backend_type = 'client backend'
GROUP BY 1"""
_LONGEST = """
SELECT coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0)::float8 FROM pg_stat_activity
WHERE datname = current_database() AND application_name <> %s AND backend_type = 'client backend'"""
_TABLES = """
SELECT relname, n_live_tup, n_dead_tup, pg_table_size(relid), pg_indexes_size(relid), autovacuum_count
FROM pg_stat_user_tables"""
_QUEUE = """
SELECT count(*) FILTER (WHERE due_at <= now() AND lease_owner IS NULL),
       count(*) FILTER (WHERE lease_owner IS NOT NULL), count(*) FILTER (WHERE due_at > now()),
       coalesce(extract(epoch FROM now() - min(due_at) FILTER (WHERE due_at <= now())), 0)::float8
FROM agentmem.active_memory"""
_APPLIED = "SELECT count(*) FROM agentmem.consolidation_run WHERE status = 'applied'"

Sample = dict[str, Any]


class Sampler:
    """What was seen so far.

    Args:
        dsn: The database.
        processes: Whose memory is measured, by name.
        done: How much of the work is done.
        out: The file of JSON lines.
    """

    def __init__(self, dsn: str, processes: Mapping[str, int], done: Callable[[], int], out: Path) -> None:
        self.samples: list[Sample] = []
        self._dsn, self._processes, self._done, self._out = dsn, processes, done, out
        self._began = time.perf_counter()
        self._out.write_text("")

    @property
    def applied(self) -> int:
        """Consolidations, as of the last sample."""
        return self.samples[-1]["applied"] if self.samples else 0

    def sample(self) -> None:
        with psycopg.connect(make_conninfo(self._dsn, application_name=SAMPLER), autocommit=True) as connection:
            due, running, scheduled, lag = connection.execute(_QUEUE).fetchone() or ()
            [applied] = connection.execute(_APPLIED).fetchone() or ()
            [longest] = connection.execute(_LONGEST, [SAMPLER]).fetchone() or ()
            seen: Sample = {
                "seconds": round(time.perf_counter() - self._began, 1),
                "done": self._done(),
                "applied": applied,
                "megabytes": {name: megabytes(pid) for name, pid in self._processes.items()},
                "connections": dict(connection.execute(_CONNECTIONS, [SAMPLER]).fetchall()),
                "longest_transaction_seconds": round(longest, 2),
                "queue": {"due": due, "running": running, "scheduled": scheduled, "lag_seconds": round(lag, 2)},
                "tables": {
                    name: {"live": live, "dead": dead, "bytes": size, "index_bytes": index, "vacuums": vacuums}
                    for name, live, dead, size, index, vacuums in connection.execute(_TABLES)
                },
            }
        self.samples.append(seen)
        with self._out.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(seen) + "\n")

    @asynccontextmanager
    async def every(self, seconds: float) -> AsyncGenerator[None]:
        """Sample as long as the block lasts, and once more at its end."""
        over = asyncio.Event()

        async def go_on() -> None:
            while not over.is_set():
                await asyncio.to_thread(self.sample)
                try:
                    await asyncio.wait_for(over.wait(), seconds)
                except TimeoutError:
                    continue

        task = asyncio.create_task(go_on())
        try:
            yield
        finally:
            over.set()
            await task
            await asyncio.to_thread(self.sample)


def megabytes(pid: int) -> float:
    """The resident memory of a process; 0 where there is no /proc to ask."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except FileNotFoundError:
        return 0.0
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 1)


def summed(samples: Sequence[Sample], key: str, ends: str) -> list[float]:
    """By sample, the sum of all numbers of a group whose names end so."""
    return [sum(number for name, number in sample[key].items() if name.endswith(ends)) for sample in samples]
