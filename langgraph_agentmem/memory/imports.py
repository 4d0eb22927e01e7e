"""What other memories hold, brought along."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from langgraph_agentmem.bridge import blocking
from langgraph_agentmem.models.imported import ImportReport
from langgraph_agentmem.operations.imports import documents, history
from langgraph_agentmem.operations.imports import store as store_items
from langgraph_agentmem.operations.imports.legacy import tables
from langgraph_agentmem.policies import validation
from langgraph_agentmem.policies.ownership import Ownership
from langgraph_agentmem.projection.neo4j_database import Neo4jDatabase
from langgraph_agentmem.resources import Resources


class Imports:
    """What other memories hold, brought along, as `memory.imports`.

    Every method comes twice, as `await memory.imports.astore(...)` and as `memory.imports.store(...)`, and may be
    called again: after an error, a crash, or when the source has grown.

    Examples:
        >>> from langgraph.store.postgres import PostgresStore
        >>> with PostgresStore.from_conn_string(memory.dsn) as old:
        ...     old.setup()
        ...     old.put(("alice", "preferences"), "drink", {"text": "Green tea."})
        >>> memory.imports.store().written
        1
    """

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    async def achat_history(
        self,
        table: str,
        dsn: str | None = None,
        *,
        schema: str | None = None,
        tenant: str | Callable[[str], str | None] | None = None,
        on_progress: Callable[[int, int], object] | None = None,
    ) -> ImportReport:
        """Bring along the messages of langchain-postgres' `PostgresChatMessageHistory`, each session as a conversation.

        Messages are kept word for word, as `AgentMemory.add` keeps them, and no model is asked. A session's id is the
        title of its conversation. Each message is known by its row, so that the same call again adds only what is not
        here yet, behind what was said here since.

        Args:
            table: The history's.
            dsn: Where it is; this memory's own database by default.
            schema: Of the table; as the connection's search path finds it by default.
            tenant: Whose the messages are: a tenant's name, or a function of a session's id that returns one (or None,
                which refuses the session). By default each session is its own tenant, by its id.
            on_progress: Called after each 100 rows with how many were passed, and how many there are to pass: each
                is passed twice, as all are compared at the end.

        Returns:
            What was read, written, known and refused.

        Raises:
            ConfigurationError: There is no such table, or it cannot be read.
            ImportMismatchError: Something is not here at the end as the source has it; the error says what.
            EmbeddingError: New chunks cannot be embedded (with `embed="now"`); what came before them is kept.

        Examples:
            >>> import psycopg
            >>> from langchain_core.messages import HumanMessage
            >>> from langchain_postgres import PostgresChatMessageHistory
            >>> session = "5f1d7e5c-6f0c-4b8f-9a34-0d1c3f8f2b11"
            >>> with psycopg.connect(memory.dsn) as connection:
            ...     PostgresChatMessageHistory.create_tables(connection, "chats")
            ...     history = PostgresChatMessageHistory("chats", session, sync_connection=connection)
            ...     history.add_messages([HumanMessage("I live in Oslo.")])
            >>> users = {session: "alice"}
            >>> report = await memory.imports.achat_history("chats", tenant=users.get)
            >>> report.written, (await memory.imports.achat_history("chats", tenant=users.get)).known
            (1, 1)
        """
        return await history.import_chat_history(
            self._resources, table, dsn, schema=schema, tenant=tenant, on_progress=on_progress
        )

    async def avectorstore(
        self,
        dsn: str | None = None,
        *,
        table: str | None = None,
        collection: str | None = None,
        schema: str | None = None,
        id_column: str = "langchain_id",
        content_column: str = "content",
        embedding_column: str = "embedding",
        metadata_json_column: str | None = "langchain_metadata",
        tenant: str | Callable[[Mapping[str, Any]], str | None] | None = None,
        on_progress: Callable[[int, int], object] | None = None,
    ) -> ImportReport:
        """Bring along the documents of langchain-postgres' `PGVectorStore` or `PGVector`, as items of a store.

        A document becomes an item `{"content": text, "metadata": {...}}` under its id, in a memory of its tenant that
        is called like the table or collection. Its vector is taken over if its text is one chunk here, and if the
        embedder here computes the same vectors, which it is asked for three texts; else it is embedded again.

        What is here already stays if anybody but an import has written it; what an import wrote is brought up to date.

        Args:
            dsn: Where the documents are; in this memory's own database by default.
            table: Of a `PGVectorStore`.
            collection: Of a `PGVector`, instead.
            schema: Of the tables; as the connection's search path finds them by default.
            id_column: Of a `PGVectorStore`, as the three that follow; columns beside them are metadata.
            content_column: Of the texts.
            embedding_column: Of the vectors.
            metadata_json_column: Of the metadata; it may be missing.
            tenant: Whose the documents are: a tenant's name, or a function of a document's metadata that returns one
                (or None, which refuses the document). By default `store_default_tenant` of the settings.
            on_progress: As for `achat_history`.

        Returns:
            What was read, written, known and refused, and how many vectors were taken over.

        Raises:
            ConfigurationError: There is no such table or collection, or it cannot be read.
            ImportMismatchError: Something is not here at the end as the source has it; the error says what.
            EmbeddingError: New chunks cannot be embedded (with `embed="now"`); what came before them is kept.

        Examples:
            >>> import psycopg
            >>> with psycopg.connect(memory.dsn) as connection:  # as PGVectorStore makes it
            ...     table = "langchain_id uuid, content text, embedding vector(2), langchain_metadata json"
            ...     done = connection.execute(f"CREATE TABLE guides ({table})")
            ...     row = ("The ferry leaves at nine.", "[1,0]", '{"user": "alice"}')
            ...     done = connection.execute("INSERT INTO guides VALUES (gen_random_uuid(), %s, %s, %s)", row)
            >>> report = await memory.imports.avectorstore(table="guides", tenant=lambda metadata: metadata.get("user"))
            >>> report.written, report.vectors  # this memory has no embedder
            (1, 0)
            >>> [hit.content for hit in await memory.asearch("alice", "When does the ferry leave?", limit=1)]
            ['The ferry leaves at nine.']
        """
        return await documents.import_vectorstore(
            self._resources,
            dsn,
            table=table,
            collection=collection,
            schema=schema,
            columns=documents.Columns(id_column, content_column, embedding_column, metadata_json_column),
            tenant=tenant,
            on_progress=on_progress,
        )

    async def astore(
        self,
        dsn: str | None = None,
        *,
        schema: str | None = None,
        owner: int | None = None,
        default_tenant: str | None = None,
        index: bool | Sequence[str] | None = None,
        on_progress: Callable[[int, int], object] | None = None,
    ) -> ImportReport:
        """Bring along the items of LangGraph's `PostgresStore` or `AsyncPostgresStore`, for an `AgentMemoryStore`.

        Namespaces, keys, values, times and lifetimes stay as they are; expired items are left out. An item is searched
        by the paths that it has vectors of in the source, and not at all if it has none there while others do. Vectors
        are taken over as by `avectorstore`.

        An item that is here already stays if anybody but an import has written it, or if the source's is older; what
        an import wrote is brought up to date. So the same call may be made again and again until the agents write here.

        Args:
            dsn: Where the store is; in this memory's own database by default.
            schema: Of its tables; as the connection's search path finds them by default.
            owner: The position in a namespace of the label that is the tenant; `store_owner` of the settings by
                default.
            default_tenant: Of namespaces that are too short to name one; `store_default_tenant` by default.
            index: What items are searched by, as for a store's `put`, instead of what the source's vectors tell.
            on_progress: As for `achat_history`.

        Returns:
            What was read, written, known and refused, and how many vectors were taken over.

        Raises:
            ConfigurationError: There is no such store, or it cannot be read.
            ImportMismatchError: Something is not here at the end as the source has it; the error says what.
            EmbeddingError: New chunks cannot be embedded (with `embed="now"`); what came before them is kept.

        Examples:
            >>> from langgraph.store.postgres import AsyncPostgresStore
            >>> async with AsyncPostgresStore.from_conn_string(memory.dsn) as old:
            ...     await old.setup()
            ...     await old.aput(("alice", "preferences"), "drink", {"text": "Green tea."})
            >>> report = await memory.imports.astore()
            >>> report.read, report.written, report.verified
            (1, 1, 1)
            >>> (await store.aget(("alice", "preferences"), "drink")).value
            {'text': 'Green tea.'}
        """
        settings = self._resources.settings
        tenant = settings.store_default_tenant if default_tenant is None else validation.tenant(default_tenant)
        place = settings.store_owner if owner is None else validation.count(owner, "owner")
        ownership = Ownership(owner=place, default_tenant=tenant)
        return await store_items.import_store(
            self._resources, dsn, schema=schema, ownership=ownership, index=index, on_progress=on_progress
        )

    async def alegacy(
        self,
        dsn: str | None = None,
        *,
        schema: str | None = None,
        neo4j: Neo4jDatabase | None = None,
        on_progress: Callable[[int, int], object] | None = None,
    ) -> ImportReport:
        """Bring along the memories of an older system of active, short-term and long-term memory, by its own tables.

        These are `active_memory`, `shortterm_memory`, `shortterm_memory_chunk` and `longterm_memory_chunk`, with or
        without their newer columns (`section_id`, `update_count`, `last_updated`). Its `external_id`s are the tenants.
        Memories come with their templates, metadata and sections, whose updates still count towards consolidation;
        chunks stay in their tier, with their times and validity. Vectors are taken over as by `avectorstore`.
        Its graph in Neo4j (`ShorttermEntity`, `LongtermEntity`, `SHORTTERM_RELATES`, `LONGTERM_RELATES`) comes with
        descriptions and state history; chunks that name an entity support it.

        What an import wrote is known by its id there (`legacy_id` of its metadata), and brought up to date by the same
        call again; what anybody else has written here stays.

        Args:
            dsn: Where the tables are; in this memory's own database by default.
            schema: Of the tables; as the connection's search path finds them by default.
            neo4j: Where the graph is, which is only read; without it, no graph is brought along.
            on_progress: As for `achat_history`.

        Returns:
            What was read, written, known and refused; `tables` has the counts of each table, label and type.

        Raises:
            ConfigurationError: There are no such tables, or they cannot be read; or Neo4j's address is wrong.
            OutageError: One of the databases cannot be reached. What Neo4j has is read before anything is written.
            AuthenticationError: One of them refuses the user, the password or the database.
            ImportMismatchError: Something is not here at the end as the source has it; the error says what.
            EmbeddingError: New chunks cannot be embedded (with `embed="now"`); what came before them is kept.

        Examples:
            >>> import psycopg
            >>> with psycopg.connect(memory.dsn) as connection:  # as the older system makes them
            ...     old = connection.execute
            ...     columns = "id int, external_id text, title text, sections jsonb"
            ...     done = old(f"CREATE TABLE active_memory ({columns})")
            ...     done = old("CREATE TABLE shortterm_memory (id int, external_id text, title text)")
            ...     chunk = "id int, external_id text, shortterm_memory_id int, content text"
            ...     done = old(f"CREATE TABLE shortterm_memory_chunk ({chunk})")
            ...     done = old(f"CREATE TABLE longterm_memory_chunk ({chunk})")
            ...     sections = '{"plan": {"content": "Leave at nine."}}'
            ...     done = old("INSERT INTO active_memory VALUES (1, 'alice', 'Trip', %s)", [sections])
            ...     done = old("INSERT INTO shortterm_memory VALUES (1, 'alice', 'Trip')")
            ...     done = old("INSERT INTO shortterm_memory_chunk VALUES (1, 'alice', 1, 'The ferry is slow.')")
            >>> report = await memory.imports.alegacy()
            >>> report.written, report.tables["shortterm_memory_chunk"].verified
            (4, 1)
            >>> [(hit.content, hit.tier) for hit in await memory.asearch("alice", "ferry", limit=1)]
            [('The ferry is slow.', 'shortterm')]
        """
        return await tables.import_legacy(self._resources, dsn, schema=schema, neo4j=neo4j, on_progress=on_progress)

    chat_history: Final = blocking(achat_history)
    vectorstore: Final = blocking(avectorstore)
    store: Final = blocking(astore)
    legacy: Final = blocking(alegacy)
