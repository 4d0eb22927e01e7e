"""What happens to Neo4j behind our back is found and made good."""

import logging
from collections.abc import Callable

import pytest
from fakes import ScriptedModel
from people import answer, consolidate, start
from projecting import EMPTY, agrees, run, things

from langgraph_agentmem import AgentMemory
from langgraph_agentmem.errors import StaleGraphError
from langgraph_agentmem.projection import GraphProjector, Neo4jDatabase, rebuilding

Open = Callable[..., AgentMemory]
Rows = Callable[..., list[tuple[object, ...]]]


@pytest.fixture
def memory(opened: Open, neo4j: Neo4jDatabase) -> AgentMemory:
    return opened(model=ScriptedModel(answer=answer), graph=neo4j)


async def test_differences_are_named_one_by_one_and_a_rebuild_mends_them(
    memory: AgentMemory, projector: GraphProjector, neo4j: Neo4jDatabase, tenant: str
) -> None:
    project = await start(memory, tenant)
    await consolidate(memory, tenant, project, "Ada/person knows Bob/person\nCarol/person knows Dan/person\nEve/person")
    assert await agrees(projector, tenant)
    for damage in (
        "MATCH (e:ShorttermEntity {external_id: $external_id, name: 'Ada'}) SET e.types = ['robot'], e.more = 1",
        "MATCH (e:ShorttermEntity {external_id: $external_id, name: 'Eve'}) DETACH DELETE e",
        "MATCH (:ShorttermEntity {name: 'Ada', external_id: $external_id})-[r:SHORTTERM_RELATES]->() DELETE r",
        "MATCH (c:ShorttermEntity {external_id: $external_id, name: 'Carol'})-[r:SHORTTERM_RELATES]->(d) "
        "WITH c, d, r, properties(r) AS held DELETE r CREATE (d)-[n:SHORTTERM_RELATES]->(c) SET n = held "
        "CREATE (c)-[:SHORTTERM_RELATES {external_id: $external_id}]->(d)",
        "MATCH (:ShorttermEntity {name: 'Bob', external_id: $external_id})-[m:MENTIONED_IN]->(c) DELETE m SET c.tier = NULL",
        "CREATE (:LongtermEntity {external_id: $external_id, id: 999999999, name: 'Ghost'})",
        "CREATE (:LongtermEntity {external_id: $external_id, name: 'Spook'}), (:MemoryChunk {external_id: $external_id})",
    ):
        await run(neo4j, tenant, damage)
    found = (await projector.averify(tenant)).differences
    named = {(d.kind, d.problem, d.name, d.id is None, tuple(sorted(d.fields))) for d in found}
    assert named == {
        ("entity", "different", "Ada", False, ("more", "types")),
        ("entity", "missing", "Eve", False, ()),
        ("entity", "unexpected", "Ghost", False, ()),
        ("entity", "unexpected", "", True, ()),
        ("relationship", "missing", "", False, ()),
        ("relationship", "different", "", False, ("ends",)),
        ("relationship", "unexpected", "", True, ()),
        ("chunk", "different", "", False, ("entities", "tier")),
        ("chunk", "different", "", False, ("entities",)),
        ("chunk", "unexpected", "", True, ()),
    }
    assert next(d for d in found if d.name == "Ada").fields["types"] == (["person"], ["robot"])
    report = await projector.arebuild(tenant)
    assert (report.dead, report.problems) == (0, {})
    differences = (await projector.averify(tenant)).differences
    assert [(d.name, tuple(d.fields)) for d in differences] == [("Ada", ("more",))]  # what others added is theirs


async def test_an_emptied_graph_is_noticed_refused_and_rebuilt(
    memory: AgentMemory, projector: GraphProjector, neo4j: Neo4jDatabase, tenant: str, caplog: pytest.LogCaptureFixture
) -> None:
    project = await start(memory, tenant)
    await consolidate(memory, tenant, project, "Ada/person knows Bob/person")
    assert await agrees(projector, tenant)
    await run(neo4j, tenant, EMPTY)
    assert {d.problem for d in (await projector.averify(tenant)).differences} == {"missing"}
    await consolidate(memory, tenant, project, "Ada/person likes Tea/drink")
    report = await projector.arun_once(tenant)
    assert report.projected == 0
    assert "emptied" in report.problems[tenant]
    assert "agentmem graph rebuild" in report.problems[tenant]
    assert await things(projector, tenant) == 0, "no part of a graph is written where the rest is missing"
    [status] = await projector.astatus(tenant)
    assert status.problem == report.problems[tenant]
    assert status.pending > 0
    with caplog.at_level(logging.WARNING):
        await memory.queue.arun_due(tenant)
    assert "emptied" in caplog.text
    told: list[tuple[int, int]] = []
    assert (await projector.arebuild(tenant, progress=lambda done, total: told.append((done, total)))).problems == {}
    assert told[-1][0] == told[-1][1] > 0
    assert await agrees(projector, tenant)
    assert (await projector.astatus(tenant))[0].problem is None


