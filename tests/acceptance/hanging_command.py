"""`agentmem` with a model that does not answer."""

from typing import Any

import anyio
from langchain_core.language_models import FakeListChatModel

from langgraph_agentmem import chat
from langgraph_agentmem.cli import main


class Hanging(FakeListChatModel):
    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self

    async def _agenerate(self, *args: Any, **kwargs: Any) -> Any:
        await anyio.sleep_forever()


chat.chat_model = lambda model: Hanging(responses=[])
main()
