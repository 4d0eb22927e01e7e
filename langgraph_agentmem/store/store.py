"""LangGraph's store on active memory: every item is a section."""

import os
import weakref
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, cast

import anyio
from langgraph.store.base import NOT_PROVIDED, BaseStore, NotProvided, Op, PutOp, Result, TTLConfig

from langgraph_agentmem import bridge
from langgraph_agentmem.embedding import Index
from langgraph_agentmem.extraction import Extractor
from langgraph_agentmem.memory import AgentMemory
from langgraph_agentmem.models.base import Tier
from langgraph_agentmem.models.item import Namespace
from langgraph_agentmem.models.write import SectionWrite
from langgraph_agentmem.operations.sections import deleting, items
from langgraph_agentmem.policies import validation
from langgraph_agentmem.redaction import Redact
from langgraph_agentmem.reranker import Reranker
from langgraph_agentmem.resources import HasResources, given_memory
from langgraph_agentmem.settings import AgentMemorySettings
from langgraph_agentmem.storage.driver.conninfo import with_pool_config
from langgraph_agentmem.store.batches import Batches
from langgraph_agentmem.store.options import Options
from langgraph_agentmem.store.requests import (
    AgentMemoryItem,
    AgentMemorySearchItem,
    as_item,
)
from langgraph_agentmem.store.sweeping import sweep_forever

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

__all__ = ["AgentMemoryItem", "AgentMemorySearchItem", "AgentMemoryStore"]

_WAIT_TO_STOP = 10.0


