"""One call for a prompt: what a database gives to it, tenant by tenant, and what never does."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import people
import pytest
from fakes import ScriptedModel, WordEmbedder
from reviewing import NEW, OLD, cycle, parked, project, says
from store_and_memory import names

from langgraph_agentmem import AgentMemory, AgentMemoryStore, recall_node
from langgraph_agentmem.errors import InvalidInputError, OutageError

Open = Callable[..., AgentMemory]


@pytest.mark.parametrize("query", [None, "What is the deadline?"])
async def test_without_a_memory_there_is_no_text(memory: AgentMemory, query: str | None) -> None:
    await memory.acreate_active_memory("alice", "Notes", {"sections": ["facts"]})

    context = await memory.acontext("bob", query)

    assert (str(context), context.hits, context.disputes, context.tokens) == ("", [], [], 0)


async def test_empty_sections_are_named_and_items_without_a_text_are_not(memory: AgentMemory) -> None:
    made = await memory.acreate_active_memory("alice", "Notes", {"sections": ["facts"]})
    for value in ({"theme": 1}, {"content": 5}):
        await AgentMemoryStore(memory).aput(("alice", "settings"), str(value), value, index=False)

    context = await memory.acontext("alice")

    assert context.sections.count("<section ") == 1
    assert f'memory_id="{made.id}" section_id="facts" empty="true">' in context.sections


@pytest.mark.parametrize("embedder", [None, WordEmbedder])
async def test_tenants_at_once_see_their_own_memory_only(opened: Open, embedder: Any) -> None:
    memory = opened(index=embedder() if embedder else None)
    for tenant in ("alice", "bob"):
        made = await memory.acreate_active_memory(tenant, f"Of {tenant}", {"sections": ["facts"]})
        await memory.aupdate_active_memory_section(tenant, made.id, "facts", f"- The password of {tenant}.")
        await memory.adelete_active_memory(tenant, made.id)
        again = await memory.acreate_active_memory(tenant, f"Now {tenant}", {"sections": ["facts"]})
        await memory.aupdate_active_memory_section(tenant, again.id, "facts", f"- The key of {tenant}.")

    alice, bob = await asyncio.gather(*(memory.acontext(tenant, "password key") for tenant in ("alice", "bob")))

    for context, own, other in ((alice, "alice", "bob"), (bob, "bob", "alice")):
        assert f"The key of {own}" in context.sections
        assert f"The password of {own}" in context.recalled
        assert other not in str(context)
        assert len(context.hits) == 2


async def test_of_a_closed_memory_what_it_gave_is_recalled_with_its_source(memory: AgentMemory) -> None:
    made = await project(memory, f"## Dates\n- {OLD}")
    await memory.adelete_active_memory("alice", made.id)

    context = await memory.acontext("alice", "deadline")

    today = f"{datetime.now(UTC):%Y-%m-%d}"
    assert context.sections == ""
    assert (
        f'<excerpt memory="Project" section_id="notes" under="Dates" date="{today}" by="ada" '
        f'state="no longer in its section">'
    ) in context.recalled
    assert OLD in context.recalled


async def test_the_sections_are_the_same_bytes_until_one_is_written(opened: Open) -> None:
    memory = opened(review="always", model=ScriptedModel(answer=names))
    made = await project(memory, f"- {OLD}\n- Ada knows Bob.", "more")
    await memory.aupdate_active_memory_section("alice", made.id, "notes", f"- {NEW}\n- Ada knows Bob.")
    first = await memory.acontext("alice")

    async def unchanged() -> bool:
        asked = [await memory.acontext("alice", query, limit=2) for query in (None, "deadline", "Who knows Bob?")]
        return {context.sections for context in asked} == {first.sections}

    assert NEW in first.sections
    assert await unchanged()
    report = await memory.aconsolidate("alice", made.id)
    assert report.parked
    assert await unchanged()
    await memory.apromote("alice", made.id, force=True)
    await memory.reviews.adecide("alice", str(report.run_id), says(report.parked[0], "accept"))
    assert await unchanged()
    await memory.acreate_active_memory("bob", "Notes", {"sections": ["x"]}, {"x": "bob's"})
    assert await unchanged()
    await memory.aupdate_active_memory_section("alice", made.id, "more", "new")
    assert not await unchanged()


async def test_what_has_ended_is_not_in_it(memory: AgentMemory) -> None:
    made = await project(memory, f"- {OLD}")
    report = await cycle(memory, made, f"- {NEW}")
    assert report.chunks_superseded == 1

    context = await memory.acontext("alice", "deadline")

    assert NEW in context.sections
    assert OLD not in str(context)


async def test_a_dispute_is_told_along_with_a_hit_that_it_is_about(opened: Open) -> None:
    memory = opened(review="always")
    made, run, dispute_id = await parked(memory)

    context = await memory.acontext("alice", "deadline")

    [dispute] = context.disputes
    assert (dispute.id, dispute.run_id, dispute.memory_id, dispute.section_id) == (dispute_id, run, made.id, "notes")
    assert (dispute.existing, dispute.new, dispute.memory_title) == ([OLD], NEW, "Project")
    assert '<undecided memory="Project" section_id="notes"' in context.recalled
    assert f"<remembered>\n{OLD}\n</remembered>\n<new>\n{NEW}\n</new>" in context.recalled
    assert (await memory.acontext("alice")).disputes == [dispute]
    assert (await memory.acontext("alice")).recalled == ""
    assert (await memory.acontext("alice", memory_ids=[made.id + 1])).disputes == []
    assert (await memory.acontext("bob", "deadline")).disputes == []
    await memory.reviews.adecide("alice", run, says(dispute_id, "accept"))
    assert (await memory.acontext("alice", "deadline")).disputes == []


def merging(name: str, data: dict[str, Any]) -> dict[str, Any]:
    """Makes one text of the last chunk that is there and the new one."""
    if name != "ConsolidationPlan":
        return {}
    [section] = data["sections"]
    ids = [section["replacements"][0]["chunk_id"], section["new_chunks"][0]["id"]]
    text = "The venue is the town hall. The venue was booked in Rome."
    return {"sections": [{"section_id": "notes", "merged": [{"text": text, "chunk_ids": ids, "reason": "one"}]}]}


@pytest.mark.parametrize(
    ("kind", "answer", "texts"),
    [
        ("entity", people.answer, ("Mercury/planet orbits Sun/star", "Mercury/metal flows Tube/thing")),
        ("relationship", people.answer, ("Ada/person works_at Acme/company", "Ada/person works_at Initech/company")),
        ("merge", merging, ("The venue is the town hall.", "The venue was booked in Rome.")),
    ],
)
async def test_disputes_of_every_kind_say_both_sides_as_the_inbox_does(
    opened: Open, kind: str, answer: Any, texts: tuple[str, str]
) -> None:
    memory = opened(review="manual", model=ScriptedModel(answer=answer))
    made = await project(memory, texts[0])
    await cycle(memory, made, texts[1])

    [shown] = [each for each in (await memory.reviews.apending("alice"))[0].disputes if each.kind == kind]
    [dispute] = [each for each in (await memory.acontext("alice")).disputes if each.kind == kind]

    assert dispute.id == shown.id
    assert dispute.existing == [value.content for value in shown.existing]
    assert dispute.new == shown.new.content


async def test_a_dispute_of_which_one_side_has_ended_is_told_no_more(opened: Open, rows: Any) -> None:
    memory = opened(review="always")
    await parked(memory)
    rows("UPDATE agentmem.memory_chunk SET end_date = now() WHERE content = %s", OLD)

    assert (await memory.acontext("alice", "deadline")).disputes == []


async def test_what_was_kept_of_the_prompts_own_conversation_is_no_hit(memory: AgentMemory) -> None:
    said = [{"role": "user", "content": f"The deadline of step {number} is near."} for number in range(9)]
    long = {"role": "assistant", "content": "The deadline may be moved. " * 50}
    await memory.aadd("alice", [*said, long])

    alone = await memory.acontext("alice", "deadline", limit=3)
    beside = await memory.acontext("alice", "deadline", limit=3, messages=[*said[:8], long])

    assert len(alone.hits) == 3
    assert [hit.content.strip() for hit in beside.hits] == ["User: The deadline of step 8 is near."]
    assert (await memory.acontext("alice", "deadline", messages=[*said, long])).recalled == ""
    with pytest.raises(InvalidInputError, match=r"messages\[0\]"):
        await memory.acontext("alice", "deadline", messages=["hello"])


async def test_only_what_is_in_some_memories_and_hits_of_some_tiers(memory: AgentMemory) -> None:
    made = await project(memory, f"- {OLD}")
    other = await memory.acreate_active_memory("alice", "Other", {"sections": ["x"]}, {"x": "- Deadline of tests"})

    one = await memory.acontext("alice", "deadline", memory_ids=[other.id])
    tiers = await memory.acontext("alice", "deadline", tiers=["active"])

    assert OLD not in one.sections
    assert [hit.memory_id for hit in one.hits] == [other.id]
    assert {hit.tier for hit in tiers.hits} == {"active"}
    assert tiers.sections == (await memory.acontext("alice")).sections
    assert made.title in tiers.sections
    assert str(await memory.acontext("alice", "deadline", memory_ids=[])) == ""


async def test_items_of_stores_are_sections_unless_they_have_expired(memory: AgentMemory, rows: Any) -> None:
    store = AgentMemoryStore(memory)
    await store.aput(("alice", "notes"), "tea", {"text": "She drinks green tea.", "n": 1}, ttl=60)
    await store.aput(("alice", "notes"), "hidden", {"text": "not searched"}, index=False)

    context = await memory.acontext("alice", "green tea")

    assert "She drinks green tea." in context.sections
    assert "not searched" not in context.sections
    assert len(context.hits) == 1
    rows("UPDATE agentmem.section SET expires_at = now() - interval '1 hour' WHERE section_id = 'tea'")
    assert (await memory.acontext("alice")).sections == ""


async def test_of_more_sections_than_fit_those_written_last_are_read(memory: AgentMemory) -> None:
    store = AgentMemoryStore(memory)
    for place in range(40):
        await store.aput(("alice", f"space {place % 3}"), f"{place:02}", {"text": f"Item {place:02}."})

    context = await memory.acontext("alice", token_budget=400)

    assert context.tokens <= 280
    shown = {place for place in range(40) if f"Item {place:02}." in context.sections}
    assert shown == set(range(40 - len(shown), 40))
    assert 3 < len(shown) < 20


async def test_the_caller_counts_tokens(memory: AgentMemory) -> None:
    await project(memory, f"- {OLD}")

    def words(text: str) -> int:
        return len(text.split())

    context = await memory.acontext("alice", "deadline", token_budget=100, count_tokens=words)

    assert context.tokens == words(str(context)) <= 70
    assert OLD in context.sections
    assert str(await memory.acontext("alice", "deadline", token_budget=10, count_tokens=words)) == ""


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"external_id": ""}, "external_id must not be empty"),
        ({"query": " "}, "query must not be empty"),
        ({"query": 7}, "query must be a string"),
        ({"token_budget": 0}, "token_budget must be an integer of at least 1, not 0"),
        ({"memory_ids": "1"}, "memory_ids must be a list of memory ids, not '1'"),
        ({"query": "x", "tiers": ["old"]}, "tiers must be a non-empty list"),
        ({"tiers": ["old"]}, "tiers must be a non-empty list"),
        ({"limit": 0}, "limit must be an integer of at least 1, not 0"),
        ({"now": datetime(2026, 1, 1)}, "now must be a datetime with a time zone"),
        ({"count_tokens": 4}, "count_tokens must be a function, not 4"),
        (
            {"count_tokens": lambda text: "many"},
            "what count_tokens returns must be an integer of at least 0, not 'many'",
        ),
    ],
)
async def test_what_cannot_be_accepted_is_refused(memory: AgentMemory, arguments: dict[str, Any], problem: str) -> None:
    await project(memory, f"- {OLD}")

    with pytest.raises(InvalidInputError, match=problem):
        await memory.acontext(**{"external_id": "alice"} | arguments)


async def test_a_database_that_fails_is_an_error_and_never_an_empty_memory() -> None:
    memory = AgentMemory.open("postgresql://127.0.0.1:1/x")

    with pytest.raises(OutageError):
        await memory.acontext("alice")


async def test_a_node_writes_the_hits_and_a_text_for_a_prompt(memory: AgentMemory) -> None:
    made = await project(memory, f"- {OLD}")
    await memory.adelete_active_memory("alice", made.id)
    await project(memory, "- Bo is away.")
    state = {"external_id": "alice", "query": "deadline"}

    plain = await recall_node(memory).ainvoke(state)
    update = await recall_node(memory, context="known", token_budget=300).ainvoke(state)

    assert update == plain | {"known": str(await memory.acontext("alice", "deadline", token_budget=300))}
    assert [hit["content"] for hit in update["memories"]] == [f"- {OLD}"]
    assert "- Bo is away." in update["known"]
    assert OLD in update["known"]
