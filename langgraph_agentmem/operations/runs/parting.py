"""Lets long-term memory follow where short-term entities and relationships are parted."""

from collections.abc import Iterable, Sequence
from functools import reduce
from typing import TypeVar

from langgraph_agentmem.models.entity import Traits
from langgraph_agentmem.operations.runs.graph_changes import Authorship, GraphRecorder
from langgraph_agentmem.policies import merging
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.storage import graph, longterm
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.graph import EntityRow, RelationshipRow

_Row = TypeVar("_Row", EntityRow, RelationshipRow)


class Parting:
    """Short-term things that are not what their long-term ones were made of any more.

    Args:
        connection: With the lock of their memory; the tenant's is taken by `follow`, as promotions take it.
        resources: The open memory's.
        external_id: The tenant.
        source: How the state history names the cause.
        run_id: The run that is undone, or that a review is logged as.
    """

    def __init__(
        self, connection: Connection, resources: Resources, external_id: str, *, source: str, run_id: str
    ) -> None:
        self._connection = connection
        self._tenant = external_id
        self._language = resources.settings.text_search_config
        self._source = source
        self._run_id = run_id

    async def follow(
        self,
        *,
        entities: Iterable[int] = (),
        relationships: Iterable[int] = (),
        moved: Iterable[int] = (),
        apart: Iterable[int] = (),
    ) -> None:
        """Let long-term memory follow, once the short-term changes are written.

        A long-term entity or relationship gets the traits and the support that its remaining parts give it; one without
        any goes. What is left without a long-term one gets one with the next promotion.

        Args:
            entities: Short-term ones that have other traits.
            relationships: Likewise.
            moved: Short-term relationships that have other ends; they are parted from their long-term ones.
            apart: Short-term entities to be parted from their long-term ones for good, with their relationships.
        """
        leaving = list(moved)
        at_parted = await graph.links_of(self._connection, self._tenant, list(apart))
        leaving += [row.id for row in at_parted]
        rows, links = await graph.by_id(self._connection, self._tenant, [*entities, *apart], [*relationships, *leaving])
        wholes = sorted({row.longterm_id for row in rows.values() if row.longterm_id})
        link_wholes = sorted({row.longterm_id for row in links.values() if row.longterm_id})
        # mostly, what is parted was never promoted
        if not wholes and not link_wholes:
            return
        await longterm.lock_tenant(self._connection, self._tenant)
        await longterm.detach(self._connection, self._tenant, list(apart), leaving)
        await longterm.withdraw_support(self._connection, self._tenant, wholes, link_wholes)
        await self._reset(wholes, link_wholes)

    async def _reset(self, entity_ids: Sequence[int], relationship_ids: Sequence[int]) -> None:
        connection, tenant = self._connection, self._tenant
        stored, links = await graph.by_id(connection, tenant, list(entity_ids), list(relationship_ids))
        now = await graph.transaction_time(connection)
        by = Authorship(self._source, {"run_id": self._run_id}, now)
        recorder = GraphRecorder(connection, tenant, by, language=self._language)
        link_parts = await longterm.relationship_parts(connection, tenant, relationship_ids)
        for row in links.values():
            if traits := of_parts(row, link_parts):
                recorder.reset_relationship(row, traits)
            else:
                recorder.drop_relationship(row)
        parts = await longterm.entity_parts(connection, tenant, entity_ids)
        for row in stored.values():
            if traits := of_parts(row, parts):
                recorder.reset_entity(row, traits)
            else:
                recorder.drop_entity(row)
        await recorder.write()


def of_parts(whole: _Row, parts: Sequence[_Row]) -> Traits | None:
    """The traits of a long-term thing as promotions would have made them of its parts; None without any."""
    traits = [part.traits for part in parts if part.longterm_id == whole.id]
    return reduce(merging.merged, traits) if traits else None
