"""What was forgotten, and what is left of it."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from langgraph_agentmem.models.base import Value

RowCounts = dict[str, int]
"""Rows by table."""
Projected = Literal["never", "pending", "done"]
"""Whether a graph was projected into Neo4j, and whether deletions still wait to be."""


class Remainder(Value):
    """Something that a deletion leaves, or does not reach.

    Attributes:
        where: What holds it.
        why: Why it is left, and what would remove it.
        count: How many rows that is; None where nobody can count them.
    """

    where: str
    why: str
    count: int | None = None


class ForgottenThread(Value):
    """A thread whose checkpoints may quote what was forgotten.

    Attributes:
        thread_id: LangGraph's.
        removed: Whether its checkpoints were removed.
        rows: Rows in LangGraph's tables, removed or left.
        shared: Whether another tenant uses it as well; its checkpoints are then left.
    """

    thread_id: str
    removed: bool
    rows: int
    shared: bool = False


class DeletionReceipt(Value):
    """What was forgotten, what remains of it and why, with a hash over all of that.

    It quotes no memory: only the tenant, ids, times and counts. `AgentMemory.verify_receipt` looks again.

    Attributes:
        scope: Whether all of a tenant was forgotten, or one memory, with the transcripts of its conversation.
        external_id: The tenant.
        memory_ids: What was forgotten, for the scope `memory`.
        started_at: When it began, by the database's clock. A tenant's memories that were made later are left: they are
            new.
        finished_at: When it was done.
        removed: Rows that this call has removed, by table, and as `tenant_index` the indexes that the tenant had for
            itself. One that completes a call that was interrupted counts only what that one had left.
        changed: Rows that this call has rewritten, as others support them, too: what the forgotten gave to long-term
            entities and relationships, their history, and the log of other memories' promotions.
        threads: LangGraph's threads that are known to have been mapped to the memory, or to be the tenant's.
        projected: Whether Neo4j has yet to learn of it: `pending` as long as deletions wait in the outbox, `never`
            where nothing of the tenant was ever projected.
        remains: What is left, and why.
        sha256: Of the receipt as canonical JSON, without this field.

    Examples:
        >>> receipt = memory.forget_tenant("alice")
        >>> receipt.removed["active_memory"], receipt.removed["memory_chunk"], receipt.projected
        (1, 4, 'never')
    """

    scope: Literal["tenant", "memory"]
    external_id: str
    memory_ids: tuple[int, ...] = ()
    started_at: datetime
    finished_at: datetime
    removed: RowCounts = Field(default_factory=dict[str, int])
    changed: RowCounts = Field(default_factory=dict[str, int])
    threads: tuple[ForgottenThread, ...] = ()
    projected: Projected
    remains: tuple[Remainder, ...] = ()
    sha256: str = ""


class SweepReport(Value):
    """What `memory.sweep` has removed, as it had expired or was kept for long enough.

    Attributes:
        items: Items of stores whose time to live had passed.
        runs: Runs of the log, by `run_log_retention_days`.
        chunks: Superseded texts, by `history_retention_days`.
        history: Entries of the state history of entities and relationships, by the same.
        threads: Threads whose checkpoints were removed, by `checkpoint_retention_days`.

    Examples:
        >>> memory.sweep().runs  # nothing is removed unless the settings say so
        0
    """

    items: int = 0
    runs: int = 0
    chunks: int = 0
    history: int = 0
    threads: int = 0


class DeletionCheck(Value):
    """What is there now of what a receipt says is gone.

    Attributes:
        gone: Whether the receipt is as it was issued, and nothing is left, or has come back, of what it says is gone.
        intact: Whether the receipt's hash is that of its contents.
        found: Rows that should be gone, by table: they were never gone, or have come back, as from a backup.
        written_since: Rows of the tenant that were written after the forgetting had begun, by table: they are new.
        projected: As in the receipt, by now.
        waiting: Deletions that wait to be projected into Neo4j, or that Neo4j refuses.
        found_in_neo4j: Entities, chunks and relationships that Neo4j has and PostgreSQL has not, whose deletion does
            not wait; None where the graph was projected and no Neo4j is open to look into.
        threads: Threads that the receipt names and that have checkpoints, removed ones that have come back, too.

    Examples:
        >>> check = memory.verify_receipt(memory.forget_tenant("alice"))
        >>> check.gone, check.found, check.written_since
        (True, {}, {})
    """

    gone: bool
    intact: bool
    found: RowCounts = Field(default_factory=dict[str, int])
    written_since: RowCounts = Field(default_factory=dict[str, int])
    projected: Projected
    waiting: int = 0
    found_in_neo4j: int | None = 0
    threads: tuple[ForgottenThread, ...] = ()
