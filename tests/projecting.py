"""Compares the graph in Neo4j with the graph in PostgreSQL, and looks at both."""

from typing import Any

from langgraph_agentmem.projection import GraphProjector, Neo4jDatabase, VerifyReport


async def agrees(projector: GraphProjector, tenant: str) -> bool:
    """Project what waits, and compare."""
    report = await projector.arun_once(tenant)
    assert (report.dead, report.problems) == (0, {})
    assert (await projector.averify(tenant)).differences == []
    return await projector.averify(tenant) == VerifyReport(compared=await things(projector, tenant))


async def things(projector: GraphProjector, tenant: str) -> int:
    return sum(row["n"] for row in await run(projector.neo4j, tenant, COUNT))


async def run(neo4j: Neo4jDatabase, tenant: str, query: str, **params: Any) -> list[dict[str, Any]]:
    return await neo4j.write(tenant, lambda transaction: transaction.run(query, **params))


COUNT = """
MATCH (n {external_id: $external_id}) WHERE NOT n:AgentMemoryProjection RETURN count(n) AS n UNION ALL
MATCH ({external_id: $external_id})-[r:SHORTTERM_RELATES|LONGTERM_RELATES]->() RETURN count(r) AS n
"""
EMPTY = "MATCH (n {external_id: $external_id}) DETACH DELETE n"
