"""Reads a source twice, as it is at the beginning: to write here what it holds, and to see that it stands here."""

from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from typing import Protocol

from psycopg.rows import DictRow

from langgraph_agentmem.errors import ConfigurationError, ImportMismatchError
from langgraph_agentmem.models.imported import MOST_NAMED, ImportReport, Remark, TableCount
from langgraph_agentmem.policies import validation
from langgraph_agentmem.policies.importing import Digest, Fate
from langgraph_agentmem.redaction import UNREDACTED, Redactor
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.storage import imports as storage
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.driver.database import Database
from langgraph_agentmem.storage.imports import Table

_AT_ONCE = 100
"""Rows that are held, written in one transaction for each tenant, and compared."""
WRITTEN: tuple[Fate, ...] = ("new", "newer")
"""What becomes of rows that are written."""
OnPassed = Callable[[int, int], object]
"""Told how many rows were passed, and how many there are to pass, each of which is passed twice."""


class Tally:
    """What becomes of rows, as it is counted.

    Args:
        redactor: Sees what is said of rows, which names their keys.
    """

    read: int = 0
    written: int = 0
    known: int = 0
    kept: int = 0
    skipped: int = 0
    refused: int = 0
    verified: int = 0
    different: int = 0
    vectors: int = 0
    without_vectors: str = ""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._refusals: list[Remark] = []
        self._differences: list[Remark] = []
        self._tenants: dict[str, None] = {}
        self._tables: dict[str, TableCount] = {}
        self._theirs, self._ours = Digest(), Digest()

    def belongs(self, tenant: str) -> None:
        """Note whose rows are."""
        if len(self._tenants) < MOST_NAMED:
            self._tenants[tenant] = None

    def count(self, table: str, read: int, verified: int) -> None:
        """Count how many rows of a table were read and verified, besides those that were counted before."""
        known = self._tables.get(table, TableCount())
        self._tables[table] = TableCount(read=known.read + read, verified=known.verified + verified)

    def became(self, fates: Iterable[Fate]) -> None:
        """Count what has become of rows."""
        for fate in fates:
            self.written += fate in WRITTEN
            self.known += fate == "same"
            self.kept += fate == "left"

    def refuse(self, place: str, reason: object) -> None:
        """Count a row that cannot be stored."""
        self.refused += 1
        self._note(self._refusals, place, str(reason))

    def differ(self, place: str, reason: str) -> None:
        """Count a row that is not here as the source has it."""
        self.different += 1
        self._note(self._differences, place, reason)

    def same(self, place: object, theirs: object, ours: object) -> None:
        """Count a row that is here as the source has it."""
        self.verified += 1
        self._theirs.add(place, theirs)
        self._ours.add(place, ours)

    def _note(self, remarks: list[Remark], place: str, reason: str) -> None:
        if len(remarks) < MOST_NAMED:
            remarks.append(Remark(place=self._redactor.error(place), reason=self._redactor.error(reason)))

    def report(self) -> ImportReport:
        """What has come of all rows.

        Raises:
            ImportMismatchError: Some are not here as the source has them.
        """
        report = ImportReport(
            read=self.read,
            written=self.written,
            known=self.known,
            kept=self.kept,
            skipped=self.skipped,
            refused=self.refused,
            verified=self.verified,
            vectors=self.vectors,
            without_vectors="" if self.vectors else self.without_vectors,
            refusals=self._refusals,
            differences=self._differences,
            tenants=list(self._tenants),
            tables=self._tables,
            source_hash=str(self._theirs),
            hash=str(self._ours),
        )
        if self.different:
            raise ImportMismatchError(report, self.different)
        return report


def nobodys() -> Tally:
    """A tally that nobody reads, of rows that are counted already."""
    return Tally(UNREDACTED)


class Readable(Protocol):
    """Rows of a source, which are the same whenever they are read."""

    @property
    def number(self) -> int:
        """How many there are."""
        ...

    def batches(self, connection: Connection, size: int) -> AsyncGenerator[list[DictRow]]:
        """The rows, so many at a time.

        Args:
            connection: To the source's tables.
            size: The most that are held.
        """
        ...


class Intake(Protocol):
    """What an import does with rows."""

    async def rows(self, connection: Connection) -> Readable:
        """What is read.

        Raises:
            ConfigurationError: The source is none of this kind.
        """
        ...

    async def take(self, rows: Sequence[DictRow], tally: Tally) -> None:
        """Write rows here that are not here yet."""
        ...

    async def compare(self, rows: Sequence[DictRow], tally: Tally) -> None:
        """Compare rows with what stands here."""
        ...


async def run(
    resources: Resources, dsn: str | None, intakes: Mapping[str, Intake], on_progress: OnPassed | None
) -> ImportReport:
    """Import what a source holds.

    Args:
        resources: The open memory's.
        dsn: The source's connection string; the memory's own database if None.
        intakes: What is done with the rows of each of its tables, by what that is called. All of them are written, one
            table after the other, before any is compared.
        on_progress: See `OnPassed`.

    Raises:
        ConfigurationError: The source has not what is looked for.
        InvalidInputError: `on_progress` is no function.
        ImportMismatchError: Not all is here at the end as the source has it.
    """
    validation.function(on_progress, "on_progress")
    await resources.database.start()  # an embedded server has no DSN before
    tally, passed = Tally(resources.redactor), 0
    async with Database.of(resources.settings, dsn or resources.database.dsn).snapshot() as connection:
        tables = [(name, intake, await intake.rows(connection)) for name, intake in intakes.items()]
        to_pass = 2 * sum(rows.number for _, _, rows in tables)
        steps = [(name, intake.take, rows) for name, intake, rows in tables]
        steps += [(name, intake.compare, rows) for name, intake, rows in tables]
        for name, step, rows in steps:
            read, verified = tally.read, tally.verified
            async with aclosing(rows.batches(connection, _AT_ONCE)) as batches:
                async for batch in batches:
                    await step(batch, tally)
                    passed += len(batch)
                    if on_progress is not None:
                        on_progress(passed, to_pass)
            tally.count(name, tally.read - read, tally.verified - verified)
    return tally.report()


async def found(connection: Connection, name: str, schema: str | None, columns: Sequence[str], advice: str) -> Table:
    """A table of a source, with these columns.

    Raises:
        InvalidInputError: The schema's name cannot be one.
        ConfigurationError: There is none, or it lacks one of them; `advice` says what would be right.
    """
    table = await storage.find(connection, name, None if schema is None else validation.name(schema, "schema"))
    if table is None:
        where = "on its search path" if schema is None else f"in the schema {schema!r}"
        raise ConfigurationError(f"the source has no table {name!r} {where}; {advice}")
    if missing := [column for column in columns if column not in table.columns]:
        raise ConfigurationError(
            f"the table {name!r} has no column {missing[0]!r}, but {', '.join(map(repr, table.columns))}; {advice}"
        )
    return table
