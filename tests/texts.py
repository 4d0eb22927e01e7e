"""A state of two texts: checkpointers and graphs that say them."""

from collections.abc import Callable
from typing import Annotated, Any, TypedDict

import checkpointing
from checkpointing import of

from langgraph_agentmem import AgentMemorySaver, MemorySection

Rows = Callable[..., list[tuple[object, ...]]]


class State(TypedDict, total=False):
    progress: Annotated[str, MemorySection("What is done")]
    facts: Annotated[str, MemorySection("What is known")]
    say: dict[str, Any]


def agent(saver: AgentMemorySaver, *, hydrate: bool = False) -> Any:
    return checkpointing.agent(saver, State, hydrate=hydrate)


async def say(saver: AgentMemorySaver, thread: str, tenant: str = "alice", **texts: str) -> None:
    await agent(saver).ainvoke({"say": texts}, of(thread, tenant))
