"""Conflicts between what is remembered and what is new, and the plan that resolves them."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from langgraph_agentmem.models.about import About
from langgraph_agentmem.models.base import Json, Value
from langgraph_agentmem.models.chunk import NOWHERE, Place
from langgraph_agentmem.models.entity import ExtractedEntity, ExtractedRelationship

RecommendedAction = Literal["merge", "create", "manual"]
"""What the rules would do: merge, create a new one, or ask somebody (`manual`)."""


class ConflictChunk(Value):
    """A chunk as a conflict shows it.

    Attributes:
        place: The headings, list items and keys that it belongs to.
        source: Who wrote it, as the writer said.
        written_at: Since when it is valid.
        before: Of a chunk that its section no longer holds, and that a model is asked about: the line that stood before
            it when a run took it, cut to `policies.surroundings.LONGEST` characters.
        after: The line that stood after it, likewise.
    """

    id: int
    content: str
    place: Place = NOWHERE
    source: str | None = None
    written_at: datetime | None = None
    before: str = ""
    after: str = ""


Relation = Literal["replaced", "unclear", "unrelated"]
"""What the rules make of an existing chunk beside a new one: it has ended; perhaps; both may be true."""


class Replacement(Value):
    """An existing chunk that is no longer part of its section, and the new one that is closest to it.

    Attributes:
        relation: `replaced` and `unrelated` are what the rules are sure of; `unclear` leaves both valid, unless a model
            or a person decides. A model is asked about `unrelated` ones, too: it may see more than words.
        rule: By which the new chunk replaces it, or would if the rule were sure enough.
        replaced: How many statements of the existing chunk the new one surely says anew or replaces.
        similarity: Of their closest statements, 0 to 1.
        leftover: Statements of the existing chunk that stay valid where it is superseded.
    """

    chunk_id: int
    replaced_by: int
    relation: Relation
    rule: str = ""
    replaced: int = 0
    similarity: float = 0.0
    leftover: str = ""

    @property
    def clear(self) -> bool:
        """Whether the rules are sure."""
        return self.relation != "unclear"


class ConflictSection(Value):
    """A changed section.

    Attributes:
        section_content: Its text at the time of the claim.
        update_count: The updates that this run takes.
        existing_chunks: Consolidated chunks that are still valid but no longer part of the section.
        new_chunks: Chunks that no run has seen before.
        replacements: What seems to replace what.
    """

    section_id: str
    section_content: str
    update_count: int
    existing_chunks: list[ConflictChunk] = Field(default_factory=list[ConflictChunk])
    new_chunks: list[ConflictChunk] = Field(default_factory=list[ConflictChunk])
    replacements: list[Replacement] = Field(default_factory=list[Replacement])
    metadata: Json = Field(default_factory=dict)


class StoredEntity(Value):
    """A short-term entity as a conflict shows it."""

    id: int
    name: str
    types: list[str] = Field(default_factory=list)
    description: str = ""
    confidence: float
    importance: float
    revision: int


class StoredRelationship(Value):
    """A short-term relationship as a conflict shows it."""

    id: int
    source: str
    target: str
    source_id: int
    target_id: int
    types: list[str] = Field(default_factory=list)
    description: str = ""
    confidence: float
    strength: float
    revision: int


class ConflictEntity(Value):
    """A new entity and those it might be.

    Attributes:
        similarity_scores: Similarity of names by the short-term entity's id, 0 to 1.
        possible: Those that it may be: neither their names nor their types exclude it.
        recommended_entity_id: For `merge`, the one that the rules would merge it into.
    """

    active_entity: ExtractedEntity
    shortterm_entities: list[StoredEntity] = Field(default_factory=list[StoredEntity])
    similarity_scores: dict[int, float] = Field(default_factory=dict[int, float])
    possible: list[int] = Field(default_factory=list[int])
    recommended_action: RecommendedAction
    recommended_entity_id: int | None = None


class ConflictRelationship(Value):
    """A new relationship and those it might be.

    Attributes:
        source_entity: Its source, as a position in the run's entities, from 0; a name may stand for several.
        target_entity: Its target, likewise.
    """

    active_relationship: ExtractedRelationship
    source_entity: int
    target_entity: int
    shortterm_relationships: list[StoredRelationship] = Field(default_factory=list[StoredRelationship])
    recommended_action: RecommendedAction


class ConsolidationConflicts(Value):
    """Everything that a consolidation has to decide.

    Examples:
        >>> [run] = memory.runs.list("alice")
        >>> conflicts = ConsolidationConflicts.model_validate(run.conflicts)
        >>> [(section.section_id, len(section.new_chunks)) for section in conflicts.sections]
        [('plan', 2), ('team', 2)]
    """

    external_id: str
    active_memory_id: int
    shortterm_memory_id: int | None
    created_at: datetime
    sections: list[ConflictSection] = Field(default_factory=list[ConflictSection])
    entities: list[ConflictEntity] = Field(default_factory=list[ConflictEntity])
    relationships: list[ConflictRelationship] = Field(default_factory=list[ConflictRelationship])


class ChunkDecision(Value):
    """What becomes of an existing chunk.

    Attributes:
        chunk_id: An existing chunk of the section.
        action: `supersede` ends its validity in favour of `replaced_by`; `keep` leaves it valid.
        replaced_by: A new chunk of the same section.
        leftover: Filled in by the code, never by a model: what stays valid of a superseded chunk.
    """

    chunk_id: int
    action: Literal["supersede", "keep"]
    replaced_by: int | None = None
    reason: str = ""
    leftover: str = ""


class MergedText(Value):
    """A text that takes the place of several chunks of a section, keeping what they say.

    Attributes:
        leftover: Filled in by the code, never by a model: statements of the chunks of which the text lacks a word.
    """

    text: str
    chunk_ids: list[int]
    reason: str = ""
    leftover: str = ""


class SectionResolution(Value):
    """Decisions on one section."""

    section_id: str
    decisions: list[ChunkDecision] = Field(default_factory=list[ChunkDecision])
    merged: list[MergedText] = Field(default_factory=list[MergedText])


class EntityResolution(Value):
    """What becomes of a new entity.

    Attributes:
        conflict: Its position in `ConsolidationConflicts.entities`, from 0.
        entity_id: The short-term entity to merge it into.
        description: For a merge, a description of both; else the newer one is kept.
    """

    conflict: int
    action: Literal["merge", "create"]
    entity_id: int | None = None
    description: str | None = None
    reason: str = ""


class RelationshipResolution(Value):
    """What becomes of a new relationship.

    Attributes:
        conflict: Its position in `ConsolidationConflicts.relationships`, from 0.
        action: `merge` into `relationship_id`, `create` beside it, or `supersede`: create, and end the validity of
            `relationship_id`.
    """

    conflict: int
    action: Literal["merge", "create", "supersede"]
    relationship_id: int | None = None
    reason: str = ""


class ConsolidationPlan(Value):
    """How to resolve conflicts; data that code validates before it is applied.

    Examples:
        >>> written = memory.update_active_memory_section("alice", apollo.id, "plan", "June 1", "May 1")
        >>> report = memory.consolidate("alice", apollo.id)
        >>> plan = ConsolidationPlan.model_validate(memory.runs.list("alice")[0].plan)
        >>> [decision.action for section in plan.sections for decision in section.decisions]
        ['supersede']
    """

    sections: list[SectionResolution] = Field(default_factory=list[SectionResolution])
    entities: list[EntityResolution] = Field(default_factory=list[EntityResolution])
    relationships: list[RelationshipResolution] = Field(default_factory=list[RelationshipResolution])


class Decision(Value):
    """One line of a run's report: what was decided, by whom, and why.

    Attributes:
        about: What it is about; `str(about)` names it in words, e.g. `chunk 12 of section 'plan'`.
        refused: What a model proposed and why that was refused, where it was.
    """

    about: About
    action: str
    decided_by: Literal["rules", "model", "person"]
    reason: str = ""
    refused: str | None = None
