"""What is easily given in the place of something else is refused at once, by an error that says what would be right."""

from functools import partial
from math import nan
from pathlib import Path
from types import SimpleNamespace
from typing import TypedDict

import pytest
from langgraph.graph import START, StateGraph

from langgraph_agentmem import (
    AgentMemory,
    AgentMemoryMiddleware,
    AgentMemoryRetriever,
    AgentMemorySaver,
    AgentMemorySettings,
    AgentMemoryStore,
    MemorySection,
    MemoryWorker,
    create_claude_memory_tool,
    create_consolidation_graph,
    create_memory_tools,
    create_promotion_graph,
    hydrate_node,
    recall_node,
    remember_node,
)
from langgraph_agentmem.errors import ConfigurationError, InvalidInputError, InvalidTemplateError
from langgraph_agentmem.mcp import create_mcp_server
from langgraph_agentmem.nodes.claim import claim_node
from langgraph_agentmem.nodes.promote import promote_node
from langgraph_agentmem.policies.editing import read_updates
from langgraph_agentmem.policies.templates import read_template

DSN = "postgresql://agent@db.example.org/agents"


@pytest.mark.parametrize("make", [AgentMemoryMiddleware, create_memory_tools, create_claude_memory_tool])
def test_a_connection_string_is_no_memory(make) -> None:
    with pytest.raises(ConfigurationError, match=r"must be an AgentMemory, not str; .*AgentMemory\.open"):
        make(DSN)


@pytest.mark.parametrize("make", [create_memory_tools, create_claude_memory_tool, AgentMemoryStore, AgentMemorySaver])
def test_what_only_has_the_parts_of_a_memory_is_none_to_what_calls_its_methods(make) -> None:
    with pytest.raises(ConfigurationError, match="must be an AgentMemory, not SimpleNamespace"):
        make(SimpleNamespace(resources=AgentMemory.open(DSN).resources))


def test_a_memory_is_opened_and_not_constructed() -> None:
    with pytest.raises(ConfigurationError, match=r"as in AgentMemory\.open\(dsn\); .* takes no str"):
        AgentMemory(DSN)


@pytest.mark.parametrize("dsn", [5432, {"host": "localhost"}])
def test_a_dsn_is_a_text(dsn) -> None:
    with pytest.raises(
        ConfigurationError, match=rf"must be a text, not {type(dsn).__name__}; it looks like postgresql://"
    ):
        AgentMemory.open(dsn)


@pytest.mark.parametrize(
    "given",
    [
        {"dsn": ""}, {"dsn": " "}, {"data_dir": ""}, {"data_dir": " "}, {"model": ""}, {"model": "\r\n"}, {"index": ""}, {"index": " "},
        {"index": {"embed": ""}}, {"index": {}}, {"graph": ""}, {"review": ""}, {"redact": ""}, {"data_dir": "$HOME/data"},
        {"index": "local:$HOME/model"}, {"index": "local:~nobody-of-this-name/model"},
    ],
)  # fmt: skip
def test_nothing_in_the_place_of_something_is_no_wish_for_a_default(given) -> None:
    with pytest.raises(ConfigurationError):
        AgentMemory.open(**given)


def test_a_variable_of_windows_line_ends_is_read_as_it_is_meant(monkeypatch) -> None:
    monkeypatch.setenv("AGENTMEM_DSN", f"{DSN}\r")
    monkeypatch.setenv("AGENTMEM_POOL_SIZE", "3\r")

    memory = AgentMemory.open()

    assert (memory.dsn, memory.settings.pool_size) == (DSN, 3)


OPENED = AgentMemory.open(DSN)
SWITCHES = {
    "background": lambda given: AgentMemory.open(DSN, background=given),
    "bind_threads": lambda given: AgentMemorySaver(OPENED, bind_threads=given),
    "hydrate": lambda given: MemorySection("What is done", hydrate=given),
    "review": lambda given: create_consolidation_graph(OPENED, review=given),
    "tools": lambda given: AgentMemoryMiddleware(OPENED, tools=given),
    "allow_forget": lambda given: create_memory_tools(OPENED, allow_forget=given),
    "remember_turns": lambda given: AgentMemoryMiddleware(OPENED, remember_turns=given),
    "hide_from_traces": lambda given: AgentMemoryMiddleware(OPENED, hide_from_traces=given),
    "refresh_on_read": lambda given: AgentMemoryStore(OPENED, ttl={"refresh_on_read": given}),
    "omit_expired": lambda given: AgentMemoryStore(OPENED, ttl={"omit_expired": given}),
}


