"""What tools answer as structured content: the schemas that clients are shown."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from langgraph_agentmem.models.active import ActiveMemory, ConsolidationInfo, Section
from langgraph_agentmem.models.base import Json, Tier, Value
from langgraph_agentmem.models.conflict import Decision
from langgraph_agentmem.models.entity import Entity, GraphTier
from langgraph_agentmem.models.review import Dispute
from langgraph_agentmem.models.run import ConsolidationRun, RunStatus
from langgraph_agentmem.models.search import SearchHit
from langgraph_agentmem.policies import recounting


class SectionAnswer(Value):
    """A section. Its content is null in an outline; `value` is there where it holds more than a text."""

    section_id: str
    description: str
    content: str | None = None
    value: Json | None = None
    characters: int
    revision: int
    update_count: int

    @classmethod
    def of(cls, section: Section, *, whole: bool) -> "SectionAnswer":
        """A section with its text, or without."""
        plain = section.value.keys() <= {"content"}
        return cls(
            section_id=section.section_id,
            description=section.description,
            content=section.content if whole else None,
            value=section.value if whole and not plain else None,
            characters=len(section.content),
            revision=section.revision,
            update_count=section.update_count,
        )


class MemoryAnswer(Value):
    """A memory; of those with more than 100 sections, an outline lists none."""

    id: int
    title: str
    sections: list[SectionAnswer]
    section_count: int
    consolidation_info: ConsolidationInfo

    @classmethod
    def of(cls, memory: ActiveMemory, *, whole: bool = True) -> "MemoryAnswer":
        """A memory with its texts, or an outline."""
        return cls(
            id=memory.id,
            title=memory.title,
            sections=[SectionAnswer.of(section, whole=whole) for section in memory.sections.values()],
            section_count=memory.section_count,
            consolidation_info=memory.consolidation_info,
        )


class MemoriesAnswer(Value):
    """Memories, the oldest first."""

    memories: list[MemoryAnswer]


class UpdateAnswer(Value):
    """A section that was written: how many updates no consolidation had taken before, and how many now."""

    section_id: str
    previous_count: int
    new_count: int
    revision: int


class UpdatesAnswer(Value):
    """What a batch of edits has done."""

    memory: MemoryAnswer
    updates: list[UpdateAnswer]
    total_sections_updated: int
    consolidation_info: ConsolidationInfo
    message: str


class HitAnswer(Value):
    """A statement that was found; `end_date` is there where it does not hold any more."""

    chunk_id: int
    content: str
    score: float
    tier: Tier
    memory_id: int
    memory_title: str
    section_id: str
    source: str | None
    current: bool
    disputed: bool
    start_date: datetime
    end_date: datetime | None


class HitsAnswer(Value):
    """What was found, best first."""

    hits: list[HitAnswer]

    @classmethod
    def of(cls, found: list[SearchHit]) -> "HitsAnswer":
        """Of a search's hits, what a model may use."""
        return cls(hits=[HitAnswer.model_validate(hit, from_attributes=True) for hit in found])


class RelationshipAnswer(Value):
    """How an entity is related to another one."""

    source: str
    target: str
    types: list[str]
    description: str
    confidence: float
    start_date: datetime
    end_date: datetime | None


class EntityAnswer(Value):
    """An entity; the newest of its changes comes last."""

    id: int
    name: str
    tier: GraphTier
    types: list[str]
    description: str
    confidence: float
    importance: float
    first_seen: datetime
    last_seen: datetime
    disputed: bool
    namesakes: list[int]
    relationships: list[RelationshipAnswer]
    state_history: list[Json]

    @classmethod
    def of(cls, entity: Entity) -> "EntityAnswer":
        """Of an entity, what a model may use."""
        return cls.model_validate(entity, from_attributes=True)


class DecisionAnswer(Value):
    """What a run has decided, by whom, and why."""

    about: str
    action: str
    decided_by: Literal["rules", "model", "person"]
    reason: str

    @classmethod
    def of(cls, made: Decision) -> "DecisionAnswer":
        """Of a line of a run's report, what a person would ask for."""
        return cls(about=str(made.about), action=made.action, decided_by=made.decided_by, reason=made.reason)


class RunAnswer(Value):
    """A consolidation."""

    id: str
    memory_id: int
    status: RunStatus
    resolver: str | None
    started_at: datetime
    finished_at: datetime | None
    sections: list[str] = Field(default_factory=list)
    statements_added: int = 0
    statements_ended: int = 0
    left_to_a_person: list[int] = Field(default_factory=list[int])
    decisions: list[DecisionAnswer] = Field(default_factory=list[DecisionAnswer])

    @classmethod
    def of(cls, run: ConsolidationRun) -> "RunAnswer":
        """Of a run, what became of memory; what went wrong in it is for who runs the server."""
        known = {name: getattr(run, name) for name in ("id", "memory_id", "status", "resolver")}
        known |= {"started_at": run.started_at, "finished_at": run.finished_at}
        if run.report is None:
            return cls(**known)
        return cls(
            **known,
            sections=run.report.sections,
            statements_added=run.report.chunks_added,
            statements_ended=run.report.chunks_superseded,
            left_to_a_person=run.report.parked,
            decisions=[DecisionAnswer.of(each) for each in run.report.decisions],
        )


class HistoryAnswer(Value):
    """Consolidations, the newest first."""

    runs: list[RunAnswer]


class DisputeAnswer(Value):
    """A conflict that waits: what was remembered, what came since, and what is proposed."""

    dispute: int
    memory_id: int
    section_id: str | None
    kind: str
    existing: list[str]
    new: str
    proposed: str
    question: str

    @classmethod
    def of(cls, dispute: Dispute) -> "DisputeAnswer":
        """A dispute as it stands now."""
        existing = dispute.existing_now if dispute.changed and dispute.existing_now else dispute.existing
        return cls(
            dispute=dispute.id,
            memory_id=dispute.memory_id,
            section_id=dispute.section_id,
            kind=dispute.kind,
            existing=[value.content for value in existing],
            new=(dispute.new_now if dispute.changed else dispute.new).content,
            proposed=dispute.verdict.action,
            question=recounting.question(dispute),
        )


class ConflictsAnswer(Value):
    """What was decided now, and what still waits."""

    decided: list[int]
    pending: list[DisputeAnswer]
    message: str


class DoneAnswer(Value):
    """What was closed or forgotten."""

    memory_id: int
    message: str
