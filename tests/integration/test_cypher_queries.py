"""Queries of a caller's own read one tenant's graph, and nothing else."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC

import pytest
from fakes import ScriptedModel
from people import answer, consolidate, start

from langgraph_agentmem import AgentMemory
from langgraph_agentmem.errors import InvalidInputError, StorageError
from langgraph_agentmem.projection import Neo4jDatabase, Neo4jGraph

Open = Callable[..., AgentMemory]


@pytest.fixture
async def graph(opened: Open, neo4j: Neo4jDatabase, tenant: str) -> Neo4jGraph:
    """Two tenants' graphs; the second one holds a secret."""
    memory = opened(model=ScriptedModel(answer=answer), graph=neo4j)
    for name, text in (
        (tenant, "Ada/person knows Bob/person\nBob likes Tea/drink"),
        (f"{tenant} 2", "Secret/x hates Ada/y"),
    ):
        project = await start(memory, name)
        await consolidate(memory, name, project, text)
        await memory.apromote(name, project, force=True)
        assert (await memory.projector.arun_once(name)).dead == 0
    assert isinstance(memory.graph, Neo4jGraph)
    return memory.graph


BOUND = [
    ("MATCH (e:LongtermEntity {external_id: $external_id}) RETURN e.name AS name ORDER BY name",
     [{"name": "Ada"}, {"name": "Bob"}, {"name": "Tea"}]),
    ("MATCH (e:LongtermEntity) WHERE e.external_id = $external_id AND e.name = $name RETURN e.types AS types",
     [{"types": ["person"]}]),
    ("MATCH (a:LongtermEntity {external_id: $external_id, name: $name})-[r:LONGTERM_RELATES*1..3]-(b) "
     "RETURN b.name AS name, size(r) AS hops ORDER BY name", [{"name": "Bob", "hops": 1}, {"name": "Tea", "hops": 2}]),
    ("MATCH (a:LongtermEntity {external_id: $external_id})-[r:LONGTERM_RELATES]->(b) "
     "RETURN r.types[0] AS kind, count(*) AS times ORDER BY kind", [{"kind": "knows", "times": 1}, {"kind": "likes", "times": 1}]),
    ("MATCH ()-[r:LONGTERM_RELATES {external_id: $external_id}]->() RETURN count(r) AS n", [{"n": 2}]),
    ("MATCH (e:ShorttermEntity|LongtermEntity {external_id: $external_id}) RETURN count(e) AS n", [{"n": 6}]),
    ("MATCH (e {external_id: $external_id}) WHERE e.name_key = 'ada' RETURN count(e) AS n", [{"n": 2}]),
    ("MATCH (c:MemoryChunk {external_id: $external_id})<-[:MENTIONED_IN]-(e:LongtermEntity) "
     "RETURN c.tier AS tier, collect(DISTINCT e.name) AS names", None),
    ("MATCH (a:LongtermEntity {external_id: $external_id, name: 'Ada'}), (b:LongtermEntity {external_id: $external_id, name: 'Tea'}) "
     "MATCH p = shortestPath((a)-[:LONGTERM_RELATES*..5]-(b)) RETURN length(p) AS length", [{"length": 2}]),
    ("MATCH (a:LongtermEntity {external_id: $external_id}) OPTIONAL MATCH (a)-[:LONGTERM_RELATES]->(b) "
     "WITH a, count(b) AS links WHERE links > 0 RETURN collect(a.name) AS names", None),
    ("MATCH (a:LongtermEntity {external_id: $external_id}) WHERE (a)-[:LONGTERM_RELATES]->() RETURN count(a) AS n", [{"n": 2}]),
    ("MATCH (a:LongtermEntity {external_id: $external_id}) CALL (a) { MATCH (a)--(b:LongtermEntity) RETURN count(b) AS links } "
     "RETURN sum(links) AS n", [{"n": 4}]),
    ("UNWIND $names AS name MATCH (e:LongtermEntity {external_id: $external_id, name: name}) RETURN e.name AS name",
     [{"name": "Bob"}]),
    ("RETURN 1 AS one", [{"one": 1}]),
]  # fmt: skip


