"""The checkpointer's mapping of state onto sections: counts, conflicts, threads that start from memory."""

import asyncio
import logging
import operator
import re
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Any, TypedDict

import pytest
from langgraph.channels import EphemeralValue
from langgraph.channels.delta import DeltaChannel
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, Overwrite, interrupt

from langgraph_agentmem import AgentMemory, AgentMemorySaver, MemorySection, hydrate_node
from langgraph_agentmem.checkpoint import SectionConflict
from langgraph_agentmem.errors import ConfigurationError, InvalidInputError, InvalidTextError, StateConflictError

Rows = Callable[..., list[tuple[object, ...]]]
Savers = Callable[..., AgentMemorySaver]


class State(TypedDict, total=False):
    progress: Annotated[str, MemorySection("What is done")]
    facts: Annotated[list[str], MemorySection("What is known"), operator.add]
    say: dict[str, Any]


@pytest.fixture
def savers(opened_savers: Savers) -> Savers:
    return partial(opened_savers, state_schema=State)


def agent(saver: AgentMemorySaver, schema: type = State, *, hydrate: bool = False) -> Any:
    """A graph that writes into its state whatever it is told, one dict a step; with a first node that loads memory."""

    def work(state: Any) -> Any:
        return state.get("say") or {}

    graph = StateGraph(schema)
    graph.add_node("work", work)
    if hydrate:
        graph.add_node("hydrate", hydrate_node(saver))
        graph.add_edge("hydrate", "work")
    graph.add_edge(START, "hydrate" if hydrate else "work")
    graph.add_edge("work", END)
    return graph.compile(checkpointer=saver)


def of(thread: str, tenant: str | None = "alice", **more: Any) -> dict[str, Any]:
    return {"configurable": {"thread_id": thread} | ({"user_id": tenant} if tenant else {}) | more}


async def sections(memory: AgentMemory, tenant: str = "alice") -> dict[str, tuple[str, int]]:
    """(content, pending updates) by section of a tenant's only memory."""
    [found] = await memory.aget_active_memories(tenant)
    return {id: (section.content, section.update_count) for id, section in found.sections.items()}


# What is written


async def test_what_a_step_changes_is_one_batch_of_updates(savers: Savers, rows: Rows) -> None:
    saver = savers()
    graph = agent(saver)

    await graph.ainvoke({"say": {"progress": "begun", "facts": ["tea: green"]}}, of("1"))

    assert await sections(saver.memory) == {"progress": ("begun", 1), "facts": ("- 'tea: green'", 1)}
    [memory] = await saver.memory.aget_active_memories("alice")
    assert (memory.title, memory.namespace) == ("Agent state", ("alice", "Agent state"))
    assert memory.sections["progress"].description == "What is done"
    assert memory.sections["progress"].source == "thread 1"
    assert memory.consolidation_info.total_update_count == 2
    assert rows("SELECT count(DISTINCT updated_at) FROM agentmem.section") == [(1,)]
    [hit] = await saver.memory.asearch("alice", "green tea")
    assert (hit.section_id, hit.content) == ("facts", "- 'tea: green'")


async def test_an_unchanged_value_is_no_update(savers: Savers) -> None:
    saver = savers()
    graph = agent(saver)

    for _ in range(3):
        await graph.ainvoke({"say": {"progress": "begun"}}, of("1"))
    assert await sections(saver.memory) == {"progress": ("begun", 1), "facts": ("", 0)}
    await graph.ainvoke({"say": {"progress": "begun "}}, of("1"))
    assert (await sections(saver.memory))["progress"] == ("begun ", 2)


async def test_updates_make_the_memory_due_and_are_consolidated(savers: Savers) -> None:
    saver = savers(settings={"avg_section_update_count": 1})
    graph = agent(saver)

    await graph.ainvoke({"say": {"progress": "The tea is made", "facts": ["Alice likes tea"]}}, of("1"))
    [memory] = await saver.memory.aget_active_memories("alice")
    assert memory.consolidation_info.will_consolidate

    [report] = await saver.memory.queue.arun_due()
    assert (report.status, report.updates_consumed, report.chunks_added) == ("applied", 2, 2)
    await graph.ainvoke({"say": {"progress": "The tea is drunk"}}, of("1"))
    assert await sections(saver.memory) == {"progress": ("The tea is drunk", 1), "facts": ("- Alice likes tea", 0)}


