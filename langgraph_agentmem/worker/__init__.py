"""Works off the queue of memories that are due."""

from langgraph_agentmem.worker.worker import MemoryWorker

__all__ = ["MemoryWorker"]
