"""Writes what a source holds as items, unless somebody else has written there, and compares them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from psycopg.rows import DictRow

from langgraph_agentmem.errors import InvalidInputError
from langgraph_agentmem.models.base import Json
from langgraph_agentmem.models.imported import IncomingItem, PresentItem
from langgraph_agentmem.models.item import ItemKey
from langgraph_agentmem.models.write import SectionWrite
from langgraph_agentmem.operations.imports.running import Tally, nobodys
from langgraph_agentmem.operations.imports.vectors import Takeover
from langgraph_agentmem.operations.sections import embeddings, items, values
from langgraph_agentmem.operations.sections.texts import pieces
from langgraph_agentmem.policies import importing
from langgraph_agentmem.policies.importing import Fate
from langgraph_agentmem.policies.ownership import Ownership
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.storage import imports as storage
from langgraph_agentmem.storage import sections
from langgraph_agentmem.storage.driver.connections import Connection, retrying_deadlocks
from langgraph_agentmem.storage.driver.offloading import worked
from langgraph_agentmem.storage.imports import Dated, SourceRows
from langgraph_agentmem.storage.values import ValueBatch

_WRITTEN: tuple[Fate, ...] = ("new", "newer")


class RowReader(Protocol):
    """Reads a source's rows as items."""

    async def rows(self, connection: Connection) -> SourceRows:
        """What is read."""
        ...

    def place(self, row: Mapping[str, Any]) -> str:
        """Which row it is, for people."""
        ...

    def item(self, row: Mapping[str, Any]) -> IncomingItem | None:
        """A row as an item; None where there is nothing to bring along.

        Raises:
            InvalidInputError: It cannot be one here.
        """
        ...


@dataclass(frozen=True)
class _Ready:
    """An item that can be written.

    Attributes:
        put: Without chunks.
        value: As it is kept.
    """

    incoming: IncomingItem
    put: SectionWrite
    value: Json

    def fate(self, present: Mapping[ItemKey, PresentItem]) -> Fate:
        return importing.fate(self.value, self.incoming.updated_at, present.get(self.put.key))


