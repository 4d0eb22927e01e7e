"""What others support as well stays in long-term memory, without what a forgotten memory has given to it."""

from collections.abc import Sequence
from datetime import datetime

from langgraph_agentmem.models.deletion import RowCounts
from langgraph_agentmem.models.entity import Traits
from langgraph_agentmem.operations.runs.graph_changes import Authorship, GraphRecorder
from langgraph_agentmem.operations.runs.parting import of_parts
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.storage import deletion as storage
from langgraph_agentmem.storage import graph, longterm, memories
from langgraph_agentmem.storage.deletion import SupportedThings
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.graph import EntityRow, RelationshipRow

_SOURCE = "forgetting"


class Survivors:
    """Long-term things to which a memory that is being forgotten has given.

    They are found before its own are removed, as these say of what they are part, and reset afterwards.

    Args:
        connection: With the locks of the memory and of the tenant's long-term things.
        resources: The open memory's.
        external_id: The tenant.
        shortterm_memory_id: The memory's; None where it was never consolidated.
    """

    def __init__(
        self, connection: Connection, resources: Resources, external_id: str, shortterm_memory_id: int | None
    ) -> None:
        self._connection = connection
        self._tenant = external_id
        self._language = resources.settings.text_search_config
        self._own = shortterm_memory_id
        self._things = SupportedThings([], [])

    async def find(self, supported: SupportedThings) -> None:
        """Note what is to be reset, of what the memory's chunks support."""
        entities, relationships = await graph.by_id(self._connection, self._tenant, *supported)
        self._things = SupportedThings(_wholes(list(entities.values())), _wholes(list(relationships.values())))

    async def reset(self) -> tuple[RowCounts, RowCounts]:
        """Give what is left of them the traits that other memories give, and a history without this one.

        Returns:
            What was removed, and what was rewritten, by table.
        """
        connection, tenant = self._connection, self._tenant
        entities, relationships = await graph.by_id(connection, tenant, *self._things)
        left = SupportedThings(sorted(entities), sorted(relationships))
        if not any(left):
            return {}, {}
        removed, rewritten = await storage.forget_history(connection, tenant, left, self._own)
        now = await graph.transaction_time(connection)
        recorder = GraphRecorder(connection, tenant, Authorship(_SOURCE, {}, now), language=self._language)
        parts = await longterm.entity_parts(connection, tenant, left.entities)
        others = [part for part in parts if part.shortterm_memory_id != self._own]
        for row in entities.values():
            recorder.reset_entity(row, of_parts(row, others) or _bare(row))
        link_parts = await longterm.relationship_parts(connection, tenant, left.relationships)
        other_links = [part for part in link_parts if part.shortterm_memory_id != self._own]
        for link in relationships.values():
            self._reset_link(recorder, link, other_links)
        await recorder.write()
        changed = {"entity": len(recorder.entities.changed), "relationship": len(recorder.relationships.changed)}
        return {"state_history": removed}, {"state_history": rewritten, **changed}

    def _reset_link(self, recorder: GraphRecorder, row: RelationshipRow, others: Sequence[RelationshipRow]) -> None:
        recorder.reset_relationship(row, of_parts(row, others) or _bare(row))
        ends = [part.end_date for part in others if part.longterm_id == row.id]
        # as promotions have it, it holds as long as one of its parts does
        if row.end_date is None and ends and (end := _last(ends)):
            recorder.set_end(row, end, "ended")


def _last(ends: Sequence[datetime | None]) -> datetime | None:
    known = [end for end in ends if end is not None]
    return max(known) if len(known) == len(ends) else None


def _wholes(rows: Sequence[EntityRow] | Sequence[RelationshipRow]) -> list[int]:
    """Of long-term things and short-term ones, the former, and what the latter are part of."""
    wholes = {row.id if row.shortterm_memory_id is None else row.longterm_id for row in rows}
    return sorted(id for id in wholes if id is not None)


def _bare(row: EntityRow | RelationshipRow) -> Traits:
    """What can be said of a thing that chunks support, and of whose parts none is left."""
    return Traits(types=[], description="", confidence=row.traits.confidence, weight=row.traits.weight)


async def forget_promotions(resources: Resources, external_id: str, memory_ids: Sequence[int]) -> int:
    """Take what other memories' promotions have said of long-term entities out of their logs; returns of how many runs.

    Why two entities became one quotes what the long-term one was by then. Each memory is a transaction of its own, as
    others lock a memory, then its runs, then the tenant's long-term things.
    """
    changed = 0
    for memory_id in memory_ids:
        async with resources.database.transaction(external_id) as connection:
            await memories.lock_any(connection, external_id, memory_id)
            changed += await storage.forget_promotion_decisions(connection, external_id, memory_id)
    return changed
