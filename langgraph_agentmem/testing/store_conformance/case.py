"""What one check works with: a store, a namespace of its own, an embedder, and the ways to say that something fails."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypeVar, cast, runtime_checkable

from langgraph.store.base import BaseStore, Item, PutOp, SearchItem

from langgraph_agentmem.testing.store_conformance.embedder import DIMENSIONS, WordEmbedder

T = TypeVar("T")

_PATIENCE_SECONDS = 20.0
_POLL_SECONDS = 0.05


class NotMet(Exception):
    """A store does not do what a check is about; the message is one line that says what it did instead.

    Examples:
        >>> (await check("put-keeps-created-at", stores)).status  # a check that raises it is "failed"
        'failed'
    """


class Unsupported(Exception):
    """A store does not offer what a check is about, and says so; the message says how.

    Examples:
        >>> (await check("default-ttl", stores)).status  # a check, or a factory, that raises it is "unsupported"
        'unsupported'
    """


class StoreFactory(Protocol):
    """Opens stores that are ready to use, and closes them.

    Examples:
        >>> @asynccontextmanager
        ... async def stores(*, index=None, ttl=None):
        ...     yield InMemoryStore(index=index)
        >>> (await check("put-replaces", stores)).status
        'passed'
    """

    def __call__(
        self, *, index: dict[str, Any] | None = None, ttl: dict[str, Any] | None = None
    ) -> AbstractAsyncContextManager[BaseStore]:
        """A store with this index and TTL configuration; one that has no TTL may ignore `ttl`.

        Stores should start without data, but may share it with those of earlier calls: each check keeps to a namespace
        of its own.

        Raises:
            Unsupported: There is no such store, e.g. none with an index.
        """
        ...


@runtime_checkable
class SharedStoreFactory(Protocol):
    """A factory that can also open several stores on the same data; without it, checks of that are unsupported.

    Examples:
        >>> isinstance(stores, SharedStoreFactory)  # it has no shared()
        False
        >>> (await check("two-stores-share-data", stores)).status
        'unsupported'
    """

    def shared(self) -> StoreFactory:
        """A factory whose stores all share one set of data, which nothing has set up yet."""
        ...


@runtime_checkable
class SettlingStoreFactory(Protocol):
    """A factory that can also do at once what a store's database does by itself after a while.

    Examples:
        >>> isinstance(stores, SettlingStoreFactory)  # it has no settle()
        False
    """

    async def settle(self, store: BaseStore) -> None:
        """Do so; on PostgreSQL that is ANALYZE, after which it may plan searches otherwise."""
        ...


class Case:
    """What a check gets.

    Args:
        root: The first label of every namespace that the check uses, unique to it.
        make: The factory under test.
        store: The store that was opened for the check; None only where the check opens its own.
        embedder: Whose vectors the store's index uses, where the check asked for an index.

    Examples:
        >>> case = Case(root="example", make=stores, store=InMemoryStore(), embedder=WordEmbedder())
        >>> await case.put("drink", {"text": "Green tea."})
        >>> await case.value("drink")
        {'text': 'Green tea.'}
    """

    def __init__(self, *, root: str, make: StoreFactory, store: BaseStore | None, embedder: WordEmbedder) -> None:
        self.root = root
        self.make = make
        self.embedder = embedder
        self._store = store

    @property
    def store(self) -> BaseStore:
        """The store under test."""
        if self._store is None:
            raise LookupError("this check opens its own stores")
        return self._store

    def at(self, *labels: str) -> tuple[str, ...]:
        """A namespace of the check's own."""
        return (self.root, *labels)

    async def put(self, key: str, value: Mapping[str, Any], **arguments: Any) -> None:
        """Put into the check's root namespace."""
        await self.store.aput(self.at(), key, value, **arguments)

    async def fill(self, values: Mapping[str, Mapping[str, Any]], *labels: str) -> None:
        """Put values one after the other."""
        for key, value in values.items():
            await self.store.aput(self.at(*labels), key, value)

    async def fill_in_batches(self, values: Mapping[str, Mapping[str, Any]], *labels: str) -> None:
        """Put many values, 500 at once."""
        ops = [PutOp(self.at(*labels), key, value) for key, value in values.items()]
        for start in range(0, len(ops), 500):
            await self.store.abatch(ops[start : start + 500])

    async def settle(self) -> None:
        """Do what the store's database would do after a while, if the factory knows how."""
        if isinstance(self.make, SettlingStoreFactory):
            await self.make.settle(self.store)

    async def get(self, key: str) -> Item | None:
        """The item in the check's root namespace, whose expiry stays as it is."""
        return await self.store.aget(self.at(), key, refresh_ttl=False)

    async def item(self, key: str) -> Item:
        """The item in the check's root namespace, which must be there."""
        found = await self.get(key)
        if found is None:
            raise NotMet(f"{key!r} was put, but get returns None")
        return found

    async def value(self, key: str) -> dict[str, Any] | None:
        """The value in the check's root namespace."""
        found = await self.get(key)
        return None if found is None else found.value

    async def search(self, *labels: str, **arguments: Any) -> list[SearchItem]:
        """Search below the check's root namespace."""
        return await self.store.asearch(self.at(*labels), **arguments)

    async def keys(self, **arguments: Any) -> list[str]:
        """The keys that a search finds, in its order."""
        return [item.key for item in await self.search(**{"limit": 100, **arguments})]

    async def matches(self, wanted: Mapping[str, Any]) -> set[str]:
        """The keys that match a filter."""
        return set(await self.keys(filter=dict(wanted)))

    async def pages(self, size: int, total: int, **arguments: Any) -> list[str]:
        """The keys of all pages, one after the other, up to one page after the last."""
        found: list[str] = []
        for offset in range(0, total + size, size):
            found += await self.keys(limit=size, offset=offset, **arguments)
        return found

    async def scores(self, query: str, **arguments: Any) -> dict[str, float | None]:
        """The score of each item that a query finds."""
        return {item.key: item.score for item in await self.search(query=query, **{"limit": 100, **arguments})}

    def shared(self) -> StoreFactory:
        """A factory of stores on the same, new data."""
        if not isinstance(self.make, SharedStoreFactory):
            raise Unsupported("the factory has no shared(), so it opens no two stores on the same data")
        return self.make.shared()


