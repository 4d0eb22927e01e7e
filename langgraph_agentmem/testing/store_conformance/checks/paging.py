"""Searching without a query: limits, offsets, scores."""

from typing import Final

from langgraph_agentmem.testing.store_conformance.case import Case, expect, same
from langgraph_agentmem.testing.store_conformance.registry import Group

contract: Final = Group("contract")

_MANY = {f"k{n:02}": {"n": n} for n in range(25)}


@contract.promised("search-limit")
async def search_limit(case: Case) -> None:
    """Limit is the largest number of items; by default it is 10."""
    await case.fill(_MANY)
    found = [len(await case.search(limit=limit)) for limit in (1, 7, 25, 100)]
    same(found, [1, 7, 25, 25], "numbers of items for the limits 1, 7, 25 and 100")
    same(len(await case.search()), 10, "number of items without a limit")


@contract.expected("search-limit-zero")
async def search_limit_zero(case: Case) -> None:
    """A computed limit can be 0, and then nothing is wanted."""
    await case.fill({"k": {"n": 1}})
    same(await case.keys(), ["k"], "the items")
    same(await case.keys(limit=0), [], "the items for limit 0")


@contract.promised("search-offset-past-end")
async def search_offset_past_end(case: Case) -> None:
    """Paging ends with an empty page."""
    await case.fill({"k": {"n": 1}})
    same(await case.keys(offset=0), ["k"], "the items from offset 0 of one item")
    same(await case.keys(offset=1), [], "the items from offset 1 of one item")


@contract.promised("search-pages")
async def search_pages(case: Case) -> None:
    """Over all pages every item comes exactly once, or an export loses some."""
    await case.fill(_MANY)
    found = await case.pages(4, len(_MANY))
    same(sorted(found), sorted(_MANY), "the keys of all pages")


@contract.promised("search-pages-after-batch")
async def search_pages_after_batch(case: Case) -> None:
    """Items of one batch have the same time of update; a store that orders by time alone repeats and skips them."""
    await case.fill_in_batches(_MANY)
    found = await case.pages(4, len(_MANY))
    same(sorted(found), sorted(_MANY), "the keys of all pages")


@contract.promised("filter-before-limit")
async def filter_before_limit(case: Case) -> None:
    """Limit and offset count matching items, not those that were looked at."""
    await case.fill({key: {**value, "last": value["n"] >= 20} for key, value in _MANY.items()})
    same(len(await case.keys(filter={"last": True}, limit=5)), 5, "number of matching items")
    rest = await case.keys(filter={"last": True}, limit=5, offset=3)
    same(len(rest), 2, "number of matching items from offset 3")


@contract.promised("score-none-without-query")
async def score_none_without_query(case: Case) -> None:
    """Without a query nothing is ranked, and a made-up score would mislead who merges results."""
    await case.fill({"k": {"n": 1}})
    hits = await case.search()
    expect(hits, "search finds nothing")
    same([hit.score for hit in hits], [None], "the score")


@contract.promised("query-without-index")
async def query_without_index(case: Case) -> None:
    """Without an index configuration search by meaning is off; a query is then no error, and items still come."""
    await case.fill({"a": {"text": "apple"}, "b": {"text": "violin"}})
    same(sorted(await case.keys(query="apple")), ["a", "b"], "the items")


@contract.promised("index-argument-without-index")
async def index_argument_without_index(case: Case) -> None:
    """Without an index configuration the index argument is ignored, so that code runs in both set-ups."""
    await case.put("a", {"text": "apple"}, index=["text"])
    await case.put("b", {"text": "apple"}, index=False)
    same(sorted(await case.keys()), ["a", "b"], "the items")
