"""Chunks: what sections are made of once they are remembered."""

from typing import Literal

from langgraph_agentmem.models.base import Json, Value

Origin = Literal["section", "merge", "leftover"]
"""Cut from a section, written by a merge, or what a replaced chunk said besides what was replaced."""


class TextChunk(Value):
    """A piece of a text.

    Attributes:
        text: The piece; all pieces joined give back the whole text.
        overlap: The end of the preceding piece, where this one continues it in the middle of a block.
        headings: Those that it stands under, the outermost first.
    """

    text: str
    overlap: str = ""
    headings: tuple[str, ...] = ()


class PlacedChunk(Value):
    """A chunk with its place among a section's chunks and its neighbours' text.

    Attributes:
        equal_before: How many equal chunks of the section come before it.
        headings: As in `TextChunk`.
    """

    order: int
    text: str
    overlap: str
    neighbours: str
    content_hash: bytes
    equal_before: int
    headings: tuple[str, ...] = ()

    @property
    def metadata(self) -> Json:
        """What is kept with it for those who find it: `headings`, where it stands under some."""
        return {"headings": self.headings} if self.headings else {}


class WrittenSection(Value):
    """A section whose value is written in this transaction, with its chunks."""

    namespace: tuple[str, ...]
    section_id: str
    chunks: list[PlacedChunk]


Vectors = dict[bytes, list[float]]
"""Vectors by the hash of the chunk's content."""
