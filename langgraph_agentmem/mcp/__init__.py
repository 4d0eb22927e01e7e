"""An MCP server on a memory, over stdio and streamable HTTP (extra `mcp`)."""

from langgraph_agentmem.errors import MissingDependencyError

try:
    from langgraph_agentmem.mcp.http import create_mcp_app
    from langgraph_agentmem.mcp.server import create_mcp_server
    from langgraph_agentmem.mcp.tokens import TokenFile, TokenGrant
except ModuleNotFoundError as _error:
    if (_error.name or "").split(".")[0] not in {"mcp", "mcp_types", "starlette", "uvicorn"}:
        raise
    raise MissingDependencyError(
        f'the MCP server needs the MCP SDK: pip install "langgraph-agentmem[mcp]" ({_error})'
    ) from _error

__all__ = ["TokenFile", "TokenGrant", "create_mcp_app", "create_mcp_server"]
