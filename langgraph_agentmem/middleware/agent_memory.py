"""The middleware that gives an agent memory."""

from collections.abc import Callable, Sequence
from typing import Any, Self, cast

from langchain_core.tools import BaseTool

from langgraph_agentmem.errors import ConfigurationError
from langgraph_agentmem.memory import AgentMemory
from langgraph_agentmem.middleware.recalling import RecallsMemory
from langgraph_agentmem.middleware.remembering import RemembersTurns
from langgraph_agentmem.models.base import Tier
from langgraph_agentmem.operations.retrieval import recalling
from langgraph_agentmem.policies import validation
from langgraph_agentmem.tooling import NamesTenant
from langgraph_agentmem.tools import create_memory_tools


class AgentMemoryMiddleware(RecallsMemory):
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
        remember_turns: Keep what the user says and what the assistant answers in the end, each message once, as
            `AgentMemory.aadd` does with `infer=False`. The user's words are written before the first call of the model,
            with what the conversation holds of earlier turns, so that a middleware that drops messages loses none of
            them. That takes two more steps of the graph.
        hide_from_traces: Leave requests out of the spans of the middleware's own hooks; the model's span, and those of
            tools, show what the model was sent.

    Raises:
        ConfigurationError: `memory` or `external_id` is something else.
        InvalidInputError: Another argument cannot be accepted.

    Examples:
        >>> from langchain.agents import create_agent
        >>> agent = create_agent(model, middleware=[AgentMemoryMiddleware(memory)])
        >>> asked = {"messages": [("user", "When is the deadline?")]}
        >>> answer = agent.invoke(asked, {"configurable": {"user_id": "alice"}})["messages"][-1]
        >>> "Deadline: May 1" in model.prompts[-1][0].text  # the system message
        True
    """

    def __new__(cls, *args: Any, remember_turns: bool = False, **kwargs: Any) -> Self:
        """A middleware with the hooks that it needs: LangChain makes a step of each that its class has."""
        kind = cls
        if remember_turns and not issubclass(cls, RemembersTurns):
            names = {"__module__": cls.__module__, "__doc__": cls.__doc__}
            kind = cast("type[Self]", type(cls.__name__, (cls, RemembersTurns), names))
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
        validation.flag(tools, "tools")
        validation.flag(remember_turns, "remember_turns")
        # a turn that is remembered would be written before memory is asked, and refuses these
        recalling.check(
            token_budget=token_budget, memory_ids=memory_ids, tiers=tiers, limit=limit, count_tokens=count_tokens
        )
        asked_with = {"token_budget": token_budget, "limit": limit, "memory_ids": memory_ids, "tiers": tiers}
        super().__init__(memory, external_id, count_tokens, asked_with)
        made = create_memory_tools(memory, external_id=external_id, limit=limit, allow_forget=allow_forget)
        self.tools: Sequence[BaseTool] = made if tools else []
        if validation.flag(hide_from_traces, "hide_from_traces"):
            self.trace_policy: Any = _hiding()


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
