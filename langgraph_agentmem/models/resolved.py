"""A run whose conflicts are decided."""

from typing import Literal

from pydantic import Field

from langgraph_agentmem.models.base import Value
from langgraph_agentmem.models.conflict import ConsolidationConflicts, ConsolidationPlan, Decision
from langgraph_agentmem.models.run import ModelUsage

ModelUse = Literal["fine", "failed", "rested"]
"""Whether the model, or the extractor, has failed in a run, or was not asked as it had failed before."""


class ResolvedRun(Value):
    """A run whose conflicts are decided.

    Attributes:
        taken: Ids of the chunks that the run has claimed.
        timings: Seconds that the nodes before took.
        extracted: Ids of the earlier chunks whose extraction was made up for; None where this run's extraction failed.
    """

    external_id: str
    memory_id: int
    run_id: str
    taken: list[int]
    conflicts: ConsolidationConflicts
    plan: ConsolidationPlan
    decisions: list[Decision]
    failures: list[str]
    usage: ModelUsage
    extracted: list[int] | None
    model: ModelUse = "fine"
    timings: dict[str, float] = Field(default_factory=dict[str, float])
