"""What an older system's graph in Neo4j holds is brought along, beside its tables, in both of its forms."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any, get_args

import pytest
from consistency import assert_consistent
from fakes import WordEmbedder
from legacy_graph import COUNTS, CREATED, MERGED, Older
from legacy_tables import Form

from langgraph_agentmem import AgentMemory
from langgraph_agentmem.errors import (
    AuthenticationError,
    ConfigurationError,
    EntityNotFoundError,
    ImportMismatchError,
    OutageError,
)
from langgraph_agentmem.projection import GraphProjector, Neo4jDatabase

Open = Callable[..., AgentMemory]
Rows = Callable[..., list[tuple[Any, ...]]]
FORMS = get_args(Form)
EVERYTHING = """
    SELECT 'entity', id, external_id, tier, name, types::text || description || confidence || importance || revision || metadata, first_seen, last_seen FROM agentmem.entity
    UNION ALL SELECT 'relationship', id, external_id, tier, source_id || ' ' || target_id, types::text || description || confidence || strength || revision || metadata, start_date, end_date FROM agentmem.relationship
    UNION ALL SELECT 'history', id, external_id, '', '', change::text, at, at FROM agentmem.state_history
    UNION ALL SELECT 'mention', id, external_id, '', '', chunk_id || ' ' || coalesce(entity_id, 0) || ' ' || coalesce(relationship_id, 0), NULL, NULL FROM agentmem.mention
    UNION ALL SELECT 'memory', id, external_id, '', title, '', created_at, NULL FROM agentmem.active_memory
    UNION ALL SELECT 'outbox', target_id, external_id, kind, '', revision || ' ' || changes, NULL, NULL FROM agentmem.graph_outbox
    ORDER BY 1, 2"""


@pytest.fixture
async def empty(neo4j: Neo4jDatabase, tenant: str) -> AsyncIterator[Older]:
    """An older graph that has nothing yet."""
    graph = Older(neo4j, tenant)
    yield graph
    await graph.clear()


@pytest.fixture
async def older(empty: Older, rows: Rows) -> Older:
    """An older system of the newer form, its tables in the memory's own database."""
    return await filled(empty, "newer", rows)


async def filled(graph: Older, form: Form, rows: Rows) -> Older:
    rows("SET TimeZone = 'UTC'")
    for statement in graph.tables(form):
        rows(statement)
    await graph.fill(form)
    return graph


def day(year: int, month: int, day: int) -> datetime:
    return datetime(year, month, day, tzinfo=UTC)


@pytest.mark.parametrize("form", FORMS)
async def test_all_of_it_comes_along_is_counted_and_is_found(
    form: Form, empty: Older, memory: AgentMemory, rows: Rows, dsn: str
) -> None:
    older = await filled(empty, form, rows)

    report = await memory.imports.alegacy(neo4j=older.neo4j)

    assert {name: report.tables[name].verified for name in COUNTS} == COUNTS
    assert (report.written, report.verified, report.refused, report.refusals) == (23, 23, 0, [])
    assert report.hash == report.source_hash
    assert_consistent(dsn)
    newer = form == "newer"
    bridge = await memory.aget_entity(older.seven, "bridge")
    assert (bridge.tier, bridge.types, bridge.description, bridge.importance) == (
        "longterm",
        ["Structure"],
        "Of steel.",
        0.9,
    )
    assert (bridge.confidence, bridge.first_seen, bridge.last_seen) == (
        0.8 if newer else 0.9,
        day(2023, 1, 1),
        day(2024, 1, 1),
    )
    [made_of] = bridge.relationships
    assert (made_of.source, made_of.target, made_of.types) == ("bridge", "steel", ["MADE_OF", "RUSTS_AS"])
    assert (made_of.description, made_of.strength, made_of.start_date) == ("Of it. Slowly.", 0.8, day(2023, 1, 1))
    grace = await memory.aget_entity(older.seven, "grace")
    [draws] = grace.relationships
    assert (grace.tier, grace.types, grace.description) == ("shortterm", ["Person"], "Draws bridges.")
    assert (draws.target, draws.types, draws.strength) == ("bridge", ["DRAWS"], 0.6)
    assert rows(
        "SELECT a.title FROM agentmem.entity e JOIN agentmem.shortterm_memory m ON m.id = e.shortterm_memory_id JOIN agentmem.active_memory a ON a.id = m.memory_id WHERE e.name = 'Grace'"
    ) == [("Project",)]


async def test_state_history_comes_along_in_order_with_the_memory_here_that_gave_it(
    older: Older, memory: AgentMemory, rows: Rows
) -> None:
    await memory.imports.alegacy(neo4j=older.neo4j)

    bridge = await memory.aget_entity(older.seven, "bridge")
    [(project,)] = rows(
        "SELECT m.id FROM agentmem.shortterm_memory m JOIN agentmem.active_memory a ON a.id = m.memory_id WHERE a.namespace = %s",
        [older.seven, "Project"],
    )
    without = {name: value for name, value in MERGED.items() if name != "shortterm_memory_id"}
    assert bridge.state_history == [
        CREATED | {"timestamp": "2024-03-04T09:00:00+00:00", "shortterm_memory_id": project},
        without,  # nobody knows that memory
    ]
    assert bridge.metadata["legacy_id"] == "LongtermEntity"
    assert "more" not in bridge.metadata


