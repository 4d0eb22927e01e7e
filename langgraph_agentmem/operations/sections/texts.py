"""The texts of a section's value, which are chunked, searched and consolidated."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, cast

from langgraph.store.base import get_text_at_path, tokenize_path

from langgraph_agentmem.errors import InvalidInputError
from langgraph_agentmem.models.base import Json
from langgraph_agentmem.models.chunk import PlacedChunk, TextChunk
from langgraph_agentmem.policies.chunking import MOST_ALONE, chunk
from langgraph_agentmem.policies.placing import placed
from langgraph_agentmem.policies.words import reader
from langgraph_agentmem.settings import AgentMemorySettings

_WHOLE = ("$", "")


def texts(value: Json, fields: Sequence[str] | None) -> list[str]:
    """A value's texts.

    Args:
        value: A JSON object.
        fields: Paths as LangGraph's stores take them, each of whose texts counts by itself; `$` stands for the whole.
            None: all strings in the value as one text, in the order in which PostgreSQL keeps keys. Empty: none.
    """
    if fields is None:
        return ["\n".join(_strings(value))]
    return [text for field in fields for text in _at(value, field)]


def pieces(value: Json, fields: Sequence[str] | None, settings: AgentMemorySettings) -> list[PlacedChunk]:
    """The chunks of a value.

    Several strings of a line each are one chunk, as long as they fit into it: alone, hardly any would mean much.
    """
    words = reader(settings.text_search_config)
    if fields is None:
        strings = list(_strings(value))
        if len(strings) > 1 and _fits(strings, settings.chunk_size_chars):
            return placed([[TextChunk(text="\n".join(strings))]], words)
    return placed(list(_chunked(_few(texts(value, fields)), settings)), words)


def checked_fields(fields: object, what: str) -> list[str]:
    """Paths that can be read.

    Raises:
        InvalidInputError: They are no list of paths.
    """
    if isinstance(fields, str) or not isinstance(fields, Sequence):
        raise InvalidInputError(f"{what} must be a list of paths such as 'text' or 'turns[*].text', not {fields!r}")
    for field in cast("Sequence[object]", fields):
        if not isinstance(field, str) or "\0" in field:
            raise InvalidInputError(f"{what} must hold paths as strings, not {field!r}")
        try:
            tokenize_path(field)
        except Exception as error:
            raise InvalidInputError(f"{what} holds {field!r}, which is no path: {error}") from error
    return list(cast("Sequence[str]", fields))


def _at(value: Json, field: str) -> list[str]:
    return ["\n".join(_strings(value))] if field in _WHOLE else get_text_at_path(value, field)


def _few(texts: list[str]) -> list[str]:
    """Texts, of which those beyond a number are one, as each is at least a chunk."""
    return texts if len(texts) <= MOST_ALONE else [*texts[:MOST_ALONE], "\n".join(texts[MOST_ALONE:])]


def _chunked(texts: Iterable[str], settings: AgentMemorySettings) -> Iterator[list[TextChunk]]:
    alone = MOST_ALONE
    for text in texts:
        yield (chunks := chunk(text, settings.chunk_size_chars, settings.chunk_overlap_chars, alone))
        alone = max(alone - len(chunks), 0)


def _fits(strings: Sequence[str], size: int) -> bool:
    """Whether strings are a line each, and together fit into a chunk."""
    return sum(map(len, strings)) + len(strings) <= size and all(len(text.splitlines()) <= 1 for text in strings)


def _stored_order(key: str) -> tuple[int, bytes]:
    """How PostgreSQL orders the keys of an object, whichever order they were given in."""
    encoded = key.encode()
    return len(encoded), encoded


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key in sorted(cast("Json", value), key=_stored_order):
            yield from _strings(cast("Json", value)[key])
    elif isinstance(value, list | tuple):
        for item in cast("Sequence[Any]", value):
            yield from _strings(item)
