"""What the rules are not sure of stays, is marked on both sides, and is preferred by age; a model may decide, if it reads."""

from collections.abc import Callable
from typing import Any

from fakes import ScriptedModel

from langgraph_agentmem import ActiveMemory, AgentMemory, ConsolidationReport, SearchHit
from langgraph_agentmem.policies.controls import ALWAYS_TRUE

Open = Callable[..., AgentMemory]
Rows = Callable[..., list[tuple[object, ...]]]
OLD, NEW = "We use Postgres for orders.", "We use MySQL for orders."


async def project(memory: AgentMemory) -> ActiveMemory:
    return await memory.acreate_active_memory("alice", "Project", {"sections": ["notes"]})


async def cycle(memory: AgentMemory, project: ActiveMemory, content: str) -> ConsolidationReport:
    await memory.aupdate_active_memory_section("alice", project.id, "notes", content)
    return await memory.aconsolidate("alice", project.id)


async def found(memory: AgentMemory, query: str = "orders") -> dict[str, SearchHit]:
    return {hit.content: hit for hit in await memory.asearch("alice", query)}


async def test_an_unclear_pair_stays_is_marked_on_both_sides_and_the_later_one_comes_first(memory: AgentMemory) -> None:
    created = await project(memory)
    await cycle(memory, created, OLD)
    report = await cycle(memory, created, NEW)
    assert (report.chunks_superseded, report.chunks_unclear, report.parked) == (0, 1, [])
    [decision] = report.decisions
    assert (decision.action, decision.decided_by) == ("keep", "rules")
    assert decision.reason.startswith("unclear: ")
    # the query's words are those of the earlier one, which would be the better hit
    hits = await found(memory, "postgres for orders")
    assert list(hits) == [NEW, OLD]
    assert hits[OLD].arms.lexical > hits[NEW].arms.lexical
    assert (hits[OLD].unclear_with, hits[NEW].unclear_with) == ([hits[NEW].chunk_id], [hits[OLD].chunk_id])


async def test_a_mark_is_gone_once_one_of_the_two_has_ended(memory: AgentMemory) -> None:
    created = await project(memory)
    await cycle(memory, created, OLD)
    await cycle(memory, created, NEW)
    report = await cycle(memory, created, "We do not use MySQL for orders.")
    assert report.chunks_superseded == 1
    assert (await found(memory))[OLD].unclear_with == []


async def test_undoing_the_run_takes_the_marks_back(memory: AgentMemory, rows: Rows) -> None:
    created = await project(memory)
    await cycle(memory, created, OLD)
    report = await cycle(memory, created, NEW)
    await memory.runs.aundo("alice", str(report.run_id))
    assert rows("SELECT DISTINCT unclear_with FROM agentmem.memory_chunk") == [(None,)]


async def test_what_is_left_of_a_chunk_is_what_is_marked(memory: AgentMemory) -> None:
    created = await project(memory)
    await cycle(memory, created, f"Budget: 5000. {OLD}")
    report = await cycle(memory, created, f"Budget: 6000. {NEW}")
    assert (report.chunks_superseded, report.chunks_unclear) == (1, 1)
    hits = await found(memory)
    assert hits[OLD].origin == "leftover"
    assert hits[OLD].unclear_with == [hits[f"Budget: 6000. {NEW}"].chunk_id]


async def test_a_higher_or_lower_precision_is_followed(opened: Open) -> None:
    for precision, superseded in ((1.0, 0), (0.98, 1)):
        memory = opened(settings={"conflict_precision": precision})
        created = await memory.acreate_active_memory("alice", f"P{precision}", {"sections": ["notes"]})
        await cycle(memory, created, "Budget: 5000")
        assert (await cycle(memory, created, "Budget: 6000")).chunks_superseded == superseded
    memory = opened(settings={"conflict_precision": 0.75})
    created = await memory.acreate_active_memory("alice", "Bold", {"sections": ["notes"]})
    await cycle(memory, created, OLD)
    assert (await cycle(memory, created, NEW)).chunks_superseded == 1


def resolver(decide: Callable[[str], bool]) -> ScriptedModel:
    """A model that supersedes those chunks that it is asked about of which a function says so."""

    def answer(name: str, data: dict[str, Any]) -> dict[str, Any]:
        if name == "Extraction":
            return {}
        sections: list[dict[str, Any]] = []
        for section in data["sections"]:
            contents = {chunk["id"]: chunk["content"] for chunk in section["existing_chunks"]}
            decisions = [
                {"chunk_id": r["chunk_id"], "action": "supersede", "replaced_by": r["replaced_by"]}
                if decide(contents[r["chunk_id"]])
                else {"chunk_id": r["chunk_id"], "action": "keep"}
                for r in section["replacements"]
            ]
            sections.append({"section_id": section["section_id"], "decisions": decisions})
        return {"sections": sections}

    return ScriptedModel(answer=answer)


