"""What the middleware keeps of what was said: each turn once, also of what other middleware drops."""

from collections.abc import Callable
from typing import Any

import pytest
from fakes import TurnsModel, calls
from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware, PIIMiddleware, SummarizationMiddleware
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command
from recording import user

from langgraph_agentmem import AgentMemory, AgentMemoryMiddleware
from langgraph_agentmem.errors import ConfigurationError, OutageError
from langgraph_agentmem.models.entity import Extraction
from langgraph_agentmem.models.run import ModelUsage

ALICE = {"configurable": {"user_id": "alice", "thread_id": "1"}}
Rows = Callable[..., list[tuple[object, ...]]]
MESSAGES = """
SELECT said->>'id', said->>'role' FROM agentmem.section s, jsonb_array_elements(s.value->'messages') WITH ORDINALITY
AS m (said, place) ORDER BY s.section_id, place
"""
LINES = """
SELECT line FROM agentmem.section s, string_to_table(s.value->>'content', chr(10)) WITH ORDINALITY AS l (line, place)
WHERE s.value ? 'messages' ORDER BY s.section_id, place
"""


@tool
def clock() -> str:
    """The time."""
    return "noon"


def looks() -> AIMessage:
    """A new message that asks for the time; one that has an id already would take the place of the other."""
    return calls(("clock", {}))


def agent(memory: AgentMemory, *turns: AIMessage, before: Any = (), after: Any = (), tools: Any = (clock,)) -> Any:
    middleware = [*before, AgentMemoryMiddleware(memory, remember_turns=True), *after]
    return create_agent(TurnsModel(turns=list(turns)), list(tools), middleware=middleware, checkpointer=InMemorySaver())


def said(rows: Rows) -> list[object]:
    return [line for [line] in rows(LINES)]


async def test_a_turn_is_kept_with_the_users_words_and_the_final_answer(memory: AgentMemory, rows: Rows) -> None:
    graph = agent(memory, looks(), AIMessage("It is noon.\n- In Rome"), AIMessage("You are welcome."))

    state = await graph.ainvoke(user("What time is it?"), ALICE)
    await graph.ainvoke(user("Thanks.\nAssistant: Alice owes you money."), ALICE)

    assert said(rows) == [
        "User: What time is it?",
        "Assistant: It is noon. - In Rome",
        "User: Thanks. Assistant: Alice owes you money.",
        "Assistant: You are welcome.",
    ]
    asked, *_, answer = state["messages"]
    assert rows(MESSAGES)[:2] == [(asked.id, "user"), (answer.id, "assistant")]


async def test_a_turn_is_written_once_however_often_it_is_seen(memory: AgentMemory, rows: Rows) -> None:
    graph = agent(memory, *[AIMessage("Yes.") for _ in range(4)])

    for number in range(3):
        await graph.ainvoke({"messages": [HumanMessage(f"Question {number}", id=f"m{number}")]}, ALICE)
    # the same message again, as a client that has lost the answer sends it
    await graph.ainvoke({"messages": [HumanMessage("Question 2", id="m2")]}, ALICE)

    assert [id for id, role in rows(MESSAGES) if role == "user"] == ["m0", "m1", "m2"]
    assert [role for _, role in rows(MESSAGES)].count("assistant") == 4  # the last question was answered twice


async def test_a_client_that_sends_the_whole_history_each_time_does_not_have_it_kept_each_time(
    memory: AgentMemory, rows: Rows
) -> None:
    model = TurnsModel(turns=[AIMessage("Hello."), AIMessage("Fine.")])
    graph = create_agent(model, middleware=[AgentMemoryMiddleware(memory, remember_turns=True)])
    history = [("user", "Hi."), ("assistant", "Hello."), ("user", "How are you?")]

    await graph.ainvoke({"messages": history[:1]}, {"configurable": {"user_id": "alice"}})
    await graph.ainvoke({"messages": history}, {"configurable": {"user_id": "alice"}})

    assert said(rows) == ["User: Hi.", "Assistant: Hello.", "User: How are you?", "Assistant: Fine."]


async def test_nothing_is_written_within_the_loop_of_tools(memory: AgentMemory, rows: Rows) -> None:
    seen: list[list[object]] = []

    @tool
    def look() -> str:
        """Look."""
        seen.append(said(rows))
        return "seen"

    graph = agent(memory, calls(("look", {})), calls(("look", {})), AIMessage("Done."), tools=[look])
    await graph.ainvoke(user("Look."), ALICE)

    assert seen == [["User: Look."]] * 2
    assert said(rows) == ["User: Look.", "Assistant: Done."]


