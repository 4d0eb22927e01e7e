"""The checks; importing them registers them, in the order of the report."""

from langgraph_agentmem.testing.store_conformance.checks import (  # noqa: I001  the order of the report
    items,
    batches,
    namespaces,
    paging,
    searching,
    indexing,
    filtering,
    operators,
    expiry,
    values,
    concurrency,
    extras,
)

__all__ = [
    "batches",
    "concurrency",
    "expiry",
    "extras",
    "filtering",
    "indexing",
    "items",
    "namespaces",
    "operators",
    "paging",
    "searching",
    "values",
]