async def test_a_model_that_reads_decides_and_nothing_is_marked(opened: Open) -> None:
    memory = opened(model=resolver(lambda content: content == OLD))
    created = await project(memory)
    await cycle(memory, created, OLD)
    report = await cycle(memory, created, NEW)
    assert (report.chunks_superseded, report.chunks_unclear, report.chunks_decided_by_model) == (1, 0, 1)
    assert list(await found(memory)) == [NEW]


async def test_a_model_is_asked_about_corrections_in_other_words_too(opened: Open) -> None:
    memory = opened(model=resolver(lambda content: "commute" in content))
    created = await project(memory)
    await cycle(memory, created, "My commute is 45 minutes by train.")
    report = await cycle(memory, created, "I work from home these days, there is no commute.")
    assert report.chunks_superseded == 1


async def test_a_model_that_ends_whatever_it_is_asked_about_decides_nothing(opened: Open) -> None:
    memory = opened(model=resolver(lambda content: True))
    created = await project(memory)
    await cycle(memory, created, OLD)
    report = await cycle(memory, created, NEW)
    assert (report.chunks_superseded, report.chunks_unclear) == (0, 1)
    assert "a statement that nothing contradicts" in report.failures[0]
    assert [d.refused for d in report.decisions if d.refused]
    assert set(await found(memory)) == {OLD, NEW}


async def test_control_statements_are_asked_about_and_leave_no_trace(opened: Open, rows: Rows) -> None:
    model = resolver(lambda content: content == OLD)
    memory = opened(model=model)
    created = await project(memory)
    await cycle(memory, created, OLD)
    await cycle(memory, created, NEW)
    assert any(text in str(prompt) for prompt in model.prompts for text in ALWAYS_TRUE)
    kept = str(rows("SELECT conflicts, plan, report FROM agentmem.consolidation_run"))
    assert not any(text in kept for text in ALWAYS_TRUE)


async def test_what_a_model_sees_of_a_chunk_says_what_it_belongs_to_and_who_wrote_it(opened: Open) -> None:
    seen: list[dict[str, Any]] = []

    def answer(name: str, data: dict[str, Any]) -> dict[str, Any]:
        if name != "Extraction":
            seen.extend(data["sections"])
        return {}

    memory = opened(model=ScriptedModel(answer=answer))
    created = await project(memory)
    for value in ("lose five kilos", "sleep eight hours"):
        text = f"# Health\n\npeople:\n- name: Ada\n  goal: {value}\n"
        await memory.aupdate_active_memory_section("alice", created.id, "notes", text, source="coach")
        await memory.aconsolidate("alice", created.id)
    [section] = seen
    [old] = [chunk for chunk in section["existing_chunks"] if "lose" in chunk["content"]]
    assert old["place"] == {"headings": ["Health"], "parents": ["people", "Ada"]}
    assert (old["source"], bool(old["written_at"])) == ("coach", True)


def answered_by(decide: Callable[[dict[str, Any]], bool], seen: list[dict[str, Any]]) -> ScriptedModel:
    """A model that supersedes what it is asked about where a function says so of the chunk as it sees it."""

    def answer(name: str, data: dict[str, Any]) -> dict[str, Any]:
        if name == "Extraction":
            return {}
        seen.extend(data["sections"])
        return {
            "sections": [
                {
                    "section_id": section["section_id"],
                    "decisions": [
                        {"chunk_id": r["chunk_id"], "action": "supersede", "replaced_by": r["replaced_by"]}
                        for r in section["replacements"]
                        if decide(next(c for c in section["existing_chunks"] if c["id"] == r["chunk_id"]))
                    ],
                }
                for section in data["sections"]
            ]
        }

    return ScriptedModel(answer=answer)


