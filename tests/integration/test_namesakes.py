"""Different things of one name stay two, in either tier, and what was made one can be parted again."""

from collections.abc import Callable
from typing import Any

import pytest
from consistency import assert_consistent
from fakes import ScriptedModel
from people import answer, consolidate, start

from langgraph_agentmem import AgentMemory

Rows = Callable[..., list[tuple[object, ...]]]
Open = Callable[..., AgentMemory]
LONG = "SELECT name, types FROM agentmem.entity WHERE tier = 'longterm' ORDER BY id"
SHORT = "SELECT name, types FROM agentmem.entity WHERE tier = 'shortterm' ORDER BY id"
LINKS = """SELECT s.name, t.name, t.types FROM agentmem.relationship r
           JOIN agentmem.entity s ON s.id = r.source_id JOIN agentmem.entity t ON t.id = r.target_id
           WHERE r.tier = %s ORDER BY r.id"""


@pytest.fixture
def memory(opened: Open) -> AgentMemory:
    return opened(model=ScriptedModel(answer=answer))


async def promoted(memory: AgentMemory, title: str, *texts: str) -> tuple[int, Any]:
    """A memory into which these texts were consolidated, and its promotion."""
    id = await start(memory, "alice", title)
    for text in texts:
        await consolidate(memory, "alice", id, text)
    return id, await memory.apromote("alice", id, force=True)


async def test_one_text_may_name_two_things_alike(memory: AgentMemory, rows: Rows, dsn: str) -> None:
    id = await start(memory, "alice")
    await consolidate(memory, "alice", id, "Tim/person leads Apple/company\n\n# lunch\n\nEva/person eats Apple/fruit")
    both = [("Tim", ["person"]), ("Apple", ["company"]), ("Eva", ["person"]), ("Apple", ["fruit"])]
    assert sorted(rows(SHORT)) == sorted(both)
    links = [("Tim", "Apple", ["company"]), ("Eva", "Apple", ["fruit"])]
    assert rows(LINKS, "shortterm") == links
    await memory.apromote("alice", id, force=True)
    assert sorted(rows(LONG)) == sorted(both)
    assert rows(LINKS, "longterm") == links
    assert_consistent(dsn)


async def test_a_later_text_may_name_another_thing_alike(memory: AgentMemory, rows: Rows) -> None:
    id = await start(memory, "alice")
    await consolidate(memory, "alice", id, "Tim/person leads Apple/company")
    await consolidate(memory, "alice", id, "Eva/person eats Apple/fruit")
    await consolidate(memory, "alice", id, "Eva/person peels Apple/food")
    assert [types for name, types in rows(SHORT) if name == "Apple"] == [["company"], ["fruit"], ["food"]]
    assert rows(LINKS, "shortterm") == [
        ("Tim", "Apple", ["company"]), ("Eva", "Apple", ["fruit"]), ("Eva", "Apple", ["food"]),
    ]  # fmt: skip
    await memory.apromote("alice", id, force=True)  # the types do not overlap, but do not exclude each other either
    assert [types for name, types in rows(LONG) if name == "Apple"] == [["company"], ["fruit", "food"]]


@pytest.mark.parametrize(
    ("first", "second", "types"),
    [
        ("Apple/company", "Apple/fruit", [["company"], ["fruit"]]),
        ("Jordan/person", "Jordan/country", [["person"], ["country"]]),
        ("Acme/company", "Acme/organisation", [["company", "organisation"]]),
        ("Flask/framework", "FLASK/library", [["framework", "library"]]),
        ("Ada/Person", "Ada/Developer", [["Person", "Developer"]]),
        ("Falcon/project", "Falcon/idea", [["project", "idea"]]),
        ("Falcon", "Falcon/person", [["person"]]),
        ("Apple/company,fruit", "Apple/fruit", [["company", "fruit"]]),
    ],
)
async def test_two_memories_know_one_thing_or_two(
    memory: AgentMemory, rows: Rows, first: str, second: str, types: list[list[str]]
) -> None:
    await promoted(memory, "First", first)
    _, report = await promoted(memory, "Second", second)
    assert [kinds for _, kinds in rows(LONG)] == types
    [decision] = report.decisions
    assert decision.action == ("merge" if len(types) == 1 else "create")
    assert f"the same name as '{first.split('/')[0]}'" in decision.reason


