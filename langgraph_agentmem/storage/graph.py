"""Entities, relationships, their support and their history."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import Field

from langgraph_agentmem.models.base import Json, Value
from langgraph_agentmem.models.conflict import StoredEntity, StoredRelationship
from langgraph_agentmem.models.entity import Entity, GraphTier, Relationship, Traits
from langgraph_agentmem.policies import naming
from langgraph_agentmem.policies.words import reader
from langgraph_agentmem.storage import outbox, reviews
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.driver.rows import all_rows, as_array, as_json, as_vector, columns, first_row, one_row
from langgraph_agentmem.storage.driver.statements import statements

_SQL = statements("graph")


class EntityRow(StoredEntity):
    """A stored entity."""

    form_key: str
    first_seen: datetime
    shortterm_memory_id: int | None = None
    longterm_id: int | None = None
    apart_from: list[int] = Field(default_factory=list[int])
    embedding_model: int | None = None

    @property
    def traits(self) -> Traits:
        """What merging changes."""
        return Traits(
            types=self.types, description=self.description, confidence=self.confidence, weight=self.importance
        )


class RelationshipRow(Value):
    """A stored relationship."""

    id: int
    source_id: int
    target_id: int
    types: list[str]
    description: str
    confidence: float
    strength: float
    start_date: datetime
    end_date: datetime | None
    revision: int
    shortterm_memory_id: int | None = None
    longterm_id: int | None = None

    @property
    def traits(self) -> Traits:
        """What merging changes."""
        return Traits(types=self.types, description=self.description, confidence=self.confidence, weight=self.strength)


class NamedRelationshipRow(RelationshipRow):
    """A stored relationship with the names of its ends."""

    source: str
    target: str
    source_key: str
    target_key: str


class NewEntity(Value):
    """An entity to be inserted."""

    id: int
    name: str
    traits: Traits
    first_seen: datetime | None = None
    embedding: list[float] | None = None
    apart_from: list[int] = Field(default_factory=list[int])

    @property
    def form_key(self) -> str:
        """What names that differ in form only have in common."""
        return naming.key(self.name)


class NewRelationship(Value):
    """A relationship to be inserted."""

    id: int
    source_id: int
    target_id: int
    traits: Traits
    start_date: datetime | None = None
    end_date: datetime | None = None


class TraitsUpdate(Value):
    """New traits for a stored entity or relationship, and the revision that this makes."""

    id: int
    traits: Traits
    revision: int
    end_date: datetime | None = None


class HistoryEntry(Value):
    """A line of state history, of an entity or of a relationship; with the description that the change replaced."""

    entity_id: int | None = None
    relationship_id: int | None = None
    run_id: str | None = None
    change: Json
    old_description: str | None = None


async def entities_of(connection: Connection, external_id: str, shortterm_memory_id: int) -> list[EntityRow]:
    """The entities of a short-term memory."""
    params = {"external_id": external_id, "shortterm_memory_id": shortterm_memory_id}
    return [EntityRow.model_validate(row) for row in await all_rows(connection, _SQL["shortterm_entities"], params)]


async def similarities(
    connection: Connection,
    external_id: str,
    shortterm_memory_id: int,
    vectors: Sequence[list[float]],
    embedding_model: int,
    limit: int,
) -> list[dict[int, float]]:
    """For each vector of a name, the cosine to the closest short-term entities' names, by entity id."""
    params: dict[str, Any] = {"external_id": external_id, "shortterm_memory_id": shortterm_memory_id, "limit": limit}
    params |= {"embedding_model": embedding_model, "indexes": list(range(len(vectors)))}
    params["embeddings"] = [as_vector(vector) for vector in vectors]
    by_vector: list[dict[int, float]] = [{} for _ in vectors]
    for row in await all_rows(connection, _SQL["entity_similarities"], params):
        by_vector[row["index"]][row["id"]] = row["similarity"]
    return by_vector


async def relationships_from(
    connection: Connection, external_id: str, shortterm_memory_id: int, names: Sequence[str]
) -> list[StoredRelationship]:
    """The valid relationships of a short-term memory that start at entities of these names."""
    params: dict[str, Any] = {"external_id": external_id, "shortterm_memory_id": shortterm_memory_id}
    params["form_keys"] = sorted({naming.key(name) for name in names})
    rows = await all_rows(connection, _SQL["shortterm_relationships"], params)
    return [StoredRelationship.model_validate(row) for row in rows]


