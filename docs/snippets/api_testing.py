"""What the examples of the conformance suite's reference begin with."""

# [begin]
from contextlib import asynccontextmanager

from langgraph.store.memory import InMemoryStore

from langgraph_agentmem.testing.store_conformance import WordEmbedder, check, comparison, run


@asynccontextmanager
async def stores(*, index=None, ttl=None):
    yield InMemoryStore(index=index)


# [end]
assert callable(check)
assert callable(comparison)
assert callable(run)
assert WordEmbedder().embed_query("tea")
