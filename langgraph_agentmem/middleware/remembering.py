"""Keeps what is said in a turn."""

from collections.abc import Sequence
from functools import cached_property, partial
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.config import get_config
from langgraph.runtime import Runtime

from langgraph_agentmem import bridge
from langgraph_agentmem.middleware.recalling import RecallsMemory
from langgraph_agentmem.middleware.state import MemoryState
from langgraph_agentmem.middleware.transcripts import Transcripts
from langgraph_agentmem.middleware.turns import ConversationTurn, turns_of
from langgraph_agentmem.policies import tenancy


class RemembersTurns(RecallsMemory):
    """The hooks at a turn's beginning and end, neither of which is within the loop of tools."""

    def before_agent(self, state: MemoryState, runtime: Runtime[Any]) -> dict[str, Any]:
        """Keep the user's words, and what the conversation holds of earlier turns."""
        return bridge.run(partial(self._begun, state, runtime, get_config()))

    async def abefore_agent(self, state: MemoryState, runtime: Runtime[Any]) -> dict[str, Any]:
        """As `before_agent`."""
        return await self._begun(state, runtime, get_config())

    def after_agent(self, state: MemoryState, runtime: Runtime[Any]) -> None:
        """Keep the answer."""
        bridge.run(partial(self._ended, state, runtime, get_config()))

    async def aafter_agent(self, state: MemoryState, runtime: Runtime[Any]) -> None:
        """As `after_agent`."""
        await self._ended(state, runtime, get_config())

    @cached_property
    def _transcripts(self) -> Transcripts:
        return Transcripts(self.memory)

    async def _begun(self, state: MemoryState, runtime: Runtime[Any], config: RunnableConfig) -> dict[str, Any]:
        turns = turns_of(state["messages"], _thread(config))
        await self._keep(turns, runtime, config)
        return {"memory_turn": turns[-1][:2] if turns else None}

    async def _ended(self, state: MemoryState, runtime: Runtime[Any], config: RunnableConfig) -> None:
        begun = state.get("memory_turn")
        turns = turns_of(state["messages"], _thread(config), ConversationTurn(*begun) if begun else None)
        await self._keep(turns, runtime, config)

    async def _keep(self, turns: Sequence[ConversationTurn], runtime: Runtime[Any], config: RunnableConfig) -> None:
        thread = _thread(config)
        # where nobody keeps the thread, its history comes with each call, by ids that are new each time
        fresh = turns if thread else turns[-1:]
        await self._transcripts.keep(tenancy.known(self._tenant(runtime, config)), thread, fresh)


def _thread(config: RunnableConfig) -> str:
    thread = config.get("configurable", {}).get("thread_id")
    return "" if thread is None else str(thread)
