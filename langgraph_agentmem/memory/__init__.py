"""The memory that applications open, and its parts."""

from langgraph_agentmem.memory.grants import Grants
from langgraph_agentmem.memory.imports import Imports
from langgraph_agentmem.memory.memory import AgentMemory
from langgraph_agentmem.memory.queue import Queue
from langgraph_agentmem.memory.reviews import Reviews
from langgraph_agentmem.memory.runs import Runs

__all__ = ["AgentMemory", "Grants", "Imports", "Queue", "Reviews", "Runs"]
