"""Receipts of what was forgotten: their hash, what remains and why, and whether all of it is gone."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from pydantic import ValidationError

from langgraph_agentmem.errors import InvalidInputError
from langgraph_agentmem.models.deletion import DeletionCheck, DeletionReceipt, ForgottenThread, Remainder, RowCounts

_HASH = "sha256"
_ELSEWHERE = (
    Remainder(
        where="PostgreSQL's files",
        why="removed rows stay in them until VACUUM, samples of them in the planner's statistics until ANALYZE, all of "
        "it in the write-ahead log and in backups for as long as these are kept",
    ),
    Remainder(
        where="other processes",
        why="each keeps vectors of up to 4,096 texts, by a hash of the text, and counts of words of tenants that were "
        "searched lately, until it ends; those of this process were emptied",
    ),
)
_THREADS = (
    "checkpoints belong to the conversations that wrote them and may quote what these had read; "
    "AgentMemorySaver.delete_thread removes a thread's, forget_tenant(..., checkpoints=True) those of a tenant"
)
_SHARED = "another tenant uses these threads as well; AgentMemorySaver.delete_thread removes them for both"
_PROJECTION = (
    "the tenant's name and the numbers of its batches, also at a node in Neo4j, so that a projector which comes late "
    "brings nothing back"
)
_INDEX = (
    "the indexes that the tenant had for itself are empty after VACUUM, and a number in them stands for the tenant; "
    "`agentmem db tenant-index --tenant … --drop` removes them, as the owner of the tables"
)
_OUTBOX = "ids of what Neo4j has yet to delete; they go when it is projected"


def canonical_json(receipt: DeletionReceipt) -> str:
    """A receipt without its hash, as the text that is hashed: keys in order, no white space."""
    return json.dumps(receipt.model_dump(mode="json", exclude={_HASH}), sort_keys=True, separators=(",", ":"))


def content_hash(receipt: DeletionReceipt) -> str:
    """The hash of a receipt's contents."""
    return hashlib.sha256(canonical_json(receipt).encode()).hexdigest()


def sealed(receipt: DeletionReceipt) -> DeletionReceipt:
    """A receipt with the hash of its contents."""
    return receipt.model_copy(update={_HASH: content_hash(receipt)})


def read(given: DeletionReceipt | Mapping[str, Any] | str) -> DeletionReceipt:
    """A receipt from the form in which it was kept.

    Raises:
        InvalidInputError: It is none.
    """
    if isinstance(given, DeletionReceipt):
        return given
    try:
        if isinstance(given, str):
            return DeletionReceipt.model_validate_json(given)
        return DeletionReceipt.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "it"
        message = f"this is no receipt of a deletion: {where}: {first['msg']}; give what forgetting returned"
        raise InvalidInputError(message) from None


def added(counts: Iterable[RowCounts]) -> RowCounts:
    """Several counts as one, without what is zero."""
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return {name: total[name] for name in sorted(total) if total[name]}


def remaining(
    threads: Sequence[ForgottenThread], *, waiting: int, projected: bool, indexes: int = 0
) -> tuple[Remainder, ...]:
    """What a deletion leaves.

    Args:
        threads: Those that are known.
        waiting: Deletions in the outbox.
        projected: Whether anything of the tenant was ever projected.
        indexes: Indexes that the tenant had for itself, and that this user may not drop.
    """
    left = [
        Remainder(where="LangGraph's checkpoints", why=why, count=count)
        for why, shared in ((_THREADS, False), (_SHARED, True))
        if (count := sum(thread.rows for thread in threads if not thread.removed and thread.shared == shared))
    ]
    left += [Remainder(where="graph_outbox", why=_OUTBOX, count=waiting)] if waiting else []
    left += [Remainder(where="graph_projection", why=_PROJECTION, count=1)] if projected else []
    left += [Remainder(where="tenant_index", why=_INDEX, count=indexes)] if indexes else []
    return (*left, *_ELSEWHERE)


def judged(receipt: DeletionReceipt, **found: Any) -> DeletionCheck:
    """What was found, and whether that means that all of it is gone."""
    intact = content_hash(receipt) == receipt.sha256
    threads = cast("tuple[ForgottenThread, ...]", found["threads"])
    # what the receipt says remains is no breach of it
    back = any(thread.removed for thread in threads)
    gone = intact and not (found["found"] or found["waiting"] or found["found_in_neo4j"] != 0 or back)
    return DeletionCheck(gone=gone, intact=intact, **found)
