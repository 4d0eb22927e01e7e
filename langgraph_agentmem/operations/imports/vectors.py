"""Takes over vectors that a source has, where they are such as the embedder here computes."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from langgraph_agentmem.embedding import Embedder
from langgraph_agentmem.errors import EmbeddingError
from langgraph_agentmem.models.chunk import PlacedChunk, Vectors
from langgraph_agentmem.operations.imports.running import Tally
from langgraph_agentmem.operations.sections import embeddings
from langgraph_agentmem.policies.importing import alike
from langgraph_agentmem.policies.weighing import undated
from langgraph_agentmem.resources import Resources

_Value: TypeAlias = tuple[Sequence[PlacedChunk], Mapping[str, list[float]]]
_ASKED = 3
"""Texts that the embedder here is asked for, to compare."""


class Takeover:
    """Whether a source's vectors fit, found out once: no table says which model they come from.

    Args:
        resources: The open memory's.
    """

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._fits: bool | None = None
        self._reason: str = ""
        """Why none is taken over."""

    async def vectors(self, values: Sequence[_Value], tally: Tally) -> Vectors:
        """The vectors of chunks: the source's where they fit, and else computed here, unless that is for later.

        Args:
            values: Each value's chunks, and the source's vectors by text.
            tally: Counts what is taken over.

        Raises:
            EmbeddingError: The embedder here fails.
        """
        taken = await self._taken(values)
        tally.vectors += len(taken)
        tally.without_vectors = self._reason or tally.without_vectors
        return taken | await embeddings.vectors_for(self._resources, [pieces for pieces, _ in values], taken)

    async def _taken(self, values: Sequence[_Value]) -> Vectors:
        """The vectors of those chunks whose very texts have one in the source."""
        found = {
            piece.content_hash: (text, vectors[text])
            for pieces, vectors in values
            for piece in pieces
            # a date before a speaker is not embedded here
            if (text := piece.overlap + piece.text) in vectors and undated(text) == text
        }
        if not found:
            if any(vectors for _, vectors in values):
                self._reason = self._reason or "none of the texts that have a vector in the source is a chunk here"
            return {}
        if self._fits is None:
            self._fits = await self._compared(list(found.values())[:_ASKED])
        embedder = self._resources.embedder
        if not self._fits or embedder is None:
            return {}
        try:
            return dict(zip(found, embedder.adopted([vector for _, vector in found.values()]), strict=True))
        except EmbeddingError as error:  # these are computed again
            self._reason = str(error)
            return {}

    async def _compared(self, some: Sequence[tuple[str, list[float]]]) -> bool:
        embedder = self._resources.embedder
        if embedder is None or await self._resources.embedding_model() is None:
            self._reason = "this memory has no embedder"
            return False
        dimensions, theirs = await embedder.probe(), len(some[0][1])
        if dimensions != theirs:
            self._reason = f"the source's vectors have {theirs} dimensions, those of {embedder.name!r} {dimensions}"
            return False
        return await self._same(embedder, some)

    async def _same(self, embedder: Embedder, some: Sequence[tuple[str, list[float]]]) -> bool:
        ours = await embedder.embed([text for text, _ in some])
        pairs = zip(ours, (vector for _, vector in some), strict=True)
        if all(alike(own, vector, lengths_count=not embedder.unit) for own, vector in pairs):
            return True
        self._reason = f"the source's vectors are not those that {embedder.name!r} computes of the same texts"
        return False
