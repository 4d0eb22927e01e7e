"""Three-tier memory for LangGraph agents on PostgreSQL and pgvector."""

import importlib
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from langgraph_agentmem.checkpoint import AgentMemorySaver, MemorySection
    from langgraph_agentmem.claude_memory import create_claude_memory_tool
    from langgraph_agentmem.errors import AgentMemoryError
    from langgraph_agentmem.extraction import Extractor
    from langgraph_agentmem.graphs import create_consolidation_graph, create_promotion_graph
    from langgraph_agentmem.local import LocalEmbeddings
    from langgraph_agentmem.memory import AgentMemory
    from langgraph_agentmem.middleware import AgentMemoryMiddleware
    from langgraph_agentmem.models.active import ActiveMemory, MemoryTemplate, SectionUpdate, TemplateSection
    from langgraph_agentmem.models.conflict import ConsolidationConflicts, ConsolidationPlan
    from langgraph_agentmem.models.context import MemoryContext
    from langgraph_agentmem.models.deletion import DeletionCheck, DeletionReceipt, SweepReport
    from langgraph_agentmem.models.review import PendingReview, ProposedChange, ReviewDecision, ReviewReport
    from langgraph_agentmem.models.run import ConsolidationReport, PromotionReport
    from langgraph_agentmem.models.search import SearchHit
    from langgraph_agentmem.nodes.hydrate import hydrate_node
    from langgraph_agentmem.nodes.recall import recall_node
    from langgraph_agentmem.nodes.remember import remember_node
    from langgraph_agentmem.retriever import AgentMemoryRetriever
    from langgraph_agentmem.settings import AgentMemorySettings
    from langgraph_agentmem.store import AgentMemoryStore
    from langgraph_agentmem.tools import create_memory_tools
    from langgraph_agentmem.worker import MemoryWorker

__version__: str

__all__ = [
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
# Imported when asked for: graphs and nodes import LangGraph's graphs, which takes longer than all the rest.
_MODULES = {
    "ActiveMemory": "models.active",
    "AgentMemory": "memory",
    "AgentMemoryError": "errors",
    "AgentMemoryMiddleware": "middleware",
    "AgentMemoryRetriever": "retriever",
    "AgentMemorySaver": "checkpoint",
    "AgentMemorySettings": "settings",
    "AgentMemoryStore": "store",
    "ConsolidationConflicts": "models.conflict",
    "ConsolidationPlan": "models.conflict",
    "ConsolidationReport": "models.run",
    "DeletionCheck": "models.deletion",
    "DeletionReceipt": "models.deletion",
    "Extractor": "extraction",
    "LocalEmbeddings": "local",
    "MemoryContext": "models.context",
    "MemorySection": "checkpoint",
    "MemoryTemplate": "models.active",
    "MemoryWorker": "worker",
    "PendingReview": "models.review",
    "PromotionReport": "models.run",
    "ProposedChange": "models.review",
    "ReviewDecision": "models.review",
    "ReviewReport": "models.review",
    "SearchHit": "models.search",
    "SectionUpdate": "models.active",
    "SweepReport": "models.deletion",
    "TemplateSection": "models.active",
    "create_claude_memory_tool": "claude_memory",
    "create_consolidation_graph": "graphs",
    "create_memory_tools": "tools",
    "create_promotion_graph": "graphs",
    "hydrate_node": "nodes.hydrate",
    "recall_node": "nodes.recall",
    "remember_node": "nodes.remember",
}


if not TYPE_CHECKING:  # type checkers would take any name for one that there is
    if find_spec("langchain") is None:  # or `from langgraph_agentmem import *` would fail for want of an extra
        __all__.remove("AgentMemoryMiddleware")

    def __getattr__(name: str) -> object:
        if name == "__version__":
            value = importlib.import_module("importlib.metadata").version("langgraph-agentmem")
        elif name in _MODULES:
            value = getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
        else:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return [*globals(), *__all__]
