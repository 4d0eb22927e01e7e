"""Runs of consolidation and promotion, and what they report."""

from collections.abc import Callable
from datetime import datetime
from typing import Literal, TypeVar

from pydantic import Field

from langgraph_agentmem.errors import ModelError
from langgraph_agentmem.models.base import Json, Value, counted, cut, listed
from langgraph_agentmem.models.conflict import ConsolidationConflicts, ConsolidationPlan, Decision
from langgraph_agentmem.models.graph_change import (
    EntityMerged,
    RelationshipCreated,
    RelationshipEnded,
    RelationshipMerged,
    RunRecord,
)

RunStatus = Literal["running", "applied", "failed", "abandoned", "undone"]

StructuredOutput = Literal["json_schema", "function_calling"]
"""How a model is asked for data: by a schema that its answer keeps to, or by a tool that it has to call."""

_Identified = TypeVar("_Identified", EntityMerged, RelationshipMerged, RelationshipCreated, RelationshipEnded)


class SectionSnapshot(Value):
    """A section as a run claimed it; the run subtracts exactly this count from this incarnation."""

    section_id: str
    revision: int
    update_count: int
    created_at: datetime


class ModelUsage(Value):
    """What the chat model was asked and what it cost.

    Attributes:
        cost: As the provider says, or by the prices of the settings, in their currency; None where nobody knows.
        structured_output: How the answers were asked for, in the order of the calls; two where one did not do, and the
            other was tried.
    """

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float | None = None
    structured_output: list[StructuredOutput] = Field(default_factory=list[StructuredOutput])

    @classmethod
    def of_failure(cls, error: BaseException) -> "ModelUsage":
        """What was spent in vain; nothing where an error is not about a model."""
        if not isinstance(error, ModelError):
            return cls()
        return cls(
            calls=error.calls,
            input_tokens=error.input_tokens,
            output_tokens=error.output_tokens,
            cost=error.cost,
            structured_output=list(error.structured_output),
        )

    def failing(self, error: Exception) -> ModelError:
        """An error with this usage."""
        return ModelError(str(error), **self.model_dump(), retry_after=getattr(error, "retry_after", None))

    def __add__(self, other: "ModelUsage") -> "ModelUsage":
        return ModelUsage(
            calls=self.calls + other.calls,
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cost=_sum_of_known(self, other),
            structured_output=list(dict.fromkeys(self.structured_output + other.structured_output)),
        )

    def priced(self, input_price: float | None, output_price: float | None) -> "ModelUsage":
        """With a cost by prices for a million tokens, unless it is known or there is no price."""
        if self.cost is not None or not self.calls or input_price is None or output_price is None:
            return self
        cost = (self.input_tokens * input_price + self.output_tokens * output_price) / 1_000_000
        return self.model_copy(update={"cost": cost})


def _sum_of_known(*usages: ModelUsage) -> float | None:
    """The sum of costs, where all calls have one."""
    costs = [usage.cost for usage in usages if usage.calls]
    return sum(cost for cost in costs if cost is not None) if costs and None not in costs else None


class RunChanges(Value):
    """What a run has changed, by ids.

    Attributes:
        superseded: (chunk, the chunk that took its place).
        written: Chunks that it wrote: merged texts, leftovers, a person's texts.
        entities_merged: Entities into which others were merged.
        relationships_merged: Relationships into which others were merged.
        relationships_created: New relationships.
        relationships_ended: Relationships whose validity it has ended.
    """

    superseded: list[tuple[int, int | None]] = Field(default_factory=list[tuple[int, int | None]])
    written: list[int] = Field(default_factory=list[int])
    entities_merged: list[int] = Field(default_factory=list[int])
    relationships_merged: list[int] = Field(default_factory=list[int])
    relationships_created: list[int] = Field(default_factory=list[int])
    relationships_ended: list[int] = Field(default_factory=list[int])

    @classmethod
    def of(cls, record: RunRecord) -> "RunChanges":
        """From what a run keeps to be undone."""

        def ids(kind: type[_Identified]) -> list[int]:
            return list(dict.fromkeys(change.id for change in record.of(kind)))

        return cls(
            superseded=record.superseded,
            written=record.written,
            entities_merged=ids(EntityMerged),
            relationships_merged=ids(RelationshipMerged),
            relationships_created=ids(RelationshipCreated),
            relationships_ended=ids(RelationshipEnded),
        )


class RunPreview(Value):
    """What a dry run would have written.

    Attributes:
        conflicts: What is new, beside what is remembered.
        plan: What would be carried out, without what would be left to a person.
        changes: What it would change. Ids of what it would write itself are given anew by a real run.
        disputes: How many conflicts would be left to a person; the report's `decisions` tell which.
    """

    conflicts: ConsolidationConflicts
    plan: ConsolidationPlan
    changes: RunChanges
    disputes: int = 0


