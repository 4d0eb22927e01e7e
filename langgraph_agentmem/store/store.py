"""LangGraph's store on active memory: every item is a section."""

import os
import weakref
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import anyio
from langgraph.store.base import NOT_PROVIDED, BaseStore, NotProvided, Op, PutOp, Result, TTLConfig

from langgraph_agentmem import bridge
from langgraph_agentmem.embedding import Index
from langgraph_agentmem.errors import ConfigurationError, InvalidInputError, OutageError
from langgraph_agentmem.extraction import Extractor
from langgraph_agentmem.memory import AgentMemory
from langgraph_agentmem.models.base import Tier
from langgraph_agentmem.models.item import ItemKey, ItemSearch, ItemWrite, Namespace, NamespaceListing, StoredItem
from langgraph_agentmem.operations.queue import queueing
from langgraph_agentmem.operations.retrieval import item_search
from langgraph_agentmem.operations.sections import chunks as writing
from langgraph_agentmem.operations.sections import items
from langgraph_agentmem.resources import HasResources
from langgraph_agentmem.settings import AgentMemorySettings
from langgraph_agentmem.storage import item_search as search_storage
from langgraph_agentmem.storage.chunks import UnchunkedMemory
from langgraph_agentmem.storage.driver.connections import Connection, retrying_deadlocks
from langgraph_agentmem.storage.driver.conninfo import with_pool_config
from langgraph_agentmem.storage.driver.rows import Deferred, gathered
from langgraph_agentmem.storage.driver.tenants import EVERYONE
from langgraph_agentmem.store.coalescing import Coalescer
from langgraph_agentmem.store.requests import (
    AgentMemoryItem,
    AgentMemorySearchItem,
    Get,
    Options,
    Read,
    Request,
    Search,
    Write,
    as_item,
    checked,
    place,
    refreshing,
    result,
)
from langgraph_agentmem.store.sweeping import sweep_forever

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

__all__ = ["AgentMemoryItem", "AgentMemorySearchItem", "AgentMemoryStore"]

T = TypeVar("T")
R = TypeVar("R")