async def test_a_query_bound_to_the_tenant_runs(graph: Neo4jGraph, tenant: str) -> None:
    found = {
        query: await graph.acypher(tenant, query, {"name": "Ada", "names": ["Bob", "Secret"]}) for query, _ in BOUND
    }
    assert {query for query, rows in found.items() if "Secret" in str(rows)} == set()
    assert {query for query, expected in BOUND if expected is None and not found[query]} == set()
    assert {query: found[query] for query, expected in BOUND if expected is not None} == {
        query: expected for query, expected in BOUND if expected is not None
    }


async def test_nodes_edges_paths_and_times_come_as_plain_values(graph: Neo4jGraph, tenant: str) -> None:
    query = (
        "MATCH p = (a:LongtermEntity {external_id: $external_id, name: 'Ada'})-[r:LONGTERM_RELATES]->(b) "
        "RETURN a, r, p, {b: b.name, list: [b]} AS map, a.first_seen AS seen"
    )
    [row] = await graph.acypher(tenant, query)
    assert row["a"]["name"] == "Ada"
    assert row["r"]["types"] == ["knows"]
    assert [part.get("name", part["types"][0]) for part in row["p"]] == ["Ada", "knows", "Bob"]
    assert row["map"]["b"] == row["map"]["list"][0]["name"] == "Bob"
    assert row["seen"].utcoffset() == UTC.utcoffset(None)


REACHING_FOR_OTHERS = [
    "MATCH (e) RETURN e",
    "MATCH (e:LongtermEntity) RETURN e, $external_id",
    "MATCH (e:LongtermEntity) RETURN count(e), $external_id",
    "MATCH (e:LongtermEntity) WHERE e.external_id = $external_id OR true RETURN e",
    "MATCH (e:LongtermEntity) WHERE e.external_id = $external_id OR e.name = 'Secret' AND e.id > 0 RETURN e",
    "MATCH (e:LongtermEntity) WHERE e.id < 0 OR (e.id > 0 AND e.external_id = $external_id AND e.id > 1) OR true RETURN e",
    "MATCH (e:LongtermEntity) WHERE CASE WHEN e.id > 0 AND e.external_id = $external_id AND e.id > 1 THEN true ELSE true END RETURN e",
    "MATCH (e:LongtermEntity) WHERE e.external_id IN [$external_id, $other] RETURN e",
    "MATCH (e:LongtermEntity) WHERE e.external_id >= $external_id RETURN e",
    "MATCH (e:LongtermEntity) WHERE NOT e.external_id = $external_id RETURN e",
    "MATCH (e:LongtermEntity) WHERE e.external_id <> $external_id RETURN e",
    "MATCH (e:LongtermEntity {external_id: $other}) RETURN e, $external_id",
    "MATCH (e:LongtermEntity {external_id: $external_id + ' 2'}) RETURN e",
    "WITH $other AS external_id MATCH (e:LongtermEntity {external_id: external_id}) RETURN e",
    "MATCH (e:LongtermEntity {external_id: $external_id}), (f:LongtermEntity) RETURN f",
    "MATCH (e:LongtermEntity {external_id: $external_id}) MATCH (f:LongtermEntity {name_key: e.name_key})--(g) RETURN g",
    "MATCH (e:LongtermEntity {external_id: $external_id}) CALL () { MATCH (n:LongtermEntity) RETURN count(n) AS c } RETURN c",
    "MATCH (e:LongtermEntity {external_id: $external_id}) RETURN [x IN [1] | COUNT { MATCH (n:LongtermEntity) RETURN n }]",
    "RETURN COUNT { MATCH (n:LongtermEntity {external_id: 'b'}) } AS n, $external_id",
    "MATCH (e:LongtermEntity {external_id: $external_id}) RETURN [(n:LongtermEntity)--(m) | m.name]",
    "RETURN CASE WHEN true THEN [(n:LongtermEntity)--(m) | m.name] END AS names, $external_id",
    "MATCH (e:LongtermEntity {external_id: $external_id}) RETURN e UNION MATCH (e:LongtermEntity) RETURN e",
    "MATCH ()-[r:LONGTERM_RELATES]->(n) RETURN n, $external_id",
    "MATCH (n) WHERE elementId(n) = $other RETURN n, $external_id",
    "MATCH (`e:LongtermEntity(external_id) WHERE external_id = $external_id`:LongtermEntity {external_id: $other}) RETURN 1",
    "MATCH (\\u0060x\\u0060:LongtermEntity {external_id: $other}) RETURN 1",
    "MATCH (p:AgentMemoryProjection) RETURN p",
    "SHOW TRANSACTIONS",
    "SHOW USERS",
    "CALL db.labels() YIELD label RETURN label, $external_id",
    "CALL dbms.listConfig() YIELD name RETURN name",
    "LOAD CSV FROM 'file:/etc/passwd' AS line RETURN line",
    "USE system SHOW USERS",
    "EXPLAIN MATCH (e:LongtermEntity {external_id: $external_id}) RETURN e",
    "PROFILE MATCH (e:LongtermEntity {external_id: $external_id}) RETURN e",
    "RETURN apoc.cypher.runFirstColumnMany('MATCH (n) RETURN n', {})",
    "RETURN apoc . cypher . run ('MATCH (n) RETURN n', {})",
    "MATCH (e:LongtermEntity {external_id: $external_id}) /* } */ RETURN e",
]  # fmt: skip


