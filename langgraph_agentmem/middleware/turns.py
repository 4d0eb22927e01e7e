"""A conversation's turns: what the user has said, and what the assistant has answered in the end."""

from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage

from langgraph_agentmem.middleware.requests import is_summary
from langgraph_agentmem.policies import speech
from langgraph_agentmem.policies.validation import storable

_LONGEST = 50_000
"""Characters of what one of the two has said; what comes later, as of a pasted book, is not kept."""


class ConversationTurn(NamedTuple):
    """What was said.

    Attributes:
        id: Of the user's message.
        user: Its words.
        assistant: The last answer that calls no tool; empty as long as there is none.
    """

    id: str
    user: str
    assistant: str = ""

    @property
    def text(self) -> str:
        """The turn in lines that name who speaks; empty if nothing was said in words."""
        spoken = [(speech.USER, self.user), (speech.ASSISTANT, self.assistant)]
        return "\n".join(lines for speaker, words in spoken if (lines := speech.said(speaker, storable(words))))


def turns_of(
    messages: Sequence[AnyMessage], thread: str = "", begun: ConversationTurn | None = None
) -> list[ConversationTurn]:
    """The turns of a conversation, in order.

    Args:
        messages: What was said before the user's first message belongs to no turn.
        thread: The conversation's, if it has one.
        begun: The turn that is under way, whose message may have been dropped since.
    """
    turns: list[ConversationTurn] = []
    before = begun
    for place, message in enumerate(messages):
        if isinstance(message, HumanMessage) and not is_summary(message):
            turns.append(
                ConversationTurn(message.id or _derived_id(thread, place, message.text), message.text[:_LONGEST])
            )
        elif isinstance(message, AIMessage) and message.text.strip() and not message.tool_calls:
            if turns:
                turns[-1] = turns[-1]._replace(assistant=message.text[:_LONGEST])
            elif before is not None:
                before = before._replace(assistant=message.text[:_LONGEST])
    known = {turn.id for turn in turns}
    return [*([before] if before is not None and before.id not in known else []), *turns]


def _derived_id(thread: str, place: int, text: str) -> str:
    """The same for the same message: deep agents give none to what is said in plain tuples or dicts."""
    return sha256(f"{thread}\n{place}\n{storable(text)}".encode()).hexdigest()[:32]
