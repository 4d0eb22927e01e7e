"""What tools have in common: the run that calls one names the tenant, and what a model asks in vain is told to it."""

import functools
import inspect
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, ParamSpec

from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, StructuredTool, ToolException
from langgraph.prebuilt import ToolRuntime
from pydantic import BaseModel

from langgraph_agentmem import bridge
from langgraph_agentmem.errors import ConfigurationError, ConflictError, InvalidInputError, NotFoundError
from langgraph_agentmem.policies import tenancy

P = ParamSpec("P")
NamesTenant = Callable[[Any], Any]
"""Gives the tenant for a run's runtime, or None where it does not know."""
Runtime = ToolRuntime[Any, Any]
NONE: Any = None
"""For what is injected: who calls a tool by itself, as tests do, has no runtime."""
Told = tuple[str, Any]
"""What the model reads, and what the application finds as the message's artifact."""

_ACTS_ON = (InvalidInputError, NotFoundError, ConflictError)
"""Errors of what a model has asked for; it can ask for something else. All others end the run."""


def naming(external_id: NamesTenant | None) -> NamesTenant | None:
    """What names the tenant of a run, if it is given and is a function.

    Raises:
        ConfigurationError: It is something else, as a tenant itself.
    """
    if external_id is None or callable(external_id):
        return external_id
    raise ConfigurationError(
        f"external_id must be a function of a runtime that returns the tenant, not {external_id!r}; for one tenant "
        f"in all runs there is lambda runtime: {external_id!r}"
    )


def tenant_of(runtime: Runtime | None, config: RunnableConfig | None, named: NamesTenant | None) -> str:
    """The tenant of the run that calls a tool.

    Raises:
        ConfigurationError: Nothing names one.
    """
    configurable: Mapping[str, Any] = (config or {}).get("configurable", {})
    return tenancy.known(tenancy.of_run(runtime, configurable, named))


def tool(
    method: Callable[P, Awaitable[Told]], schema: type[BaseModel], extras: dict[str, Any] | None = None
) -> BaseTool:
    """A tool, sync and async, of an async method.

    Args:
        method: Takes what the schema says, and what is injected: a runtime and a config.
        schema: What a model sees; its docstring says what the tool is for.
        extras: What a provider's integration is to know.
    """

    @functools.wraps(method)
    async def told(*args: P.args, **kwargs: P.kwargs) -> Told:
        try:
            return await method(*args, **kwargs)
        except _ACTS_ON as error:
            raise ToolException(str(error)) from error

    @functools.wraps(method)
    def run(*args: P.args, **kwargs: P.kwargs) -> Told:
        return bridge.run(partial(told, *args, **kwargs))

    made = StructuredTool.from_function(
        run,
        told,
        name=method.__name__,
        description=inspect.getdoc(schema),
        args_schema=schema,
        response_format="content_and_artifact",
        handle_tool_error=True,
    )
    made.extras = extras
    return made