async def test_chunks_are_embedded_later_and_found_by_their_words_until_then(dsn: str, rows: Rows) -> None:
    from fakes import WordEmbedder

    embedder = WordEmbedder()
    async with AgentMemorySaver.from_conn_string(dsn, state_schema=State, index=embedder) as saver:
        before = len(embedder.calls)
        await agent(saver).ainvoke({"say": {"progress": "The tea is made"}}, of("1"))
        assert len(embedder.calls) == before
        assert rows("SELECT content FROM agentmem.memory_chunk") == []
        assert [hit.content for hit in await saver.memory.asearch("alice", "tea")] == ["The tea is made"]
        assert rows("SELECT embedding IS NULL FROM agentmem.memory_chunk") == [(True,)]
        await saver.memory.queue.arun_due()
        assert rows("SELECT embedding IS NULL FROM agentmem.memory_chunk") == [(False,)]


class Emptied(TypedDict, total=False):
    passing: Annotated[str, MemorySection(), EphemeralValue]
    say: dict[str, Any]


async def test_a_channel_that_loses_its_value_empties_its_section(savers: Savers, rows: Rows) -> None:
    saver = savers(state_schema=Emptied)
    graph = agent(saver, Emptied)

    await graph.ainvoke({"say": {"passing": "a thought"}}, of("1"))
    await graph.ainvoke({"say": {}}, of("1"))

    assert await sections(saver.memory) == {"passing": ("", 2)}


async def test_none_empties_a_section(savers: Savers) -> None:
    saver = savers()
    graph = agent(saver)

    await graph.ainvoke({"say": {"progress": "begun"}}, of("1"))
    await graph.ainvoke({"say": {"progress": None}}, of("1"))

    assert (await sections(saver.memory))["progress"] == ("", 2)


async def test_at_exit_only_the_last_values_are_written(savers: Savers) -> None:
    saver = savers()
    steps = StateGraph(State)
    steps.add_sequence(
        [(f"step {n}", lambda state, n=n: {"progress": f"step {n}", "facts": [str(n)]}) for n in range(3)]
    )
    steps.add_edge(START, "step 0")
    graph = steps.compile(checkpointer=saver)

    await graph.ainvoke({}, of("1"), durability="exit")
    assert await sections(saver.memory) == {"progress": ("step 2", 1), "facts": ("- '0'\n- '1'\n- '2'", 1)}
    await graph.ainvoke({}, of("2"), durability="sync")
    assert (await sections(saver.memory))["progress"] == ("step 2", 4)  # step 0, step 1, and step 2 again


async def test_a_schema_that_has_grown_gets_its_new_sections(savers: Savers) -> None:
    class Grown(State, total=False):
        plan: Annotated[str, MemorySection("What comes next")]

    await agent(savers()).ainvoke({"say": {"progress": "begun"}}, of("1"))
    saver = savers(state_schema=Grown)
    await agent(saver, Grown).ainvoke({"say": {"plan": "rest"}}, of("1"))

    assert await sections(saver.memory) == {"progress": ("begun", 1), "facts": ("", 0), "plan": ("rest", 1)}
    [memory] = await saver.memory.aget_active_memories("alice")
    assert [section.id for section in memory.template.sections] == ["progress", "facts", "plan"]
    assert memory.section_count == 3


async def test_a_section_that_was_deleted_comes_back_above_its_old_revision(savers: Savers) -> None:
    from langgraph_agentmem import AgentMemoryStore

    saver = savers()
    graph = agent(saver)
    await graph.ainvoke({"say": {"progress": "begun"}}, of("1"))
    [before] = await saver.memory.aget_active_memories("alice")
    await AgentMemoryStore(saver.memory).adelete(("alice", "Agent state"), "progress")

    await graph.ainvoke({"say": {"progress": "begun"}}, of("1"))

    [after] = await saver.memory.aget_active_memories("alice")
    assert after.sections["progress"].content == "begun"
    assert after.sections["progress"].revision > before.sections["progress"].revision
    assert after.section_count == 2


async def test_a_memory_that_exists_is_used_with_what_it_has(savers: Savers, memory: AgentMemory) -> None:
    made = await memory.acreate_active_memory(
        "alice",
        "Agent state",
        {"sections": [{"id": "persona", "content": "kind"}, {"id": "progress", "content": "none"}]},
    )
    saver = savers()

    await agent(saver).ainvoke({"say": {"progress": "begun"}}, of("1"))

    found = await memory.aget_active_memory("alice", made.id)
    assert {id: section.content for id, section in found.sections.items()} == {"persona": "kind", "progress": "begun"}
    await agent(saver).ainvoke({"say": {"facts": ["tea"]}}, of("1"))
    assert {"persona", "progress", "facts"} == (await memory.aget_active_memory("alice", made.id)).sections.keys()


# Whose memory it is


