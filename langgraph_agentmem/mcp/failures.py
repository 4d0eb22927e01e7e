"""What a model is told of an error: what it can mend, word for word; of all else, that it is not its fault."""

import logging
from collections.abc import Iterable, Mapping

from mcp.server.mcpserver.exceptions import ToolError
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from langgraph_agentmem import telemetry
from langgraph_agentmem.errors import (
    AgentMemoryError,
    ConflictError,
    InvalidInputError,
    NotFoundError,
    OutageError,
    TooManyCallsError,
)

_logger = logging.getLogger(__name__)

_ACTS_ON = (InvalidInputError, NotFoundError, ConflictError)
_LONGEST = 100


def told(error: BaseException) -> str:
    """An error in words for a model; what only who runs the server can mend is logged, and not shown."""
    if isinstance(error, _ACTS_ON):
        return str(error)
    _logger.error("a request over MCP failed: %s", telemetry.described(error))
    if isinstance(error, OutageError | TooManyCallsError):
        return "memory cannot be reached at the moment; it is not known to have changed. Try again later"
    if isinstance(error, AgentMemoryError):
        return f"memory cannot do this at the moment ({type(error).__name__}); who runs the server finds why in its log"
    return "memory could not do this, by a fault of its own; who runs the server finds more in its log"


def of_call(error: ToolError, name: str, known: Mapping[str, Iterable[str]]) -> str:
    """What a call of a tool has failed by, in words for a model.

    Args:
        error: As the SDK raises it.
        name: Of the tool that was called.
        known: The names of arguments, by those of the tools.
    """
    cause = error.__cause__
    if name not in known:
        return f"there is no tool {name[:_LONGEST]!r}; there are {', '.join(known)}"
    if isinstance(cause, ValidationError):
        problems = cause.errors(include_url=False, include_context=False)
        return "; ".join(_problem(problem, known[name]) for problem in problems)
    return str(cause or error) if isinstance(cause, ToolError | None) else told(cause)


def _problem(problem: ErrorDetails, arguments: Iterable[str]) -> str:
    at, shown = ".".join(map(str, problem["loc"])), repr(problem["input"])
    if problem["type"] == "extra_forbidden" and len(problem["loc"]) == 1:
        return f"there is no argument {at[:_LONGEST]!r}; there are {', '.join(arguments)}"
    short = shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…"
    return f"{at}: {problem['msg']} (got {short})"
