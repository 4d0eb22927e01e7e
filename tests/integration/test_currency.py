"""What holds now comes before what it replaced; days that a question asks for count; a hit explains itself."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from langgraph_agentmem import AgentMemory
from langgraph_agentmem.errors import InvalidInputError

Rows = Callable[..., list[tuple[object, ...]]]
Open = Callable[..., AgentMemory]
OLD = "Achieved 65% test coverage on the API module after the initial test run."
NEW = "The test coverage has increased to 78%, as the API module was reworked."
QUESTION = "What is the initial test coverage percentage of my API module?"


async def replaced(memory: AgentMemory, *contents: str, tenant: str = "alice") -> int:
    """A section that says one thing after the other, consolidated each time."""
    created = await memory.acreate_active_memory(tenant, "Work", {"sections": ["facts"]})
    for content in contents:
        await memory.aupdate_active_memory_section(tenant, created.id, "facts", content)
        await memory.aconsolidate(tenant, created.id)
    return created.id


async def test_what_replaced_something_in_its_section_is_found_before_it(memory: AgentMemory) -> None:
    await replaced(memory, OLD, NEW)

    hits = await memory.asearch("alice", QUESTION)

    assert [hit.content for hit in hits] == [NEW, OLD]
    new, old = hits
    assert new.score < old.score, "the older one answers better by its words"
    assert (new.current, new.behind) == (True, [])
    assert (old.current, old.behind, old.end_date) == (False, [new.chunk_id], None)


async def test_what_merely_scrolled_out_of_its_section_keeps_its_place(memory: AgentMemory) -> None:
    talk = ["Ann: I have bought a telescope to look at the rings of Saturn.", "Ann: The dentist was kind today."]
    await replaced(memory, *talk)

    hits = await memory.asearch("alice", "Which telescope does Ann have to look at the rings of Saturn?")

    assert [(hit.content, hit.current) for hit in hits[:1]] == [(talk[0], False)]


async def test_what_people_say_later_does_not_come_before_what_they_said_of_other_things(memory: AgentMemory) -> None:
    first = [
        "Ann: Hello Ben!",
        "Ann: We climbed the highest hill around with our dog, and had a picnic of bread and figs.",
    ]
    later = [
        "Ann: Hello Ben!",
        "Ann: My aunt feeds her dog with bread and figs, which the veterinary forbids, of course.",
    ]
    await replaced(memory, "\n".join(first), "\n".join(later))

    hits = await memory.asearch("alice", "What did Ann have at the picnic when she climbed the hill with the dog?")

    assert [hit.content.strip() for hit in hits[:2]] == [first[1], later[1]]
    assert hits[0].score * 0.15 < hits[1].score, "near enough to come first, if it were a new version"
    assert (hits[0].behind, hits[0].unclear_with) == ([], [])


async def test_a_line_that_is_said_anew_with_another_value_comes_first(memory: AgentMemory) -> None:
    said = "Ann: The tests of our API module cover 65 % of the code at first."
    anew = "Ann: The tests of our API module cover almost all of it."
    await replaced(memory, said, anew)

    hits = await memory.asearch("alice", "How much of the code do the tests of the API module cover at first?")

    assert [hit.content for hit in hits] == [anew, said]


async def test_each_hit_explains_its_place(memory: AgentMemory) -> None:
    await replaced(memory, OLD, NEW)

    new, old = await memory.asearch("alice", QUESTION)

    assert old.weights == {"lexical": 1.0}
    assert old.explain().splitlines() == [
        f"{old.score:.2f}: the words say {old.arms.lexical:.2f} (weighs 1.00)",
        OLD,
        "shortterm, section 'facts' of 'Work', no longer in its section, but valid, "
        f"behind chunk {new.chunk_id}, which perhaps took its place",
    ]
    assert new.explain().splitlines()[2] == "shortterm, section 'facts' of 'Work', in its present value"


async def test_the_arms_by_their_weights_are_the_score(memory: AgentMemory) -> None:
    said = [
        "(8 May, 2023) Ann: We saw the Louvre.",
        "(9 May, 2023) Ben: We saw the Louvre.",
        "(1 June, 2023) Ann: Tea.",
    ]
    await memory.acreate_active_memory("alice", "Talk", {"sections": ["t"]}, {"t": "\n".join(said)})

    hits = await memory.asearch("alice", "What did Ann see at the Louvre on 8 May 2023?")

    assert hits[0].content.strip() == said[0]
    assert hits[0].arms.label == hits[0].arms.date == 1
    assert hits[0].weights.keys() == {"lexical", "label", "date"}
    for hit in hits:
        total = sum(weight * getattr(hit.arms, arm) for arm, weight in hit.weights.items())
        assert hit.score == pytest.approx(total, abs=1e-6)
    assert sum(hits[0].weights.values()) == pytest.approx(1)


# Days


async def test_a_day_that_the_question_asks_for_ranks_and_never_filters(memory: AgentMemory, rows: Rows) -> None:
    contents = {"a": "The garden was watered.", "b": "The garden was watered well.", "c": "We met on 2026-11-25."}
    await memory.acreate_active_memory("alice", "Log", {"sections": list(contents)}, contents)
    rows("UPDATE agentmem.memory_chunk SET start_date = '2026-11-24 12:00Z' WHERE section_id = 'b' RETURNING id")
    rows("UPDATE agentmem.memory_chunk SET start_date = '2026-10-01 12:00Z' WHERE section_id <> 'b' RETURNING id")
    now = datetime(2026, 11, 30, 9, tzinfo=UTC)

    dated = await memory.asearch("alice", "Was the garden watered last week?", now=now)
    later = await memory.asearch("alice", "Was the garden watered last week?", now=datetime(2027, 3, 1, tzinfo=UTC))

    assert dated[0].section_id == "b"
    assert {hit.section_id: hit.arms.date for hit in dated} == {"a": 0, "b": 1, "c": 1}
    assert {hit.section_id: hit.arms.date for hit in later} == {"a": 0, "b": 0}
    assert "date" not in later[0].weights, "where nothing is of that time, it does not count"


async def test_when_a_question_is_asked_must_be_a_time_with_a_zone(memory: AgentMemory) -> None:
    with pytest.raises(InvalidInputError, match="now must be a datetime with a time zone"):
        await memory.asearch("alice", "tea", now=datetime(2026, 1, 1))


# Recency


async def test_newer_ones_are_preferred_only_if_asked_for_and_by_no_more_than_a_bound(opened: Open, rows: Rows) -> None:
    plain = opened()
    contents = {"old": "The tea is green tea.", "new": "The tea is green tea.", "best": "green tea"}
    await plain.acreate_active_memory("alice", "Log", {"sections": list(contents)}, contents)
    rows(
        "UPDATE agentmem.memory_chunk SET start_date = now() - interval '10 days' WHERE section_id = 'new' RETURNING id"
    )
    rows(
        "UPDATE agentmem.memory_chunk SET start_date = now() - interval '9 years' WHERE section_id <> 'new' RETURNING id"
    )

    as_it_is = {hit.section_id: hit for hit in await plain.asearch("alice", "green tea")}
    preferring = opened(settings={"recency_half_life_days": 10})
    hits = {hit.section_id: hit for hit in await preferring.asearch("alice", "green tea")}

    assert as_it_is["old"].score == as_it_is["new"].score
    assert hits["new"].recency == pytest.approx(0.5, abs=0.001)
    assert hits["old"].recency == 0.3
    assert hits["new"].score == pytest.approx(as_it_is["new"].score * 0.5, abs=0.001)
    assert next(iter(hits)) == "new"
    assert "times 0.50 for its age" in hits["new"].explain()
