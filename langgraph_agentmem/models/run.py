"""Runs of consolidation and promotion, and what they report."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from langgraph_agentmem.models.base import Json, Value
from langgraph_agentmem.models.conflict import Decision

RunStatus = Literal["running", "applied", "failed", "abandoned", "undone"]


class SectionSnapshot(Value):
    """A section as a run claimed it; the run subtracts exactly this count from this incarnation."""

    section_id: str
    revision: int
    update_count: int
    created_at: datetime


class ModelUsage(Value):
    """What the chat model was asked and what it cost in tokens."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0

    def __add__(self, other: "ModelUsage") -> "ModelUsage":
        return ModelUsage(
            calls=self.calls + other.calls,
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
        )


class PromotionReport(Value):
    """What a promotion did.

    Attributes:
        status: `promoted`, `not_due` (too few consolidations yet) or `nothing` (nothing to move or merge).
        update_count: Consolidations since the last promotion, before this one.
    """

    status: Literal["promoted", "not_due", "nothing"]
    shortterm_memory_id: int | None = None
    update_count: int = 0
    threshold: int = 0
    chunks_added: int = 0
    entities_added: int = 0
    entities_modified: int = 0
    relationships_added: int = 0
    relationships_modified: int = 0


class ConsolidationReport(Value):
    """What a consolidation did, and why.

    Attributes:
        status: `applied`; `nothing` (no pending updates), `busy` (another run holds the memory, or it is not due any
            more), or `dead` (it was set aside after too many attempts).
        lease_expires_at: For `busy`: when the other run's lease ends.
        decisions: What was decided, by whom, and why.
        failures: What failed and was made up for by the rules.
        parked: The disputes that were left to a person.
        review_of: For what a person has decided: the run that had parked it.
    """

    status: Literal["applied", "nothing", "busy", "dead"]
    run_id: str | None = None
    lease_expires_at: datetime | None = None
    shortterm_memory_id: int | None = None
    sections: list[str] = Field(default_factory=list)
    updates_consumed: int = 0
    chunks_added: int = 0
    chunks_superseded: int = 0
    chunks_merged: int = 0
    entities_created: int = 0
    entities_merged: int = 0
    relationships_created: int = 0
    relationships_merged: int = 0
    relationships_ended: int = 0
    decisions: list[Decision] = Field(default_factory=list[Decision])
    failures: list[str] = Field(default_factory=list)
    usage: ModelUsage = ModelUsage()
    parked: list[int] = Field(default_factory=list[int])
    review_of: str | None = None
    promotion: PromotionReport | None = None


class ConsolidationRun(Value):
    """A row of the run log.

    Attributes:
        resolver: `rules`, `rules+model` where a model decided something, or `review` where a person did.
        due_at: Since when the memory was due; None, or later than `started_at`, where it was consolidated before.
    """

    id: str
    external_id: str
    memory_id: int
    status: RunStatus
    resolver: str | None = None
    snapshot: list[SectionSnapshot]
    conflicts: Json | None = None
    plan: Json | None = None
    report: ConsolidationReport | None = None
    usage: ModelUsage = ModelUsage()
    error: str | None = None
    worker: str | None = None
    due_at: datetime | None = None
    started_at: datetime
    finished_at: datetime | None = None