async def test_queries_that_could_see_another_tenant_are_refused(graph: Neo4jGraph, tenant: str) -> None:
    let_through = {}
    for query in REACHING_FOR_OTHERS:
        with suppress(InvalidInputError):
            let_through[query] = await graph.acypher(tenant, query, {"other": f"{tenant} 2"})
    assert let_through == {}


async def test_a_query_that_writes_is_refused(graph: Neo4jGraph, tenant: str) -> None:
    for query in (
        "CREATE (n:LongtermEntity {external_id: $external_id, id: 1})",
        "MATCH (e:LongtermEntity {external_id: $external_id}) DETACH DELETE e",
        "MATCH (e:LongtermEntity {external_id: $external_id}) SET e.name = 'x' RETURN e",
        "MERGE (e:LongtermEntity {external_id: $external_id, id: 1}) RETURN e",
        "CREATE INDEX x FOR (n:X) ON (n.x)",
        "DROP CONSTRAINT agentmem_chunk_id",
    ):
        with pytest.raises((InvalidInputError, StorageError)):
            await graph.acypher(tenant, query)
    assert len(await graph.acypher(tenant, "MATCH (e:LongtermEntity {external_id: $external_id}) RETURN e.name")) == 3


async def test_the_server_itself_refuses_to_write_where_one_only_reads(neo4j: Neo4jDatabase, tenant: str) -> None:
    with pytest.raises(StorageError, match=r"(?i)read"):
        await neo4j.read(tenant, lambda t: t.run("CREATE (n:Nothing {external_id: $external_id})"))


async def test_the_tenant_is_no_parameter_of_the_callers(graph: Neo4jGraph, tenant: str) -> None:
    with pytest.raises(InvalidInputError, match="external_id"):
        await graph.acypher(tenant, "RETURN $external_id", {"external_id": "other"})
    assert await graph.acypher(tenant, "RETURN $external_id AS id", {}) == [{"id": tenant}]


async def test_too_many_rows_are_an_error(graph: Neo4jGraph, tenant: str) -> None:
    query = "UNWIND range(1, 3) AS i RETURN i"
    assert len(await graph.acypher(tenant, query, limit=3)) == 3
    with pytest.raises(InvalidInputError, match="more than 2 rows"):
        await graph.acypher(tenant, query, limit=2)


async def test_a_malformed_query_says_what_the_server_says(graph: Neo4jGraph, tenant: str) -> None:
    with pytest.raises(StorageError, match="SyntaxError"):
        await graph.acypher(tenant, "MATCH (e RETURN e")


async def test_a_value_that_neo4j_cannot_take_is_an_error_of_our_own(graph: Neo4jGraph, tenant: str) -> None:
    for value in (object(), 2**64):
        with pytest.raises((StorageError, InvalidInputError)):
            await graph.acypher(tenant, "RETURN $value AS value", {"value": value})


async def test_a_sync_call_does_the_same(graph: Neo4jGraph, tenant: str) -> None:
    assert await asyncio.to_thread(graph.cypher, tenant, "RETURN 1 AS one") == [{"one": 1}]
