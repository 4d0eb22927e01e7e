"""Writing only if nobody else did meanwhile: aput_if(namespace, key, value, revision)."""

import asyncio
from collections.abc import Awaitable
from typing import Any, Final

from langgraph_agentmem.testing.store_conformance.case import Case, Unsupported, expect, refused, same
from langgraph_agentmem.testing.store_conformance.registry import Group

extras: Final = Group("extras")


def _put_if(case: Case, key: str, value: dict[str, Any], revision: int) -> Awaitable[object]:
    method = getattr(case.store, "aput_if", None)
    if method is None:
        raise Unsupported("the store has no aput_if")
    return method(case.at(), key, value, revision)


async def _revision(case: Case, key: str) -> int:
    revision = getattr(await case.item(key), "revision", None)
    expect(isinstance(revision, int), f"the item's revision is {revision!r}")
    return revision if isinstance(revision, int) else 0


@extras.expected("put-if-absent")
async def put_if_absent(case: Case) -> None:
    """Revision 0 means that the key must not exist, so that two creators do not overwrite each other."""
    await _put_if(case, "k", {"n": 1}, 0)
    same(await case.value("k"), {"n": 1}, "the value")
    await refused(lambda: _put_if(case, "k", {"n": 2}, 0), "creating what exists", Exception)
    same(await case.value("k"), {"n": 1}, "the value after creating it again was refused")


@extras.expected("put-if-unchanged")
async def put_if_unchanged(case: Case) -> None:
    """Read, change, write back: it succeeds with the revision that was read, and only once."""
    await _put_if(case, "k", {"n": 1}, 0)
    revision = await _revision(case, "k")
    await _put_if(case, "k", {"n": 2}, revision)
    same(await case.value("k"), {"n": 2}, "the value")
    await refused(lambda: _put_if(case, "k", {"n": 3}, revision), "a put with a stale revision", Exception)
    same(await case.value("k"), {"n": 2}, "the value after a stale put was refused")


@extras.expected("put-if-sees-other-writes")
async def put_if_sees_other_writes(case: Case) -> None:
    """A plain put and a delete make a revision stale too."""
    await _put_if(case, "k", {"n": 1}, 0)
    revision = await _revision(case, "k")
    await case.put("k", {"n": 2})
    expect(await _revision(case, "k") != revision, "a plain put leaves the revision as it was")
    await refused(lambda: _put_if(case, "k", {"n": 3}, revision), "a put after a plain put", Exception)
    await case.store.adelete(case.at(), "k")
    await refused(lambda: _put_if(case, "k", {"n": 3}, revision), "a put after a delete", Exception)
    same(await case.get("k"), None, "get after all was refused")


@extras.expected("put-if-revision-in-search")
async def put_if_revision_in_search(case: Case) -> None:
    """Items that a search finds carry their revision too."""
    await _put_if(case, "k", {"n": 1}, 0)
    found = [getattr(hit, "revision", None) for hit in await case.search()]
    same(found, [await _revision(case, "k")], "the revision")


@extras.expected("put-if-one-winner")
async def put_if_one_winner(case: Case) -> None:
    """Of 10 writers that read the same revision exactly one succeeds."""
    for revision in (0, None):
        read = await _revision(case, "k") if revision is None else revision
        calls = [_put_if(case, "k", {"by": n}, read) for n in range(10)]
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        winners = [n for n, outcome in enumerate(outcomes) if not isinstance(outcome, BaseException)]
        same(len(winners), 1, f"number of writers that succeed with revision {read}")
        same(await case.value("k"), {"by": winners[0]}, "the value")
