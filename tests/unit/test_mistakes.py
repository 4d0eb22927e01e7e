"""What is easily given in the place of something else is refused at once, by an error that says what would be right."""

from types import SimpleNamespace

import pytest

from langgraph_agentmem import (
    AgentMemory,
    AgentMemoryMiddleware,
    AgentMemorySettings,
    create_claude_memory_tool,
    create_memory_tools,
    recall_node,
    remember_node,
)
from langgraph_agentmem.errors import ConfigurationError, InvalidInputError, InvalidTemplateError
from langgraph_agentmem.nodes.claim import claim_node
from langgraph_agentmem.nodes.promote import promote_node
from langgraph_agentmem.policies.templates import read_template

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


@pytest.mark.parametrize("method", ["put", "aget", "batch", "list_namespaces"])
def test_a_memory_in_a_stores_place_says_where_a_store_is(method) -> None:
    memory = AgentMemory.open(DSN)
    with pytest.raises(AttributeError, match=rf"no attribute '{method}'; .*AgentMemoryStore\(memory\)"):
        getattr(memory, method)
    with pytest.raises(AttributeError, match=r"no attribute 'nothing'$"):
        _ = memory.nothing
    assert not hasattr(memory, "projections")


@pytest.mark.parametrize("make", [recall_node, remember_node, claim_node, promote_node])
@pytest.mark.parametrize("state", [{"question": "When?"}, SimpleNamespace(question="When?")])
def test_a_state_without_what_a_node_reads_is_told_what_is_missing(make, state) -> None:
    with pytest.raises(InvalidInputError, match="reads 'external_id', which the graph's state does not have"):
        make(AgentMemory.open(DSN)).invoke(state)


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ({"sections": ["a"], "titel": "x"}, "a template has no 'titel'; it may have id, name, description, sections"),
        ({"section": ["a"]}, "a template has no 'section'"),
        ({"template": {"nmae": "x"}, "sections": ["a"]}, "a template has no 'nmae'"),
        ({"sections": [{"id": "a", "text": "x"}]}, "a section of a template has no 'text'; it may have id, title"),
        ({"sections": {"a": {"contents": "x"}}}, "a section of a template has no 'contents'"),
        ("template.yaml", r"this is the text 'template.yaml'; of a file, give what it holds: Path\(...\).read_text"),
    ],
)
def test_a_template_says_what_it_cannot_have(template, problem) -> None:
    with pytest.raises(InvalidTemplateError, match=problem):
        read_template(template, limit=100)


def test_a_variable_that_is_no_setting_is_told_with_what_may_be_meant(monkeypatch) -> None:
    monkeypatch.setenv("AGENTMEM_CHUNKSIZE_CHARS", "3")
    with pytest.warns(
        UserWarning, match="AGENTMEM_CHUNKSIZE_CHARS is no setting.*; is AGENTMEM_CHUNK_SIZE_CHARS meant"
    ):
        AgentMemorySettings()