async def test_without_a_tenant_it_is_a_plain_checkpointer_that_warns_once(
    savers: Savers, caplog: pytest.LogCaptureFixture, rows: Rows
) -> None:
    saver = savers()
    graph = agent(saver)

    with caplog.at_level(logging.WARNING):
        for thread in "12":
            await graph.ainvoke({"say": {"progress": "begun"}}, of(thread, None))
        await agent(saver.with_allowlist([("a", "b")])).ainvoke({"say": {"progress": "more"}}, of("1", None))

    assert (await graph.aget_state(of("1", None))).values["progress"] == "more"
    assert rows("SELECT count(*) FROM agentmem.active_memory") == [(0,)]
    assert [record.message for record in caplog.records if "tenant" in record.message] == [
        "a checkpoint names no tenant (agent_id or user_id in config['configurable']); its state is not written into memory"
    ]


async def test_tenants_and_titles_come_from_the_config(savers: Savers) -> None:
    saver = savers(tenant=("team", "user_id"), title="Notes of {thread_id}")
    graph = agent(saver)

    await graph.ainvoke({"say": {"progress": "by a team"}}, of("1", team="crew"))
    await graph.ainvoke({"say": {"progress": "alone"}}, of("2"))
    await graph.ainvoke({"say": {"progress": "by number"}}, of("3", None, user_id=7))

    found = {tenant: await saver.memory.aget_active_memories(tenant) for tenant in ("crew", "alice", "7")}
    assert {tenant: [m.title for m in memories] for tenant, memories in found.items()} == {
        "crew": ["Notes of 1"], "alice": ["Notes of 2"], "7": ["Notes of 3"]
    }  # fmt: skip


async def test_what_the_title_needs_must_be_there(savers: Savers, rows: Rows) -> None:
    graph = agent(savers(title="Notes of {project}"))

    with pytest.raises(InvalidInputError, match=r"title 'Notes of \{project\}' needs 'project'.*thread_id, user_id"):
        await graph.ainvoke({"say": {"progress": "begun"}}, of("1"), durability="sync")
    assert rows("SELECT count(*) FROM agentmem.section") == [(0,)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"title": "{thread_id.__class__}"}, "title"),
        ({"title": "{thread_id!r}"}, "title"),
        ({"title": "{0}"}, "title"),
        ({"title": "{"}, "cannot be read"),
        ({"title": " "}, "title must not be empty"),
        ({"tenant": ()}, "tenant must name keys of configurable"),
        ({"on_conflict": "merge"}, "on_conflict must be 'last_write', 'refuse' or a function"),
        ({"state_schema": dict}, "marks no channel|no state of a graph"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(savers: Savers, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        savers(**arguments)
    with pytest.raises(ConfigurationError, match="memory must be an AgentMemory, not str"):
        AgentMemorySaver("postgresql://")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (
            {"progress": "x" * 1_001},
            InvalidTextError,
            r"channel 'progress' has 1,001 characters of text; the limit is 1,000",
        ),
        ({"facts": [b"\xff"]}, InvalidInputError, r"channel 'facts' \(list\) cannot be made a text"),
    ],
)
async def test_a_value_that_cannot_be_a_section_fails_the_checkpoint(
    savers: Savers, rows: Rows, value: dict[str, Any], error: type[Exception], message: str
) -> None:
    graph = agent(savers(settings={"max_content_chars": 1_000}))
    await graph.ainvoke({"say": {"progress": "begun"}}, of("1"))
    before = rows("SELECT checkpoint_id FROM checkpoints ORDER BY 1")

    with pytest.raises(error, match=message):
        await graph.aupdate_state(of("1"), value)

    assert rows("SELECT checkpoint_id FROM checkpoints ORDER BY 1") == before
    assert rows("SELECT value ->> 'content' FROM agentmem.section ORDER BY section_id") == [("",), ("begun",)]


# Threads that start from memory


async def test_a_second_thread_starts_with_what_the_first_one_knew(savers: Savers) -> None:
    saver = savers()
    graph = agent(saver, hydrate=True)
    await graph.ainvoke({"say": {"progress": "begun", "facts": ["tea"]}}, of("1"))

    state = await graph.ainvoke({"say": {"facts": ["cake"]}}, of("2"))

    assert state["progress"] == "begun"
    assert state["facts"] == ["tea", "cake"]
    assert await sections(saver.memory) == {"progress": ("begun", 1), "facts": ("- tea\n- cake", 2)}
    assert await graph.ainvoke({"say": {}}, of("3", "bob")) == {"facts": [], "say": {}}


