"""The channels that LangGraph makes of a graph's state schema.

Importing this imports LangGraph's graphs, which takes longer than all of this package: only where there is a schema.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import langgraph.channels.base as langgraph_channels
from langgraph.channels.base import BaseChannel
from langgraph.channels.binop import BinaryOperatorAggregate
from langgraph.channels.delta import DeltaChannel
from langgraph.channels.untracked_value import UntrackedValue
from langgraph.checkpoint.base import DeltaChannelHistory
from langgraph.errors import EmptyChannelError
from langgraph.graph import StateGraph
from langgraph.types import Overwrite


@dataclass(frozen=True)
class SchemaChannel:
    """A channel of a schema.

    Attributes:
        spec: LangGraph's channel.
    """

    # by its module: `pyright --verifytypes` does not know LangGraph's generic classes by a name imported from one
    spec: langgraph_channels.BaseChannel[Any, Any, Any]

    @property
    def is_delta(self) -> bool:
        """Whether checkpoints hold its writes instead of its value."""
        return isinstance(self.spec, DeltaChannel)

    @property
    def is_untracked(self) -> bool:
        """Whether no checkpoint holds it."""
        return isinstance(self.spec, UntrackedValue)

    def value(self, stored: Any) -> Any:
        """The value of what a checkpoint holds; None where it is empty."""
        try:
            return self.spec.from_checkpoint(stored).get()
        except EmptyChannelError:
            return None

    def replayed(self, history: DeltaChannelHistory) -> Any:
        """The value of a delta channel, made of its writes."""
        rebuilt = cast("DeltaChannel[Any]", self.spec.from_checkpoint(history.get("seed", self.spec.checkpoint())))
        rebuilt.replay_writes(history["writes"])
        return rebuilt.get()

    def update(self, value: Any) -> Any:
        """What a node returns to set the channel to a value, past its reducer."""
        return Overwrite(value) if isinstance(self.spec, BinaryOperatorAggregate | DeltaChannel) else value


def channels_of(schema: type) -> Mapping[str, SchemaChannel]:
    """The channels of a schema by name; where it is not the schema of a state, LangGraph's own error is raised."""
    channels = cast("dict[str, BaseChannel[Any, Any, Any]]", cast("Any", StateGraph(schema)).channels)
    return {name: SchemaChannel(channel) for name, channel in channels.items()}