@pytest.mark.parametrize("given", ["no", "false", 0, []])
@pytest.mark.parametrize("name", SWITCHES)
def test_a_switch_is_true_or_false_and_no_text_of_a_variable_that_says_so(name, given) -> None:
    with pytest.raises(InvalidInputError, match=f"^{name} must be True or False, not "):
        SWITCHES[name](given)


def test_a_tool_that_forgets_is_no_mistake_of_a_server_either() -> None:
    with pytest.raises(InvalidInputError, match="allow_forget must be True or False, not 'false'"):
        create_mcp_server(OPENED, tenant="alice", allow_forget="false")


NO_NAMES = [nan, 7, b"x", [], object(), ("a",), AgentMemory]
OTHERS = {
    "a server's memory": (lambda given: create_mcp_server(given, tenant="alice"), "memory must be an AgentMemory, not"),
    "tiers": (lambda given: AgentMemoryStore(OPENED, tiers=given), "tiers must be a non-empty list"),
    "graph": (lambda given: AgentMemory.open(DSN, graph=given), "graph must be"),
    "sections": (lambda given: AgentMemorySaver(OPENED, sections=given), "sections must be a dict"),
    "serde": (lambda given: AgentMemorySaver(OPENED, serde=given), "serde (must be a serializer|is the class)"),
    "settings": (lambda given: AgentMemory.open(DSN, settings=given), "settings must be AgentMemorySettings"),
    "a store's settings": (lambda given: AgentMemoryStore.from_conn_string(DSN, settings=given), "settings must be"),
    "a saver's settings": (lambda given: AgentMemorySaver.from_conn_string(DSN, settings=given), "settings must be"),
    "description": (lambda given: MemorySection(given), "description of a MemorySection must be a string"),
    "id": (lambda given: MemorySection(id=given), "id of a MemorySection must be a string"),
    "output": (lambda given: recall_node(OPENED, output=given), "output must be a string"),
    "context": (lambda given: recall_node(OPENED, context=given), "context must be a string"),
    "updates": (lambda given: remember_node(OPENED, updates=given), "updates must be a string"),
}


@pytest.mark.parametrize("given", NO_NAMES)
@pytest.mark.parametrize("name", OTHERS)
def test_something_else_in_the_place_of_an_argument_is_refused_as_it_is_given(name, given) -> None:
    make, problem = OTHERS[name]
    with pytest.raises((ConfigurationError, InvalidInputError), match=problem):
        make(given)


@pytest.mark.parametrize(
    "given", [{"token_budget": 0}, {"token_budget": "2000"}, {"limit": nan}, {"tiers": "active"}, {"output": ""}]
)
def test_what_no_recall_could_take_is_refused_before_the_graph_runs(given) -> None:
    with pytest.raises(InvalidInputError, match=next(iter(given))):
        recall_node(OPENED, **given)


@pytest.mark.parametrize("what", ["render", "parse"])
def test_a_section_is_rendered_and_parsed_by_functions(what) -> None:
    with pytest.raises(InvalidInputError, match=f"{what} must be a function, not 'yaml'"):
        MemorySection(**{what: "yaml"})


def test_a_dsn_ends_where_it_ends() -> None:
    with pytest.raises(ConfigurationError, match="it holds a NUL character"):
        AgentMemory.open(f"{DSN}\0?sslmode=require")


class Makes:
    """What can be asked once it is made, and whose class can be called as well."""

    def __call__(self, texts: list[str]) -> list[list[float]]:
        return [[1.0] for _ in texts]

    async def extract(self, chunks: object) -> list[object]:
        return []


@pytest.mark.parametrize("argument", ["index", "reranker", "extractor"])
def test_a_class_is_not_what_it_makes(argument) -> None:
    with pytest.raises(ConfigurationError, match=r"is the class Makes; give what it makes, as in Makes\(\.\.\.\)"):
        AgentMemory.open(DSN, **{argument: Makes})
    assert AgentMemory.open(DSN, **{argument: Makes()})