async def allocate_entities(connection: Connection, count: int) -> list[int]:
    """Ids for entities to be inserted."""
    rows = await all_rows(connection, _SQL["allocate_entity_ids"], {"count": count}) if count else []
    return [row["id"] for row in rows]


async def allocate_relationships(connection: Connection, count: int) -> list[int]:
    """Ids for relationships to be inserted."""
    rows = await all_rows(connection, _SQL["allocate_relationship_ids"], {"count": count}) if count else []
    return [row["id"] for row in rows]


async def insert_entities(
    connection: Connection,
    external_id: str,
    entities: Sequence[NewEntity],
    *,
    shortterm_memory_id: int | None,
    language: str,
    embedding_model: int | None,
) -> None:
    """Insert entities: short-term ones of a memory, or long-term ones of the tenant; their names are of a language."""
    if not entities:
        return
    words = reader(language)
    rows = [
        (
            e.id, e.name, e.name.casefold(), e.form_key, as_json(e.traits.types), e.traits.description,
            e.traits.confidence, e.traits.weight, e.first_seen, as_json(e.apart_from), as_vector(e.embedding),
            as_array(sorted({word.text for word in words.asked(e.name) if not word.part})),
        )
        for e in entities
    ]  # fmt: skip
    names = (
        "ids names name_keys form_keys types descriptions confidences importances first_seens aparts embeddings "
        "name_words"
    )
    params = {
        "external_id": external_id,
        "tier": _tier(shortterm_memory_id),
        "shortterm_memory_id": shortterm_memory_id,
        "embedding_model": embedding_model,
        **columns(rows, *names.split()),
    }
    await connection.execute(_SQL["insert_entities"], params)
    await outbox.enqueue(connection, external_id, "entity", ((entity.id, 1) for entity in entities))


async def update_entities(connection: Connection, external_id: str, updates: Sequence[TraitsUpdate]) -> None:
    """Give entities their new traits."""
    if not updates:
        return
    rows = [
        (u.id, as_json(u.traits.types), u.traits.description, u.traits.confidence, u.traits.weight) for u in updates
    ]
    params = columns(rows, "ids", "types", "descriptions", "confidences", "importances")
    await connection.execute(_SQL["update_entities"], {"external_id": external_id, **params})
    await outbox.enqueue(connection, external_id, "entity", ((u.id, u.revision) for u in updates))


async def insert_relationships(
    connection: Connection,
    external_id: str,
    relationships: Sequence[NewRelationship],
    *,
    shortterm_memory_id: int | None,
) -> None:
    """Insert relationships: short-term ones of a memory, or long-term ones of the tenant."""
    if not relationships:
        return
    rows = [
        (
            r.id, r.source_id, r.target_id, as_json(r.traits.types), r.traits.description, r.traits.confidence,
            r.traits.weight, r.start_date, r.end_date,
        )
        for r in relationships
    ]  # fmt: skip
    names = "ids source_ids target_ids types descriptions confidences strengths start_dates end_dates"
    params = {
        "external_id": external_id,
        "tier": _tier(shortterm_memory_id),
        "shortterm_memory_id": shortterm_memory_id,
        **columns(rows, *names.split()),
    }
    await connection.execute(_SQL["insert_relationships"], params)
    await outbox.enqueue(connection, external_id, "relationship", ((r.id, 1) for r in relationships))


async def update_relationships(connection: Connection, external_id: str, updates: Sequence[TraitsUpdate]) -> None:
    """Give relationships their new traits and validity."""
    if not updates:
        return
    rows = [
        (u.id, as_json(u.traits.types), u.traits.description, u.traits.confidence, u.traits.weight, u.end_date)
        for u in updates
    ]
    params = columns(rows, "ids", "types", "descriptions", "confidences", "strengths", "end_dates")
    await connection.execute(_SQL["update_relationships"], {"external_id": external_id, **params})
    await outbox.enqueue(connection, external_id, "relationship", ((u.id, u.revision) for u in updates))


async def move_ends(
    connection: Connection, external_id: str, moves: Sequence[tuple[int, int | None, int | None]]
) -> None:
    """Move the ends of relationships to other entities: (relationship, new source or None, new target or None)."""
    if moves:
        params = columns(list(moves), "ids", "source_ids", "target_ids")
        rows = await all_rows(connection, _SQL["move_ends"], {"external_id": external_id, **params})
        await outbox.enqueue(connection, external_id, "relationship", ((row["id"], row["revision"]) for row in rows))