class Items:
    """Takes rows in as items.

    Args:
        resources: The open memory's.
        ownership: Where namespaces name their tenant.
        reader: Of the source.
    """

    def __init__(self, resources: Resources, ownership: Ownership, reader: RowReader) -> None:
        self._resources = resources
        self._ownership = ownership
        self._reader = reader
        self._takeover = Takeover(resources)

    async def rows(self, connection: Connection) -> SourceRows:
        """See `Intake`."""
        return await self._reader.rows(connection)

    async def take(self, rows: Sequence[DictRow], tally: Tally) -> None:
        """See `Intake`."""
        for tenant, ready in self._ready(rows, tally).items():
            tally.belongs(tenant)
            present = await self._present(tenant, ready)
            fates = {each.put.key: each.fate(present) for each in ready}
            wanted = [each for each in ready if fates[each.put.key] in _WRITTEN]
            if wanted:
                fates |= await self._written(tenant, wanted, tally)
            tally.written += sum(fate in _WRITTEN for fate in fates.values())
            tally.known += sum(fate == "same" for fate in fates.values())
            tally.kept += sum(fate == "left" for fate in fates.values())

    async def compare(self, rows: Sequence[DictRow], tally: Tally) -> None:
        """See `Intake`."""
        for tenant, ready in self._ready(rows, nobodys()).items():
            present = await self._present(tenant, ready)
            for each in ready:
                fate, here = each.fate(present), present.get(each.put.key)
                if here is None:
                    tally.differ(each.incoming.place, "it is not here")
                elif fate == "same":
                    tally.same(each.put.key, each.value, here.value)
                elif fate == "newer":
                    tally.differ(each.incoming.place, "another value of it is here, which an import has written")

    def _ready(self, rows: Sequence[DictRow], tally: Tally) -> dict[str, list[_Ready]]:
        """Those rows that can be written, by tenant."""
        found: dict[str, list[_Ready]] = {}
        taken = set[ItemKey]()
        for row in rows:
            tally.read += 1
            try:
                incoming = self._reader.item(row)
                ready = None if incoming is None else self._checked(incoming, taken)
            except InvalidInputError as error:
                tally.refuse(self._reader.place(row), error)
                continue
            if ready is None:
                tally.skipped += 1
            else:
                found.setdefault(self._ownership.tenant(ready.put.namespace), []).append(ready)
        return found

    def _checked(self, item: IncomingItem, taken: set[ItemKey]) -> _Ready:
        if item.at in taken:  # a table of documents need not have a primary key
            raise InvalidInputError("another row of the source has the same key")
        taken.add(item.at)
        put, value = items.unchunked(
            self._resources, self._ownership, item.at, item.value, item.fields, item.ttl_minutes
        )
        return _Ready(item, replace(put, counted=item.updates), value)

    async def _present(self, tenant: str, ready: Sequence[_Ready]) -> dict[ItemKey, PresentItem]:
        async with self._resources.database.connection(tenant) as connection:
            read = await storage.send_present(connection, tenant, [each.put.key for each in ready])
        return await read()

    async def _written(self, tenant: str, wanted: Sequence[_Ready], tally: Tally) -> dict[ItemKey, Fate]:
        """Write items, and return what has become of them."""
        writes = await self._with_vectors(wanted, tally)

        async def attempt() -> tuple[dict[ItemKey, Fate], int]:
            return await self._attempt(tenant, wanted, writes)

        fates, unembedded = await retrying_deadlocks(attempt)
        if unembedded and self._resources.embedder_now:
            await embeddings.embed_what_is_left(self._resources, tenant)
        return fates

    async def _with_vectors(self, wanted: Sequence[_Ready], tally: Tally) -> dict[ItemKey, SectionWrite]:
        settings = self._resources.settings
        chunks = await worked(
            sum(len(each.put.json_text) for each in wanted),
            lambda: [pieces(each.value, each.put.fields, settings) for each in wanted],
        )
        given = [each.incoming.vectors for each in wanted]
        vectors = await self._takeover.vectors(list(zip(chunks, given, strict=True)), tally)
        return {
            each.put.key: replace(each.put, chunks=own, vectors=vectors)
            for each, own in zip(wanted, chunks, strict=True)
        }

    async def _attempt(
        self, tenant: str, wanted: Sequence[_Ready], writes: Mapping[ItemKey, SectionWrite]
    ) -> tuple[dict[ItemKey, Fate], int]:
        """Write in a transaction what is still to be written behind the memories' locks."""
        namespaces = sorted({each.put.namespace for each in wanted})
        async with self._resources.database.transaction(tenant) as connection:
            await sections.make_missing(connection, tenant, namespaces, self._ownership.title)
            await sections.lock_memories(connection, tenant, namespaces)
            present = await (await storage.send_present(connection, tenant, list(writes)))()
            fates: dict[ItemKey, Fate] = {each.put.key: each.fate(present) for each in wanted}
            now = [each for each in wanted if fates[each.put.key] in _WRITTEN]
            if not now:
                return fates, 0
            batch = ValueBatch(
                tenant,
                [writes[each.put.key] for each in now],
                importing.SOURCE,
                title=self._ownership.title,
                keep_expired=True,
            )
            written, unembedded = await values.send(connection, self._resources, batch)
            await storage.date(connection, tenant, _dated(now, fates))
        await values.tell(self._resources, tenant, await written())
        return fates, await unembedded()


def _dated(written: Sequence[_Ready], fates: Mapping[ItemKey, Fate]) -> list[Dated]:
    """The times of items, as far as the source knows them."""
    return [
        Dated(each.put.key, item.created_at or item.updated_at, item.updated_at, item.expires_at, fate == "new")
        for each in written
        if (item := each.incoming).updated_at is not None and (fate := fates[each.put.key])
    ]
