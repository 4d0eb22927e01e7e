"""What the examples of the MCP server begin with."""

# [begin]
from pathlib import Path
from tempfile import mkdtemp

from langgraph_agentmem.errors import ConfigurationError
from langgraph_agentmem.mcp import TokenFile, create_mcp_app, create_mcp_server

tokens = TokenFile(Path(mkdtemp()) / "tokens.jsonl")
# [end]

from api import memory

if __name__ == "__main__":
    assert tokens.find(tokens.add("laptop", "alice")).tenant == "alice"
    assert create_mcp_app(create_mcp_server(memory, token_verifier=tokens))
    assert issubclass(ConfigurationError, Exception)
    memory.close()
