"""What a request to the model asks about, and the request with what memory has to say."""

from collections.abc import Sequence
from typing import Any, cast

from langchain.agents.middleware.types import ModelRequest
from langchain_core.messages import AnyMessage, HumanMessage, SystemMessage
from pydantic import Field

from langgraph_agentmem.models.base import Value
from langgraph_agentmem.policies.validation import storable

_LONGEST_QUERY = 4_000
"""Characters of a message that are searched by; what comes later tells little more."""


class Recall(Value):
    """What memory has to say to a turn, fixed when it is first asked.

    Streams of a graph's values show all of its state: what stands there tells no texts, however it is printed or
    serialised.

    Attributes:
        tenant: Whose memory it is; None where nothing names one.
        asked: The id of the message that it answers; its text where it has none.
        sections: The block of sections.
        recalled: The block of hits for that message.
    """

    tenant: str | None
    asked: str
    sections: str = Field(default="", exclude=True, repr=False)
    recalled: str = Field(default="", exclude=True, repr=False)

    def answers(self, tenant: str | None, asked: str) -> bool:
        """Whether this is what memory has said to that tenant's turn."""
        return (self.tenant, self.asked) == (tenant, asked)


def is_summary(message: AnyMessage) -> bool:
    """Whether a message stands for earlier ones, and nobody has said it."""
    return message.additional_kwargs.get("lc_source") == "summarization"


def asked_by(message: HumanMessage | None) -> str:
    """What tells a message from others."""
    return "" if message is None else message.id or message.text


def query_of(message: HumanMessage | None) -> str | None:
    """What is searched for; None where a message has no words, as a picture."""
    text = "" if message is None else storable(message.text[:_LONGEST_QUERY]).strip()
    return text or None


def last_human(messages: Sequence[AnyMessage]) -> HumanMessage | None:
    """The message that began the turn."""
    return next((m for m in reversed(messages) if isinstance(m, HumanMessage) and not is_summary(m)), None)


def told(request: ModelRequest[Any], recall: Recall) -> ModelRequest[Any]:
    """A request with the sections at the end of its system message, and the hits at the end of the last human one.

    Both go behind what was there: a provider's cache of prompts holds what comes before.
    """
    if recall.sections:
        request = request.override(system_message=_with_block(request.system_message, recall.sections))
    message = last_human(request.messages)
    if recall.recalled and message is not None and asked_by(message) == recall.asked:
        beside = message.model_copy(update={"content": _with_text(message.content, recall.recalled)})
        request = request.override(messages=[beside if each is message else each for each in request.messages])
    return request


def _with_block(message: SystemMessage | None, text: str) -> SystemMessage:
    block = {"type": "text", "text": text}
    if message is None:
        return SystemMessage(content=[block])
    before = [{"type": "text", "text": message.content}] if isinstance(message.content, str) else message.content
    return message.model_copy(update={"content": [*before, block]})


def _with_text(content: str | list[str | dict[str, Any]], text: str) -> str | list[str | dict[str, Any]]:
    # what was a text stays one: not every server takes blocks from a user
    if isinstance(content, str):
        return f"{content}\n\n{text}"
    return [*content, cast("dict[str, Any]", {"type": "text", "text": text})]
