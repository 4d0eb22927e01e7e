"""Both ways of asking a chat model for data, over OpenAI's protocol, and how the one that it takes is found."""

import asyncio
import gc
import json
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("langchain_openai")

from chat_server import (
    ADA,
    NEW,
    OLD,
    WAYS,
    Asked,
    ChatServer,
    Reply,
    cycle,
    good,
    prose,
    schema_of,
    start,
    way_of,
)

from langgraph_agentmem import AgentMemory
from langgraph_agentmem.extraction import ModelExtractor
from langgraph_agentmem.models.conflict import ConflictChunk

Open = Callable[..., AgentMemory]
CHUNK = ConflictChunk(id=1, content="Ada works at Acme.")


def extractor(chat: ChatServer, structured_output: Any = "auto", **options: Any) -> ModelExtractor:
    return ModelExtractor(chat.model(**options), structured_output=structured_output)


# Both ways of asking, and what is asked


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("streaming", [False, True])
async def test_answers_are_read_in_both_ways_and_streamed_or_not(
    opened: Open, chat: ChatServer, way: str, streaming: bool
) -> None:
    model = chat.model(streaming=streaming, stream_usage=True)
    memory = opened(model=model, settings={"structured_output": way})
    id = await start(memory)
    await cycle(memory, id, OLD)
    report = await cycle(memory, id, NEW)
    assert [(schema_of(asked), way_of(asked)) for asked in chat.asked] == [
        ("Extraction", way), ("Extraction", way), ("ConsolidationPlan", way),
    ]  # fmt: skip
    assert [asked.get("stream", False) for asked in chat.asked] == [streaming] * 3
    assert (report.failures, report.usage.calls, report.usage.structured_output) == ([], 2, [way])
    assert (report.usage.input_tokens, report.usage.output_tokens) == (200, 20)
    assert (await memory.aget_entity("alice", "Ada")).types == ["person"]
    [run, _] = await memory.runs.alist("alice")
    assert run.usage == report.usage


async def test_a_schema_is_not_sent_as_a_strict_one_which_refuses_defaults(chat: ChatServer) -> None:
    await extractor(chat, "json_schema").extract([CHUNK])
    [asked] = chat.asked
    wanted = asked["response_format"]["json_schema"]
    assert wanted["strict"] is False
    assert set(wanted["schema"]["properties"]) == {"entities", "relationships"}


async def test_a_tool_has_to_be_called(chat: ChatServer) -> None:
    await extractor(chat, "function_calling").extract([CHUNK])
    [asked] = chat.asked
    assert asked["tool_choice"]["function"]["name"] == asked["tools"][0]["function"]["name"] == "Extraction"


@pytest.mark.parametrize(
    ("profile", "way"),
    [
        (None, "function_calling"),
        ({"structured_output": False, "tool_calling": True}, "function_calling"),
        ({"structured_output": True, "tool_calling": True}, "json_schema"),
    ],
)
async def test_left_to_itself_the_profile_says_how_a_model_is_asked(chat: ChatServer, profile: Any, way: str) -> None:
    _, usage = await extractor(chat, profile=profile).extract([CHUNK])
    assert usage.structured_output == [way]
    assert [way_of(asked) for asked in chat.asked] == [way]


# Falling back


def only(way: str, other: Reply) -> Callable[[Asked], Reply]:
    """Answers well if it is asked in a way, else with this."""
    return lambda asked: good(asked) if way_of(asked) == way else other


NO_TOOLS = Reply({"error": {"message": "local does not support tools"}}, status=400)


@pytest.mark.parametrize(
    ("way", "other"),
    [
        *[(way, other) for way in WAYS for other in (prose(), prose(""), NO_TOOLS)],
        ("json_schema", prose("Well, it is a long story", "length")),
    ],
)
async def test_a_model_that_answers_in_prose_is_asked_in_the_other_way_from_then_on(
    chat: ChatServer, way: str, other: Reply
) -> None:
    chat.answer = only(way, other)
    finding = extractor(chat, profile={"structured_output": way != "json_schema"})
    first, usage = await finding.extract([CHUNK])
    again, later = await finding.extract([CHUNK])
    assert first == again
    assert [entity.name for entity in first.entities] == ["Ada"]
    [wrong] = [other for other in WAYS if other != way]
    assert (usage.calls, usage.structured_output) == (2, [wrong, way])
    assert (usage.input_tokens, usage.output_tokens) == ((100, 10) if other is NO_TOOLS else (200, 20))
    assert (later.calls, later.structured_output) == (1, [way])


