"""Three-tier memory for LangGraph agents on PostgreSQL and pgvector."""

from langgraph_agentmem.checkpoint import AgentMemorySaver, MemorySection
from langgraph_agentmem.errors import AgentMemoryError
from langgraph_agentmem.extraction import Extractor
from langgraph_agentmem.graphs import create_consolidation_graph, create_promotion_graph
from langgraph_agentmem.memory import AgentMemory
from langgraph_agentmem.models.active import ActiveMemory, MemoryTemplate, SectionUpdate, TemplateSection
from langgraph_agentmem.models.conflict import ConsolidationConflicts, ConsolidationPlan
from langgraph_agentmem.models.review import PendingReview, ProposedChange, ReviewDecision, ReviewReport
from langgraph_agentmem.models.run import ConsolidationReport, PromotionReport
from langgraph_agentmem.models.search import SearchHit
from langgraph_agentmem.nodes.hydrate import hydrate_node
from langgraph_agentmem.nodes.recall import recall_node
from langgraph_agentmem.nodes.remember import remember_node
from langgraph_agentmem.settings import AgentMemorySettings
from langgraph_agentmem.store import AgentMemoryStore
from langgraph_agentmem.worker import MemoryWorker

__all__ = [
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
