"""Values that are ready to be written into sections."""

from dataclasses import dataclass, field

from langgraph_agentmem.models.chunk import PlacedChunk, Vectors
from langgraph_agentmem.models.item import ItemKey, Namespace


@dataclass(frozen=True, kw_only=True)
class SectionWrite:
    """A section's value that is checked, and can be written.

    Attributes:
        section_id: The section; a store item's key.
        json_text: The value, a JSON object; what an edit changes of it.
        fields: Paths of the value's texts that are searched and consolidated; all texts if None, none if empty.
        ttl_minutes: Until it expires; None for ever.
        expected: The revision that the section must have; 0 for none at all, None for any.
        chunks: What the value is cut into; None where that is done when somebody asks for chunks.
        counted: How many updates it counts as; None for one, where it has texts.
        vectors: Of its chunks, by the hash of their content, maybe among others; those without one are embedded later.
    """

    namespace: Namespace
    section_id: str
    json_text: str
    fields: tuple[str, ...] | None = None
    ttl_minutes: float | None = None
    expected: int | None = None
    chunks: list[PlacedChunk] | None = None
    counted: int | None = None
    vectors: Vectors = field(default_factory=dict[bytes, list[float]])

    @property
    def key(self) -> ItemKey:
        """Where it is, as an item of a store."""
        return self.namespace, self.section_id

    @property
    def updates(self) -> int:
        """How many updates it counts as: what has no texts never waits for consolidation."""
        return int(self.fields != ()) if self.counted is None else self.counted
