"""Which channels of a graph's state are sections of a memory, and how their values become texts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import Parameter, signature
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Literal, NotRequired, Required, Union, cast, get_args, get_origin, get_type_hints
from weakref import WeakSet

from langchain_core.messages import BaseMessage
from langgraph.checkpoint.serde.types import _DeltaSnapshot  # pyright: ignore[reportPrivateUsage]
from pydantic import TypeAdapter

from langgraph_agentmem.checkpoint.rendering import first_valid, loaded, rendered
from langgraph_agentmem.errors import AgentMemoryError, ConfigurationError, InvalidInputError
from langgraph_agentmem.models.active import TemplateSection
from langgraph_agentmem.policies import validation
from langgraph_agentmem.redaction import UNREDACTED, Redactor

if TYPE_CHECKING:
    from langgraph_agentmem.checkpoint.schemas import SchemaChannel

_EXAMPLE = 'progress: Annotated[str, MemorySection("What is done")]'


@dataclass(frozen=True)
class MemorySection:
    """Marks a channel of a graph's state as a section of the agent's memory: `Annotated[str, MemorySection(...)]`.

    With a reducer, it stands before it: `Annotated[list[str], MemorySection(...), operator.add]`.

    Attributes:
        description: What belongs into it.
        id: The section's; the channel's name by default.
        title: What people read; the id by default.
        render: The text of a value. By default a string is its own text, messages become lines of who said what, and
            anything else its YAML.
        parse: The value of a text, for threads that start from memory. By default the inverse of the default `render`;
            messages have none.
        hydrate: Whether threads start with what the section holds; by default, if its text can be parsed.

    Examples:
        >>> import operator
        >>> class Research(TypedDict, total=False):
        ...     findings: Annotated[list[str], MemorySection("What was found out"), operator.add]
        >>> saver = AgentMemorySaver(memory, state_schema=Research)
    """

    description: str = ""
    id: str | None = None
    title: str = ""
    render: Callable[[Any], str] | None = None
    parse: Callable[[str], Any] | None = None
    hydrate: bool | None = None

    def __post_init__(self) -> None:
        for what in ("description", "id", "title"):
            if (text := getattr(self, what)) is not None:
                validation.text(text, f"{what} of a MemorySection")
        validation.function(self.render, "render")
        validation.function(self.parse, "parse")
        if self.hydrate is not None:
            validation.flag(self.hydrate, "hydrate")
        _unread.add(self)


_unread: "WeakSet[MemorySection]" = WeakSet()
"""Marks that no checkpointer was told of."""


def unread_marks() -> bool:
    """Whether there are marks of which no checkpointer knows, as it was given no `state_schema`."""
    return len(_unread) > 0


@dataclass(frozen=True)
class StateSection:
    """A channel that is mapped to a section.

    Attributes:
        channel: Its name.
        section: As it was marked.
        type: Of the channel's values; `str` where no schema tells.
        spec: The channel in the schema; None where there is none.
        redactor: Sees each text before it is compared with the section's, or written into it.
    """

    channel: str
    section: MemorySection
    type: Any = str
    spec: "SchemaChannel | None" = None
    redactor: Redactor = UNREDACTED

    @property
    def id(self) -> str:
        """The section's id."""
        return self.channel if self.section.id is None else self.section.id

    @property
    def hydrates(self) -> bool:
        """Whether threads start with what the section holds; without a type, nothing tells how to read it."""
        if self.section.hydrate is not None:
            return self.section.hydrate
        readable = self.section.render is None and self.spec is not None and not _of_messages(self.type)
        return self.section.parse is not None or readable

    def stored_text(self, stored: Any) -> str:
        """The text of what a checkpoint holds of the channel; None stands for nothing."""
        if isinstance(stored, _DeltaSnapshot):
            return self.text(stored.value)
        return self.text(stored if stored is None or self.spec is None else self.spec.value(stored))

    def text(self, value: Any) -> str:
        """The text of a value; none is empty.

        Raises:
            InvalidInputError: The value has no text, or one that cannot be stored.
        """
        if value is None:
            return ""
        try:
            text = self.section.render(value) if self.section.render else rendered(value, _is_text(self.type))
        except AgentMemoryError:
            raise
        except Exception as error:
            raise InvalidInputError(
                f"the value of channel {self.channel!r} ({type(value).__name__}) cannot be made a text: {error}; give "
                "its MemorySection a render function"
            ) from error
        return self.redactor.text(validation.text(text, f"the text of channel {self.channel!r}"), "checkpoint")

    def value(self, text: str) -> Any:
        """The value of a section's text.

        Raises:
            InvalidInputError: It is not the text of such a value.
        """
        try:
            if self.section.parse is not None:
                return self.section.parse(text)
            if self.type is str:
                return text
            adapter = TypeAdapter[Any](self.type)
            return (
                first_valid(adapter)
                if not text
                else adapter.validate_python(text if _is_text(self.type) else loaded(text))
            )
        except Exception as error:
            raise InvalidInputError(
                f"section {self.id!r} cannot be read as a value of channel {self.channel!r}: {error}; mend its "
                "content, or give its MemorySection a parse function"
            ) from error

    def update(self, value: Any) -> Any:
        """What a node returns to set the channel to a value, past its reducer."""
        return value if self.spec is None else self.spec.update(value)


