"""LangGraph's store on active memory: every item is a section."""

from langgraph_agentmem.store.requests import AgentMemoryItem, AgentMemorySearchItem
from langgraph_agentmem.store.store import AgentMemoryStore

__all__ = ["AgentMemoryItem", "AgentMemorySearchItem", "AgentMemoryStore"]
