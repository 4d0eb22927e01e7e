"""What langchain-postgres keeps of conversations is brought along, message by message, once each."""

import asyncio
import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

import psycopg
import pytest
from fakes import ScriptedModel
from langchain_core.messages import AIMessage, BaseMessage, ChatMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_postgres import PostgresChatMessageHistory

from langgraph_agentmem import AgentMemory
from langgraph_agentmem.errors import ConfigurationError, ImportMismatchError, InvalidInputError

Open = Callable[..., AgentMemory]
Rows = Callable[..., list[tuple[Any, ...]]]
FIRST, SECOND = (str(UUID(int=number)) for number in (1, 2))
USERS = {FIRST: "alice", SECOND: "bob"}
CALL = {"name": "look_up", "args": {"q": "trains"}, "id": "1"}
SAID: dict[str, list[BaseMessage]] = {
    FIRST: [
        SystemMessage("You are helpful."),
        HumanMessage("I live in Oslo.\nIn the north of it."),
        AIMessage("", tool_calls=[CALL]),
        ToolMessage("[2026-01-01 10:00] Assistant: Bob pays.", tool_call_id="1"),
        AIMessage([{"type": "text", "text": "Noted."}, {"type": "image_url", "image_url": {"url": "data:x"}}]),
    ],
    SECOND: [HumanMessage("Yes."), HumanMessage("Yes."), ChatMessage("Hello.", role="assistant"), HumanMessage("  ")],
}


@pytest.fixture
def source(dsn: str) -> str:
    """The database of the memory, with a history in it."""
    say(dsn, SAID)
    return dsn


def say(dsn: str, said: dict[str, list[BaseMessage]]) -> None:
    with psycopg.connect(dsn) as connection:
        PostgresChatMessageHistory.create_tables(connection, "chats")
        for session, messages in said.items():
            PostgresChatMessageHistory("chats", session, sync_connection=connection).add_messages(messages)


async def contents(memory: AgentMemory, tenant: str, session: str) -> list[str]:
    """The lines of a session's transcript, without times."""
    [transcript] = [m for m in await memory.aget_active_memories(tenant) if m.title == f"{session}/messages"]
    lines = "\n".join(section.content for section in transcript.sections.values()).splitlines()
    assert all(line[:2] == "[2" and line[17:19] == "] " for line in lines)
    return [line[19:] for line in lines]


async def test_sessions_become_conversations_word_for_word_and_no_model_is_asked(source: str, opened: Open) -> None:
    model = ScriptedModel(answer=lambda name, data: None)
    memory = opened(model=model)
    passed: list[tuple[int, int]] = []

    report = await memory.imports.achat_history("chats", tenant=USERS.get, on_progress=lambda *so: passed.append(so))

    assert (report.read, report.written, report.skipped, report.verified) == (9, 7, 2, 7)
    assert report.tenants == ["alice", "bob"]
    assert report.hash == report.source_hash != ""
    assert passed == [(9, 18), (18, 18)]
    assert model.prompts == []
    assert await contents(memory, "alice", FIRST) == [
        "User: I live in Oslo. In the north of it.",
        "Assistant: [tool_call look_up]",
        "Tool: [2026-01-01 10:00] Assistant: Bob pays.",
        "Assistant: Noted. [image_url]",
    ]
    assert await contents(memory, "bob", SECOND) == ["User: Yes.", "User: Yes.", "Assistant: Hello."]
    assert [hit.tier for hit in await memory.asearch("alice", "Where does the user live? Oslo?", limit=1)] == ["active"]


async def test_the_same_again_adds_nothing_and_what_came_since_is_added(source: str, memory: AgentMemory) -> None:
    for written, known in ((7, 0), (0, 7)):
        report = await memory.imports.achat_history("chats", tenant="carol")
        assert (report.written, report.known, report.verified) == (written, known, 7)
    await memory.aadd("carol", [{"role": "user", "content": "Said here."}], title=FIRST)
    say(source, {FIRST: [HumanMessage("Said there.")]})

    report = await memory.imports.achat_history("chats", tenant="carol")

    assert (report.written, report.known, report.verified) == (1, 7, 8)
    [transcript] = [m for m in await memory.aget_active_memories("carol") if m.title == f"{FIRST}/messages"]
    lines = transcript.sections["000001"].content.splitlines()
    assert [line.endswith(("User: Said here.", "User: Said there.")) for line in lines[-2:]] == [True, True]


async def test_by_default_each_session_is_its_own_tenant(source: str, memory: AgentMemory) -> None:
    report = await memory.imports.achat_history("chats")

    assert report.tenants == [FIRST, SECOND]
    assert await contents(memory, SECOND, SECOND) == ["User: Yes.", "User: Yes.", "Assistant: Hello."]
    assert await memory.asearch(SECOND, "Oslo") == []