async def test_what_was_found_about_a_model_holds_for_all_that_it_is_asked_and_is_on_record(
    opened: Open, chat: ChatServer
) -> None:
    chat.answer = only("json_schema", prose())
    memory = opened(model=chat.model())
    id = await start(memory)
    first = await cycle(memory, id, OLD)
    second = await cycle(memory, id, NEW)
    assert (first.usage.calls, first.usage.structured_output) == (2, ["function_calling", "json_schema"])
    assert (second.usage.calls, second.usage.structured_output) == (2, ["json_schema"])
    assert first.failures == second.failures == []
    assert [way_of(asked) for asked in chat.asked] == ["function_calling", *["json_schema"] * 3]
    runs = await memory.runs.alist("alice")
    assert [run.usage for run in runs] == [second.usage, first.usage]


async def test_another_model_object_finds_out_for_itself(chat: ChatServer) -> None:
    chat.answer = only("json_schema", prose())
    for _ in range(3):
        _, usage = await extractor(chat).extract([CHUNK])
        assert usage.calls == 2
        gc.collect()  # the next object may get the id of this one


async def test_calls_that_are_under_way_at_once_all_fall_back(chat: ChatServer) -> None:
    def slow(asked: Asked) -> Reply:
        return good(asked) if way_of(asked) == "json_schema" else Reply(prose().body, pause=0.2 * len(chat.asked))

    chat.answer = slow
    finding = extractor(chat, timeout=10)
    found = await asyncio.gather(*(finding.extract([CHUNK]) for _ in range(4)))
    assert [usage.calls for _, usage in found] == [2] * 4


async def test_a_model_that_only_ever_talks_is_asked_twice_once(opened: Open, chat: ChatServer) -> None:
    chat.answer = lambda asked: prose()
    memory = opened(model=chat.model(), settings={"model_attempts": 3})
    report = await cycle(memory, await start(memory), OLD)
    assert [way_of(asked) for asked in chat.asked] == ["function_calling", "json_schema", *["function_calling"] * 2]
    assert (report.status, report.chunks_added, report.usage.calls, report.usage.input_tokens) == ("applied", 1, 4, 400)
    assert "weather" in report.failures[0]


async def test_an_outage_on_the_way_back_decides_nothing(chat: ChatServer) -> None:
    chat.answer = only("json_schema", prose())
    finding = extractor(chat)
    chat.answer = lambda asked: prose() if way_of(asked) == "function_calling" else Reply(b"", status=503)
    with pytest.raises(Exception, match=r"by function_calling: .*weather"):
        await finding.extract([CHUNK])
    chat.answer = only("json_schema", prose())
    _, usage = await finding.extract([CHUNK])
    assert usage.structured_output == ["function_calling", "json_schema"]


@pytest.mark.parametrize("way", WAYS)
async def test_a_way_that_was_set_is_kept_to(chat: ChatServer, way: str) -> None:
    chat.answer = lambda asked: prose()
    with pytest.raises(Exception, match="answer is no Extraction"):
        await extractor(chat, way).extract([CHUNK])
    assert [way_of(asked) for asked in chat.asked] == [way]


async def test_data_in_a_text_instead_of_a_tool_call_is_taken_without_another_call(
    opened: Open, chat: ChatServer
) -> None:
    def in_a_text(asked: Asked) -> Reply:
        return prose(f"```json\n{json.dumps(ADA if schema_of(asked) == 'Extraction' else {})}\n```")

    chat.answer = in_a_text
    memory = opened(model=chat.model())
    id = await start(memory)
    await cycle(memory, id, OLD)
    report = await cycle(memory, id, NEW)
    assert (report.failures, report.usage.calls, report.usage.structured_output) == ([], 2, ["function_calling"])
