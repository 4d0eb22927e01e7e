"""Entities and relationships that wait for a person."""

from collections.abc import Callable
from typing import Any

import pytest
from consistency import assert_consistent
from fakes import ScriptedModel
from people import answer

from langgraph_agentmem import AgentMemory, AgentMemoryStore, ProposedChange
from langgraph_agentmem.errors import ReviewConflictError

Rows = Callable[..., list[tuple[object, ...]]]
Open = Callable[..., AgentMemory]
ENTITIES = "SELECT name, types FROM agentmem.entity WHERE tier = 'shortterm' ORDER BY id"
LINKS = """SELECT s.name, t.name, r.types, r.end_date IS NULL FROM agentmem.relationship r
           JOIN agentmem.entity s ON s.id = r.source_id JOIN agentmem.entity t ON t.id = r.target_id
           WHERE r.tier = 'shortterm' ORDER BY r.id"""


def unsure_links(change: ProposedChange) -> bool:
    """A policy that leaves entities and relationships to a person where the rules are not sure."""
    return change.kind in {"entity", "relationship"} and not change.verdict.clear


@pytest.fixture
def memory(opened: Open) -> AgentMemory:
    return opened(review=unsure_links, model=ScriptedModel(answer=answer))


async def start(memory: AgentMemory, *texts: str) -> tuple[int, list[tuple[str, list[int]]]]:
    """A memory into which these texts were consolidated: (memory, (run, disputes) of each)."""
    created = await memory.acreate_active_memory("alice", "People", {"sections": ["facts"]})
    return created.id, [await consolidate(memory, created.id, text) for text in texts]


async def consolidate(memory: AgentMemory, memory_id: int, text: str) -> tuple[str, list[int]]:
    await memory.aupdate_active_memory_section("alice", memory_id, "facts", text)
    report = await memory.aconsolidate("alice", memory_id)
    return str(report.run_id), report.parked


MERCURY = ("Mercury/planet orbits Sun/star", "Mercury/metal flows Tube/thing")


async def parked(memory: AgentMemory) -> tuple[int, str, int]:
    id, [_, (run, [dispute])] = await start(memory, *MERCURY)
    return id, run, dispute


async def test_an_entity_of_which_nobody_knows_whether_it_is_the_same_stays_one_of_its_own(
    memory: AgentMemory, rows: Rows
) -> None:
    await parked(memory)
    assert rows(ENTITIES) == [
        ("Mercury", ["planet"]), ("Sun", ["star"]), ("Mercury", ["metal"]), ("Tube", ["thing"]),
    ]  # fmt: skip
    assert (await memory.aget_entity("alice", "Mercury")).disputed
    assert not (await memory.aget_entity("alice", "Sun")).disputed
    [dispute] = (await memory.reviews.apending("alice"))[0].disputes
    assert (dispute.kind, dispute.verdict.action) == ("entity", "create")
    assert (dispute.existing[0].content, dispute.new.content) == ("Mercury (planet)", "Mercury (metal)")
    assert [source.content for source in dispute.new.sources] == [MERCURY[1]]
    assert [source.content for source in dispute.existing[0].sources] == [MERCURY[0]]


async def test_two_entities_become_one_with_the_reviewers_description_and_undo_parts_them(
    memory: AgentMemory, rows: Rows, dsn: str
) -> None:
    _, run, dispute = await parked(memory)
    decisions = [{"dispute": dispute, "action": "override", "text": "named after a god"}]
    done = await memory.reviews.adecide("alice", run, decisions)
    merged = await memory.aget_entity("alice", "Mercury")
    assert (merged.types, merged.description, merged.disputed) == (["planet", "metal"], "named after a god", False)
    assert rows(LINKS) == [
        ("Mercury", "Sun", ["orbits"], True), ("Mercury", "Tube", ["flows"], True),
    ]  # fmt: skip
    assert [len(link.types) for link in merged.relationships] == [1, 1]
    assert rows("SELECT count(*) FROM agentmem.mention WHERE entity_id = %s", merged.id) == [(2,)]
    assert_consistent(dsn)
    await memory.runs.aundo("alice", str(done.report and done.report.run_id))
    assert sorted(rows(ENTITIES)) == sorted(
        [("Mercury", ["planet"]), ("Sun", ["star"]), ("Tube", ["thing"]), ("Mercury", ["metal"])]
    )
    assert rows(LINKS) == [("Mercury", "Sun", ["orbits"], True), ("Mercury", "Tube", ["flows"], True)]
    ends = rows("SELECT count(DISTINCT source_id) FROM agentmem.relationship WHERE tier = 'shortterm'")
    assert ends == [(2,)]
    assert_consistent(dsn)
    await memory.reviews.adecide(
        "alice", run, decisions
    )  # the dispute knows the entity that came in place of the old one
    assert (await memory.aget_entity("alice", "Mercury")).types == ["planet", "metal"]