async def test_an_entity_is_promoted_to_its_own_namesake_again_and_again(memory: AgentMemory, rows: Rows) -> None:
    await promoted(memory, "First", "Apple/company")
    id, _ = await promoted(memory, "Second", "Apple/fruit")
    await consolidate(memory, "alice", id, "Apple/fruit and more of Apple/fruit")
    report = await memory.apromote("alice", id, force=True)
    assert (report.entities_added, report.entities_modified, report.run_id) == (0, 0, None)
    assert [d.reason for d in report.decisions if "'Apple'" in str(d.about)] == [
        "part of it since an earlier promotion"
    ]
    assert rows(LONG)[:2] == [("Apple", ["company"]), ("Apple", ["fruit"])]


async def test_an_entity_tells_its_namesakes(memory: AgentMemory, rows: Rows) -> None:
    await promoted(memory, "First", "Apple/company")
    await promoted(memory, "Second", "Apple/fruit")
    company, fruit = (id for (id,) in rows("SELECT id FROM agentmem.entity WHERE tier = 'longterm' ORDER BY id"))
    by_name = await memory.aget_entity("alice", "APPLE")
    assert (by_name.id, by_name.types, by_name.namesakes) == (company, ["company"], [fruit])
    by_id = await memory.aget_entity("alice", fruit)
    assert (by_id.types, by_id.namesakes) == (["fruit"], [company])
    [change] = by_id.state_history
    assert change["types"] == ["fruit"]
    assert (await memory.aget_entity("alice", "apple", tier="shortterm")).namesakes == []


async def test_what_a_model_keeps_apart_is_not_made_one_by_a_promotion(opened: Open, rows: Rows) -> None:
    def model(name: str, data: dict[str, Any]) -> dict[str, Any]:
        return answer(name, data) if name == "Extraction" else {"entities": [{"conflict": 0, "action": "create"}]}

    memory = opened(model=ScriptedModel(answer=model))
    await promoted(memory, "Notes", "Mercury/planet", "Mercury/metal")
    assert rows(LONG) == [("Mercury", ["planet"]), ("Mercury", ["metal"])]


async def test_what_nobody_keeps_apart_is_made_one_by_a_promotion(memory: AgentMemory, rows: Rows) -> None:
    _, report = await promoted(memory, "Notes", "Mercury/planet", "Mercury/metal")
    assert rows(LONG) == [("Mercury", ["planet", "metal"])]
    assert [d.action for d in report.decisions] == ["merge"]


@pytest.mark.parametrize("first", ["promoted", "decided"])
async def test_what_a_person_keeps_apart_is_parted_in_long_term_memory_too(
    opened: Open, rows: Rows, dsn: str, first: str
) -> None:
    memory = opened(model=ScriptedModel(answer=answer), review="manual")
    id = await start(memory, "alice")
    await consolidate(memory, "alice", id, "Mercury/planet orbits Sun/star")
    run = await consolidate(memory, "alice", id, "Mercury/metal fills Tube/thing")
    dispute = next(d for d in await memory.reviews.adisputes("alice", run) if d.kind == "entity")
    decision = [{"dispute": dispute.id, "action": "keep_both"}]
    if first == "promoted":
        await memory.apromote("alice", id, force=True)
        assert [types for name, types in rows(LONG) if name == "Mercury"] == [["planet", "metal"]]
    await memory.reviews.adecide("alice", run, decision)
    assert_consistent(dsn)
    await memory.apromote("alice", id, force=True)
    assert sorted(types for name, types in rows(LONG) if name == "Mercury") == [["metal"], ["planet"]]
    assert sorted(rows(LINKS, "longterm")) == [("Mercury", "Sun", ["star"]), ("Mercury", "Tube", ["thing"])]
    ends = rows("SELECT count(DISTINCT source_id) FROM agentmem.relationship WHERE tier = 'longterm'")
    assert ends == [(2,)]
    assert_consistent(dsn)


