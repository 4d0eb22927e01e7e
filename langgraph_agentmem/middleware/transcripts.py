"""Keeps what was said: a memory of conversations for each tenant, with a section for each turn."""

from collections.abc import Sequence
from typing import cast

from langgraph.store.base import GetOp, Item, PutOp

from langgraph_agentmem.memory import AgentMemory
from langgraph_agentmem.middleware.turns import ConversationTurn
from langgraph_agentmem.models.active import TRANSCRIPT
from langgraph_agentmem.policies.ownership import Ownership
from langgraph_agentmem.store import AgentMemoryStore

TITLE = "Conversations"
_TEMPLATE = {"sections": {"about": "What was said, one section for each turn, by the id of the user's message."}}
_FIELDS = ["content"]


class Transcripts:
    """The memories of conversations.

    A turn's section is called by the id of the user's message, so that the same turn is there once however often it is
    written, and the answer comes to where the question stands.

    Args:
        memory: The open memory.
    """

    def __init__(self, memory: AgentMemory) -> None:
        self._memory = memory
        self._store = AgentMemoryStore(memory)
        self._ownership = Ownership(owner=memory.settings.store_owner)

    async def keep(self, tenant: str, thread: str, turns: Sequence[ConversationTurn]) -> None:
        """Write what is not there yet of some turns.

        Raises:
            AgentMemoryError: It cannot be written.
        """
        values = {turn.id: {"content": turn.text, "thread": thread} for turn in turns if turn.text}
        namespace = self._ownership.default(tenant, TITLE)
        found = cast("list[Item | None]", await self._store.abatch([GetOp(namespace, key) for key in values]))
        stored = {item.key: item.value for item in found if item is not None}
        missing = [PutOp(namespace, key, value, _FIELDS) for key, value in values.items() if stored.get(key) != value]
        if missing and not stored:
            # a put would make the memory as well, but not as one that prompts leave out
            await self._memory.acreate_active_memory(tenant, TITLE, _TEMPLATE, metadata=TRANSCRIPT, exist_ok=True)
        await self._store.abatch(missing)
