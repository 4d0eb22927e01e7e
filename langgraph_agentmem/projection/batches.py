"""Writes batches into Neo4j, each in one transaction that refuses to write an older state over a newer one."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field

from langgraph_agentmem.errors import OutageError, StaleGraphError, StorageError
from langgraph_agentmem.models.base import Json
from langgraph_agentmem.models.graph import ThingKind
from langgraph_agentmem.projection.cypher_statements import TIERS, cypher, of_tier
from langgraph_agentmem.projection.neo4j_database import Neo4jDatabase, Neo4jTransaction
from langgraph_agentmem.storage.projection import Batch, Thing

_CYPHER = cypher("project")
_SWEPT_AT_ONCE = 5_000
_MENDS = "`agentmem graph rebuild` mends it"

ThingKey = tuple[ThingKind, int]
BatchWork = Sequence[tuple[ThingKey, Thing | None]]
"""Things as they are now; None for those that are gone."""


@dataclass
class BatchOutcome:
    """What became of a batch's things.

    Attributes:
        superseded: Neo4j has a newer batch of this tenant: what this one holds may be older, and is to be read again.
        refused: Those that Neo4j refuses, with its reason.
        incomplete: Those that refer to entities which Neo4j does not have.
    """

    superseded: bool = False
    refused: dict[ThingKey, str] = field(default_factory=dict[ThingKey, str])
    incomplete: dict[ThingKey, str] = field(default_factory=dict[ThingKey, str])

    def failed(self) -> dict[ThingKey, str]:
        """All that Neo4j does not hold as it is."""
        return {**self.refused, **self.incomplete}


async def write(neo4j: Neo4jDatabase, external_id: str, batch: Batch, work: BatchWork) -> BatchOutcome:
    """Write things; where Neo4j refuses one, write the others.

    Raises:
        StaleGraphError: Neo4j does not hold what earlier batches wrote; nothing was written.
        OutageError: Neo4j cannot be reached; whether something was written is not known.
        StorageError: Neo4j refuses anything.
    """
    try:
        incomplete = await neo4j.write(external_id, lambda transaction: _write(transaction, batch, work))
        return BatchOutcome(superseded=incomplete is None, incomplete=incomplete or {})
    except (OutageError, StaleGraphError):
        raise
    except StorageError as error:
        if not work:
            raise
        return await _write_apart(neo4j, external_id, batch, work, error)


async def _write_apart(
    neo4j: Neo4jDatabase, external_id: str, batch: Batch, work: BatchWork, error: StorageError
) -> BatchOutcome:
    """Find what Neo4j refuses by halves; a refusal of nothing at all is not the things' fault."""
    if len(work) == 1:
        # the same batch without the thing: if even that is refused, this raises, and the thing is not set aside
        control = await write(neo4j, external_id, batch, [])
        return BatchOutcome(superseded=control.superseded, refused={work[0][0]: str(error)})
    middle = len(work) // 2
    first = await write(neo4j, external_id, batch, work[:middle])
    second = await write(neo4j, external_id, batch, work[middle:])
    return BatchOutcome(
        first.superseded or second.superseded,
        {**first.refused, **second.refused},
        {**first.incomplete, **second.incomplete},
    )


async def newest(neo4j: Neo4jDatabase, external_id: str) -> int:
    """The number of the newest batch that Neo4j claims to have; 0 where it has none."""
    rows = await neo4j.read(external_id, lambda transaction: transaction.run(_CYPHER["state"]))
    return rows[0]["batch"] if rows else 0


async def check(neo4j: Neo4jDatabase, external_id: str, expected: Batch) -> None:
    """Raise `StaleGraphError` where Neo4j does not hold what earlier batches wrote."""
    rows = await neo4j.read(external_id, lambda transaction: transaction.run(_CYPHER["state"]))
    origin, batch = (rows[0]["origin"], rows[0]["batch"]) if rows else (None, 0)
    _refuse_stale(external_id, expected, origin, batch)
    if batch > expected.number:
        raise StaleGraphError(
            f"Neo4j holds batch {batch} of tenant {external_id!r}, but PostgreSQL has drawn only {expected.number}: "
            f"PostgreSQL was restored from a backup; {_MENDS}"
        )


async def keep(neo4j: Neo4jDatabase, external_id: str, batch: Batch, entity_ids: Sequence[int]) -> None:
    """Let entities whose present state is refused outlive a sweep as they are: what is linked to them stays linked."""

    def mark(transaction: Neo4jTransaction) -> None:
        for tier in TIERS if entity_ids else ():
            transaction.run(of_tier(_CYPHER["keep_entities"], tier), ids=list(entity_ids), batch=batch.number)

    await neo4j.write(external_id, mark)


async def sweep(neo4j: Neo4jDatabase, external_id: str, before: int) -> None:
    """Remove what was last written before a batch; what is written from then on has a higher number, and stays."""
    statements = [_CYPHER["sweep_chunks"]]
    for tier in TIERS:
        statements += [of_tier(_CYPHER[name], tier) for name in ("sweep_relationships", "sweep_entities")]
    for statement in statements:
        work = functools.partial(_sweep, statement=statement, before=before)
        while await neo4j.write(external_id, work):
            pass


