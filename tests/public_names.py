"""What the package promises: the names of its `__all__`s, and the methods of its classes."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from typing import Any

from langgraph_agentmem import errors

MODULES = [
    "langgraph_agentmem",
    "langgraph_agentmem.checkpoint",
    "langgraph_agentmem.langgraph_server",
    "langgraph_agentmem.memory",
    "langgraph_agentmem.projection",
    "langgraph_agentmem.redaction",
    "langgraph_agentmem.store",
    "langgraph_agentmem.testing.store_conformance",
    "langgraph_agentmem.views",
    "langgraph_agentmem.worker",
]
"""The public modules; all that `errors` defines is public as well."""

NODES = [
    "langgraph_agentmem.nodes.apply.apply_node",
    "langgraph_agentmem.nodes.claim.after_claim",
    "langgraph_agentmem.nodes.claim.claim_node",
    "langgraph_agentmem.nodes.conflicts.conflicts_node",
    "langgraph_agentmem.nodes.conflicts.needs_model",
    "langgraph_agentmem.nodes.extract.extract_node",
    "langgraph_agentmem.nodes.promote.promote_after_consolidation_node",
    "langgraph_agentmem.nodes.promote.promote_node",
    "langgraph_agentmem.nodes.resolve.resolve_node",
    "langgraph_agentmem.nodes.review.after_promotion",
    "langgraph_agentmem.nodes.review.review_node",
]
"""What a consolidation graph of one's own is made of."""


def public_names() -> dict[str, Any]:
    """What each public name, as it is imported, stands for."""
    listed = {
        f"{module}.{name}": getattr(importlib.import_module(module), name)
        for module in MODULES
        for name in importlib.import_module(module).__all__
    }
    kinds = inspect.getmembers(errors, lambda kind: inspect.isclass(kind) and kind.__module__ == errors.__name__)
    nodes = {name: pkgutil.resolve_name(name) for name in NODES}
    return listed | nodes | {f"{errors.__name__}.{name}": kind for name, kind in kinds}


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