async def test_a_thread_that_goes_on_takes_what_others_changed_but_keeps_its_own(savers: Savers) -> None:
    saver = savers()
    graph = agent(saver, hydrate=True)
    await graph.ainvoke({"say": {"progress": "begun", "facts": ["tea"]}}, of("1"))
    await graph.ainvoke({"say": {"progress": "half done"}}, of("2"))

    state = await graph.ainvoke({"say": {"facts": ["cake"]}}, of("1"))
    assert (state["progress"], state["facts"]) == ("half done", ["tea", "cake"])
    state = await graph.ainvoke({"progress": "as I say", "say": {}}, of("2"))
    assert state["progress"] == "as I say"


async def test_a_section_edited_as_text_is_read_again_and_what_cannot_be_is_refused(savers: Savers) -> None:
    saver = savers()
    graph = agent(saver, hydrate=True)
    await graph.ainvoke({"say": {"facts": ["tea"]}}, of("1"))
    [memory] = await saver.memory.aget_active_memories("alice")
    edit = {"section_id": "facts", "new_content": "* not a list"}
    await saver.memory.aupdate_active_memory_sections("alice", memory.id, [edit | {"new_content": "- tea\n- milk"}])
    assert (await graph.ainvoke({"say": {}}, of("2")))["facts"] == ["tea", "milk"]

    await saver.memory.aupdate_active_memory_sections("alice", memory.id, [edit])
    with pytest.raises(InvalidInputError, match=r"(?s)section 'facts' cannot be read as a value of channel 'facts'"):
        await graph.ainvoke({"say": {}}, of("3"))
    assert saver.hydrate.__name__ == "hydrate"


async def test_what_was_read_from_memory_is_not_written_back_over_what_came_meanwhile(savers: Savers) -> None:
    """Another thread writes between a thread's reading and its checkpoint."""
    saver = savers()
    await agent(saver).ainvoke({"say": {"progress": "old"}}, of("1"))

    async def meanwhile(state: State) -> State:
        await agent(saver).ainvoke({"say": {"progress": "new"}}, of("1"))
        return {}

    graph = StateGraph(State)
    graph.add_node("hydrate", hydrate_node(saver))
    graph.add_node("meanwhile", meanwhile)
    graph.add_edge(START, "hydrate")
    graph.add_edge(START, "meanwhile")  # in the same step, so that the values are stored after both
    state = await graph.compile(checkpointer=saver).ainvoke({}, of("2"))

    assert state["progress"] in ("old", "new")
    assert await sections(saver.memory) == {"progress": ("new", 2), "facts": ("", 0)}


async def test_the_helper_tells_what_a_new_thread_starts_with(savers: Savers) -> None:
    saver = savers()
    await agent(saver).ainvoke({"say": {"progress": "begun", "facts": ["tea"]}}, of("1"))

    assert (await saver.ahydrate(of("2")))["progress"] == "begun"
    assert await saver.ahydrate(of("2", None)) == {}
    assert await saver.ahydrate(of("2", "bob")) == {}
    assert await savers(state_schema=None, sections={}).ahydrate(of("2")) == {}


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
@pytest.mark.parametrize("on_conflict", ["last_write", "refuse"])
async def test_empty_values_to_begin_with_do_not_wipe_what_is_known(
    savers: Savers, durability: Any, on_conflict: Any
) -> None:
    saver = savers(on_conflict=on_conflict)
    graph = agent(saver, hydrate=True)
    await graph.ainvoke({"say": {"progress": "known", "facts": ["tea"]}}, of("1"))

    said = {"progress": "", "facts": [], "say": {"facts": ["cake"]}}
    state = await graph.ainvoke(said, of("2"), durability=durability)

    assert (state["progress"], state["facts"]) == ("known", ["tea", "cake"])
    assert await sections(saver.memory) == {"progress": ("known", 1), "facts": ("- tea\n- cake", 2)}


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
async def test_what_was_read_by_a_run_that_failed_has_not_been_seen(savers: Savers, durability: Any) -> None:
    saver = savers(on_conflict="refuse")
    fails = [False]

    def work(state: State) -> State:
        if fails[0]:
            raise RuntimeError("the network is down")
        return {"progress": f"{state.get('progress', '')} and more"}

    graph = StateGraph(State)
    graph.add_node("hydrate", hydrate_node(saver))
    graph.add_node("work", work)
    graph.add_edge(START, "hydrate")
    graph.add_edge("hydrate", "work")
    compiled = graph.compile(checkpointer=saver)
    await compiled.ainvoke({"progress": "begun"}, of("1"), durability=durability)
    [memory] = await saver.memory.aget_active_memories("alice")
    edit = [{"section_id": "progress", "new_content": "by a colleague"}]
    await saver.memory.aupdate_active_memory_sections("alice", memory.id, edit)
    fails[0] = True
    with pytest.raises(RuntimeError):
        await compiled.ainvoke({"say": {}}, of("1"), durability=durability)
    fails[0] = False

    await compiled.ainvoke({"say": {}}, of("1"), durability=durability)

    assert (await sections(saver.memory))["progress"][0] == "by a colleague and more"


