"""Filter operators beyond LangGraph's; a store that refuses one with ValueError does not support it."""

from typing import Any, Final

from langgraph_agentmem.testing.store_conformance.case import Case, Unsupported, same
from langgraph_agentmem.testing.store_conformance.registry import Group

filters: Final = Group("filter")


async def _find(case: Case, wanted: dict[str, Any], keys: str) -> None:
    try:
        found = await case.matches(wanted)
    except (ValueError, RuntimeError) as error:  # a NotImplemented one among them
        raise Unsupported(f"{wanted!r} is refused: {error}") from error
    same(sorted(found), sorted(keys.split()), f"the items that match {wanted!r}")


async def _fruit(case: Case) -> None:
    await case.fill({"a": {"v": "apple", "n": 1}, "b": {"v": "banana", "n": 2}, "c": {"v": "cherry", "n": 3}})
    await case.fill({"null": {"v": None, "n": 4}, "missing": {"n": 5}})


@filters.expected("filter-in")
async def filter_in(case: Case) -> None:
    """$in matches any of several values in one search instead of many."""
    await _fruit(case)
    await _find(case, {"v": {"$in": ["apple", "cherry", "date"]}}, "a c")
    await _find(case, {"n": {"$in": [2, "3"]}}, "b")
    await _find(case, {"v": {"$in": []}}, "")


@filters.expected("filter-nin")
async def filter_nin(case: Case) -> None:
    """$nin matches everything else, also what lacks the field."""
    await _fruit(case)
    await _find(case, {"v": {"$nin": ["apple", "cherry"]}}, "b null missing")


@filters.expected("filter-exists")
async def filter_exists(case: Case) -> None:
    """$exists tells a null from a field that is not there."""
    await _fruit(case)
    await _find(case, {"v": {"$exists": True}}, "a b c null")
    await _find(case, {"v": {"$exists": False}}, "missing")


@filters.expected("filter-contains")
async def filter_contains(case: Case) -> None:
    """$contains finds an element of a list, such as a tag."""
    await case.fill({"ab": {"tags": ["a", "b"]}, "c": {"tags": ["c"]}, "none": {}, "text": {"tags": "nothing"}})
    await _find(case, {"tags": {"$contains": "a"}}, "ab")
    await _find(case, {"tags": {"$contains": "z"}}, "")


@filters.expected("filter-and")
async def filter_and(case: Case) -> None:
    """$and holds a list of filters, all of which must match."""
    await _fruit(case)
    await _find(case, {"$and": [{"n": {"$gt": 1}}, {"n": {"$lt": 4}}]}, "b c")


@filters.expected("filter-or")
async def filter_or(case: Case) -> None:
    """$or holds a list of filters, one of which must match; other fields must match besides."""
    await _fruit(case)
    await _find(case, {"$or": [{"v": "apple"}, {"n": 3}]}, "a c")
    await _find(case, {"$or": [{"v": "apple"}, {"n": 3}], "n": {"$gt": 1}}, "c")


@filters.expected("filter-not")
async def filter_not(case: Case) -> None:
    """$not holds one filter, which must not match."""
    await _fruit(case)
    await _find(case, {"$not": {"v": "apple"}}, "b c null missing")