async def test_a_search_finds_what_an_entity_is_said_of_and_nothing_of_another_tenant(
    older: Older, memory: AgentMemory
) -> None:
    await memory.imports.alegacy(neo4j=older.neo4j)

    hits = await memory.asearch(older.seven, "Who is Grace?", limit=50)
    assert [hit.entities for hit in hits if hit.content == "The bridge is drawn by Grace."] == [["Grace", "bridge"]]
    around = await memory.graph.aneighborhood(older.eight, ["alan", "grace", "bridge", "steel"])
    assert [entity.name for entity in around.entities] == ["Alan", "tunnel"]
    for tenant, name in ((older.eight, "Grace"), (older.seven, "Alan")):
        with pytest.raises(EntityNotFoundError):
            await memory.aget_entity(tenant, name)


async def test_the_same_again_writes_nothing_and_what_is_new_there_comes(
    older: Older, memory: AgentMemory, rows: Rows, dsn: str
) -> None:
    await memory.imports.alegacy(neo4j=older.neo4j)
    before = rows(EVERYTHING)

    report = await memory.imports.alegacy(neo4j=older.neo4j)

    assert (report.written, report.known, report.verified) == (0, 23, 23)
    assert rows(EVERYTHING) == before
    await older.run(
        "MATCH (e:LongtermEntity {external_id: $seven, name: 'bridge'}) SET e.description = 'Of stone.', e.metadata = $history",
        history='{"state_history": [1, 2, {"action": "rebuilt"}]}',
    )
    await older.run("CREATE (:LongtermEntity {external_id: $seven, name: 'wood'})")
    await older.run("MATCH (:ShorttermEntity {external_id: $seven})-[r]->() SET r.end_date = datetime('2025-01-01')")
    report = await memory.imports.alegacy(neo4j=older.neo4j)
    assert (report.written, report.known, report.verified) == (3, 21, 24)
    bridge = await memory.aget_entity(older.seven, "bridge")
    assert (bridge.description, bridge.state_history[-1]) == ("Of stone.", {"action": "rebuilt"})
    assert len(bridge.state_history) == 3
    grace = await memory.aget_entity(older.seven, "Grace")
    assert grace.relationships[0].end_date == day(2025, 1, 1)
    assert_consistent(dsn)


async def test_what_was_changed_here_stays(older: Older, memory: AgentMemory, rows: Rows, dsn: str) -> None:
    await memory.imports.alegacy(neo4j=older.neo4j)
    first = (await memory.aget_active_memories(older.seven))[0]
    assert (await memory.apromote(older.seven, first.id, force=True)).status == "promoted"
    bridge = await memory.aget_entity(older.seven, "bridge")
    assert bridge.revision == 2  # the short-term one was merged into it
    await older.run("MATCH (e:LongtermEntity {external_id: $seven}) SET e.description = 'Gone.'")

    report = await memory.imports.alegacy(neo4j=older.neo4j)

    assert (report.written, report.kept) == (1, 1)
    assert [(await memory.aget_entity(older.seven, name)).description for name in ("bridge", "steel")] == [
        "Of steel.",
        "Gone.",
    ]
    assert_consistent(dsn)
    # what forgets a memory takes what it gave out of what was imported, too
    await memory.adelete_active_memory(older.seven, first.id, forget=True)
    with pytest.raises(EntityNotFoundError):
        await memory.aget_entity(older.seven, "Grace")
    left = rows("SELECT change - 'timestamp' FROM agentmem.state_history WHERE external_id = %s", older.seven)
    assert left == [({"source": "shortterm_promotion"},), ({"source": "forgetting", "action": "restored"},)]


async def test_what_cannot_stand_here_is_refused_and_named(older: Older, memory: AgentMemory) -> None:
    await older.run(
        "MATCH (b:ShorttermEntity {external_id: $seven, name: 'bridge'}), (t:ShorttermEntity {external_id: $eight, name: 'tunnel'}) "
        "CREATE (b)-[:SHORTTERM_RELATES {types: ['NEAR']}]->(t), (b)-[:SHORTTERM_RELATES]->(:Note {external_id: $seven}), "
        "(:LongtermEntity {external_id: $seven, name: 5}), (:LongtermEntity {external_id: $seven, name: 'odd', types: [7]}), "
        "(:LongtermEntity {external_id: $seven, name: $nul})-[:LONGTERM_RELATES]->(:LongtermEntity {external_id: $seven, name: 'wood'})",
        nul="a\0b",
    )

    report = await memory.imports.alegacy(neo4j=older.neo4j)

    assert report.refused == 6
    reasons = {remark.place: remark.reason for remark in report.refusals}
    assert reasons["longterm entity 5"] == "name must be a string, not int (5)"
    assert "a type must be a string" in reasons["longterm entity odd"]
    assert "NUL" in reasons["longterm entity a\0b"]
    assert "NUL" in reasons["longterm relationship a\0b → wood"]
    assert "of several tenants" in reasons["shortterm relationship bridge → tunnel"]
    assert "no ShorttermEntity" in reasons["shortterm relationship bridge → ?"]
    assert report.verified == 24