@pytest.mark.parametrize("keys", [5, {"user_id"}, [5], [], ""])
def test_the_tenant_of_a_checkpointer_is_named_by_keys(keys) -> None:
    with pytest.raises(ConfigurationError, match="tenant must name keys of configurable"):
        AgentMemorySaver(OPENED, tenant=keys)


@pytest.mark.parametrize("content", [Path("notes.md"), b"notes", None, 5, {"text": "notes"}])
def test_an_edit_of_what_is_no_text_is_refused_with_what_it_was(content) -> None:
    with pytest.raises(InvalidInputError, match="new_content: Input should be a valid string") as refused:
        read_updates([{"section_id": "plan", "new_content": content}], limit=1_000)
    assert f"(got {content!r})" in str(refused.value)


@pytest.mark.parametrize("seconds", [-1, 86_401, 1e300, float("inf"), float("nan"), "5", True])
async def test_what_nobody_can_wait_for_is_refused(seconds) -> None:
    memory = AgentMemory.open(DSN, settings=AgentMemorySettings(neo4j_uri="bolt://localhost"))
    said = "must be a number of seconds from 0.* to 86,400"
    with pytest.raises(InvalidInputError, match=f"poll_seconds {said}"):
        MemoryWorker(memory, poll_seconds=seconds)
    with pytest.raises(InvalidInputError, match=f"grace_seconds {said}"):
        MemoryWorker(memory, grace_seconds=seconds)
    with pytest.raises(InvalidInputError, match=f"poll_seconds {said}"):
        await memory.projector.arun(poll_seconds=seconds)


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


CHANNELS = {"external_id": str, "memory_id": int, "query": str}


def in_a_graph(node, **channels):
    state = TypedDict("State", CHANNELS | channels)
    return StateGraph(state).add_node("node", node).add_edge(START, "node").compile()


GIVEN = {"external_id": "alice", "memory_id": 1, "query": "When?", "updates": [], "found": []}


@pytest.mark.parametrize(
    ("make", "channels", "missing"),
    [
        (recall_node, {}, "'memories', .*by output="),
        (partial(recall_node, output="found", context="known"), {"found": list}, "'known', .*by context="),
        (remember_node, {}, "'updates', .*by updates="),
        (partial(remember_node, updates="edits"), {"updates": list}, "'edits', .*by updates="),
    ],
)
def test_a_graph_without_a_channel_that_a_node_writes_is_told_which(make, channels, missing) -> None:
    graph = in_a_graph(make(AgentMemory.open(DSN)), **channels)
    with pytest.raises(ConfigurationError, match=f"the graph's state has no channel {missing}"):
        graph.invoke(GIVEN)


@pytest.mark.parametrize("memory", [None, DSN, AgentMemory, AgentMemoryStore(AgentMemory.open(DSN))])
@pytest.mark.parametrize(
    "make",
    [
        *(recall_node, remember_node, claim_node, promote_node, create_consolidation_graph, create_promotion_graph),
        *(MemoryWorker, lambda memory: AgentMemoryRetriever(memory=memory, external_id="alice")),
    ],
)
def test_whatever_works_on_a_memory_is_given_one_from_the_start(make, memory) -> None:
    with pytest.raises(ConfigurationError, match=rf"must be an AgentMemory, not {type(memory).__name__}; "):
        make(memory)


@pytest.mark.parametrize("saver", [None, DSN, AgentMemory.open(DSN)])
def test_what_hydrates_is_given_a_checkpointer(saver) -> None:
    with pytest.raises(ConfigurationError, match=f"takes an AgentMemorySaver, not {type(saver).__name__}"):
        hydrate_node(saver)


@pytest.mark.parametrize("argument", ["query", "external_id"])
@pytest.mark.parametrize("key", [None, 3, ["query"]])
def test_a_recall_reads_a_key_or_asks_a_function(argument, key) -> None:
    with pytest.raises(ConfigurationError, match=f"{argument} must be a key of the state, or a function of it, not"):
        recall_node(AgentMemory.open(DSN), **{argument: key})
