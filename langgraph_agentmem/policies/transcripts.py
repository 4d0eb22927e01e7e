"""Reads messages, and writes them down as a transcript: a line or more each, by speaker and time, in parts.

A transcript is cut into sections of at most `PART` messages, so that appending a message writes a short value, however
long the conversation is. A line begins as dialogue does (`[2026-05-08 14:03] Ada: ...`), which is what a search finds
speakers and days by; see `policies.weighing`.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from langgraph_agentmem.errors import InvalidInputError
from langgraph_agentmem.models.base import Json
from langgraph_agentmem.models.conversation import Role, Said
from langgraph_agentmem.policies import validation
from langgraph_agentmem.policies.chunking import chunk

PART = 50
"""Messages in a section."""
PART_CHARS = 50_000
"""Characters from which on a section is full, too."""
LABEL = "messages"
"""The last label of a transcript's namespace, behind its conversation's."""
FIELDS = ("content",)
"""The paths of a part's texts: its lines, and not what is kept beside them."""
_ROLES: dict[str, Role | None] = {
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "ai": "assistant",
    "tool": "tool",
    "function": "tool",
    "system": None,
    "developer": None,
    "remove": None,
}
"""None: instructions, which nobody has said in the conversation."""
_LONGEST_SPEAKER = 38
"""Of a name before a colon, by which lines of dialogue are known."""
_NO_NAME = re.compile(r"[\s:：()\[\]]+")
_OF_ASSISTANT = re.compile(r"(\[[^\]\n]{,20}\] )?(Assistant|Tool): ")
_EXAMPLE = '{"role": "user", "content": "I moved to Oslo."}'


def read(message: object, position: int, *, limit: int) -> Said | None:
    """A message as it is kept; None where there is nothing to keep: instructions, and what is empty.

    A message without an id gets one that is made of its role, speaker, time, text and position. So the same history
    given again is known, as long as it begins with the same message; a list that begins elsewhere is taken for other
    messages, and the same words at the same position of another list for the same message.

    Args:
        message: One of LangChain's, or a dict with `role` and `content`, and maybe `id`, `name` and `time`.
        position: Among the messages of the call, from 0.
        limit: Longest text, in characters.

    Raises:
        InvalidInputError: It is no message.
        InvalidTextError: Its text cannot be stored.
    """
    what = f"messages[{position}]"
    fields = _fields(message, what)
    role = _role(fields, what)
    if role is not None and "content" not in fields and not fields.get("tool_calls"):
        # as "text", or within "data": what is said would be passed over like an empty message
        raise InvalidInputError(f"{what} has no content, but {', '.join(map(repr, fields))}; it looks like {_EXAMPLE}")
    text = _text(fields, what)
    if role is None or not text.strip():
        return None
    validation.text(text, f"the text of {what}", limit=limit)
    time = _time(fields.get("time"), what)
    speaker = _speaker(role, fields.get("name"))
    given = fields.get("id")
    if given is None:
        basis = json.dumps([role, speaker, time, text, position]).encode(errors="surrogatepass")
        given = f"~{hashlib.sha256(basis).hexdigest()[:32]}"
    return Said(id=validation.name(given, f"the id of {what}"), role=role, speaker=speaker, text=text, time=time)


def lines(said: Said, size: int) -> list[str]:
    """A message as lines of dialogue, each at most a chunk: only one that is longer than that has several."""
    head = f"[{said.time}] {said.speaker}: " if said.time else f"{said.speaker}: "
    flat = " ".join(said.text.split())
    if len(head) + len(flat) <= size:  # one line is one chunk, and most messages are short
        return [head + flat]
    return [head + piece.text.strip() for piece in chunk(flat, max(size - len(head), 1)) if piece.text.strip()]


def by_assistant(text: str) -> bool:
    """Whether every line of a text is an assistant's, or a tool's: it tells what was answered, about nobody."""
    lines = [line for line in text.splitlines() if line.strip()]
    return bool(lines) and all(_OF_ASSISTANT.match(line) for line in lines)


def appended(
    last: tuple[str, Json] | None, messages: Sequence[Said], size: int
) -> Iterator[tuple[str, Json, list[Said]]]:
    """The parts of a transcript that messages are written into, with their values and what is new in them.

    Args:
        last: The id and the value of the last part; None where there is none.
        messages: To be appended, in order.
        size: Longest line, in characters.
    """
    id, value = last or (_part_id(1), dict[str, Any]())
    kept, content = list[Json](value.get("messages", [])), str(value.get("content", ""))
    new: list[Said] = []
    for said in messages:
        if kept and (len(kept) >= PART or len(content) >= PART_CHARS):
            if new:
                yield id, {"content": content, "messages": kept}, new
            id, kept, content, new = _part_id(int(id) + 1), [], "", []
        content = "\n".join([*([content] if content else []), *lines(said, size)])
        kept.append(_kept(said))
        new.append(said)
    if new:
        yield id, {"content": content, "messages": kept}, new


