"""Compares one tenant's graph in both databases."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from langgraph_agentmem.models.base import Json
from langgraph_agentmem.models.graph import Difference, ThingKind, VerifyReport
from langgraph_agentmem.projection.cypher_statements import TIERS, cypher, of_tier
from langgraph_agentmem.projection.neo4j_database import Neo4jDatabase, Neo4jTransaction, Rows
from langgraph_agentmem.storage import projection as storage
from langgraph_agentmem.storage.driver.database import Database
from langgraph_agentmem.storage.projection import KINDS, Thing

_CYPHER = cypher("read")
_PAGE = 2_000
_LAST = 2**63 - 1
_OWN = {"external_id", "batch"}
"""What only Neo4j's side has."""

Things = dict[int, Thing]


async def verify(database: Database, neo4j: Neo4jDatabase, external_id: str, report: VerifyReport) -> VerifyReport:
    """Add a tenant's comparison to a report."""
    compared, pending = report.compared, report.pending
    differences = [*report.differences]
    for kind in KINDS:
        after = 0
        while after < _LAST:
            async with database.transaction(external_id) as connection:
                ids, ours = await storage.page(connection, external_id, kind, after, _PAGE)
            # the last page goes on to the end of all ids: what only Neo4j has may lie behind PostgreSQL's last one
            last = ids[-1] if len(ids) == _PAGE else _LAST
            theirs = await _theirs(neo4j, external_id, kind, after, last)
            suspect = [id for id in {**ours, **theirs} if ours.get(id) != theirs.get(id)]
            confirmed, waiting = await _confirmed(database, neo4j, external_id, kind, sorted(suspect))
            compared += len(ours)
            pending += waiting
            differences += confirmed
            after = last
        differences += await _strangers(neo4j, external_id, kind)
    return VerifyReport(compared=compared, pending=pending, differences=differences)


async def _confirmed(
    database: Database, neo4j: Neo4jDatabase, external_id: str, kind: ThingKind, suspect: Sequence[int]
) -> tuple[list[Difference], int]:
    """Those that differ though their change does not wait and they do not change; and how many others differ.

    What PostgreSQL says is read before and after what Neo4j says: where it says the same, and nothing waits, Neo4j
    should have said so, too.
    """
    if not suspect:
        return [], 0
    before, waiting = await _ours(database, external_id, kind, suspect)
    theirs = await _theirs(neo4j, external_id, kind, suspect[0] - 1, suspect[-1])
    after, waiting_still = await _ours(database, external_id, kind, suspect)
    differing = [id for id in suspect if after.get(id) != theirs.get(id)]
    moving = {id for id in differing if id in waiting | waiting_still or before.get(id) != after.get(id)}
    differences = [
        difference(external_id, kind, id, after.get(id), theirs.get(id)) for id in differing if id not in moving
    ]
    return differences, len(moving)


async def _ours(database: Database, external_id: str, kind: ThingKind, ids: Sequence[int]) -> tuple[Things, set[int]]:
    async with database.transaction(external_id) as connection:
        things = await storage.things(connection, external_id, kind, ids)
        return things, await storage.still_waiting(connection, external_id, kind, ids)


async def _theirs(neo4j: Neo4jDatabase, external_id: str, kind: ThingKind, after: int, last: int) -> Things:
    def read(transaction: Neo4jTransaction) -> Rows:
        if kind == "chunk":
            return transaction.run(_CYPHER["chunks"], after=after, last=last)
        statement = _CYPHER["entities" if kind == "entity" else "relationships"]
        return [row for tier in TIERS for row in transaction.run(of_tier(statement, tier), after=after, last=last)]

    return {thing.id: thing for row in await neo4j.read(external_id, read) if (thing := _thing(kind, row))}


async def _strangers(neo4j: Neo4jDatabase, external_id: str, kind: ThingKind) -> list[Difference]:
    """What carries the tenant's name but no id."""

    def count(transaction: Neo4jTransaction) -> int:
        if kind == "chunk":
            return transaction.run(_CYPHER["chunks_without_id"])[0]["found"]
        statement = _CYPHER["entities_without_id" if kind == "entity" else "relationships_without_id"]
        return sum(transaction.run(of_tier(statement, tier))[0]["found"] for tier in TIERS)

    strangers = await neo4j.read(external_id, count)
    return [Difference(external_id=external_id, kind=kind, id=None, problem="unexpected")] * strangers


def difference(external_id: str, kind: ThingKind, id: int, ours: Thing | None, theirs: Thing | None) -> Difference:
    """What is wrong with a thing that the two sides do not agree about."""
    named = ours or theirs
    name = str(named.properties.get("name", "")) if named else ""
    if ours is None or theirs is None:
        problem = "missing" if theirs is None else "unexpected"
        return Difference(external_id=external_id, kind=kind, id=id, problem=problem, name=name)
    left, right = _flat(ours), _flat(theirs)
    fields = {
        field: (left.get(field), right.get(field))
        for field in sorted({**left, **right})
        if left.get(field) != right.get(field)
    }
    return Difference(external_id=external_id, kind=kind, id=id, problem="different", name=name, fields=fields)


def _flat(thing: Thing) -> Json:
    return {**thing.properties, "entities": thing.entity_ids, "ends": thing.ends}


def _thing(kind: ThingKind, row: dict[str, Any]) -> Thing:
    """A node or edge as the thing that it was written from; what is absent there is null here."""
    names = _FIELDS[kind]
    held: Json = row["properties"]
    properties = dict.fromkeys(names) | {k: _native(value) for k, value in held.items() if k not in _OWN}
    return Thing(
        kind=kind,
        id=held["id"],
        tier=None if kind == "chunk" else held.get("tier"),
        properties=properties,
        entity_ids=sorted(row.get("entity_ids", [])),
        ends=(row["source_id"], row["target_id"]) if kind == "relationship" else None,
    )


_FIELDS: dict[ThingKind, tuple[str, ...]] = {
    "entity": ("shortterm_memory_id", "first_word"),
    "chunk": ("end_date", "superseded_by"),
    "relationship": ("shortterm_memory_id", "end_date"),
}
"""What may be null, which Neo4j does not hold at all."""


def _native(value: Any) -> Any:
    native: datetime | None = value.to_native() if hasattr(value, "to_native") else None
    return value if native is None else native
