"""The graph of an older system as it was when an import began, since Neo4j shows each reading what is there by then."""

from collections.abc import AsyncGenerator, Sequence
from tempfile import TemporaryFile
from typing import Any, Literal

import orjson
from psycopg.rows import DictRow

from langgraph_agentmem.models.entity import GraphTier
from langgraph_agentmem.models.legacy import LegacyRow
from langgraph_agentmem.operations.imports.legacy import sources
from langgraph_agentmem.policies.legacy_graph import GraphReader
from langgraph_agentmem.policies.ownership import Ownership
from langgraph_agentmem.projection import legacy as projection
from langgraph_agentmem.projection.neo4j_database import Neo4jDatabase
from langgraph_agentmem.storage import legacy as storage
from langgraph_agentmem.storage.driver.connections import Connection

_AT_ONCE = 1000
_TABLES = {
    "active": "active_memory",
    "shortterm": "shortterm_memory",
    "shortterm_chunks": "shortterm_memory_chunk",
    "longterm_chunks": "longterm_memory_chunk",
}


class Spool:
    """Rows that are kept in a file without a name, to be read twice as they were."""

    def __init__(self) -> None:
        self._file = TemporaryFile()  # noqa: SIM115 - it is closed with the import
        self.number: int = 0

    def clear(self) -> None:
        """Forget all rows."""
        self._file.seek(0)
        self._file.truncate()
        self.number = 0

    def add(self, rows: Sequence[DictRow]) -> None:
        """Keep rows."""
        self._file.writelines(orjson.dumps(row, default=_plain) + b"\n" for row in rows)
        self.number += len(rows)

    async def batches(self, connection: Connection, size: int) -> AsyncGenerator[list[DictRow]]:
        """See `running.Readable`."""
        self._file.seek(0)
        for start in range(0, self.number, size):
            yield [orjson.loads(self._file.readline()) for _ in range(min(size, self.number - start))]

    def close(self) -> None:
        """Remove the file."""
        self._file.close()


class LegacyGraph:
    """Reads the older system's Neo4j, once.

    Args:
        neo4j: Where it is.
        schema: Of the older system's tables, which say what its short-term memories are called.
        ownership: Where namespaces name their tenant.
        limit: Characters of a description.
    """

    def __init__(self, neo4j: Neo4jDatabase, schema: str | None, ownership: Ownership, *, limit: int) -> None:
        self._neo4j = neo4j
        self._schema = schema
        self._ownership = ownership
        self._limit = limit
        self._titles: dict[tuple[str, str], str] = {}
        self._tenants: set[str] = set()
        self._spools: list[Spool] = []

    async def rows(self, connection: Connection, what: Literal["entities", "relationships"], tier: GraphTier) -> Spool:
        """What a tier holds.

        Raises:
            ConfigurationError: There are no tables, which say whose the graph is.
            OutageError: Neo4j cannot be reached.
            AuthenticationError: It refuses the user, the password or the database.
        """
        if not self._spools:
            await self._read_tables(connection)
        self._spools.append(spool := Spool())
        await projection.read(self._neo4j, what, tier, spool.clear, spool.add)
        return spool

    def reader(self, tier: GraphTier) -> GraphReader:
        """What reads the rows of a tier, once they are there."""
        return GraphReader(tier, self._ownership, self._titles, limit=self._limit)

    def is_others(self, row: LegacyRow) -> bool:
        """Whether a row belongs to a tenant that the tables do not know: of another system, or deleted there."""
        return bool(row["external_id"]) and row["external_id"] not in self._tenants

    def close(self) -> None:
        """Remove what was read."""
        for spool in self._spools:
            spool.close()

    async def _read_tables(self, connection: Connection) -> None:
        tables = {name: await sources.table(connection, table, self._schema) for name, table in _TABLES.items()}
        self._tenants = await storage.tenants(connection, tables)
        memories = await storage.shortterm_rows(connection, tables["shortterm"])
        async for batch in memories.batches(connection, _AT_ONCE):
            self._titles |= {(row["external_id"], row["id"]): row["title"] for row in batch}


def _plain(value: Any) -> object:
    """A value of Neo4j's that JSON has not: times as Python has them, and anything else as text."""
    return value.to_native() if hasattr(value, "to_native") else str(value)
