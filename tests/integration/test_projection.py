"""The graph in Neo4j is the graph in PostgreSQL, whatever happens to the latter."""

from collections.abc import Callable

import pytest
from fakes import ScriptedModel
from people import answer, consolidate, start
from projecting import agrees, run, things

from langgraph_agentmem import AgentMemory
from langgraph_agentmem.projection import GraphProjector, Neo4jDatabase

Open = Callable[..., AgentMemory]
Rows = Callable[..., list[tuple[object, ...]]]


@pytest.fixture
def memory(opened: Open, neo4j: Neo4jDatabase) -> AgentMemory:
    return opened(model=ScriptedModel(answer=answer), graph=neo4j)


async def test_a_consolidation_is_projected_with_types_support_and_tenant(
    memory: AgentMemory, projector: GraphProjector, neo4j: Neo4jDatabase, tenant: str
) -> None:
    project = await start(memory, tenant)
    await consolidate(memory, tenant, project, "Ada/person,writer knows Bob/person")
    assert (await projector.arun_once(tenant)).projected == 4
    assert await agrees(projector, tenant)
    [row] = await run(
        neo4j,
        tenant,
        "MATCH (a:ShorttermEntity {external_id: $external_id, name: 'Ada'})-[r:SHORTTERM_RELATES]->(b:ShorttermEntity), "
        "(a)-[m:MENTIONED_IN]->(c:MemoryChunk)<-[:MENTIONED_IN]-(b) "
        "RETURN a.types AS types, r.types AS kinds, r.external_id = a.external_id AND m.external_id = c.external_id "
        "AND b.external_id = c.external_id AND a.external_id = b.external_id AS of_one_tenant, c.tier AS tier, "
        "r.id IN c.relationship_ids AS supported, c.content AS content",
    )
    expected = {"types": ["person", "writer"], "kinds": ["knows"], "of_one_tenant": True, "tier": "shortterm"}
    assert row == {**expected, "supported": True, "content": None}


async def test_merges_promotions_and_undo_reach_neo4j(
    memory: AgentMemory, projector: GraphProjector, neo4j: Neo4jDatabase, tenant: str
) -> None:
    project = await start(memory, tenant)
    await consolidate(memory, tenant, project, "Ada/person knows Bob/person")
    assert await agrees(projector, tenant)
    again = await consolidate(memory, tenant, project, "Ada/person knows Bob/person and others\nAda likes Tea")
    assert await agrees(projector, tenant)
    await memory.apromote(tenant, project, force=True)
    assert await agrees(projector, tenant)
    tiers = await run(neo4j, tenant, "MATCH (c:MemoryChunk {external_id: $external_id}) RETURN DISTINCT c.tier AS tier")
    assert tiers == [{"tier": "longterm"}]
    mentioned = (
        "MATCH (e:LongtermEntity {external_id: $external_id})-[:MENTIONED_IN]->(c) RETURN count(DISTINCT e) AS n"
    )
    assert await run(neo4j, tenant, mentioned) == [{"n": 3}]
    await memory.runs.aundo(tenant, again)
    assert await agrees(projector, tenant)


async def test_texts_that_a_run_writes_are_projected_with_the_support_that_they_inherit(
    memory: AgentMemory, projector: GraphProjector, neo4j: Neo4jDatabase, tenant: str
) -> None:
    project = await start(memory, tenant)
    await consolidate(memory, tenant, project, "deadline: May 1. Ada/person knows Bob/person.")
    assert await agrees(projector, tenant)
    await consolidate(memory, tenant, project, "deadline: June 1.")
    assert await agrees(projector, tenant)
    supported = (
        "MATCH (c:MemoryChunk {external_id: $external_id}) WHERE c.end_date IS NULL "
        "RETURN c.tier AS tier, COUNT { (c)<-[:MENTIONED_IN]-() } AS entities ORDER BY entities"
    )
    found = await run(neo4j, tenant, supported)
    assert found == [{"tier": "shortterm", "entities": 1}, {"tier": "shortterm", "entities": 2}]  # June; Ada and Bob
    await memory.apromote(tenant, project, force=True)
    assert await agrees(projector, tenant)
    again = await consolidate(memory, tenant, project, "deadline: June 1.\nCarol/person")
    await memory.apromote(tenant, project, force=True)
    assert await agrees(projector, tenant)
    await memory.runs.aundo(tenant, again)
    assert await agrees(projector, tenant)