async def test_what_was_read_and_never_used_has_not_been_seen(savers: Savers) -> None:
    saver = savers(on_conflict="refuse")
    await agent(saver).ainvoke({"say": {"progress": "by one"}}, of("1"))
    assert await saver.ahydrate(of("2")) == await saver.ahydrate(of("2")) == {"progress": "by one"}

    with pytest.raises(StateConflictError):
        await agent(saver).ainvoke({"say": {"progress": "by two"}}, of("2"), durability="sync")
    assert (await saver.ahydrate(of("3"))) == {"progress": "by one"}
    await agent(saver).ainvoke({**await saver.ahydrate(of("3")), "say": {}}, of("3"))
    await agent(saver).ainvoke({"say": {"progress": "by three"}}, of("3"))
    assert (await sections(saver.memory))["progress"][0] == "by three"


async def test_a_section_that_another_thread_emptied_is_empty(savers: Savers) -> None:
    saver = savers()
    graph = agent(saver, hydrate=True)
    await graph.ainvoke({"say": {"progress": "begun", "facts": ["tea"]}}, of("1"))
    await graph.ainvoke({"say": {}}, of("2"))
    await agent(saver).ainvoke({"say": {"progress": "", "facts": Overwrite([])}}, of("1"))

    state = await graph.ainvoke({"say": {}}, of("2"))

    assert (state["progress"], state["facts"]) == ("", [])


async def test_hydrating_says_what_it_needs(savers: Savers) -> None:
    with pytest.raises(InvalidInputError, match="the config names no thread"):
        await savers().ahydrate({"configurable": {"user_id": "alice"}})
    with pytest.raises(ConfigurationError, match="no section can be read back"):
        await savers(state_schema=None, sections={"facts": "facts"}).ahydrate(of("1"))


# Threads without a tenant of their own


async def test_a_person_who_mends_a_state_need_not_name_the_tenant(savers: Savers) -> None:
    saver = savers(title="Notes of {project}")
    graph = agent(saver)
    await graph.ainvoke({"say": {"progress": "as the agent says"}}, of("1", project="Rome"))
    for text in ("as a person says", "as another person says"):
        snapshot = await graph.aget_state({"configurable": {"thread_id": "1"}})
        await graph.aupdate_state(snapshot.config, {"progress": text})
        assert (await sections(saver.memory))["progress"][0] == text
    await graph.ainvoke({"say": {"progress": "as a person asks"}}, {"configurable": {"thread_id": "1"}})
    assert (await sections(saver.memory))["progress"][0] == "as a person asks"
    [memory] = await saver.memory.aget_active_memories("alice")
    assert memory.title == "Notes of Rome"


async def test_a_thread_brings_all_that_it_has_to_a_memory_that_knows_nothing_of_it(savers: Savers) -> None:
    saver = savers(title="Notes of {thread_id}")
    graph = agent(saver)
    await graph.ainvoke({"say": {"progress": "begun", "facts": ["tea"]}}, of("1"))
    await saver.acopy_thread("1", "2")
    await graph.ainvoke({"say": {"progress": "copied"}}, of("2"))
    contents = {
        memory.title: {id: section.content for id, section in memory.sections.items()}
        for memory in await saver.memory.aget_active_memories("alice")
    }
    assert contents["Notes of 2"] == {"progress": "copied", "facts": "- tea"}

    for memory in await saver.memory.aget_active_memories("alice"):
        await saver.memory.adelete_active_memory("alice", memory.id)
    await graph.ainvoke({"say": {"progress": "goes on"}}, of("1"))
    assert {id: content for id, (content, _) in (await sections(saver.memory)).items()} == {
        "progress": "goes on",
        "facts": "- tea",
    }


async def test_a_thread_that_was_begun_without_a_tenant_brings_its_state_along(savers: Savers) -> None:
    saver = savers()
    graph = agent(saver)
    await graph.ainvoke({"say": {"progress": "begun", "facts": ["tea"]}}, of("1", None))
    await graph.ainvoke({"say": {"progress": "goes on"}}, of("1"))

    assert await sections(saver.memory) == {"progress": ("goes on", 1), "facts": ("- tea", 1)}


# Conflicts