async def end_relationships(connection: Connection, external_id: str, ids: Sequence[int]) -> list[int]:
    """End the validity of relationships; returns the ids of those that were valid."""
    if not ids:
        return []
    rows = await all_rows(connection, _SQL["end_relationships"], {"external_id": external_id, "ids": list(ids)})
    await outbox.enqueue(connection, external_id, "relationship", ((row["id"], row["revision"]) for row in rows))
    return [row["id"] for row in rows]


async def links_of(connection: Connection, external_id: str, entity_ids: list[int]) -> list[NamedRelationshipRow]:
    """The relationships that entities take part in, ended ones too."""
    params = {"external_id": external_id, "ids": entity_ids}
    rows = await all_rows(connection, _SQL["links_of"], params) if entity_ids else []
    return [NamedRelationshipRow.model_validate(row) for row in rows]


async def add_history(connection: Connection, external_id: str, entries: Sequence[HistoryEntry]) -> None:
    """Append to the state history; the entries come from one run, or from none."""
    if entries:
        rows = [(e.entity_id, e.relationship_id, as_json(e.change), e.old_description) for e in entries]
        params = columns(rows, "entity_ids", "relationship_ids", "changes", "old_descriptions")
        await connection.execute(
            _SQL["insert_history"], {"external_id": external_id, "run_id": entries[0].run_id, **params}
        )


async def by_id(
    connection: Connection, external_id: str, entity_ids: list[int], relationship_ids: list[int]
) -> tuple[dict[int, EntityRow], dict[int, RelationshipRow]]:
    """Entities and relationships by id."""
    # both are sent before either is read: within a transaction, that is one round trip
    entities = await connection.execute(_SQL["entities_by_id"], {"external_id": external_id, "ids": entity_ids})
    relationships = await connection.execute(
        _SQL["relationships_by_id"], {"external_id": external_id, "ids": relationship_ids}
    )
    return (
        {row["id"]: EntityRow.model_validate(row) for row in await entities.fetchall()},
        {row["id"]: RelationshipRow.model_validate(row) for row in await relationships.fetchall()},
    )


async def histories(
    connection: Connection, external_id: str, entity_ids: list[int], relationship_ids: list[int]
) -> list[HistoryEntry]:
    """The state histories of entities and relationships, oldest first."""
    params = {"external_id": external_id, "entity_ids": entity_ids, "relationship_ids": relationship_ids}
    return [HistoryEntry.model_validate(row) for row in await all_rows(connection, _SQL["histories"], params)]


async def find_entity(
    connection: Connection, external_id: str, *, entity_id: int | None, name: str | None, tier: GraphTier | None
) -> Entity | None:
    """An entity by id or by name, with its relationships and histories.

    Of several, a long-term one, of which the extractor was most confident, the oldest.
    """
    params = {"external_id": external_id, "entity_id": entity_id, "tier": tier}
    params["form_key"] = None if name is None else naming.key(name)
    row = await one_row(connection, _SQL["entities"], params)
    if row is None:
        return None
    params = {"external_id": external_id, "entity_id": row["id"]}
    relationships = await all_rows(connection, _SQL["relationships_of"], params)
    history = await histories(connection, external_id, [row["id"]], [r["id"] for r in relationships])
    disputed = await reviews.disputed(connection, external_id, [row["id"]], [r["id"] for r in relationships])
    place = {name: row[name] for name in ("form_key", "tier", "shortterm_memory_id")}
    namesakes = await all_rows(connection, _SQL["namesakes"], {**params, **place})
    return Entity.model_validate(
        {
            **row,
            "metadata": row["metadata"] | {"state_history": [e.change for e in history if e.entity_id == row["id"]]},
            "disputed": ("entity", row["id"]) in disputed,
            "namesakes": [namesake["id"] for namesake in namesakes],
            "relationships": [
                _with_history({**r, "disputed": ("relationship", r["id"]) in disputed}, history) for r in relationships
            ],
        }
    )


def _with_history(row: dict[str, Any], history: list[HistoryEntry]) -> Relationship:
    changes = [entry.change for entry in history if entry.relationship_id == row["id"]]
    return Relationship.model_validate({**row, "metadata": row["metadata"] | {"state_history": changes}})


def _tier(shortterm_memory_id: int | None) -> GraphTier:
    return "longterm" if shortterm_memory_id is None else "shortterm"


async def transaction_time(connection: Connection) -> datetime:
    """The transaction's time, by the database's clock."""
    return (await first_row(connection, _SQL["now"], {}))["now"]
