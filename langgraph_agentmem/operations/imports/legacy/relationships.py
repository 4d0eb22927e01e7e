"""Takes in the relationships of an older system, between entities that are here."""

from collections.abc import Mapping, Sequence

from psycopg.rows import DictRow

from langgraph_agentmem.models.entity import GraphTier
from langgraph_agentmem.models.legacy import LegacyRow
from langgraph_agentmem.models.legacy_graph import EntityKey, LegacyRelationship, PresentThing
from langgraph_agentmem.operations.imports.legacy import sources, writing
from langgraph_agentmem.operations.imports.legacy.graph import LegacyGraph, Spool
from langgraph_agentmem.operations.imports.running import Tally, nobodys
from langgraph_agentmem.policies import legacy_graph as policy
from langgraph_agentmem.policies.importing import Fate
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.storage import graph
from langgraph_agentmem.storage import legacy_graph as storage
from langgraph_agentmem.storage.driver.connections import Connection, retrying_deadlocks
from langgraph_agentmem.storage.graph import NewRelationship, TraitsUpdate

_Ends = tuple[int, int]
_Placed = Mapping[_Ends, LegacyRelationship]
"""Relationships by the entities here that they lead from and to."""


class Relationships:
    """Takes the relationships of a tier in, behind its entities; see `running.Intake`.

    Args:
        resources: The open memory's.
        older: The graph that they are in.
        tier: Theirs.
    """

    def __init__(self, resources: Resources, older: LegacyGraph, tier: GraphTier) -> None:
        self._resources = resources
        self._older = older
        self._tier: GraphTier = tier
        self._what = f"{tier} relationship"

    async def rows(self, connection: Connection) -> Spool:
        """See `Intake`."""
        return await self._older.rows(connection, "relationships", self._tier)

    async def take(self, rows: Sequence[DictRow], tally: Tally) -> None:
        """See `Intake`."""
        for tenant, wanted in sources.read(rows, tally, self._what, self._read).items():
            tally.belongs(tenant)
            fates, apart = await self._written(tenant, wanted)
            tally.became(fates)
            for relationship, reason in apart:
                tally.refuse(relationship.place, reason)

    async def compare(self, rows: Sequence[DictRow], tally: Tally) -> None:
        """See `Intake`."""
        for tenant, wanted in sources.read(rows, nobodys(), self._what, self._read).items():
            async with self._resources.database.connection(tenant) as connection:
                placed, _ = _placed(wanted, await _ends(connection, tenant, wanted))
                present = await storage.present_relationships(connection, tenant, list(placed))
            for ends, relationship in placed.items():
                writing.compare(relationship, present.get(ends), tally)

    def _read(self, row: LegacyRow) -> tuple[str, LegacyRelationship] | None:
        if self._older.is_others(row):
            return None
        relationship = self._older.reader(self._tier).relationship(row)
        return relationship.tenant, writing.redacted(self._resources.redactor, relationship)

    async def _written(
        self, tenant: str, wanted: Sequence[LegacyRelationship]
    ) -> tuple[list[Fate], list[tuple[LegacyRelationship, str]]]:
        """Write relationships; returns what has become of them, and those that have no place here, with the reasons."""

        async def attempt() -> tuple[list[Fate], list[tuple[LegacyRelationship, str]]]:
            async with self._resources.database.transaction(tenant) as connection:
                await writing.lock(connection, tenant, (await _ends(connection, tenant, wanted)).values())
                entities = await _ends(connection, tenant, wanted)
                placed, apart = _placed(wanted, entities)
                return await self._write(connection, tenant, placed, entities), apart

        return await retrying_deadlocks(attempt)

    async def _write(
        self, connection: Connection, tenant: str, placed: _Placed, entities: Mapping[EntityKey, PresentThing]
    ) -> list[Fate]:
        """Write what is still to be written, behind the locks."""
        present = await storage.present_relationships(connection, tenant, list(placed))
        fates: dict[_Ends, Fate] = {
            ends: policy.fate(relationship, present.get(ends)) for ends, relationship in placed.items()
        }
        known = {present[ends].id: r for ends, r in placed.items() if fates[ends] == "newer"}
        revisions = {thing.id: thing.revision + 1 for thing in present.values()}
        updates = [
            TraitsUpdate(id=id, traits=r.traits, revision=revisions[id], end_date=r.end_date) for id, r in known.items()
        ]
        await graph.update_relationships(connection, tenant, updates)
        made = await _insert(connection, tenant, {e: r for e, r in placed.items() if fates[e] == "new"}, entities)
        await storage.mark_relationships(connection, tenant, known | made, revisions)
        counts = {thing.id: thing.imported_history for thing in present.values()}
        await writing.add_history(connection, tenant, known | made, counts)
        # not those that were made here between these entities
        theirs = [thing.id for thing in present.values() if thing.imported_revision is not None]
        await storage.link_relationships(connection, tenant, [*theirs, *made])
        return list(fates.values())


async def _ends(
    connection: Connection, tenant: str, wanted: Sequence[LegacyRelationship]
) -> dict[EntityKey, PresentThing]:
    """The entities here that relationships lead from or to."""
    keys = dict.fromkeys(key for relationship in wanted for key in (relationship.source, relationship.target))
    return await storage.present_entities(connection, tenant, list(keys))


async def _insert(
    connection: Connection, tenant: str, new: _Placed, entities: Mapping[EntityKey, PresentThing]
) -> dict[int, LegacyRelationship]:
    """Insert relationships, each into the short-term memory of its ends; returns them by their ids here."""
    ids = dict(zip(new, await graph.allocate_relationships(connection, len(new)), strict=True))
    memories = {ends: entities[relationship.source].shortterm_memory_id for ends, relationship in new.items()}
    for memory_id in dict.fromkeys(memories.values()):
        rows = [
            NewRelationship(
                id=ids[ends],
                source_id=ends[0],
                target_id=ends[1],
                traits=relationship.traits,
                start_date=relationship.start_date,
                end_date=relationship.end_date,
            )
            for ends, relationship in new.items()
            if memories[ends] == memory_id
        ]
        await graph.insert_relationships(connection, tenant, rows, shortterm_memory_id=memory_id)
    return {ids[ends]: relationship for ends, relationship in new.items()}


def _placed(
    wanted: Sequence[LegacyRelationship], entities: Mapping[EntityKey, PresentThing]
) -> tuple[dict[_Ends, LegacyRelationship], list[tuple[LegacyRelationship, str]]]:
    """Relationships by their ends here, and those that have no place here, with the reasons."""
    placed: dict[_Ends, LegacyRelationship] = {}
    apart: list[tuple[LegacyRelationship, str]] = []
    for relationship in wanted:
        source, target = entities.get(relationship.source), entities.get(relationship.target)
        if source is None or target is None:
            apart.append((relationship, "an entity that it leads from or to is not here"))
        elif source.shortterm_memory_id != target.shortterm_memory_id:
            apart.append((relationship, "it leads from one short-term memory to another"))
        else:
            placed[source.id, target.id] = relationship
    return placed, apart