async def test_contents_that_a_memory_was_made_with_are_not_overwritten_unseen(
    savers: Savers, memory: AgentMemory
) -> None:
    sections_ = {"sections": ["progress", "facts"]}
    await memory.acreate_active_memory("alice", "Agent state", sections_, {"progress": "from the start"})
    saver = savers(on_conflict="refuse")

    with pytest.raises(StateConflictError):
        await agent(saver).ainvoke({"say": {"progress": "from a thread"}}, of("1"), durability="sync")
    await agent(saver, hydrate=True).ainvoke({"say": {"progress": "from a thread"}}, of("2"), durability="sync")
    assert (await sections(saver.memory))["progress"][0] == "from a thread"


async def in_conflict(saver: AgentMemorySaver, text: str = "by two") -> Any:
    """Two threads have seen one text; both change it, thread 2 first."""
    graph = agent(saver, hydrate=True)
    plain = agent(saver)
    await plain.ainvoke({"say": {"progress": "common"}}, of("1"))
    await graph.ainvoke({"say": {"progress": text}}, of("2"))
    return plain


async def test_the_last_write_wins_by_default(savers: Savers) -> None:
    saver = savers()
    graph = await in_conflict(saver)

    await graph.ainvoke({"say": {"progress": "by one"}}, of("1"))

    assert (await sections(saver.memory))["progress"] == ("by one", 3)


async def test_a_conflict_can_fail_the_checkpoint_until_the_thread_has_seen_it(savers: Savers, rows: Rows) -> None:
    saver = savers(on_conflict="refuse")
    graph = await in_conflict(saver)
    stored = rows("SELECT count(*) FROM checkpoints WHERE thread_id = '1'")

    with pytest.raises(
        StateConflictError, match="others have changed the sections 'progress' since thread '1'"
    ) as caught:
        await graph.aupdate_state(of("1"), {"progress": "by one"})

    [conflict] = caught.value.conflicts
    assert (conflict.mine, conflict.theirs, conflict.revision, conflict.seen_revision) == ("by one", "by two", 3, 2)
    assert rows("SELECT count(*) FROM checkpoints WHERE thread_id = '1'") == stored
    assert (await sections(saver.memory))["progress"] == ("by two", 2)

    await agent(saver, hydrate=True).ainvoke({"say": {"progress": "by both"}}, of("1"))
    assert (await sections(saver.memory))["progress"] == ("by both", 3)


async def test_a_thread_that_has_seen_nothing_does_not_overwrite_where_that_is_refused(savers: Savers) -> None:
    graph = agent(savers(on_conflict="refuse"))
    await graph.ainvoke({"say": {"progress": "begun"}}, of("1"))

    with pytest.raises(StateConflictError):
        await graph.ainvoke({"say": {"progress": "something else"}}, of("2"), durability="sync")


@pytest.mark.parametrize("awaits", [True, False])
async def test_a_function_merges_until_the_thread_has_seen_the_result(savers: Savers, awaits: bool) -> None:
    seen: list[SectionConflict] = []

    def merge(conflict: SectionConflict) -> str:
        seen.append(conflict)
        return "\n".join(dict.fromkeys([*conflict.theirs.split("\n"), *conflict.mine.split("\n")]))

    async def later(conflict: SectionConflict) -> str:
        await asyncio.sleep(0)
        return merge(conflict)

    saver = savers(on_conflict=later if awaits else merge)
    graph = await in_conflict(saver, "common\nby two")

    await graph.ainvoke({"say": {"progress": "common\nby one"}}, of("1"))
    assert (await sections(saver.memory))["progress"] == ("common\nby two\nby one", 3)
    await graph.ainvoke({"say": {"progress": "common\nby one\nagain"}}, of("1"))  # it has not seen the merged text yet
    assert (await sections(saver.memory))["progress"] == ("common\nby two\nby one\nagain", 4)
    assert [conflict.thread_id for conflict in seen] == ["1", "1"]
    state = await agent(saver, hydrate=True).ainvoke({"say": {}}, of("1"))
    assert state["progress"] == "common\nby two\nby one\nagain"
    await graph.ainvoke({"say": {"progress": "all of it"}}, of("1"))
    assert (await sections(saver.memory))["progress"] == ("all of it", 5)
    assert len(seen) == 2


async def test_a_merge_is_made_again_if_somebody_is_faster(savers: Savers) -> None:
    others = savers()
    made: list[str] = []

    async def merge(conflict: SectionConflict) -> str:
        made.append(conflict.theirs)
        if len(made) == 1:
            await agent(others).aupdate_state(of("2"), {"progress": "by two, again"})
        return f"{conflict.theirs} & {conflict.mine}"

    saver = savers(on_conflict=merge)
    graph = await in_conflict(saver)

    await graph.aupdate_state(of("1"), {"progress": "by one"})

    assert made == ["by two", "by two, again"]
    assert (await sections(saver.memory))["progress"][0] == "by two, again & by one"


