"""A conformance suite for LangGraph stores: what a `BaseStore` does, and where it does not.

It needs nothing but LangGraph: no pytest, no model, no network. A factory opens stores; `run` tries every capability on
a store of its own and reports, without stopping at the first that fails:

    report = await run(my_factory)
    print(report.table())

A capability is either *promised* by LangGraph's own documentation, or what users *expect* beyond it. A store that says
it has no time-to-live, has no `aput_if`, or refuses an operator as unknown, is reported as "unsupported", not as
failing.
"""

from langgraph_agentmem.testing.store_conformance import checks  # registers every capability
from langgraph_agentmem.testing.store_conformance.case import (
    Case,
    NotMet,
    SettlingStoreFactory,
    SharedStoreFactory,
    StoreFactory,
    Unsupported,
)
from langgraph_agentmem.testing.store_conformance.embedder import Gate, WordEmbedder
from langgraph_agentmem.testing.store_conformance.registry import Capability, capabilities
from langgraph_agentmem.testing.store_conformance.report import Report, Result, Status, comparison
from langgraph_agentmem.testing.store_conformance.running import check, run

__all__ = [
    "Capability",
    "Case",
    "Gate",
    "NotMet",
    "Report",
    "Result",
    "SettlingStoreFactory",
    "SharedStoreFactory",
    "Status",
    "StoreFactory",
    "Unsupported",
    "WordEmbedder",
    "capabilities",
    "check",
    "checks",
    "comparison",
    "run",
]
