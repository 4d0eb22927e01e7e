"""Undoes what a run superseded or merged."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from langgraph_agentmem.errors import InvalidInputError, RunNotFoundError, UndoConflictError
from langgraph_agentmem.models.base import Json
from langgraph_agentmem.models.review import DisputeKind
from langgraph_agentmem.models.run import ConsolidationRun
from langgraph_agentmem.operations.sections.chunks import catch_up
from langgraph_agentmem.policies import validation
from langgraph_agentmem.policies.merging import Traits
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.storage import chunks, graph, memories, reviews, runs, support
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.graph import HistoryEntry, Merge, NewEntity, NewRelationship, RelationshipRow
from langgraph_agentmem.storage.runs import RunRow

_SOURCE = "undo"


async def undo(resources: Resources, external_id: object, run_id: object) -> ConsolidationRun:
    """Restore what a run superseded or merged; see `Runs.aundo`."""
    tenant, id = validation.tenant(external_id), validation.uuid(run_id, "run_id")
    async with resources.database.transaction(tenant) as connection:
        run = await runs.get(connection, tenant, id)
        if run is None:
            raise RunNotFoundError(f"tenant {tenant!r} has no run {id}")
        await memories.lock_any(connection, tenant, run.memory_id)
        await catch_up(connection, resources, tenant, run.memory_id)
        run = await runs.get(connection, tenant, id, lock=True)
        if run is not None and run.status == "applied" and run.changes is None:
            raise InvalidInputError(
                f"run {id} cannot be undone any more: something that it had remembered was deleted since, and with it "
                "what entities had been before"
            )
        if run is not None and run.status == "applied":
            await _Undo(connection, resources, run).carry_out()
            run = await runs.get(connection, tenant, id)
    if run is None or run.status != "undone":
        raise InvalidInputError(f"run {id} is {run.status if run else 'gone'}; only applied runs can be undone")
    return ConsolidationRun.model_validate(run.model_dump(exclude={"changes"}))


class _Undo:
    def __init__(self, connection: Connection, resources: Resources, run: RunRow) -> None:
        self.connection = connection
        self.resources = resources
        self.run = run
        self.changes: Json = run.changes or {}
        self.now: datetime | None = None
        self.superseded: list[tuple[int, int | None]] = [(a, b) for a, b in self.changes["superseded"]]

    async def carry_out(self) -> None:
        tenant = self.run.external_id
        ids = [id for id, _ in self.superseded]
        await self._refuse_if_changed(ids)
        self.now = await graph.transaction_time(self.connection)
        await chunks.restore(self.connection, tenant, restored=ids, ended=self.changes["written"])
        split = await self._split_entities()
        await self._split_relationships(split)
        await graph.move_ends(self.connection, tenant, self._moved_ends(split))
        await self._reopen()
        await self._bring_back()
        await runs.undone(self.connection, tenant, self.run.id, self.changes)
        await reviews.withdraw(self.connection, tenant, self.run.id)
        await self._reopen_disputes()

    async def _refuse_if_changed(self, ids: list[int]) -> None:
        """Refuse where a later run, itself not undone, changed what this run superseded, wrote or merged."""
        tenant = self.run.external_id
        states = await chunks.states(self.connection, tenant, [*ids, *self.changes["written"]])
        later = {
            state.superseded_by_run
            for state in states.values()
            if (state.id in ids and (not state.ended or (state.id, state.superseded_by) not in self.superseded))
            or (state.id not in ids and state.ended)
        }
        entities = [item["id"] for item in self.changes["entities"]]
        links = [item["id"] for item in (*self.changes["relationships"], *self.changes["ended"])]
        later |= set(_runs_after(await graph.histories(self.connection, tenant, entities, links), self.run.id))
        named = [run.id for run in await self._later_runs() if run.id in later and run.status != "undone"]
        if named:
            raise UndoConflictError(self.run.id, named)

    async def _later_runs(self) -> list[ConsolidationRun]:
        found = await runs.list_all(
            self.connection, self.run.external_id, memory_id=self.run.memory_id, status=None, limit=10_000
        )
        return [run for run in reversed(found) if run.started_at > self.run.started_at]

    async def _split_entities(self) -> dict[str, int]:
        """Give merged entities their old traits, and what was merged into them a row of its own again."""
        tenant = self.run.external_id
        stored, _ = await graph.by_id(self.connection, tenant, [item["id"] for item in self.changes["entities"]], [])
        items: Sequence[Json] = [item for item in self.changes["entities"] if item["id"] in stored]
        first = {item["id"]: item for item in reversed(items)}
        merges = [
            Merge(id=id, traits=Traits.model_validate(item["before"]), revision=stored[id].revision + 1)
            for id, item in first.items()
        ]
        await graph.update_entities(self.connection, tenant, merges)
        ids = await graph.allocate_entities(self.connection, len(items))
        new = [
            NewEntity(id=id, name=item["active"]["name"], traits=_traits(item["active"], "importance"))
            for id, item in zip(ids, items, strict=True)
        ]
        await graph.insert_entities(
            self.connection,
            tenant,
            new,
            shortterm_memory_id=self.run.report and self.run.report.shortterm_memory_id,
            config=self.resources.settings.text_search_config,
            embedding_model=None,
        )
        supported = [
            (c, item["id"], id) for id, item in zip(ids, items, strict=True) for c in item["active"]["chunk_ids"]
        ]
        await support.remove_mentions(self.connection, tenant, [(chunk, old, None) for chunk, old, _ in supported])
        await support.add_mentions(self.connection, tenant, [(chunk, new, None) for chunk, _, new in supported])
        entries = [HistoryEntry(entity_id=id, run_id=self.run.id, change=self._entry("split")) for id in ids]
        entries += [HistoryEntry(entity_id=m.id, run_id=self.run.id, change=self._entry("restored")) for m in merges]
        await graph.add_history(self.connection, tenant, entries)
        await self._replace("entity", items, ids)
        return {item["active"]["name"].casefold(): id for id, item in zip(ids, items, strict=True)}

    async def _split_relationships(self, split: dict[str, int]) -> None:
        tenant = self.run.external_id
        _, stored = await graph.by_id(self.connection, tenant, [], [i["id"] for i in self.changes["relationships"]])
        items: Sequence[Json] = [item for item in self.changes["relationships"] if item["id"] in stored]
        first = {item["id"]: item for item in reversed(items)}
        merges = [self._restored(stored[id], item) for id, item in first.items()]
        await graph.update_relationships(self.connection, tenant, merges)
        ids = await graph.allocate_relationships(self.connection, len(items))
        new = [
            NewRelationship(
                id=id,
                source_id=split.get(item["active"]["source"].casefold(), stored[item["id"]].source_id),
                target_id=split.get(item["active"]["target"].casefold(), stored[item["id"]].target_id),
                traits=_traits(item["active"], "strength"),
            )
            for id, item in zip(ids, items, strict=True)
        ]
        shortterm_id = self.run.report and self.run.report.shortterm_memory_id
        await graph.insert_relationships(self.connection, tenant, new, shortterm_memory_id=shortterm_id)
        await self._replace("relationship", items, ids)
        supported = [
            (c, item["id"], id) for id, item in zip(ids, items, strict=True) for c in item["active"]["chunk_ids"]
        ]
        await support.remove_mentions(self.connection, tenant, [(chunk, None, old) for chunk, old, _ in supported])
        await support.add_mentions(self.connection, tenant, [(chunk, None, new) for chunk, _, new in supported])
        entries = [HistoryEntry(relationship_id=id, run_id=self.run.id, change=self._entry("split")) for id in ids]
        entries += [
            HistoryEntry(relationship_id=m.id, run_id=self.run.id, change=self._entry("restored")) for m in merges
        ]
        await graph.add_history(self.connection, tenant, entries)

    def _moved_ends(self, split: dict[str, int]) -> list[tuple[int, int | None, int | None]]:
        """(relationship, new source, new target) of those that the run created at entities that are parted now."""
        return [
            (item["id"], split.get(item["source"].casefold()), split.get(item["target"].casefold()))
            for item in self.changes["created"]
            if {item["source"].casefold(), item["target"].casefold()} & split.keys()
        ]

    def _restored(self, row: RelationshipRow, item: Json) -> Merge:
        traits = Traits.model_validate(item["before"])
        return Merge(id=row.id, traits=traits, revision=row.revision + 1, end_date=row.end_date)

    async def _reopen(self) -> None:
        tenant = self.run.external_id
        ids = [item["id"] for item in self.changes["ended"]]
        _, rows = await graph.by_id(self.connection, tenant, [], ids)
        merges = [Merge(id=row.id, traits=row.traits, revision=row.revision + 1) for row in rows.values()]
        await graph.update_relationships(self.connection, tenant, merges)
        entries = [HistoryEntry(relationship_id=id, run_id=self.run.id, change=self._entry("reopened")) for id in ids]
        await graph.add_history(self.connection, tenant, entries)

    async def _bring_back(self) -> None:
        """Make entities that a review has removed anew, with the relationships that they took part in."""
        tenant, removed = self.run.external_id, self.changes.get("removed", [])
        if not removed:
            return
        shortterm_id = self.run.report and self.run.report.shortterm_memory_id
        ids = await graph.allocate_entities(self.connection, len(removed))
        actives = [item["active"] for item in removed]
        entities = [
            NewEntity(id=id, name=active["name"], traits=_traits(active, "importance"))
            for id, active in zip(ids, actives, strict=True)
        ]
        config = self.resources.settings.text_search_config
        await graph.insert_entities(
            self.connection, tenant, entities, shortterm_memory_id=shortterm_id, config=config, embedding_model=None
        )
        links = [(id, link) for id, item in zip(ids, removed, strict=True) for link in item["links"]]
        others = {end for _, link in links for end in (link["source_id"], link["target_id"]) if end}
        there, _ = await graph.by_id(self.connection, tenant, sorted(others), [])
        links = [(id, k) for id, k in links if {k["source_id"], k["target_id"]} - {None} <= there.keys()]
        link_ids = await graph.allocate_relationships(self.connection, len(links))
        relationships = [
            NewRelationship(
                id=link_id,
                source_id=link["source_id"] or id,
                target_id=link["target_id"] or id,
                traits=_traits(link["active"], "strength"),
            )
            for link_id, (id, link) in zip(link_ids, links, strict=True)
        ]
        await graph.insert_relationships(self.connection, tenant, relationships, shortterm_memory_id=shortterm_id)
        supported: list[tuple[int, int | None, int | None]] = [
            (chunk, id, None) for id, active in zip(ids, actives, strict=True) for chunk in active["chunk_ids"]
        ]
        supported += [
            (chunk, None, link_id)
            for link_id, (_, link) in zip(link_ids, links, strict=True)
            for chunk in link["active"]["chunk_ids"]
        ]
        await support.add_mentions(self.connection, tenant, supported)
        entries = [HistoryEntry(entity_id=id, run_id=self.run.id, change=self._entry("restored")) for id in ids]
        await graph.add_history(self.connection, tenant, entries)
        await self._replace("entity", removed, ids)

    async def _reopen_disputes(self) -> None:
        """Where the run was a review: what it had decided is open again, unless the run that parked it is undone."""
        reviewed = self.run.report and self.run.report.review_of
        if reviewed:
            await reviews.reopen(self.connection, self.run.external_id, self.run.id)
            parked_by = await runs.get(self.connection, self.run.external_id, reviewed)
            if parked_by is None or parked_by.status == "undone":
                await reviews.withdraw(self.connection, self.run.external_id, reviewed)

    async def _replace(self, kind: DisputeKind, items: Sequence[Json], ids: Sequence[int]) -> None:
        """Let the disputes that a review had decided name what is there now in place of what it had removed."""
        replaced: list[tuple[DisputeKind, int, int]] = [
            (kind, item["replaces"], id) for item, id in zip(items, ids, strict=True) if "replaces" in item
        ]
        await reviews.replace(self.connection, self.run.external_id, self.run.memory_id, replaced)

    def _entry(self, action: str) -> Json:
        return {
            "timestamp": self.now and self.now.isoformat(),
            "source": _SOURCE,
            "run_id": self.run.id,
            "action": action,
        }


def _traits(active: dict[str, Any], weight: str) -> Traits:
    return Traits(
        types=active["types"],
        description=active["description"],
        confidence=active["confidence"],
        weight=active[weight],
    )


def _runs_after(history: Iterable[HistoryEntry], run_id: str) -> list[str]:
    """The runs that wrote history after a run did."""
    later: list[str] = []
    seen = False
    for entry in history:
        seen = seen or entry.run_id == run_id
        if seen and entry.run_id not in (None, run_id):
            later.append(str(entry.run_id))
    return later
