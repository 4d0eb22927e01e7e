"""A server that speaks OpenAI's chat completions, as it should or as servers do on a bad day."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from langchain_core.language_models import BaseChatModel

from langgraph_agentmem import AgentMemory, ConsolidationReport

USAGE = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}


@dataclass(frozen=True)
class Reply:
    """What is sent back.

    Attributes:
        body: A completion, or any bytes.
        pause: Seconds until it is sent.
        drops_after: Bytes of the body after which the connection ends; -1 sends nothing at all.
    """

    body: dict[str, Any] | bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    pause: float = 0.0
    drops_after: int | None = None


Asked = dict[str, Any]
"""A request's body."""

Answering = Callable[[Asked], Reply]


class ChatServer:
    """A server on a loopback port.

    Attributes:
        answer: What it sends back to a request's body.
        asked: The bodies of the requests so far.
        times: When they came, by the monotonic clock.
    """

    def __init__(self, answer: Answering) -> None:
        self.answer = answer
        self.asked: list[dict[str, Any]] = []
        self.times: list[float] = []
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._http.server_port}/v1"

    def model(self, **options: Any) -> BaseChatModel:
        """LangChain's client, which by itself tries nothing again and waits for a second."""
        from langchain_openai import ChatOpenAI

        defaults = {"model": "local", "api_key": "none", "max_retries": 0, "timeout": 1.0}
        return ChatOpenAI(base_url=self.url, **(defaults | options))

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                server.asked.append(body)
                server.times.append(time.monotonic())
                self.send(server.answer(body), streamed=body.get("stream", False))

            def send(self, reply: Reply, *, streamed: bool) -> None:
                time.sleep(reply.pause)
                is_stream = streamed and reply.status == 200 and isinstance(reply.body, dict)
                body = stream(reply.body) if is_stream else raw(reply.body)
                self.close_connection = True
                if reply.drops_after == -1:
                    return
                kind = "text/event-stream" if is_stream else reply.content_type
                with suppress(ConnectionError):  # who asked may have given up
                    self.send_response(reply.status)
                    for name, value in {"Content-Type": kind, "Content-Length": len(body), **reply.headers}.items():
                        self.send_header(name, str(value))
                    self.end_headers()
                    self.wfile.write(body[: reply.drops_after])

            def log_message(self, *_: object) -> None:
                pass

        return Handler


@contextmanager
def serving(answer: Answering) -> Iterator[ChatServer]:
    """A server, as long as the block lasts."""
    server = ChatServer(answer)
    thread = threading.Thread(target=server._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server._http.shutdown()
        server._http.server_close()
        thread.join()


def raw(body: dict[str, Any] | bytes) -> bytes:
    return body if isinstance(body, bytes) else json.dumps(body).encode()


def stream(body: dict[str, Any]) -> bytes:
    """A completion as server-sent events: its text and arguments in pieces, then why it ended, then what it cost."""
    events: list[dict[str, Any]] = []
    for choice in body["choices"]:
        events += [chunk(body, [{"index": 0, "delta": delta}]) for delta in deltas(choice["message"])]
        events.append(chunk(body, [{"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}]))
    events.append(chunk(body, []) | {"usage": body["usage"]})
    return b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events) + b"data: [DONE]\n\n"


def chunk(body: dict[str, Any], choices: list[dict[str, Any]]) -> dict[str, Any]:
    kept = {name: body[name] for name in ("id", "created", "model")}
    return {**kept, "object": "chat.completion.chunk", "choices": choices}


def deltas(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield {"role": "assistant", "content": ""}
    for piece in pieces(message.get("content") or ""):
        yield {"content": piece}
    for index, call in enumerate(message.get("tool_calls") or []):
        function = call["function"]
        yield {"tool_calls": [{**call, "index": index, "function": {"name": function["name"], "arguments": ""}}]}
        for piece in pieces(function["arguments"]):
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}


def pieces(text: str) -> list[str]:
    return [text[start : start + 7] for start in range(0, len(text), 7)]


# What a request asks for


def schema_of(asked: Asked) -> str:
    """The name of the schema that a request asks for, in either way."""
    if "response_format" in asked:
        return asked["response_format"]["json_schema"]["name"]
    return asked["tools"][0]["function"]["name"]


def way_of(asked: Asked) -> str:
    return "json_schema" if "response_format" in asked else "function_calling"


# Answers


def completion(message: dict[str, Any], ended: str = "stop", **others: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": None, **message}, "finish_reason": ended}
    kept = {"id": "c1", "object": "chat.completion", "created": 1, "model": "local"}
    return {**kept, "choices": [choice], "usage": USAGE, **others}


def prose(text: str = "I would rather talk about the weather.", ended: str = "stop") -> Reply:
    return Reply(completion({"content": text}, ended))


def written(asked: Asked, text: str, ended: str | None = None) -> Reply:
    """A text as the data that was asked for, in the way in which it was."""
    if way_of(asked) == "json_schema":
        return Reply(completion({"content": text}, ended or "stop"))
    call = {"id": "1", "type": "function", "function": {"name": schema_of(asked), "arguments": text}}
    return Reply(completion({"tool_calls": [call]}, ended or "tool_calls"))


def data(asked: Asked, value: object) -> Reply:
    return written(asked, json.dumps(value))


# A story

WAYS = ["json_schema", "function_calling"]
OLD, NEW = "Goal: hire Bob", "Goal: use PostgreSQL for everything"
ADA = {"entities": [{"name": "Ada", "types": ["person"]}]}


def good(asked: Asked) -> Reply:
    """Ada, wherever entities are wanted; a plan that leaves everything to the rules."""
    return data(asked, ADA if schema_of(asked) == "Extraction" else {})


def good_by_schema(asked: Asked) -> Reply:
    """As small models on local servers are: prose where a tool is to be called, data where a schema is to be kept to."""
    return good(asked) if way_of(asked) == "json_schema" else prose()


async def start(memory: AgentMemory, tenant: str = "alice") -> int:
    """A memory with one section, by its id."""
    return (await memory.acreate_active_memory(tenant, "Project", {"sections": ["notes"]})).id


async def cycle(memory: AgentMemory, id: int, content: str, tenant: str = "alice") -> ConsolidationReport:
    await memory.aupdate_active_memory_section(tenant, id, "notes", content)
    return await memory.aconsolidate(tenant, id)
