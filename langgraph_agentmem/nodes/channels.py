"""The channels of the graph that a node runs in: whether it has one, and how one is emptied."""

from collections.abc import Mapping
from typing import Any, cast

from langgraph.channels.binop import BinaryOperatorAggregate
from langgraph.channels.delta import DeltaChannel
from langgraph.channels.topic import Topic
from langgraph.config import get_config
from langgraph.types import Overwrite

from langgraph_agentmem.errors import ConfigurationError
from langgraph_agentmem.nodes.state import channels


def demand(state: Any, name: str, argument: str) -> None:
    """Refuse a channel that the running graph does not have: LangGraph drops what is written there without a word.

    Args:
        state: What the node was given; where it is no state of that graph, a node of its calls this one by itself.
        name: Of the channel.
        argument: Of the node, which names it.

    Raises:
        ConfigurationError: There is none.
    """
    known = _channels().keys()
    if known and name not in known and known >= channels(state).keys():
        raise ConfigurationError(
            f"the graph's state has no channel {name!r}, which a node of memory needs; have it in the state's schema, "
            f"or name another one by {argument}="
        )


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
