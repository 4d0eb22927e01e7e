"""A projection that is killed anywhere is completed by the next one; so is one whose Neo4j is killed.

The projectors are real processes that kill themselves with SIGKILL, and the server is a real one that is killed.
"""

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import forking
import pytest
from fakes import ScriptedModel
from neo4j_server import PASSWORD, Server
from people import answer, consolidate, start
from waiting import until, until_rows

from langgraph_agentmem import AgentMemory
from langgraph_agentmem.errors import OutageError
from langgraph_agentmem.projection import GraphProjector, Neo4jDatabase

Open = Callable[..., AgentMemory]
WORKER = Path(__file__).with_name("projection_worker.py")
TEXT = "\n".join(f"P{i}/person knows P{i + 1}/person" for i in range(12))


def work(dsn: str, settings: dict[str, Any], tenant: str, **environment: Any) -> int:
    variables = {"AGENTMEM_DSN": dsn, "TENANT": tenant, "BATCH": "7"} | environment
    variables |= {name.upper(): value for name, value in settings.items()}
    done = forking.run(WORKER, env=os.environ | {name: str(value) for name, value in variables.items()})
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode


async def agrees(projector: GraphProjector, tenant: str) -> bool:
    report = await projector.arun_once(tenant)
    assert (report.dead, report.problems) == (0, {})
    found = await projector.averify(tenant)
    return (found.pending, found.differences) == (0, [])


@pytest.mark.parametrize("how", ["PROJECT", "REBUILD"])
@pytest.mark.parametrize(
    ("of", "when"), [("neo4j", "before"), ("neo4j", "after"), ("postgres", "before"), ("postgres", "after")]
)
@pytest.mark.parametrize("commit", [1, 4])
async def test_a_killed_projector_loses_nothing_and_leaves_nothing_behind(
    opened: Open, dsn: str, neo4j: Neo4jDatabase, neo4j_settings: dict[str, Any], tenant: str, how: str, of: str, when: str, commit: int,
) -> None:  # fmt: skip
    memory = opened(model=ScriptedModel(answer=answer), graph=neo4j)
    project = await start(memory, tenant)
    await consolidate(memory, tenant, project, TEXT)
    await memory.apromote(tenant, project, force=True)
    environment = {how: 1, "KILL_OF": of, "KILL_WHEN": when, "KILL_AT_COMMIT": commit}
    assert work(dsn, neo4j_settings, tenant, **environment) == -signal.SIGKILL
    await memory.adelete_active_memory(tenant, project, forget=commit == 4)
    if how == "REBUILD":
        assert work(dsn, neo4j_settings, tenant, REBUILD=1) == 0
    assert await agrees(memory.projector, tenant)
    [status] = await memory.projector.astatus(tenant)
    assert (status.pending, status.rebuilding) == (0, False)


@pytest.mark.slow
async def test_a_neo4j_that_is_not_there_yet_or_is_killed_in_the_middle_of_a_projection(
    opened: Open, own_neo4j: Server, tenant: str, rows: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    memory = opened(
        model=ScriptedModel(answer=answer), graph=Neo4jDatabase(own_neo4j.uri, password=PASSWORD, connect_timeout=1)
    )
    following = asyncio.create_task(memory.projector.arun(poll_seconds=0.05))
    project = await start(memory, tenant)
    await consolidate(memory, tenant, project, TEXT)
    await until(lambda: "the projection waits" in caplog.text)
    assert not following.done()
    await asyncio.to_thread(own_neo4j.start)
    await until_rows(rows, "SELECT 1 FROM agentmem.graph_outbox", [])
    following.cancel()
    with pytest.raises(asyncio.CancelledError):
        await following
    assert await agrees(memory.projector, tenant)

    await consolidate(memory, tenant, project, TEXT.replace("P", "Q"))
    projector = GraphProjector(memory.resources.database, memory.projector.neo4j, batch_size=2)
    told: list[int] = []

    def kill(done: int, total: int) -> None:
        told.append(done)
        if len(told) == 3:
            own_neo4j.kill()

    with pytest.raises(OutageError):
        await projector.arun_once(tenant, progress=kill)
    [status] = await projector.astatus(tenant)
    assert status.pending > 0
    assert "cannot be reached" in (status.problem or "")
    await consolidate(memory, tenant, project, f"{TEXT.replace('P', 'Q')}\nQ1/person likes Tea/drink")
    await memory.queue.arun_due(tenant)  # an outage of Neo4j is no reason to fail
    await asyncio.to_thread(own_neo4j.start)
    assert await agrees(projector, tenant)
    assert len((await memory.graph.aneighborhood(tenant, ["Q1"])).entities) == 4
