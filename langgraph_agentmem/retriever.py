"""LangChain's retriever on a tenant's memory."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import Field

from langgraph_agentmem.bridge import blocking
from langgraph_agentmem.models.base import Tier
from langgraph_agentmem.models.search import SearchHit
from langgraph_agentmem.operations.retrieval import searching
from langgraph_agentmem.policies import validation
from langgraph_agentmem.resources import HasResources, given_memory

_METADATA = {
    "chunk_id", "tier", "memory_id", "memory_title", "section_id", "current", "start_date", "end_date", "source",
    "score", "rerank_score", "entities", "disputed", "unclear_with",
}  # fmt: skip


class AgentMemoryRetriever(BaseRetriever):
    """Finds what a tenant's memories say, as `AgentMemory.asearch` does, as documents.

    A document's `id` is the chunk's. Its metadata says where it comes from and how far it holds, as JSON: `chunk_id`,
    `tier`, `memory_id`, `memory_title`, `section_id`, `headings` and `parents` (what it stands under), `current`,
    `start_date`, `end_date`, `source`, `score`, `rerank_score`, `entities`, `disputed`, `unclear_with`.

    Args:
        memory: The open memory.
        external_id: The tenant.
        k: The most documents; a call may ask for another number, `retriever.invoke(query, k=3)`.
        tiers: Of `active`, `shortterm`, `longterm`; all by default.
        memory_ids: Only what came from these memories.
        as_of: What was valid at that time (with a time zone); what is valid now by default.

    Raises:
        ConfigurationError: `memory` is something else.
        InvalidInputError: An argument cannot be accepted.

    Examples:
        >>> retriever = AgentMemoryRetriever(memory=memory, external_id="alice", k=1)
        >>> [document] = retriever.invoke("What is the budget?")
        >>> document.page_content, document.metadata["tier"], document.metadata["section_id"]
        ('- Budget: 5000', 'shortterm', 'plan')
    """

    memory: Any = Field(exclude=True, repr=False)
    external_id: str
    k: int
    tiers: tuple[Tier, ...] | None
    memory_ids: tuple[int, ...] | None
    as_of: datetime | None

    def __init__(
        self,
        *,
        memory: HasResources,
        external_id: str,
        k: int = 10,
        tiers: Sequence[Tier] | None = None,
        memory_ids: Sequence[int] | None = None,
        as_of: datetime | None = None,
        **fields: Any,
    ) -> None:
        # before pydantic, whose errors are not ours, and say less
        checked_tiers, checked_ids = searching.checked_tiers(tiers), searching.checked_memory_ids(memory_ids)
        validation.moments(as_of=as_of)
        fields |= {
            "memory": given_memory(memory),
            "external_id": validation.tenant(external_id),
            "k": validation.positive(k, "k"),
            "tiers": None if checked_tiers is None else tuple(checked_tiers),
            "memory_ids": None if checked_ids is None else tuple(checked_ids),
            "as_of": as_of,
        }
        super().__init__(**fields)

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun, k: int | None = None
    ) -> list[Document]:
        return await self._afound(query, k)

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun, k: int | None = None
    ) -> list[Document]:
        return self._found(query, k)

    async def _afound(self, query: str, k: int | None) -> list[Document]:
        hits = await searching.search(
            self.memory.resources,
            self.external_id,
            query,
            tiers=self.tiers,
            memory_ids=self.memory_ids,
            limit=self.k if k is None else validation.positive(k, "k"),
            as_of=self.as_of,
        )
        return [_document(hit) for hit in hits]

    _found: Final = blocking(_afound)


def _document(hit: SearchHit) -> Document:
    metadata = hit.metadata | hit.model_dump(mode="json", include=_METADATA)
    return Document(page_content=hit.content, id=str(hit.chunk_id), metadata=metadata)
