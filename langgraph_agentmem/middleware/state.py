"""What the middleware keeps in the agent's state."""

from typing import Annotated, Any, NotRequired

from langchain.agents.middleware.types import AgentState, PrivateStateAttr
from langgraph.channels.untracked_value import UntrackedValue

from langgraph_agentmem.middleware.requests import Recall


class MemoryState(AgentState[Any]):
    """An agent's state, with what the middleware adds; no part of the agent's input or output.

    Attributes:
        memory_recall: What memory has said to this turn. It is in no checkpoint, and so it is asked for again where a
            run is resumed.
    """

    memory_recall: NotRequired[Annotated[Recall, UntrackedValue, PrivateStateAttr]]