async def test_a_rejected_entity_does_not_come_back_from_old_text_but_from_newer(
    memory: AgentMemory, opened: Open, rows: Rows, dsn: str
) -> None:
    id, run, dispute = await parked(memory)
    done = await memory.reviews.adecide("alice", run, [{"dispute": dispute, "action": "reject"}])
    assert rows(ENTITIES) == [("Mercury", ["planet"]), ("Sun", ["star"]), ("Tube", ["thing"])]
    assert rows(LINKS) == [("Mercury", "Sun", ["orbits"], True)]
    assert_consistent(dsn)
    rows("UPDATE agentmem.memory_chunk SET extraction_pending = true")  # as after an extraction that failed
    report = await memory.aconsolidate("alice", id)
    assert {"reject"} == {d.action for d in report.decisions if d.decided_by == "person"}
    assert [name for name, types in rows(ENTITIES) if "metal" in types] == []
    assert_consistent(dsn)
    await consolidate(memory, id, "Mercury/metal melts Ice/thing")
    assert (
        [name for name, types in rows(ENTITIES) if types == ["metal"]],
        any(link[0] == "Mercury" and link[2] == ["melts"] for link in rows(LINKS)),
    ) == (["Mercury"], True)
    assert done.report is not None


async def test_undoing_a_rejection_brings_the_entity_back_with_its_relationships(
    memory: AgentMemory, rows: Rows, dsn: str
) -> None:
    _, run, dispute = await parked(memory)
    done = await memory.reviews.adecide("alice", run, [{"dispute": dispute, "action": "reject"}])
    await memory.runs.aundo("alice", str(done.report and done.report.run_id))
    assert sorted(rows(ENTITIES)) == sorted(
        [("Mercury", ["planet"]), ("Sun", ["star"]), ("Tube", ["thing"]), ("Mercury", ["metal"])]
    )
    assert rows(LINKS) == [("Mercury", "Sun", ["orbits"], True), ("Mercury", "Tube", ["flows"], True)]
    assert_consistent(dsn)
    await memory.reviews.adecide("alice", run, [{"dispute": dispute, "action": "accept"}])


async def test_an_entity_is_rejected_together_with_its_relationship_and_both_come_back(
    memory: AgentMemory, rows: Rows, dsn: str
) -> None:
    _, [_, (run, disputes)] = await start(memory, MERCURY[0], "Mercury/metal orbits Tube/thing")
    assert len(disputes) == 2
    done = await memory.reviews.adecide(
        "alice", run, [{"dispute": dispute, "action": "reject"} for dispute in disputes]
    )
    assert rows(ENTITIES) == [("Mercury", ["planet"]), ("Sun", ["star"]), ("Tube", ["thing"])]
    assert rows(LINKS) == [("Mercury", "Sun", ["orbits"], True)]
    assert_consistent(dsn)
    await memory.runs.aundo("alice", str(done.report and done.report.run_id))
    assert sorted(rows(ENTITIES))[:2] == [("Mercury", ["metal"]), ("Mercury", ["planet"])]
    assert rows(LINKS) == [("Mercury", "Sun", ["orbits"], True), ("Mercury", "Tube", ["orbits"], True)]
    assert_consistent(dsn)


JOBS = ("Ada/person works_at Acme/company", "Ada/person works_at Initech/company")


@pytest.mark.parametrize(
    ("decision", "valid"),
    [
        ({"action": "accept"}, {"Acme", "Initech"}),  # the rules alone would keep both
        ({"action": "reject"}, {"Acme"}),
        ({"action": "reject", "value": "existing"}, {"Initech"}),
    ],
)
async def test_relationships_that_may_exclude_each_other_are_decided(
    memory: AgentMemory, rows: Rows, dsn: str, decision: dict[str, Any], valid: set[str]
) -> None:
    _, [_, (run, [dispute])] = await start(memory, *JOBS)
    assert {hit.disputed for hit in await memory.asearch("alice", "Ada works")} == {True}
    assert {link.disputed for link in (await memory.aget_entity("alice", "Ada")).relationships} == {True}
    done = await memory.reviews.adecide("alice", run, [{"dispute": dispute, **decision}])
    assert {target for _, target, _, now in rows(LINKS) if now} == valid
    assert_consistent(dsn)
    await memory.runs.aundo("alice", str(done.report and done.report.run_id))
    assert {target for _, target, _, now in rows(LINKS) if now} == {"Acme", "Initech"}


