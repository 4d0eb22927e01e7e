"""The memory that applications open."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from langgraph_agentmem import bridge
from langgraph_agentmem.bridge import blocking
from langgraph_agentmem.embedding import Index
from langgraph_agentmem.errors import ConfigurationError, EntityNotFoundError, MemoryBusyError, MissingDependencyError
from langgraph_agentmem.extraction import Extractor
from langgraph_agentmem.memory import opening
from langgraph_agentmem.memory.grants import Grants
from langgraph_agentmem.memory.imports import Imports
from langgraph_agentmem.memory.queue import Queue
from langgraph_agentmem.memory.reviews import Reviews
from langgraph_agentmem.memory.runs import Runs
from langgraph_agentmem.models.active import ActiveMemory, MemoryTemplate, SectionUpdate, SectionUpdateDict
from langgraph_agentmem.models.base import Tier
from langgraph_agentmem.models.chunk import ChunkHistory
from langgraph_agentmem.models.context import MemoryContext
from langgraph_agentmem.models.conversation import AddReport
from langgraph_agentmem.models.deletion import DeletionCheck, DeletionReceipt, SweepReport
from langgraph_agentmem.models.entity import Entity, GraphTier
from langgraph_agentmem.models.graph import EntityDrawing
from langgraph_agentmem.models.health import Finding
from langgraph_agentmem.models.review import OnDispute, ReviewPolicy
from langgraph_agentmem.models.run import ConsolidationReport, OnRun, PromotionReport
from langgraph_agentmem.models.search import SearchHit
from langgraph_agentmem.operations.conversations import adding
from langgraph_agentmem.operations.deletion import forgetting, retention, verifying
from langgraph_agentmem.operations.health import diagnosing
from langgraph_agentmem.operations.retrieval import drawing, reading, recalling, searching
from langgraph_agentmem.operations.runs import promoting
from langgraph_agentmem.operations.sections import edits, memories
from langgraph_agentmem.policies import validation
from langgraph_agentmem.projection.graph import Graph
from langgraph_agentmem.projection.neo4j_database import Neo4jDatabase
from langgraph_agentmem.projection.projector import GraphProjector
from langgraph_agentmem.redaction import Redact
from langgraph_agentmem.reranker import Reranker
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.settings import AgentMemorySettings
from langgraph_agentmem.worker import MemoryWorker
from langgraph_agentmem.worker.background import BackgroundWorker
from langgraph_agentmem.worker.running import Consolidation

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from langgraph_agentmem.retriever import AgentMemoryRetriever
    from langgraph_agentmem.vectorstore import AgentMemoryVectorStore, VectorStores

Edits = Sequence[SectionUpdate | SectionUpdateDict | Mapping[str, Any]]

_OF_STORES = {
    "abatch",
    "adelete",
    "aget",
    "alist_namespaces",
    "aput",
    "batch",
    "delete",
    "get",
    "list_namespaces",
    "put",
}


class AgentMemory(bridge.Opened):
    """Three-tier memory on one PostgreSQL database, for any number of tenants, threads and event loops.

    Every method comes twice: `await memory.asearch(...)` for async code, `memory.search(...)` for sync code. Use it as
    `async with AgentMemory.open(...) as memory` or `with AgentMemory.open(...) as memory`, or just call its methods:
    the first call sets everything up.

    Everywhere, `external_id` is the tenant (a user, a team, an agent): a non-empty string. Another tenant's ids are
    unknown ids.

    Attributes:
        runs: The log of consolidation runs: `list` them, `undo` one.
        reviews: What runs have left to a person: what is `pending`, the `disputes` of a run, and how to `decide` them.
        queue: What waits: `run_due`, `flush`, `status`, `dead_letters`, `retry` and `embed_pending`.
        grants: What tenants let each other search: `give`, `revoke`, `list`, `received`, and `search` it.
        imports: What other memories hold, brought along: `chat_history`, `vectorstore`, `store` and `legacy`.

    Examples:
        >>> with AgentMemory.open() as memory:
        ...     notes = memory.create_active_memory("bob", "Notes", {"sections": ["facts"]})
        ...     written = memory.update_active_memory_section("bob", notes.id, "facts", "Ada writes the engine.")
        ...     [hit.content for hit in memory.search("bob", "engine")]
        ['Ada writes the engine.']
    """

    def __init__(self, resources: Resources, *, background: bool = False) -> None:
        if not isinstance(cast("object", resources), Resources):
            raise ConfigurationError(
                f"a memory is opened, as in AgentMemory.open(dsn); AgentMemory() takes no {type(resources).__name__}"
            )
        self._resources = resources
        self._consolidation = Consolidation(resources)
        self.runs: Runs = Runs(resources)
        self.reviews: Reviews = Reviews(resources)
        self.queue: Queue = Queue(resources, self._consolidation)
        self.grants: Grants = Grants(resources)
        self.imports: Imports = Imports(resources)
        self._worker = BackgroundWorker(partial(MemoryWorker, self))
        if background:
            resources.database.on_use = self._worker.ensure

    @classmethod
    def open(
        cls,
        dsn: str | None = None,
        *,
        data_dir: Path | str | None = None,
        model: "BaseChatModel | str | None" = None,
        index: Index | None = None,
        extractor: Extractor | None = None,
        settings: AgentMemorySettings | None = None,
        reembed: bool | Index = False,
        graph: Literal["postgres", "neo4j"] | Neo4jDatabase | None = None,
        review: ReviewPolicy | None = None,
        reranker: "Reranker | None" = None,
        redact: Redact | Literal["secrets", "off"] | None = None,
        on_run: OnRun | None = None,
        on_dispute: OnDispute | None = None,
        background: bool | None = None,
    ) -> "AgentMemory":
        """A memory on a PostgreSQL server, or on an embedded one.

        Args:
            dsn: Connection string; by default `AGENTMEM_DSN`, else the embedded server.
            data_dir: Folder of the embedded server's data; by default `AGENTMEM_DATA_DIR`, else a per-user data folder.
            model: Chat model for extraction and conflicts, as LangChain's object or "provider:model".
            index: Embedder for vector search: "local" or "local:model" for one on this machine (see `LocalEmbeddings`),
                "provider:model", LangChain embeddings, a function, or LangGraph's index configuration
                `{"embed": ..., "dims": ...}`.
            extractor: Finds entities instead of the chat model.
            settings: By default, from the environment.
            reembed: Let `index` take the place of another embedder: `queue.embed_pending`, or a worker, computes all
                vectors again, and then uses them. Until then searches go by the other one, wherever it is open; give it
                here instead of True, and this memory uses it until then, too.
            graph: What reads the entity graph: PostgreSQL, the Neo4j of the settings (`NEO4J_URI` and so on), or
                another Neo4j; `queue.run_due` and `queue.flush` then project into that. By default as `AGENTMEM_GRAPH`
                says, else PostgreSQL.
            review: Which conflicts runs leave to a person: `never`, `manual` (those that the rules are not sure about),
                `always`, or a function that takes a `ProposedChange` and says whether somebody is to be asked. By
                default as `AGENTMEM_REVIEW` says.
            reranker: Orders the first 50 hits of every search anew: a LangChain document compressor, or a function
                `(query, texts) -> scores`, sync or async. Where it fails, hits stay as they were found.
            redact: Called with every text before it is stored, embedded or logged, in whichever thread writes: returns
                it as it may be kept, or None (or raises a `RedactionError`) to refuse it. "secrets" takes out keys,
                tokens, passwords and card numbers that can be told by their form. By default as `AGENTMEM_REDACT`
                says, else nothing is taken out.
            on_run: Called with the `ConsolidationRun` of each consolidation that this memory, its queue or a worker on
                it has carried out, or that failed, once that is stored. Sync (in a thread) or async; an error in it is
                logged and counted, and fails nothing.
            on_dispute: Called likewise with the `PendingReview` of a run that has left something to a person.
            background: Run a `MemoryWorker` as long as the memory is open, on the event loop that uses it first (sync
                callers have one in the background). By default as `AGENTMEM_BACKGROUND` says, else not.

        Raises:
            ConfigurationError: An argument does not fit; the message says what would.

        Examples:
            >>> memory = AgentMemory.open("postgresql://agent@db.example.org/agents", review="manual")
            >>> memory.dsn
            'postgresql://agent@db.example.org/agents'
        """
        settings = AgentMemorySettings() if settings is None else settings
        resources = opening.resources(
            settings,
            dsn=dsn,
            data_dir=data_dir,
            model=model,
            index=index,
            extractor=extractor,
            reembed=reembed,
            graph=graph,
            review=review,
            reranks=reranker,
            redact=redact,
            on_run=on_run,
            on_dispute=on_dispute,
        )
        works = settings.background if background is None else validation.flag(background, "background")
        return cls(resources, background=works)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """What a graph compiled with a memory in a store's place asks for is told where a store is."""
            hint = "; where a store of LangGraph's belongs, give AgentMemoryStore(memory)" if name in _OF_STORES else ""
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}{hint}", name=name, obj=self)

    def __repr__(self) -> str:
        parts = self._resources
        embedder = f"embedder {parts.embedder.name!r}" if parts.embedder else "no embedder"
        model = f"model {type(parts.model).__name__}" if parts.model else "no model"
        return f"<AgentMemory on {parts.database.place or 'the default server'}; {embedder}, {model}>"

    @property
    def resources(self) -> Resources:
        """What nodes and graphs work with; pass the memory itself to them."""
        return self._resources

    @property
    def settings(self) -> AgentMemorySettings:
        """The settings that it was opened with."""
        return self._resources.settings

    @property
    def dsn(self) -> str | None:
        """The database's connection string; None before an embedded server is started."""
        return self._resources.database.dsn

    @property
    def graph(self) -> Graph:
        """What reads the entity graph: neighborhoods and paths; a `Neo4jGraph` where Neo4j was chosen."""
        return self._resources.graph

    @cached_property
    def projector(self) -> GraphProjector:
        """What keeps Neo4j's copy of the entity graph like PostgreSQL.

        Raises:
            ConfigurationError: No Neo4j was chosen, and the settings name none.
        """
        neo4j = self._resources.neo4j or Neo4jDatabase.of(self.settings)
        return GraphProjector(self._resources.database, neo4j)

    async def asetup(self) -> None:
        """Start the embedded server if there is no DSN, bring the schema up to date, and register the embedder.

        Raises:
            ConfigurationError: The server, its extensions, its schema or the embedder do not fit.
            OutageError: The server cannot be reached.

        Examples:
            >>> await memory.asetup()  # as `async with` does, and otherwise the first call
        """
        await self._resources.database.start()
        await self._resources.embedding_model()

    async def adiagnose(self, external_id: str | None = None) -> list[Finding]:
        """What is wrong with the database, and what to do about it, check by check, as `agentmem doctor` prints it.

        Nothing is changed: it does not set up what is missing, so call it on a memory that was opened without `with`.
        The embedder is asked for one vector, a chat model for nothing.

        Args:
            external_id: Count only what is this tenant's; all tenants' by default.

        Returns:
            What was found of connection, server, pgvector, schema, row-level security and tables, embedder and vectors,
            the queue, dead letters and leases, models that fail, reviews, and the projection. It ends early where the
            database cannot be read.

        Examples:
            >>> [finding.check for finding in await memory.adiagnose() if finding.severity == "error"]
            []
        """
        return await diagnosing.diagnose(self._resources, external_id)

    async def aclose(self) -> None:
        """Close the connections of this event loop and of sync callers; the memory can be used again afterwards.

        A worker in the background stops taking memories, and is waited for, up to `worker_grace_seconds`.

        Examples:
            >>> await memory.aclose()  # as leaving `async with` does
        """
        await self._worker.stop()
        await self._resources.database.close()
        # sync callers' connections live on the background loop
        await bridge.also(self._resources.database.close)
        if self._resources.neo4j is not None:
            await self._resources.neo4j.close()
        # cached properties: to ask for them would make them only to close them
        if "projector" in vars(self):
            await self.projector.neo4j.close()
        if "_vector_stores" in vars(self):
            await self._vector_stores.aclose()

    # Active memory

    async def acreate_active_memory(
        self,
        external_id: str,
        title: str,
        template_content: MemoryTemplate | Mapping[str, Any] | str,
        initial_sections: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        *,
        namespace: Sequence[str] | None = None,
        exist_ok: bool = False,
    ) -> ActiveMemory:
        """A new working memory.

        Args:
            external_id: The tenant.
            title: What people call it.
            template_content: The sections, as a `MemoryTemplate`, a dict or YAML text: `sections` is a list of
                `{"id", "title", "description", "content"}` (all but `id` optional) or a mapping of ids to descriptions.
            initial_sections: First contents by section id, as texts or as `{"content": text}`; they do not count as
                updates.
            metadata: Any JSON object.
            namespace: Under which a LangGraph store finds it, unique among the tenant's open memories;
                `(external_id, title)` by default, or `(title, external_id)` if `store_owner` is 1.
            exist_ok: Return the existing memory of that namespace instead of refusing; one that a store has made gets
                the template.

        Raises:
            InvalidInputError: An argument cannot be accepted.
            DuplicateTitleError: The title, or the namespace, is taken.

        Examples:
            >>> template = {"sections": {"facts": "What is known", "open": "What is not"}}
            >>> notes = await memory.acreate_active_memory("alice", "Notes", template, {"facts": "Ada is away."})
            >>> {id: section.content for id, section in notes.sections.items()}
            {'facts': 'Ada is away.', 'open': ''}
        """
        if namespace is None:
            # the title becomes a label of the namespace
            validation.not_reserved((external_id, title))
        return await memories.create(
            self._resources,
            external_id,
            title,
            template_content,
            initial_sections,
            metadata,
            namespace=namespace,
            exist_ok=exist_ok,
        )

    async def aget_active_memory(self, external_id: str, memory_id: int) -> ActiveMemory:
        """An open memory with all its sections.

        Raises:
            MemoryNotFoundError: The tenant has none with that id.

        Examples:
            >>> apollo = await memory.aget_active_memory("alice", apollo.id)
            >>> apollo.title, list(apollo.sections)
            ('Apollo', ['plan', 'team'])
        """
        return await memories.get(self._resources, external_id, memory_id)

    async def aget_active_memories(self, external_id: str) -> list[ActiveMemory]:
        """All open memories of a tenant, oldest first; those of more than 100 sections without their sections.

        Examples:
            >>> [each.title for each in await memory.aget_active_memories("alice")]
            ['Apollo']
        """
        return await memories.list_all(self._resources, external_id)

    async def aupdate_active_memory_sections(
        self, external_id: str, memory_id: int, sections: Edits, *, source: str | None = None
    ) -> ActiveMemory:
        """Edit sections in one transaction, all or nothing; never waits for a consolidation.

        Args:
            external_id: The tenant.
            memory_id: The memory.
            sections: Edits, at most one a section: `{"section_id", "new_content"}` writes the whole section; with
                `old_content` (an excerpt that occurs exactly once) it replaces that; `"action": "insert"` puts
                `new_content` after `old_content`, or at the end. `expected_revision` makes an edit conditional.
            source: Who writes; kept with the section and its chunks.

        Returns:
            The memory after the edits; `consolidation_info` says whether it is due.

        Raises:
            MemoryNotFoundError: The tenant has no such memory.
            SectionNotFoundError: The memory has no such section; the message lists those that it has.
            ContentMismatchError: `old_content` does not occur exactly once.
            RevisionConflictError: A section is not at the expected revision; carries the current one and the content.
            InvalidInputError: The batch is malformed.
            EmbeddingError: The new chunks cannot be embedded (with `embed="now"`).

        Examples:
            >>> edits = [
            ...     {"section_id": "plan", "old_content": "May 1", "new_content": "June 1", "expected_revision": 2},
            ...     {"section_id": "team", "new_content": "- Cy works on Docs.", "action": "insert"},
            ... ]
            >>> written = await memory.aupdate_active_memory_sections("alice", apollo.id, edits, source="Ada")
            >>> written.sections["plan"].content.splitlines()
            ['- Deadline: June 1', '- Budget: 5000']
        """
        return await edits.update(self._resources, external_id, memory_id, sections, source)

    async def aupdate_active_memory_section(
        self,
        external_id: str,
        memory_id: int,
        section_id: str,
        new_content: str,
        old_content: str | None = None,
        action: Literal["replace", "insert"] = "replace",
        *,
        expected_revision: int | None = None,
        source: str | None = None,
    ) -> ActiveMemory:
        """Edit one section: `aupdate_active_memory_sections` with a batch of one.

        Examples:
            >>> written = await memory.aupdate_active_memory_section("alice", apollo.id, "plan", "June 1", "May 1")
            >>> written.sections["plan"].content.splitlines()
            ['- Deadline: June 1', '- Budget: 5000']
        """
        edit = {"section_id": section_id, "new_content": new_content, "old_content": old_content, "action": action}
        edits = [edit | {"expected_revision": expected_revision}]
        return await self.aupdate_active_memory_sections(external_id, memory_id, edits, source=source)

    async def aadd(
        self,
        external_id: str,
        messages: Iterable[Any],
        *,
        title: str = "Conversation",
        memory_id: int | None = None,
        sections: MemoryTemplate | Mapping[str, Any] | None = None,
        source: str = "conversation",
        infer: bool = True,
        on_progress: Callable[[int], object] | None = None,
    ) -> AddReport:
        """Add messages: they are kept word for word, and with a model, what the user tells becomes facts in sections.

        Without a model, nothing is inferred: messages are kept and found, and `inferred` is False. In any case each
        message is kept once, however often it is added: by its id, or, where it has none, by its content and its
        position among `messages`. So the whole history can be given again and again; lists of new messages alone need
        ids, or times, as the same words at the same position of two lists would be the same message.

        Messages are stored some at a time, those of one batch with what was learned from them in one transaction. After
        an error, or a crash, the same call goes on where it was.

        Args:
            external_id: The tenant.
            messages: LangChain messages, or dicts with `role` and `content`, and maybe `id`, `name` and `time` (a
                datetime or ISO 8601 text; of LangChain messages, `additional_kwargs["time"]`). They are read one by
                one, so that an iterator may yield any number of them. Of content in blocks, text is kept, and other
                blocks are named. System messages are passed over.
            title: Of the memory that holds the facts; it is made if there is none.
            memory_id: That memory, instead of a title.
            sections: Of a memory that is made: a template, or descriptions by section id. By default `profile`,
                `preferences`, `people`, `plans` and `facts`.
            source: Who writes; kept with the sections and their chunks.
            infer: False asks no model; the messages are known from then on, and no later call asks about them either.
            on_progress: Called after every batch, with how many messages were passed so far.

        Returns:
            Which messages were kept, what was noted and what was refused, and whether the memory is due.

        Raises:
            InvalidInputError: A message, or another argument, cannot be accepted; what came before it is kept.
            MemoryNotFoundError: The tenant has no such memory.
            EmbeddingError: The new chunks cannot be embedded (with `embed="now"`); what came before them is kept.

        Examples:
            >>> said = [{"role": "user", "content": "I live in Oslo.", "id": "m1", "time": "2026-05-08T14:03"}]
            >>> report = await memory.aadd("alice", said)
            >>> report.added, report.inferred  # this memory has no model
            (['m1'], False)
            >>> (await memory.aadd("alice", said)).known
            1
            >>> [hit.content for hit in await memory.asearch("alice", "Oslo")]
            ['[2026-05-08 14:03] User: I live in Oslo.']
        """
        return await adding.add(
            self._resources,
            external_id,
            messages,
            title=title,
            memory_id=memory_id,
            sections=sections,
            source=source,
            infer=infer,
            on_progress=on_progress,
        )

    async def adelete_active_memory(
        self, external_id: str, memory_id: int, *, forget: bool = False
    ) -> DeletionReceipt | None:
        """Close a memory: what is left in it is consolidated, then its sections go; what it gave to memory stays.

        The transcript of a conversation is closed, or forgotten, along with its memory.

        Forgetting works in batches: nobody writes into the memory from the first on. One that was interrupted is
        completed by the same call.

        Args:
            external_id: The tenant.
            memory_id: The memory.
            forget: Remove everything that came from it instead, in every tier; also from one that is closed. What
                another memory supports as well, an entity for instance, keeps what that one gave to it.

        Returns:
            For `forget`, what was removed and what remains; else None.

        Raises:
            MemoryNotFoundError: The tenant has no such memory.
            MemoryBusyError: Another run is consolidating it.

        Examples:
            >>> await memory.adelete_active_memory("alice", apollo.id)
            >>> [hit.tier for hit in await memory.asearch("alice", "deadline", limit=1)]  # what it gave to memory stays
            ['shortterm']
            >>> receipt = await memory.adelete_active_memory("alice", apollo.id, forget=True)
            >>> receipt.removed["memory_chunk"], (await memory.averify_receipt(receipt)).gone
            (4, True)
            >>> await memory.asearch("alice", "deadline")
            []
        """
        if validation.flag(forget, "forget"):
            return await forgetting.forget_memory(self._resources, external_id, memory_id)
        tenant, id = validation.tenant(external_id), validation.identifier(memory_id, "memory_id")
        # the memory last: as long as it is there, its transcripts are found, should this be interrupted
        for each in [*await memories.transcripts(self._resources, tenant, id, closed=False), id]:
            await self._close(tenant, each)
        return None

    async def aforget_tenant(
        self, external_id: str, *, checkpoints: bool = False, threads: Sequence[str] = ()
    ) -> DeletionReceipt:
        """Remove everything of a tenant, in every tier and table, and say what was removed and what remains.

        It works in batches, memory by memory, and holds up no other tenant. Runs that are consolidating a memory of the
        tenant are not applied. A call that was interrupted is completed by the next one; several at once share the
        work. What is written after it has begun is new, and stays.

        Args:
            external_id: The tenant.
            checkpoints: Also remove the checkpoints of all threads that are known to be the tenant's alone: those whose
                state is mapped to its sections, and those whose checkpoints name it in their metadata, as
                `checkpoint_tenant_keys` says. By default they stay, and the receipt lists them.
            threads: Also remove the checkpoints of these threads, whoever uses them.

        Returns:
            A receipt, also where there was nothing to remove.

        Raises:
            InvalidInputError: An argument cannot be accepted.
            OutageError: The database went away; the next call goes on.

        Examples:
            >>> receipt = await memory.aforget_tenant("alice")
            >>> receipt.removed["active_memory"], receipt.removed["entity"], receipt.projected
            (1, 3, 'never')
            >>> (await memory.averify_receipt(receipt)).gone
            True
        """
        return await forgetting.forget_tenant(self._resources, external_id, checkpoints=checkpoints, named=threads)

    async def averify_receipt(self, receipt: DeletionReceipt | Mapping[str, Any] | str) -> DeletionCheck:
        """Look again at what a receipt says is gone.

        Args:
            receipt: What `aforget_tenant`, or `adelete_active_memory` with `forget=True`, returned; as it is, as a dict
                or as JSON text.

        Returns:
            Whether the receipt is unchanged, and what was never gone or has come back: in PostgreSQL, in the named
            threads' checkpoints, and in Neo4j, where this memory reads the graph from there.

        Raises:
            InvalidInputError: That is no receipt.

        Examples:
            >>> receipt = await memory.adelete_active_memory("alice", apollo.id, forget=True)
            >>> (await memory.averify_receipt(receipt.model_dump_json())).gone
            True
            >>> changed = receipt.model_copy(update={"removed": {}})
            >>> (await memory.averify_receipt(changed)).intact
            False
        """
        return await verifying.verify(self._resources, receipt)

    async def asweep(self) -> SweepReport:
        """Remove what has expired, and what the settings keep no longer, of all tenants, some at a time.

        That are items of stores whose time to live has passed, and, by `run_log_retention_days`,
        `history_retention_days` and `checkpoint_retention_days`, old runs, superseded texts and state history, and
        threads. Workers do so every hour where one of these is set.

        - A memory's log is cut at its beginning, and not behind a run that waits for a person, or on whose review
          something was rejected. What is gone from it cannot be undone.
        - Texts are removed so long after they were superseded: `as_of` finds none of them, and an undo does not bring
          them back. What a dispute names stays as long as the dispute. What only such texts support goes along.
        - A thread goes as a whole, so long after its last checkpoint, also one that is interrupted.

        Examples:
            >>> (await memory.asweep()).items
            0
        """
        return await retention.sweep(self._resources)

    async def _close(self, tenant: str, memory_id: int) -> None:
        # again where somebody has written meanwhile: a memory is closed only when nothing is left to consolidate
        while not await memories.close(self._resources, tenant, memory_id):
            report = await self._consolidation.run(tenant, memory_id, everything=True)
            if report.status == "busy":
                raise MemoryBusyError(memory_id, report.lease_expires_at)

    # Consolidation and promotion

    async def aconsolidate(self, external_id: str, memory_id: int, *, dry_run: bool = False) -> ConsolidationReport:
        """Consolidate what is pending in a memory now, whether it is due or not.

        Args:
            external_id: The tenant.
            memory_id: The memory.
            dry_run: Show what would be done instead: conflicts, plan and changes are the report's `preview`, its status
                is `dry_run`. A model is asked as ever, and what that costs is reported; nothing is kept, and the memory
                stays free for others.

        Returns:
            A report; its status is `nothing` where nothing is pending, `busy` where another run holds the memory.

        Raises:
            MemoryNotFoundError: The tenant has no such memory.
            LeaseLostError: The run took longer than its lease.
            EmbeddingError: New names or texts cannot be embedded; the updates stay pending.
            OutageError: The database went away; the updates stay pending.

        Examples:
            >>> written = await memory.aupdate_active_memory_section("alice", apollo.id, "plan", "June 1", "May 1")
            >>> shown = await memory.aconsolidate("alice", apollo.id, dry_run=True)
            >>> shown.status, shown.chunks_superseded, [s.section_id for s in shown.preview.conflicts.sections]
            ('dry_run', 1, ['plan'])
            >>> report = await memory.aconsolidate("alice", apollo.id)
            >>> report.status, report.updates_consumed, report.chunks_superseded
            ('applied', 1, 1)
        """
        if validation.flag(dry_run, "dry_run"):
            return await self._consolidation.rehearse(external_id, memory_id)
        return await self._consolidation.run(external_id, memory_id)

    async def apromote(self, external_id: str, memory_id: int, *, force: bool = False) -> PromotionReport:
        """Promote a memory's short-term memory to long-term memory, if it was consolidated often enough.

        Args:
            external_id: The tenant.
            memory_id: The active memory.
            force: Promote even if it was not.

        Examples:
            >>> report = await memory.apromote("alice", apollo.id, force=True)
            >>> report.status, report.chunks_added, report.entities_added
            ('promoted', 4, 3)
        """
        return await promoting.promote(self._resources, external_id, memory_id, force=validation.flag(force, "force"))

    # Reading

    async def asearch(
        self,
        external_id: str,
        query: str,
        *,
        tiers: Sequence[Tier] | None = None,
        memory_ids: Sequence[int] | None = None,
        limit: int = 10,
        as_of: datetime | None = None,
        now: datetime | None = None,
    ) -> list[SearchHit]:
        """What the tenant's memories say about something, best first.

        Args:
            external_id: The tenant.
            query: In natural language.
            tiers: Of `active`, `shortterm`, `longterm`; all by default.
            memory_ids: Only what came from these memories.
            limit: The most hits.
            as_of: What was valid at that time (with a time zone); what is valid now by default.
            now: When the query is asked (with a time zone), which tells what "last week" or "in May" means; by default
                `as_of`, or the present time in UTC. What names such a day, or was written on it, ranks higher.

        Raises:
            InvalidInputError: An argument cannot be accepted.
            EmbeddingError: The query cannot be embedded.

        Examples:
            >>> hits = await memory.asearch("alice", "What is the budget?", tiers=["shortterm"], limit=1)
            >>> [(hit.tier, hit.content) for hit in hits]
            [('shortterm', '- Budget: 5000')]
        """
        return await searching.search(
            self._resources,
            external_id,
            query,
            tiers=tiers,
            memory_ids=memory_ids,
            limit=limit,
            as_of=as_of,
            now=now,
        )

    async def aretrieve_memories(
        self,
        external_id: str,
        query: str,
        search_shortterm: bool = True,
        search_longterm: bool = True,
        limit: int = 10,
    ) -> list[SearchHit]:
        """`asearch` in the consolidated tiers; empty where both are switched off.

        Examples:
            >>> hits = await memory.aretrieve_memories("alice", "budget", search_longterm=False, limit=1)
            >>> [(hit.tier, hit.content) for hit in hits]
            [('shortterm', '- Budget: 5000')]
        """
        wanted: dict[Tier, bool] = {
            "shortterm": validation.flag(search_shortterm, "search_shortterm"),
            "longterm": validation.flag(search_longterm, "search_longterm"),
        }
        tiers: list[Tier] = [tier for tier, chosen in wanted.items() if chosen]
        return await self.asearch(external_id, query, tiers=tiers, limit=limit) if tiers else []

    async def acontext(
        self,
        external_id: str,
        query: str | None = None,
        *,
        messages: Iterable[object] = (),
        token_budget: int = 2000,
        memory_ids: Sequence[int] | None = None,
        tiers: Sequence[Tier] | None = None,
        limit: int = 10,
        now: datetime | None = None,
        count_tokens: Callable[[str], int] | None = None,
    ) -> MemoryContext:
        """What of memory goes into a prompt: sections, and the best hits for a query, as delimited data.

        The sections may take seven tenths of the budget, with a query and without; hits and disputes take what is left.
        Where not all sections fit, long ones are cut to the same length, and marked. Of hits, those are left out that
        stand in the sections that are shown; neighbours in a section are joined.

        Args:
            external_id: The tenant.
            query: In natural language, as the user's last message; without one, there are no hits.
            messages: The conversation that the prompt holds besides, as `aadd` takes it: what was kept of it is no hit.
            token_budget: The most tokens.
            memory_ids: Only what is in these memories, or came from them.
            tiers: Only hits of these tiers (`active`, `shortterm`, `longterm`); all by default.
            limit: The most hits.
            now: When the query is asked, as for `asearch`.
            count_tokens: How many tokens a text has; by default, one for four characters. It is asked ten or twenty
                times, on the event loop.

        Raises:
            InvalidInputError: An argument cannot be accepted.
            EmbeddingError: The query cannot be embedded.

        Examples:
            >>> context = await memory.acontext("alice", "What is the budget?", token_budget=500)
            >>> context.tokens <= 500, context.hits[0].content
            (True, '- Budget: 5000')
            >>> "- Budget: 5000" in context.sections, context.recalled  # not twice
            (True, '')
        """
        return await recalling.context(
            self._resources,
            external_id,
            query,
            messages=messages,
            token_budget=token_budget,
            memory_ids=memory_ids,
            tiers=tiers,
            limit=limit,
            now=now,
            count_tokens=count_tokens,
        )

    async def aget_entity(self, external_id: str, entity: str | int, *, tier: GraphTier | None = None) -> Entity:
        """An entity with its relationships and state history.

        Args:
            external_id: The tenant.
            entity: Its name, in whatever form (case, spaces, hyphens and quotes do not count), or its id; digits that
                nothing is called, as a command or an address has them, are an id, too. Where several things have the
                name, this is the one of which the extractor was most confident, then the oldest; its `namesakes` are
                the ids of the others.
            tier: Where to look; a long-term entity is preferred by default.

        Raises:
            EntityNotFoundError: The tenant has none of that name or id.

        Examples:
            >>> ada = await memory.aget_entity("alice", "ada")
            >>> [(link.source, link.target) for link in ada.relationships]
            [('Ada', 'Engine')]
        """
        stored = await reading.entity(self._resources, external_id, entity, tier)
        if stored is None:
            raise EntityNotFoundError(f"tenant {external_id!r} has no entity {entity!r}{f' in {tier}' if tier else ''}")
        return stored

    async def ahistory(
        self, external_id: str, memory_id: int, section_id: str | None = None, *, limit: int = 200
    ) -> list[ChunkHistory]:
        """A memory's chunks, valid or not, the newest first: what was remembered when, by whom, and until when.

        Args:
            external_id: The tenant.
            memory_id: The memory, open or closed.
            section_id: Only this section's; all by default.
            limit: The most chunks.

        Raises:
            MemoryNotFoundError: The tenant has no such memory.

        Examples:
            >>> written = await memory.aupdate_active_memory_section("alice", apollo.id, "plan", "June 1", "May 1")
            >>> report = await memory.aconsolidate("alice", apollo.id)
            >>> for chunk in await memory.ahistory("alice", apollo.id, "plan"):
            ...     print(chunk.content.strip(), "-", "ended" if chunk.end_date else "valid")
            - Deadline: June 1 - valid
            - Budget: 5000 - valid
            - Deadline: May 1 - ended
        """
        return await reading.history(self._resources, external_id, memory_id, section_id, limit)

    async def adraw_entities(
        self,
        external_id: str,
        names: Sequence[str] | None = None,
        *,
        depth: int = 2,
        as_of: datetime | None = None,
        tier: GraphTier | None = None,
        limit: int = 20,
    ) -> EntityDrawing:
        """The entity graph as a picture (SVG) and as Mermaid's text; a notebook shows the picture.

        Args:
            external_id: The tenant.
            names: What is around these entities, whatever their case; by default the best connected of all.
            depth: Most relationships to go along from `names`, 1 to 10.
            as_of: The time (with a time zone) whose graph is meant; now by default.
            tier: Only short-term or long-term entities; by default both, an entity of either drawn once.
            limit: The most entities, 1 to 60; the drawing says how many more there are, of at most 500.

        Raises:
            InvalidInputError: An argument cannot be accepted.

        Examples:
            >>> drawing = await memory.adraw_entities("alice", ["Ada"], depth=1)
            >>> drawing.entities, drawing.svg[:4]
            (['Ada', 'Engine'], '<svg')
        """
        return await drawing.entities(
            self._resources, external_id, names, depth=depth, as_of=as_of, tier=tier, limit=limit
        )

    def as_retriever(
        self,
        external_id: str,
        *,
        k: int = 10,
        tiers: Sequence[Tier] | None = None,
        memory_ids: Sequence[int] | None = None,
        as_of: datetime | None = None,
    ) -> "AgentMemoryRetriever":
        """LangChain's retriever on a tenant's memory, for its chains and tools; see `AgentMemoryRetriever`.

        Args:
            external_id: The tenant.
            k: The most documents.
            tiers: Of `active`, `shortterm`, `longterm`; all by default.
            memory_ids: Only what came from these memories.
            as_of: What was valid at that time (with a time zone); what is valid now by default.

        Raises:
            InvalidInputError: An argument cannot be accepted.

        Examples:
            >>> retriever = memory.as_retriever("alice", k=1, tiers=["shortterm"])
            >>> [document.page_content for document in retriever.invoke("What is the budget?")]
            ['- Budget: 5000']
        """
        from langgraph_agentmem.retriever import AgentMemoryRetriever  # noqa: PLC0415 - as long to import as all else

        return AgentMemoryRetriever(
            memory=self, external_id=external_id, k=k, tiers=tiers, memory_ids=memory_ids, as_of=as_of
        )

    async def aas_vectorstore(self, external_id: str, *, k: int = 4) -> "AgentMemoryVectorStore":
        """LangChain's `PGVectorStore` on the vectors of a tenant's memory, to read (extra `langchain-postgres`).

        It is for what asks for a vector store, and compares vectors only: `asearch` and `as_retriever` find by words
        and entities as well, and chunk what was only put before they look.

        Args:
            external_id: The tenant. It is fixed; a filter on metadata (`tier`, `memory_id`, `memory_title`,
                `section_id`, `current`, `start_date`, `source`) narrows what is found, and reaches no other tenant's.
            k: The most documents, where a call names no other number.

        Raises:
            MissingDependencyError: langchain-postgres is not installed.
            ConfigurationError: The memory has no embedder, or the view that is read cannot be made.
            EmbeddingMismatchError: The database's vectors come from another embedder.

        Examples:
            >>> async with AgentMemory.open(index=lambda texts: [[1.0, len(text)] for text in texts]) as other:
            ...     embedded = await other.queue.aembed_pending("alice")
            ...     texts = await other.aas_vectorstore("alice", k=10)
            ...     found = await texts.asimilarity_search("budget", filter={"section_id": "plan"})
            >>> sorted(document.page_content.strip() for document in found)
            ['- Budget: 5000', '- Deadline: May 1']
        """
        return await self._vector_stores.of(external_id, k)

    @cached_property
    def _vector_stores(self) -> "VectorStores":
        try:
            from langgraph_agentmem.vectorstore import VectorStores  # noqa: PLC0415 - optional
        except ImportError as error:
            raise MissingDependencyError(
                "a vector store needs langchain-postgres: "
                f'pip install "langgraph-agentmem[langchain-postgres]" ({error})'
            ) from error
        return VectorStores(self._resources)

    setup: Final = blocking(asetup)
    diagnose: Final = blocking(adiagnose)
    close: Final = blocking(aclose)
    create_active_memory: Final = blocking(acreate_active_memory)
    get_active_memory: Final = blocking(aget_active_memory)
    get_active_memories: Final = blocking(aget_active_memories)
    update_active_memory_sections: Final = blocking(aupdate_active_memory_sections)
    update_active_memory_section: Final = blocking(aupdate_active_memory_section)
    add: Final = blocking(aadd)
    delete_active_memory: Final = blocking(adelete_active_memory)
    forget_tenant: Final = blocking(aforget_tenant)
    verify_receipt: Final = blocking(averify_receipt)
    sweep: Final = blocking(asweep)
    consolidate: Final = blocking(aconsolidate)
    promote: Final = blocking(apromote)
    search: Final = blocking(asearch)
    retrieve_memories: Final = blocking(aretrieve_memories)
    context: Final = blocking(acontext)
    get_entity: Final = blocking(aget_entity)
    history: Final = blocking(ahistory)
    draw_entities: Final = blocking(adraw_entities)
    as_vectorstore: Final = blocking(aas_vectorstore)
