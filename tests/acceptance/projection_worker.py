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
    """Count the commits of both drivers; PostgreSQL's are the ends of pipelines."""
    commit, end = neo4j.Transaction.commit, psycopg.AsyncPipeline.__aexit__

    def watched(self: Any) -> None:
        maybe_kill("neo4j", "before")
        commit(self)
        maybe_kill("neo4j", "after")

    async def ending(self: Any, error: type[BaseException] | None, *rest: Any) -> None:
        if error is None:
            maybe_kill("postgres", "before")
        await end(self, error, *rest)
        if error is None:
            maybe_kill("postgres", "after")

    neo4j.Transaction.commit = watched  # type: ignore[method-assign]
    psycopg.AsyncPipeline.__aexit__ = ending  # type: ignore[method-assign]


async def main() -> None:
    async with GraphProjector.open(batch_size=int(os.environ["BATCH"])) as projector:
        work = projector.arebuild if "REBUILD" in os.environ else projector.arun_once
        watch()
        await work(os.environ["TENANT"])


asyncio.run(main())