async def test_relationships_with_different_ends_cannot_become_one(memory: AgentMemory) -> None:
    _, [_, (run, [dispute])] = await start(memory, *JOBS)
    with pytest.raises(ReviewConflictError, match="different ends"):
        await memory.reviews.adecide("alice", run, [{"dispute": dispute, "action": "override", "text": "x"}])


async def test_two_relationships_between_the_same_become_one(memory: AgentMemory, rows: Rows, dsn: str) -> None:
    _, [_, (run, [dispute])] = await start(memory, "Ada/person knows Bob/person", "Ada/person manages Bob/person")
    done = await memory.reviews.adecide(
        "alice", run, [{"dispute": dispute, "action": "override", "text": "colleagues"}]
    )
    assert rows(LINKS) == [("Ada", "Bob", ["knows", "manages"], True)]
    assert_consistent(dsn)
    await memory.runs.aundo("alice", str(done.report and done.report.run_id))
    assert rows(LINKS) == [("Ada", "Bob", ["knows"], True), ("Ada", "Bob", ["manages"], True)]
    await memory.reviews.adecide("alice", run, [{"dispute": dispute, "action": "override", "text": "colleagues"}])


async def test_what_is_gone_by_now_is_told_to_the_reviewer(memory: AgentMemory, rows: Rows) -> None:
    _, run, dispute = await parked(memory)
    rows("DELETE FROM agentmem.entity WHERE types = '{planet}'")
    [shown] = (await memory.reviews.apending("alice"))[0].disputes
    assert (shown.changed, shown.existing_now[0].valid) == (True, False)
    with pytest.raises(ReviewConflictError, match="not there any more"):
        await memory.reviews.adecide("alice", run, [{"dispute": dispute, "action": "override", "text": "x"}])
    await memory.reviews.adecide("alice", run, [{"dispute": dispute, "action": "keep_both"}])


async def test_an_entity_that_is_gone_by_now_can_still_be_rejected(memory: AgentMemory, rows: Rows) -> None:
    id, run, dispute = await parked(memory)
    rows("DELETE FROM agentmem.entity WHERE types = '{metal}'")
    await memory.reviews.adecide("alice", run, [{"dispute": dispute, "action": "reject"}])
    rows("UPDATE agentmem.memory_chunk SET extraction_pending = true")
    await memory.aconsolidate("alice", id)
    assert [name for name, types in rows(ENTITIES) if "metal" in types] == []


async def test_relationships_that_are_gone_by_now_cannot_become_one_but_can_be_rejected(
    memory: AgentMemory, rows: Rows
) -> None:
    _, [_, (run, [dispute])] = await start(memory, "Ada/person knows Bob/person", "Ada/person manages Bob/person")
    rows("DELETE FROM agentmem.relationship WHERE types = '{manages}'")
    with pytest.raises(ReviewConflictError, match="not there any more"):
        await memory.reviews.adecide("alice", run, [{"dispute": dispute, "action": "override", "text": "x"}])
    await memory.reviews.adecide("alice", run, [{"dispute": dispute, "action": "reject"}])
    assert rows(LINKS) == [("Ada", "Bob", ["knows"], True)]


async def test_deleting_an_item_removes_what_is_parked_and_rejected_of_it(opened: Open, rows: Rows, dsn: str) -> None:
    memory = opened(review="always", model=ScriptedModel(answer=answer))
    store = AgentMemoryStore(memory)
    for text in MERCURY:
        await store.aput(("alice", "items"), "secret", {"text": text})
        [(id,)] = rows("SELECT id FROM agentmem.active_memory")
        report = await memory.aconsolidate("alice", id)
    await store.aput(("alice", "items"), "other", {"text": "Deadline: May 1"})
    await memory.aconsolidate("alice", id)
    await store.aput(("alice", "items"), "other", {"text": "Deadline: June 1"})
    other = await memory.aconsolidate("alice", id)
    await memory.reviews.adecide("alice", report.run_id, [{"dispute": report.parked[0], "action": "reject"}])
    await store.adelete(("alice", "items"), "secret")
    [review] = await memory.reviews.apending("alice")
    assert [dispute.id for dispute in review.disputes] == other.parked
    assert rows("SELECT count(*) FROM agentmem.tombstone") == [(0,)]
    dumped = rows(
        "SELECT (SELECT jsonb_agg(d) FROM agentmem.dispute d)::text || (SELECT jsonb_agg(r) FROM agentmem.consolidation_run r)::text"
    )
    assert "Mercury" not in str(dumped)
    await store.adelete(("alice", "items"), "other")
    assert await memory.reviews.apending("alice") == []
    assert_consistent(dsn)
