"""Threads whose state is mapped to the sections of a memory."""

from langgraph_agentmem.models.active import MemoryTemplate, Section
from langgraph_agentmem.models.base import Value


class ThreadMemory(Value):
    """The memory that a thread's state is mapped to.

    Attributes:
        external_id: The tenant.
        namespace: Of the memory.
        title: Of the memory, if it is to be made.
        template: The sections that the state is mapped to.
        thread_id: The thread.
    """

    external_id: str
    namespace: tuple[str, ...]
    title: str
    template: MemoryTemplate
    thread_id: str


class SeenSection(Value):
    """What a thread has of a section.

    Attributes:
        revision: The section's revision that the thread has seen.
        text_hash: Of the text that the thread's state holds.
    """

    revision: int
    text_hash: bytes


class ThreadSection(Value):
    """A section, with what a thread has of it."""

    section: Section
    seen: SeenSection | None


class SectionConflict(Value):
    """A section that a thread wants to write, and that somebody else has written since the thread saw it.

    Attributes:
        section_id: The section.
        mine: The text of the thread's state.
        theirs: The section's present text.
        revision: The section's present revision.
        seen_revision: The revision that the thread has seen; 0 if it has seen none.
        thread_id: The thread.
        external_id: The tenant.
    """

    section_id: str
    mine: str
    theirs: str
    revision: int
    seen_revision: int
    thread_id: str
    external_id: str
