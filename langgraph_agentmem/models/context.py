"""What of memory goes into a prompt."""

from datetime import datetime

from pydantic import Field

from langgraph_agentmem.models.base import Value, counted, cut
from langgraph_agentmem.models.review import DisputeKind
from langgraph_agentmem.models.search import SearchHit


class OpenDispute(Value):
    """Values that cannot all hold, between which a person is still to decide.

    Attributes:
        id: As `memory.reviews` knows it.
        run_id: The run that parked it.
        section_id: None for entities and relationships.
        existing: What was remembered and is still valid.
        new: What came since.
        chunk_ids: The chunks that it is about.
    """

    id: int
    run_id: str
    memory_id: int
    memory_title: str
    kind: DisputeKind
    section_id: str | None = None
    existing: list[str]
    new: str
    chunk_ids: list[int]
    created_at: datetime

    def _told(self) -> str:
        existing = ", ".join(cut(text.strip(), 40) for text in self.existing[:3])
        return f"{self.id} {self.kind} of {cut(self.memory_title)}: {existing} or {cut(self.new.strip(), 40)}"


class MemoryContext(Value):
    """What memory has to say in a prompt, within a budget of tokens.

    Both blocks are delimited data: whatever is remembered, nothing of it can close them. `str()` of it is both.

    Attributes:
        sections: The sections of the tenant's open memories. It does not depend on the query, and its bytes stay the
            same until a section is written, so that a provider's cache of prompts holds it. Empty where there are none.
        recalled: The best hits for the query that do not stand in `sections` anyway, each with its source and date, and
            the disputes that hits are about. Empty without a query or a hit.
        hits: All hits, best first; also those that `recalled` leaves out.
        disputes: What waits for a person's decision, oldest first.
        tokens: Of both blocks together.

    Examples:
        >>> context = memory.context("alice", "Who works on Docs?")
        >>> context.sections.splitlines()[3:5]
        ['- Deadline: May 1', '- Budget: 5000']
        >>> str(context) == context.sections, context.tokens < 200  # nothing was found besides
        (True, True)
    """

    sections: str = ""
    recalled: str = ""
    hits: list[SearchHit] = Field(default_factory=list[SearchHit])
    disputes: list[OpenDispute] = Field(default_factory=list[OpenDispute])
    tokens: int = 0

    def _told(self) -> str:
        said = f"{counted(len(self.hits), 'hit')}, {counted(len(self.disputes), 'dispute')}"
        blocks = f"sections {cut(self.sections, 40)}, recalled {cut(self.recalled, 40)}"
        return f"{counted(self.tokens, 'token')}, {said}: {blocks}"

    def __str__(self) -> str:
        """Both blocks."""
        return "\n\n".join(filter(None, [self.sections, self.recalled]))