async def test_a_chunk_whose_entities_were_promoted_before_it_changes_its_tier_too(
    memory: AgentMemory, projector: GraphProjector, tenant: str
) -> None:
    project = await start(memory, tenant)
    await consolidate(memory, tenant, project, "deadline: May 1. Ada/person knows Bob/person.")
    await memory.apromote(tenant, project, force=True)
    await consolidate(memory, tenant, project, "deadline: June 1.")  # its leftover mentions Ada, who does not change
    assert await agrees(projector, tenant)
    await memory.apromote(tenant, project, force=True)
    assert await agrees(projector, tenant)


async def test_forgetting_and_closing_reach_neo4j(
    memory: AgentMemory, projector: GraphProjector, neo4j: Neo4jDatabase, tenant: str
) -> None:
    first, second = await start(memory, tenant), await start(memory, tenant, "Second")
    await consolidate(memory, tenant, first, "Ada/person knows Bob/person")
    await consolidate(memory, tenant, second, "Ada/person knows Carol/person")
    for project in (first, second):
        await memory.apromote(tenant, project, force=True)
    assert await agrees(projector, tenant)
    await memory.adelete_active_memory(tenant, first, forget=True)
    assert await agrees(projector, tenant)
    names = await run(
        neo4j, tenant, "MATCH (e {external_id: $external_id}) WHERE e.name IS NOT NULL RETURN e.name AS name"
    )
    assert sorted(row["name"] for row in names) == ["Ada", "Ada", "Carol", "Carol"]
    await memory.adelete_active_memory(tenant, second)
    assert await agrees(projector, tenant)
    await memory.adelete_active_memory(tenant, second, forget=True)
    assert await agrees(projector, tenant)
    assert await things(projector, tenant) == 0


async def test_projecting_again_changes_nothing(
    memory: AgentMemory, projector: GraphProjector, neo4j: Neo4jDatabase, tenant: str, rows: Rows
) -> None:
    project = await start(memory, tenant)
    await consolidate(memory, tenant, project, "Ada/person knows Bob/person")
    await projector.arun_once(tenant)
    everything = "MATCH (n {external_id: $external_id}) OPTIONAL MATCH (n)-[r]->(m) RETURN n.id, n.name, n.revision, r.id, m.id ORDER BY n.id, n.name, m.id, r.id"
    before = await run(neo4j, tenant, everything)
    rows(
        "INSERT INTO agentmem.graph_outbox (external_id, kind, target_id, operation, revision) "
        "SELECT external_id, 'entity', id, 'delete', 7 FROM agentmem.entity UNION ALL "
        "SELECT external_id, 'chunk', id, 'upsert', 7 FROM agentmem.memory_chunk UNION ALL "
        "SELECT external_id, 'relationship', id, 'upsert', 7 FROM agentmem.relationship UNION ALL "
        "SELECT external_id, 'relationship', 99, 'upsert', 7 FROM agentmem.shortterm_memory"
    )
    assert (await projector.arun_once(tenant)).projected == 5
    assert await run(neo4j, tenant, everything) == before
    assert await projector.arun_once(tenant) == await projector.arun_once(tenant)


async def test_tenants_do_not_meet(
    memory: AgentMemory, projector: GraphProjector, neo4j: Neo4jDatabase, tenant: str
) -> None:
    other = f"{tenant} 2"
    for name in (tenant, other):
        await consolidate(memory, name, await start(memory, name), "Ada/person knows Bob/person")
    await projector.arun_once()
    for name in (tenant, other):
        assert await agrees(projector, name)
    met = await run(
        neo4j, tenant, "MATCH (a {external_id: $external_id})-[r]-(b) WHERE b.external_id <> $external_id RETURN a"
    )
    assert met == []
    project = (await memory.aget_active_memories(other))[0].id
    await memory.adelete_active_memory(other, project, forget=True)
    assert await agrees(projector, other)
    assert await things(projector, other) == 0
    assert await things(projector, tenant) == 4
