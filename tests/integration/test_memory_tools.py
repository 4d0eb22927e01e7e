"""The tools with which a model searches and edits memory: whose it is, what they say, and what they refuse."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from fakes import TurnsModel, calls
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool

from langgraph_agentmem import AgentMemory, create_memory_tools
from langgraph_agentmem.errors import ConfigurationError, InvalidInputError, OutageError

ALICE = {"configurable": {"user_id": "alice"}}
BOB = {"configurable": {"user_id": "bob"}}
NAMES = ["search_memory", "read_memory", "update_memory_sections", "create_memory"]


def tools(memory: AgentMemory, **arguments: Any) -> dict[str, BaseTool]:
    return {tool.name: tool for tool in create_memory_tools(memory, **arguments)}


async def call(memory: AgentMemory, name: str, config: Any = ALICE, /, **args: Any) -> ToolMessage:
    return await tools(memory, allow_forget=True)[name].ainvoke(
        {"name": name, "args": args, "id": "1", "type": "tool_call"}, config
    )


@pytest.fixture
async def apollo(memory: AgentMemory) -> int:
    template = {"sections": {"plan": "Dates and money", "team": ""}}
    made = await memory.acreate_active_memory("alice", "Apollo", template, {"plan": "- Deadline: May 1"})
    return made.id


# What a model sees


def test_no_tool_forgets_unless_that_is_allowed(memory: AgentMemory) -> None:
    assert list(tools(memory)) == NAMES
    assert list(tools(memory, allow_forget=True)) == [*NAMES, "forget_memory"]


@pytest.mark.parametrize("name", [*NAMES, "forget_memory"])
def test_a_model_sees_what_a_tool_is_for_and_when_not_to_call_it_but_no_tenant(memory: AgentMemory, name: str) -> None:
    shown = convert_to_openai_tool(tools(memory, allow_forget=True)[name])["function"]

    assert "Do not" in shown["description"]
    text = json.dumps(shown)
    assert not [word for word in ("external_id", "user_id", "tenant", "runtime", "config") if f'"{word}"' in text]
    assert shown["parameters"]["properties"]


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"external_id": "alice"}, "external_id must be a function .* lambda runtime: 'alice'"),
    ({"limit": 0}, "limit must be"),
    ({"source": " "}, "source must not be empty"),
]


@pytest.mark.parametrize(("arguments", "told"), WRONG, ids=[next(iter(arguments)) for arguments, _ in WRONG])
def test_what_no_model_could_mend_is_refused_when_they_are_made(
    memory: AgentMemory, arguments: dict[str, Any], told: str
) -> None:
    with pytest.raises((ConfigurationError, InvalidInputError), match=told):
        create_memory_tools(memory, **arguments)


# What they do


async def test_a_search_says_what_was_found_where_and_its_artifact_is_the_hits(
    memory: AgentMemory, apollo: int
) -> None:
    message = await call(memory, "search_memory", query="When is the deadline?")

    assert str(message.content).startswith("1. [Apollo / plan, since 20")
    assert str(message.content).endswith("] - Deadline: May 1")
    assert [(hit["content"], hit["memory_id"]) for hit in message.artifact] == [("- Deadline: May 1", apollo)]
    json.dumps(message.artifact)


async def test_a_search_that_finds_nothing_says_so(memory: AgentMemory) -> None:
    message = await call(memory, "search_memory", query="deadline")

    assert (message.content, message.artifact, message.status) == ("Nothing is known about that.", [], "success")


async def test_reading_shows_an_outline_and_then_texts_with_revisions(memory: AgentMemory, apollo: int) -> None:
    outline = await call(memory, "read_memory")
    whole = await call(memory, "read_memory", memory_id=apollo)

    assert str(outline.content) == (
        f"# Memory {apollo}: Apollo\n- plan (revision 1, 17 characters): Dates and money\n- team (revision 1, 0 characters)"
    )
    assert str(whole.content) == (
        f"# Memory {apollo}: Apollo\n\n## plan (revision 1): Dates and money\n- Deadline: May 1\n\n## team (revision 1)\n(empty)"
    )
    assert (await call(memory, "read_memory", BOB)).content == "There is no memory yet; create_memory makes one."


async def test_a_model_makes_a_memory_and_edits_it_in_one_batch(memory: AgentMemory) -> None:
    made = await call(
        memory, "create_memory", title="Trip", sections=[{"id": "route", "content": "Rome"}, {"id": "money"}]
    )
    id = made.artifact["memory_id"]
    edits = [
        {"section_id": "route", "old_content": "Rome", "new_content": "Oslo"},
        {"section_id": "money", "action": "insert", "new_content": "400 euros"},
    ]
    written = await call(memory, "update_memory_sections", memory_id=id, edits=edits)

    assert written.content == f"Written: in memory {id} ('Trip'), 'route' is at revision 2, 'money' is at revision 2."
    assert written.artifact["revisions"] == {"route": 2, "money": 2}
    stored = await memory.aget_active_memory("alice", id)
    assert [section.content for section in stored.sections.values()] == ["Oslo", "400 euros"]
    assert {section.source for section in stored.sections.values()} == {"agent"}


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param({"new_content": "x", "expected_revision": 1}, id="another revision"),
        pytest.param({"new_content": "x", "old_content": "May 1"}, id="a text that is gone"),
        pytest.param({"new_content": "x"}, id="without having looked"),
    ],
)
async def test_a_stale_edit_writes_nothing_and_shows_the_present_text_and_its_revision(
    memory: AgentMemory, apollo: int, edit: dict[str, Any]
) -> None:
    await memory.aupdate_active_memory_section("alice", apollo, "plan", "- Deadline: June 1\n" + "- More.\n" * 100)
    other = {"section_id": "team", "action": "insert", "new_content": "Bo"}

    message = await call(
        memory, "update_memory_sections", memory_id=apollo, edits=[other, {"section_id": "plan", **edit}]
    )

    assert message.status == "error"
    assert "Nothing was written. As it stands now:" in str(message.content)
    assert "## plan (revision 2): Dates and money\n- Deadline: June 1\n" + "- More.\n" * 100 in str(message.content)
    assert (await memory.aget_active_memory("alice", apollo)).sections["team"].content == ""


@pytest.mark.parametrize(
    ("name", "args", "said"),
    [
        pytest.param("read_memory", {"memory_id": 999}, "has no active memory 999", id="no such memory"),
        pytest.param("create_memory", {"title": "Apollo", "sections": [{"id": "a"}]}, "already has a memory", id="a title"),
        pytest.param("create_memory", {"title": "New", "sections": []}, "section", id="no sections"),
        pytest.param("search_memory", {"query": "a\0b"}, "NUL", id="nonsense"),
        pytest.param("forget_memory", {"memory_id": 999}, "has no active memory 999", id="nothing to forget"),
    ],
)  # fmt: skip
async def test_what_a_model_asks_for_in_vain_is_told_to_it(
    memory: AgentMemory, apollo: int, name: str, args: dict[str, Any], said: str
) -> None:
    message = await call(memory, name, **args)

    assert message.status == "error"
    assert said in str(message.content)


async def test_a_section_that_there_is_not_is_told_with_those_that_there_are(memory: AgentMemory, apollo: int) -> None:
    edits = [{"section_id": "plans", "action": "insert", "new_content": "x"}]
    message = await call(memory, "update_memory_sections", memory_id=apollo, edits=edits)

    assert message.status == "error"
    assert "plan" in str(message.content)
    assert "team" in str(message.content)


async def test_forgetting_removes_a_memory_with_all_that_came_from_it(memory: AgentMemory, apollo: int) -> None:
    await call(memory, "forget_memory", memory_id=apollo)

    assert await memory.asearch("alice", "deadline") == []


# Whose memory it is


@dataclass
class Context:
    user_id: str


def agent(memory: AgentMemory, *turns: AIMessage, **arguments: Any) -> Any:
    model = TurnsModel(turns=[*turns, AIMessage("Done.")])
    return create_agent(model, create_memory_tools(memory, **arguments), context_schema=Context)


def answers(state: dict[str, Any]) -> list[ToolMessage]:
    return [message for message in state["messages"] if isinstance(message, ToolMessage)]


ASKED = {"messages": [("user", "When is it due?")]}
SEARCH = calls(("search_memory", {"query": "deadline"}))
FORGED = calls(
    (
        "search_memory",
        {"query": "deadline", "external_id": "alice", "user_id": "alice", "tenant": "alice", "config": ALICE,
         "runtime": {"context": {"user_id": "alice"}}},
    )
)  # fmt: skip


async def test_the_tenant_is_the_contexts_user_then_the_configs(memory: AgentMemory, apollo: int) -> None:
    of_context = await agent(memory, SEARCH).ainvoke(ASKED, BOB, context=Context("alice"))
    of_config = await agent(memory, SEARCH).ainvoke(ASKED, ALICE)
    of_another = await agent(memory, SEARCH).ainvoke(ASKED, BOB)
    given = await agent(memory, SEARCH, external_id=lambda runtime: "alice").ainvoke(ASKED, BOB, context=Context("bob"))

    found = [len(answers(state)[0].artifact) for state in (of_context, of_config, of_another, given)]
    assert found == [1, 1, 0, 1]


async def test_a_model_cannot_choose_the_tenant(memory: AgentMemory, apollo: int) -> None:
    state = await agent(memory, FORGED).ainvoke(ASKED, BOB)

    assert not answers(state)[0].artifact
    assert "May 1" not in str(answers(state)[0].content)


async def test_without_a_tenant_the_run_fails_and_says_where_one_could_be(memory: AgentMemory) -> None:
    with pytest.raises(ConfigurationError, match="configurable"):
        await agent(memory, SEARCH).ainvoke(ASKED)
    with pytest.raises(ConfigurationError, match="cannot be one"):
        await agent(memory, SEARCH).ainvoke(ASKED, {"configurable": {"user_id": ""}})


def test_agents_that_run_without_an_event_loop_use_them_as_well(dsn: str) -> None:
    with AgentMemory.open(dsn) as memory:
        memory.create_active_memory("alice", "Notes", {"sections": ["facts"]}, {"facts": "Ada is away."})
        state = agent(memory, calls(("search_memory", {"query": "Ada"}))).invoke(ASKED, ALICE)

        assert answers(state)[0].artifact[0]["content"] == "Ada is away."


async def test_an_outage_is_an_error_and_not_an_empty_result(opened: Callable[..., AgentMemory]) -> None:
    nowhere = AgentMemory.open("postgresql://nobody@127.0.0.1:1/none?connect_timeout=1")

    with pytest.raises(OutageError):
        await agent(nowhere, SEARCH).ainvoke(ASKED, ALICE)
