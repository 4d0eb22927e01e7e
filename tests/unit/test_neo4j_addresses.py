"""Neo4j's address: refused where it cannot be one, before anything is asked, and without showing a password."""

import pytest

from langgraph_agentmem import AgentMemory, AgentMemorySettings
from langgraph_agentmem.errors import ConfigurationError
from langgraph_agentmem.projection import Neo4jDatabase


@pytest.mark.parametrize(
    "uri",
    ["bolt://localhost:7687", "neo4j+s://db.example.org", "bolt://[::1]:7687", "neo4j://db?region=eu", "BOLT://db", "bolt+ssc://db/"],
)  # fmt: skip
def test_an_address_is_kept_as_it_is(uri):
    assert Neo4jDatabase(f" {uri}\r\n").uri == uri


@pytest.mark.parametrize(
    ("uri", "problem"),
    [
        ("bolt://neo4j:correct-horse@host:abc", "user and password do not belong into it"),
        ("bolt://neo4j:correct/horse@host", "user and password do not belong into it"),
        ("neo4j:correct-horse@host:7687", "user and password do not belong into it"),
        ("localhost:7687", "it names no scheme, of which there are bolt, "),
        ("nonsense", "it names no scheme"), ("bolt:/host", "it names no scheme"), ("", "it names no scheme"),
        ("http://localhost:7474", "http:// is no scheme of its protocol"), ("bolt+routing://host", "is no scheme"),
        ("bolt://host:abc", "its port is no number"), ("bolt://host:65536", "its port is no number"), ("bolt://host:0", "its port"),
        ("bolt://", "it names no host"), ("bolt://:7687", "it names no host"), ("bolt://two hosts:1", "white space"),
        ("bolt://[::1", "Invalid IPv6 URL"), ("neo4j://host/memories", "give it as NEO4J_DATABASE"), ("bolt://host?region=eu", "question mark"),
    ],
)  # fmt: skip
def test_an_address_that_cannot_be_one_is_refused_at_once_without_its_password(uri, problem):
    with pytest.raises(ConfigurationError) as refused:
        Neo4jDatabase(uri)
    assert str(refused.value).startswith("Neo4j's address ")
    assert problem in str(refused.value)
    assert "it looks like bolt://localhost:7687" in str(refused.value)
    assert "correct" not in str(refused.value)
    assert "horse" not in str(refused.value)


@pytest.mark.parametrize("uri", [7, None, b"bolt://host"])
def test_an_address_is_a_text(uri):
    with pytest.raises(ConfigurationError, match=f"must be a text, not {type(uri).__name__}"):
        Neo4jDatabase(uri)


def test_a_memory_is_not_opened_on_an_address_that_cannot_be_one():
    settings = AgentMemorySettings(graph="neo4j", neo4j_uri="localhost:7687")
    with pytest.raises(ConfigurationError, match="Neo4j's address 'localhost:7687' is wrong"):
        AgentMemory.open("postgresql://host/db", settings=settings)
