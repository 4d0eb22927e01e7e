"""The public names with their signatures, as text: what `public_api.txt` records, and a change of which is noticed.

Run as a script, this writes the record anew.
"""

from collections.abc import Iterator
from pathlib import Path

import griffe

ROOT = Path(__file__).parents[1]
RECORD = Path(__file__).with_name("public_api.txt")
MODULES = [
    "langgraph_agentmem",
    "langgraph_agentmem.checkpoint",
    "langgraph_agentmem.errors",
    "langgraph_agentmem.langgraph_server",
    "langgraph_agentmem.memory",
    "langgraph_agentmem.models.conflict",
    "langgraph_agentmem.models.entity",
    "langgraph_agentmem.models.run",
    "langgraph_agentmem.nodes.apply",
    "langgraph_agentmem.nodes.claim",
    "langgraph_agentmem.nodes.conflicts",
    "langgraph_agentmem.nodes.extract",
    "langgraph_agentmem.nodes.resolve",
    "langgraph_agentmem.nodes.state",
    "langgraph_agentmem.projection",
    "langgraph_agentmem.redaction",
    "langgraph_agentmem.store",
    "langgraph_agentmem.testing.store_conformance",
    "langgraph_agentmem.views",
]
"""The modules that people are told to import from."""


def surface() -> str:
    """Each public name with its members, one a line, in the order of the alphabet; what stands above is only named."""
    package = griffe.load("langgraph_agentmem", search_paths=[str(ROOT)], resolve_aliases=True)
    shown: set[str] = set()
    return "\n".join(line for name in MODULES for line in _module(package, name, shown))


def _module(package: griffe.Object | griffe.Alias, path: str, shown: set[str]) -> Iterator[str]:
    module = package[path.split(".", 1)[1]] if "." in path else package
    yield f"# {path}"
    for name in sorted(_names(module)):
        item = module[name]
        yield from [name] if item.canonical_path in shown else _lines(name, item)
        shown.add(item.canonical_path)
    yield ""


def _names(module: griffe.Object | griffe.Alias) -> list[str]:
    """What `__all__` lists; without one, what is defined there and public."""
    if module.exports is not None:
        return [str(name) for name in module.exports]
    return [name for name, member in module.members.items() if not name.startswith("_") and not member.is_alias]


def _lines(name: str, item: griffe.Object | griffe.Alias) -> Iterator[str]:
    target = item.final_target if isinstance(item, griffe.Alias) else item
    if isinstance(target, griffe.Function):
        yield f"{_marks(target)}{target.signature(name=name)}"
    elif isinstance(target, griffe.Attribute):
        yield f"{name}{_typed(target)}"
    elif isinstance(target, griffe.Class):
        yield f"class {name}({', '.join(map(str, target.bases))})"
        yield from _members(target)
    else:
        yield f"module {name}"


def _members(kind: griffe.Class) -> Iterator[str]:
    """Members that are public, those inherited from this package too; values keep the order of their arguments."""
    for member, item in sorted(kind.all_members.items()):
        public = member == "__init__" or not member.startswith("_")
        if public and item.path.startswith("langgraph_agentmem."):
            yield from (f"    {line}" for line in _lines(member, item))


def _marks(function: griffe.Function) -> str:
    marks = {"classmethod", "staticmethod"} & {str(mark.value) for mark in function.decorators}
    return "".join(f"@{mark} " for mark in marks) + "async " * ("async" in function.labels)


def _typed(attribute: griffe.Attribute) -> str:
    """Its annotation and, in a class or module, its value: a field's default, what a method is the twin of."""
    annotation = f": {attribute.annotation}" if attribute.annotation else ""
    given = attribute.value is not None and attribute.labels & {"class-attribute", "module-attribute"}
    return annotation + (f" = {_without_description(attribute.value)}" if given else "")


def _without_description(value: griffe.Expr | str | None) -> str:
    """A description is documentation, which may change at any time."""
    if not isinstance(value, griffe.ExprCall):
        return str(value)
    kept = [a for a in value.arguments if not (isinstance(a, griffe.ExprKeyword) and a.name == "description")]
    return f"{value.function}({', '.join(map(str, kept))})"


if __name__ == "__main__":
    RECORD.write_text(surface(), encoding="utf-8")
