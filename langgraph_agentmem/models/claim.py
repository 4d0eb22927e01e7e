"""What a run has taken of a memory."""

from langgraph_agentmem.models.base import Value
from langgraph_agentmem.models.conflict import ConflictChunk
from langgraph_agentmem.models.run import SectionSnapshot


class ClaimedSection(SectionSnapshot):
    """A section as it was claimed, with its content."""

    content: str
    description: str


class ClaimedChunk(ConflictChunk):
    """A chunk that a run looks at.

    Attributes:
        new: No run has seen it before.
        back: It was consolidated before, and has come back into its section since.
        current: Whether it is part of its section's present value.
        to_extract: Whether entities are still to be found in it.
    """

    section_id: str
    new: bool
    back: bool
    current: bool
    to_extract: bool


class Claim(Value):
    """What a run has taken.

    Attributes:
        model_rests: The model has failed in the memory's last runs, so this one does not ask it.
    """

    external_id: str
    memory_id: int
    run_id: str
    sections: list[ClaimedSection]
    chunks: list[ClaimedChunk]
    model_rests: bool = False
