"""Takes one tenant's changes off the outbox, batch by batch."""

from collections.abc import Callable
from uuid import uuid4

from langgraph_agentmem.projection import batches
from langgraph_agentmem.projection.batches import BatchOutcome, ThingKey
from langgraph_agentmem.projection.neo4j_database import Neo4jDatabase
from langgraph_agentmem.storage import projection as storage
from langgraph_agentmem.storage.driver.database import Database
from langgraph_agentmem.storage.projection import KINDS, Batch, Change, Thing

Step = Callable[[int], None]
"""Told how many things were done."""


async def drain(database: Database, neo4j: Neo4jDatabase, external_id: str, limit: int, step: Step) -> tuple[int, int]:
    """Project what waits; returns (changes projected, changes set aside).

    Raises:
        StaleGraphError: Neo4j does not hold what was projected before; what waits stays.
    """
    projected = dead = 0
    while True:
        batch, changes, work = await _next(database, external_id, limit)
        if not changes:
            return projected, dead
        outcome = await batches.write(neo4j, external_id, batch, list(work.items()))
        # either another projector was faster, and this one reads anew; or PostgreSQL was restored, and would read anew
        # for ever
        if outcome.superseded:
            await refuse_lost_numbers(database, neo4j, external_id)
            continue
        finished, aside = await _finish(database, external_id, batch, changes, outcome)
        projected, dead = projected + finished, dead + aside
        step(finished + aside)
        if not finished + aside:  # all that is left is changing just now: it waits for the next projection
            return projected, dead


async def draw(database: Database, external_id: str) -> Batch:
    """The next batch's number, for what needs no reading."""
    async with database.transaction(external_id) as connection:
        return await storage.draw(connection, external_id, str(uuid4()))


async def refuse_lost_numbers(database: Database, neo4j: Neo4jDatabase, external_id: str) -> None:
    """Raise `StaleGraphError` where Neo4j has batches that this PostgreSQL has not drawn."""
    async with database.transaction(external_id) as connection:
        known = await storage.projection(connection, external_id)
    await batches.check(neo4j, external_id, expected(known))


def expected(known: storage.Projection | None) -> Batch:
    """The newest batch that there can be."""
    if known is None:
        return Batch(origin="", number=0, applied=0, rebuild=None)
    return Batch(origin=known.origin, number=known.drawn, applied=known.applied, rebuild=known.rebuild)


async def _next(
    database: Database, external_id: str, limit: int
) -> tuple[Batch, list[Change], dict[ThingKey, Thing | None]]:
    """A batch: its number, the changes, and the things that changed as they are now."""
    async with database.transaction(external_id) as connection:
        batch = await storage.draw(connection, external_id, str(uuid4()))
        changes = await storage.pending(connection, external_id, limit)
        work: dict[ThingKey, Thing | None] = {(change.kind, change.target_id): None for change in changes}
        for kind in reversed(KINDS):  # entities last, so that whatever refers to them finds them
            ids = [change.target_id for change in changes if change.kind == kind]
            things = await storage.things(connection, external_id, kind, ids) if ids else {}
            work.update({(kind, id): thing for id, thing in things.items()})
        return batch, changes, work


async def _finish(
    database: Database, external_id: str, batch: Batch, changes: list[Change], outcome: BatchOutcome
) -> tuple[int, int]:
    failed = outcome.failed()
    by_key = {(change.kind, change.target_id): change for change in changes}
    done = [change for key, change in by_key.items() if key not in failed]
    async with database.transaction(external_id) as connection:
        finished = await storage.finish(connection, external_id, batch.number, done)
        if any(change.kind == "entity" for change in done):
            await storage.revive(connection, external_id, everything=False)  # what waited for one of them, perhaps
        aside = await storage.set_aside(
            connection,
            external_id,
            [(by_key[key], reason) for key, reason in outcome.refused.items()],
            [(by_key[key], reason) for key, reason in outcome.incomplete.items()],
        )
        return finished, aside
