"""The entity graph, drawn from PostgreSQL or from Neo4j."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from fakes import ScriptedModel
from people import answer, consolidate, start

from langgraph_agentmem import AgentMemory
from langgraph_agentmem.errors import AgentMemoryError, InvalidInputError

Open = Callable[..., AgentMemory]

WORLD = """
Ada/person knows Bob/person
Bob knows Carol/person
Ada likes Carol
Zoe/person knows Yan/person
"""


@pytest.fixture
async def memory(opened: Open, tenant: str) -> AgentMemory:
    memory = opened(model=ScriptedModel(answer=answer))
    await consolidate(memory, tenant, await start(memory, tenant), WORLD)
    return memory


async def test_all_entities_are_drawn_the_best_connected_first(memory: AgentMemory, tenant: str) -> None:
    drawing = await memory.adraw_entities(tenant)
    assert (drawing.entities, drawing.left_out) == (["Ada", "Bob", "Carol", "Yan", "Zoe"], 0)
    assert drawing.mermaid.count("-->") == 4
    assert drawing.svg.startswith("<svg")
    assert await memory.adraw_entities(tenant) == drawing


async def test_around_some_entities_the_nearest_are_drawn(memory: AgentMemory, tenant: str) -> None:
    assert (await memory.adraw_entities(tenant, ["zoe"])).entities == ["Zoe", "Yan"]
    cut = await memory.adraw_entities(tenant, ["Ada"], limit=2)
    assert (cut.entities[0], len(cut.entities), cut.left_out) == ("Ada", 2, 1)
    assert (await memory.adraw_entities(tenant, ["Nobody"])).entities == []


async def test_a_tier_and_a_time_narrow_the_drawing(memory: AgentMemory, tenant: str) -> None:
    before = await memory.adraw_entities(tenant, as_of=datetime(2020, 1, 1, tzinfo=UTC))
    assert before.entities == (await memory.adraw_entities(tenant, tier="longterm")).entities == []
    [active] = await memory.aget_active_memories(tenant)
    await memory.apromote(tenant, active.id, force=True)
    both, long = await memory.adraw_entities(tenant), await memory.adraw_entities(tenant, tier="longterm")
    assert sorted(both.entities) == sorted(long.entities) == ["Ada", "Bob", "Carol", "Yan", "Zoe"]
    assert "stroke-dasharray" not in both.svg


async def test_another_tenants_graph_is_never_drawn(memory: AgentMemory, tenant: str) -> None:
    await consolidate(memory, "other", await start(memory, "other"), "Eve/person knows Mallory/person")
    assert sorted((await memory.adraw_entities("other")).entities) == ["Eve", "Mallory"]
    assert (await memory.adraw_entities("other", ["Ada"])).entities == []
    assert "Eve" not in (await memory.adraw_entities(tenant)).svg
    assert (await memory.adraw_entities("nobody")).entities == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"limit": 0}, "limit must be"),
        ({"limit": 61}, "limit must be from 1 to 60"),
        ({"tier": "active"}, "tier must be"),
        ({"names": "Ada"}, "names must be a list"),
        ({"names": ["Ada"], "depth": 11}, "depth must be"),
        ({"depth": 0}, "depth must be"),
        ({"as_of": datetime(2026, 1, 1)}, "as_of must be"),
    ],
)
async def test_what_cannot_be_drawn_is_refused(
    memory: AgentMemory, tenant: str, wrong: dict[str, Any], said: str
) -> None:
    with pytest.raises(InvalidInputError, match=said):
        await memory.adraw_entities(tenant, **wrong)


async def test_an_outage_is_an_error_and_no_empty_picture() -> None:
    with pytest.raises(AgentMemoryError, match="cannot be reached"):
        await AgentMemory.open("postgresql://127.0.0.1:1/nowhere").adraw_entities("alice")


@pytest.mark.neo4j
async def test_neo4js_graph_is_drawn_alike(
    memory: AgentMemory, opened: Open, tenant: str, neo4j_settings: dict[str, Any]
) -> None:
    projected = opened(graph="neo4j", settings=neo4j_settings)
    await projected.projector.arun_once(tenant)
    assert await projected.adraw_entities(tenant) == await memory.adraw_entities(tenant)
    await projected.aclose()