def _sweep(transaction: Neo4jTransaction, *, statement: str, before: int) -> int:
    return transaction.run(statement, before=before, limit=_SWEPT_AT_ONCE)[0]["swept"]


def _write(transaction: Neo4jTransaction, batch: Batch, work: BatchWork) -> dict[ThingKey, str] | None:
    if not _enter(transaction, batch):
        return None
    gone: dict[ThingKind, list[int]] = {"entity": [], "chunk": [], "relationship": []}
    present: dict[ThingKind, list[Thing]] = {"entity": [], "chunk": [], "relationship": []}
    for (kind, id), thing in work:
        if thing is None:
            gone[kind].append(id)
        else:
            present[kind].append(thing)
    # first, so that an entity that is gone is no end of what is written next
    _delete(transaction, gone)
    _write_entities(transaction, batch, present["entity"])
    incomplete = _write_chunks(transaction, batch, present["chunk"])
    incomplete |= _write_relationships(transaction, batch, present["relationship"])
    transaction.run(_CYPHER["finish"], origin=batch.origin, batch=batch.number)
    return incomplete


def _enter(transaction: Neo4jTransaction, batch: Batch) -> bool:
    """Wait for whoever writes for this tenant; whether this batch is still the newest then."""
    [state] = transaction.run(_CYPHER["lock"], batch=batch.number)
    _refuse_stale(transaction.external_id, batch, state["origin"], state["batch"])
    if state["batch"] == 0:
        _refuse_others(transaction)
    return state["batch"] <= batch.number


def _refuse_others(transaction: Neo4jTransaction) -> None:
    """Refuse what no batch has written: it is an older system's, to be mixed with nothing and swept by no rebuild."""
    if any(transaction.run(of_tier(_CYPHER["others"], tier)) for tier in TIERS):
        raise StaleGraphError(
            f"Neo4j holds entities of tenant {transaction.external_id!r} that were not written from here, such as an "
            "older system's; nothing was written: use another Neo4j database (NEO4J_DATABASE, NEO4J_URI)"
        )


def _refuse_stale(external_id: str, batch: Batch, origin: str | None, newest: int) -> None:
    if batch.rebuild is not None:
        return  # whatever is there is being replaced
    if origin is not None and origin != batch.origin:
        raise StaleGraphError(
            f"the graph of tenant {external_id!r} in Neo4j was written from another PostgreSQL database; use another "
            f"Neo4j database, or let this one take it over: {_MENDS}"
        )
    if newest < batch.applied:
        raise StaleGraphError(
            f"Neo4j holds batch {newest} of tenant {external_id!r}, but had batch {batch.applied} already: it was "
            f"emptied or restored from a backup, or is another database; {_MENDS}"
        )


def _delete(transaction: Neo4jTransaction, gone: dict[ThingKind, list[int]]) -> None:
    if gone["chunk"]:
        transaction.run(_CYPHER["delete_chunks"], ids=gone["chunk"])
    for ids, name in ((gone["relationship"], "delete_relationships"), (gone["entity"], "delete_entities")):
        for tier in TIERS if ids else ():
            transaction.run(of_tier(_CYPHER[name], tier), ids=ids)


def _write_entities(transaction: Neo4jTransaction, batch: Batch, entities: list[Thing]) -> None:
    for tier in TIERS:
        if rows := [thing.properties for thing in entities if thing.tier == tier]:
            transaction.run(of_tier(_CYPHER["upsert_entities"], tier), rows=rows, batch=batch.number)


def _write_chunks(transaction: Neo4jTransaction, batch: Batch, chunks: list[Thing]) -> dict[ThingKey, str]:
    if not chunks:
        return {}
    transaction.run(_CYPHER["upsert_chunks"], rows=[chunk.properties for chunk in chunks], batch=batch.number)
    links: list[Json] = [{"id": chunk.id, "entity_ids": chunk.entity_ids} for chunk in chunks]
    transaction.run(_CYPHER["unlink_chunks"], links=links)
    linked = dict.fromkeys((chunk.id for chunk in chunks), 0)
    for tier in TIERS:
        for row in transaction.run(of_tier(_CYPHER["link_chunks"], tier), links=links):
            linked[row["id"]] += row["links"]
    return {
        ("chunk", chunk.id): f"Neo4j has {linked[chunk.id]} of the {len(chunk.entity_ids)} entities that it supports"
        for chunk in chunks
        if linked[chunk.id] != len(chunk.entity_ids)
    }


def _write_relationships(
    transaction: Neo4jTransaction, batch: Batch, relationships: list[Thing]
) -> dict[ThingKey, str]:
    written: set[int] = set()
    for tier in TIERS:
        rows: list[Json] = [_row(thing) for thing in relationships if thing.tier == tier]
        if rows:
            transaction.run(of_tier(_CYPHER["unlink_relationships"], tier), rows=rows)
            upserted = transaction.run(of_tier(_CYPHER["upsert_relationships"], tier), rows=rows, batch=batch.number)
            written |= {row["id"] for row in upserted}
    return {
        ("relationship", thing.id): f"Neo4j has not both of its ends, the entities {thing.ends}"
        for thing in relationships
        if thing.id not in written
    }


def _row(thing: Thing) -> Json:
    assert thing.ends is not None
    source, target = thing.ends
    return {"id": thing.id, "source_id": source, "target_id": target, "properties": thing.properties}
