"""What a decision of a run is about."""

from collections.abc import Sequence
from typing import Literal

from langgraph_agentmem.models.base import Value

AboutKind = Literal[
    "chunk", "merge", "entity", "relationship", "extracted", "section", "entity_conflict", "relationship_conflict"
]
"""A remembered chunk; a text for the place of several; a new entity or relationship; something that an extractor named;
a section or a conflict that a model answered about though it was not asked."""


class About(Value):
    """What a decision is about: plan, report and disputes are joined on it. As a text, it is what people read.

    Attributes:
        section_id: Of chunks, merged texts and sections.
        ids: The chunk, or the chunks that a text is merged from, as the plan lists them; of what a review decides about
            an entity or a relationship, the existing one.
        names: Of an entity, or of a relationship's ends.
        position: In the run's conflicts, of what an extractor found in its answer, or in a model's answer, from 0.
        dispute: The dispute that a person has decided.
    """

    kind: AboutKind
    section_id: str | None = None
    ids: tuple[int, ...] = ()
    names: tuple[str, ...] = ()
    position: int | None = None
    dispute: int | None = None

    @classmethod
    def chunk(cls, section_id: str, chunk_id: int) -> "About":
        """A remembered chunk."""
        return cls(kind="chunk", section_id=section_id, ids=(chunk_id,))

    @classmethod
    def merge(cls, section_id: str, chunk_ids: Sequence[int]) -> "About":
        """A text for the place of several chunks."""
        return cls(kind="merge", section_id=section_id, ids=tuple(chunk_ids))

    @classmethod
    def entity(cls, name: str, position: int) -> "About":
        """A new entity, by its position in the run's conflicts."""
        return cls(kind="entity", names=(name,), position=position)

    @classmethod
    def relationship(cls, source: str, target: str, position: int) -> "About":
        """A new relationship, by its position in the run's conflicts."""
        return cls(kind="relationship", names=(source, target), position=position)

    def __str__(self) -> str:
        """In words, e.g. `chunk 12 of section 'plan'`."""
        return self._words() if self.dispute is None else f"dispute {self.dispute}: {self._words()}"

    def _words(self) -> str:
        names = " → ".join(map(repr, self.names))
        match self.kind:
            case "chunk":
                return f"chunk {self.ids[0]} of section {self.section_id!r}"
            case "merge" if self.dispute is None:
                return f"merged text of section {self.section_id!r} from chunks {', '.join(map(str, self.ids))}"
            case "section":
                return f"section {self.section_id!r}"
            case "entity_conflict" | "relationship_conflict":
                return f"{self.kind.replace('_', ' ')} {self.position}"
            case "merge" | "entity" | "relationship" if self.ids:
                return f"{self.kind} {self.ids[0]}"
            case _:
                return f"{self.kind} {names} #{self.position}"
