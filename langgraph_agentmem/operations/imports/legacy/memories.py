"""Gives the memories of an older system their templates, metadata and times, behind their sections."""

from collections.abc import Mapping, Sequence

from psycopg.rows import DictRow

from langgraph_agentmem.models.item import Namespace
from langgraph_agentmem.models.legacy import LegacyMemory, LegacyRow, PresentMemory
from langgraph_agentmem.operations.imports.legacy import sources
from langgraph_agentmem.operations.imports.running import WRITTEN, Tally, nobodys
from langgraph_agentmem.operations.sections import memories
from langgraph_agentmem.policies import legacy
from langgraph_agentmem.policies.importing import Fate
from langgraph_agentmem.policies.ownership import Ownership
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.storage import legacy as storage
from langgraph_agentmem.storage import sections
from langgraph_agentmem.storage.driver.connections import Connection, retrying_deadlocks
from langgraph_agentmem.storage.imports import SourceRows


class Memories:
    """Takes memories in, whose sections are here; see `running.Intake`.

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
        return await storage.memory_rows(connection, await sources.table(connection, "active_memory", self._schema))

    async def take(self, rows: Sequence[DictRow], tally: Tally) -> None:
        """See `Intake`."""
        for tenant, wanted in sources.read(rows, tally, "memory", self._read).items():
            tally.belongs(tenant)
            present = await self._present(tenant, wanted)
            fates: dict[str, Fate] = {
                memory.place: legacy.memory_fate(memory, present.get(memory.namespace)) for memory in wanted
            }
            if behind := [memory for memory in wanted if fates[memory.place] in WRITTEN]:
                await self._write(tenant, behind)
            tally.became(fates.values())

    async def compare(self, rows: Sequence[DictRow], tally: Tally) -> None:
        """See `Intake`."""
        for tenant, wanted in sources.read(rows, nobodys(), "memory", self._read).items():
            present = await self._present(tenant, wanted)
            for memory in wanted:
                here = present.get(memory.namespace)
                fate = legacy.memory_fate(memory, here)
                if here is None:
                    tally.differ(memory.place, "it is not here")
                elif fate == "same":
                    tally.same(memory.legacy_id, memory.metadata, here.metadata)
                elif fate == "newer":
                    tally.differ(memory.place, "it has another template or other metadata here")

    def _read(self, row: LegacyRow) -> tuple[str, LegacyMemory]:
        memory = legacy.memory(row, self._ownership, limit=self._resources.settings.max_content_chars)
        redactor = self._resources.redactor
        redactor.name(memory.title, "a title or label")
        kept = {
            "metadata": redactor.value(memory.metadata, "memory"),
            "template": memories.redacted(redactor, memory.template),
        }
        return memory.tenant, memory.model_copy(update=kept)

    async def _present(self, tenant: str, wanted: Sequence[LegacyMemory]) -> Mapping[Namespace, PresentMemory]:
        async with self._resources.database.connection(tenant) as connection:
            return await storage.present_memories(connection, tenant, [memory.namespace for memory in wanted])

    async def _write(self, tenant: str, wanted: Sequence[LegacyMemory]) -> None:
        namespaces = sorted({memory.namespace for memory in wanted})

        async def attempt() -> None:
            async with self._resources.database.transaction(tenant) as connection:
                await sections.make_missing(connection, tenant, namespaces, self._ownership.title)
                await sections.lock_memories(connection, tenant, namespaces)
                await storage.describe(connection, tenant, wanted)

        await retrying_deadlocks(attempt)
        # what a crash leaves in between has no template, so that the next import makes up for it
        for memory in wanted:
            if memory.template.sections:
                await memories.create(
                    self._resources,
                    tenant,
                    memory.title,
                    memory.template,
                    None,
                    None,
                    namespace=memory.namespace,
                    exist_ok=True,
                )
