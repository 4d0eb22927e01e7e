"""What is brought along from other memories, and what bringing it along has come to."""

from collections.abc import Mapping
from datetime import datetime

from pydantic import Field

from langgraph_agentmem.models.base import Json, Value
from langgraph_agentmem.models.item import ItemKey, Namespace

MOST_NAMED = 100
"""Refusals, differences and tenants that a report names."""


class IncomingItem(Value):
    """An item of another store, or a document, as it is to stand here.

    Attributes:
        place: Where it was, for people.
        fields: Paths of the texts that are searched; None for all texts, empty for none.
        updated_at: When it was written there; None where nobody knows.
        vectors: Of its texts, as they were computed there.
        updates: How many of it no consolidation has taken there; None where nobody counts.
    """

    place: str
    namespace: Namespace
    key: str
    value: Json
    fields: tuple[str, ...] | None = None
    ttl_minutes: float | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    expires_at: datetime | None = None
    vectors: Mapping[str, list[float]] = Field(default_factory=dict[str, list[float]])
    updates: int | None = None

    @property
    def at(self) -> ItemKey:
        """Where it is to stand."""
        return self.namespace, self.key


class PresentItem(Value):
    """What stands already where an item is to stand.

    Attributes:
        source: Who has written it last.
    """

    value: Json
    updated_at: datetime
    revision: int
    source: str | None


class Remark(Value):
    """What is to be said of a row of the source.

    Attributes:
        place: Which one it is: a namespace and key, a document's id, a session and the number of a message.
        reason: Why it was refused, or how it differs.
    """

    place: str
    reason: str


class TableCount(Value):
    """How many rows of a table were brought along.

    Attributes:
        read: Rows of the source.
        verified: How many were read again at the end, there and here, and are the same.
    """

    read: int = 0
    verified: int = 0


class ImportReport(Value):
    """What an import has come to. Every row that was read is counted in one of the five numbers that follow.

    Attributes:
        read: Rows of the source.
        written: How many were written here by this call.
        known: How many stood here already, as they are.
        kept: How many were left as they stand here, since somebody else than an import has written them, or the source
            is older.
        skipped: How many hold nothing to bring along: expired items, system messages, and what is empty.
        refused: How many cannot be stored here, or belong to no tenant.
        refusals: Why, of the first 100 of these.
        tenants: Whose the rows are, by the rule that was given; the first 100.
        verified: How many were read again at the end, there and here, and are the same.
        source_hash: Of all that was verified, as the source has it.
        hash: Of the same, as it stands here.
        vectors: How many vectors were taken over from the source.
        without_vectors: Why no vectors were taken over; empty where some were, or there were none.
        tables: The counts of each table of the source, where it has several.
        differences: What is not the same at the end, and why, of the first 100; empty, as an import with such raises.

    Examples:
        >>> from langgraph.store.postgres import PostgresStore
        >>> with PostgresStore.from_conn_string(memory.dsn) as old:
        ...     old.setup()
        ...     old.put(("alice", "preferences"), "drink", {"text": "Green tea."})
        >>> report = memory.imports.store()
        >>> report.read, report.written, report.verified
        (1, 1, 1)
        >>> print(report.summary)
        1 row read: 1 written, 0 known, 0 kept as they stand here, 0 skipped, 0 refused; 1 verified
    """

    read: int = 0
    written: int = 0
    known: int = 0
    kept: int = 0
    skipped: int = 0
    refused: int = 0
    refusals: list[Remark] = Field(default_factory=list[Remark])
    tenants: list[str] = Field(default_factory=list[str])
    verified: int = 0
    source_hash: str = ""
    hash: str = ""
    vectors: int = 0
    without_vectors: str = ""
    tables: dict[str, TableCount] = Field(default_factory=dict[str, TableCount])
    differences: list[Remark] = Field(default_factory=list[Remark])

    @property
    def summary(self) -> str:
        """In one line: how many rows were read, and what has become of them."""
        return (
            f"{self.read:,} row{'' if self.read == 1 else 's'} read: {self.written:,} written, {self.known:,} known, "
            f"{self.kept:,} kept as they stand here, {self.skipped:,} skipped, {self.refused:,} refused; "
            f"{self.verified:,} verified"
        )
