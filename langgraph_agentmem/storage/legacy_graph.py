"""Entities and relationships of an older three-tier system, as they are written here, and what chunks name them."""

from collections.abc import Mapping, Sequence

from langgraph_agentmem.models.base import Json
from langgraph_agentmem.models.item import Namespace
from langgraph_agentmem.models.legacy_graph import (
    EntityKey,
    LegacyEntity,
    LegacyRelationship,
    LegacyThing,
    PresentThing,
)
from langgraph_agentmem.policies.words import dimension, reader
from langgraph_agentmem.storage import outbox
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.driver.rows import all_rows, as_array, as_json, columns
from langgraph_agentmem.storage.driver.statements import statements

_SQL = statements("legacy_graph")


async def shortterm_ids(
    connection: Connection, external_id: str, namespaces: Sequence[Namespace]
) -> dict[Namespace, int]:
    """The ids of the short-term memories of open memories, by their namespaces."""
    params: Json = {"external_id": external_id, "namespaces": [as_array(namespace) for namespace in namespaces]}
    rows = await all_rows(connection, _SQL["shortterm_ids"], params) if namespaces else []
    return {tuple(row["namespace"]): row["id"] for row in rows}


async def present_entities(
    connection: Connection, external_id: str, keys: Sequence[EntityKey]
) -> dict[EntityKey, PresentThing]:
    """What imports have written of entities of the source."""
    rows = [(place, legacy_id, name, name.casefold()) for place, (legacy_id, name) in enumerate(keys)]
    params = columns(rows, "places", "legacy_ids", "names", "name_keys")
    found: dict[EntityKey, PresentThing] = {}
    for row in await all_rows(connection, _SQL["present_entities"], {"external_id": external_id, **params}):
        place: int = row["place"]
        found.setdefault(keys[place], PresentThing.model_validate(row))
    return found


async def present_relationships(
    connection: Connection, external_id: str, ends: Sequence[tuple[int, int]]
) -> dict[tuple[int, int], PresentThing]:
    """What stands between entities: any long-term relationship, and short-term ones that imports have written."""
    rows = [(place, source, target) for place, (source, target) in enumerate(ends)]
    params = columns(rows, "places", "source_ids", "target_ids")
    found: dict[tuple[int, int], PresentThing] = {}
    # an undo or a review may have moved a second one there: the first is the import's
    for row in await all_rows(connection, _SQL["present_relationships"], {"external_id": external_id, **params}):
        place: int = row["place"]
        found.setdefault(ends[place], PresentThing.model_validate(row))
    return found


async def mark_entities(
    connection: Connection, external_id: str, written: Mapping[int, LegacyEntity], revisions: Mapping[int, int]
) -> None:
    """Note what entities that were just written were in the source, and which revision the import has made.

    Args:
        connection: In a transaction that holds their locks.
        external_id: The tenant.
        written: By their ids.
        revisions: Of those that are not new.
    """
    rows = [(id, _mark(e, revisions.get(id, 1)), e.last_seen) for id, e in written.items()]
    params = columns(rows, "ids", "marks", "last_seens")
    await connection.execute(_SQL["mark_entities"], {"external_id": external_id, **params})


async def mark_relationships(
    connection: Connection, external_id: str, written: Mapping[int, LegacyRelationship], revisions: Mapping[int, int]
) -> None:
    """Note what relationships that were just written were in the source; see `mark_entities`."""
    rows = [(id, _mark(relationship, revisions.get(id, 1))) for id, relationship in written.items()]
    params = columns(rows, "ids", "marks")
    await connection.execute(_SQL["mark_relationships"], {"external_id": external_id, **params})


def _mark(thing: LegacyThing, revision: int) -> str:
    """What metadata keep: by the revision, it is told whether anybody else has changed the thing since."""
    return as_json(
        {"legacy_id": thing.legacy_id, "imported_revision": revision, "imported_history": len(thing.history)}
    )


async def link_entities(connection: Connection, external_id: str, names: Mapping[int, str], *, language: str) -> None:
    """Let imported chunks support the entities that they name.

    Args:
        connection: In a transaction that holds the locks of short-term ones' memories, and then the tenant's.
        external_id: The tenant.
        names: Of the entities, by id.
        language: Of the names.
    """
    words = reader(language)
    # what every chunk that says the name holds, by which an index finds them
    said = {
        id: sorted({dimension(word.text) for word in words.words(name) if not word.part and not word.empty})
        for id, name in names.items()
    }
    params = columns([(id, as_array(dimensions)) for id, dimensions in said.items()], "ids", "words")
    await _linked(connection, external_id, "link_entities", params)


async def link_relationships(connection: Connection, external_id: str, ids: Sequence[int]) -> None:
    """Let imported chunks that name both ends of relationships support these; see `link_entities`."""
    await _linked(connection, external_id, "link_relationships", {"ids": list(ids)})


async def _linked(connection: Connection, external_id: str, name: str, params: Json) -> None:
    rows = await all_rows(connection, _SQL[name], {"external_id": external_id, **params})
    await outbox.enqueue_chunks(connection, external_id, (row["chunk_id"] for row in rows))
