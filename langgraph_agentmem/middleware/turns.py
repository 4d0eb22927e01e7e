"""What is said in an agent's turns: the users' words, and what the assistant has answered in the end."""

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage

from langgraph_agentmem.middleware.requests import is_summary
from langgraph_agentmem.policies.validation import storable


def spoken(messages: Sequence[AnyMessage], thread: str, longest: int) -> list[AnyMessage]:
    """The messages that are kept of a conversation, in order: each with an id, and nothing in it but its text.

    Args:
        messages: Of each stretch between users' messages, the last answer that calls no tool is kept.
        thread: The conversation's; empty where nobody keeps it. Its history comes with each call then, by ids that are
            new each time, and so only the last turn is kept.
        longest: Characters of a message that are kept; what comes later, as of a pasted book, is not.
    """
    said = [(place, message) for place, message in enumerate(messages) if _is_said(message)]
    kept = list(_last_answers(said))
    return [_kept(message, place, thread, longest) for place, message in (kept if thread else _last_turn(kept))]


def _is_said(message: AnyMessage) -> bool:
    if isinstance(message, HumanMessage):
        return not is_summary(message)
    return isinstance(message, AIMessage) and bool(message.text.strip()) and not message.tool_calls


def _last_answers(said: Iterable[tuple[int, AnyMessage]]) -> Iterator[tuple[int, AnyMessage]]:
    answer: tuple[int, AnyMessage] | None = None
    for place, message in said:
        if isinstance(message, HumanMessage):
            yield from [answer] if answer else []
            answer = None
            yield place, message
        else:
            answer = place, message
    yield from [answer] if answer else []


def _last_turn(kept: Sequence[tuple[int, AnyMessage]]) -> Sequence[tuple[int, AnyMessage]]:
    begins = [at for at, (_, message) in enumerate(kept) if isinstance(message, HumanMessage)]
    # a turn whose message was summed up meanwhile is what came after
    return kept[begins[-1] :] if begins else kept


def _kept(message: AnyMessage, place: int, thread: str, longest: int) -> AnyMessage:
    text = storable(message.text)[:longest]
    # deep agents give none to what is said in plain tuples or dicts: the same for the same message
    id = message.id or sha256(f"{thread}\n{place}\n{text}".encode()).hexdigest()[:32]
    return message.model_copy(update={"content": text, "id": id})
