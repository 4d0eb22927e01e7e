"""The graph in Neo4j is the graph in PostgreSQL, whatever happens to either."""

import asyncio
import logging
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import psycopg
import pytest
from fakes import ScriptedModel
from people import answer, consolidate, start
from psycopg.conninfo import make_conninfo

from langgraph_agentmem import AgentMemory
from langgraph_agentmem.errors import AuthenticationError, ConfigurationError, InvalidInputError, OutageError
from langgraph_agentmem.projection import (
    GraphProjector,
    Neo4jDatabase,
    VerifyReport,
    batches,
    draining,
    rebuilding,
    verifying,
)
from langgraph_agentmem.storage.driver.database import Database

Open = Callable[..., AgentMemory]
Rows = Callable[..., list[tuple[object, ...]]]


@pytest.fixture
def memory(opened: Open, neo4j: Neo4jDatabase) -> AgentMemory:
    return opened(model=ScriptedModel(answer=answer), graph=neo4j)


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


# Late, twice, at once


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
    memory: AgentMemory, projector: GraphProjector, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = await start(memory, tenant)
    await consolidate(memory, tenant, project, "Ada/person")
    await projector.arun_once(tenant)
    read, calls = verifying._theirs, 0

    async def reading(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 1:  # after PostgreSQL was read
            await consolidate(memory, tenant, project, "Ada/person,writer")
            await projector.arun_once(tenant)
        found = await read(*arguments)
        if calls == 2:  # in the confirmation
            await consolidate(memory, tenant, project, "Ada/person,writer,poet")
            await projector.arun_once(tenant)
        return found

    monkeypatch.setattr(verifying, "_theirs", reading)
    assert (await projector.averify(tenant)).differences == []
    assert calls > 2


# What Neo4j refuses


async def test_a_poison_row_is_set_aside_and_the_rest_goes_on(
    memory: AgentMemory, projector: GraphProjector, tenant: str, rows: Rows
) -> None:
    project = await start(memory, tenant)
    await consolidate(memory, tenant, project, "Ada/person knows Bob/person\nCarol/person knows Dan/person")
    rows("UPDATE agentmem.entity SET types = '{a,NULL}' WHERE name = 'Ada'")  # lists in Neo4j hold no nulls
    report = await projector.arun_once(tenant)
    assert (report.projected, report.dead) == (5, 3)
    [status] = await projector.astatus(tenant)
    assert (status.pending, status.dead, status.problem) == (0, 3, None)
    assert [letter.kind for letter in status.dead_letters] == ["entity", "chunk", "relationship"]
    assert "null" in status.dead_letters[0].error.lower()
    assert "entities" in status.dead_letters[2].error
    found = (await projector.averify(tenant)).differences
    assert {(d.kind, d.problem) for d in found} == {
        ("entity", "missing"), ("relationship", "missing"), ("chunk", "different"),
    }  # fmt: skip
    assert await projector.arun_once(tenant) == report.model_copy(update={"projected": 0, "dead": 0})


async def test_what_waited_for_a_mended_row_follows_it(
    memory: AgentMemory, projector: GraphProjector, tenant: str, rows: Rows
) -> None:
    project = await start(memory, tenant)
    await consolidate(memory, tenant, project, "Ada/person knows Bob/person")
    rows("UPDATE agentmem.entity SET types = '{NULL}' WHERE name = 'Ada'")
    assert (await projector.arun_once(tenant)).dead == 3
    rows("UPDATE agentmem.entity SET types = '{person}' WHERE name = 'Ada'")
    await consolidate(memory, tenant, project, "Ada/person sings")
    assert await agrees(projector, tenant)


async def test_what_was_set_aside_can_be_tried_again(
    memory: AgentMemory, projector: GraphProjector, tenant: str, rows: Rows
) -> None:
    project = await start(memory, tenant)
    await consolidate(memory, tenant, project, "Ada/person knows Bob/person")
    rows("UPDATE agentmem.entity SET types = '{NULL}' WHERE name = 'Ada'")
    assert (await projector.arun_once(tenant)).dead == 3
    rows("UPDATE agentmem.entity SET types = '{person}' WHERE name = 'Ada'")
    assert await projector.aretry_dead(tenant) == 3
    assert await agrees(projector, tenant)


async def test_a_poison_row_does_not_stop_a_rebuild(
    memory: AgentMemory, projector: GraphProjector, tenant: str, rows: Rows
) -> None:
    project = await start(memory, tenant)
    await consolidate(memory, tenant, project, "Ada/person knows Bob/person\nCarol/person knows Dan/person")
    assert await agrees(projector, tenant)
    rows("UPDATE agentmem.entity SET types = '{NULL}' WHERE name = 'Ada'")
    assert (await projector.arebuild(tenant)).dead == 1
    found = (await projector.averify(tenant)).differences
    assert [(d.name, d.problem, tuple(d.fields)) for d in found] == [("Ada", "different", ("types",))]
    rows("UPDATE agentmem.entity SET types = '{robot}' WHERE name = 'Ada'")
    assert await projector.aretry_dead(tenant) == 1
    assert await agrees(projector, tenant)


HOSTILE = [
    "'}) DETACH DELETE n //",
    "`) DETACH DELETE n //",
    "$external_id",
    "\\u0027}) MATCH (n) DETACH DELETE n //",
    "{external_id: 'other'}",
    "CALL dbms.shutdown()",
    "\u202e\u0000".replace("\u0000", "") + "\U0001f600",
]


async def test_hostile_names_types_and_metadata_are_data(
    opened: Open, neo4j: Neo4jDatabase, tenant: str, rows: Rows
) -> None:
    def found(name: str, data: dict[str, Any]) -> dict[str, Any]:
        ids = [chunk["id"] for chunk in data["chunks"]]
        return {
            "entities": [{"name": n, "types": [n, "x"], "description": n, "chunk_ids": ids} for n in HOSTILE],
            "relationships": [
                {"source": a, "target": b, "types": [a, "]->() DETACH DELETE r //"], "chunk_ids": ids}
                for a, b in pairwise(HOSTILE)
            ],
        }

    for name in (tenant, f"{tenant} '}}) DETACH DELETE n //`"):
        memory = opened(model=ScriptedModel(answer=found), graph=neo4j)
        project = await start(memory, name)
        await consolidate(memory, name, project, "something")
        rows(
            "UPDATE agentmem.entity SET metadata = jsonb_build_object('external_id', 'other', name, name) WHERE external_id = %s",
            name,
        )
        await memory.apromote(name, project, force=True)
        assert await agrees(memory.projector, name)
        found_around = await memory.graph.aneighborhood(name, HOSTILE, depth=2)
        assert {entity.name for entity in found_around.entities} == set(HOSTILE)
        types = {t for relationship in found_around.relationships for t in relationship.types}
        assert types == {*HOSTILE[:-1], "]->() DETACH DELETE r //"}
        assert await memory.graph.apaths(name, HOSTILE[0], HOSTILE[2])
        await memory.asearch(name, " ".join(HOSTILE))
    assert await agrees(memory.projector, tenant)


# What happens to Neo4j behind our back


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


async def test_what_only_neo4j_knows_goes_with_a_rebuild_of_that_tenant(
    projector: GraphProjector, neo4j: Neo4jDatabase, tenant: str
) -> None:
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


# Outages and refusals


async def test_the_lag_is_visible(memory: AgentMemory, projector: GraphProjector, tenant: str, rows: Rows) -> None:
    assert await projector.astatus(tenant) == []
    project = await start(memory, tenant)
    await consolidate(memory, tenant, project, "Ada/person")
    [status] = await projector.astatus(tenant)
    [[first]] = rows("SELECT min(at) FROM agentmem.graph_outbox")
    assert (status.pending, status.oldest, status.projected_at) == (2, first, None)
    await consolidate(memory, tenant, project, "Ada/person again")
    assert (await projector.astatus(tenant))[0].oldest == first
    await projector.arun_once(tenant)
    [status] = await projector.astatus(tenant)
    assert (status.pending, status.oldest, status.dead) == (0, None, 0)
    assert status.projected_at > first


async def test_without_neo4j_nothing_fails_and_the_outbox_drains_later(
    opened: Open, neo4j: Neo4jDatabase, tenant: str, caplog: pytest.LogCaptureFixture
) -> None:
    down = Neo4jDatabase("bolt://127.0.0.1:1", password="whatever", connect_timeout=1)
    memory = opened(model=ScriptedModel(answer=answer), graph=down, settings={"avg_section_update_count": 1})
    project = await start(memory, tenant)
    await memory.aupdate_active_memory_section(tenant, project, "facts", "Ada/person knows Bob/person")
    with caplog.at_level(logging.WARNING):
        assert [report.status for report in await memory.queue.arun_due(tenant)] == ["applied"]
        await memory.aupdate_active_memory_section(tenant, project, "facts", "Ada/person likes Tea/drink")
        assert [report.status for report in await memory.queue.aflush(tenant)] == ["applied"]
    assert (
        caplog.text.count(
            "not projected into Neo4j for now: OutageError: Neo4j at bolt://127.0.0.1:1 cannot be reached"
        )
        == 2
    )
    await memory.apromote(tenant, project, force=True)
    [status] = await memory.projector.astatus(tenant)
    assert status.pending > 4
    assert "cannot be reached" in (status.problem or "")
    with pytest.raises(OutageError, match="cannot be reached"):
        await memory.projector.arun_once(tenant)
    for reading in (memory.asearch(tenant, "Ada"), memory.graph.aneighborhood(tenant, ["Ada"])):
        with pytest.raises(OutageError):
            await reading
    later = GraphProjector(memory.resources.database, neo4j)
    assert await agrees(later, tenant)


async def test_run_due_projects_what_waits(memory: AgentMemory, projector: GraphProjector, tenant: str) -> None:
    project = await start(memory, tenant)
    await consolidate(memory, tenant, project, "Ada/person knows Bob/person")
    assert await memory.queue.arun_due(tenant) == []
    assert (await projector.astatus(tenant))[0].pending == 0
    assert await agrees(projector, tenant)


async def test_a_wrong_password_user_or_database_is_said_clearly(
    neo4j_settings: dict[str, Any], memory: AgentMemory, tenant: str
) -> None:
    await consolidate(memory, tenant, await start(memory, tenant), "Ada/person")
    uri, right = neo4j_settings["neo4j_uri"], neo4j_settings["neo4j_password"]
    wrong = Neo4jDatabase(uri, username="nobody", password="not the password")
    with pytest.raises(AuthenticationError, match="NEO4J_USERNAME and NEO4J_PASSWORD") as refused:
        await GraphProjector(memory.resources.database, wrong).arun_once(tenant)
    assert "not the password" not in str(refused.value)
    elsewhere = Neo4jDatabase(uri, password=right, database="elsewhere")
    with pytest.raises(AuthenticationError, match="no database 'elsewhere'"):
        await GraphProjector(memory.resources.database, elsewhere).arun_once(tenant)
    assert (await memory.projector.astatus(tenant))[0].pending == 2
    for database in (wrong, elsewhere):
        await database.close()


async def test_a_following_projector_outlives_an_outage_of_postgresql(
    memory: AgentMemory, projector: GraphProjector, tenant: str, rows: Rows, dsn: str
) -> None:
    database = Database(make_conninfo(dsn, application_name="follower"))
    following = asyncio.create_task(GraphProjector(database, projector.neo4j).arun(tenant, poll_seconds=0.05))
    project = await start(memory, tenant)
    for text in ("Ada/person knows Bob/person", "Ada/person likes Tea/drink", "Ada/person sings"):
        await consolidate(memory, tenant, project, text)
        while rows("SELECT 1 FROM agentmem.graph_outbox"):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        assert rows("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'follower'")
    following.cancel()
    with pytest.raises(asyncio.CancelledError):
        await following
    await database.close()
    assert await agrees(projector, tenant)


async def test_a_following_projector_says_once_what_stands_in_the_way(
    memory: AgentMemory, projector: GraphProjector, tenant: str, rows: Rows, caplog: pytest.LogCaptureFixture
) -> None:
    project = await start(memory, tenant)
    await consolidate(memory, tenant, project, "Ada/person")
    assert await agrees(projector, tenant)
    await run(projector.neo4j, tenant, EMPTY)
    await consolidate(memory, tenant, project, "Bob/person")
    with caplog.at_level(logging.WARNING):
        following = asyncio.create_task(projector.arun(tenant, poll_seconds=0.02))
        drawn = "SELECT drawn FROM agentmem.graph_projection"
        [[before]] = rows(drawn)
        while rows(drawn)[0][0] < before + 3:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        following.cancel()
        with pytest.raises(asyncio.CancelledError):
            await following
    assert caplog.text.count("emptied") == 1


async def test_arguments_are_checked(memory: AgentMemory, projector: GraphProjector) -> None:
    with pytest.raises(ConfigurationError, match="graph must be"):
        AgentMemory.open(graph="mysql")
    with pytest.raises(InvalidInputError, match="external_id"):
        await projector.arun_once("")
    with pytest.raises(InvalidInputError, match="batch_size"):
        GraphProjector(projector.database, projector.neo4j, batch_size=0)


def test_sync_methods_do_the_same(
    dsn: str, neo4j_settings: dict[str, Any], tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in neo4j_settings.items():
        monkeypatch.setenv(name.upper(), value)
    monkeypatch.setenv("AGENTMEM_GRAPH", "neo4j")
    with AgentMemory.open(dsn, model=ScriptedModel(answer=answer)) as memory, GraphProjector.open(dsn) as projector:
        project = memory.create_active_memory(tenant, "Project", {"sections": ["facts"]}).id
        memory.update_active_memory_section(tenant, project, "facts", "Ada/person knows Bob/person")
        memory.consolidate(tenant, project)
        assert projector.status(tenant)[0].pending == 4
        assert projector.run_once(tenant).projected == 4
        assert projector.rebuild(tenant).projected == 4
        assert projector.verify(tenant).compared == 4
        assert projector.retry_dead(tenant) == 0
        assert [e.name for e in memory.graph.neighborhood(tenant, ["Ada"]).entities] == ["Ada", "Bob"]
