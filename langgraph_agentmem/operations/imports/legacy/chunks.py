"""Takes in the consolidated chunks of an older system, so that they are found as those that are consolidated here."""

from collections.abc import Mapping, Sequence

import orjson
from psycopg.rows import DictRow

from langgraph_agentmem.models.chunk import Vectors
from langgraph_agentmem.models.legacy import ConsolidatedTier, LegacyChunk, LegacyRow, PresentPiece
from langgraph_agentmem.operations.imports.legacy import sources
from langgraph_agentmem.operations.imports.running import WRITTEN, Tally, nobodys
from langgraph_agentmem.operations.imports.vectors import Takeover
from langgraph_agentmem.operations.sections import embeddings
from langgraph_agentmem.operations.sections.texts import pieces
from langgraph_agentmem.policies import importing, legacy, validation
from langgraph_agentmem.policies.importing import Fate
from langgraph_agentmem.policies.ownership import Ownership
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.storage import legacy as storage
from langgraph_agentmem.storage import sections
from langgraph_agentmem.storage.driver.connections import Connection, retrying_deadlocks
from langgraph_agentmem.storage.imports import SourceRows

_CONFIDENCE, _IMPORTANCE = 1.0, 0.5
"""Of chunks whose table does not say; as those of chunks that are consolidated here."""


