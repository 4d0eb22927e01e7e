"""What is projected late, twice or by several at once ends as the graph in PostgreSQL."""

import asyncio
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from fakes import ScriptedModel
from people import answer, consolidate, start
from projecting import agrees, run, things

from langgraph_agentmem import AgentMemory, AgentMemorySettings
from langgraph_agentmem.projection import GraphProjector, Neo4jDatabase, batches, draining

Open = Callable[..., AgentMemory]


@pytest.fixture
def memory(opened: Open, neo4j: Neo4jDatabase) -> AgentMemory:
    return opened(model=ScriptedModel(answer=answer), graph=neo4j)


async def test_what_a_projector_writes_late_is_refused(
    memory: AgentMemory, projector: GraphProjector, neo4j: Neo4jDatabase, tenant: str
) -> None:
    project = await start(memory, tenant)
    await consolidate(memory, tenant, project, "Ada/person knows Bob/person")
    late, changes, work = await draining._next(projector.database, tenant, 100)
    await memory.adelete_active_memory(tenant, project, forget=True)
    assert (await projector.arun_once(tenant)).projected == 4
    outcome = await batches.write(neo4j, tenant, late, list(work.items()))
    assert outcome.superseded
    assert len(changes) == 4
    assert await things(projector, tenant) == 0
    assert await agrees(projector, tenant)


async def test_a_change_that_comes_while_its_thing_is_projected_is_projected_too(
    memory: AgentMemory, projector: GraphProjector, neo4j: Neo4jDatabase, tenant: str
) -> None:
    project = await start(memory, tenant)
    await consolidate(memory, tenant, project, "Ada/person")
    batch, changes, work = await draining._next(projector.database, tenant, 100)
    outcome = await batches.write(neo4j, tenant, batch, list(work.items()))
    await consolidate(memory, tenant, project, "Ada/person,writer and more")
    await draining._finish(projector.database, tenant, batch, changes, outcome)
    [status] = await projector.astatus(tenant)
    assert status.pending == 2  # Ada, who changed, and the new chunk; the former one is done
    assert await agrees(projector, tenant)
    [row] = await run(neo4j, tenant, "MATCH (e:ShorttermEntity {external_id: $external_id}) RETURN e.types AS types")
    assert row["types"] == ["person", "writer"]


async def test_what_a_writer_is_changing_does_not_hold_a_projector_up(
    memory: AgentMemory, projector: GraphProjector, tenant: str, dsn: str
) -> None:
    await consolidate(memory, tenant, await start(memory, tenant), "Ada/person knows Bob/person")
    with psycopg.connect(dsn) as writer:
        writer.execute("UPDATE agentmem.graph_outbox SET changes = changes + 1 WHERE kind = 'chunk'")
        assert (await projector.arun_once(tenant)).projected == 3
        assert (await projector.astatus(tenant))[0].pending == 1
        assert (await projector.averify(tenant)).differences == []
    assert (await projector.arun_once(tenant)).projected == 1
    assert await agrees(projector, tenant)


async def test_projectors_at_once_and_a_writer_end_with_the_same_graph(
    memory: AgentMemory, dsn: str, neo4j_settings: dict[str, Any], tenant: str
) -> None:
    projectors = [
        GraphProjector(memory.resources.database, memory.projector.neo4j, batch_size=size) for size in (1, 2, 3, 50)
    ]
    written = asyncio.Event()

    async def write(title: str) -> None:
        project = await start(memory, tenant, title)
        for text in ("Ada/person knows Bob/person", "Bob/person likes Ada/person", "Ada/person,a knows Eve/person"):
            await consolidate(memory, tenant, project, text)
            await memory.apromote(tenant, project, force=True)
        if title == "C":
            await memory.adelete_active_memory(tenant, project, forget=True)

    async def project(projector: GraphProjector) -> None:
        while not written.is_set():
            await projector.arun_once(tenant)

    projecting = [asyncio.create_task(project(projector)) for projector in projectors]
    await asyncio.gather(*(write(title) for title in "ABC"))
    written.set()
    await asyncio.gather(*projecting)
    assert await agrees(projectors[0], tenant)


async def test_a_rebuild_and_verifications_do_not_mind_writers_and_projectors(
    memory: AgentMemory, projector: GraphProjector, tenant: str
) -> None:
    small = GraphProjector(projector.database, projector.neo4j, batch_size=2)
    written = asyncio.Event()

    async def write() -> None:
        project = await start(memory, tenant)
        for number in range(8):
            await consolidate(memory, tenant, project, f"Ada/person knows B{number}/person\nB{number} likes Tea/drink")
            await memory.apromote(tenant, project, force=True)
        written.set()

    async def repeat(work: Callable[[], Any]) -> None:
        while not written.is_set():
            await work()

    async def verify() -> None:
        assert (await projector.averify(tenant)).differences == []

    await asyncio.gather(
        write(),
        repeat(lambda: small.arebuild(tenant)),
        repeat(lambda: projector.arun_once(tenant)),
        repeat(verify),
    )
    assert await agrees(projector, tenant)


async def test_what_changes_and_is_projected_during_a_verification_is_no_difference(
    memory: AgentMemory, projector: GraphProjector, neo4j_settings: dict[str, Any], tenant: str
) -> None:
    project = await start(memory, tenant)
    await consolidate(memory, tenant, project, "Ada/person")
    await projector.arun_once(tenant)

    class Changing(Neo4jDatabase):
        reads = 0

        async def read(self, *arguments: Any, **named: Any) -> Any:
            self.reads += 1
            if self.reads == 1:  # after PostgreSQL was read
                await consolidate(memory, tenant, project, "Ada/person,writer")
                await projector.arun_once(tenant)
            found = await super().read(*arguments, **named)
            if self.reads == 2:  # in the confirmation
                await consolidate(memory, tenant, project, "Ada/person,writer,poet")
                await projector.arun_once(tenant)
            return found

    changing = Changing.of(AgentMemorySettings(**neo4j_settings))
    assert (await GraphProjector(projector.database, changing).averify(tenant)).differences == []
    assert changing.reads > 5, "one for each kind, one for what has no id, and the confirmation"
    await changing.close()