def index_of(embedder: WordEmbedder, fields: Sequence[str] | None) -> dict[str, Any]:
    """An index configuration; without fields, whole values are embedded."""
    return {"dims": DIMENSIONS, "embed": embedder} | ({"fields": list(fields)} if fields else {})


def expect(condition: object, message: str) -> None:
    """Fail unless something holds.

    Raises:
        NotMet: It does not.
    """
    if not condition:
        raise NotMet(message)


def same(found: object, wanted: object, what: str) -> None:
    """Fail unless two values are equal.

    Raises:
        NotMet: They are not.
    """
    expect(found == wanted, f"{what}: {found!r} instead of {wanted!r}")


async def refused(call: Callable[[], Awaitable[object]], what: str, *kinds: type[Exception]) -> Exception:
    """The error with which a call is refused.

    Raises:
        NotMet: It is not refused, or with an error of another kind.
    """
    try:
        await call()
    except kinds as error:
        return error
    except Exception as error:
        names = " or ".join(kind.__name__ for kind in kinds)
        raise NotMet(f"{what} raises {type(error).__name__}, which is no {names}: {error}") from error
    raise NotMet(f"{what} is accepted")


async def until(probe: Callable[[], Awaitable[bool]], otherwise: str) -> None:
    """Wait until something holds, for 20 seconds at most.

    Raises:
        NotMet: It does not hold by then.
    """
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not await probe():
        expect(time.monotonic() < deadline, otherwise)
        await asyncio.sleep(_POLL_SECONDS)


async def in_thread(work: Callable[[], T]) -> T:
    """The result of work in a thread, which does not keep the process from ending if it never returns."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[object] = loop.create_future()

    def finish(result: object, error: BaseException | None) -> None:
        if done.done():
            return
        if error is None:
            done.set_result(result)
        else:
            done.set_exception(error)

    def body() -> None:
        try:
            outcome: tuple[object, BaseException | None] = (work(), None)
        except BaseException as error:  # it is raised in the waiting task
            outcome = (None, error)
        if not loop.is_closed():
            loop.call_soon_threadsafe(finish, *outcome)

    threading.Thread(target=body, daemon=True, name="store-conformance").start()
    return cast("T", await done)