class AgentMemoryStore(bridge.Opened, BaseStore):
    """A LangGraph store in which every item is a section of an active memory.

    What an agent puts into it counts towards consolidation, and is promoted and found like any other memory. It takes
    the place of LangGraph's `PostgresStore` and `AsyncPostgresStore`: one object serves sync and async callers, in any
    thread and on any event loop. Use it as `async with AgentMemoryStore.from_conn_string(dsn) as store`, with a plain
    `with`, or just call its methods.

    A namespace is an active memory, a key a section of it. One of the namespace's labels is the tenant: the first by
    default, so that `("alice", "notes")` is the memory "notes" of tenant "alice".

    Args:
        memory: An open memory. Who opened it closes it.
        fields: Paths of the values whose texts are searched and consolidated, for items that are put without an
            `index`; by default, all texts.
        ttl: LangGraph's configuration: `default_ttl`, `refresh_on_read`, `omit_expired`, `sweep_interval_minutes`.
            Items that have expired are removed every so often as long as the store is open.
        owner: The position in a namespace of the label that is the tenant; 1 for `("memories", user_id)`. Set it as
            `store_owner` in the memory's settings, so that memories created without the store are seen by it.
        default_tenant: The tenant of namespaces that are too short to name one.
        tiers: What a search looks through: `active` for items, `shortterm` and `longterm` for what was consolidated,
            which comes under the sub-namespaces `@shortterm` and `@longterm` and is read-only.

    Raises:
        ConfigurationError: An argument does not fit.

    Examples:
        >>> store = AgentMemoryStore(memory)
        >>> store.put(("alice", "preferences"), "drink", {"text": "Green tea."})
        >>> [(item.key, item.value) for item in store.search(("alice", "preferences"), query="tea")]
        [('drink', {'text': 'Green tea.'})]
    """

    supports_ttl = True

    def __init__(
        self,
        memory: AgentMemory,
        *,
        fields: Sequence[str] | None = None,
        ttl: TTLConfig | None = None,
        owner: int | None = None,
        default_tenant: str | None = None,
        tiers: Sequence[Tier] | None = None,
    ) -> None:
        given_memory(memory, AgentMemory, by_dsn="AgentMemoryStore.from_conn_string")
        self.memory = memory
        self._options = Options.of(
            memory.settings, fields=fields, ttl=ttl, owner=owner, default_tenant=default_tenant, tiers=tiers
        )
        self.ttl_config: TTLConfig | None = self._options.ttl
        self._owns_memory = False
        self._sweeper: Future[None] | None = None
        self._sweeper_process = 0
        self._sweeps = True
        self._batches = Batches(memory.resources, self._options)

    @classmethod
    def from_conn_string(
        cls,
        conn_string: str | None = None,
        *,
        index: Index | None = None,
        fields: Sequence[str] | None = None,
        ttl: TTLConfig | None = None,
        pool_config: Mapping[str, Any] | None = None,
        owner: int | None = None,
        default_tenant: str | None = None,
        tiers: Sequence[Tier] | None = None,
        data_dir: Path | str | None = None,
        model: "BaseChatModel | str | None" = None,
        extractor: Extractor | None = None,
        settings: AgentMemorySettings | None = None,
        reembed: bool | Index = False,
        reranker: "Reranker | None" = None,
        redact: Redact | Literal["secrets", "off"] | None = None,
        background: bool | None = None,
    ) -> "AgentMemoryStore":
        """A store on a PostgreSQL server, or on an embedded one; leaving its `with` block closes it.

        Args:
            conn_string: Connection string; by default `AGENTMEM_DSN`, else the embedded server.
            index: LangGraph's configuration: `embed`, `dims`, `fields`, `distance_type` (`cosine`, `l2`,
                `inner_product`) and `ann_index_config` (`kind`: `hnsw`, `ivfflat`, `flat`; `vector_type`: `halfvec`,
                `vector`; the index's options).
            fields: See the class; by default those of `index`.
            ttl: See the class.
            pool_config: `max_size` of the connection pool, and `kwargs` for its connections.
            owner: See the class.
            default_tenant: See the class.
            tiers: See the class.
            data_dir: See `AgentMemory.open`.
            model: See `AgentMemory.open`.
            extractor: See `AgentMemory.open`.
            settings: See `AgentMemory.open`.
            reembed: See `AgentMemory.open`.
            reranker: See `AgentMemory.open`.
            redact: See `AgentMemory.open`.
            background: See `AgentMemory.open`.

        Raises:
            ConfigurationError: An argument does not fit.

        Examples:
            >>> with AgentMemoryStore.from_conn_string(ttl={"default_ttl": 60}) as store:
            ...     store.put(("alice", "codes"), "door", {"code": "1234"})
            ...     store.get(("alice", "codes"), "door").value
            {'code': '1234'}
        """
        settings = AgentMemorySettings() if settings is None else settings
        if type(owner) is int and owner >= 0:  # else refused below; memories that it makes go where the store looks
            settings = settings.model_copy(update={"store_owner": owner})
        dsn, settings = with_pool_config(conn_string, settings, pool_config)
        if fields is None and isinstance(index, Mapping):
            fields = cast("Mapping[str, Any]", index).get("fields")
        memory = AgentMemory.open(
            dsn,
            data_dir=data_dir,
            model=model,
            index=cast("Index | None", index),
            extractor=extractor,
            settings=settings,
            reembed=reembed,
            reranker=reranker,
            redact=redact,
            background=background,
        )
        store = cls(memory, fields=fields, ttl=ttl, owner=owner, default_tenant=default_tenant, tiers=tiers)
        store._owns_memory = True
        return store

    # Life

    async def asetup(self) -> None:
        """Bring the schema up to date and start removing what expires; the first use does so by itself.

        Any number of processes may do so at once.

        Examples:
            >>> await store.asetup()  # as `async with` does, and otherwise the first call
        """
        await self.memory.asetup()
        self._sweeps = True
        self._start_sweeping(self._options.sweep_minutes)

    async def aclose(self) -> None:
        """Stop removing what expires, and close the memory if the store has opened it; it may be used again.

        Examples:
            >>> await store.aclose()  # as leaving `async with` does
        """
        await self.astop_ttl_sweeper()
        self._sweeps = True
        if self._owns_memory:
            await self.memory.aclose()

    # Operations

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """Carry out operations in one transaction: reads see what was there before its puts, the last put wins.

        A single operation travels with others of its kind that come in the same tick of the event loop.

        Examples:
            >>> from langgraph.store.base import GetOp, PutOp
            >>> notes = ("alice", "notes")
            >>> await store.abatch([PutOp(notes, "1", {"text": "Call Bo."}), GetOp(notes, "1")])
            [None, None]
        """
        requests = await self._batches.prepared(list(cast("Iterable[Op]", validation.several(ops, "ops"))))
        self._start_sweeping(self._options.sweep_minutes)
        if len(requests) == 1:
            return [await self._batches.alone(requests[0])]
        return await self._batches.together(requests) if requests else []

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """As `abatch`, for sync code.

        Examples:
            >>> from langgraph.store.base import GetOp
            >>> store.batch([GetOp(("alice", "notes"), "1"), GetOp(("alice", "notes"), "2")])
            [None, None]
        """
        return self._batch(ops)

    _batch = bridge.blocking(abatch)

    async def aput_if(
        self,
        namespace: Namespace,
        key: str,
        value: Mapping[str, Any],
        revision: int,
        *,
        index: bool | Sequence[str] | None = None,
        ttl: float | NotProvided | None = NOT_PROVIDED,
    ) -> AgentMemoryItem:
        """Put an item only if it is still at the revision that the caller has seen.

        Args:
            namespace: Of the item.
            key: Of the item.
            value: Any JSON object.
            revision: `item.revision` as it was read; 0 if there is to be no such item.
            index: As for `put`.
            ttl: Minutes; None for ever; by default, the configured ones.

        Returns:
            The item as it was written, with its new revision.

        Raises:
            RevisionConflictError: Somebody else was first; nothing was written.
            InvalidInputError: An argument cannot be accepted.

        Examples:
            >>> item = await store.aput_if(("alice", "notes"), "1", {"text": "Call Bo."}, revision=0)
            >>> item = await store.aput_if(("alice", "notes"), "1", {"text": "Call Cy."}, revision=item.revision)
            >>> item.revision
            2
        """
        expected = validation.count(revision, "revision")
        self._start_sweeping(self._options.sweep_minutes)
        minutes = self._options.default_ttl if isinstance(ttl, NotProvided) else ttl
        # of none there would be nothing to put, but something to delete
        given = dict(value) if isinstance(cast("object", value), Mapping) else validation.json_object(value, "value")
        op = PutOp(namespace, key, given, cast("Any", index), ttl=minutes)
        [ready] = await self._batches.prepared([op])
        put, options = cast("SectionWrite", ready), self._options
        return as_item(
            await items.put_if(
                self.memory.resources, options.ownership, put, expected, omit_expired=options.omit_expired
            )
        )

    async def asweep_ttl(self) -> int:
        """Remove items that have expired now, with all that was made from them; returns how many those were.

        Examples:
            >>> await store.aput(("alice", "codes"), "door", {"code": "1234"}, ttl=30)
            >>> await store.asweep_ttl()  # nothing has expired yet
            0
        """
        return await deleting.sweep(self.memory.resources)

    async def astart_ttl_sweeper(self, sweep_interval_minutes: float | None = None) -> None:
        """Remove what expires every so often (5 minutes); a store with a TTL configuration does so by itself.

        Examples:
            >>> await store.astart_ttl_sweeper(sweep_interval_minutes=10)
        """
        minutes = validation.minutes(sweep_interval_minutes or None, "sweep_interval_minutes")
        await self.astop_ttl_sweeper()
        self._sweeps = True
        self._start_sweeping(minutes or self._options.sweep_minutes or 5.0)

    async def astop_ttl_sweeper(self, timeout: float | None = None) -> bool:  # noqa: ASYNC109 - LangGraph's signature
        """Stop removing what expires, until it is started again; returns whether it stopped in time (seconds).

        Examples:
            >>> await store.astop_ttl_sweeper(timeout=5)
            True
        """
        self._sweeps = False
        sweeper, self._sweeper = self._sweeper, None
        if sweeper is None:
            return True
        sweeper.cancel()
        with anyio.move_on_after(_WAIT_TO_STOP if timeout is None else timeout):
            while not sweeper.done():  # noqa: ASYNC110 - it runs on another loop
                await anyio.sleep(0.005)
        return sweeper.done()

    put_if: Final = bridge.blocking(aput_if)
    setup: Final = bridge.either(asetup)
    close: Final = bridge.either(aclose)
    sweep_ttl: Final = bridge.either(asweep_ttl)
    start_ttl_sweeper: Final = bridge.either(astart_ttl_sweeper)
    stop_ttl_sweeper: Final = bridge.either(astop_ttl_sweeper)

    def _start_sweeping(self, minutes: float | None) -> None:
        """Start the sweeper on the background loop, unless it runs, was stopped, or nothing ever expires here."""
        running = self._sweeper is not None and not self._sweeper.done() and self._sweeper_process == os.getpid()
        if minutes is not None and self._sweeps and not running:
            memory: weakref.ref[HasResources] = weakref.ref(self.memory)
            self._sweeper = bridge.start(partial(sweep_forever, memory, minutes * 60))
            self._sweeper_process = os.getpid()  # a forked one inherits the future, but not who works for it
