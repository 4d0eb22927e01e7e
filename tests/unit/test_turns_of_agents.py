"""What is kept of an agent's messages: the users' words, and the answers that end turns."""

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage

from langgraph_agentmem.middleware.turns import spoken

CALL = {"name": "clock", "args": {}, "id": "c", "type": "tool_call"}
SUMMARY = HumanMessage("Here is a summary.", id="s", additional_kwargs={"lc_source": "summarization"})


def said(messages: list[AnyMessage], thread: str = "1") -> list[tuple[str | None, str]]:
    return [(message.id, message.text) for message in spoken(messages, thread, 1_000)]


def test_what_was_asked_and_the_last_answer_that_calls_no_tool() -> None:
    messages = [
        AIMessage("Welcome!", id="w"),
        SUMMARY,
        HumanMessage("What time is it?", id="1"),
        AIMessage("I look.", tool_calls=[CALL], id="a1"),
        ToolMessage("noon", tool_call_id="c"),
        AIMessage("Nearly noon.", id="a2"),
        AIMessage("Noon.", id="a3"),
        HumanMessage([{"type": "image", "url": "x"}], id="2"),
        HumanMessage([{"type": "text", "text": "And there?"}], id="3"),
        AIMessage("", id="a4"),
    ]

    kept = [("w", "Welcome!"), ("1", "What time is it?"), ("a3", "Noon."), ("2", ""), ("3", "And there?")]
    assert said(messages) == kept
    assert said(messages, thread="") == kept[-1:]
    assert said(messages[:-3], thread="") == kept[1:3]


def test_a_turn_whose_message_was_summed_up_has_its_answer() -> None:
    assert said([SUMMARY, AIMessage("Noon.", id="a")]) == [("a", "Noon.")]
    assert said([SUMMARY, AIMessage("Noon.", id="a")], thread="") == [("a", "Noon.")]


def test_messages_without_an_id_get_one_that_is_the_same_next_time() -> None:
    messages: list[AnyMessage] = [HumanMessage("Hi."), AIMessage("Hello."), HumanMessage("Hi.")]

    ids = [id for id, _ in said(messages)]
    assert ids == [id for id, _ in said([*messages, AIMessage("Again?")])][:3]
    assert len({*ids, *(id for id, _ in said(messages, "2"))}) == 6


def test_what_a_database_cannot_hold_is_taken_out_and_a_book_is_cut() -> None:
    assert said([HumanMessage("a\0b\ud800", id="1")]) == [("1", "ab")]
    assert len(said([HumanMessage("word " * 100_000, id="1")])[0][1]) == 1_000
