"""Chunks: what sections are made of once they are remembered."""

from typing import Literal

from langgraph_agentmem.models.base import Value

Origin = Literal["section", "merge", "leftover"]
"""Cut from a section, written by a merge, or what a replaced chunk said besides what was replaced."""


class TextChunk(Value):
    """A piece of a text.

    Attributes:
        text: The piece; all pieces joined give back the whole text.
        overlap: The end of the preceding piece, where this one continues it in the middle of a block.
    """

    text: str
    overlap: str = ""
