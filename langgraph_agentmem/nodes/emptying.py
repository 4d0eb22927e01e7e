"""How a node empties a channel of the graph that it runs in."""

from collections.abc import Mapping
from typing import Any, cast

from langgraph.channels.binop import BinaryOperatorAggregate
from langgraph.channels.delta import DeltaChannel
from langgraph.channels.topic import Topic
from langgraph.config import get_config
from langgraph.types import Overwrite

from langgraph_agentmem.errors import ConfigurationError


def emptied(name: str) -> Any:
    """What sets a channel to an empty list: past its reducer, if it has one, which would keep what is there.

    Raises:
        ConfigurationError: The channel is one that nothing empties.
    """
    channel = _channels().get(name)
    if isinstance(channel, Topic) and channel.accumulate:
        raise ConfigurationError(
            f"channel {name!r} is a Topic that accumulates, which nothing can empty, so that its edits would be "
            "written again and again; declare it as a list, with a reducer such as operator.add or without"
        )
    return Overwrite(list[Any]()) if isinstance(channel, BinaryOperatorAggregate | DeltaChannel) else []


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
