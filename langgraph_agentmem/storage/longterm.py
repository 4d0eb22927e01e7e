"""Short-term memories and their promotion."""

import zlib
from collections.abc import Sequence

from langgraph_agentmem.models.base import Json, Value
from langgraph_agentmem.storage import outbox
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.driver.rows import all_rows, as_json, columns, first_row, one_row
from langgraph_agentmem.storage.driver.statements import statements
from langgraph_agentmem.storage.graph import EntityRow, NamedRelationshipRow, RelationshipRow

_SQL = statements("graph")


class ShorttermRow(Value):
    """A short-term memory."""

    id: int
    memory_id: int
    update_count: int
    metadata: Json


async def shortterm(
    connection: Connection, external_id: str, memory_id: int, *, lock: bool = False
) -> ShorttermRow | None:
    """A memory's short-term memory, locked if `lock` is set."""
    name = "lock_shortterm_memory" if lock else "shortterm_memory"
    row = await one_row(connection, _SQL[name], {"external_id": external_id, "memory_id": memory_id})
    return ShorttermRow.model_validate(row) if row else None


async def count_consolidation(connection: Connection, external_id: str, memory_id: int) -> tuple[int, int]:
    """Count a consolidation; returns the short-term memory's id and its count since the last promotion."""
    params = {"external_id": external_id, "memory_id": memory_id}
    row = await first_row(connection, _SQL["count_consolidation"], params)
    return row["id"], row["update_count"]


async def lock_tenant(connection: Connection, external_id: str) -> None:
    """Wait until nobody else changes this tenant's long-term entities; held until the transaction ends."""
    # two tenants that share a key only wait for each other
    key = zlib.crc32(f"agentmem.longterm:{external_id}".encode())
    await connection.execute(_SQL["lock_longterm"], {"key": key})


async def changed_entities(connection: Connection, external_id: str, shortterm_memory_id: int) -> list[EntityRow]:
    """Short-term entities that changed since they were last promoted."""
    params = {"external_id": external_id, "shortterm_memory_id": shortterm_memory_id}
    return [EntityRow.model_validate(row) for row in await all_rows(connection, _SQL["changed_entities"], params)]


async def changed_relationships(
    connection: Connection, external_id: str, shortterm_memory_id: int
) -> list[NamedRelationshipRow]:
    """Short-term relationships that changed since they were last promoted."""
    params = {"external_id": external_id, "shortterm_memory_id": shortterm_memory_id}
    rows = await all_rows(connection, _SQL["changed_relationships"], params)
    return [NamedRelationshipRow.model_validate(row) for row in rows]


async def entities(
    connection: Connection, external_id: str, form_keys: Sequence[str], ids: Sequence[int]
) -> dict[int, EntityRow]:
    """A tenant's long-term entities of these names or ids, by id; several may have one name."""
    params = {"external_id": external_id, "form_keys": list(form_keys), "ids": list(ids)}
    rows = await all_rows(connection, _SQL["longterm_entities"], params)
    return {row["id"]: EntityRow.model_validate(row) for row in rows}


async def relationships_between(
    connection: Connection, external_id: str, entity_ids: Sequence[int]
) -> dict[tuple[int, int], RelationshipRow]:
    """A tenant's long-term relationships by (source, target)."""
    params = {"external_id": external_id, "entity_ids": list(entity_ids)}
    rows = await all_rows(connection, _SQL["longterm_relationships"], params)
    return {(row["source_id"], row["target_id"]): RelationshipRow.model_validate(row) for row in rows}


class ValidEnds(Value):
    """Ends of valid short-term relationships: the keys of their names, and their long-term entities, if promoted."""

    source: str
    target: str
    source_id: int | None
    target_id: int | None


async def valid_ends(connection: Connection, external_id: str, form_keys: Sequence[str]) -> list[ValidEnds]:
    """Between what a tenant has valid short-term relationships, as far as both names are among these."""
    params = {"external_id": external_id, "form_keys": sorted(set(form_keys))}
    return [ValidEnds.model_validate(row) for row in await all_rows(connection, _SQL["valid_ends"], params)]


async def note_promoted(
    connection: Connection,
    external_id: str,
    entities: Sequence[tuple[int, int]],
    relationships: Sequence[tuple[int, int]],
) -> None:
    """Give long-term things their short-term ones' support, and note these as promoted; pairs are (from, to)."""
    for pairs, copy, note in (
        (entities, "copy_entity_mentions", "promoted_entities"),
        (relationships, "copy_relationship_mentions", "promoted_relationships"),
    ):
        if pairs:
            params = {"external_id": external_id, **columns(list(pairs), "from_ids", "to_ids")}
            await connection.execute(_SQL[copy], params)
            await connection.execute(_SQL[note], params)
    await outbox.enqueue_supporting_chunks(
        connection, external_id, entities=[id for id, _ in entities], relationships=[id for id, _ in relationships]
    )


async def keep_apart(connection: Connection, external_id: str, pairs: Sequence[tuple[int, int]]) -> None:
    """Note which short-term entities promotions are not to make one with which others: (entity, other)."""
    if pairs:
        params = columns(list(pairs), "ids", "other_ids")
        await connection.execute(_SQL["keep_apart"], {"external_id": external_id, **params})


async def detach(
    connection: Connection, external_id: str, entities: Sequence[int], relationships: Sequence[int]
) -> None:
    """Part short-term things from their long-term ones, entities for good; the next promotion makes others of them."""
    for name, ids in (("detach_entities", entities), ("detach_relationships", relationships)):
        if ids:
            await connection.execute(_SQL[name], {"external_id": external_id, "ids": list(ids)})


async def entity_parts(connection: Connection, external_id: str, ids: Sequence[int]) -> list[EntityRow]:
    """The short-term entities that long-term ones are made of, oldest first."""
    params = {"external_id": external_id, "ids": list(ids)}
    return [EntityRow.model_validate(row) for row in await all_rows(connection, _SQL["parts_of_entities"], params)]


async def relationship_parts(connection: Connection, external_id: str, ids: Sequence[int]) -> list[RelationshipRow]:
    """The short-term relationships that long-term ones are made of, oldest first."""
    params = {"external_id": external_id, "ids": list(ids)}
    rows = await all_rows(connection, _SQL["parts_of_relationships"], params)
    return [RelationshipRow.model_validate(row) for row in rows]


async def withdraw_support(
    connection: Connection, external_id: str, entities: Sequence[int], relationships: Sequence[int]
) -> None:
    """Take the support from long-term things that none of their parts has."""
    for name, ids in (("withdraw_entity_mentions", entities), ("withdraw_relationship_mentions", relationships)):
        rows = await all_rows(connection, _SQL[name], {"external_id": external_id, "ids": list(ids)}) if ids else []
        await outbox.enqueue_chunks(connection, external_id, (row["chunk_id"] for row in rows))


async def finish(connection: Connection, external_id: str, memory_id: int, entry: Json) -> None:
    """Reset the count of consolidations and append to the promotion history."""
    params = {"external_id": external_id, "memory_id": memory_id, "entry": as_json([entry])}
    await connection.execute(_SQL["finish_promotion"], params)
