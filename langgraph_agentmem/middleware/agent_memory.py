"""The middleware that gives an agent memory."""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, NotRequired, Self, cast

from langchain.agents.middleware.types import (
    AgentMiddleware,
    AgentState,
    ExtendedModelResponse,
    ModelRequest,
    ModelResponse,
    PrivateStateAttr,
)
from langchain_core.runnables import RunnableConfig
from langgraph.channels.untracked_value import UntrackedValue
from langgraph.config import get_config
from langgraph.runtime import Runtime
from langgraph.types import Command

from langgraph_agentmem import bridge, telemetry
from langgraph_agentmem.errors import AgentMemoryError, ConfigurationError, InvalidInputError
from langgraph_agentmem.memory import AgentMemory
from langgraph_agentmem.middleware import requests
from langgraph_agentmem.middleware.requests import Recall
from langgraph_agentmem.middleware.transcripts import Transcripts
from langgraph_agentmem.middleware.turns import Turn, turns_of
from langgraph_agentmem.models.base import Tier
from langgraph_agentmem.policies import tenancy
from langgraph_agentmem.tooling import NamesTenant
from langgraph_agentmem.tools import create_memory_tools

_logger = logging.getLogger(__name__)


class RecallState(AgentState[Any]):
    """What the middleware keeps in the agent's state.

    Attributes:
        memory_recall: What memory has said to this turn. It is in no checkpoint, and so it is asked for again where a
            run is resumed.
        memory_turn: The id and the words of the user's message, for the turn's end: it may have been summed up by then.
    """

    memory_recall: NotRequired[Annotated[Recall, UntrackedValue, PrivateStateAttr]]
    memory_turn: NotRequired[Annotated[tuple[str, str] | None, PrivateStateAttr]]


class AgentMemoryMiddleware(AgentMiddleware[RecallState, Any, Any]):
    """Memory for an agent: what it knows stands in each request to the model, and tools let the model edit it.

    The sections of the user's memories come at the end of the system message, and what was found for the user's last
    message beside that message, both as delimited data. Nothing of it goes into the agent's state: memory is asked
    once a turn, before the first call of the model, and each call of the turn gets the same bytes. The sections' bytes
    change only when a section is written, so that a provider's cache of prompts holds.

    Whose memory it is, is looked for in this order: what `external_id` gives, the context's `user_id`,
    `configurable["user_id"]`, the user that a LangGraph server has authenticated. Where there is none, nothing is
    recalled, which is logged as a warning the first time; tools and writes raise `ConfigurationError`.

    Where memory does not answer within `recall_timeout_seconds`, or cannot be read, the turn goes on without it; that
    is logged and counted. Writes fail loudly.

    Args:
        memory: The open memory.
        external_id: A function that gives the tenant for a runtime of LangGraph, or None where it does not know.
        token_budget: The most tokens that memory adds to a request.
        count_tokens: How many tokens a text has; by default the model's `custom_get_token_ids`, else one for four
            characters. (What else models count with may ask a server.)
        limit: The most hits that are recalled for a message, and that a search by the model finds.
        memory_ids: Only what is in these memories, or came from them; all of the tenant's by default.
        tiers: Only hits of these tiers; all by default.
        tools: Give the model the tools of `create_memory_tools`.
        allow_forget: Give it `forget_memory` as well.
        remember_turns: Keep what the user says and what the assistant answers in the end, in the tenant's memory of
            "Conversations", a section for each turn. The user's words are written before the first call of the model,
            with what the conversation holds of earlier turns, so that a middleware that drops messages loses none of
            them. That takes two more steps of the graph.
        hide_from_traces: Leave requests out of the spans of the middleware's own hooks; the model's span, and those of
            tools, show what the model was sent.

    Examples:
        >>> from langchain.agents import create_agent
        >>> agent = create_agent(model, middleware=[AgentMemoryMiddleware(memory)])
        >>> asked = {"messages": [("user", "When is the deadline?")]}
        >>> answer = agent.invoke(asked, {"configurable": {"user_id": "alice"}})["messages"][-1]
        >>> "Deadline: May 1" in model.prompts[-1][0].text  # the system message
        True
    """

    state_schema = RecallState

    def __new__(cls, *args: Any, remember_turns: bool = False, **kwargs: Any) -> Self:
        """A middleware with the hooks that it needs: LangChain makes a step of each that its class has."""
        kind = cls
        if remember_turns and not issubclass(cls, _RemembersTurns):
            names = {"__module__": cls.__module__, "__doc__": cls.__doc__}
            kind = cast("type[Self]", type(cls.__name__, (_RemembersTurns, cls), names))
        return super().__new__(kind)

    def __init__(
        self,
        memory: AgentMemory,
        *,
        external_id: NamesTenant | None = None,
        token_budget: int = 2000,
        count_tokens: Callable[[str], int] | None = None,
        limit: int = 10,
        memory_ids: Sequence[int] | None = None,
        tiers: Sequence[Tier] | None = None,
        tools: bool = True,
        allow_forget: bool = False,
        remember_turns: bool = False,
        hide_from_traces: bool = False,
    ) -> None:
        super().__init__()
        self.memory = memory
        self._named = external_id
        self._count_tokens = count_tokens
        self._asked_with: Mapping[str, Any] = {
            "token_budget": token_budget,
            "limit": limit,
            "memory_ids": memory_ids,
            "tiers": tiers,
        }
        self.tools = (
            create_memory_tools(memory, external_id=external_id, limit=limit, allow_forget=allow_forget)
            if tools
            else []
        )
        if hide_from_traces:
            self.trace_policy = _hiding()
        self._transcripts = Transcripts(memory)
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

    async def _recall(self, request: ModelRequest[Any], config: RunnableConfig) -> tuple[Recall, bool]:
        """What memory says to the turn, and whether it was asked for that now."""
        tenant = self._tenant(request.runtime, config)
        message = requests.last_human(request.messages)
        known = cast("RecallState", request.state).get("memory_recall")
        # a turn whose message was summed up meanwhile is the same turn
        asked = known.asked if known and message is None else requests.asked_by(message)
        if known is not None and known.answers(tenant, asked):
            return known, False
        nothing = Recall(tenant=tenant, asked=asked)
        if tenant is None:
            self._warn()
            return nothing, True
        return await self._found(nothing, tenant, requests.query_of(message), request), True

    async def _found(self, nothing: Recall, tenant: str, query: str | None, request: ModelRequest[Any]) -> Recall:
        counter = self._count_tokens or _counter(request.model)
        try:
            async with asyncio.timeout(self.memory.settings.recall_timeout_seconds):
                found = await self.memory.acontext(tenant, query, count_tokens=counter, **self._asked_with)
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

    def _tenant(self, runtime: Any, config: RunnableConfig) -> str | None:
        return tenancy.of_run(runtime, config.get("configurable", {}), self._named)

    def _warn(self) -> None:
        if not self._warned.is_set():
            self._warned.set()
            _logger.warning("nothing is recalled, as it is not known whose memory it would be: %s", tenancy.PLACES)