def state_sections(schema: type | None, sections: Mapping[str, str | MemorySection] | None) -> dict[str, StateSection]:
    """The channels that are mapped to sections.

    Args:
        schema: The graph's state: a TypedDict, a dataclass or a pydantic model.
        sections: Sections by channel; by default, those that the schema marks.

    Raises:
        ConfigurationError: The schema marks none, a section's id comes twice or cannot be one, a channel is unknown, or
            a reducer stands where LangGraph does not see it.
    """
    if not isinstance(cast("object", sections), Mapping | None):
        raise ConfigurationError(f'sections must be a dict such as {{"progress": "plan"}}, not {sections!r}')
    if schema is None:
        by_channel = {name: StateSection(name, _marked(mark)) for name, mark in (sections or {}).items()}
    else:
        by_channel = _of_schema(schema, sections)
    for mapped in by_channel.values():
        _unread.discard(mapped.section)
        _check_name(mapped)
    ids = [mapped.id for mapped in by_channel.values()]
    if repeated := {id for id in ids if ids.count(id) > 1}:
        raise ConfigurationError(f"several channels are mapped to the section {min(repeated)!r}; give each its own id")
    return by_channel


def of_template(mapped: Mapping[str, StateSection]) -> tuple[TemplateSection, ...]:
    """These sections, as a memory's template has them."""
    return tuple(
        TemplateSection(id=m.id, title=m.section.title, description=m.section.description) for m in mapped.values()
    )


def _of_schema(schema: type, sections: Mapping[str, str | MemorySection] | None) -> dict[str, StateSection]:
    from langgraph_agentmem.checkpoint.schemas import channels_of  # noqa: PLC0415 - imports LangGraph's graphs

    try:
        channels = channels_of(schema)
        hints, types = get_type_hints(schema, include_extras=True), get_type_hints(schema)
    except Exception as error:
        raise ConfigurationError(f"state_schema {schema!r} is no state of a graph: {error}") from error
    marks = {name: mark for name, hint in hints.items() if (mark := _mark(schema, name, hint))}
    if sections is not None:
        marks = {name: _marked(mark) for name, mark in sections.items()}
    elif not marks:
        raise ConfigurationError(
            f"{schema.__name__} marks no channel as a section; write for example {_EXAMPLE}, or give sections"
        )
    if untracked := [name for name in marks if name in channels and channels[name].is_untracked]:
        raise ConfigurationError(f"channel {untracked[0]!r} of {schema.__name__} is untracked: no checkpoint holds it")
    if unknown := [name for name in marks if name not in channels]:
        raise ConfigurationError(f"{schema.__name__} has no channel {unknown[0]!r}; it has {', '.join(channels)}")
    return {name: StateSection(name, mark, types.get(name, Any), channels[name]) for name, mark in marks.items()}


def _mark(schema: type, name: str, hint: Any) -> MemorySection | None:
    # in a TypedDict these stand around Annotated
    while get_origin(hint) in (Required, NotRequired):
        hint = get_args(hint)[0]
    if not hasattr(hint, "__metadata__") and _holds_mark(hint):
        raise ConfigurationError(
            f"channel {name!r} of {schema.__name__}: MemorySection marks a whole channel; write "
            "Annotated[str | None, MemorySection(...)]"
        )
    metadata = list[object](getattr(hint, "__metadata__", ()))
    marks = [item for item in metadata if isinstance(item, MemorySection)]
    if marks and marks[-1] is metadata[-1] and any(map(_is_reducer, metadata)):
        raise ConfigurationError(
            f"channel {name!r} of {schema.__name__}: LangGraph sees a reducer only where it comes last; write "
            "Annotated[..., MemorySection(...), reducer]"
        )
    return marks[-1] if marks else None


def _holds_mark(hint: Any) -> bool:
    marked = any(isinstance(item, MemorySection) for item in getattr(hint, "__metadata__", ()))
    return marked or any(map(_holds_mark, get_args(hint)))


def _is_reducer(item: object) -> bool:
    if not callable(item) or isinstance(item, type):
        return False
    # two positional parameters, as LangGraph itself tells a reducer from other metadata
    places = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    return sum(parameter.kind in places for parameter in signature(item).parameters.values()) == 2


def _marked(mark: str | MemorySection) -> MemorySection:
    return mark if isinstance(mark, MemorySection) else MemorySection(id=mark)


def _check_name(mapped: StateSection) -> None:
    try:
        validation.name(mapped.id, f"the section of channel {mapped.channel!r}")
    except InvalidInputError as error:
        raise ConfigurationError(str(error)) from None


def _of_messages(kind: Any) -> bool:
    """Whether a type is that of messages."""
    parts = [kind, *get_args(kind)]
    parts += [part for argument in get_args(kind) for part in get_args(argument)]
    return any(isinstance(part, type) and issubclass(part, BaseMessage) for part in parts)


def _is_text(kind: Any) -> bool:
    """Whether all values of a type are texts, or None: they need no quotes."""
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        return all(part is NoneType or _is_text(part) for part in get_args(kind))
    if origin is Literal:
        return all(isinstance(part, str | None) for part in get_args(kind))
    return isinstance(kind, type) and issubclass(kind, str)
