"""What a store is asked for, carried out in as few transactions as possible."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar, cast

import anyio
from langgraph.store.base import Op, PutOp, Result

from langgraph_agentmem.errors import AgentMemoryError, OutageError
from langgraph_agentmem.models.item import ItemKey, ItemSearch, NamespaceListing, StoredItem
from langgraph_agentmem.models.write import SectionWrite
from langgraph_agentmem.operations.retrieval import item_search
from langgraph_agentmem.operations.sections import freshness, items, values
from langgraph_agentmem.resources import Resources
from langgraph_agentmem.storage import search as search_storage
from langgraph_agentmem.storage.driver.connections import Connection
from langgraph_agentmem.storage.driver.offloading import extent, worked
from langgraph_agentmem.storage.driver.rows import Deferred, received
from langgraph_agentmem.storage.driver.tenants import NOBODY, ForWhom
from langgraph_agentmem.storage.sections import UnchunkedMemory
from langgraph_agentmem.storage.values import Written
from langgraph_agentmem.store.coalescing import Coalescer
from langgraph_agentmem.store.options import Options
from langgraph_agentmem.store.requests import Get, Read, Request, Search, Write, checked, key_of, refreshing, result

T = TypeVar("T")
R = TypeVar("R")
_logger = logging.getLogger(__name__)
_MAX_GETS, _MAX_SEARCHES, _MAX_WRITES = 200, 8, 200
"""The most operations of one tick that share a transaction; searches beyond go side by side."""


class Batches:
    """Carries out batches of operations; single ones travel with others of their kind that come in the same tick.

    Args:
        resources: The open memory's.
        options: The store's.
    """

    def __init__(self, resources: Resources, options: Options) -> None:
        self._resources = resources
        self._options = options
        self._at_home = False
        """Whether anything was found, or it was looked for why not."""
        self._gets = Coalescer(partial(_outcomes, self._read), _MAX_GETS)
        self._searches = Coalescer(partial(_outcomes, self._read), _MAX_SEARCHES)
        self._writes = Coalescer(partial(_outcomes, self.together), _MAX_WRITES, self._tenant)

    async def prepared(self, ops: Sequence[Op]) -> list[Request]:
        """Operations that are checked, and embedded concurrently.

        Raises:
            InvalidInputError: One cannot be accepted; nothing was done.
            EmbeddingError: The embedder fails; nothing was done.
        """
        requests = await worked(
            extent(op.value for op in ops if isinstance(op, PutOp)),
            lambda: [checked(self._resources, self._options, op) for op in ops],
        )
        embedded = ItemSearch if self._resources.embedder_now is None else ItemSearch | SectionWrite
        if any(isinstance(request, embedded) for request in requests):
            return await self._embedded(ops, requests)
        return cast("list[Request]", requests)

    async def alone(self, request: Request) -> Result:
        """What a single operation comes to."""
        match request:
            case Get():
                return await self._gets(request)
            case Search() | NamespaceListing():
                return await self._searches(request)
            case _:
                return await self._writes(request)

    async def together(self, requests: Sequence[Request]) -> list[Result]:
        """What operations come to that are one transaction: reads see what was there before, the last put wins."""
        reads = [request for request in requests if isinstance(request, Read)]
        writes = [request for request in requests if not isinstance(request, Read)]
        if any(map(_of_chunks, reads)):
            send = partial(self._send_unchunked, requests=reads)
            await freshness.settle(self._resources, self._for_whom(reads), send)
        attempt = partial(self._attempt, reads, writes)
        answers, written = await values.attempted("store", attempt)
        for tenant, done in written:
            await values.tell(self._resources, tenant, done)
        results = iter(await self._results(reads, answers))
        return [next(results) if isinstance(request, Read) else None for request in requests]

    async def _embedded(self, ops: Sequence[Op], requests: Sequence[Request | ItemSearch]) -> list[Request]:
        resources, ready = self._resources, dict[int, Request]()
        puts = [place for place, request in enumerate(requests) if isinstance(request, SectionWrite)]
        searches = {place: request for place, request in enumerate(requests) if isinstance(request, ItemSearch)}

        async def embed_puts() -> None:
            unembedded = [cast("SectionWrite", requests[place]) for place in puts]
            ready.update(zip(puts, await items.embedded(resources, self._options.ownership, unembedded), strict=True))

        async def embed_search(place: int, search: ItemSearch) -> None:
            prepared = await item_search.prepared(resources, self._options.ownership, search)
            ready[place] = Search(prepared, refreshing(ops[place]))

        calls = [partial(embed_search, place, search) for place, search in searches.items()]
        await _all_of([*calls, embed_puts] if puts else calls)
        return [ready.get(place, cast("Request", request)) for place, request in enumerate(requests)]

    def _tenant(self, write: Write) -> str:
        return self._options.ownership.tenant(key_of(write)[0])

    async def _attempt(
        self, reads: Sequence[Read], writes: Sequence[Write], locked: bool
    ) -> tuple[list[Any], list[tuple[str, Written]]]:
        """What was read, and by tenant what writing has come to; see `values.attempted`."""
        ownership, last = self._options.ownership, {key_of(write): write for write in writes}
        puts = [write for write in last.values() if isinstance(write, SectionWrite)]
        deletes = [write for write in last.values() if not isinstance(write, SectionWrite)]
        batch = None if reads or deletes or locked else items.alone(ownership, puts)
        if batch is not None:
            return [], [(batch.external_id, await values.write_alone(self._resources, batch))]
        async with self._resources.database.transaction(self._for_whom([*reads, *writes])) as connection:
            sent, _ = await self._send(connection, reads)
            written = await items.write(connection, self._resources, ownership, puts, deletes, locked=locked)
        return [await answer() for answer in sent], [(tenant, await answer()) for tenant, answer in written]

    async def _read(self, requests: Sequence[Read]) -> Sequence[Result]:
        tenant = self._for_whom(requests)
        if tenant is not NOBODY and all(isinstance(request, Get) and not request.tier for request in requests):
            # items of one tenant are read by one statement, which needs no transaction, and no chunks
            async with self._resources.database.connection(tenant) as connection:
                sent, _ = await self._send(connection, requests)
            return await self._results(requests, await _every(sent))

        async def send(connection: Connection) -> tuple[Deferred[list[Any]], Deferred[list[UnchunkedMemory]]]:
            sent, unchunked = await self._send(connection, requests)
            return partial(_every, sent), unchunked

        read = freshness.read(self._resources, tenant, send, consistent=_consistent)
        return await self._results(requests, await read)

    def _for_whom(self, requests: Sequence[Request]) -> ForWhom:
        """The tenant that requests are about; nobody where they are about several, or all: each then says so."""
        tenants = {self._scope(request) for request in requests}
        tenant = tenants.pop() if len(tenants) == 1 else None
        return NOBODY if tenant is None else tenant

    def _scope(self, request: Request) -> str | None:
        match request:
            case Get(key=(namespace, _)):
                return self._options.ownership.tenant(namespace)
            case Search(prepared=prepared):
                return self._options.ownership.scope(prepared.search.prefix)
            case NamespaceListing():
                return None
            case _:
                return self._tenant(request)

    async def _send_unchunked(
        self, connection: Connection, requests: Sequence[Read]
    ) -> Deferred[list[UnchunkedMemory]]:
        """Ask for memories that need chunking and matter to searches; comes first, as it sets these up."""
        ownership, tenants = self._options.ownership, set[str]()
        for request in filter(_of_chunks, requests):
            if isinstance(request, Search):
                tenants |= set(await item_search.tenants(connection, ownership, request.prepared))
            elif isinstance(request, Get):
                tenants.add(ownership.tenant(request.key[0]))
        return await search_storage.set_up(connection, tenants) if tenants else received([])

    async def _send(
        self, connection: Connection, requests: Sequence[Read]
    ) -> tuple[list[Deferred[Any]], Deferred[list[UnchunkedMemory]]]:
        """Ask for what is stored: an item or None, items, or namespaces; and for memories that need chunking first."""
        unchunked = await self._send_unchunked(connection, requests)
        resources, ownership = self._resources, self._options.ownership
        keys = [request.key for request in requests if isinstance(request, Get) and not request.tier]
        got = await items.send_get(connection, ownership, keys, omit_expired=self._options.omit_expired)
        sent: list[Deferred[Any]] = []
        for request in requests:
            match request:
                case Get(key=(namespace, key), tier=str(tier)):
                    sent.append(await item_search.send_document(connection, ownership, namespace, tier, key))
                case Get(key=key):
                    sent.append(partial(_one_of, got, key))
                case Search(prepared=prepared):
                    sent.append(await item_search.send_search(resources, connection, ownership, prepared))
                case NamespaceListing():
                    sent.append(await items.send_namespaces(connection, ownership, request))
        return sent, unchunked

    async def _results(self, requests: Sequence[Read], answers: Sequence[Any]) -> list[Result]:
        """What was read, as LangGraph's items; items that expire live on, if so asked."""
        expiring: list[StoredItem] = []
        answers = [await self._page(request, answer) for request, answer in zip(requests, answers, strict=True)]
        for request, answer in zip(requests, answers, strict=True):
            if answer and isinstance(request, Get | Search) and request.refresh:
                read: list[StoredItem] = answer if isinstance(request, Search) else [answer]
                expiring += [item for item in read if item.ttl_minutes is not None]
        if expiring:
            await items.refresh(self._resources, self._options.ownership, expiring)
        if not self._at_home:
            self._at_home = True
            if not any(answers):
                await self._say_if_elsewhere()
        return [result(answer) for answer in answers]

    async def _say_if_elsewhere(self) -> None:
        """Warn where nothing can be found, as all there is was written with another owner."""
        with suppress(AgentMemoryError):  # what was asked for has its answer
            owner = self._options.ownership.owner
            if others := await items.owners_instead(self._resources, self._options.ownership):
                _logger.warning(
                    "nothing was found, and what is stored was written with another owner: this store takes the label "
                    "at %d of a namespace for the tenant, and items have theirs at %s; open it with owner=%s, or set "
                    "AGENTMEM_STORE_OWNER",
                    owner, " or ".join(map(str, others)), others[0],
                )  # fmt: skip

    async def _page(self, request: Read, answer: Any) -> Any:
        if not isinstance(request, Search):
            return answer
        return await item_search.page(self._resources, request.prepared, answer)


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


async def _one_of(found: Deferred[Mapping[ItemKey, StoredItem]], key: ItemKey) -> StoredItem | None:
    return (await found()).get(key)


async def _every(answers: Sequence[Deferred[Any]]) -> list[Any]:
    return [await answer() for answer in answers]


def _of_chunks(request: Read) -> bool:
    """Whether a request reads chunks, and not only items."""
    return (isinstance(request, Search) and not request.prepared.plain) or (
        isinstance(request, Get) and bool(request.tier)
    )


def _consistent(answers: Sequence[Any]) -> bool:
    """Whether no answer has items that were found by earlier values than theirs."""
    lists = [cast("list[Any]", answer) for answer in answers if isinstance(answer, list)]
    return not any(getattr(item, "read_inconsistent", False) for found in lists for item in found)


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
