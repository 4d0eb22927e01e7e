"""The graph in Neo4j is the graph in PostgreSQL, whatever happens to either."""

from collections.abc import Callable
from typing import Any

import pytest
from fakes import ScriptedModel
from people import answer, consolidate, start

from langgraph_agentmem import AgentMemory
from langgraph_agentmem.projection import GraphProjector, Neo4jDatabase

Open = Callable[..., AgentMemory]
Rows = Callable[..., list[tuple[object, ...]]]


@pytest.fixture
def memory(opened: Open, neo4j: Neo4jDatabase) -> AgentMemory:
    return opened(model=ScriptedModel(answer=answer), graph=neo4j)


@pytest.fixture
def projector(memory: AgentMemory) -> GraphProjector:
    return memory.projector


async def agrees(projector: GraphProjector, tenant: str) -> bool:
    report = await projector.averify(tenant)
    assert report.differences == []
    return report.pending == 0


async def nodes(neo4j: Neo4jDatabase, tenant: str, query: str) -> list[dict[str, Any]]:
    return await neo4j.read(tenant, lambda transaction: transaction.run(query))


async def test_a_consolidation_is_projected_with_types_support_and_tenant(
    memory: AgentMemory, projector: GraphProjector, neo4j: Neo4jDatabase, tenant: str
) -> None:
    project = await start(memory, tenant)
    await consolidate(memory, tenant, project, "Ada/person,writer knows Bob/person")
    assert (await projector.arun_once(tenant)).projected == 4
    assert await agrees(projector, tenant)
    [row] = await nodes(
        neo4j,
        tenant,
        "MATCH (a:ShorttermEntity {external_id: $external_id, name: 'Ada'})-[r:SHORTTERM_RELATES]->(b:ShorttermEntity), "
        "(a)-[m:MENTIONED_IN]->(c:MemoryChunk)<-[:MENTIONED_IN]-(b) "
        "RETURN a.types AS types, r.types AS kinds, r.external_id = a.external_id AND m.external_id = c.external_id "
        "AND b.external_id = c.external_id AND a.external_id = b.external_id AS of_one_tenant, c.tier AS tier",
    )
    assert row == {"types": ["person", "writer"], "kinds": ["knows"], "of_one_tenant": True, "tier": "shortterm"}