@pytest.mark.parametrize(("result", "error"), [(7, InvalidInputError), ("a\0b", InvalidTextError)])
async def test_a_merge_that_makes_nonsense_fails_the_checkpoint(
    savers: Savers, result: Any, error: type[Exception]
) -> None:
    saver = savers(on_conflict=lambda conflict: result)
    graph = await in_conflict(saver)

    with pytest.raises(error, match="merged text of section 'progress'"):
        await graph.aupdate_state(of("1"), {"progress": "by one"})
    assert (await sections(saver.memory))["progress"] == ("by two", 2)


async def test_many_threads_at_once_lose_nothing_that_is_merged(savers: Savers) -> None:
    def merge(conflict: SectionConflict) -> str:
        return "\n".join(sorted({*conflict.theirs.split(), *conflict.mine.split()}))

    saver = savers(on_conflict=merge)
    graph = agent(saver)

    async def thread(number: int) -> None:
        for steps in range(1, 4):
            text = " ".join(f"t{number}s{step}" for step in range(steps))
            await graph.ainvoke({"say": {"progress": text}}, of(str(number)))

    await asyncio.gather(*map(thread, range(8)))

    content, pending = (await sections(saver.memory))["progress"]
    assert sorted(content.split()) == sorted(f"t{number}s{step}" for number in range(8) for step in range(3))
    assert pending == 24


# Time travel, subgraphs, delta channels


async def test_time_travel_does_not_rewind_memory_but_what_it_changes_is_written(savers: Savers) -> None:
    saver = savers()
    graph = agent(saver)
    await graph.ainvoke({"say": {"progress": "first", "facts": ["one"]}}, of("1"))
    first = await graph.aget_state(of("1"))
    await graph.ainvoke({"say": {"progress": "second", "facts": ["two"]}}, of("1"))
    past = {"configurable": {**first.config["configurable"], "user_id": "alice"}}

    forked = await graph.aupdate_state(past, {"facts": ["another"]})

    assert (await graph.aget_state(forked)).values["progress"] == "first"
    assert await sections(saver.memory) == {"progress": ("second", 2), "facts": ("- one\n- another", 3)}
    await graph.ainvoke({"say": {"progress": "another second"}}, of("1"))
    assert (await sections(saver.memory))["progress"] == ("another second", 3)


async def test_a_copy_of_a_checkpoint_changes_no_section(savers: Savers) -> None:
    saver = savers()
    graph = agent(saver)
    await graph.ainvoke({"say": {"progress": "first"}}, of("1"))
    first = await graph.aget_state(of("1"))
    await graph.ainvoke({"say": {"progress": "second"}}, of("1"))

    await graph.aupdate_state({"configurable": {**first.config["configurable"], "user_id": "alice"}}, None, "__copy__")

    assert (await graph.aget_state(of("1"))).values["progress"] == "first"
    assert (await sections(saver.memory))["progress"] == ("second", 2)


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
async def test_a_command_from_an_old_checkpoint_changes_sections(savers: Savers, durability: Any) -> None:
    saver = savers()
    graph = agent(saver)
    await graph.ainvoke({"say": {"progress": "first"}}, of("1"))
    states = [state async for state in graph.aget_state_history(of("1"))]
    before = next(state for state in states if state.next == ("work",))
    past = {"configurable": {**before.config["configurable"], "user_id": "alice"}}

    await graph.ainvoke(Command(update={"facts": ["by command"]}, goto="work"), past, durability=durability)

    assert (await graph.aget_state(of("1"))).values["facts"] == ["by command"]
    assert (await sections(saver.memory))["facts"][0] == "- by command"


async def test_what_a_subgraph_changes_is_written_when_it_comes_back(savers: Savers) -> None:
    saver = savers()

    def ask(state: State) -> State:
        return {"progress": f"asked: {interrupt('well?')}"}

    inner = StateGraph(State)
    inner.add_node("note", lambda state: {"progress": "inside"})
    inner.add_node("ask", ask)
    inner.add_sequence([("last", lambda state: {"facts": ["seen"]})])
    inner.add_edge(START, "note")
    inner.add_edge("note", "ask")
    inner.add_edge("ask", "last")
    outer = StateGraph(State)
    outer.add_node("inner", inner.compile())
    outer.add_edge(START, "inner")
    graph = outer.compile(checkpointer=saver)

    await graph.ainvoke({"progress": "begun"}, of("1"))
    assert await sections(saver.memory) == {"progress": ("begun", 1), "facts": ("", 0)}
    await graph.ainvoke(Command(resume="yes"), of("1"))
    assert await sections(saver.memory) == {"progress": ("asked: yes", 2), "facts": ("- seen", 1)}


