"""Threads whose state is mapped to the sections of a memory."""

from langgraph_agentmem.models.active import Section, TemplateSection
from langgraph_agentmem.models.base import Value


class ThreadMemory(Value):
    """The memory that a thread's state is mapped to.

    Attributes:
        external_id: The tenant.
        namespace: Of the memory.
        title: Of the memory, if it is to be made.
        sections: Those that the state is mapped to.
        thread_id: The thread.
    """

    external_id: str
    namespace: tuple[str, ...]
    title: str
    sections: tuple[TemplateSection, ...]
    thread_id: str


class SeenSection(Value):
    """What a thread has of a section.

    Attributes:
        revision: The section's revision that the thread has seen.
        text_hash: Of the text that the thread's state holds.
    """

    revision: int
    text_hash: bytes


class LoadedSection(Value):
    """What was read of a section for a thread; its state may hold it, or never come to it.

    Attributes:
        section: What was read.
        checkpoint_id: The thread's checkpoint from which on its state may hold it.
    """

    section: SeenSection
    checkpoint_id: str


class ThreadSection(Value):
    """A section, with what a thread has of it.

    Attributes:
        seen: As far as its checkpoints tell; None where it has never seen the section.
        loaded: What was read for it since.
    """

    section: Section
    seen: SeenSection | None
    loaded: LoadedSection | None = None


class PutCheckpoint(Value):
    """A checkpoint of a thread that is being stored.

    Attributes:
        id: The checkpoint's; ids of later ones are greater.
        parent_id: Of the last one that was stored before it on its branch; empty for the first.
        of_step: Whether a step of the graph has made it, not an input or an update from outside.
    """

    id: str
    parent_id: str
    of_step: bool


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

    Examples:
        >>> def keep_both(conflict: SectionConflict) -> str:
        ...     return f"{conflict.theirs} {conflict.mine}"
        >>> saver = AgentMemorySaver(memory, state_schema=State, on_conflict=keep_both)
    """

    section_id: str
    mine: str
    theirs: str
    revision: int
    seen_revision: int
    thread_id: str
    external_id: str
