"""A conversation's turns: what the user has said, and what the assistant has answered in the end."""

from collections.abc import Sequence
from typing import NamedTuple

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage

from langgraph_agentmem.middleware.requests import is_summary
from langgraph_agentmem.policies import speech
from langgraph_agentmem.policies.validation import storable

_LONGEST = 50_000
"""Characters of what one of the two has said; what comes later, as of a pasted book, is not kept."""


class Turn(NamedTuple):
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


def turns_of(messages: Sequence[AnyMessage], begun: Turn | None = None) -> list[Turn]:
    """The turns of a conversation, in order.

    Args:
        messages: What was said before the user's first message belongs to no turn.
        begun: The turn that is under way, whose message may have been dropped since.
    """
    dropped = begun is not None and all(message.id != begun.id for message in messages)
    turns: list[Turn] = [begun] if begun is not None and dropped else []
    for message in messages:
        if isinstance(message, HumanMessage) and message.id and not is_summary(message):
            turns.append(Turn(message.id, message.text[:_LONGEST]))
        elif turns and isinstance(message, AIMessage) and message.text.strip() and not message.tool_calls:
            turns[-1] = turns[-1]._replace(assistant=message.text[:_LONGEST])
    return turns
