"""Time to live. The checks wait for items to go, and never assert how long anything took."""

import inspect
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

from langgraph.store.base import SearchItem

from langgraph_agentmem.testing.store_conformance.case import Case, expect, same, until
from langgraph_agentmem.testing.store_conformance.registry import Group

ttl: Final = Group("ttl")

_SHORT = 0.02  # minutes
_ATTEMPTS = 4
_OMIT: dict[str, Any] = {"omit_expired": True}


async def _expire(case: Case, key: str) -> None:
    """Wait until an item is gone, without refreshing it."""

    async def gone() -> bool:
        return await case.get(key) is None

    await until(gone, f"{key!r}, put with ttl={_SHORT} minutes, is still there")


async def _outlives(case: Case, touch: Callable[[str, float], Awaitable[object]]) -> None:
    """Fail unless an item that is touched again and again outlives one that is not.

    If the machine paused for long between two touches, the item may rightly be gone, and all is tried again with items
    that have twice the time.

    Args:
        case: The check's.
        touch: What starts an item's time anew; it gets the item's key, and its time to live in minutes.
    """
    for attempt in range(_ATTEMPTS):
        kept, left, minutes = f"kept{attempt}", f"left{attempt}", _SHORT * 2**attempt
        await case.put(kept, {"key": kept}, ttl=minutes)
        await case.put(left, {"key": left}, ttl=minutes)
        pause = await _touch_until_gone(case, partial(touch, kept, minutes), left)
        if await case.get(kept) is not None:
            return
        expect(pause > minutes * 60 / 2, "the item that was read again and again is gone, as is the one that was not")
    raise RuntimeError("the machine is too slow to tell whether reading refreshes an item")


async def _touch_until_gone(case: Case, touch: Callable[[], Awaitable[object]], left: str) -> float:
    """The longest pause between two touches, in seconds, until the other item was gone."""
    longest, last = 0.0, time.monotonic()

    async def gone() -> bool:
        nonlocal longest, last
        await touch()
        now = time.monotonic()
        longest, last = max(longest, now - last), now
        return await case.get(left) is None

    await until(gone, "the item that was not read is still there")
    return max(longest, time.monotonic() - last)


@ttl.promised("expired-not-read", ttl=_OMIT)
async def expired_not_read(case: Case) -> None:
    """With omit_expired, what has expired is gone from get at once, whenever the sweeper comes."""
    await case.put("k", {"n": 1}, ttl=_SHORT)
    same(await case.value("k"), {"n": 1}, "the value before it expires")
    await _expire(case, "k")


@ttl.promised("expired-not-searched", ttl=_OMIT)
async def expired_not_searched(case: Case) -> None:
    """With omit_expired, a search must not return what has expired, nor count it towards its limit."""
    await case.put("stays", {"n": 1})
    for n in range(3):
        await case.put(f"goes{n}", {"n": 2}, ttl=_SHORT)
    await _expire(case, "goes2")
    same(await case.keys(refresh_ttl=False, limit=1), ["stays"], "the items")
    same(await case.keys(refresh_ttl=False, filter={"n": 2}), [], "the expired items")


@ttl.promised("expired-not-found-by-query", ttl=_OMIT, fields=["text"])
async def expired_not_found_by_query(case: Case) -> None:
    """With omit_expired, a query must not return what has expired, however near it is."""
    await case.put("stays", {"text": "desert"})
    await case.put("goes", {"text": "apple"}, ttl=_SHORT)
    await _expire(case, "goes")
    same(await case.keys(query="apple", refresh_ttl=False, limit=1), ["stays"], "the items")


@ttl.promised("expired-not-listed", ttl=_OMIT)
async def expired_not_listed(case: Case) -> None:
    """With omit_expired, a namespace whose items have all expired is not listed."""
    await case.store.aput(case.at("stays"), "k", {"n": 1})
    await case.store.aput(case.at("goes"), "k", {"n": 1}, ttl=_SHORT)

    async def gone() -> bool:
        return await case.store.alist_namespaces(prefix=case.at()) == [case.at("stays")]

    await until(gone, "the namespace of an expired item is still listed")


@ttl.promised("get-refreshes-ttl", ttl=_OMIT)
async def get_refreshes_ttl(case: Case) -> None:
    """By default reading an item starts its time anew: memories that are used stay."""
    await _outlives(case, lambda key, _: case.store.aget(case.at(), key))


