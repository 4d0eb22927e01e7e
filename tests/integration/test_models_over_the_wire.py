"""Chat models behind OpenAI's protocol: whatever a server does, nothing is lost, and the record tells what was paid."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

pytest.importorskip("langchain_openai")

from chat_server import (
    NEW,
    OLD,
    WAYS,
    Asked,
    ChatServer,
    Reply,
    completion,
    cycle,
    data,
    good,
    prose,
    start,
    written,
)

from langgraph_agentmem import AgentMemory

Open = Callable[..., AgentMemory]
Rows = Callable[..., list[tuple[object, ...]]]

CUT = '{"entities": [{"name": "Ada", "types": ["person"]}, {"name": "Ac'
PAID, UNTOLD = (100, 10), (0, 0)
BY_SCHEMA = {"json_schema": PAID, "function_calling": UNTOLD}
"""Of what the client fails at after it has read it: asked for a tool call, it does not hand it over."""

TROUBLES: dict[str, tuple[Callable[[Asked], Reply], Any, str]] = {
    "busy": (lambda asked: Reply({"error": {"message": "slow down"}}, 429), UNTOLD, "slow down"),
    "error": (lambda asked: Reply({"error": {"message": "out of memory"}}, 500), UNTOLD, "out of memory"),
    "key": (lambda asked: Reply({"error": {"message": "no such key"}}, 401), UNTOLD, "no such key"),
    "error page": (lambda asked: Reply(b"<html>Bad gateway</html>", 502, content_type="text/html"), UNTOLD, "502|Bad"),
    "too late": (lambda asked: Reply(good(asked).body, pause=1.2), UNTOLD, "timed out"),
    "cut off": (lambda asked: written(asked, CUT, "length"), PAID, "length"),
    "filtered": (lambda asked: prose("", "content_filter"), PAID, "filter"),
    "refused": (lambda asked: Reply(completion({"refusal": "I cannot help"})), PAID, "I cannot help"),
    "no choices": (lambda asked: Reply({**completion({}), "choices": []}), PAID, "it sent no answer"),
    "null choices": (lambda asked: Reply({**completion({}), "choices": None}), BY_SCHEMA, "choices|NoneType"),
    "a page": (lambda asked: Reply(b"<html>Sign in</html>", content_type="text/html"), UNTOLD, "text/html|Sign in"),
    "no JSON": (lambda asked: Reply(b"{{{"), UNTOLD, "."),
    "nonsense": (lambda asked: data(asked, {"entities": "?", "sections": 7}), PAID, "answer is no"),
    "a list": (lambda asked: data(asked, [1, 2]), BY_SCHEMA, "answer is no|valid dict"),
    "dropped": (lambda asked: Reply(good(asked).body, drops_after=20), UNTOLD, "[Cc]onnection|peer"),
    "hung up": (lambda asked: Reply(b"", drops_after=-1), UNTOLD, "[Cc]onnection|disconnected"),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("trouble", TROUBLES)
async def test_whatever_a_server_does_the_rules_take_over_and_what_was_missed_is_made_up_for(
    opened: Open, chat: ChatServer, rows: Rows, way: str, trouble: str
) -> None:
    reply, told_paid, told = TROUBLES[trouble]
    paid = told_paid[way] if isinstance(told_paid, dict) else told_paid
    memory = opened(model=chat.model(), settings={"structured_output": way, "model_attempts": 1})
    id = await start(memory)
    await cycle(memory, id, OLD)
    chat.answer = reply
    report = await cycle(memory, id, NEW)
    assert (report.status, report.chunks_added, report.model_failures) == ("applied", 1, 1)
    assert [failure.split(":")[0] for failure in report.failures] == [
        "extraction failed, a later run makes up for it", "the model failed, the rules decided",
    ]  # fmt: skip
    assert all(re.search(told, failure) for failure in report.failures)
    assert (report.usage.calls, report.usage.structured_output) == (2, [way])
    assert (report.usage.input_tokens, report.usage.output_tokens) == (2 * paid[0], 2 * paid[1])
    [run, _] = await memory.runs.alist("alice")
    assert run.usage == report.usage
    assert {text for (text,) in rows("SELECT content FROM agentmem.memory_chunk")} == {OLD, NEW}
    chat.answer = good
    made_up = await memory.aconsolidate("alice", id)
    assert (made_up.entities_merged, made_up.failures, made_up.model_failures) == (1, [], 0)


async def test_an_answer_that_was_cut_off_is_not_completed_and_taken(opened: Open, chat: ChatServer) -> None:
    chat.answer = lambda asked: written(asked, CUT)  # and the server does not even say so
    for way in WAYS:
        memory = opened(model=chat.model(), settings={"structured_output": way, "model_attempts": 1})
        report = await cycle(memory, await start(memory, way), OLD, way)
        assert (report.entities_created, report.model_failures) == (0, 1)


@pytest.mark.parametrize("way", WAYS)
async def test_a_stream_that_drops_midway_is_asked_for_again(opened: Open, chat: ChatServer, way: str) -> None:
    chat.answer = lambda asked: Reply(good(asked).body, drops_after=400 if len(chat.asked) == 1 else None)
    model = chat.model(streaming=True, stream_usage=True)
    memory = opened(model=model, settings={"structured_output": way})
    report = await cycle(memory, await start(memory), OLD)
    assert (report.failures, report.entities_created) == ([], 1)
    assert (report.usage.calls, report.usage.input_tokens) == (2, 100)


async def test_a_server_that_fails_for_one_tenant_does_not_touch_the_other(opened: Open, chat: ChatServer) -> None:
    chat.answer = lambda asked: Reply(b"", 500) if "Bob" in str(asked["messages"]) else good(asked)
    memory = opened(model=chat.model(), settings={"model_attempts": 1})
    failed = await cycle(memory, await start(memory, "alice"), OLD, "alice")
    fine = await cycle(memory, await start(memory, "zoe"), NEW, "zoe")
    assert (failed.entities_created, failed.model_failures) == (0, 1)
    assert (fine.entities_created, fine.model_failures, fine.usage.calls) == (1, 0, 1)


# Being asked to wait


def busy_once(chat: ChatServer, retry_after: Callable[[], str]) -> Callable[[Asked], Reply]:
    def answer(asked: Asked) -> Reply:
        busy = Reply({"error": {"message": "slow down"}}, 429, {"Retry-After": retry_after()})
        return busy if len(chat.asked) == 1 else good(asked)

    return answer


def soon() -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)


@pytest.mark.parametrize("client_retries", [0, 2])
@pytest.mark.parametrize(("told", "least"), [(lambda: "2", 1.5), (soon, 0.9)], ids=["seconds", "date"])
async def test_a_server_that_asks_to_wait_is_waited_for(
    opened: Open, chat: ChatServer, client_retries: int, told: Callable[[], str], least: float
) -> None:
    chat.answer = busy_once(chat, told)
    memory = opened(model=chat.model(max_retries=client_retries))
    report = await cycle(memory, await start(memory), OLD)
    assert (report.failures, report.entities_created) == ([], 1)
    assert chat.times[1] - chat.times[0] > least
    # what the client tries again by itself is one call
    assert (report.usage.calls, report.usage.input_tokens) == (1 if client_retries else 2, 100)


async def test_a_server_that_asks_to_wait_for_long_is_not_asked_again_in_this_run(
    opened: Open, chat: ChatServer
) -> None:
    chat.answer = busy_once(chat, lambda: "120")
    memory = opened(model=chat.model(), settings={"model_attempts": 3})
    report = await cycle(memory, await start(memory), OLD)
    assert (len(chat.asked), report.status, report.usage.calls, report.model_failures) == (1, "applied", 1, 1)


async def test_a_server_that_fails_at_first_is_asked_again(opened: Open, chat: ChatServer) -> None:
    chat.answer = lambda asked: Reply(b"", 500) if len(chat.asked) < 3 else good(asked)
    memory = opened(model=chat.model(), settings={"model_attempts": 3})
    report = await cycle(memory, await start(memory), OLD)
    assert (report.failures, report.entities_created, report.usage.calls) == ([], 1, 3)
    assert (report.usage.input_tokens, report.usage.output_tokens) == PAID
