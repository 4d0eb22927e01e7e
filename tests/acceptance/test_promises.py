"""The rules of the older system that hold here as well: when, what and how is consolidated, merged and promoted.

What else was promised stands where it belongs: that edits are all or nothing in `test_updates.py`, that nothing is lost in
`test_lying_model.py`, which namesakes are one in `test_namesakes.py`, the shape of histories in `test_promotion.py`.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from langgraph_agentmem import ActiveMemory, AgentMemory, ConsolidationReport
from langgraph_agentmem.models.conflict import ConflictChunk
from langgraph_agentmem.models.entity import ExtractedEntity, Extraction
from langgraph_agentmem.models.run import ModelUsage

Rows = Callable[..., list[tuple[Any, ...]]]
Open = Callable[..., AgentMemory]
ENTITY = re.compile(r"(\w+)=([\w,]+)/([\d.]+)/([\d.]+\d)")
CHUNKS = """SELECT id, section_id, origin, content, start_date, end_date, superseded_by, unclear_with
            FROM agentmem.memory_chunk WHERE tier = %s ORDER BY id"""


class Marked:
    """Finds what is written as `Ada=person,author/0.9/0.4`: types, confidence and importance."""

    def __init__(self) -> None:
        self.seen: list[set[str]] = []

    async def extract(self, chunks: Sequence[ConflictChunk]) -> tuple[Extraction, ModelUsage]:
        self.seen.append({chunk.content.strip() for chunk in chunks})
        entities: list[ExtractedEntity] = []
        for chunk in chunks:
            for name, types, confidence, importance in ENTITY.findall(chunk.content):
                entities.append(
                    ExtractedEntity(
                        name=name,
                        types=types.split(","),
                        confidence=float(confidence),
                        importance=float(importance),
                        chunk_ids=[chunk.id],
                    )
                )
        return Extraction(entities=entities), ModelUsage()


@pytest.fixture
def extractor() -> Marked:
    return Marked()


@pytest.fixture
def memory(opened: Open, extractor: Marked) -> AgentMemory:
    return opened(extractor=extractor)


async def made(memory: AgentMemory, title: str = "Project", **contents: str) -> ActiveMemory:
    template = {"sections": ["plan", "team", "facts"]}
    return await memory.acreate_active_memory("alice", title, template, contents)


async def edited(memory: AgentMemory, created: ActiveMemory, section: str, text: str) -> ActiveMemory:
    return await memory.aupdate_active_memory_section("alice", created.id, section, text)


async def cycle(memory: AgentMemory, created: ActiveMemory, text: str, section: str = "facts") -> ConsolidationReport:
    await edited(memory, created, section, text)
    return await memory.aconsolidate("alice", created.id)


# When


async def test_a_memory_is_due_at_the_average_times_its_sections_wherever_the_updates_are(
    memory: AgentMemory, rows: Rows
) -> None:
    created = await made(memory)
    for number in range(1, 16):  # 5 × 3, all of them in one section
        updated = await edited(memory, created, "plan", f"- Step {number}.")
        assert updated.consolidation_info.threshold == 15
        assert updated.consolidation_info.will_consolidate is (number == 15)
        assert rows("SELECT due_at <= now() FROM agentmem.active_memory") == [(number == 15,)]
    assert await memory.runs.alist("alice") == [], "no update consolidates by itself"
    [report] = await memory.queue.arun_due()
    assert (report.sections, report.updates_consumed) == (["plan"], 15)


async def test_a_consolidation_takes_changed_sections_only_and_sets_their_counts_back(
    memory: AgentMemory, extractor: Marked, rows: Rows
) -> None:
    created = await made(memory, plan="Sail to Oslo.", team="Ada sails.", facts="Oslo is far.")
    await edited(memory, created, "team", "Ada sails.\n\nBo cooks.")
    await edited(memory, created, "team", "Ada sails.\n\nBo cooks well.")
    report = await memory.aconsolidate("alice", created.id)
    assert (report.sections, report.updates_consumed, report.chunks_added) == (["team"], 2, 2)
    assert extractor.seen == [{"Ada sails.", "Bo cooks well."}]
    assert rows("SELECT tier, section_id, count(*) FROM agentmem.memory_chunk GROUP BY 1, 2 ORDER BY 1, 2") == [
        ("active", "facts", 1), ("active", "plan", 1), ("shortterm", "team", 2),
    ]  # fmt: skip
    after = await edited(memory, created, "plan", "Sail to Rome.")
    counts = {id: (section.update_count, section.total_updates) for id, section in after.sections.items()}
    assert counts == {"plan": (1, 1), "team": (0, 2), "facts": (0, 0)}
    assert after.consolidation_info.total_update_count == 1
    report = await memory.aconsolidate("alice", created.id)
    assert (report.sections, extractor.seen[1:]) == (["plan"], [{"Sail to Rome."}])


# Chunks


async def test_a_chunk_knows_its_section_in_every_tier_whoever_wrote_it(memory: AgentMemory, rows: Rows) -> None:
    created = await made(memory)
    same = "The budget is 5000 EUR."
    for section in ("plan", "team"):
        await edited(memory, created, section, f"{same} The falcon nests on the tower of {section}.")
    await memory.aconsolidate("alice", created.id)
    for section in ("plan", "team"):
        await edited(memory, created, section, "The budget is 6000 EUR.")
    report = await memory.aconsolidate("alice", created.id)
    assert report.chunks_superseded == 2
    leftovers = (
        "SELECT section_id, content FROM agentmem.memory_chunk WHERE origin = 'leftover' AND tier = %s ORDER BY 1"
    )
    kept = [(section, f"The falcon nests on the tower of {section}.") for section in ("plan", "team")]
    assert rows(leftovers, "shortterm") == kept
    await memory.apromote("alice", created.id, force=True)
    assert rows(leftovers, "longterm") == kept
    hits = await memory.aretrieve_memories("alice", "budget falcon", search_shortterm=False, limit=20)
    assert {(hit.section_id, hit.content) for hit in hits} == {
        *kept, ("plan", "The budget is 6000 EUR."), ("team", "The budget is 6000 EUR."),
    }  # fmt: skip


async def test_all_chunks_of_the_memory_are_promoted_as_they_are_and_only_its_own(
    memory: AgentMemory, rows: Rows
) -> None:
    created, other = await made(memory), await made(memory, "Other")
    await cycle(memory, other, "Eve stays.")
    await cycle(memory, created, "Deadline: May 1. The falcon nests on the tower.")
    await cycle(memory, created, "Deadline: June 1.\n\nWe use Postgres for orders.")
    await cycle(memory, created, "We use MySQL for orders.")
    await cycle(memory, created, "Bo cooks.", "team")
    before = rows(CHUNKS, "shortterm")
    assert {chunk[2] for chunk in before} == {"section", "leftover"}
    assert any(chunk[5] for chunk in before), "one has ended"
    assert any(chunk[7] for chunk in before), "one is unclear"
    await edited(memory, created, "plan", "Not consolidated yet.")
    report = await memory.apromote("alice", created.id, force=True)
    stays = [chunk for chunk in before if chunk[3] == "Eve stays."]
    assert rows(CHUNKS, "longterm") == [chunk for chunk in before if chunk not in stays]
    assert (report.chunks_added, rows(CHUNKS, "shortterm")) == (len(before) - 1, stays)
    assert [chunk[3] for chunk in rows(CHUNKS, "active")] == ["Not consolidated yet."]


# Entities


TEN = [f"kind{number}" for number in range(10)]


@pytest.mark.parametrize(("shared", "entities"), [(7, 1), (6, 2)])
async def test_an_entity_merges_from_seven_tenths_of_its_types_on(
    memory: AgentMemory, rows: Rows, shared: int, entities: int
) -> None:
    created = await made(memory)
    others = TEN[:shared] + [f"other{number}" for number in range(10 - shared)]
    await cycle(memory, created, f"Falcon={','.join(TEN)}/0.5/0.5")
    report = await cycle(memory, created, f"FALCON={','.join(others)}/0.5/0.5")
    assert (report.entities_created, report.entities_merged) == (entities - 1, 2 - entities)
    assert rows("SELECT count(*) FROM agentmem.shortterm_entity") == [(entities,)]
    if entities == 1:
        assert rows("SELECT name, types FROM agentmem.shortterm_entity") == [("Falcon", TEN + others[shared:])]


@pytest.mark.parametrize(("first", "second"), [("Jonathan", "Johnathan"), ("Server1", "Server2"), ("Maria", "Mario")])
async def test_names_that_are_only_similar_are_two_however_equal_their_types(
    memory: AgentMemory, rows: Rows, first: str, second: str
) -> None:
    created = await made(memory)
    await cycle(memory, created, f"{first}=person/0.5/0.5")
    await cycle(memory, created, f"{second}=person/0.5/0.5")
    await memory.apromote("alice", created.id, force=True)
    assert rows("SELECT tier, name FROM agentmem.entity ORDER BY tier, id") == [
        ("longterm", first), ("longterm", second), ("shortterm", first), ("shortterm", second),
    ]  # fmt: skip


async def test_confidence_and_importance_are_weighed_six_to_four_whichever_comes_first(memory: AgentMemory) -> None:
    first, second = await made(memory, "First"), await made(memory, "Second")
    await cycle(memory, first, "Ada=person/0.9/0.2 and Bo=person/0.4/0.8")
    await cycle(memory, first, "ada=person/0.4/0.8 and bo=person/0.9/0.2")
    for name, spelt in (("Ada", "Ada"), ("Bo", "Bo")):
        entity = await memory.aget_entity("alice", name)
        assert (entity.tier, entity.name) == ("shortterm", spelt)
        assert (entity.confidence, entity.importance) == (pytest.approx(0.7), pytest.approx(0.56))
    await memory.apromote("alice", first.id, force=True)
    await cycle(memory, second, "ADA=author/0.2/0.96 and BO=Person,cook/0.95/0.06")
    await memory.apromote("alice", second.id, force=True)
    ada, bo = [await memory.aget_entity("alice", name) for name in ("ada", "bo")]
    assert (ada.tier, ada.name, ada.types) == ("longterm", "Ada", ["person", "author"])
    assert (ada.confidence, ada.importance) == (
        pytest.approx(0.6 * 0.7 + 0.4 * 0.2),
        pytest.approx(0.6 * 0.96 + 0.4 * 0.56),
    )
    assert (bo.tier, bo.name, bo.types) == ("longterm", "Bo", ["person", "cook"])
    assert (bo.confidence, bo.importance) == (
        pytest.approx(0.6 * 0.95 + 0.4 * 0.7),
        pytest.approx(0.6 * 0.56 + 0.4 * 0.06),
    )


async def test_the_state_history_tells_every_change_without_a_gap(memory: AgentMemory, rows: Rows) -> None:
    memories = [await made(memory, title) for title in ("First", "Second", "Third")]
    for number, created in enumerate(memories):
        await cycle(memory, created, f"Ada=kind{number}/0.{number + 2}/0.5")
        await cycle(memory, created, f"Ada=kind{number},also{number}/0.{number + 6}/0.5")
        await memory.apromote("alice", created.id, force=True)
    ada = await memory.aget_entity("alice", "Ada")
    assert ada.types == ["kind0", "also0", "kind1", "also1", "kind2", "also2"]
    history = ada.metadata["state_history"]
    origins = [id for (id,) in rows("SELECT id FROM agentmem.shortterm_memory ORDER BY id")]
    assert [(change["source"], change["shortterm_memory_id"]) for change in history] == [
        ("shortterm_promotion", origin) for origin in origins
    ]
    types = [history[0]["types"], *(change["new_types"] for change in history[1:])]
    assert [change["old_types"] for change in history[1:]] == types[:-1]
    confidences = [history[0]["confidence"], *(change["new_confidence"] for change in history[1:])]
    assert [change["old_confidence"] for change in history[1:]] == confidences[:-1]
    assert (types[-1], confidences[-1]) == (ada.types, ada.confidence)
    assert [change["timestamp"] for change in history] == sorted(change["timestamp"] for change in history)
    # in short-term memory every run that changed it is told as well
    short = await memory.aget_entity("alice", "Ada", tier="shortterm")
    assert [change.get("action", "merged") for change in short.state_history] == ["created", "merged"]


# Promotion


async def test_a_memory_is_promoted_again_after_as_many_consolidations_and_remembers_each_time(
    opened: Open, rows: Rows
) -> None:
    memory = opened(extractor=Marked(), settings={"shortterm_update_threshold": 2})
    created = await made(memory)
    counts, statuses = [], []
    for number in range(5):
        report = await cycle(memory, created, f"Ada=person/0.{number + 1}/0.5 in year {number}.")
        statuses.append(report.promotion and report.promotion.status)
        counts += rows("SELECT update_count FROM agentmem.shortterm_memory")
    assert statuses == ["not_due", "promoted", "not_due", "promoted", "not_due"]
    assert counts == [(1,), (0,), (1,), (0,), (1,)]
    [[history]] = rows("SELECT metadata -> 'promotion_history' FROM agentmem.shortterm_memory")
    assert [(entry["chunks_added"], entry["entities_added"], entry["entities_modified"]) for entry in history] == [
        (2, 1, 0), (2, 0, 1),
    ]  # fmt: skip
    assert history[0]["date"] < history[1]["date"]