@ttl.promised("search-refreshes-ttl", ttl=_OMIT)
async def search_refreshes_ttl(case: Case) -> None:
    """By default being found by a search starts an item's time anew."""

    async def touch(key: str, _: float) -> list[SearchItem]:
        return await case.search(filter={"key": key})

    await _outlives(case, touch)


@ttl.promised("put-refreshes-ttl", ttl=_OMIT)
async def put_refreshes_ttl(case: Case) -> None:
    """Writing an item starts its time anew."""
    await _outlives(case, lambda key, minutes: case.put(key, {"key": key}, ttl=minutes))


@ttl.promised("refresh-ttl-false", ttl=_OMIT)
async def refresh_ttl_false(case: Case) -> None:
    """refresh_ttl=False reads without keeping alive, for get and for search; monitoring depends on it."""
    await case.put("k", {"n": 1}, ttl=_SHORT)
    await case.item("k")

    async def gone() -> bool:
        found = await case.store.aget(case.at(), "k", refresh_ttl=False)
        return found is None and await case.keys(refresh_ttl=False) == []

    await until(gone, "an item that is read with refresh_ttl=False does not expire")


@ttl.promised("refresh-on-read-false", ttl=_OMIT | {"refresh_on_read": False})
async def refresh_on_read_false(case: Case) -> None:
    """With refresh_on_read=False plain reads keep nothing alive."""
    await case.put("k", {"n": 1}, ttl=_SHORT)
    await case.item("k")

    async def gone() -> bool:
        return await case.store.aget(case.at(), "k") is None and await case.keys() == []

    await until(gone, "an item that is read does not expire, though refresh_on_read is False")


@ttl.promised("refresh-ttl-true", ttl=_OMIT | {"refresh_on_read": False})
async def refresh_ttl_true(case: Case) -> None:
    """refresh_ttl=True prevails over refresh_on_read=False."""
    await _outlives(case, lambda key, _: case.store.aget(case.at(), key, refresh_ttl=True))


@ttl.promised("default-ttl", ttl=_OMIT | {"default_ttl": _SHORT})
async def default_ttl(case: Case) -> None:
    """Without a ttl of its own an item gets the configured one."""
    await case.fill({"k": {"n": 1}})
    await case.item("k")
    await _expire(case, "k")


@ttl.promised("ttl-none-stays", ttl=_OMIT | {"default_ttl": _SHORT})
async def ttl_none_stays(case: Case) -> None:
    """ttl=None means no expiry, also where there is a default."""
    await case.put("stays", {"n": 1}, ttl=None)
    await case.put("goes", {"n": 1})
    await _expire(case, "goes")
    same(await case.value("stays"), {"n": 1}, "the value of the item with ttl=None")


@ttl.expected("put-without-ttl-stays", ttl=_OMIT)
async def put_without_ttl_stays(case: Case) -> None:
    """A put replaces an item's expiry too: without a ttl, and without a default, the item stays."""
    await case.put("stays", {"n": 1}, ttl=_SHORT)
    await case.put("stays", {"n": 2})
    await case.put("goes", {"n": 1}, ttl=_SHORT)
    await _expire(case, "goes")
    same(await case.value("stays"), {"n": 2}, "the value of the item that was put again without a ttl")


@ttl.expected("put-over-expired", ttl=_OMIT)
async def put_over_expired(case: Case) -> None:
    """An expired item may still be stored; putting its key again makes a new item, of a new created_at."""
    await case.put("k", {"n": 1}, ttl=_SHORT)
    created = (await case.item("k")).created_at
    await _expire(case, "k")
    await case.put("k", {"n": 2})
    item = await case.item("k")
    same(item.value, {"n": 2}, "the value")
    expect(item.created_at > created, "the expired item's created_at came back")


@ttl.promised("sweeper-deletes", ttl={"refresh_on_read": False, "sweep_interval_minutes": 0.01})
async def sweeper_deletes(case: Case) -> None:
    """With a sweep interval the store deletes what has expired by itself, or after start_ttl_sweeper()."""
    await case.put("stays", {"n": 1})
    await case.put("goes", {"n": 1}, ttl=_SHORT)
    await _call(case, "start_ttl_sweeper")
    try:
        await _expire(case, "goes")
        same(await case.value("stays"), {"n": 1}, "the value of the item without a ttl")
    finally:
        await _call(case, "stop_ttl_sweeper")


async def _call(case: Case, name: str) -> None:
    """Call a method if the store has it, be it sync or async."""
    method = getattr(case.store, name, None)
    result = method() if method else None
    if inspect.iscoroutine(result):
        await result
