"""Sections' values, and the only statement that writes them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import psycopg
from psycopg import sql
from psycopg.rows import DictRow

from langgraph_agentmem.models.item import Namespace
from langgraph_agentmem.models.thread import SeenSection
from langgraph_agentmem.models.write import SectionWrite
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.driver.rows import MAX_ROWS, Deferred, RawStatement, as_array, columns, numbered
from langgraph_agentmem.storage.driver.statements import template
from langgraph_agentmem.storage.langgraph.inserts import Inserts, Shape, ctes


class Limits(NamedTuple):
    """After how many writes something is to be done about a memory.

    Attributes:
        average: Updates a section that make it due; see `policies.thresholds`.
        max_pending: Updates that make it due, however many sections it has.
        minutes: After which updates make it due, however few they are; None for never.
        max_unchunked: Writes without chunks from which on it is behind.
    """

    average: float
    max_pending: int
    minutes: float | None
    max_unchunked: int


@dataclass(frozen=True)
class ValueBatch:
    """Values of one tenant that are written together, all or none.

    Attributes:
        external_id: The tenant.
        writes: At most one a section.
        source: Who writes.
        edits: Whether the other keys of values, their fields and lifetimes stay as they are.
        keep_expired: Whether sections that have expired are there still, as long as they were not removed.
        memory_id: The memory that all of them are for; None where it is made if it is missing.
        title: Of a memory that is to be made.
    """

    external_id: str
    writes: Sequence[SectionWrite]
    source: str | None
    edits: bool = False
    keep_expired: bool = False
    memory_id: int | None = None
    title: Callable[[Namespace], str] = "/".join

    @property
    def later(self) -> bool:
        """Whether chunks are written when somebody asks for them."""
        return all(write.chunks is None for write in self.writes)


@dataclass(frozen=True)
class CheckpointAlong:
    """A checkpoint that is stored along with what its thread writes.

    Attributes:
        stored: Rows of LangGraph's tables.
        thread_id: The thread.
        seen: What it must have noted last, of each section whose channel the checkpoint changes.
        text_hashes: Of the texts that are written, in the order of the writes.
    """

    stored: Inserts
    thread_id: str
    seen: Mapping[str, SeenSection]
    text_hashes: Sequence[bytes]


class Written(NamedTuple):
    """What writing values has come to.

    Attributes:
        due: Whether a memory has become due by it.
        behind: Memories with so many writes without chunks that their next search would have to wait.
    """

    due: bool
    behind: Sequence[int]


async def write_values(
    connection: Connection,
    batch: ValueBatch,
    limits: Limits,
    along: CheckpointAlong | None = None,
) -> Deferred[Written] | None:
    """Write values by a statement that is a transaction by itself.

    Args:
        connection: In no transaction.
        batch: What is written.
        limits: After which memories are due, or behind.
        along: What is stored by the same statement.

    Returns:
        What that has come to, to be received when the connection is given back; None where the statement has refused:
        somebody came in between, and nothing was written.
    """
    params = _params(batch, limits) | _along(along)
    leaves_alone = along is not None and len(along.seen) > len(batch.writes)
    try:
        cursor = await _statement(along and along.stored.shape, leaves_alone).execute(connection, params)
    except psycopg.errors.DivisionByZero:  # caught here, where it leaves the connection as it was
        return None

    async def written() -> Written:
        return _written(await cursor.fetchall())

    return written


async def send_values(connection: Connection, batch: ValueBatch, limits: Limits) -> Deferred[Written]:
    """Write values in a transaction, which is refused as a whole if somebody came in between.

    With the memories' locks, nobody can, and nothing is refused but what is not at the revision that it is to be at.
    """
    return await _statement(None, False).send(connection, _params(batch, limits), _written)


def _params(batch: ValueBatch, limits: Limits) -> dict[str, Any]:
    places = numbered(write.namespace for write in batch.writes)
    rows = [
        (places[w.namespace], w.section_id, w.json_text, _fields(w), w.ttl_minutes, w.updates, w.expected)
        for w in batch.writes
    ]
    return {
        "external_id": batch.external_id,
        "memory_id": batch.memory_id,
        "source": batch.source,
        "edits": batch.edits,
        "with_expired": batch.edits or batch.keep_expired,
        "later": batch.later,
        "max_rows": MAX_ROWS,
        "max_unchunked": limits.max_unchunked,
        "average": limits.average,
        "max_pending": limits.max_pending,
        "minutes": limits.minutes,
        **columns([(as_array(n), batch.title(n)) for n in places], "namespaces", "titles"),
        **columns(rows, "places", "section_ids", "values", "fields", "ttls", "counted", "expected"),
    }


def _fields(write: SectionWrite) -> str | None:
    return None if write.fields is None else as_array(write.fields)


def _along(along: CheckpointAlong | None) -> dict[str, Any]:
    if along is None:
        return {}
    rows = [(id, seen.revision, seen.text_hash) for id, seen in along.seen.items()]
    return {
        "thread_id": along.thread_id,
        "text_hashes": as_array(along.text_hashes),
        **columns(rows, "seen_ids", "seen_revisions", "seen_hashes"),
        **along.stored.params,
    }


@lru_cache(maxsize=200)
def _statement(stored: Shape | None, leaves_alone: bool) -> RawStatement:
    """The statement that writes values, and rows along; putting it together takes as long as running it."""
    also, agreed = sql.SQL(""), sql.SQL("true")
    if stored is not None:
        as_seen = template("threads", "as_seen")
        left_alone = template("threads", "left_alone").format(as_seen=as_seen) if leaves_alone else sql.SQL("")
        also = sql.SQL("{},\n{}").format(ctes(stored), template("threads", "note_written").format(as_seen=as_seen))
        agreed = template("threads", "all_as_seen").format(left_alone=left_alone)
    is_due = template("sections", "is_due")
    return RawStatement(
        template("sections", "write_values").format(
            open_memory=template("sections", "open_memory"),
            new_is_due=is_due.format(pending=sql.SQL("c.updates"), sections=sql.SQL("c.items")),
            known_is_due=is_due.format(
                pending=sql.SQL("a.pending_updates + excluded.pending_updates"),
                sections=sql.SQL("(a.section_count + excluded.section_count)"),
            ),
            also=also,
            agreed=agreed,
        )
    )


def _written(rows: list[DictRow]) -> Written:
    [row] = rows
    return Written(bool(row["due"]), row["behind"] or ())
