"""Whose memory a checkpoint is written into, and what keeps one from being stored."""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from checkpointing import State, agent, of, sections

from langgraph_agentmem import AgentMemorySaver
from langgraph_agentmem.errors import ConfigurationError, InvalidInputError, InvalidTextError

Rows = Callable[..., list[tuple[object, ...]]]
Savers = Callable[..., AgentMemorySaver]


@pytest.fixture
def savers(opened_savers: Savers) -> Savers:
    return partial(opened_savers, state_schema=State)


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
