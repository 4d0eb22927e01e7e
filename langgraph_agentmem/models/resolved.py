"""A run whose conflicts are decided."""

from pydantic import Field

from langgraph_agentmem.models.base import Value
from langgraph_agentmem.models.conflict import ConsolidationConflicts, ConsolidationPlan, Decision
from langgraph_agentmem.models.run import ModelUsage


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
    timings: dict[str, float] = Field(default_factory=dict[str, float])
