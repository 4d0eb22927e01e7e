"""Takes in the entities of an older system, so that they are found as those that are extracted here."""

from collections.abc import Mapping, Sequence

from psycopg.rows import DictRow

from langgraph_agentmem.models.entity import GraphTier
from langgraph_agentmem.models.legacy import LegacyRow
from langgraph_agentmem.models.legacy_graph import EntityKey, LegacyEntity, PresentThing
from langgraph_agentmem.operations.imports.legacy import sources, writing
from langgraph_agentmem.operations.imports.legacy.graph import LegacyGraph, Spool
from langgraph_agentmem.operations.imports.running import WRITTEN, Tally, nobodys
from langgraph_agentmem.policies import legacy_graph as policy
from langgraph_agentmem.policies.importing import Fate
from langgraph_agentmem.policies.ownership import Ownership
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.storage import graph, longterm, sections
from langgraph_agentmem.storage import legacy as tables
from langgraph_agentmem.storage import legacy_graph as storage
from langgraph_agentmem.storage.driver.connections import Connection, retrying_deadlocks
from langgraph_agentmem.storage.graph import NewEntity, TraitsUpdate

_Vectors = Mapping[str, list[float]]


class Entities:
    """Takes the entities of a tier in; see `running.Intake`.

    Args:
        resources: The open memory's.
        ownership: Where namespaces name their tenant.
        older: The graph that they are in.
        tier: Theirs.
    """

    def __init__(self, resources: Resources, ownership: Ownership, older: LegacyGraph, tier: GraphTier) -> None:
        self._resources = resources
        self._ownership = ownership
        self._older = older
        self._tier: GraphTier = tier
        self._what = f"{tier} entity"

    async def rows(self, connection: Connection) -> Spool:
        """See `Intake`."""
        return await self._older.rows(connection, "entities", self._tier)

    async def take(self, rows: Sequence[DictRow], tally: Tally) -> None:
        """See `Intake`."""
        for tenant, wanted in sources.read(rows, tally, self._what, self._read).items():
            tally.belongs(tenant)
            fates = _fates(wanted, await self._present(tenant, wanted))
            if behind := [entity for entity in wanted if fates[entity.key] in WRITTEN]:
                fates |= await self._written(tenant, behind, fates)
            await self._link(tenant, wanted)
            tally.became(fates.values())

    async def compare(self, rows: Sequence[DictRow], tally: Tally) -> None:
        """See `Intake`."""
        for tenant, wanted in sources.read(rows, nobodys(), self._what, self._read).items():
            present = await self._present(tenant, wanted)
            for entity in wanted:
                writing.compare(entity, present.get(entity.key), tally)

    def _read(self, row: LegacyRow) -> tuple[str, LegacyEntity] | None:
        if self._older.is_others(row):
            return None
        entity, redactor = self._older.reader(self._tier).entity(row), self._resources.redactor
        for name in (entity.name, *(label for label in entity.namespace or () if label != entity.tenant)):
            redactor.name(name, "a name or label")
        return entity.tenant, writing.redacted(redactor, entity)

    async def _present(self, tenant: str, wanted: Sequence[LegacyEntity]) -> dict[EntityKey, PresentThing]:
        async with self._resources.database.connection(tenant) as connection:
            return await storage.present_entities(connection, tenant, [entity.key for entity in wanted])

    async def _written(
        self, tenant: str, wanted: Sequence[LegacyEntity], fates: Mapping[EntityKey, Fate]
    ) -> dict[EntityKey, Fate]:
        """Write entities, and return what has become of them."""
        new = [entity for entity in wanted if fates[entity.key] == "new" and entity.namespace]
        vectors = await self._vectors([entity.name for entity in new])

        async def attempt() -> dict[EntityKey, Fate]:
            return await self._attempt(tenant, wanted, vectors)

        return await retrying_deadlocks(attempt)

    async def _vectors(self, names: Sequence[str]) -> _Vectors:
        """Short-term entities' names' vectors, by which runs find those that mean the same."""
        embedder = self._resources.embedder
        return dict(zip(names, await embedder.embed(names), strict=True)) if embedder and names else {}

    async def _attempt(self, tenant: str, wanted: Sequence[LegacyEntity], vectors: _Vectors) -> dict[EntityKey, Fate]:
        """Write in a transaction what is still to be written behind the locks."""
        namespaces = sorted({entity.namespace for entity in wanted if entity.namespace})
        model = await self._resources.embedding_model() if vectors else None
        async with self._resources.database.transaction(tenant) as connection:
            if namespaces:
                await sections.make_missing(connection, tenant, namespaces, self._ownership.title)
                ids = await sections.lock_memories(connection, tenant, namespaces)
                await tables.insert_shortterm(connection, tenant, [(id, None) for id in ids.values()])
            await longterm.lock_tenant(connection, tenant)
            present = await storage.present_entities(connection, tenant, [entity.key for entity in wanted])
            fates = _fates(wanted, present)
            known = {present[e.key].id: e for e in wanted if fates[e.key] == "newer"}
            revisions = {thing.id: thing.revision + 1 for thing in present.values()}
            updates = [TraitsUpdate(id=id, traits=e.traits, revision=revisions[id]) for id, e in known.items()]
            await graph.update_entities(connection, tenant, updates)
            new = [entity for entity in wanted if fates[entity.key] == "new"]
            made = await self._insert(connection, tenant, new, vectors, model and model.id)
            await storage.mark_entities(connection, tenant, known | made, revisions)
            counts = {thing.id: thing.imported_history for thing in present.values()}
            await writing.add_history(connection, tenant, known | made, counts)
            return fates

    async def _insert(
        self,
        connection: Connection,
        tenant: str,
        new: Sequence[LegacyEntity],
        vectors: _Vectors,
        embedding_model: int | None,
    ) -> dict[int, LegacyEntity]:
        """Insert entities, each into its short-term memory; returns them by their ids here."""
        namespaces = sorted({entity.namespace for entity in new if entity.namespace})
        shortterm = await storage.shortterm_ids(connection, tenant, namespaces)
        made = dict(zip(await graph.allocate_entities(connection, len(new)), new, strict=True))
        for namespace in dict.fromkeys(entity.namespace for entity in new):
            rows = [
                NewEntity(id=id, name=e.name, traits=e.traits, first_seen=e.first_seen, embedding=vectors.get(e.name))
                for id, e in made.items()
                if e.namespace == namespace
            ]
            await graph.insert_entities(
                connection,
                tenant,
                rows,
                shortterm_memory_id=None if namespace is None else shortterm[namespace],
                language=self._resources.settings.text_search_config,
                embedding_model=embedding_model,
            )
        return made

    async def _link(self, tenant: str, wanted: Sequence[LegacyEntity]) -> None:
        """Let chunks that an import has written, maybe since the entities, support these."""
        language = self._resources.settings.text_search_config

        async def attempt() -> None:
            async with self._resources.database.transaction(tenant) as connection:
                present = await storage.present_entities(connection, tenant, [entity.key for entity in wanted])
                await writing.lock(connection, tenant, present.values())
                names = {thing.id: name for (_, name), thing in present.items()}
                await storage.link_entities(connection, tenant, names, language=language)

        await retrying_deadlocks(attempt)


def _fates(wanted: Sequence[LegacyEntity], present: Mapping[EntityKey, PresentThing]) -> dict[EntityKey, Fate]:
    return {entity.key: policy.fate(entity, present.get(entity.key)) for entity in wanted}
