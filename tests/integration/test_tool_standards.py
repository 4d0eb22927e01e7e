"""LangChain's own tests of tools, on each of ours."""

from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.tools import BaseTool
from langchain_tests.integration_tests import ToolsIntegrationTests
from langchain_tests.unit_tests import ToolsUnitTests

from langgraph_agentmem import AgentMemory, create_memory_tools

EDITS = [{"section_id": "plan", "action": "insert", "new_content": "- Budget: 5000"}]
EXAMPLES = [
    pytest.param(("search_memory", {"query": "deadline"}), id="search"),
    pytest.param(("read_memory", {}), id="read all"),
    pytest.param(("read_memory", {"memory_id": 0}), id="read"),
    pytest.param(("update_memory_sections", {"memory_id": 0, "edits": EDITS}), id="update"),
    pytest.param(("create_memory", {"title": "Trip", "sections": [{"id": "route", "content": "Rome"}]}), id="create"),
    pytest.param(("forget_memory", {"memory_id": 0}), id="forget"),
]
"""Each tool, with what it is called with; its memory is known only when the test runs."""


class OneTool:
    """A tool of the tenant "alice", who has one memory."""

    @pytest.fixture(autouse=True, params=EXAMPLES)
    def prepared(self, request: pytest.FixtureRequest, dsn: str) -> Iterator[None]:
        name, args = request.param
        with AgentMemory.open(dsn) as memory:
            made = memory.create_active_memory("alice", "Apollo", {"sections": ["plan"]}, {"plan": "- Deadline: May 1"})
            tools = create_memory_tools(memory, external_id=lambda runtime: "alice", allow_forget=True)
            self.made = {tool.name: tool for tool in tools}[name]
            self.args = args | ({"memory_id": made.id} if "memory_id" in args else {})
            yield

    @property
    def tool_constructor(self) -> BaseTool:
        return self.made

    @property
    def tool_invoke_params_example(self) -> dict[str, Any]:
        return self.args


class TestUnits(OneTool, ToolsUnitTests):
    pass


class TestIntegration(OneTool, ToolsIntegrationTests):
    pass