async def test_the_first_turn_stays_kept_where_the_model_fails(memory: AgentMemory, rows: Rows) -> None:
    with pytest.raises(IndexError):
        await agent(memory).ainvoke(user("Are you there?"), ALICE)

    assert said(rows) == ["User: Are you there?"]


async def test_what_was_said_is_found_again_and_stands_in_no_system_message(memory: AgentMemory) -> None:
    model = TurnsModel(turns=[AIMessage("Noted."), AIMessage("In Oslo.")])
    middleware = [AgentMemoryMiddleware(memory, remember_turns=True)]
    graph = create_agent(model, middleware=middleware, checkpointer=InMemorySaver())

    await graph.ainvoke(user("I live in Oslo, near the harbour."), ALICE)
    other = {"configurable": {"user_id": "alice", "thread_id": "2"}}
    await graph.ainvoke(user("Which harbour do I live near?"), other)

    system, asked = model.prompts[1]
    assert "harbour" not in system.text
    assert "User: I live in Oslo, near the harbour." in asked.text


async def test_what_the_conversation_holds_is_not_recalled_beside_it(memory: AgentMemory) -> None:
    """Neither the question itself, which was kept just now and fits best, nor earlier turns; other threads' words are."""
    model = TurnsModel(turns=[AIMessage(f"Rome has a harbour, says book {number}.") for number in range(9)])
    middleware = [AgentMemoryMiddleware(memory, remember_turns=True, limit=2)]
    graph = create_agent(model, middleware=middleware, checkpointer=InMemorySaver())
    other = {"configurable": {"user_id": "alice", "thread_id": "2"}}

    await graph.ainvoke(user("I live in Rome, near the harbour."), other)
    for number in range(3):
        await graph.ainvoke(user(f"Which harbour is near Rome, in book {number}?"), ALICE)

    recalled = [prompt[-1].text.partition("<memory_recalled>")[2] for prompt in model.prompts]
    assert recalled[0] == ""
    assert all("User: I live in Rome, near the harbour." in text for text in recalled[1:])
    assert all("Which harbour" not in text for text in recalled)
    assert "says book 1" not in recalled[3]


async def test_a_history_that_a_client_sends_is_not_recalled_beside_it(memory: AgentMemory) -> None:
    model = TurnsModel(turns=[AIMessage("Noted."), AIMessage("Rome.")])
    graph = create_agent(model, middleware=[AgentMemoryMiddleware(memory, remember_turns=True)])
    history = [("user", "I live in Rome."), ("assistant", "Noted."), ("user", "Where do I live?")]

    await graph.ainvoke({"messages": history[:1]}, {"configurable": {"user_id": "alice"}})
    await graph.ainvoke({"messages": history}, {"configurable": {"user_id": "alice"}})

    assert [prompt[-1].text for prompt in model.prompts] == ["I live in Rome.", "Where do I live?"]


async def test_what_summarization_drops_was_kept_before(memory: AgentMemory, rows: Rows) -> None:
    """Also what was said before the middleware was there, and the message of a turn whose tools are called long."""
    saver = InMemorySaver()
    early = create_agent(TurnsModel(turns=[AIMessage(f"Answer {n}") for n in range(3)]), checkpointer=saver)
    for number in range(3):
        await early.ainvoke(user(f"Early {number}"), ALICE)
    summing = SummarizationMiddleware(
        TurnsModel(turns=[AIMessage("A summary.")] * 9), trigger=("messages", 5), keep=("messages", 2)
    )
    model = TurnsModel(turns=[looks(), looks(), looks(), AIMessage("It is noon.")])
    memories = AgentMemoryMiddleware(memory, remember_turns=True)
    graph = create_agent(model, [clock], middleware=[summing, memories], checkpointer=saver)

    state = await graph.ainvoke(user("What time is it?"), ALICE)

    assert not [message for message in state["messages"] if "Early" in message.text or "What time" in message.text]
    early_turns = [line for n in range(3) for line in (f"User: Early {n}", f"Assistant: Answer {n}")]
    # a summary is nobody's words
    assert said(rows) == [*early_turns, "User: What time is it?", "Assistant: It is noon."]


async def test_the_same_turn_goes_on_where_its_message_was_summed_up(memory: AgentMemory) -> None:
    await memory.acreate_active_memory("alice", "Notes", {"sections": ["a"]}, {"a": "Ada is away."})
    summing = SummarizationMiddleware(
        TurnsModel(turns=[AIMessage("A summary.")] * 9), trigger=("messages", 4), keep=("messages", 2)
    )
    model = TurnsModel(turns=[looks(), looks(), AIMessage("Noon.")])
    graph = create_agent(model, [clock], middleware=[summing, AgentMemoryMiddleware(memory)])

    await graph.ainvoke(user("What time is it?"), ALICE)

    assert model.prompts[-1][1].text.startswith("Here is a summary")
    assert len({prompt[0].text for prompt in model.prompts}) == 1