async def test_a_graph_restored_from_a_backup_is_noticed(
    memory: AgentMemory, projector: GraphProjector, neo4j: Neo4jDatabase, tenant: str
) -> None:
    project = await start(memory, tenant)
    await consolidate(memory, tenant, project, "Ada/person")
    assert await agrees(projector, tenant)
    await run(neo4j, tenant, "MATCH (p:AgentMemoryProjection {external_id: $external_id}) SET p.batch = 0")
    await consolidate(memory, tenant, project, "Bob/person")
    assert "backup" in (await projector.arun_once(tenant)).problems[tenant]
    await projector.arebuild(tenant)
    assert await agrees(projector, tenant)


async def test_a_postgresql_restored_from_a_backup_is_noticed(
    memory: AgentMemory, projector: GraphProjector, tenant: str, rows: Rows
) -> None:
    project = await start(memory, tenant)
    await consolidate(memory, tenant, project, "Ada/person")
    assert await agrees(projector, tenant)
    await consolidate(memory, tenant, project, "Bob/person")
    assert await agrees(projector, tenant)
    rows("UPDATE agentmem.graph_projection SET drawn = 0, applied = 0")
    await consolidate(memory, tenant, project, "Carol/person")
    assert "PostgreSQL was restored" in (await projector.arun_once(tenant)).problems[tenant]
    await projector.arebuild(tenant)
    assert await agrees(projector, tenant)


async def test_two_postgresql_databases_do_not_mix_their_graphs(
    memory: AgentMemory, projector: GraphProjector, neo4j: Neo4jDatabase, tenant: str,
    new_database: Callable[[str], str], template: str,
) -> None:  # fmt: skip
    await consolidate(memory, tenant, await start(memory, tenant), "Ada/person knows Bob/person")
    assert await agrees(projector, tenant)
    async with AgentMemory.open(new_database(template), model=ScriptedModel(answer=answer), graph=neo4j) as other:
        await consolidate(other, tenant, await start(other, tenant), "Zoe/person")
        assert "another PostgreSQL" in (await other.projector.arun_once(tenant)).problems[tenant]
        assert "another PostgreSQL" in ((await other.projector.astatus(tenant))[0].problem or "")
        assert await agrees(projector, tenant)
        await other.projector.arebuild(tenant)
        assert await agrees(other.projector, tenant)
        assert "another PostgreSQL" in ((await projector.astatus(tenant))[0].problem or "")


@pytest.mark.parametrize("label", ["ShorttermEntity", "LongtermEntity"])
async def test_a_graph_that_was_not_written_from_here_stays_as_it_is(
    memory: AgentMemory, projector: GraphProjector, neo4j: Neo4jDatabase, tenant: str, label: str
) -> None:
    """As an older system's, which has the same labels: its way back would be gone."""
    await run(neo4j, tenant, f"CREATE (:{label} {{external_id: $external_id, name: 'Ada'}})")
    await consolidate(memory, tenant, await start(memory, tenant), "Ada/person knows Bob/person")

    assert "not written from here" in (await projector.arun_once(tenant)).problems[tenant]
    with pytest.raises(StaleGraphError, match="use another Neo4j database"):
        await projector.arebuild(tenant)

    held = await neo4j.read(
        tenant, lambda t: t.run("MATCH (n {external_id: $external_id}) RETURN properties(n) AS held")
    )
    assert [row["held"] for row in held] == [{"external_id": tenant, "name": "Ada"}]
    await run(neo4j, tenant, EMPTY)
    await projector.arebuild(tenant)
    assert await agrees(projector, tenant)


async def test_what_only_neo4j_knows_goes_with_a_rebuild_of_that_tenant(
    memory: AgentMemory, projector: GraphProjector, neo4j: Neo4jDatabase, tenant: str
) -> None:
    await consolidate(memory, tenant, await start(memory, tenant), "Ada/person knows Bob/person")
    assert await agrees(projector, tenant)
    await memory.aforget_tenant(tenant)
    await projector.arun_once(tenant)
    await run(neo4j, tenant, "CREATE (:LongtermEntity {external_id: $external_id, id: 1, name: 'Ghost'})")
    assert [d.problem for d in (await projector.averify(tenant)).differences] == ["unexpected"]
    await projector.arebuild(tenant)
    assert (await projector.averify(tenant)).differences == []
    assert await things(projector, tenant) == 0


async def test_an_interrupted_rebuild_is_shown_and_begun_again(
    memory: AgentMemory, projector: GraphProjector, neo4j: Neo4jDatabase, tenant: str
) -> None:
    project = await start(memory, tenant)
    await consolidate(memory, tenant, project, "Ada/person knows Bob/person\nCarol/person knows Dan/person")
    assert await agrees(projector, tenant)
    await run(neo4j, tenant, EMPTY)

    def stop(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await rebuilding.rebuild(projector.database, neo4j, tenant, 3, stop)
    [status] = await projector.astatus(tenant)
    assert status.rebuilding
    await consolidate(memory, tenant, project, "Ada/person likes Eve/person")
    await projector.arun_once(tenant)
    assert (await projector.averify(tenant)).differences != []
    await projector.arebuild(tenant)
    assert not (await projector.astatus(tenant))[0].rebuilding
    assert await agrees(projector, tenant)
