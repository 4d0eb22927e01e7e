"""Chunks: what sections are made of once they are remembered."""

from datetime import datetime
from typing import Literal, NamedTuple

from pydantic import SkipValidation

from langgraph_agentmem.models.base import Json, Tier, Value, cut

Origin = Literal["section", "merge", "leftover", "import"]
"""Cut from a section, written by a merge, what a replaced chunk said besides what was replaced, or brought along."""


class Place(Value):
    """What a piece of a text belongs to.

    Attributes:
        headings: Those that it stands under, the outermost first.
        parents: What it belongs to by indentation: keys, items of lists, names of records; the outermost first.
        identifies: Whether it tells a record of a list from the others, as its `name` does.
    """

    headings: tuple[str, ...] = ()
    parents: tuple[str, ...] = ()
    identifies: bool = False

    @property
    def path(self) -> tuple[str, ...]:
        """All that it belongs to, the outermost first."""
        return self.headings + self.parents


NOWHERE = Place()
"""The place of what belongs to nothing."""


class TextChunk(Value):
    """A piece of a text.

    Attributes:
        text: The piece; all pieces joined give back the whole text.
        overlap: The end of the preceding piece, where this one continues it in the middle of a block.
        place: What it belongs to.
    """

    text: str
    overlap: str = ""
    place: Place = NOWHERE


class ChunkWords(NamedTuple):
    """What a chunk is found by.

    Attributes:
        own: Where its own words are weighed, ascending; see `policies.words.dimension`.
        weights: What each of its words, and of its neighbours', weighs, by where it is weighed.
        label: The words of its label, as of who speaks; None without one.
    """

    own: list[int]
    weights: dict[int, float]
    label: str | None


class PlacedChunk(Value):
    """A chunk with its place among a section's chunks.

    Attributes:
        words: What it is found by.
        equal_before: How many equal chunks of the section come before it.
        place: As in `TextChunk`.
    """

    order: int
    text: str
    overlap: str
    words: SkipValidation[ChunkWords]
    content_hash: bytes
    equal_before: int
    place: Place = NOWHERE

    @property
    def metadata(self) -> Json:
        """What is kept with it for those who find it: its place, as far as it has one."""
        return self.place.model_dump(mode="json", exclude_defaults=True)


class ChunkHistory(Value):
    """A chunk of a memory, valid or not, with what became of it.

    Attributes:
        section_revision: The revision of its section that brought it; 0 if a run wrote it.
        current: Whether its section's present value holds it.
        source: Who wrote it, as the writer said.
        run_id: The run that has consolidated or written it; None while none has.
        start_date: Valid from.
        end_date: Valid until; None while valid.
        superseded_by: The chunk that took its place, if one did.

    Examples:
        >>> chunk = memory.history("alice", apollo.id, "plan")[-1]
        >>> chunk.content.strip(), chunk.tier, chunk.section_revision, chunk.end_date
        ('- Deadline: May 1', 'shortterm', 2, None)
    """

    chunk_id: int
    section_id: str
    section_revision: int
    chunk_order: int
    content: str
    tier: Tier
    current: bool
    origin: Origin
    source: str | None = None
    run_id: str | None = None
    start_date: datetime
    end_date: datetime | None = None
    superseded_by: int | None = None

    def _told(self) -> str:
        ended = f" until {self.end_date:%Y-%m-%d}" if self.end_date else ""
        return f"{self.chunk_id} {self.tier} {cut(self.section_id, 30)}{ended}: {cut(self.content.strip())}"


class WrittenSection(Value):
    """A section whose value is written in this transaction, with its chunks."""

    namespace: tuple[str, ...]
    section_id: str
    chunks: list[PlacedChunk]


Vectors = dict[bytes, list[float]]
"""Vectors by the hash of the chunk's content."""
