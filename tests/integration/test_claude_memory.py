"""Claude's memory tool on sections: its commands one by one, whose files they are, and how Claude is told of it."""

import asyncio
from typing import Any

import pytest
from fakes import TurnsModel, calls
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, ToolMessage
from recording import user

from langgraph_agentmem import AgentMemory, create_claude_memory_tool
from langgraph_agentmem.errors import ConfigurationError, InvalidInputError, OutageError

ALICE = {"configurable": {"user_id": "alice"}}
BOB = {"configurable": {"user_id": "bob"}}


async def do(memory: AgentMemory, command: str, config: Any = ALICE, /, **args: Any) -> ToolMessage:
    call = {"name": "memory", "args": {"command": command, **args}, "id": "1", "type": "tool_call"}
    return await create_claude_memory_tool(memory).ainvoke(call, config)


async def said(memory: AgentMemory, command: str, /, **args: Any) -> str:
    message = await do(memory, command, **args)
    assert message.status == "success", message.content
    return str(message.content)


async def refused(memory: AgentMemory, command: str, /, **args: Any) -> str:
    message = await do(memory, command, **args)
    assert message.status == "error", message.content
    return str(message.content)


async def write(memory: AgentMemory, **files: str) -> None:
    for name, text in files.items():
        await said(memory, "create", path=f"/memories/{name.replace('__', '/')}", file_text=text)


async def sections(memory: AgentMemory, tenant: str = "alice") -> dict[str, str]:
    [claude] = [m for m in await memory.aget_active_memories(tenant) if m.title == "Claude"] or [None]
    return {} if claude is None else {id: section.content for id, section in claude.sections.items()}


# The commands


async def test_a_file_that_is_created_is_a_section_that_is_searched(memory: AgentMemory) -> None:
    told = await said(memory, "create", path="/memories/trip/route.md", file_text="By train to Oslo.\n")

    assert told == "File created successfully at: /memories/trip/route.md"
    assert await sections(memory) == {"trip/route.md": "By train to Oslo.\n"}
    [hit] = await memory.asearch("alice", "Oslo")
    assert (hit.memory_title, hit.section_id) == ("Claude", "trip/route.md")


@pytest.mark.parametrize("path", ["/memories/trip/route", "/memories/trip", "/memories/trip/route/more", "/memories"])
async def test_a_file_is_not_created_over_another_nor_over_a_directory_nor_within_a_file(
    memory: AgentMemory, path: str
) -> None:
    await write(memory, trip__route="By train.")

    assert path in await refused(memory, "create", path=path, file_text="x") or path.endswith("more")
    assert await sections(memory) == {"trip/route": "By train."}


async def test_a_view_shows_files_and_directories(memory: AgentMemory) -> None:
    assert await said(memory, "view", path="/memories") == (
        "Here're the files and directories up to 2 levels deep in /memories, excluding hidden items:\n0B\t/memories"
    )
    await write(memory, notes="a\nb", trip__route="By train.")

    assert (await said(memory, "view", path="/memories")).splitlines()[1:] == [
        "12B\t/memories", "3B\t/memories/notes", "9B\t/memories/trip/", "9B\t/memories/trip/route"
    ]  # fmt: skip
    assert (await said(memory, "view", path="/memories/trip/")).splitlines()[1:] == [
        "9B\t/memories/trip", "9B\t/memories/trip/route"
    ]  # fmt: skip
    assert (await said(memory, "view", path="/memories/notes", view_range=[2, 2])).splitlines()[1:] == ["     2\tb"]
    assert "does not exist" in await refused(memory, "view", path="/memories/other")


async def test_a_part_is_replaced_if_it_occurs_once(memory: AgentMemory) -> None:
    await write(memory, notes="red\nblue\nred")

    await said(memory, "str_replace", path="/memories/notes", old_str="blue", new_str="green")
    assert "lines: 1, 3" in await refused(memory, "str_replace", path="/memories/notes", old_str="red", new_str="x")
    assert "verbatim" in await refused(memory, "str_replace", path="/memories/notes", old_str="blue", new_str="x")
    assert "does not exist" in await refused(memory, "str_replace", path="/memories/no", old_str="a", new_str="x")
    assert "does not exist" in await refused(memory, "str_replace", path="/memories", old_str="a", new_str="x")

    assert await sections(memory) == {"notes": "red\ngreen\nred"}


async def test_lines_are_inserted(memory: AgentMemory) -> None:
    await write(memory, notes="red\nblue\n")

    await said(memory, "insert", path="/memories/notes", insert_line=1, insert_text="green\n")
    assert "range [0, 3]" in await refused(memory, "insert", path="/memories/notes", insert_line=4, insert_text="x")

    assert await sections(memory) == {"notes": "red\ngreen\nblue\n"}


