"""The queue of memories that wait for a consolidation."""

from datetime import datetime

from langgraph_agentmem.models.base import Value


class DeadMemory(Value):
    """A memory whose runs failed, or died, too often: no worker takes it until it is retried.

    Its updates are kept and found; a `consolidate` or `queue.flush` that succeeds brings it back as well.

    Attributes:
        attempts: Runs that failed or died, one after the other.
        due_at: Since when it has waited.
        dead_at: When it was set aside.
        error: What the last run failed with.
    """

    external_id: str
    memory_id: int
    title: str
    pending_updates: int
    attempts: int
    due_at: datetime | None
    dead_at: datetime
    error: str | None


class WorkReport(Value):
    """What a worker did until nothing was due any more.

    Attributes:
        applied: Runs that consolidated a memory.
        failed: Runs that failed; their memories are tried again later.
        dead: Memories that were set aside.
    """

    applied: int = 0
    failed: int = 0
    dead: int = 0


class QueueStatus(Value):
    """How many memories wait for what.

    Attributes:
        due: To be taken by any worker.
        running: Held by a run.
        waiting: Their last run failed; to be tried again after a while.
        dead: Set aside.
        scheduled: With pending updates that are neither enough nor old enough yet, or with an extraction that is to be
            made up for later.
        model_failing: Whose model, or extractor, has failed in the last run; those runs were applied without it.
        oldest_due_at: Since when the one waits that is due longest, dead ones aside.
        lag_seconds: How long that is, by the database's clock; 0 if nothing waits.
    """

    due: int
    running: int
    waiting: int
    dead: int
    scheduled: int
    oldest_due_at: datetime | None
    lag_seconds: float
    model_failing: int = 0