def appended(state: list[str], writes: Sequence[list[str]]) -> list[str]:
    return [*state, *(item for write in writes for item in write)]


class Delta(TypedDict, total=False):
    log: Annotated[list[str], MemorySection(), DeltaChannel(appended, snapshot_frequency=3)]
    say: dict[str, Any]


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
async def test_delta_channels_are_written_at_every_step(savers: Savers, durability: Any, rows: Rows) -> None:
    saver = savers(state_schema=Delta)
    graph = agent(saver, Delta)

    for step in range(8):
        await graph.ainvoke({"say": {"log": [f"step {step}"]}}, of("1"), durability=durability)
        content, pending = (await sections(saver.memory))["log"]
        assert content == "\n".join(f"- step {n}" for n in range(step + 1))
        assert pending == step + 1
    stored = rows("SELECT checkpoint -> 'channel_values' ? 'log' FROM checkpoints ORDER BY checkpoint_id")
    assert {(True,), (False,)} <= set(stored)  # snapshots, and steps without one


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
async def test_time_travel_does_not_rewind_delta_channels(savers: Savers, durability: Any) -> None:
    """LangGraph snapshots a delta channel where a thread forks, though nobody has written it."""
    saver = savers(state_schema=Delta)
    graph = agent(saver, Delta)
    for step in range(3):
        await graph.ainvoke({"say": {"log": [f"step {step}"]}}, of("1"), durability="sync")
    states = [state async for state in graph.aget_state_history(of("1"))]
    pasts = [state.config["configurable"] for state in states if state.next == ("work",)]
    remembered = (await sections(saver.memory))["log"]

    for past in pasts:
        config = {"configurable": {**past, "user_id": "alice"}}
        await graph.aupdate_state(config, {"say": {"x": 1}}, as_node="work")
        assert (await sections(saver.memory))["log"] == remembered
        await graph.ainvoke({"say": {"x": 1}}, config, durability=durability)
        assert (await sections(saver.memory))["log"] == remembered
    await graph.aupdate_state({"configurable": {**pasts[-1], "user_id": "alice"}}, {"log": ["forked"]}, as_node="work")
    assert (await sections(saver.memory))["log"] == ("- forked", remembered[1] + 1)


async def test_a_new_thread_starts_with_a_delta_channel_from_memory(savers: Savers) -> None:
    saver = savers(state_schema=Delta)
    graph = agent(saver, Delta, hydrate=True)
    await graph.ainvoke({"say": {"log": ["one"]}}, of("1"))
    await graph.ainvoke({"say": {"log": ["two"]}}, of("2"))

    assert (await graph.aget_state(of("2"))).values["log"] == ["one", "two"]
    assert (await sections(saver.memory))["log"] == ("- one\n- two", 2)


async def test_a_delta_channel_without_its_schema_says_what_is_needed(savers: Savers) -> None:
    graph = agent(savers(state_schema=None, sections={"log": "log"}), Delta)

    with pytest.raises(ConfigurationError, match="channel 'log' is a delta channel; give the checkpointer the graph's"):
        await graph.ainvoke({"say": {"log": ["one"]}}, of("1"), durability="sync")


# From anywhere


def test_sync_graphs_threads_and_loops_share_one_checkpointer(dsn: str) -> None:
    with AgentMemorySaver.from_conn_string(dsn, state_schema=State) as saver:
        graph = agent(saver, hydrate=True)
        graph.invoke({"say": {"facts": ["tea"]}}, of("1"))
        assert graph.invoke({"say": {}}, of("2"))["facts"] == ["tea"]
        assert [state.values.get("facts") for state in graph.get_state_history(of("2"), limit=1)] == [["tea"]]

        def elsewhere(number: int) -> None:
            asyncio.run(graph.ainvoke({"say": {"progress": "made"}}, of(f"thread {number}")))

        threads = [threading.Thread(target=elsewhere, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {graph.get_state(of(f"thread {number}")).values["progress"] for number in range(4)} == {"made"}
        assert saver.memory.get_active_memories("alice")[0].sections["progress"].content == "made"
        assert re.fullmatch(r"0{31}1\.\d+\.?\d*", saver.get_next_version(None, None))


async def test_two_objects_make_one_memory_at_the_same_time(savers: Savers) -> None:
    graphs = [agent(savers()) for _ in range(6)]

    await asyncio.gather(*(graph.ainvoke({"say": {"facts": [str(n)]}}, of(str(n))) for n, graph in enumerate(graphs)))

    saver = savers()
    [memory] = await saver.memory.aget_active_memories("alice")
    assert memory.section_count == 2
    assert memory.consolidation_info.total_update_count == 6
