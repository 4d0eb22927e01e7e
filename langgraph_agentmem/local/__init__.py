"""Embedding models that run within the process, on the machine's own processor."""

from langgraph_agentmem.local.embeddings import LocalEmbeddings

__all__ = ["LocalEmbeddings"]
