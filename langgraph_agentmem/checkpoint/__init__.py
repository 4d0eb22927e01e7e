"""LangGraph's checkpointer on active memory: channels of the state are sections."""

from langgraph_agentmem.checkpoint.channels import MemorySection
from langgraph_agentmem.checkpoint.saver import AgentMemorySaver
from langgraph_agentmem.models.thread import SectionConflict

__all__ = ["AgentMemorySaver", "MemorySection", "SectionConflict"]
