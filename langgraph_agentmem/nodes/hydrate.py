"""The node that lets a thread start with what the agent knows."""

from collections.abc import Awaitable
from functools import partial
from typing import Any, Protocol

from langchain_core.runnables import RunnableConfig, RunnableLambda

from langgraph_agentmem import bridge
from langgraph_agentmem.errors import ConfigurationError
from langgraph_agentmem.nodes.state import Node


class Hydrates(Protocol):
    """An `AgentMemorySaver`."""

    def ahydrate(self, config: RunnableConfig, state: Any = None) -> Awaitable[dict[str, Any]]:
        """What a thread's state is to take from memory."""
        ...


def hydrate_node(saver: Hydrates) -> Node:
    """Loads the sections of the agent's memory into the channels that they are mapped to; place it after `START`.

    A new thread gets all that earlier ones have left. A thread that goes on gets what others have changed since, except
    in channels that it has changed itself.

    Args:
        saver: The `AgentMemorySaver` that the graph is compiled with.

    Raises:
        ConfigurationError: `saver` is something else.

    Examples:
        >>> graph = StateGraph(State).add_node("hydrate", hydrate_node(saver)).add_edge(START, "hydrate")
        >>> new_thread = {"configurable": {"thread_id": "2", "user_id": "alice"}}
        >>> graph.compile(checkpointer=saver).invoke({"request": "Oslo"}, new_thread)["progress"]
        'Began with Rome.'
    """
    if not callable(getattr(saver, "ahydrate", None)):
        raise ConfigurationError(f"hydrate_node takes an AgentMemorySaver, not {type(saver).__name__}")

    async def hydrate(state: Any, config: RunnableConfig) -> dict[str, Any]:
        return await saver.ahydrate(config, state)

    def run(state: Any, config: RunnableConfig) -> dict[str, Any]:
        return bridge.run(partial(hydrate, state, config))

    return RunnableLambda(run, afunc=hydrate, name="hydrate")