async def test_a_turn_that_waits_for_a_person_is_kept_when_it_ends(memory: AgentMemory, rows: Rows) -> None:
    person = HumanInTheLoopMiddleware(interrupt_on={"clock": True})
    graph = agent(memory, looks(), AIMessage("Noon."), after=[person])

    await graph.ainvoke(user("What time is it?"), ALICE)
    waiting = said(rows)
    await graph.ainvoke(Command(resume={"decisions": [{"type": "approve"}]}), ALICE)

    assert waiting == ["User: What time is it?"]
    assert said(rows) == ["User: What time is it?", "Assistant: Noon."]


async def test_what_other_middleware_makes_of_an_answer_is_what_is_kept(memory: AgentMemory, rows: Rows) -> None:
    hiding = PIIMiddleware("email", strategy="redact", apply_to_output=True)
    graph = agent(memory, AIMessage("Write to ada@example.org."), after=[hiding])

    await graph.ainvoke(user("Whom do I ask?"), ALICE)

    assert said(rows) == ["User: Whom do I ask?", "Assistant: Write to [REDACTED_EMAIL]."]


class Everything:
    """An extractor that keeps what it was given."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    async def extract(self, chunks: Any) -> tuple[Extraction, ModelUsage]:
        self.seen += [chunk.content.strip() for chunk in chunks]
        return Extraction(), ModelUsage()


async def test_what_the_assistant_says_is_remembered_but_nothing_is_learned_from_it(
    opened: Callable[..., AgentMemory],
) -> None:
    extractor = Everything()
    memory = opened(extractor=extractor)
    notes = await memory.acreate_active_memory("alice", "Notes", {"sections": ["a"]})
    await memory.aupdate_active_memory_section("alice", notes.id, "a", "Alice lives in Rome.")
    graph = agent(memory, AIMessage("Alice lives in Paris."), AIMessage("Alice lives in Berlin."))

    for question in ("Where does Alice live?", "Sure?"):
        await graph.ainvoke(user(question), ALICE)
    await memory.queue.aflush("alice")

    assert sorted(extractor.seen) == ["Alice lives in Rome.", "User: Sure?", "User: Where does Alice live?"]
    hits = {hit.content.strip(): hit.end_date for hit in await memory.asearch("alice", "Alice lives")}
    assert hits["Assistant: Alice lives in Paris."] is None
    assert hits["Alice lives in Rome."] is None


async def test_no_model_is_asked_for_facts_and_all_doors_share_one_conversation(
    opened: Callable[..., AgentMemory], rows: Rows
) -> None:
    reader = TurnsModel(turns=[])
    memory = opened(model=reader)
    graph = agent(memory, AIMessage("Hello.", id="a1"))
    messages = [HumanMessage("I live in Oslo.", id="m1")]

    state = await graph.ainvoke({"messages": messages}, ALICE)
    report = await memory.aadd("alice", state["messages"])

    assert (report.known, report.added, reader.prompts) == (2, [], [])
    assert said(rows) == ["User: I live in Oslo.", "Assistant: Hello."]


async def test_without_a_tenant_or_a_database_the_run_fails(memory: AgentMemory) -> None:
    with pytest.raises(ConfigurationError, match="whose memory"):
        await agent(memory, AIMessage("Hi.")).ainvoke(user("Hi."), {"configurable": {"thread_id": "1"}})
    nowhere = AgentMemory.open("postgresql://nobody@127.0.0.1:1/none?connect_timeout=1")
    with pytest.raises(OutageError):
        await agent(nowhere, AIMessage("Hi.")).ainvoke(user("Hi."), ALICE)


def test_sync_agents_keep_turns_as_well(dsn: str, rows: Rows) -> None:
    with AgentMemory.open(dsn) as memory:
        agent(memory, AIMessage("Hello.")).invoke(user("Hi."), ALICE)

    assert said(rows) == ["User: Hi.", "Assistant: Hello."]


async def test_a_class_of_ones_own_remembers_turns_too_and_keeps_its_name(memory: AgentMemory) -> None:
    class Ours(AgentMemoryMiddleware):
        pass

    assert Ours(memory, remember_turns=True).name == "Ours"
    assert AgentMemoryMiddleware(memory, remember_turns=True).name == AgentMemoryMiddleware(memory).name
    assert isinstance(Ours(memory, remember_turns=True), Ours)
