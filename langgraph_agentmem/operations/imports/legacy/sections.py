"""Reads the sections of an older system's memories."""

from collections.abc import Mapping
from typing import Any

from langgraph_agentmem.models.imported import IncomingItem
from langgraph_agentmem.operations.imports.legacy import sources
from langgraph_agentmem.policies import legacy
from langgraph_agentmem.policies.ownership import Ownership
from langgraph_agentmem.storage import legacy as storage
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.imports import SourceRows


class Sections:
    """Reads sections as items; see `items.RowReader`.

    Args:
        schema: Of the table.
        ownership: Where namespaces name their tenant.
    """

    def __init__(self, schema: str | None, ownership: Ownership) -> None:
        self._schema = schema
        self._ownership = ownership

    async def rows(self, connection: Connection) -> SourceRows:
        """See `RowReader`."""
        return await storage.section_rows(connection, await sources.table(connection, "active_memory", self._schema))

    def place(self, row: Mapping[str, Any]) -> str:
        """See `RowReader`."""
        return f"section {row['section_id']!r} of memory {row['id']}"

    def item(self, row: Mapping[str, Any]) -> IncomingItem:
        """See `RowReader`."""
        _, namespace = legacy.memory_place(row, self._ownership)
        section = legacy.section(row)
        return IncomingItem(
            place=self.place(row),
            namespace=namespace,
            key=row["section_id"],
            value={"content": section.content},
            created_at=row["created_at"],
            updated_at=section.updated_at,
            updates=section.updates,
        )
