"""Keeps what is said in a turn."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from langchain_core.messages import AnyMessage
from langchain_core.runnables import RunnableConfig
from langgraph.config import get_config
from langgraph.runtime import Runtime

from langgraph_agentmem import bridge
from langgraph_agentmem.middleware.recalling import RecallsMemory
from langgraph_agentmem.middleware.state import MemoryState
from langgraph_agentmem.middleware.turns import spoken
from langgraph_agentmem.policies import tenancy

_LONGEST = 50_000
_SOME_THREAD = "some thread"


class RemembersTurns(RecallsMemory):
    """The hooks at a turn's beginning and end, neither of which is within the loop of tools.

    The first keeps the user's words, and what the conversation holds of earlier turns; the second keeps the answer.
    """

    def before_agent(self, state: MemoryState, runtime: Runtime[Any]) -> None:
        """Keep the user's words, and what the conversation holds of earlier turns."""
        bridge.run(partial(self._keep, state["messages"], runtime, get_config()))

    async def abefore_agent(self, state: MemoryState, runtime: Runtime[Any]) -> None:
        """As `before_agent`."""
        await self._keep(state["messages"], runtime, get_config())

    def after_agent(self, state: MemoryState, runtime: Runtime[Any]) -> None:
        """Keep the answer."""
        bridge.run(partial(self._keep, state["messages"], runtime, get_config()))

    async def aafter_agent(self, state: MemoryState, runtime: Runtime[Any]) -> None:
        """As `after_agent`."""
        await self._keep(state["messages"], runtime, get_config())

    async def _keep(self, messages: Sequence[AnyMessage], runtime: Runtime[Any], config: RunnableConfig) -> None:
        tenant = tenancy.known(self._tenant(runtime, config))
        thread = config.get("configurable", {}).get("thread_id")
        said = spoken(messages, "" if thread is None else str(thread), self._longest)
        # each message once: those that are known are passed over
        await self.memory.aadd(tenant, said, infer=False)

    def _kept(self, messages: Sequence[AnyMessage]) -> Sequence[AnyMessage]:
        """All that is said there: this turn's words just now, and those of earlier turns, whoever keeps the thread."""
        return spoken(messages, _SOME_THREAD, self._longest)

    @property
    def _longest(self) -> int:
        return min(_LONGEST, self.memory.settings.max_content_chars)
