"""Values of a state's channels as texts that people read, and back."""

from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, cast

from langchain_core.messages import BaseMessage
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import to_jsonable_python


def first_valid(adapter: TypeAdapter[Any]) -> Any:
    """What an empty text stands for: the first of these that is a value of the type."""
    for value in ("null", '""', "[]", "{}"):
        try:
            return adapter.validate_json(value)
        except ValidationError:
            continue
    raise ValueError("the text is empty")


def rendered(value: Any, plain: bool) -> str:
    """The text of a value; a string of a channel that holds other values as well is quoted where need be."""
    if isinstance(value, str) and plain:
        # `str` of an enumeration's member would name the member, not its value
        return str(value.value) if isinstance(value, Enum) else value
    if isinstance(value, BaseMessage):
        return _line(value)
    if isinstance(value, list | tuple) and value and all(isinstance(v, BaseMessage) for v in cast("list[Any]", value)):
        return "\n".join(_line(message) for message in cast("list[BaseMessage]", value))
    # an empty section reads back as the type's empty value, see `first_valid`
    if isinstance(value, list | tuple | dict | set | frozenset) and not value:
        return ""
    from langgraph_agentmem.checkpoint import yaml_texts  # noqa: PLC0415 - imports YAML, which plain texts do without

    return yaml_texts.dumped(_ordered(value))


def _ordered(value: Any) -> Any:
    """A value as JSON holds it, sets in an order that is always the same."""
    if isinstance(value, set | frozenset):
        return sorted(map(_ordered, cast("set[Any]", value)), key=repr)
    if isinstance(value, list | tuple):
        return [_ordered(item) for item in cast("list[Any]", value)]
    if isinstance(value, BaseModel):
        value = value.model_dump()
    elif is_dataclass(value) and not isinstance(value, type):
        value = {item.name: getattr(value, item.name) for item in fields(value)}
    if isinstance(value, dict):
        items = cast("dict[Any, Any]", value).items()
        return {to_jsonable_python(key): _ordered(item) for key, item in items}
    return to_jsonable_python(value)


def _line(message: BaseMessage) -> str:
    return f"{message.type}: {message.text}"


def loaded(text: str) -> Any:
    """The value of a YAML text."""
    from langgraph_agentmem.checkpoint import yaml_texts  # noqa: PLC0415 - as above

    return yaml_texts.loaded(text)