async def test_what_is_deleted_is_gone_with_what_came_from_it(memory: AgentMemory) -> None:
    await write(memory, notes="A note about tea.", trip__route="A train.", trip__seat="A window.", trips="A kayak.")
    await memory.queue.aflush("alice")

    await said(memory, "delete", path="/memories/notes")
    await said(memory, "delete", path="/memories/trip")
    assert "Cannot delete" in await refused(memory, "delete", path="/memories/")
    assert "does not exist" in await refused(memory, "delete", path="/memories/notes")

    assert await sections(memory) == {"trips": "A kayak."}
    assert [hit.content for hit in await memory.asearch("alice", "tea train window kayak")] == ["A kayak."]


async def test_files_and_directories_are_renamed_but_not_over_others(memory: AgentMemory) -> None:
    await write(memory, notes="N", trip__route="R", trip__old__seat="S")

    await said(memory, "rename", old_path="/memories/notes", new_path="/memories/trip/notes")
    await said(memory, "rename", old_path="/memories/trip", new_path="/memories/journey/oslo")
    refusals = [
        await refused(
            memory, "rename", old_path="/memories/journey/oslo/notes", new_path="/memories/journey/oslo/route"
        ),
        await refused(memory, "rename", old_path="/memories/nothing", new_path="/memories/x"),
        await refused(memory, "rename", old_path="/memories", new_path="/memories/x"),
        await refused(memory, "rename", old_path="/memories/journey", new_path="/memories"),
    ]

    assert await sections(memory) == {
        "journey/oslo/notes": "N", "journey/oslo/route": "R", "journey/oslo/old/seat": "S"
    }  # fmt: skip
    assert [("already exists" in text, "does not exist" in text, "Cannot" in text) for text in refusals] == [
        (True, False, False), (False, True, False), (False, False, True), (True, False, False)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("command", "args"),
    [
        ("view", {"path": "/memories/../x"}),
        ("create", {"path": "/memories/%2e%2e/x", "file_text": "x"}),
        ("str_replace", {"path": "/etc/passwd", "old_str": "a", "new_str": "b"}),
        ("insert", {"path": "/memories/..", "insert_line": 0, "insert_text": "x"}),
        ("delete", {"path": "/memories/a/../.."}),
        ("rename", {"old_path": "/memories/a", "new_path": "/memories/../a"}),
        ("rename", {"old_path": "../a", "new_path": "/memories/a"}),
    ],
)
async def test_no_command_leaves_its_directory(memory: AgentMemory, command: str, args: dict[str, Any]) -> None:
    await write(memory, a="A")

    assert "Path" in await refused(memory, command, **args)
    assert await sections(memory) == {"a": "A"}


@pytest.mark.parametrize("command", ["view", "create", "str_replace", "insert", "delete", "rename"])
async def test_a_command_says_what_it_needs(memory: AgentMemory, command: str) -> None:
    assert f"The command {command} needs" in await refused(memory, command)


async def test_edits_at_the_same_time_are_all_kept(memory: AgentMemory) -> None:
    await write(memory, notes="")

    edits = [do(memory, "insert", path="/memories/notes", insert_line=0, insert_text=str(n)) for n in range(8)]
    await asyncio.gather(*edits)

    assert sorted((await sections(memory))["notes"].split()) == [str(n) for n in range(8)]


# Whose files they are


async def test_each_tenant_has_files_of_their_own(memory: AgentMemory) -> None:
    await write(memory, notes="Alice's.")

    listed = await do(memory, "view", BOB, path="/memories")
    assert "notes" not in str(listed.content)
    assert (await do(memory, "view", BOB, path="/memories/notes")).status == "error"
    with pytest.raises(ConfigurationError, match="whose memory"):
        await do(memory, "view", {}, path="/memories")


async def test_an_outage_is_an_error(memory: AgentMemory) -> None:
    nowhere = AgentMemory.open("postgresql://nobody@127.0.0.1:1/none?connect_timeout=1")
    with pytest.raises(OutageError):
        await do(nowhere, "view", path="/memories")


# How models see it


def test_what_claude_could_not_mend_is_refused_when_it_is_made(memory: AgentMemory) -> None:
    with pytest.raises(ConfigurationError, match="external_id must be a function"):
        create_claude_memory_tool(memory, external_id="alice")  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="title must not be empty"):
        create_claude_memory_tool(memory, title="")


def test_claude_is_told_of_its_own_tool(memory: AgentMemory) -> None:
    from langchain_anthropic import ChatAnthropic  # takes seconds, and each process that runs tests reads this file

    bound: Any = ChatAnthropic(model="claude-sonnet-4-5", api_key="none").bind_tools(
        [create_claude_memory_tool(memory)]
    )

    assert bound.kwargs["tools"] == [{"type": "memory_20250818", "name": "memory"}]


async def test_an_agent_uses_it(memory: AgentMemory) -> None:
    note = {"command": "create", "path": "/memories/food.md", "file_text": "Alice is a vegetarian."}
    model = TurnsModel(turns=[calls(("memory", note)), AIMessage("Noted.")])

    await create_agent(model, [create_claude_memory_tool(memory)]).ainvoke(user("I eat no meat."), ALICE)

    assert await sections(memory) == {"food.md": "Alice is a vegetarian."}
