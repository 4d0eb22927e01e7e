"""What Neo4j refuses is set aside, and what it misses is projected after an outage."""

import asyncio
import logging
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from fakes import ScriptedModel
from neo4j.exceptions import TransientError
from people import answer, consolidate, start
from projecting import EMPTY, agrees, run
from psycopg.conninfo import make_conninfo
from waiting import until, until_rows

from langgraph_agentmem import AgentMemory
from langgraph_agentmem.errors import AuthenticationError, ConfigurationError, InvalidInputError, OutageError
from langgraph_agentmem.projection import GraphProjector, Neo4jDatabase
from langgraph_agentmem.projection.neo4j_database import Neo4jTransaction
from langgraph_agentmem.storage.driver.database import Database

Open = Callable[..., AgentMemory]
Rows = Callable[..., list[tuple[object, ...]]]


@pytest.fixture
def memory(opened: Open, neo4j: Neo4jDatabase) -> AgentMemory:
    return opened(model=ScriptedModel(answer=answer), graph=neo4j)


# What Neo4j refuses


async def test_what_fails_for_a_reason_that_passes_is_tried_again(neo4j: Neo4jDatabase, tenant: str) -> None:
    tried: list[int] = []

    def lucky_at_last(transaction: Neo4jTransaction) -> object:
        tried.append(len(tried))
        if len(tried) < 3:
            raise TransientError("a deadlock")
        return transaction.run("RETURN $external_id AS tenant")

    assert await neo4j.write(tenant, lucky_at_last) == [{"tenant": tenant}]
    assert tried == [0, 1, 2]


async def test_nobody_gives_a_statement_another_tenant(neo4j: Neo4jDatabase, tenant: str) -> None:
    with pytest.raises(InvalidInputError, match="external_id is the tenant's parameter"):
        await neo4j.write(tenant, lambda transaction: transaction.run("RETURN $external_id", external_id="bob"))


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
    "`) DETACH DELETE everything //",
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
        await until_rows(rows, "SELECT 1 FROM agentmem.graph_outbox", [])
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
        await until(lambda: rows(drawn)[0][0] >= before + 3)
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
