"""Searching by meaning: order, scores, limits and pages."""

import math
from typing import Final

from langgraph.store.base import Item, SearchOp

from langgraph_agentmem.testing.store_conformance.case import Case, expect, same
from langgraph_agentmem.testing.store_conformance.registry import Group

search: Final = Group("search", fields=["text"])

_RANKED = {
    "best": {"text": "apple violin"},
    "good": {"text": "apple violin harbour"},
    "poor": {"text": "apple comet lantern"},
    "none": {"text": "desert"},
}


@search.promised("query-best-first")
async def query_best_first(case: Case) -> None:
    """The nearest items come first; an agent reads only the first few."""
    await case.fill(dict(reversed(_RANKED.items())))
    same(await case.keys(query="apple violin"), list(_RANKED), "the order")


@search.promised("score-higher-is-better")
async def score_higher_is_better(case: Case) -> None:
    """A score is a similarity, not a distance, so that thresholds mean the same in every store."""
    await case.fill(_RANKED)
    scores = [hit.score for hit in await case.search(query="apple violin")]
    known = [score for score in scores if score is not None]
    same(len(known), 4, "number of items with a score")
    expect(known == sorted(known, reverse=True) and known[0] > known[-1], f"the scores do not fall: {known}")


@search.expected("score-in-unit-range")
async def score_in_unit_range(case: Case) -> None:
    """For vectors without negative parts, cosine similarity is from 0 to 1; thresholds rely on it."""
    await case.fill(_RANKED)
    scores = await case.scores("apple violin")
    best, none = scores.get("best"), scores.get("none")
    expect(best is not None and math.isclose(best, 1.0, abs_tol=1e-3), f"the same words score {best}")
    expect(none is not None and math.isclose(none, 0.0, abs_tol=1e-3), f"no word in common scores {none}")


@search.promised("query-with-prefix")
async def query_with_prefix(case: Case) -> None:
    """A query stays within its namespaces, however near the items of others are."""
    await case.fill({"mine": {"text": "desert"}}, "alice")
    await case.fill({"theirs": {"text": "apple"}}, "bob")
    same([hit.key for hit in await case.search("alice", query="apple")], ["mine"], "the items of alice")


@search.promised("query-with-filter")
async def query_with_filter(case: Case) -> None:
    """A filter holds for a query too."""
    await case.fill({"far": {"text": "desert", "kind": "a"}, "near": {"text": "apple", "kind": "b"}})
    same(await case.keys(query="apple", filter={"kind": "a"}), ["far"], "the items of kind a")


@search.promised("query-limit")
async def query_limit(case: Case) -> None:
    """Limit is the largest number of items, and without one it is 10, with a query too."""
    await case.fill_in_batches({f"k{n:02}": {"text": f"apple n{n}"} for n in range(25)})
    found = [len(await case.search(query="apple", limit=limit)) for limit in (1, 7, 25, 100)]
    same(found, [1, 7, 25, 25], "numbers of items for the limits 1, 7, 25 and 100")
    same(len(await case.search(query="apple")), 10, "number of items without a limit")


@search.expected("limit-filled-despite-filter")
async def limit_filled_despite_filter(case: Case) -> None:
    """If the filter is tried only on the nearest few, rare kinds of memory are never found."""
    await case.fill_in_batches({f"near{n}": {"text": f"apple n{n}", "kind": "common"} for n in range(400)})
    await case.fill({f"far{n}": {"text": "apple violin harbour desert comet", "kind": "rare"} for n in range(5)})
    await case.settle()
    found = await case.keys(query="apple", filter={"kind": "rare"}, limit=5)
    same(sorted(found), [f"far{n}" for n in range(5)], "the 5 rare items behind 400 nearer ones")


@search.expected("limit-filled-in-small-namespace")
async def limit_filled_in_small_namespace(case: Case) -> None:
    """In a store of many users, each one's items are few; an index over all must not lose them."""
    await case.fill_in_batches({f"near{n}": {"text": f"apple n{n}"} for n in range(2000)}, "others")
    await case.fill({f"mine{n}": {"text": "apple violin harbour desert comet"} for n in range(5)}, "mine")
    await case.settle()
    found = [hit.key for hit in await case.search("mine", query="apple", limit=5)]
    same(sorted(found), [f"mine{n}" for n in range(5)], "the 5 own items beside 2,000 nearer ones of others")


