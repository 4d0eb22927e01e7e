"""LangChain middleware: memory for `create_agent`."""

from langgraph_agentmem.errors import MissingDependencyError

try:
    from langgraph_agentmem.middleware.agent_memory import AgentMemoryMiddleware
except ModuleNotFoundError as _error:
    if (_error.name or "").split(".")[0] != "langchain":
        raise
    raise MissingDependencyError(
        f'the middleware needs LangChain\'s agents: pip install "langgraph-agentmem[langchain]" ({_error})'
    ) from _error

__all__ = ["AgentMemoryMiddleware"]