def batches(messages: Iterable[object], most: int, chars: int, *, limit: int) -> Iterator[tuple[int, list[Said]]]:
    """Messages in batches, as they are read, each with how many were passed by then, kept or not.

    Args:
        messages: Read one by one, so that no more of them than a batch are held.
        most: Messages in a batch.
        chars: Characters from which on a batch is full, too.
        limit: As in `read`.
    """
    given: object = messages
    # a message of LangChain's can be iterated over, too
    if isinstance(given, str | Mapping | type) or hasattr(given, "content") or not hasattr(given, "__iter__"):
        kind = type(cast("object", given)).__name__
        raise InvalidInputError(f"messages must be a list of messages like {_EXAMPLE}, not {kind}")
    batch: list[Said] = []
    size = passed = told = 0
    for position, message in enumerate(messages):
        passed = position + 1
        said = read(message, position, limit=limit)
        if said is None:
            continue
        batch.append(said)
        size += len(said.text)
        if len(batch) >= most or size >= chars:
            yield passed, batch
            batch, size, told = [], 0, passed
    if passed > told:
        yield passed, batch


def _part_id(number: int) -> str:
    # of equal length, so that the last is the greatest
    return f"{number:06d}"


def _kept(said: Said) -> Json:
    """What is kept of a message beside its lines: its text as well, where the lines do not give it back."""
    kept: Json = {"id": said.id, "role": said.role, "speaker": said.speaker}
    kept |= {"time": said.time} if said.time else {}
    return kept | ({"text": said.text} if said.text != " ".join(said.text.split()) else {})


def _fields(message: object, what: str) -> Mapping[str, Any]:
    if isinstance(message, Mapping):
        return cast("Mapping[str, Any]", message)
    kind, content = getattr(message, "type", None), getattr(message, "content", None)
    if not isinstance(kind, str) or content is None:
        raise InvalidInputError(f"{what} must be a message of LangChain's or a dict like {_EXAMPLE}, not {message!r}")
    fields = {name: getattr(message, name, None) for name in ("content", "id", "name", "tool_calls")}
    more = getattr(message, "additional_kwargs", None)
    time = cast("Mapping[str, Any]", more).get("time") if isinstance(more, Mapping) else None
    # a `ChatMessage` names its role itself
    return {**fields, "role": getattr(message, "role", kind), "time": time}


def _role(fields: Mapping[str, Any], what: str) -> Role | None:
    role = fields.get("role", fields.get("type"))
    # streamed messages are of types such as AIMessageChunk
    known = str(role).lower().removesuffix("messagechunk")
    if known not in _ROLES:
        raise InvalidInputError(f"the role of {what} must be one of {', '.join(_ROLES)}, not {role!r}")
    return _ROLES[known]


def _text(fields: Mapping[str, Any], what: str) -> str:
    content = fields.get("content")
    if not isinstance(content, str | list | tuple | None):
        kind = type(content).__name__
        raise InvalidInputError(f"the content of {what} must be a text or a list of blocks, not {kind}")
    blocks = [content] if isinstance(content, str) else list(cast("Sequence[object]", content or []))
    named = [_block(block, what) for block in blocks]
    listed = any(isinstance(block, Mapping) for block in blocks)
    # of messages with blocks, calls are blocks, too
    calls = cast("Sequence[Mapping[str, Any]]", [] if listed else fields.get("tool_calls") or [])
    return "\n".join(part for part in [*named, *(_named("tool_call", call) for call in calls)] if part)


def _block(block: object, what: str) -> str:
    if isinstance(block, str):
        return block
    if not isinstance(block, Mapping):
        raise InvalidInputError(f"the content of {what} must hold texts and blocks, not {type(block).__name__}")
    fields = cast("Mapping[str, Any]", block)
    text, kind = fields.get("text"), str(fields.get("type", "text"))
    return text if kind == "text" and isinstance(text, str) else _named(kind, fields)


def _named(kind: str, fields: Mapping[str, Any]) -> str:
    called = fields.get("function")  # as OpenAI's calls have it
    name = cast("Mapping[str, Any]", called if isinstance(called, Mapping) else fields).get("name")
    return f"[{kind} {name}]" if isinstance(name, str) and name else f"[{kind}]"


def _speaker(role: Role, name: object) -> str:
    """By which name a line is known; the assistant has no other, so that its words cannot be taken for a person's."""
    known = " ".join(_NO_NAME.sub(" ", name).split()[:3])[:_LONGEST_SPEAKER] if isinstance(name, str) else ""
    usable = role == "user" and known[:1].isalnum() and known.casefold() not in {"assistant", "tool"}
    return known if usable else role.capitalize()


def _time(given: object, what: str) -> str:
    if given is None:
        return ""
    try:
        moment = given if isinstance(given, datetime) else datetime.fromisoformat(str(given))
    except ValueError:
        raise InvalidInputError(f"the time of {what} must be a datetime or ISO 8601 text, not {given!r}") from None
    return f"{moment:%Y-%m-%d %H:%M}"
