"""Every public name has an example in its docstring, and the example does what it shows."""

import inspect
import re
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import prompt
import pytest
from public_names import public_methods, public_objects
from tiny_model import write_tiny_model

import langgraph_agentmem
from langgraph_agentmem import AgentMemory, errors

SNIPPETS = Path(__file__).parents[2] / "docs" / "snippets"
TESTING = "langgraph_agentmem.testing."
BEGINNINGS = {
    "langgraph_agentmem.checkpoint.": "api_checkpointer",
    "langgraph_agentmem.local.": "local_embedder",
    "langgraph_agentmem.mcp.": "api_mcp",
    "langgraph_agentmem.memory.reviews.": "api_reviews",
    "langgraph_agentmem.middleware.": "api_middleware",
    "langgraph_agentmem.models.review.": "api_reviews",
    "langgraph_agentmem.models.thread.": "api_checkpointer",
    "langgraph_agentmem.nodes.apply.": "api_nodes",
    "langgraph_agentmem.nodes.conflicts.": "api_nodes",
    "langgraph_agentmem.nodes.extract.": "api_nodes",
    "langgraph_agentmem.nodes.hydrate.": "api_checkpointer",
    "langgraph_agentmem.nodes.promote.promote_after_": "api_nodes",
    "langgraph_agentmem.nodes.resolve.": "api_nodes",
    "langgraph_agentmem.nodes.review.": "api_nodes",
    TESTING: "api_testing",
}
"""The snippet that examples of a module begin with; api.py where none is named, api_neo4j.py where a projector is."""


def documented() -> dict[str, str]:
    """The docstrings of public names and of their methods, by where they are defined."""
    found = dict[str, str]()
    for name, each in public_objects().items():
        if inspect.isclass(each) and issubclass(each, errors.AgentMemoryError):
            continue  # the page of errors says how each comes about, and test_docs.py sees to that
        found[name] = inspect.getdoc(each) or ""
        if inspect.isclass(each) and not name.startswith(TESTING):
            found |= {method: inspect.getdoc(value) or "" for method, value in public_methods(each)}
    return found


DOCUMENTED = documented()
EXAMPLES = {name: shown for name, text in DOCUMENTED.items() if (shown := prompt.examples(text))}


def needs_neo4j(name: str) -> bool:
    if name.startswith("langgraph_agentmem.mcp."):  # whose tokens have a tenant as well
        return False
    return any(re.search(r"projector\.|\btenant\b", example.source) for example in EXAMPLES[name])


@pytest.fixture
def names(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """What an example may use: the package, its module, and what its snippet has prepared."""
    name = request.node.callspec.params["name"]
    snippet = next((snippet for prefix, snippet in BEGINNINGS.items() if name.startswith(prefix)), "api")
    monkeypatch.syspath_prepend(SNIPPETS)
    monkeypatch.delitem(sys.modules, "api", raising=False)  # it is imported anew, for each test's own database
    if snippet != "api_testing":
        monkeypatch.setenv("AGENTMEM_DSN", request.getfixturevalue("dsn"))
    if snippet == "local_embedder":
        folder = request.getfixturevalue("tmp_path") / "e5-tiny"
        monkeypatch.setenv("MODEL_FOLDER", str(write_tiny_model(folder, 384)))
    if needs_neo4j(name):
        snippet = "api_neo4j"
        for setting, value in request.getfixturevalue("neo4j_settings").items():
            monkeypatch.setenv(setting.upper(), value)
    prepared = runpy.run_path(str(SNIPPETS / f"{snippet}.py"), run_name="an example")
    package = {public: getattr(langgraph_agentmem, public) for public in langgraph_agentmem.__all__}
    module = next(vars(sys.modules[at]) for at in parents(name) if at in sys.modules)
    yield {**package, **module, **prepared}
    for opened in prepared.values():
        if isinstance(opened, AgentMemory):
            opened.close()


def parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:length]) for length in range(len(parts) - 1, 0, -1)]


def test_every_public_name_has_an_example() -> None:
    assert [name for name in DOCUMENTED if name not in EXAMPLES] == []


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.neo4j] * needs_neo4j(name)) for name in EXAMPLES]
)
def test_the_example_does_what_it_shows(name: str, names: dict[str, Any]) -> None:
    assert prompt.differences(EXAMPLES[name], names) == []


def test_an_example_that_shows_something_else_is_told() -> None:
    [wrong] = prompt.differences(prompt.examples(">>> x = 1\n>>> x + 1\n3"), {})
    assert "expected:\n3\ngot:\n2" in wrong