async def test_a_model_sees_between_which_lines_an_old_chunk_stood(opened: Open) -> None:
    seen: list[dict[str, Any]] = []
    memory = opened(model=answered_by(lambda chunk: "orders" in chunk.get("before", ""), seen))
    created = await project(memory)
    await cycle(
        memory, created, "What holds the orders?\n\nPostgres, in Oslo.\n\nWhat holds the cache?\n\nRedis, in Oslo.\n"
    )
    report = await cycle(memory, created, "Orders now go to MySQL, in Oslo.")
    assert (report.chunks_superseded, report.failures) == (1, [])
    hits = {hit.content.strip() for hit in await memory.asearch("alice", "Oslo", limit=20)}
    assert "Redis, in Oslo." in hits
    assert "Postgres, in Oslo." not in hits
    shown = {chunk["content"].strip(): chunk for chunk in seen[0]["existing_chunks"]}
    postgres, redis = shown["Postgres, in Oslo."], shown["Redis, in Oslo."]
    assert (postgres["before"], postgres["after"]) == ("What holds the orders?", "What holds the cache?")
    assert (redis["before"], "after" in redis) == ("What holds the cache?", False)


async def test_what_a_model_sees_around_a_chunk_is_bounded_and_only_what_is_sure(opened: Open) -> None:
    seen: list[dict[str, Any]] = []
    model = answered_by(lambda chunk: False, seen)
    memory = opened(model=model)
    created = await project(memory)
    long = " ".join(f"word{number}" for number in range(2_000))
    twice = "Mail is sent by the old relay."
    text = f"{long}\n\nWe use Postgres for orders.\n\n{long}\n\n{twice}\n\nIn between.\n\n{twice}\n"
    await cycle(memory, created, text)
    await cycle(memory, created, "We use MySQL for orders.\n\nMail is sent by another relay.")
    shown = {chunk["content"].strip(): chunk for chunk in seen[0]["existing_chunks"]}
    orders = shown[OLD]
    assert orders["before"].startswith("…")
    assert orders["before"].endswith("word1999")
    assert orders["after"].startswith("word0 ")
    assert {len(orders["before"]), len(orders["after"])} == {200}
    assert not shown[twice].keys() & {"before", "after"}, "it stood in two places"
    asked = {r["chunk_id"] for r in seen[0]["replacements"]}
    assert {chunk["content"] for chunk in shown.values() if "before" in chunk and chunk["id"] not in asked} == set()


async def test_the_lines_around_a_chunk_are_those_of_the_time_at_which_it_stood_there(opened: Open, rows: Rows) -> None:
    seen: list[dict[str, Any]] = []
    memory = opened(model=answered_by(lambda chunk: False, seen))
    created = await project(memory)
    await cycle(memory, created, f"The shop is in Oslo.\n\n{OLD}\n\nAda looks after it.\n")
    # it stays, between other lines, until it goes
    await cycle(memory, created, f"The shop is in Rome.\n\n{OLD}\n\nBo wrote this.\n")
    seen.clear()
    await cycle(memory, created, f"The shop is in Rome.\n\n{NEW}\n\nBo wrote this.\n")
    old = next(chunk for section in seen for chunk in section["existing_chunks"] if chunk["content"].strip() == OLD)
    assert (old["before"], old["after"]) == ("The shop is in Oslo.", "Ada looks after it.")
    await memory.adelete_active_memory("alice", created.id, forget=True)
    assert "Ada looks after it" not in str(rows("SELECT conflicts FROM agentmem.consolidation_run"))


async def test_a_record_that_leaves_a_list_is_kept_and_the_others_change(memory: AgentMemory) -> None:
    created = await project(memory)
    await cycle(memory, created, "- name: Ada\n  phone: '111'\n- name: Bob\n  phone: '222'\n")
    report = await cycle(memory, created, "- name: Bob\n  phone: '444'\n")
    assert report.chunks_superseded == 1
    hits = {hit.content.strip(): hit for hit in await memory.asearch("alice", "phone", limit=20)}
    assert "phone: '222'" not in hits
    assert hits["phone: '111'"].metadata == {"parents": ["Ada"]}
    assert hits["phone: '444'"].metadata == {"parents": ["Bob"]}


async def test_equal_lines_of_different_records_are_different_chunks(memory: AgentMemory) -> None:
    created = await project(memory)
    await cycle(memory, created, "- name: Ada\n  role: developer\n- name: Bob\n  role: developer\n")
    await cycle(memory, created, "- name: Bob\n  role: developer\n")
    await cycle(memory, created, "- name: Bob\n  role: lead\n")
    hits = {
        (hit.content.strip(), *hit.metadata.get("parents", []))
        for hit in await memory.asearch("alice", "role", limit=20)
    }
    assert {("role: developer", "Ada"), ("role: lead", "Bob")} <= hits
    assert ("role: developer", "Bob") not in hits