class PromotionReport(Value):
    """What a promotion did.

    Attributes:
        status: `promoted`, `not_due` (too few consolidations yet) or `nothing` (nothing to move or merge).
        update_count: Consolidations since the last promotion, before this one.
        decisions: Which entities it merged into long-term ones that were there, or kept apart from them, and why.
        run_id: What `runs.undo` takes to part again what it merged; None where it merged nothing for the first time.

    Examples:
        >>> report = memory.promote("alice", apollo.id)
        >>> report.status, report.update_count, report.threshold
        ('not_due', 1, 10)
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
    decisions: list[Decision] = Field(default_factory=list[Decision])
    run_id: str | None = None

    def _told(self) -> str:
        if self.status == "not_due":
            return f"not_due: {self.update_count} of {self.threshold} consolidations"
        return f"{self.status}: {self.summary}"

    @property
    def summary(self) -> str:
        """What it added and modified, in words; empty where it was nothing."""
        counts = [
            (self.chunks_added, "chunk", "chunks"),
            (self.entities_added, "new entity", "new entities"),
            (self.entities_modified, "entity modified", "entities modified"),
            (self.relationships_added, "new relationship", "new relationships"),
            (self.relationships_modified, "relationship modified", "relationships modified"),
        ]
        return _changes(counts)


class ConsolidationReport(Value):
    """What a consolidation did, and why.

    Attributes:
        status: `applied`; `dry_run`, where nothing was kept; `nothing` (no pending updates), `busy` (another run holds
            the memory, or it is not due any more), or `dead` (it was set aside after too many attempts).
        lease_expires_at: For `busy`: when the other run's lease ends.
        chunks_superseded: Chunks whose validity it has ended.
        chunks_unclear: Chunks that perhaps have ended; they and what may take their place stay, and are marked.
        chunks_decided_by_model: How many of those that left their section the model has decided about.
        decisions: What was decided, by whom, and why.
        failures: What failed and was made up for by the rules.
        parked: The disputes that were left to a person.
        timings: Seconds that each node took, by its name; `apply` up to its commit.
        lag_seconds: From due to applied, by the database's clock; None where the memory was not due.
        review_of: For what a person has decided: the run that had parked it.
        preview: For `dry_run`: what would have been written. All counts are those of what would have happened.
        model_failures: Runs of this memory, this one the last, in which the model has failed, one after the other.

    Examples:
        >>> report.status, report.sections, report.updates_consumed, report.chunks_added, report.entities_created
        ('applied', ['plan', 'team'], 2, 4, 3)
    """

    status: Literal["applied", "dry_run", "nothing", "busy", "dead"]
    run_id: str | None = None
    lease_expires_at: datetime | None = None
    shortterm_memory_id: int | None = None
    sections: list[str] = Field(default_factory=list)
    updates_consumed: int = 0
    chunks_added: int = 0
    chunks_superseded: int = 0
    chunks_unclear: int = 0
    chunks_decided_by_model: int = 0
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
    timings: dict[str, float] = Field(default_factory=dict[str, float])
    lag_seconds: float | None = None
    review_of: str | None = None
    model_failures: int = 0
    promotion: PromotionReport | None = None
    preview: RunPreview | None = None

    def _told(self) -> str:
        if self.status == "busy" and self.lease_expires_at:
            return f"busy: another run holds the memory until {self.lease_expires_at:%Y-%m-%d %H:%M}"
        taken = f"{counted(self.updates_consumed, 'update')} of {listed(self.sections)}" if self.sections else ""
        failed = f"{counted(len(self.failures), 'failure')} made up for" if self.failures else ""
        told = "; ".join(filter(None, [taken, self.summary, failed]))
        return f"{self.status}: {told}" if told else self.status

    @property
    def summary(self) -> str:
        """What it added, ended, merged and left to a person, in words; empty where it was nothing."""
        counts = [
            (self.chunks_added, "new chunk", "new chunks"),
            (self.chunks_superseded, "superseded", "superseded"),
            (self.chunks_unclear, "unclear", "unclear"),
            (self.entities_created, "new entity", "new entities"),
            (self.entities_merged, "entity merged", "entities merged"),
            (self.relationships_created, "new relationship", "new relationships"),
            (self.relationships_merged, "relationship merged", "relationships merged"),
            (self.relationships_ended, "relationship ended", "relationships ended"),
            (len(self.parked), "dispute left to a person", "disputes left to a person"),
        ]
        return _changes(counts)


def _changes(counts: list[tuple[int, str, str]]) -> str:
    return ", ".join(counted(*each) for each in counts if each[0])


class ConsolidationRun(Value):
    """A row of the run log.

    Attributes:
        resolver: `rules`, `rules+model` where a model decided something, `review` where a person did, or `promotion`.
        changed: What it has changed; None where it changed nothing, or where something of it was deleted since.
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
    changed: RunChanges | None = None
    usage: ModelUsage = ModelUsage()
    error: str | None = None
    worker: str | None = None
    due_at: datetime | None = None
    started_at: datetime
    finished_at: datetime | None = None

    def _told(self) -> str:
        by = f" by {cut(self.resolver)}" if self.resolver else ""
        done = self.report.summary if self.report else ""
        told = cut(self.error, 80) if self.error else done or "nothing changed"
        return f"{cut(self.id)} {self.status}{by}, memory {self.memory_id}, {self.started_at:%Y-%m-%d %H:%M}: {told}"


OnRun = Callable[[ConsolidationRun], object]
"""Told of a run that is over; may be async."""
