"""Makes questions ready: read, embedded without what says little, and weighed by how frequent their words are."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime

from langgraph_agentmem.operations.sections import freshness
from langgraph_agentmem.policies import asking
from langgraph_agentmem.policies.asking import ReadQuestion
from langgraph_agentmem.policies.frequencies import Frequencies
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.storage import search as storage
from langgraph_agentmem.storage import sections
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.driver.rows import Deferred
from langgraph_agentmem.storage.search import Compared
from langgraph_agentmem.storage.sections import UnchunkedMemory
from langgraph_agentmem.storage.vectors import EmbeddingModel


@dataclass(frozen=True)
class Asked:
    """A question that is read and embedded.

    Attributes:
        question: None to list what there is.
        vector: None without an embedder.
        model: The vector's.
    """

    question: ReadQuestion | None
    vector: list[float] | None = None
    model: EmbeddingModel | None = None


NOTHING = Asked(None)
"""Asks for whatever there is."""


async def asked(resources: Resources, external_id: str | None, query: str, now: datetime | None = None) -> Asked:
    """A question to a tenant, or to several of them.

    Args:
        resources: The parts of an open memory.
        external_id: The tenant; None for several.
        query: The question.
        now: When it is asked: what "last week" means; the present time if None.

    Raises:
        EmbeddingError: It cannot be embedded.
    """
    question = asking.read(query, resources.reader, (now or datetime.now(UTC)).date())
    if resources.embedder is None:
        return Asked(question)
    # first: how the database keeps vectors says whether the embedder is to scale them
    model = await resources.embedding_model()
    text = query
    if external_id is not None:
        known = await _frequencies(resources, external_id)
        text = asking.to_be_embedded(question, known, resources.reader)
    return Asked(question, await resources.embedder.embed_query(text), model)


async def compared(
    resources: Resources, connection: Connection, external_id: str, asked: Asked, granted: list[int] | None = None
) -> Compared:
    """What a tenant's chunks are compared with; how frequent its words are is counted if that is not known.

    Where only some memories are granted to who asks, words are counted in these alone, and that is kept for nobody.
    """
    if granted is not None:
        known = await storage.count(connection, external_id, granted)
    else:
        known = resources.frequencies.get(external_id) or await _counted(resources, connection, external_id)
    weighed = None if asked.question is None else asking.weighed(asked.question, known)
    return Compared(weighed, asked.vector, asked.model, known, resources.settings)


async def _frequencies(resources: Resources, external_id: str) -> Frequencies:
    """How frequent a tenant's words are; of values that are no chunks yet as well."""
    known = resources.frequencies.get(external_id)
    if known is not None:
        return known

    async def unchunked(connection: Connection) -> Deferred[list[UnchunkedMemory]]:
        return await sections.send_unchunked(connection, external_id)

    await freshness.settle(resources, external_id, unchunked)
    async with resources.database.connection(external_id) as connection:
        return await _counted(resources, connection, external_id)


async def _counted(resources: Resources, connection: Connection, external_id: str) -> Frequencies:
    began = time.monotonic()
    known = await storage.count(connection, external_id)
    resources.frequencies.put(external_id, known, time.monotonic() - began)
    return known
