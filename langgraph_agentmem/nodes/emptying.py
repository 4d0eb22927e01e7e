"""How a node empties a channel of the graph that it runs in."""

from collections.abc import Mapping
from typing import Any, cast

from langgraph.channels.binop import BinaryOperatorAggregate
from langgraph.channels.delta import DeltaChannel
from langgraph.config import get_config
from langgraph.types import Overwrite


def emptied(name: str) -> Any:
    """What sets a channel to an empty list: past its reducer, if it has one, which would keep what is there."""
    reduced = isinstance(_channels().get(name), BinaryOperatorAggregate | DeltaChannel)
    return Overwrite(list[Any]()) if reduced else []


def _channels() -> Mapping[str, Any]:
    """The channels of the running graph; none where there is none."""
    none: Mapping[str, Any] = {}
    try:
        configurable = get_config().get("configurable", none)
    except RuntimeError:
        return none
    # LangGraph gives nodes a function that reads channels, and has no other way to tell what they are
    given = getattr(configurable.get("__pregel_read"), "args", ())
    return next((cast("Mapping[str, Any]", arg) for arg in given if isinstance(arg, Mapping)), none)
