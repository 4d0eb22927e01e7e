"""Active memory: templates, sections, updates."""

from datetime import datetime
from typing import ClassVar, Literal, NotRequired, TypedDict

from pydantic import ConfigDict, Field

from langgraph_agentmem.models.base import Json, Value, counted, cut, listed


class TemplateSection(Value):
    """One section of a template.

    Attributes:
        id: Its name within the memory.
        title: What people read; the id where it is empty.
        description: What belongs into it; agents are shown it.
        content: The text that a new memory starts with.

    Examples:
        >>> facts = TemplateSection(id="facts", description="What is known", content="Ada is away.")
        >>> memory.create_active_memory("alice", "Notes", MemoryTemplate(sections=(facts,))).sections["facts"].content
        'Ada is away.'
    """

    id: str
    title: str = ""
    description: str = ""
    content: str = ""


class MemoryTemplate(Value):
    """The sections that a memory is created with, in order.

    Examples:
        >>> template = MemoryTemplate(name="Notes", sections=(TemplateSection(id="facts"), TemplateSection(id="open")))
        >>> list(memory.create_active_memory("alice", "Notes", template).sections)
        ['facts', 'open']
    """

    id: str = ""
    name: str = ""
    description: str = ""
    sections: tuple[TemplateSection, ...]


def content_of(value: Json) -> str:
    """The text of a text section's value, else an empty string."""
    content = value.get("content", "")
    return content if isinstance(content, str) else ""


def is_empty(value: Json) -> bool:
    """Whether nothing was written into a section yet, or all of it was taken out again."""
    return all(key == "content" and isinstance(text, str) and not text.strip() for key, text in value.items())


class Section(Value):
    """A named piece of a working memory; in LangGraph's terms, a store item.

    Attributes:
        value: The JSON value; `{"content": text}` for a text section.
        text_fields: Paths of the value whose texts are searched and consolidated; all texts if None, none if empty.
        revision: Grows by one with every write; starts at 1.
        update_count: Updates that no consolidation has taken yet.
        total_updates: Updates since it was created.
        source: Who wrote it last, as the writer said.
    """

    section_id: str
    title: str = ""
    description: str = ""
    value: Json
    text_fields: tuple[str, ...] | None = None
    revision: int
    update_count: int
    total_updates: int
    source: str | None = None
    created_at: datetime
    updated_at: datetime

    @property
    def content(self) -> str:
        """The text of a text section, else an empty string."""
        return content_of(self.value)

    def _told(self) -> str:
        pending = f", {counted(self.update_count, 'update')} pending" if self.update_count else ""
        return f"{cut(self.section_id)}, revision {self.revision}{pending}: {cut(self.content or str(self.value))}"


class ConsolidationInfo(Value):
    """How far a memory is from its next consolidation.

    Attributes:
        total_update_count: Updates of all sections that no consolidation has taken yet.
        threshold: `min(average updates per section × number of sections, max_pending_updates)`.
        will_consolidate: Whether the memory is due.
    """

    total_update_count: int
    threshold: float
    will_consolidate: bool


class ActiveMemory(Value):
    """A working memory of a tenant.

    Attributes:
        sections: By id, in the template's order. Memories of more than 100 sections list only the sections
            that the call concerned.
        section_count: The number of all its sections.

    Examples:
        >>> apollo = memory.get_active_memory("alice", apollo.id)
        >>> apollo.title, apollo.namespace, apollo.sections["plan"].revision
        ('Apollo', ('alice', 'Apollo'), 2)
        >>> apollo.consolidation_info.threshold, apollo.consolidation_info.will_consolidate
        (10.0, False)
    """

    external_id: str
    id: int
    title: str
    namespace: tuple[str, ...]
    template: MemoryTemplate
    metadata: Json = Field(default_factory=dict)
    sections: dict[str, Section]
    section_count: int
    consolidation_info: ConsolidationInfo
    created_at: datetime
    updated_at: datetime

    def _told(self) -> str:
        info = self.consolidation_info
        due = ", due" if info.will_consolidate else ""
        pending = f"{info.total_update_count} of {info.threshold:g} updates{due}"
        sections = listed(list(self.sections)) or counted(self.section_count, "section")
        return f"{self.id} {cut(self.title)} of {cut(self.external_id)}: {sections}; {pending}"


class SectionUpdateDict(TypedDict):
    """The plain form of a `SectionUpdate`."""

    section_id: str
    new_content: str
    old_content: NotRequired[str | None]
    action: NotRequired[Literal["replace", "insert"]]
    expected_revision: NotRequired[int | None]


class SectionUpdate(Value):
    """One edit of a batch.

    Attributes:
        section_id: The section to edit.
        new_content: The text to write.
        old_content: An excerpt that occurs exactly once in the section; without it, the whole section is meant.
        action: `replace` puts `new_content` in place of `old_content`; `insert` puts it after `old_content`, or on a
            new line at the section's end.
        expected_revision: Write only if the section is at this revision.

    Examples:
        >>> edit = SectionUpdate(section_id="plan", old_content="May 1", new_content="June 1", expected_revision=2)
        >>> memory.update_active_memory_sections("alice", apollo.id, [edit]).sections["plan"].revision
        3
    """

    # a misspelt old_content would overwrite the whole section
    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    section_id: str
    new_content: str
    old_content: str | None = None
    action: Literal["replace", "insert"] = "replace"
    expected_revision: int | None = None
