"""What is easily given in the place of something else is refused at once, by an error that says what would be right."""

import pytest

from langgraph_agentmem import (
    AgentMemory,
    AgentMemoryMiddleware,
    create_claude_memory_tool,
    create_memory_tools,
)
from langgraph_agentmem.errors import ConfigurationError

DSN = "postgresql://agent@db.example.org/agents"


@pytest.mark.parametrize("make", [AgentMemoryMiddleware, create_memory_tools, create_claude_memory_tool])
def test_a_connection_string_is_no_memory(make) -> None:
    with pytest.raises(ConfigurationError, match=r"must be an AgentMemory, not str; .*AgentMemory\.open"):
        make(DSN)


def test_a_memory_is_opened_and_not_constructed() -> None:
    with pytest.raises(ConfigurationError, match=r"as in AgentMemory\.open\(dsn\); .* takes no str"):
        AgentMemory(DSN)


@pytest.mark.parametrize("dsn", [5432, {"host": "localhost"}])
def test_a_dsn_is_a_text(dsn) -> None:
    with pytest.raises(
        ConfigurationError, match=rf"must be a text, not {type(dsn).__name__}; it looks like postgresql://"
    ):
        AgentMemory.open(dsn)
