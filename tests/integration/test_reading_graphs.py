"""One contract for reading the graph, kept by PostgreSQL and by Neo4j."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from fakes import ScriptedModel
from people import answer, consolidate, start

from langgraph_agentmem import AgentMemory
from langgraph_agentmem.errors import InvalidInputError, SyncCallError
from langgraph_agentmem.projection import Graph, GraphPath, Neighborhood, Neo4jDatabase, Neo4jGraph, PostgresGraph

Open = Callable[..., AgentMemory]
Rows = Callable[..., list[tuple[object, ...]]]

WORLD = """
Ada/person knows Bob/person
Bob knows Carol/person
Carol knows Dan/person
Ada likes Carol
Dan knows Eve/person
Eve knows Ada
Zoe/person knows Yan/person
"""


@pytest.fixture(params=["postgres", pytest.param("neo4j", marks=pytest.mark.neo4j)])
def backend(request: pytest.FixtureRequest) -> str:
    return request.param


class World:
    """A memory with a graph in it, read through one of the implementations."""

    def __init__(self, memory: AgentMemory, tenant: str, graph: Graph) -> None:
        self.memory = memory
        self.tenant = tenant
        self.graph = graph

    async def settle(self) -> None:
        if isinstance(self.graph, Neo4jGraph):
            assert (await self.memory.projector.arun_once(self.tenant)).dead == 0

    async def around(self, *names: str, depth: int = 1, **options: Any) -> tuple[dict[str, int], list[str]]:
        found = await self.graph.aneighborhood(self.tenant, list(names), depth, **options)
        return shown(found)

    async def ways(self, a: str, b: str, depth: int = 5, **options: Any) -> list[str]:
        return [way(path) for path in await self.graph.apaths(self.tenant, a, b, depth, **options)]


def shown(found: Neighborhood) -> tuple[dict[str, int], list[str]]:
    names = {entity.id: entity.name for entity in found.entities}
    links = [f"{names[r.source_id]} {','.join(r.types)} {names[r.target_id]}" for r in found.relationships]
    return {entity.name: entity.distance for entity in found.entities}, sorted(links)


def way(path: GraphPath) -> str:
    names = [path.entities[0].name]
    for number, relationship in enumerate(path.relationships):
        here, there = path.entities[number], path.entities[number + 1]
        assert {relationship.source_id, relationship.target_id} == {here.id, there.id}
        names += [f"-{','.join(relationship.types)}-", there.name]
    return " ".join(names)


@pytest.fixture
async def world(opened: Open, request: pytest.FixtureRequest, backend: str, tenant: str) -> World:
    if backend == "neo4j":
        neo4j = Neo4jDatabase(**_arguments(request.getfixturevalue("neo4j_settings")))
        memory = opened(model=ScriptedModel(answer=answer), graph=neo4j)
    else:
        memory = opened(model=ScriptedModel(answer=answer))
    project = await start(memory, tenant)
    await consolidate(memory, tenant, project, WORLD)
    world = World(memory, tenant, memory.graph)
    await world.settle()
    return world


def _arguments(settings: dict[str, Any]) -> dict[str, Any]:
    return {name.removeprefix("neo4j_"): value for name, value in settings.items()}


async def test_the_graph_is_the_one_that_was_chosen(world: World, backend: str) -> None:
    assert type(world.graph) is {"postgres": PostgresGraph, "neo4j": Neo4jGraph}[backend]


async def test_a_neighborhood_grows_with_its_depth_along_both_directions(world: World) -> None:
    assert await world.around("Bob") == ({"Bob": 0, "Ada": 1, "Carol": 1}, ["Ada knows Bob", "Bob knows Carol"])
    entities, links = await world.around("Bob", depth=2)
    assert entities == {"Bob": 0, "Ada": 1, "Carol": 1, "Dan": 2, "Eve": 2}
    assert links == ["Ada knows Bob", "Ada likes Carol", "Bob knows Carol", "Carol knows Dan", "Eve knows Ada"]
    assert (await world.around("Bob", depth=3))[1] == sorted([*links, "Dan knows Eve"])


async def test_names_are_matched_whatever_their_case_and_unknown_ones_are_left_out(world: World) -> None:
    entities, links = await world.around("BOB", "zoe", "Nobody")
    assert entities == {"Bob": 0, "Zoe": 0, "Ada": 1, "Carol": 1, "Yan": 1}
    assert links == ["Ada knows Bob", "Bob knows Carol", "Zoe knows Yan"]
    assert await world.around("Nobody") == ({}, [])
    assert await world.around() == ({}, [])


async def test_a_limit_keeps_the_nearest_and_what_connects_them(world: World) -> None:
    assert await world.around("Bob", depth=3, limit=2) == ({"Bob": 0, "Ada": 1}, ["Ada knows Bob"])
    assert await world.around("Bob", depth=3, limit=1) == ({"Bob": 0}, [])
    entities, _ = await world.around("Bob", depth=3, limit=4)
    assert list(entities.items())[:3] == [("Bob", 0), ("Ada", 1), ("Carol", 1)]
    assert len(entities) == 4


async def test_values_are_complete(world: World) -> None:
    found = await world.graph.aneighborhood(world.tenant, ["Zoe"])
    zoe = await world.memory.aget_entity(world.tenant, "Zoe")
    expected = zoe.model_dump(
        include={"id", "tier", "shortterm_memory_id", "name", "types", "description", "confidence", "importance"}
    )
    assert found.entities[0].model_dump(exclude={"distance"}) == expected
    [relationship] = zoe.relationships
    assert found.relationships[0].model_dump() == relationship.model_dump(
        include=set(type(found.relationships[0]).model_fields)
    )


async def test_the_shortest_paths_are_found_in_a_stable_order(world: World) -> None:
    assert await world.ways("Ada", "Bob") == ["Ada -knows- Bob"]
    assert await world.ways("ada", "DAN") == ["Ada -likes- Carol -knows- Dan", "Ada -knows- Eve -knows- Dan"]
    assert await world.ways("ada", "dan", limit=1) == ["Ada -likes- Carol -knows- Dan"]
    assert await world.ways("Ada", "Dan", depth=1) == []
    assert await world.ways("Ada", "Zoe") == []
    assert await world.ways("Ada", "Nobody") == []
    assert await world.ways("Ada", "Ada") == []


async def test_parallel_relationships_are_ways_of_their_own(world: World) -> None:
    second = await start(world.memory, world.tenant, "Second")
    await consolidate(world.memory, world.tenant, second, "Kim/x knows Lee/y\nKim likes Lee")
    await world.settle()
    assert sorted(await world.ways("Kim", "Lee")) == ["Kim -knows- Lee", "Kim -likes- Lee"]


async def test_tiers_are_graphs_of_their_own(world: World) -> None:
    [memory] = await world.memory.aget_active_memories(world.tenant)
    await world.memory.apromote(world.tenant, memory.id, force=True)
    await world.settle()
    found = await world.graph.aneighborhood(world.tenant, ["Zoe"])
    assert [(e.name, e.tier, e.distance) for e in found.entities] == [
        ("Zoe", "shortterm", 0), ("Zoe", "longterm", 0), ("Yan", "shortterm", 1), ("Yan", "longterm", 1),
    ]  # fmt: skip
    assert [r.tier for r in found.relationships] == ["shortterm", "longterm"]
    for tier in ("shortterm", "longterm"):
        found = await world.graph.aneighborhood(world.tenant, ["Zoe"], tier=tier)
        assert {e.tier for e in found.entities} == {r.tier for r in found.relationships} == {tier}
        assert len(found.entities) == 2
        [path] = await world.graph.apaths(world.tenant, "Zoe", "Yan", tier=tier)
        assert {e.tier for e in path.entities} == {tier}
    assert len(await world.graph.apaths(world.tenant, "Zoe", "Yan")) == 2


async def test_the_graph_of_an_earlier_time_can_be_read(world: World, rows: Rows) -> None:
    [[before]] = rows("SELECT clock_timestamp()")
    rows(
        "UPDATE agentmem.relationship SET end_date = clock_timestamp(), revision = revision + 1 WHERE 'likes' = ANY (types)"
    )
    rows(
        "INSERT INTO agentmem.graph_outbox (external_id, kind, target_id, operation, revision) "
        "SELECT external_id, 'relationship', id, 'upsert', revision FROM agentmem.relationship WHERE 'likes' = ANY (types) "
        "ON CONFLICT DO NOTHING"
    )
    second = await start(world.memory, world.tenant, "Second")
    await consolidate(world.memory, world.tenant, second, "Ada/person knows Max/person")
    await world.settle()
    assert (await world.around("Ada"))[0].keys() == {"Ada", "Bob", "Eve", "Max"}
    assert (await world.around("Ada", as_of=before))[0].keys() == {"Ada", "Bob", "Carol", "Eve"}
    assert await world.ways("Ada", "Carol", as_of=before) == ["Ada -likes- Carol"]
    assert await world.ways("Ada", "Carol") == ["Ada -knows- Bob -knows- Carol"]
    elsewhere = before.astimezone(timezone(timedelta(hours=5)))
    assert await world.around("Ada", as_of=elsewhere) == await world.around("Ada", as_of=before)
    assert await world.around("Ada", as_of=before - timedelta(days=1)) == ({}, [])
    assert await world.ways("Ada", "Carol", as_of=before - timedelta(days=1)) == []


async def test_another_tenants_graph_is_not_there(world: World) -> None:
    other = f"{world.tenant} 2"
    project = await start(world.memory, other)
    await consolidate(world.memory, other, project, "Ada/person knows Mallory/person")
    await world.settle()
    await world.memory.projector.arun_once(other) if isinstance(world.graph, Neo4jGraph) else None
    assert "Mallory" not in (await world.around("Ada", depth=5))[0]
    assert await world.ways("Ada", "Mallory") == []
    assert [e.name for e in (await world.graph.aneighborhood(other, ["Ada"], 5)).entities] == ["Ada", "Mallory"]
    assert (await world.graph.aneighborhood("nobody at all", ["Ada"])).entities == []


async def test_what_a_query_names_is_found_with_the_chunks_that_mention_it(world: World) -> None:
    found = await world.graph.anamed(world.tenant, ["zoe", "knows"])
    [chunk] = [mention.chunk_id for mention in found]
    assert [(mention.name_key, mention.confidence) for mention in found] == [("zoe", 0.8)]
    hits = await world.memory.asearch(world.tenant, "Zoe")
    assert chunk in [hit.chunk_id for hit in hits if hit.arms.graph > 0]
    assert await world.graph.anamed(world.tenant, ["knows"]) == []


async def test_an_entity_whose_name_most_chunks_hold_is_asked_for_only_where_nothing_else_is(world: World) -> None:
    lines = "\n".join([*(f"- Zoe rows on lake {n}." for n in range(12)), "- Swimming is for summers."])
    await world.memory.acreate_active_memory(world.tenant, "Sports", {"sections": ["sports"]}, {"sports": lines})
    [best, *others] = await world.memory.asearch(world.tenant, "Is swimming good for Zoe?")
    assert best.content.strip() == "- Swimming is for summers."
    assert [hit.arms.graph for hit in (best, *others) if hit.arms.graph] == []
    assert "graph" not in best.weights
    assert [hit for hit in await world.memory.asearch(world.tenant, "Zoe") if hit.arms.graph]


async def test_names_of_several_words_want_all_of_them(world: World, opened: Open) -> None:
    def found(name: str, data: dict[str, Any]) -> dict[str, Any]:
        ids = [chunk["id"] for chunk in data["chunks"]]
        return {
            "entities": [{"name": n, "types": ["place"], "chunk_ids": ids} for n in ("New York City", "The", "York")]
        }

    memory = opened(model=ScriptedModel(answer=found))
    await consolidate(memory, world.tenant, await start(memory, world.tenant, "Places"), "somewhere")
    await world.settle()
    names = {mention.name_key for mention in await world.graph.anamed(world.tenant, ["citi", "new", "york"])}
    assert names == {"new york city", "york"}
    assert {mention.name_key for mention in await world.graph.anamed(world.tenant, ["york", "new"])} == {"york"}


async def test_what_cannot_be_asked_is_refused(world: World) -> None:
    for arguments, said in [
        (("", ["Ada"]), "external_id must not be empty"),
        (("t", "Ada"), "names must be a list"),
        (("t", [""]), "a name must not be empty"),
        (("t", ["Ada"], 0), "depth must be"),
        (("t", ["Ada"], 11), "depth must be at most 10"),
        (("t", ["Ada"], 1, datetime(2026, 1, 1)), "time zone"),
        (("t", ["Ada"], 1, "yesterday"), "time zone"),
    ]:
        with pytest.raises(InvalidInputError, match=said):
            await world.graph.aneighborhood(*arguments)


async def test_tiers_and_limits_are_checked(world: World) -> None:
    with pytest.raises(InvalidInputError, match="tier must be"):
        await world.graph.aneighborhood("t", ["Ada"], tier="active")
    with pytest.raises(InvalidInputError, match="limit must be"):
        await world.graph.apaths("t", "Ada", "Bob", limit=0)


async def test_methods_come_twice(world: World) -> None:
    expected = await world.graph.aneighborhood(world.tenant, ["Ada"])
    with pytest.raises(SyncCallError, match="await aneighborhood"):
        world.graph.neighborhood(world.tenant, ["Ada"])
    assert await asyncio.to_thread(world.graph.neighborhood, world.tenant, ["Ada"]) == expected
    assert await asyncio.to_thread(world.graph.paths, world.tenant, "Ada", "Bob") == await world.graph.apaths(
        world.tenant, "Ada", "Bob"
    )


async def test_a_search_gives_the_same_whichever_graph_is_chosen(world: World, dsn: str) -> None:
    async with AgentMemory.open(dsn) as plain:
        for query in ("What about Zoe and Carol?", "Who knows Ada", "nothing of that"):
            assert await world.memory.asearch(world.tenant, query) == await plain.asearch(world.tenant, query)
            assert await world.memory.asearch(world.tenant, query, tiers=["longterm"]) == []
