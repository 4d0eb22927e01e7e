"""Lets a model read what memory says to a turn."""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, cast

from langchain.agents.middleware.types import AgentMiddleware, ExtendedModelResponse, ModelRequest, ModelResponse
from langchain_core.messages import AnyMessage
from langchain_core.runnables import RunnableConfig
from langgraph.config import get_config
from langgraph.types import Command

from langgraph_agentmem import bridge, telemetry
from langgraph_agentmem.errors import AgentMemoryError, ConfigurationError, InvalidInputError
from langgraph_agentmem.memory import AgentMemory
from langgraph_agentmem.middleware import requests
from langgraph_agentmem.middleware.requests import Recall
from langgraph_agentmem.middleware.state import MemoryState
from langgraph_agentmem.policies import tenancy
from langgraph_agentmem.tooling import NamesTenant

_logger = logging.getLogger(__name__)


class RecallsMemory(AgentMiddleware[MemoryState, Any, Any]):
    """Adds what memory says to each request of a turn; it is asked once, before the first.

    Args:
        memory: The open memory.
        named: Gives the tenant for a runtime, where it knows.
        count_tokens: Counts the tokens of a text.
        asked_with: Further arguments of `AgentMemory.acontext`.
    """

    state_schema = MemoryState

    def __init__(
        self,
        memory: AgentMemory,
        named: NamesTenant | None,
        count_tokens: Callable[[str], int] | None,
        asked_with: Mapping[str, Any],
    ) -> None:
        super().__init__()
        self.memory: AgentMemory = memory
        self._named = named
        self._count_tokens = count_tokens
        self._asked_with = asked_with
        self._warned = threading.Event()

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> ExtendedModelResponse[Any]:
        """Let the model read what memory says to this turn."""
        recall, fresh = bridge.run(partial(self._recall, request, get_config()))
        return _noted(handler(requests.told(request, recall)), recall if fresh else None)

    async def awrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]]
    ) -> ExtendedModelResponse[Any]:
        """As `wrap_model_call`."""
        recall, fresh = await self._recall(request, get_config())
        return _noted(await handler(requests.told(request, recall)), recall if fresh else None)

    def _tenant(self, runtime: Any, config: RunnableConfig) -> str | None:
        return tenancy.of_run(runtime, config.get("configurable", {}), self._named)

    async def _recall(self, request: ModelRequest[Any], config: RunnableConfig) -> tuple[Recall, bool]:
        """What memory says to the turn, and whether it was asked for that now."""
        tenant = self._tenant(request.runtime, config)
        message = requests.last_human(request.messages)
        known = cast("MemoryState", request.state).get("memory_recall")
        # a turn whose message was summed up meanwhile is the same turn
        asked = known.asked if known and message is None else requests.asked_by(message)
        if known is not None and known.answers(tenant, asked):
            return known, False
        nothing = Recall(tenant=tenant, asked=asked)
        if tenant is None:
            self._warn()
            return nothing, True
        return await self._found(nothing, tenant, requests.query_of(message), request), True

    def _kept(self, messages: Sequence[AnyMessage]) -> Sequence[AnyMessage]:
        """What of a conversation is in memory, as this middleware keeps it: nothing."""
        return ()

    async def _found(self, nothing: Recall, tenant: str, query: str | None, request: ModelRequest[Any]) -> Recall:
        counter = self._count_tokens or _counter(request.model)
        try:
            async with asyncio.timeout(self.memory.settings.recall_timeout_seconds):
                found = await self.memory.acontext(
                    tenant, query, messages=self._kept(request.messages), count_tokens=counter, **self._asked_with
                )
        except (ConfigurationError, InvalidInputError):  # nothing that goes by itself
            raise
        except (AgentMemoryError, TimeoutError) as error:
            telemetry.recall_failed(error)
            _logger.warning(
                "nothing is recalled for a turn of tenant %r, which goes on without memory: %s",
                tenant,
                telemetry.described(error),
            )
            return nothing
        return nothing.model_copy(update={"sections": found.sections, "recalled": found.recalled})

    def _warn(self) -> None:
        if not self._warned.is_set():
            self._warned.set()
            _logger.warning("nothing is recalled, as it is not known whose memory it would be: %s", tenancy.PLACES)


def _noted(response: ModelResponse[Any], recall: Recall | None) -> ExtendedModelResponse[Any]:
    """A response, with what the calls that follow in this turn are to be told as well."""
    command: Command[Any] | None = None if recall is None else Command(update={"memory_recall": recall})
    return ExtendedModelResponse(model_response=response, command=command)


def _counter(model: Any) -> Callable[[str], int] | None:
    ids: Callable[[str], list[int]] | None = getattr(model, "custom_get_token_ids", None)
    return None if ids is None else lambda text: len(ids(text))
