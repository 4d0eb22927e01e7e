"""Records changes of entities and relationships, and writes them all at once.

One recorder for consolidation, promotion, review and undo: what is recorded is held back, with the state history, the
support by chunks and the record that an undo reads, and `write` does it in a set number of statements, however much it
is. The outbox of the projection is filled by the statements' own functions in `storage`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, Literal, TypeVar

from langgraph_agentmem.models.base import Json
from langgraph_agentmem.models.entity import ExtractedEntity, ExtractedRelationship, Traits
from langgraph_agentmem.models.graph_change import (
    EntityMerged,
    EntityRemoved,
    GraphChange,
    RelationshipCreated,
    RelationshipEnded,
    RelationshipMerged,
    RelationshipMoved,
    RemovedLink,
)
from langgraph_agentmem.policies import merging, naming
from langgraph_agentmem.storage import graph, support
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.graph import (
    EntityRow,
    HistoryEntry,
    NamedRelationshipRow,
    NewEntity,
    NewRelationship,
    RelationshipRow,
    TraitsUpdate,
)
from langgraph_agentmem.storage.vectors import EmbeddingModel

StoredRow = EntityRow | RelationshipRow
NewRow = TypeVar("NewRow", NewEntity, NewRelationship)


@dataclass(frozen=True)
class Authorship:
    """Who changes the graph.

    Attributes:
        source: How the state history names it.
        origin: What the state history says besides, e.g. `{"run_id": …}`.
        now: The transaction's time.
        run_id: The run that the history belongs to, if it is one.
        shortterm_memory_id: Where new rows belong; None for long-term ones.
    """

    source: str
    origin: Json
    now: datetime
    run_id: str | None = None
    shortterm_memory_id: int | None = None


@dataclass
class _Rows(Generic[NewRow]):
    """New rows of one kind, and what becomes of stored ones."""

    kind: Literal["entity", "relationship"]
    new: dict[int, NewRow] = field(default_factory=dict[int, NewRow])
    changed: dict[int, TraitsUpdate] = field(default_factory=dict[int, TraitsUpdate])
    support: list[tuple[int, int | None, int | None]] = field(default_factory=list[tuple[int, int | None, int | None]])
    unsupport: list[tuple[int, int | None, int | None]] = field(
        default_factory=list[tuple[int, int | None, int | None]]
    )

    def traits(self, row: StoredRow | NewRow) -> Traits:
        """What a row is by now; several new ones may be merged into the same."""
        pending = self.new.get(row.id) or self.changed.get(row.id)
        return pending.traits if pending else row.traits

    def put(self, row: StoredRow | NewRow, traits: Traits) -> None:
        if row.id in self.new:
            self.new[row.id] = self.new[row.id].model_copy(update={"traits": traits})
        elif isinstance(row, EntityRow | RelationshipRow):
            end_date = row.end_date if isinstance(row, RelationshipRow) else None
            # one revision more, however many are merged into the row in this transaction
            changed = self.changed.get(row.id) or TraitsUpdate(
                id=row.id, traits=traits, revision=row.revision + 1, end_date=end_date
            )
            self.changed[row.id] = changed.model_copy(update={"traits": traits})


class GraphRecorder:
    """Takes changes of one transaction, and writes them.

    Attributes:
        entities: New entities, and stored ones that change.
        relationships: New relationships, and stored ones that change.
        changes: The records of what was done, for the run's log; complete once it is written.
    """

    def __init__(
        self,
        connection: Connection,
        external_id: str,
        by: Authorship,
        *,
        language: str,
        embedding_model: EmbeddingModel | None = None,
    ) -> None:
        self._connection = connection
        self._external_id = external_id
        self._by = by
        self._language = language
        self._embedding_model = embedding_model
        self.entities: _Rows[NewEntity] = _Rows[NewEntity]("entity")
        self.relationships: _Rows[NewRelationship] = _Rows[NewRelationship]("relationship")
        self.changes: list[GraphChange] = []
        self._history: list[HistoryEntry] = []
        self._moves: list[tuple[int, int | None, int | None]] = []
        self._ends: list[int] = []
        self._removed_entities: list[tuple[int, int]] = []
        self._removed_relationships: list[tuple[int, int]] = []

    # New rows

    def create_entity(self, new: NewEntity, chunk_ids: Iterable[int] = ()) -> None:
        """A new entity, and the chunks that state it."""
        self.entities.new[new.id] = new
        self._note_traits(self.entities, new.id, None, new.traits)
        self._add_entity_support(new.id, chunk_ids)

    def create_relationship(self, new: NewRelationship, names: tuple[str, str], chunk_ids: Iterable[int] = ()) -> None:
        """A new relationship between entities of these names, and the chunks that state it."""
        self.relationships.new[new.id] = new
        self._note_traits(self.relationships, new.id, None, new.traits)
        self._add_relationship_support(new.id, chunk_ids)
        source, target = names
        self.changes.append(
            RelationshipCreated(
                id=new.id, source=source, target=target, source_id=new.source_id, target_id=new.target_id
            )
        )

    # Merges

    def merge_entity(self, row: EntityRow | NewEntity, new: Traits) -> None:
        """Merge traits into an entity, unless that would change nothing."""
        self._merge(self.entities, row, new, if_changed=True)

    def merge_relationship(self, row: RelationshipRow | NewRelationship, new: Traits) -> None:
        """Merge traits into a relationship, unless that would change nothing."""
        self._merge(self.relationships, row, new, if_changed=True)

    def absorb_entity(
        self, row: EntityRow, new: ExtractedEntity, description: str | None = None, *, replaces: int | None = None
    ) -> None:
        """Let a stored entity become one with a new one; that it is confirmed is a change, too.

        Args:
            row: The stored one.
            new: The new one.
            description: One of both, if somebody wrote one.
            replaces: The row that the new one has; it is to be removed as well.
        """
        # the history keeps the other name, under which the entity was known as well
        other_name = new.name if replaces is None and naming.key(new.name) != row.form_key else None
        self._merge(self.entities, row, new.traits, description, name=other_name)
        self._add_entity_support(row.id, new.chunk_ids)
        self.changes.append(EntityMerged(id=row.id, before=row.traits, absorbed=new, replaces=replaces))

    def absorb_relationship(
        self,
        row: RelationshipRow,
        new: ExtractedRelationship,
        description: str | None = None,
        *,
        replaces: int | None = None,
    ) -> None:
        """Let a stored relationship become one with a new one; the arguments are those of `absorb_entity`."""
        self._merge(self.relationships, row, new.traits, description)
        self._add_relationship_support(row.id, new.chunk_ids)
        self.changes.append(RelationshipMerged(id=row.id, before=row.traits, absorbed=new, replaces=replaces))

    # Splits: the reverse

    def split_entity(self, merged: EntityMerged, row: EntityRow, new_id: int) -> None:
        """Give a merged entity its old traits, and what it had absorbed a row of its own again."""
        self._restore(self.entities, row, merged.before)
        self.bring_back_entity(new_id, merged.absorbed, action="split", apart_from=[row.id])
        self.entities.unsupport += [(chunk_id, row.id, None) for chunk_id in merged.absorbed.chunk_ids]

    def split_relationship(self, merged: RelationshipMerged, row: RelationshipRow, new: NewRelationship) -> None:
        """Give a merged relationship its old traits, and what it had absorbed a row of its own again."""
        self._restore(self.relationships, row, merged.before)
        self.bring_back_relationship(new, merged.absorbed.chunk_ids)
        self._note(self.relationships, new.id, "split")
        self.relationships.unsupport += [(chunk_id, None, row.id) for chunk_id in merged.absorbed.chunk_ids]

    def bring_back_entity(
        self, id: int, entity: ExtractedEntity, *, action: str = "restored", apart_from: Sequence[int] = ()
    ) -> None:
        """An entity that was there before, under a new id; not to be made one with some others."""
        self.entities.new[id] = NewEntity(id=id, name=entity.name, traits=entity.traits, apart_from=list(apart_from))
        self._note(self.entities, id, action)
        self._add_entity_support(id, entity.chunk_ids)

    def bring_back_relationship(self, new: NewRelationship, chunk_ids: Iterable[int]) -> None:
        """A relationship that was there before, under a new id."""
        self.relationships.new[new.id] = new
        self._add_relationship_support(new.id, chunk_ids)

    def reset_entity(self, row: EntityRow, traits: Traits) -> None:
        """Give a stored entity the traits that it has without something that was parted from it."""
        if traits != row.traits:
            self._restore(self.entities, row, traits)

    def reset_relationship(self, row: RelationshipRow, traits: Traits) -> None:
        """Give a stored relationship the traits that it has without something that was parted from it."""
        if traits != row.traits:
            self._restore(self.relationships, row, traits)

    # Validity, ends, removal

    def end(self, relationship_ids: Iterable[int]) -> None:
        """End the validity of relationships; of those that are valid when it is written."""
        self._ends += relationship_ids

    def set_end(
        self,
        row: RelationshipRow | NewRelationship,
        end_date: datetime | None,
        action: Literal["ended", "reopened"] | None = None,
    ) -> None:
        """Give a relationship that changes the end of its validity, None for none.

        Args:
            row: The relationship.
            end_date: When its validity ends.
            action: What this is for the state history; without one, a row that does not change otherwise stays.
        """
        rows = self.relationships
        if action:
            self._note(rows, row.id, action)
            rows.put(row, rows.traits(row))
        if row.id in rows.new:
            rows.new[row.id] = rows.new[row.id].model_copy(update={"end_date": end_date})
        elif row.id in rows.changed:
            rows.changed[row.id] = rows.changed[row.id].model_copy(update={"end_date": end_date})

    def move(self, id: int, source_id: int | None, target_id: int | None) -> None:
        """Move the ends of a relationship to other entities; None leaves an end where it is."""
        self._moves.append((id, source_id, target_id))

    def move_links(self, links: Sequence[NamedRelationshipRow], from_: EntityRow, to: EntityRow) -> None:
        """Move those ends of relationships that are at one entity to another one."""
        for link in links:
            at_source, at_target = link.source_id == from_.id, link.target_id == from_.id
            self.move(link.id, to.id if at_source else None, to.id if at_target else None)
            self.changes.append(
                RelationshipMoved(
                    id=link.id,
                    to_id=to.id,
                    source=from_.name if at_source else None,
                    target=from_.name if at_target else None,
                )
            )

    def remove_entity(
        self,
        row: EntityRow,
        entity: ExtractedEntity,
        links: Sequence[tuple[NamedRelationshipRow, ExtractedRelationship]],
    ) -> None:
        """Remove an entity and all its relationships; those that are valid can be brought back."""
        removed = [
            RemovedLink(
                source_id=None if link.source_id == row.id else link.source_id,
                target_id=None if link.target_id == row.id else link.target_id,
                relationship=relationship,
            )
            for link, relationship in links
            if link.end_date is None
        ]
        self.changes.append(EntityRemoved(id=row.id, entity=entity, links=removed))
        for link, _ in links:
            self.drop_relationship(link)
        self.drop_entity(row)

    def drop_entity(self, row: EntityRow) -> None:
        """Remove an entity's row; without a record, as another one has absorbed it."""
        self._removed_entities.append((row.id, row.revision))

    def drop_relationship(self, row: RelationshipRow) -> None:
        """Remove a relationship's row; without a record."""
        self._removed_relationships.append((row.id, row.revision))

    # What goes with a change

    def _add_entity_support(self, id: int, chunk_ids: Iterable[int]) -> None:
        """Chunks that state an entity."""
        self.entities.support += [(chunk_id, id, None) for chunk_id in chunk_ids]

    def _add_relationship_support(self, id: int, chunk_ids: Iterable[int]) -> None:
        """Chunks that state a relationship."""
        self.relationships.support += [(chunk_id, None, id) for chunk_id in chunk_ids]

    def _merge(
        self,
        rows: _Rows[NewRow],
        row: StoredRow | NewRow,
        new: Traits,
        description: str | None = None,
        *,
        name: str | None = None,
        if_changed: bool = False,
    ) -> None:
        before = rows.traits(row)
        after = merging.merged(before, new, description)
        # promotions merge the same again and again; where nothing changes there is no history to write
        if if_changed and after == before:
            return
        rows.put(row, after)
        self._note_traits(rows, row.id, before, after, {"name": name} if name else {})

    def _restore(self, rows: _Rows[NewRow], row: StoredRow, before: Traits) -> None:
        # of several that were merged into it, the first one's record has what it was before all of them
        if row.id not in rows.changed:
            rows.put(row, before)
            self._note(rows, row.id, "restored")

    def _note(self, rows: _Rows[NewRow], id: int, action: str) -> None:
        self._add_history(rows, id, {"action": action})

    def _note_traits(
        self, rows: _Rows[NewRow], id: int, before: Traits | None, after: Traits, origin: Json | None = None
    ) -> None:
        change = merging.traits_change(before, after, strength=rows.kind == "relationship")
        changed = before is not None and before.description != after.description
        self._add_history(rows, id, {**(origin or {}), **change}, before.description if before and changed else None)

    def _add_history(self, rows: _Rows[NewRow], id: int, change: Json, old_description: str | None = None) -> None:
        by = self._by
        self._history.append(
            HistoryEntry(
                entity_id=id if rows.kind == "entity" else None,
                relationship_id=id if rows.kind == "relationship" else None,
                run_id=by.run_id,
                change=merging.history_entry(by.now, by.source, by.origin, change),
                old_description=old_description,
            )
        )

    async def write(self) -> None:
        """Write what was recorded, once; ended relationships are among the changes only then.

        Whoever calls this holds the lock that guards the rows: of the memory, or of the tenant's long-term ones.
        """
        connection, tenant, shortterm_id = self._connection, self._external_id, self._by.shortterm_memory_id
        # relationships refer to entities, support and history to both, so what is new comes first and what goes, last
        await graph.insert_entities(
            connection,
            tenant,
            list(self.entities.new.values()),
            shortterm_memory_id=shortterm_id,
            language=self._language,
            embedding_model=self._embedding_model and self._embedding_model.id,
        )
        await graph.update_entities(connection, tenant, list(self.entities.changed.values()))
        await self._write_support(self.entities)
        new = list(self.relationships.new.values())
        await graph.insert_relationships(connection, tenant, new, shortterm_memory_id=shortterm_id)
        await graph.update_relationships(connection, tenant, list(self.relationships.changed.values()))
        await self._write_support(self.relationships)
        await graph.move_ends(connection, tenant, self._moves)
        await self._write_ends()
        await graph.add_history(connection, tenant, self._history)
        await support.delete(connection, tenant, "relationship", self._removed_relationships)
        await support.delete(connection, tenant, "entity", self._removed_entities)

    async def _write_support(self, rows: _Rows[NewRow]) -> None:
        await support.remove_mentions(self._connection, self._external_id, rows.unsupport)
        await support.add_mentions(self._connection, self._external_id, rows.support)

    async def _write_ends(self) -> None:
        for id in await graph.end_relationships(self._connection, self._external_id, self._ends):
            self._note(self.relationships, id, "ended")
            self.changes.append(RelationshipEnded(id=id))
