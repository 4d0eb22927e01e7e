"""Takes in the short-term memories of an older system, to which its chunks belong."""

from collections.abc import Sequence

from psycopg.rows import DictRow

from langgraph_agentmem.models.legacy import LegacyRow, LegacyShortterm
from langgraph_agentmem.operations.imports.legacy import sources
from langgraph_agentmem.operations.imports.running import Tally, nobodys
from langgraph_agentmem.policies import legacy
from langgraph_agentmem.policies.ownership import Ownership
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.storage import legacy as storage
from langgraph_agentmem.storage import sections
from langgraph_agentmem.storage.driver.connections import Connection, retrying_deadlocks
from langgraph_agentmem.storage.imports import SourceRows


class ShorttermMemories:
    """Takes short-term memories in; see `running.Intake`. One that is here already counts on as it does here.

    Args:
        resources: The open memory's.
        ownership: Where namespaces name their tenant.
        schema: Of the table.
    """

    def __init__(self, resources: Resources, ownership: Ownership, schema: str | None) -> None:
        self._resources = resources
        self._ownership = ownership
        self._schema = schema

    async def rows(self, connection: Connection) -> SourceRows:
        """See `Intake`."""
        table = await sources.table(connection, "shortterm_memory", self._schema)
        return await storage.shortterm_rows(connection, table)

    async def take(self, rows: Sequence[DictRow], tally: Tally) -> None:
        """See `Intake`."""
        for tenant, wanted in sources.read(rows, tally, "short-term memory", self._read).items():
            tally.belongs(tenant)
            made = await self._write(tenant, wanted)
            tally.written += made
            tally.known += len(wanted) - made

    async def compare(self, rows: Sequence[DictRow], tally: Tally) -> None:
        """See `Intake`."""
        for tenant, wanted in sources.read(rows, nobodys(), "short-term memory", self._read).items():
            async with self._resources.database.connection(tenant) as connection:
                present = await storage.present_shortterm(connection, tenant, [each.namespace for each in wanted])
            for each in wanted:
                if each.namespace in present:
                    tally.same(each.place, each.namespace, each.namespace)
                else:
                    tally.differ(each.place, "it is not here")

    def _read(self, row: LegacyRow) -> tuple[str, LegacyShortterm]:
        wanted, redactor = legacy.shortterm(row, self._ownership), self._resources.redactor
        redactor.name(row["title"], "a title or label")
        return wanted.tenant, wanted.model_copy(update={"metadata": redactor.value(wanted.metadata, "memory")})

    async def _write(self, tenant: str, wanted: Sequence[LegacyShortterm]) -> int:
        # the first of a title there is the one that consolidation finds
        first = {each.namespace: each for each in reversed(wanted)}

        async def attempt() -> int:
            async with self._resources.database.transaction(tenant) as connection:
                await sections.make_missing(connection, tenant, sorted(first), self._ownership.title)
                ids = await sections.lock_memories(connection, tenant, sorted(first))
                return len(await storage.insert_shortterm(connection, tenant, [(ids[n], first[n]) for n in ids]))

        return await retrying_deadlocks(attempt)
