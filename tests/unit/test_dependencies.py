"""What each part of the package imports comes with the extras that it is installed with, not only beside the tests' tools."""

import ast
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "langgraph_agentmem"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PROVIDERS = packages_distributions()
WAYS = {
    (): "* !chat !embedding !middleware/ !vectorstore !telemetry !serving !projection/neo4j_database "
    "!storage/driver/embedded !local/ !mcp/ !cli/ !inspector/",
    ("langchain",): "chat embedding middleware/",
    ("langchain-postgres",): "vectorstore",
    ("neo4j",): "projection/neo4j_database",
    ("otel",): "telemetry",
    ("embedded",): "storage/driver/embedded",
    ("local",): "local/",
    ("mcp",): "mcp/ serving",
    ("cli",): "cli/ !cli/mcp !cli/inspect",
    ("cli", "mcp"): "cli/mcp",
    ("inspector",): "cli/ !cli/mcp inspector/ serving",
}
"""The parts of the package that work with some extras alone: beginnings of paths, without those behind an exclamation mark."""


def part(paths: str) -> list[Path]:
    words = paths.split()
    within = tuple(word for word in words if word[0] != "!")
    without = tuple(word[1:] for word in words if word[0] == "!")
    named = {path: str(path.relative_to(PACKAGE)) for path in sorted(PACKAGE.rglob("*.py"))}
    return [
        path
        for path, name in named.items()
        if ("*" in within or name.startswith(within)) and not name.startswith(without or "!")
    ]


def imported(path: Path) -> set[str]:
    """The packages of others that a module imports, wherever in it."""
    names = set[str]()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(node.module or "")
    roots = {name.partition(".")[0] for name in names}
    return roots - sys.stdlib_module_names - {PACKAGE.name}


def installed(extras: tuple[str, ...]) -> set[str]:
    """What is installed with the package and these extras, dependencies of dependencies included."""
    optional = PROJECT["optional-dependencies"]
    waiting = [Requirement(text) for text in sum((optional[extra] for extra in extras), PROJECT["dependencies"])]
    seen = set[tuple[str, frozenset[str]]]()
    while waiting:
        wanted = waiting.pop()
        key = (canonicalize_name(wanted.name), frozenset(wanted.extras))
        if key in seen:
            continue
        seen.add(key)
        for text in brought(wanted.name):
            more = Requirement(text)
            if not more.marker or any(more.marker.evaluate({"extra": extra}) for extra in wanted.extras | {""}):
                waiting.append(more)
    return {name for name, _ in seen}


def brought(name: str) -> list[str]:
    try:
        return requires(name) or []
    except PackageNotFoundError:  # none for this Python or system
        return []


@pytest.mark.parametrize("extras", WAYS, ids=lambda extras: ",".join(extras) or "none")
def test_what_a_part_imports_comes_with_its_extras(extras):
    there = installed(extras)
    missing = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in part(WAYS[extras])
        for name in imported(path)
        if there.isdisjoint(map(canonicalize_name, PROVIDERS.get(name, [name])))
    }

    assert missing == set()


def test_every_module_is_in_a_part():
    assert set().union(*(part(paths) for paths in WAYS.values())) == set(PACKAGE.rglob("*.py"))
