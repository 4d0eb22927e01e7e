"""Reads the vector stores of langchain-postgres: tables of PGVectorStore, and collections of PGVector."""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from langgraph_agentmem.errors import ConfigurationError, InvalidInputError
from langgraph_agentmem.models.base import Json
from langgraph_agentmem.models.imported import ImportReport, IncomingItem
from langgraph_agentmem.operations.imports.items import Items
from langgraph_agentmem.operations.imports.running import OnPassed, found, run
from langgraph_agentmem.policies import importing, validation
from langgraph_agentmem.policies.ownership import Ownership
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.storage import imports as storage
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.imports import SourceRows

_NO_METADATA = {"tsvector", "vector", "halfvec", "sparsevec"}
"""Types of columns that are made from a document, and say nothing of it."""


class Columns(NamedTuple):
    """The names of a table's columns, as `PGVectorStore.create` takes them."""

    id: str
    content: str
    embedding: str
    metadata: str | None


_OF_COLLECTIONS = Columns("id", "document", "embedding", "cmetadata")


async def import_vectorstore(
    resources: Resources,
    dsn: str | None,
    *,
    table: str | None,
    collection: str | None,
    schema: str | None,
    columns: Columns,
    tenant: object,
    on_progress: OnPassed | None,
) -> ImportReport:
    """See `Imports.avectorstore`."""
    if (table is None) == (collection is None):
        raise ConfigurationError("give either table=, for a PGVectorStore, or collection=, for a PGVector, not both")
    importing.checked_rule(tenant)
    ownership = Ownership(owner=resources.settings.store_owner, default_tenant=resources.settings.store_default_tenant)
    title = validation.name(
        table if collection is None else collection, "table" if collection is None else "collection"
    )
    reader: _Documents = _Table(title, schema, columns, ownership, tenant)
    if collection is not None:
        reader = _Collection(title, schema, _OF_COLLECTIONS, ownership, tenant)
    return await run(resources, dsn, {title: Items(resources, ownership, reader)}, on_progress)


class _Documents(ABC):
    """Reads documents.

    Args:
        title: Of the table or collection, and of each tenant's memory that they become items of.
        schema: Of the tables.
        columns: Of the table.
        ownership: Where that memory's namespace names its tenant.
        tenant: Whose a document is, asked by its metadata.
    """

    def __init__(self, title: str, schema: str | None, columns: Columns, ownership: Ownership, tenant: object) -> None:
        self._title = title
        self._schema = schema
        self._columns = columns
        self._ownership = ownership
        self._tenant = tenant

    @abstractmethod
    async def rows(self, connection: Connection) -> SourceRows:
        """All documents."""

    def place(self, row: Mapping[str, Any]) -> str:
        return f"document {row['id']!r}"

    def item(self, row: Mapping[str, Any]) -> IncomingItem | None:
        content, place = row["content"], self.place(row)
        if content is None or not content.strip():
            return None
        metadata = _metadata(row)
        tenant = importing.tenant_of(self._tenant, metadata, self._ownership.default_tenant, place)
        return IncomingItem(
            place=place,
            namespace=self._ownership.default(tenant, self._title),
            key=row["id"],
            value={"content": content, "metadata": metadata},
            fields=("content",),
            vectors={content: orjson.loads(row["embedding"])} if row["embedding"] else {},
        )


class _Table(_Documents):
    """Reads a table of a `PGVectorStore`."""

    async def rows(self, connection: Connection) -> SourceRows:
        id, content, embedding, metadata = self._columns
        advice = "PGVectorStore's tables are named as its init_vectorstore_table was told; name schema and columns, too"
        table = await found(connection, self._title, self._schema, (id, content, embedding), advice)
        more = [
            name
            for name, type in table.columns.items()
            if name not in self._columns and type.rpartition(".")[2] not in _NO_METADATA
        ]
        return await storage.document_rows(
            connection,
            table,
            id=id,
            content=content,
            embedding=embedding,
            metadata=metadata if metadata in table.columns else None,
            more=more,
            collection=None,
        )


class _Collection(_Documents):
    """Reads a collection of a `PGVector`."""

    async def rows(self, connection: Connection) -> SourceRows:
        advice = "PGVector makes its tables when it is opened; name their schema with schema="
        columns: Sequence[str] = [name for name in self._columns if name]
        table = await found(connection, "langchain_pg_embedding", self._schema, [*columns, "collection_id"], advice)
        collections = await found(connection, "langchain_pg_collection", self._schema, ["uuid", "name"], advice)
        collection = await storage.collection(connection, collections, self._title)
        if collection is None:
            raise ConfigurationError(f"the source has no collection {self._title!r}; name one that it has")
        id, content, embedding, metadata = self._columns
        return await storage.document_rows(
            connection,
            table,
            id=id,
            content=content,
            embedding=embedding,
            metadata=metadata,
            more=[],
            collection=collection,
        )


def _metadata(row: Mapping[str, Any]) -> Json:
    """A document's metadata, those of columns of their own among them."""
    kept = json.loads(row["metadata"] or "{}")
    if kept is not None and not isinstance(kept, dict):
        raise InvalidInputError(f"its metadata are no JSON object, but {str(kept)[:80]!r}")
    return {**(kept or {}), **{name: value for name, value in row["more"].items() if value is not None}}