async def test_entities_without_a_memory_and_of_deleted_tenants(older: Older, memory: AgentMemory, rows: Rows) -> None:
    await older.run("CREATE (:ShorttermEntity {external_id: $seven, name: 'wood'})")
    await older.run("CREATE (:ShorttermEntity {external_id: $seven, shortterm_memory_id: 2, name: 'wood'})")
    for table in ("longterm_memory_chunk", "shortterm_memory_chunk", "shortterm_memory", "active_memory"):
        rows(f"DELETE FROM {table} WHERE external_id = %s", older.eight)

    report = await memory.imports.alegacy(neo4j=older.neo4j)

    # one without, and one whose memory is another tenant's: both are told apart here as they are there
    assert rows(
        "SELECT a.title FROM agentmem.entity e JOIN agentmem.shortterm_memory m ON m.id = e.shortterm_memory_id JOIN agentmem.active_memory a ON a.id = m.memory_id WHERE e.name = 'wood'"
    ) == [("imported",), ("imported",)]
    assert older.eight not in report.tenants
    assert report.skipped >= 3
    assert rows("SELECT count(*) FROM agentmem.entity WHERE external_id = %s", older.eight) == [(0,)]


async def test_two_at_once_write_each_once(older: Older, memory: AgentMemory, opened: Open, rows: Rows) -> None:
    both = await asyncio.gather(memory.imports.alegacy(neo4j=older.neo4j), opened().imports.alegacy(neo4j=older.neo4j))

    assert [report.verified for report in both] == [23, 23]
    assert rows("SELECT count(*) FROM agentmem.entity") == [(6,)]
    assert rows("SELECT count(*) FROM agentmem.relationship") == [(3,)]


async def test_what_a_copy_of_ours_holds_is_not_taken_for_an_older_graph(
    older: Older, opened: Open, rows: Rows
) -> None:
    memory = opened(graph=older.neo4j, index=WordEmbedder())
    await memory.imports.alegacy(neo4j=older.neo4j)
    assert rows("SELECT count(*) FROM agentmem.entity WHERE embedding IS NOT NULL") == [(4,)]
    await older.clear()
    async with GraphProjector(memory.resources.database, older.neo4j) as projector:
        assert (await projector.arun_once(older.seven)).problems == {}
        assert (await projector.averify(older.seven)).differences == []

    report = await memory.imports.alegacy(neo4j=older.neo4j)

    assert (report.written, report.known) == (0, 14)


async def test_what_differs_at_the_end_is_an_error(older: Older, memory: AgentMemory, rows: Rows) -> None:
    rows(
        "CREATE FUNCTION other() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.description = 'Other.'; RETURN NEW; END $$"
    )
    rows("CREATE TRIGGER other BEFORE INSERT ON agentmem.relationship FOR EACH ROW EXECUTE FUNCTION other()")

    with pytest.raises(ImportMismatchError) as raised:
        await memory.imports.alegacy(neo4j=older.neo4j)

    assert {difference.place for difference in raised.value.report.differences} == {
        "shortterm relationship Grace → bridge",
        "shortterm relationship Alan → tunnel",
        "longterm relationship bridge → steel",
    }
    assert raised.value.report.tables["ShorttermEntity"].verified == 4


async def test_a_neo4j_that_cannot_be_read_is_told_before_anything_is_written(
    older: Older, memory: AgentMemory, rows: Rows
) -> None:
    wrong = {
        AuthenticationError: Neo4jDatabase(older.neo4j.uri, password="wrong"),
        OutageError: Neo4jDatabase("bolt://127.0.0.1:1", password="wrong", connect_timeout=1),
        ConfigurationError: Neo4jDatabase("neo4j://localhost:7687?region", password="wrong"),
    }
    for error, neo4j in wrong.items():
        with pytest.raises(error):
            await memory.imports.alegacy(neo4j=neo4j)
        await neo4j.close()
    assert rows("SELECT count(*) FROM agentmem.active_memory") == [(0,)]


async def test_nothing_of_what_is_redacted_comes_along(older: Older, opened: Open, rows: Rows) -> None:
    memory = opened(redact=lambda text: text.replace("steel", "[metal]").replace("Grace draws", "[name] draws"))

    report = await memory.imports.alegacy(neo4j=older.neo4j)

    assert {remark.place for remark in report.refusals} == {
        "longterm entity [metal]",
        "longterm relationship bridge → [metal]",
    }
    found = await memory.aget_entity(older.seven, "bridge")
    assert found.description == "Of [metal]."
    assert rows("SELECT description FROM agentmem.relationship WHERE external_id = %s", older.seven) == [
        ("[name] draws it.",)
    ]
