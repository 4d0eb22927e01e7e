"""What the package promises: the names of its `__all__`s, and the methods of its classes."""

import importlib
import inspect
from collections.abc import Iterator
from typing import Any

from langgraph_agentmem import errors

MODULES = [
    "langgraph_agentmem",
    "langgraph_agentmem.checkpoint",
    "langgraph_agentmem.langgraph_server",
    "langgraph_agentmem.memory",
    "langgraph_agentmem.projection",
    "langgraph_agentmem.store",
    "langgraph_agentmem.testing.store_conformance",
    "langgraph_agentmem.worker",
]
"""The public modules; all that `errors` defines is public as well."""


def public_names() -> dict[str, Any]:
    """What each public name, as it is imported, stands for."""
    listed = {
        f"{module}.{name}": getattr(importlib.import_module(module), name)
        for module in MODULES
        for name in importlib.import_module(module).__all__
    }
    kinds = inspect.getmembers(errors, lambda kind: inspect.isclass(kind) and kind.__module__ == errors.__name__)
    return listed | {f"{errors.__name__}.{name}": kind for name, kind in kinds}


def public_objects() -> dict[str, Any]:
    """Each public class and function once, by where it is defined."""
    named = public_names().values()
    kinds = [each for each in named if inspect.isclass(each) or inspect.isroutine(each)]
    return {f"{each.__module__}.{each.__qualname__}": each for each in kinds}


def public_methods(kind: type) -> Iterator[tuple[str, Any]]:
    """A class's own public methods; sync twins, which are described by their async methods, are left out."""
    for name, member in vars(kind).items():
        method = getattr(member, "__func__", member)
        if not name.startswith("_") and inspect.isfunction(method) and not hasattr(method, "__wrapped__"):
            yield f"{kind.__module__}.{kind.__qualname__}.{name}", method
