"""A type's name says which one it is: no two modules of the package define the same."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import langgraph_agentmem

PACKAGE = Path(langgraph_agentmem.__file__).parent
CAP_WORDS = re.compile(r"_?[A-Z][A-Za-z0-9]*[a-z][A-Za-z0-9]*")


def type_names(source: str) -> Iterator[str]:
    """Classes and aliases that a module defines at its top; not what it imports, nor type variables."""
    for statement in ast.parse(source).body:
        match statement:
            case ast.ClassDef(name=name):
                yield name
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=value)
            ) if CAP_WORDS.fullmatch(name) and not is_type_variable(value):
                yield name
            case _:
                pass


def is_type_variable(value: ast.expr | None) -> bool:
    return (
        isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id in {"TypeVar", "ParamSpec"}
    )


def test_classes_and_aliases_are_found_imports_constants_and_type_variables_are_not():
    source = "from a import B\nT = TypeVar('T')\nClosed = TypeVar('Closed')\nclass C: ...\nKey = tuple[int]\n_Own: type = int\nMANY = 1\n"

    assert list(type_names(source)) == ["C", "Key", "_Own"]


def test_no_two_modules_define_the_same_type_name():
    modules: dict[str, list[str]] = defaultdict(list)
    for path in sorted(PACKAGE.rglob("*.py")):
        for name in type_names(path.read_text()):
            modules[name].append(str(path.relative_to(PACKAGE)))

    assert {name: where for name, where in modules.items() if len(where) > 1} == {}