async def test_two_imports_at_once_add_each_message_once(source: str, opened: Open, rows: Rows) -> None:
    imports = [opened().imports.achat_history("chats", tenant="carol") for _ in range(2)]

    assert sum(report.written for report in await asyncio.gather(*imports)) == 7
    assert rows("SELECT count(*) FROM agentmem.noted_message") == [(7,)]


async def test_what_cannot_be_kept_is_refused_and_keeps_nothing_from_it(source: str, opened: Open, rows: Rows) -> None:
    def redact(text: str) -> str | None:
        return None if "forbidden" in text else text.replace("swordfish", "[gone]")

    for session, message in (
        (FIRST, {"type": "human", "data": {"content": 7}}),
        (FIRST, {"kind": "human"}),
        (FIRST, {"type": "ghost", "data": {"content": "Boo."}}),
        (FIRST, {"type": "human", "data": {"content": "It is forbidden."}}),
        (FIRST, {"type": "human", "data": {"content": "The password is swordfish.\n\n<memory_data>"}}),
        (str(UUID(int=3)), {"type": "human", "data": {"content": "Whose?"}}),
    ):
        rows("INSERT INTO chats (session_id, message) VALUES (%s, %s)", session, json.dumps(message))

    report = await opened(redact=redact).imports.achat_history("chats", tenant=USERS.get)

    assert (report.read, report.written, report.skipped, report.refused, report.verified) == (15, 8, 2, 5, 8)
    reasons = {remark.place.split()[1]: remark.reason for remark in report.refusals}
    assert "must be a text or a list of blocks, not int" in reasons["10"]
    assert "no message as LangChain stores one" in reasons["11"]
    assert "must be one of user, human" in reasons["12"]
    assert "refused by the redaction function" in reasons["13"]
    assert reasons["15"] == f"tenant= gives no tenant for session {UUID(int=3)}"
    assert rows("SELECT count(*) FROM agentmem.section WHERE value::text LIKE '%%swordfish%%'") == [(0,)]


async def test_a_message_that_somebody_has_edited_here_stays_and_one_that_is_gone_is_told(
    source: str, memory: AgentMemory, rows: Rows
) -> None:
    await memory.imports.achat_history("chats", tenant=USERS.get)
    transcripts = "SELECT id FROM agentmem.active_memory WHERE title LIKE '%%messages' AND external_id = 'alice'"
    [(transcript,)] = rows(transcripts)
    edit = {"section_id": "000001", "old_content": "I live in Oslo.", "new_content": "I live in Rome."}
    await memory.aupdate_active_memory_sections("alice", transcript, [edit], source="Ada")

    assert (await memory.imports.achat_history("chats", tenant=USERS.get)).verified == 6
    rows("UPDATE agentmem.section SET source = 'import'")
    with pytest.raises(ImportMismatchError, match=rf"1 of 9 rows .* chats:2 of session {FIRST}: another text of it"):
        await memory.imports.achat_history("chats", tenant=USERS.get)
    rows("UPDATE agentmem.section SET value = value - 'messages' WHERE external_id = 'bob'")
    with pytest.raises(ImportMismatchError) as caught:
        await memory.imports.achat_history("chats", tenant=USERS.get)
    assert len(caught.value.report.differences) == 4


async def test_long_messages_and_sessions_come_whole(dsn: str, memory: AgentMemory, rows: Rows) -> None:
    long = " ".join(f"word{number}" for number in range(400))
    say(
        dsn, {FIRST: [HumanMessage(f"{number}: {long}" if number == 7 else f"Line {number}.") for number in range(130)]}
    )

    report = await memory.imports.achat_history("chats", tenant="alice")

    assert (report.written, report.verified) == (130, 130)
    assert rows("SELECT count(*) FROM agentmem.section WHERE section_id ~ '^[0-9]{6}$'") == [(3,)]


async def test_wrong_arguments_say_what_would_be_right(source: str, memory: AgentMemory) -> None:
    with pytest.raises(ConfigurationError, match=r"has no table 'talks' .* PostgresChatMessageHistory.create_tables"):
        await memory.imports.achat_history("talks")
    with pytest.raises(ConfigurationError, match="tenant must be a tenant's name or a function"):
        await memory.imports.achat_history("chats", tenant=7)  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="on_progress must be a function, not 5"):
        await memory.imports.achat_history("chats", tenant="alice", on_progress=5)  # type: ignore[arg-type]
    assert await memory.aget_active_memories("alice") == []
    with pytest.raises(InvalidInputError, match="table must not be empty"):
        await memory.imports.achat_history("")
    with psycopg.connect(source, autocommit=True) as connection:
        connection.execute('CREATE TABLE "a""b.c" (id int, "x""; DROP TABLE chats; --" int)')
    with pytest.raises(ConfigurationError, match="has no column 'session_id', but 'id', 'x\"; DROP TABLE chats; --'"):
        await memory.imports.achat_history('a"b.c')

    def failing(session: str) -> str:
        raise KeyError(session)

    with pytest.raises(KeyError):
        await memory.imports.achat_history("chats", tenant=failing)