class Chunks:
    """Takes the chunks of a tier in; see `running.Intake`.

    Args:
        resources: The open memory's.
        ownership: Where namespaces name their tenant.
        schema: Of the table.
        tier: Theirs.
        takeover: Of their vectors.
    """

    def __init__(
        self,
        resources: Resources,
        ownership: Ownership,
        schema: str | None,
        tier: ConsolidatedTier,
        takeover: Takeover,
    ) -> None:
        self._resources = resources
        self._ownership = ownership
        self._schema = schema
        self._tier: ConsolidatedTier = tier
        self._table = f"{tier}_memory_chunk"
        self._what = f"{tier} chunk"
        self._takeover = takeover

    async def rows(self, connection: Connection) -> SourceRows:
        """See `Intake`."""
        table = await sources.table(connection, self._table, self._schema)
        memories = await sources.table(connection, "shortterm_memory", self._schema)
        return await storage.chunk_rows(connection, table, memories)

    async def take(self, rows: Sequence[DictRow], tally: Tally) -> None:
        """See `Intake`."""
        for tenant, wanted in sources.read(rows, tally, self._what, self._read).items():
            tally.belongs(tenant)
            fates = self._fates(wanted, await self._present(tenant, wanted))
            behind = [chunk for chunk in wanted if fates[chunk.legacy_id] in WRITTEN]
            if behind:
                fates |= await self._written(tenant, behind, tally)
            tally.became(fates.values())

    async def compare(self, rows: Sequence[DictRow], tally: Tally) -> None:
        """See `Intake`."""
        for tenant, wanted in sources.read(rows, nobodys(), self._what, self._read).items():
            present = await self._present(tenant, wanted)
            for chunk in wanted:
                here = present.get(chunk.legacy_id, [])
                fate = legacy.chunk_fate(chunk, here)
                if fate == "same":
                    theirs, ours = [piece.text for piece in chunk.pieces], [piece.content for piece in here]
                    tally.same(chunk.legacy_id, theirs, ours)
                elif fate != "left":
                    reason = "another text or validity of it is here, which an import has written"
                    tally.differ(chunk.place, reason if here else "it is not here")

    def _read(self, row: LegacyRow) -> tuple[str, LegacyChunk] | None:
        settings, redactor = self._resources.settings, self._resources.redactor
        tenant, namespace, section_id = legacy.chunk_place(row, self._ownership)
        text = validation.text(row["content"], "content", limit=settings.max_content_chars)
        for name in (section_id, *(label for label in namespace if label != tenant)):
            redactor.name(name, "a key or label")
        kept = redactor.text(text, "section")
        cut = pieces({"content": kept}, ("content",), settings)
        if not cut:
            return None
        chunk = LegacyChunk(
            place=f"{self._what} {row['id']}",
            legacy_id=f"{self._table}:{row['id']}",
            tenant=tenant,
            namespace=namespace,
            section_id=section_id,
            tier=self._tier,
            pieces=cut,
            started_at=row["started_at"],
            ended_at=row["ended_at"],
            updated_at=row["updated_at"],
            confidence=_CONFIDENCE if row["confidence"] is None else row["confidence"],
            importance=_IMPORTANCE if row["importance"] is None else row["importance"],
            vectors={kept: orjson.loads(row["embedding"])} if row["embedding"] and kept == text else {},
        )
        return tenant, chunk

    async def _present(self, tenant: str, wanted: Sequence[LegacyChunk]) -> dict[str, list[PresentPiece]]:
        async with self._resources.database.connection(tenant) as connection:
            return await storage.present_pieces(connection, tenant, [chunk.legacy_id for chunk in wanted])

    def _fates(self, wanted: Sequence[LegacyChunk], present: Mapping[str, Sequence[PresentPiece]]) -> dict[str, Fate]:
        return {chunk.legacy_id: legacy.chunk_fate(chunk, present.get(chunk.legacy_id, ())) for chunk in wanted}

    async def _written(self, tenant: str, wanted: Sequence[LegacyChunk], tally: Tally) -> dict[str, Fate]:
        """Write chunks, and return what has become of them."""
        vectors = await self._takeover.vectors([(chunk.pieces, chunk.vectors) for chunk in wanted], tally)

        async def attempt() -> dict[str, Fate]:
            return await self._attempt(tenant, wanted, vectors)

        fates = await retrying_deadlocks(attempt)
        if len(vectors) < len({hash for chunk in wanted for hash in chunk.hashes}) and self._resources.embedder_now:
            await embeddings.embed_what_is_left(self._resources, tenant)
        self._resources.frequencies.wrote(tenant, sum(len(chunk.pieces) for chunk in wanted))
        return fates

    async def _attempt(self, tenant: str, wanted: Sequence[LegacyChunk], vectors: Vectors) -> dict[str, Fate]:
        """Write in a transaction what is still to be written behind the memories' locks."""
        namespaces = sorted({chunk.namespace for chunk in wanted})
        model = await self._resources.embedding_model() if vectors else None
        async with self._resources.database.transaction(tenant) as connection:
            await sections.make_missing(connection, tenant, namespaces, self._ownership.title)
            ids = await sections.lock_memories(connection, tenant, namespaces)
            await storage.insert_shortterm(connection, tenant, [(id, None) for id in ids.values()])
            present = await storage.present_pieces(connection, tenant, [chunk.legacy_id for chunk in wanted])
            fates = self._fates(wanted, present)
            behind = [chunk for chunk in wanted if fates[chunk.legacy_id] in WRITTEN]
            ended, replaced = _known(behind, present)
            await storage.end_pieces(connection, tenant, ended)
            await storage.replace_pieces(connection, tenant, replaced)
            again = {id for id, _ in ended}
            new = [c for c in behind if not again & {piece.id for piece in present.get(c.legacy_id, ())}]
            await storage.insert_pieces(connection, tenant, new, ids, vectors, source=importing.SOURCE, model=model)
            return fates


def _known(
    behind: Sequence[LegacyChunk], present: Mapping[str, Sequence[PresentPiece]]
) -> tuple[list[tuple[int, LegacyChunk]], list[int]]:
    """Pieces whose chunk has only ended, with it, and those whose chunk has another text now."""
    ended: list[tuple[int, LegacyChunk]] = []
    replaced: list[int] = []
    for chunk in behind:
        here = present.get(chunk.legacy_id, ())
        if [piece.content_hash for piece in here] == chunk.hashes:
            ended += [(piece.id, chunk) for piece in here]
        else:
            replaced += [piece.id for piece in here]
    return ended, replaced