_GETS, _SEARCHES, _WRITES = 200, 8, 200
"""The most operations of one tick that share a transaction; searches beyond go side by side."""
_READS = 5
"""How often a search is made at most where others write just the items that it finds."""
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
        if not isinstance(cast("object", memory), AgentMemory):
            raise ConfigurationError(
                f"memory must be an AgentMemory, not {type(memory).__name__}; for a connection string there is "
                "AgentMemoryStore.from_conn_string"
            )
        self.memory = memory
        self._options = Options.of(
            memory.settings, fields=fields, ttl=ttl, owner=owner, default_tenant=default_tenant, tiers=tiers
        )
        self.ttl_config = self._options.ttl
        self._owns_memory = False
        self._sweeper: Future[None] | None = None
        self._sweeper_process = 0
        self._sweeps = True
        self._gets = Coalescer(partial(_outcomes, self._read), _GETS)
        self._searches = Coalescer(partial(_outcomes, self._read), _SEARCHES)
        self._writes = Coalescer(partial(_outcomes, self._together), _WRITES, self._tenant)

    @classmethod
    def from_conn_string(
        cls,
        conn_string: str | None = None,
        *,
        index: Index | None = None,
        ttl: TTLConfig | None = None,
        pool_config: Mapping[str, Any] | None = None,
        owner: int | None = None,
        default_tenant: str | None = None,
        tiers: Sequence[Tier] | None = None,
        data_dir: Path | str | None = None,
        model: "BaseChatModel | str | None" = None,
        extractor: Extractor | None = None,
        settings: AgentMemorySettings | None = None,
        reembed: bool = False,
        background: bool | None = None,
    ) -> "AgentMemoryStore":
        """A store on a PostgreSQL server, or on an embedded one; leaving its `with` block closes it.

        Args:
            conn_string: Connection string; by default `AGENTMEM_DSN`, else the embedded server.
            index: LangGraph's configuration: `embed`, `dims`, `fields`, `distance_type` (`cosine`, `l2`,
                `inner_product`) and `ann_index_config` (`kind`: `hnsw`, `ivfflat`, `flat`; `vector_type`: `halfvec`,
                `vector`; the index's options).
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
            background: See `AgentMemory.open`.

        Raises:
            ConfigurationError: An argument does not fit.
        """
        settings = settings or AgentMemorySettings()
        if type(owner) is int and owner >= 0:  # else refused below; memories that it makes go where the store looks
            settings = settings.model_copy(update={"store_owner": owner})
        dsn, settings = with_pool_config(conn_string, settings, pool_config)
        fields = cast("Mapping[str, Any]", index).get("fields") if isinstance(index, Mapping) else None
        memory = AgentMemory.open(
            dsn,
            data_dir=data_dir,
            model=model,
            index=cast("Index | None", index),
            extractor=extractor,
            settings=settings,
            reembed=reembed,
            background=background,
        )
        store = cls(memory, fields=fields, ttl=ttl, owner=owner, default_tenant=default_tenant, tiers=tiers)
        store._owns_memory = True
        return store

    # Life

    async def asetup(self) -> None:
        """Bring the schema up to date and start removing what expires; the first use does so by itself.

        Any number of processes may do so at once.
        """
        await self.memory.asetup()
        self._sweeps = True
        self._start_sweeping(self._options.sweep_minutes)

    async def aclose(self) -> None:
        """Stop removing what expires, and close the memory if the store has opened it; it may be used again."""
        await self.astop_ttl_sweeper()
        self._sweeps = True
        if self._owns_memory:
            await self.memory.aclose()

    # Operations

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """Carry out operations in one transaction: reads see what was there before its puts, the last put wins.

        A single operation travels with others of its kind that come in the same tick of the event loop.
        """
        requests = await self._prepared(list(ops))
        self._start_sweeping(self._options.sweep_minutes)
        if len(requests) == 1:
            return [await self._alone(requests[0])]
        return await self._together(requests) if requests else []

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """As `abatch`, for sync code."""
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
        """
        if type(revision) is not int or revision < 0:
            raise InvalidInputError(f"revision must be an integer of at least 0, not {revision!r}")
        self._start_sweeping(self._options.sweep_minutes)
        minutes = self._options.default_ttl if isinstance(ttl, NotProvided) else ttl
        wanted = checked(
            self.memory.resources, self._options, PutOp(namespace, key, dict(value), cast("Any", index), ttl=minutes)
        )
        [ready] = await items.embedded(self.memory.resources, self._options.ownership, [cast("ItemWrite", wanted)])
        write = partial(items.put_if, self.memory.resources, self._options.ownership, ready, revision)
        return as_item(await retrying_deadlocks(partial(write, omit_expired=self._options.omit_expired)))

    async def asweep_ttl(self) -> int:
        """Remove items that have expired now, with all that was made from them; returns how many those were."""
        return await items.sweep(self.memory.resources)

    async def astart_ttl_sweeper(self, sweep_interval_minutes: float | None = None) -> None:
        """Remove what expires every so often (5 minutes); a store with a TTL configuration does so by itself."""
        await self.astop_ttl_sweeper()
        self._sweeps = True
        self._start_sweeping(sweep_interval_minutes or self._options.sweep_minutes or 5.0)

    async def astop_ttl_sweeper(self, timeout: float | None = None) -> bool:  # noqa: ASYNC109 - LangGraph's signature
        """Stop removing what expires, until it is started again; returns whether it stopped in time (seconds)."""
        self._sweeps = False
        sweeper, self._sweeper = self._sweeper, None
        if sweeper is None:
            return True
        sweeper.cancel()
        with anyio.move_on_after(_WAIT_TO_STOP if timeout is None else timeout):
            while not sweeper.done():  # noqa: ASYNC110 - it runs on another loop
                await anyio.sleep(0.005)
        return sweeper.done()

    put_if = bridge.blocking(aput_if)
    setup = bridge.either(asetup)
    close = bridge.either(aclose)
    sweep_ttl = bridge.either(asweep_ttl)
    start_ttl_sweeper = bridge.either(astart_ttl_sweeper)
    stop_ttl_sweeper = bridge.either(astop_ttl_sweeper)

    # How requests are answered

    async def _prepared(self, ops: Sequence[Op]) -> list[Request]:
        """Operations that are checked, and embedded concurrently."""
        resources = self.memory.resources
        requests = [checked(resources, self._options, op) for op in ops]
        embedded = ItemSearch if resources.embedder_now is None else ItemSearch | ItemWrite
        if any(isinstance(request, embedded) for request in requests):
            return await self._embedded(ops, requests)
        return cast("list[Request]", requests)

    async def _embedded(self, ops: Sequence[Op], requests: Sequence[Request | ItemSearch]) -> list[Request]:
        resources, found = self.memory.resources, dict[int, Request]()
        puts = [place for place, request in enumerate(requests) if isinstance(request, ItemWrite)]
        searches = {place: request for place, request in enumerate(requests) if isinstance(request, ItemSearch)}

        async def embed_puts() -> None:
            given = [cast("ItemWrite", requests[place]) for place in puts]
            found.update(zip(puts, await items.embedded(resources, self._options.ownership, given), strict=True))

        async def embed_search(place: int, search: ItemSearch) -> None:
            found[place] = Search(await item_search.prepared(resources, search), refreshing(ops[place]))

        calls = [partial(embed_search, place, search) for place, search in searches.items()]
        await _all_of([*calls, embed_puts] if puts else calls)
        await item_search.learn_frequencies(resources, [r.prepared for r in found.values() if isinstance(r, Search)])
        return [found.get(place, cast("Request", request)) for place, request in enumerate(requests)]

    async def _alone(self, request: Request) -> Result:
        match request:
            case Get():
                return await self._gets(request)
            case Search() | NamespaceListing():
                return await self._searches(request)
            case _:
                return await self._writes(request)

    def _tenant(self, write: Write) -> str:
        return self._options.ownership.tenant(place(write)[0])

    async def _together(self, requests: Sequence[Request]) -> list[Result]:
        if await self._put_values(requests):
            return [None] * len(requests)
        reads = [request for request in requests if isinstance(request, Read)]
        sent = await retrying_deadlocks(partial(self._read_and_write, requests, reads))
        results = iter(await self._results(reads, [await answer() for answer in sent]))
        return [next(results) if isinstance(request, Read) else None for request in requests]

    async def _read_and_write(self, requests: Sequence[Request], reads: Sequence[Read]) -> list[Deferred[Any]]:
        # for everyone: the requests of one transaction may be of several tenants, or search all of them
        if any(isinstance(request, Search | Get) for request in reads):
            async with self.memory.resources.database.transaction(EVERYONE) as connection:
                stale = await self._send_unchunked(connection, reads)
            await writing.catch_up_all(self.memory.resources, await stale())
        async with self.memory.resources.database.transaction(EVERYONE) as connection:
            sent, _ = await self._send(connection, reads)
            due = await self._write(connection, [request for request in requests if not isinstance(request, Read)])
        if await due():
            await queueing.wake_workers(self.memory.resources)
        return sent

    async def _read(self, requests: Sequence[Read]) -> Sequence[Result]:
        answers: list[Any] = []
        for _ in range(_READS):
            answers = [await answer() for answer in await self._sent(requests)]
            if not any(map(_read_inconsistent, answers)):
                break
        return await self._results(requests, answers)

    async def _sent(self, requests: Sequence[Read]) -> list[Deferred[Any]]:
        """Ask for what is stored, where chunks matter when no section is stale."""
        if not self._asks_once(requests):
            # for everyone, as in `_read_and_write`
            return await writing.read_fresh(self.memory.resources, EVERYONE, partial(self._send, requests=requests))
        tenant = self._options.ownership.tenant(cast("Get", requests[0]).place[0])
        async with self.memory.resources.database.connection(tenant) as connection:
            sent, _ = await self._send(connection, requests)
        return sent

    def _asks_once(self, requests: Sequence[Read]) -> bool:
        """Whether requests are items of one tenant, which a single statement reads."""
        places = [request.place for request in requests if isinstance(request, Get) and not request.tier]
        tenants = {self._options.ownership.tenant(namespace) for namespace, _ in places}
        return len(places) == len(requests) and len(tenants) == 1

    async def _send_unchunked(
        self, connection: Connection, requests: Sequence[Read]
    ) -> Deferred[list[UnchunkedMemory]]:
        """Ask for memories whose chunks matter and are those of earlier values; comes first, as it sets searches up."""
        ownership, tenants = self._options.ownership, set[str]()
        for request in requests:
            if isinstance(request, Search) and not request.prepared.plain:
                tenants |= set(await item_search.tenants(connection, ownership, request.prepared))
            elif isinstance(request, Get) and request.tier:
                tenants.add(ownership.tenant(request.place[0]))
        return await search_storage.set_up(connection, tenants) if tenants else gathered([])

    async def _put_values(self, requests: Sequence[Request]) -> bool:
        """Whether all of these were puts that take one statement, and are done."""
        puts = [request for request in requests if isinstance(request, ItemWrite)]
        return len(puts) == len(requests) and await items.put_values(
            self.memory.resources, self._options.ownership, puts, mortal=self._mortal(puts)
        )

    async def _write(self, connection: Connection, requests: Sequence[Write]) -> Deferred[bool]:
        last = {place(request): request for request in requests}
        puts = [request for request in last.values() if isinstance(request, ItemWrite)]
        deletes = [request for request in last.values() if not isinstance(request, ItemWrite)]
        return await items.write(
            connection, self.memory.resources, self._options.ownership, puts, deletes, mortal=self._mortal(puts)
        )

    def _mortal(self, puts: Sequence[ItemWrite]) -> bool:
        return self._options.ttl is not None or any(put.ttl_minutes is not None for put in puts)

    async def _send(
        self, connection: Connection, requests: Sequence[Read]
    ) -> tuple[list[Deferred[Any]], Deferred[list[UnchunkedMemory]]]:
        """Ask for what is stored: an item or None, items, or namespaces; and for stale memories that matter to it."""
        stale = await self._send_unchunked(connection, requests)
        resources, ownership = self.memory.resources, self._options.ownership
        places = [request.place for request in requests if isinstance(request, Get) and not request.tier]
        got = await items.send_get(connection, ownership, places, omit_expired=self._options.omit_expired)
        sent: list[Deferred[Any]] = []
        for request in requests:
            match request:
                case Get(place=(namespace, key), tier=str(tier)):
                    sent.append(await item_search.send_document(connection, ownership, namespace, tier, key))
                case Get(place=where):
                    sent.append(partial(_one_of, got, where))
                case Search(prepared=prepared):
                    sent.append(await item_search.send_search(resources, connection, ownership, prepared))
                case NamespaceListing():
                    sent.append(await items.send_namespaces(connection, ownership, request))
        return sent, stale

    async def _results(self, requests: Sequence[Read], answers: Sequence[Any]) -> list[Result]:
        """What was read, as LangGraph's items; items that expire live on, if so asked."""
        mortal: list[StoredItem] = []
        for request, answer in zip(requests, answers, strict=True):
            if answer and isinstance(request, Get | Search) and request.refresh:
                read: list[StoredItem] = answer if isinstance(request, Search) else [answer]
                mortal += [item for item in read if item.ttl_minutes is not None]
        if mortal:
            await items.refresh(self.memory.resources, self._options.ownership, mortal)
        return [result(answer) for answer in answers]

    def _start_sweeping(self, minutes: float | None) -> None:
        """Start the sweeper on the background loop, unless it runs, was stopped, or nothing ever expires here."""
        running = self._sweeper is not None and not self._sweeper.done() and self._sweeper_process == os.getpid()
        if minutes is not None and self._sweeps and not running:
            memory: weakref.ref[HasResources] = weakref.ref(self.memory)
            self._sweeper = bridge.start(partial(sweep_forever, memory, minutes * 60))
            self._sweeper_process = os.getpid()  # a forked one inherits the future, but not who works for it


async def _outcomes(
    answer: Callable[[Sequence[T]], Awaitable[Sequence[R]]], requests: Sequence[T]
) -> Sequence[R | BaseException]:
    """Answer together; what cannot be answered together is parted, until only those fail that cannot be answered."""
    try:
        return await answer(requests)
    except OutageError as error:
        return [error] * len(requests)
    except Exception as error:
        if len(requests) == 1:
            return [error]
    middle = len(requests) // 2
    return [*await _outcomes(answer, requests[:middle]), *await _outcomes(answer, requests[middle:])]


async def _one_of(items: Deferred[Mapping[ItemKey, StoredItem]], place: ItemKey) -> StoredItem | None:
    return (await items()).get(place)


def _read_inconsistent(answer: Any) -> bool:
    """Whether an answer has items that were found by earlier values than theirs."""
    return isinstance(answer, list) and any(
        getattr(item, "read_inconsistent", False) for item in cast("list[Any]", answer)
    )


async def _all_of(calls: Sequence[Callable[[], Any]]) -> None:
    """Call all at once; the first error is raised as it is."""
    if len(calls) < 2:
        for call in calls:
            await call()
        return
    try:
        async with anyio.create_task_group() as group:
            for call in calls:
                group.start_soon(call)
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