@search.expected("limit-filled-in-shared-store")
async def limit_filled_in_shared_store(case: Case) -> None:
    """Where one user has a quarter of all items, an index over all may still find only the others', and lose them."""
    near, far = "apple apple apple", "apple violin"
    await case.fill_in_batches({f"near{n}": {"text": f"{near} n{n} m{n}"} for n in range(1500)}, "others")
    await case.fill_in_batches({f"mine{n}": {"text": f"{far} n{n} m{n}"} for n in range(500)}, "mine")
    await case.settle()
    found = [hit.key.rstrip("0123456789") for hit in await case.search("mine", query="apple", limit=5)]
    same(found, ["mine"] * 5, "5 of 500 own items beside 1,500 nearer ones of others")


@search.expected("large-limit-filled")
async def large_limit_filled(case: Case) -> None:
    """An approximate index looks at a fixed number of items; a larger limit must still be filled."""
    await case.fill_in_batches({f"k{n}": {"text": f"apple n{n}"} for n in range(2000)})
    await case.settle()
    same(len(await case.search(query="apple", limit=300)), 300, "number of items for limit 300 of 2,000")


@search.expected("limit-filled-despite-many-parts", fields=["items[*].text"])
async def limit_filled_despite_many_parts(case: Case) -> None:
    """One long item with many near parts must not push all others out of the result."""
    await case.fill({"long": {"items": [{"text": f"apple n{n}"} for n in range(120)]}})
    await case.fill({f"short{n}": {"items": [{"text": "apple violin harbour desert comet"}]} for n in range(4)})
    found = await case.keys(query="apple", limit=5)
    same(sorted(found), ["long", *(f"short{n}" for n in range(4))], "5 items, one of which has 120 nearer parts")


@search.promised("offset-with-query")
async def offset_with_query(case: Case) -> None:
    """Pages of a query together are the whole ranking, without gaps and repeats."""
    words = ["violin", "harbour", "desert", "comet", "lantern", "glacier", "orchid", "pepper"]
    texts = [" ".join(["apple"] * (n + 1) + words) for n in range(40)]
    await case.fill({f"k{n:02}": {"text": text} for n, text in enumerate(texts)})
    wanted = [f"k{n:02}" for n in reversed(range(40))]
    same(await case.keys(query="apple"), wanted, "the whole ranking")
    same(await case.pages(7, 40, query="apple"), wanted, "the pages of 7, put together")


@search.expected("pages-of-equal-scores")
async def pages_of_equal_scores(case: Case) -> None:
    """Items that are equally near need some fixed order, or pages repeat and skip them."""
    wanted = [f"k{n:02}" for n in range(30)]
    for key in wanted:
        await case.put(key, {"text": "apple violin"})
    same(sorted(await case.pages(4, 30, query="apple")), wanted, "the keys of all pages of 4")


@search.expected("query-order-repeats")
async def query_order_repeats(case: Case) -> None:
    """The same query on the same data gives the same order, or prompts change for no reason."""
    for n in range(30):
        await case.put(f"k{n:02}", {"text": "apple violin"})
    first = await case.keys(query="apple")
    same(len(first), 30, "number of items")
    same(await case.keys(query="apple"), first, "the order, the second time")


@search.expected("empty-query")
async def empty_query(case: Case) -> None:
    """An empty query is none: there is nothing to be near to."""
    await case.fill(_RANKED)
    hits = await case.search(query="")
    same({hit.key: hit.score for hit in hits}, dict.fromkeys(_RANKED), "the scores")


@search.promised("queries-in-one-batch")
async def queries_in_one_batch(case: Case) -> None:
    """Several queries in a batch, some of them alike, each get their own answer."""
    await case.fill({"a": {"text": "apple"}, "v": {"text": "violin"}})
    ops = [SearchOp(case.at(), query=query, limit=1) for query in ("apple", "violin", "apple")]
    results = await case.store.abatch(ops)
    found = [[item.key for item in result if isinstance(item, Item)] for result in results if isinstance(result, list)]
    same(found, [["a"], ["v"], ["a"]], "the items of the queries")


@search.expected("wordless-text")
async def wordless_text(case: Case) -> None:
    """Embedders return zeros for some texts; such items are stored, and no score is NaN."""
    await case.fill({"empty": {"text": ""}, "dots": {"text": "…"}, "word": {"text": "apple"}})
    scores = await case.scores("apple")
    bad = {key: score for key, score in scores.items() if score is not None and not math.isfinite(score)}
    same(bad, {}, "scores that are no numbers")
    same(sorted(scores), ["dots", "empty", "word"], "the items")


@search.expected("wordless-query")
async def wordless_query(case: Case) -> None:
    """A query that embeds to zeros is near to nothing; the items come nevertheless, and no score is NaN."""
    await case.fill(_RANKED)
    scores = await case.scores("…")
    bad = {key: score for key, score in scores.items() if score is not None and not math.isfinite(score)}
    same(bad, {}, "scores that are no numbers")
    same(sorted(scores), sorted(_RANKED), "the items")