async def test_undoing_a_run_parts_what_was_promoted_since(opened: Open, rows: Rows, dsn: str) -> None:
    def model(name: str, data: dict[str, Any]) -> dict[str, Any]:
        if name == "Extraction":
            return answer(name, data)
        [conflict] = data["entities"]  # a careless model: it takes any two for the same
        return {"entities": [{"conflict": 0, "action": "merge", "entity_id": conflict["possible"][0]}]}

    memory = opened(model=ScriptedModel(answer=model))
    id = await start(memory, "alice")
    await consolidate(memory, "alice", id, "Mercury/planet orbits Sun/star")
    run = await consolidate(memory, "alice", id, "Mercury/metal fills Tube/thing")
    await memory.apromote("alice", id, force=True)
    assert [types for name, types in rows(LONG) if name == "Mercury"] == [["planet", "metal"]]
    await memory.runs.aundo("alice", run)
    assert [types for name, types in rows(SHORT) if name == "Mercury"] == [["planet"], ["metal"]]
    assert [types for name, types in rows(LONG) if name == "Mercury"] == [["planet"]]
    mercury = await memory.aget_entity("alice", "Mercury")
    assert [link.target for link in mercury.relationships] == ["Sun"]
    assert mercury.state_history[-1]["action"] == "restored"
    supported = rows("SELECT c.content FROM agentmem.mention m JOIN agentmem.memory_chunk c ON c.id = m.chunk_id "
                     "WHERE m.entity_id = %s", mercury.id)  # fmt: skip
    assert supported == [("Mercury/planet orbits Sun/star",)]
    assert_consistent(dsn)
    report = await memory.apromote("alice", id, force=True)
    assert [types for name, types in rows(LONG) if name == "Mercury"] == [["planet"], ["metal"]]
    assert [d.reason for d in report.decisions if d.action == "create"] == [
        "parted from 'Mercury' (planet) by a model, a person or an undo"
    ]
    assert sorted(rows(LINKS, "longterm")) == [("Mercury", "Sun", ["star"]), ("Mercury", "Tube", ["thing"])]
    assert_consistent(dsn)


async def test_undoing_a_promotion_parts_what_it_made_one(memory: AgentMemory, rows: Rows, dsn: str) -> None:
    await promoted(memory, "First", "Falcon/bird nests Tower/thing")
    id, report = await promoted(memory, "Second", "Falcon/mascot greets Visitors/thing")
    assert [types for name, types in rows(LONG) if name == "Falcon"] == [["bird", "mascot"]]
    assert report.run_id is not None
    [logged] = [run for run in await memory.runs.alist("alice") if run.id == report.run_id]
    assert (logged.resolver, logged.report and logged.report.decisions) == ("promotion", report.decisions)
    await memory.runs.aundo("alice", report.run_id)
    assert [types for name, types in rows(LONG) if name == "Falcon"] == [["bird"]]
    assert rows(LINKS, "longterm") == [("Falcon", "Tower", ["thing"])]
    assert_consistent(dsn)
    again = await memory.apromote("alice", id, force=True)
    assert (again.entities_added, again.relationships_added, again.run_id) == (1, 1, None)
    assert [types for name, types in rows(LONG) if name == "Falcon"] == [["bird"], ["mascot"]]
    assert sorted(rows(LINKS, "longterm")) == [("Falcon", "Tower", ["thing"]), ("Falcon", "Visitors", ["thing"])]
    assert_consistent(dsn)
    undone = await memory.runs.aundo("alice", report.run_id)  # once more changes nothing
    assert undone.status == "undone"
    assert len(rows(LONG)) == 4


async def test_forgetting_one_namesake_keeps_the_other(memory: AgentMemory, rows: Rows, dsn: str) -> None:
    first, _ = await promoted(memory, "First", "Apple/company")
    second, _ = await promoted(memory, "Second", "Apple/fruit")
    await memory.adelete_active_memory("alice", first, forget=True)
    assert rows(LONG) == [("Apple", ["fruit"])]
    await consolidate(memory, "alice", second, "Apple/fruit again")
    await memory.apromote("alice", second, force=True)
    assert rows(LONG) == [("Apple", ["fruit"])]
    assert_consistent(dsn)