class _RemembersTurns(AgentMemoryMiddleware):
    """The hooks at a turn's beginning and end, neither of which is within the loop of tools."""

    def before_agent(self, state: RecallState, runtime: Runtime[Any]) -> dict[str, Any]:
        return bridge.run(partial(self._begun, state, runtime, get_config()))

    async def abefore_agent(self, state: RecallState, runtime: Runtime[Any]) -> dict[str, Any]:
        return await self._begun(state, runtime, get_config())

    def after_agent(self, state: RecallState, runtime: Runtime[Any]) -> None:
        bridge.run(partial(self._ended, state, runtime, get_config()))

    async def aafter_agent(self, state: RecallState, runtime: Runtime[Any]) -> None:
        await self._ended(state, runtime, get_config())

    async def _begun(self, state: RecallState, runtime: Runtime[Any], config: RunnableConfig) -> dict[str, Any]:
        turns = turns_of(state["messages"], _thread(config))
        await self._keep(turns, runtime, config)
        return {"memory_turn": turns[-1][:2] if turns else None}

    async def _ended(self, state: RecallState, runtime: Runtime[Any], config: RunnableConfig) -> None:
        begun = state.get("memory_turn")
        turns = turns_of(state["messages"], _thread(config), Turn(*begun) if begun else None)
        await self._keep(turns, runtime, config)

    async def _keep(self, turns: Sequence[Turn], runtime: Runtime[Any], config: RunnableConfig) -> None:
        thread = _thread(config)
        # where nobody keeps the thread, its history comes with each call, by ids that are new each time
        fresh = turns if thread else turns[-1:]
        await self._transcripts.keep(tenancy.known(self._tenant(runtime, config)), thread, fresh)


def _thread(config: RunnableConfig) -> str:
    thread = config.get("configurable", {}).get("thread_id")
    return "" if thread is None else str(thread)


def _noted(response: ModelResponse[Any], recall: Recall | None) -> ExtendedModelResponse[Any]:
    """A response, with what the calls that follow in this turn are to be told as well."""
    command: Command[Any] | None = None if recall is None else Command(update={"memory_recall": recall})
    return ExtendedModelResponse(model_response=response, command=command)


def _counter(model: Any) -> Callable[[str], int] | None:
    ids: Callable[[str], list[int]] | None = getattr(model, "custom_get_token_ids", None)
    return None if ids is None else lambda text: len(ids(text))


def _hiding() -> Any:
    """LangChain's policy that keeps requests out of spans.

    Raises:
        ConfigurationError: This LangChain has none.
    """
    try:
        from langgraph.types import TracePolicy, omit_payload  # noqa: PLC0415
    except ImportError as error:
        raise ConfigurationError(f"hide_from_traces needs a newer langchain and langgraph ({error})") from error
    return TracePolicy(process_inputs=omit_payload, process_outputs=omit_payload)
