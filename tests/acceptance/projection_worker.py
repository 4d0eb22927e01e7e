"""Projects what waits, and kills its own process at a commit: of Neo4j or of PostgreSQL, before or after it."""

import asyncio
import os
import signal
from typing import Any

import neo4j
import psycopg

from langgraph_agentmem.projection import GraphProjector

LEFT = int(os.environ.get("KILL_AT_COMMIT", "0"))
OF, WHEN = os.environ.get("KILL_OF"), os.environ.get("KILL_WHEN")


def maybe_kill(of: str, when: str) -> None:
    global LEFT
    if (of, when) == (OF, WHEN):
        LEFT -= 1
        if LEFT == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def watch() -> None:
    """Count the commits of both drivers."""
    commit, execute, leave = neo4j.Transaction.commit, psycopg.AsyncConnection.execute, psycopg.AsyncPipeline.__aexit__
    committing = False

    def watched(self: Any) -> None:
        maybe_kill("neo4j", "before")
        commit(self)
        maybe_kill("neo4j", "after")

    async def counting(self: Any, query: Any, *args: Any, **kwargs: Any) -> Any:
        nonlocal committing
        if query == b"COMMIT":
            committing = True
            maybe_kill("postgres", "before")
        return await execute(self, query, *args, **kwargs)

    async def leaving(self: Any, *args: Any) -> None:
        nonlocal committing
        await leave(self, *args)
        if committing:
            committing = False
            maybe_kill("postgres", "after")

    neo4j.Transaction.commit = watched  # type: ignore[method-assign]
    psycopg.AsyncConnection.execute = counting  # type: ignore[method-assign]
    psycopg.AsyncPipeline.__aexit__ = leaving  # type: ignore[method-assign]


async def main() -> None:
    async with GraphProjector.open(batch_size=int(os.environ["BATCH"])) as projector:
        work = projector.arebuild if "REBUILD" in os.environ else projector.arun_once
        watch()
        await work(os.environ["TENANT"])


asyncio.run(main())
