"""Makes short-term entities part of long-term ones."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from langgraph_agentmem.models.about import About
from langgraph_agentmem.models.conflict import Decision
from langgraph_agentmem.models.graph_change import EntityPromoted
from langgraph_agentmem.operations.runs.graph_changes import GraphRecorder
from langgraph_agentmem.policies import identity
from langgraph_agentmem.policies.entity_types import incompatible
from langgraph_agentmem.policies.identity import Known
from langgraph_agentmem.storage import graph, longterm
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.graph import EntityRow, NamedRelationshipRow, NewEntity

_Whole = EntityRow | NewEntity


@dataclass
class Joined:
    """What became of short-term entities.

    Attributes:
        ids: The long-term ones by short-term one, those of relationships' ends, too.
        pairs: (short-term, long-term) of what was promoted.
        merged: What has become one with something that was there, for the first time.
        decisions: The report's lines: what was merged, or kept apart from a namesake, and why.
    """

    ids: dict[int, int] = field(default_factory=dict[int, int])
    pairs: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    merged: list[EntityPromoted] = field(default_factory=list[EntityPromoted])
    decisions: list[Decision] = field(default_factory=list[Decision])


async def record(
    connection: Connection,
    external_id: str,
    recorder: GraphRecorder,
    shortterm_memory_id: int,
    relationships: Sequence[NamedRelationshipRow],
) -> Joined:
    """Record how the entities of a short-term memory that have changed become part of long-term ones.

    Args:
        connection: With the lock of the tenant's long-term entities.
        external_id: The tenant.
        recorder: Of the promotion.
        shortterm_memory_id: The short-term memory.
        relationships: Those of it that have changed; their ends are looked up, too.
    """
    changed = {row.id: row for row in await longterm.changed_entities(connection, external_id, shortterm_memory_id)}
    ends = {id for r in relationships for id in (r.source_id, r.target_id)} - changed.keys()
    known, _ = await graph.by_id(connection, external_id, sorted(ends), [])
    rows = sorted([*changed.values(), *known.values()], key=lambda row: row.id)
    wholes = [row.longterm_id for row in rows if row.longterm_id]
    stored = await longterm.entities(connection, external_id, sorted({row.form_key for row in rows}), wholes)
    joined = Joined(ids={row.id: whole for row in rows if (whole := row.longterm_id) in stored and whole})
    # an end that has not changed is joined anew only if its long-term entity is gone
    mine = [row for row in rows if row.id in changed or row.id not in joined.ids]
    new_ids = await graph.allocate_entities(connection, sum(row.id not in joined.ids for row in mine))
    joining = _Joining(recorder, dict(stored), await _parted(connection, external_id, mine), iter(new_ids), joined)
    for position, row in enumerate(mine):
        joining.join(position, row)
    return joined


async def _parted(connection: Connection, external_id: str, rows: Sequence[EntityRow]) -> dict[int, set[int]]:
    """What entities are not to be made one with, in either tier: what parted them holds for both."""
    apart = {row.id: set(row.apart_from) for row in rows}
    others, _ = await graph.by_id(connection, external_id, sorted(set[int]().union(*apart.values())), [])
    for row in rows:
        apart[row.id] |= {o.longterm_id for id in row.apart_from if (o := others.get(id)) and o.longterm_id}
        for other in apart.keys() & set(row.apart_from):
            apart[other].add(row.id)
    return apart


@dataclass
class _Joining:
    recorder: GraphRecorder
    wholes: dict[int, _Whole]
    apart: Mapping[int, set[int]]
    new_ids: Iterator[int]
    joined: Joined

    def join(self, position: int, row: EntityRow) -> None:
        """Make a short-term entity part of a long-term one, which may be a new one."""
        again = self.wholes.get(row.longterm_id or 0)
        namesakes = [whole for whole in self.wholes.values() if whole.form_key == row.form_key]
        whole = again or self._chosen(row, namesakes)
        if whole is None:
            whole = NewEntity(id=next(self.new_ids), name=row.name, traits=row.traits, first_seen=row.first_seen)
            self.wholes[whole.id] = whole
            self.recorder.create_entity(whole)
            if namesakes:
                self._note(position, row, "create", self._against(row, namesakes[0]))
        else:
            reason = "part of it since an earlier promotion" if again else self._for(whole)
            self._note(position, row, "merge", reason)
            self.recorder.merge_entity(whole, row.traits)
            if not again:
                self.joined.merged.append(EntityPromoted(id=whole.id, shortterm_id=row.id))
        self.joined.ids[row.id] = whole.id
        self.joined.pairs.append((row.id, whole.id))

    def _chosen(self, row: EntityRow, namesakes: Sequence[_Whole]) -> _Whole | None:
        known = [Known(id=w.id, types=self._types(w)) for w in namesakes if not self._are_parted(row, w)]
        return self.wholes.get(identity.of_one_name(row.types, known) or 0)

    def _are_parted(self, row: EntityRow, whole: _Whole) -> bool:
        apart = self.apart[row.id]
        # also from what has become part of it in this promotion
        return whole.id in apart or any(self.joined.ids.get(other) == whole.id for other in apart)

    def _types(self, whole: _Whole) -> list[str]:
        return self.recorder.entities.traits(whole).types

    def _for(self, whole: _Whole) -> str:
        return f"the same name as {self._shown(whole)}, and no types that exclude each other"

    def _against(self, row: EntityRow, whole: _Whole) -> str:
        if incompatible(row.types, self._types(whole)):
            return f"the same name as {self._shown(whole)}, but of another kind"
        if self._are_parted(row, whole):
            return f"parted from {self._shown(whole)} by a model, a person or an undo"
        return f"it may be {self._shown(whole)} or another one of that name"

    def _shown(self, whole: _Whole) -> str:
        types = self._types(whole)
        return f"{whole.name!r} ({', '.join(types)})" if types else repr(whole.name)

    def _note(self, position: int, row: EntityRow, action: str, reason: str) -> None:
        about = About.entity(row.name, position)
        self.joined.decisions.append(Decision(about=about, action=action, decided_by="rules", reason=reason))
