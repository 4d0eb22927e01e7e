"""Where the MCP server may listen, and whom it then answers."""

import pytest

from langgraph_agentmem import AgentMemory
from langgraph_agentmem.errors import ConfigurationError
from langgraph_agentmem.mcp import TokenFile, create_mcp_app, create_mcp_server
from langgraph_agentmem.mcp.http import address
from langgraph_agentmem.serving import is_loopback

MEMORY = AgentMemory.open("postgresql://127.0.0.1:1/nowhere")


@pytest.mark.parametrize(
    ("text", "read"),
    [("127.0.0.1:8000", ("127.0.0.1", 8000)), ("[::1]:0", ("::1", 0)), ("localhost:65535", ("localhost", 65535))],
)
def test_an_address_has_a_host_and_a_port(text: str, read: tuple[str, int]) -> None:
    assert address(text) == read


@pytest.mark.parametrize(
    "text", ["8000", ":8000", "localhost", "localhost:http", "::1:80", "a:65536", "[::1:80", "a:٣"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"is no address to listen on; it looks like 127\.0\.0\.1:8000"):
        address(text)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("LocalHost", True),
     ("0.0.0.0", False), ("::", False), ("10.0.0.1", False), ("localhost.evil.org", False), ("", False)],
)  # fmt: skip
def test_a_server_without_tokens_listens_for_this_machine_only(host: str, loopback: bool) -> None:
    assert is_loopback(host) == loopback
    if loopback:
        create_mcp_app(create_mcp_server(MEMORY, tenant="alice"), host=host)
        return
    with pytest.raises(ConfigurationError, match="would be let in"):
        create_mcp_app(create_mcp_server(MEMORY, tenant="alice"), host=host, allowed_hosts=["memory.example.org"])


def test_a_server_for_others_says_under_which_name_it_is_reached() -> None:
    server = create_mcp_server(MEMORY, token_verifier=TokenFile("tokens.jsonl"))
    with pytest.raises(ConfigurationError, match="--allowed-host"):
        create_mcp_app(server, host="0.0.0.0")
    create_mcp_app(server, host="0.0.0.0", allowed_hosts=["memory.example.org"])


@pytest.mark.parametrize("limit", [{"requests_per_minute": 0}, {"max_body_bytes": 0}])
def test_limits_let_something_through(limit: dict[str, int]) -> None:
    with pytest.raises(ConfigurationError, match="at least 1"):
        create_mcp_app(create_mcp_server(MEMORY, tenant="alice"), **limit)
