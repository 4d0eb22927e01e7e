"""The diagrams of the documentation are Mermaid that can be read, and say what the code says."""

import ast
import re
import tomllib
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "langgraph_agentmem"
PAGES = sorted((ROOT / "docs").rglob("*.md"))

_DIAGRAM = re.compile(r"^```mermaid\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NODE = r'(?P<{0}>[a-z_]+)(?:\[\("(?P<{0}_data>[^"]+)"\)\]|\(\["(?P<{0}_actor>[^"]+)"\]\)|\["(?P<{0}_module>[^"]+)"\])?'
_EDGE = re.compile(rf'^    {_NODE.format("a")} (?P<arrow>-->|-\.->|-\. "[^"]+" \.->) {_NODE.format("b")}$')
"""The part of Mermaid's flowcharts that is used here: one edge a line, labels in quotation marks."""
_RESERVED = {"end", "graph", "flowchart", "subgraph", "default", "style", "class", "click"}


@dataclass
class Diagram:
    """A flowchart: modules by node, and edges."""

    nodes: set[str] = field(default_factory=set)
    modules: dict[str, str] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)


def diagrams() -> dict[str, str]:
    return {
        f"{page.relative_to(ROOT)} #{number}": found[1]
        for page in PAGES
        for number, found in enumerate(_DIAGRAM.finditer(page.read_text(encoding="utf-8")), 1)
    }


def read(text: str) -> Diagram:
    """The diagram of a text.

    Raises:
        ValueError: It is none, or not of the part of the language that is used here.
    """
    first, *lines = text.splitlines()
    if first not in {"flowchart TB", "flowchart LR"}:
        raise ValueError(f"no flowchart: {first!r}")
    diagram = Diagram()
    for line in lines:
        edge = _EDGE.match(line)
        if edge is None:
            raise ValueError(f"no edge: {line!r}")
        for end in "ab":
            name, labelled = edge[end], any(edge[f"{end}_{kind}"] for kind in ("data", "actor", "module"))
            if name in _RESERVED or labelled == (name in diagram.nodes):
                raise ValueError(f"{name!r} is a word of the language, has no label, or has two: {line!r}")
            diagram.nodes.add(name)
            if module := edge[f"{end}_module"]:
                diagram.modules[name] = module.partition("<br>")[0]
        if edge["arrow"] == "-->":
            diagram.calls.append((edge["a"], edge["b"]))
    return diagram


def source(module: str) -> Path | None:
    """Where a module's code is."""
    places = [PACKAGE / f"{module}.py", PACKAGE / module / "__init__.py"]
    return next((place for place in places if place.exists()), None)


def imported(module: str) -> set[str]:
    """What a module imports of the package, by paths: modules, and what may be names in them."""
    place = source(module)
    assert place
    found = set[str]()
    for node in ast.walk(ast.parse(place.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PACKAGE.name):
            path = (node.module or "").removeprefix(PACKAGE.name).strip(".").replace(".", "/")
            found |= {path, *(f"{path}/{alias.name}".strip("/") for alias in node.names)}
    return found


DIAGRAMS = diagrams()
LAYERS = next(text for text in DIAGRAMS.values() if "cli · langgraph_server" in text)
LIVES = {where: text for where, text in DIAGRAMS.items() if text != LAYERS}


def test_there_are_diagrams_of_the_layers_of_a_write_and_of_a_search():
    modules = [set(read(text).modules.values()) for text in LIVES.values()]
    assert any("storage/values" in each for each in modules)
    assert any("policies/ranking" in each for each in modules)


@pytest.mark.parametrize("text", DIAGRAMS.values(), ids=DIAGRAMS)
def test_every_diagram_can_be_read(text):
    assert read(text).nodes


def test_the_diagram_of_the_layers_is_the_contract():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    [layers] = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    drawn = read(LAYERS)
    order = list(drawn.modules)

    assert [set(drawn.modules[node].split(" · ")) for node in order] == [set(layer.split(" | ")) for layer in layers]
    assert drawn.calls == list(pairwise(order))


@pytest.mark.parametrize("text", LIVES.values(), ids=LIVES)
def test_every_box_is_a_module(text):
    modules = read(text).modules.values()
    assert [module for module in modules if source(module) is None] == []


@pytest.mark.parametrize("text", LIVES.values(), ids=LIVES)
def test_every_solid_arrow_is_an_import(text):
    diagram = read(text)
    calls = [(diagram.modules[a], diagram.modules[b]) for a, b in diagram.calls]
    assert [(a, b) for a, b in calls if b not in imported(a)] == []


@pytest.mark.parametrize(
    "broken",
    [
        "graph TB\n",
        'flowchart TB\n    a["x"] --> b\n',
        'flowchart TB\n    a["x"] --> b["y]\n',
        'flowchart TB\n    a["x"] ---> b["y"]\n',
        'flowchart TB\n    end["x"] --> b["y"]\n',
        'flowchart TB\n    a["x"] --> b["y"]\n    a["z"] --> b\n',
    ],
)
def test_what_is_no_such_diagram_is_refused(broken):
    with pytest.raises(ValueError, match=r"flowchart|edge|word"):
        read(broken)
