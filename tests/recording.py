"""A scripted chat model that keeps what it was sent, byte for byte, and agents with it."""

import json
from collections.abc import Sequence
from typing import Any

from fakes import TurnsModel
from langchain_core.messages import BaseMessage


def sent(messages: Sequence[BaseMessage]) -> bytes:
    """A request as it goes over the wire: roles, contents and calls of tools, without what is ours only."""
    parts = [{"role": m.type, "content": m.content, "calls": getattr(m, "tool_calls", None)} for m in messages]
    return json.dumps(parts, ensure_ascii=False).encode()


def requests(model: TurnsModel) -> list[bytes]:
    """All requests that a model has had."""
    return [sent(messages) for messages in model.prompts]


def texts(messages: Sequence[BaseMessage], kind: str) -> list[str]:
    """The texts of a request's messages of a kind."""
    return [message.text for message in messages if message.type == kind]


def user(words: str) -> Any:
    """An agent's input: what a user says."""
    return {"messages": [("user", words)]}
