"""Writes all of one tenant's graph again, then removes everything else that Neo4j has of the tenant."""

from collections.abc import Iterable
from uuid import uuid4

from langgraph_agentmem.models.graph import ThingKind
from langgraph_agentmem.projection import batches
from langgraph_agentmem.projection.batches import BatchWork, ThingKey
from langgraph_agentmem.projection.draining import Step, draw, refuse_lost_numbers
from langgraph_agentmem.projection.neo4j_database import Neo4jDatabase
from langgraph_agentmem.storage import outbox
from langgraph_agentmem.storage import projection as storage
from langgraph_agentmem.storage.driver.database import Database
from langgraph_agentmem.storage.projection import KINDS, Thing


async def rebuild(database: Database, neo4j: Neo4jDatabase, external_id: str, limit: int, step: Step) -> int:
    """Write all that PostgreSQL has with higher numbers than Neo4j knows, and remove what keeps a lower one.

    What cannot be written, or refers to what came only since, goes to the outbox. Until this has run through once, the
    tenant counts as being rebuilt, and whatever Neo4j holds of it is taken over.

    Returns:
        How many things were written.
    """
    seen = await batches.newest(neo4j, external_id)
    async with database.transaction(external_id) as connection:
        # makes the tenant's row, where it was never projected
        await storage.draw(connection, external_id, str(uuid4()))
        begun = await storage.begin_rebuild(connection, external_id, seen)
    written = 0
    # entities before what refers to them
    for kind in KINDS:
        after = 0
        while (page := await _write_page(database, neo4j, external_id, kind, after, limit)) is not None:
            after, count = page
            written += count
            step(count)
    batch = await draw(database, external_id)
    await batches.write(neo4j, external_id, batch, [])  # where nothing was written, this says whose graph it is
    await batches.sweep(neo4j, external_id, begun.number)
    async with database.transaction(external_id) as connection:
        await storage.finish(connection, external_id, batch.number, [])
        await storage.end_rebuild(connection, external_id, begun.number)
    return written


async def _write_page(
    database: Database, neo4j: Neo4jDatabase, external_id: str, kind: ThingKind, after: int, limit: int
) -> tuple[int, int] | None:
    """Write the next things; returns (the last one's id, how many), None behind the last one."""
    while True:
        async with database.transaction(external_id) as connection:
            batch = await storage.draw(connection, external_id, str(uuid4()))
            ids, things = await storage.page(connection, external_id, kind, after, limit)
        if not ids:
            return None
        work: BatchWork = [((kind, id), thing) for id, thing in things.items()]
        outcome = await batches.write(neo4j, external_id, batch, work)
        if not outcome.superseded:
            break
        await refuse_lost_numbers(database, neo4j, external_id)  # else read again what a newer batch may have passed
    await batches.keep(neo4j, external_id, batch, [id for kind, id in outcome.refused if kind == "entity"])
    async with database.transaction(external_id) as connection:
        await storage.finish(connection, external_id, batch.number, [])
        await outbox.enqueue(connection, external_id, kind, _revisions(things, outcome.failed()))
    return ids[-1], len(things)


def _revisions(things: dict[int, Thing], failed: Iterable[ThingKey]) -> list[tuple[int, int]]:
    return [(id, things[id].properties.get("revision", 0)) for _, id in failed]
