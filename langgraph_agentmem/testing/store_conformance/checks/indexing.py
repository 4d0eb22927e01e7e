"""What of an item is embedded, and that vectors follow their item."""

import math
from collections.abc import Awaitable, Callable
from typing import Final

from langgraph.store.base import PutOp

from langgraph_agentmem.testing.store_conformance.case import Case, expect, index_of, refused, same
from langgraph_agentmem.testing.store_conformance.embedder import DIMENSIONS, vector
from langgraph_agentmem.testing.store_conformance.registry import Group

search: Final = Group("search", fields=["text"])

_PARTS = {"items": [{"text": "apple"}, {"text": "violin"}, {"text": "harbour"}], "meta": {"name": "comet"}}


def _near(score: float | None, wanted: float) -> bool:
    return score is not None and math.isclose(score, wanted, abs_tol=1e-3)


async def _score(case: Case, query: str, key: str) -> float | None:
    return (await case.scores(query)).get(key)


async def _forgotten(case: Case, query: str, key: str) -> None:
    """Fail if an item still scores for words that it no longer has, or is gone altogether."""
    await case.item(key)
    score = await _score(case, query, key)
    expect(score is None or _near(score, 0.0), f"{key!r} no longer has {query!r}, but scores {score} for it")


@search.promised("whole-value-embedded", fields=["$"])
async def whole_value_embedded(case: Case) -> None:
    """Without fields in the configuration the whole value is embedded."""
    await case.fill({"a": {"x": "apple", "y": {"z": "violin"}}, "b": {"x": "desert", "y": {"z": "comet"}}})
    for word, key in (("apple", "a"), ("violin", "a"), ("desert", "b"), ("comet", "b")):
        same((await case.keys(query=word))[:1], [key], f"the best item for {word!r}")


@search.promised("missing-fields-skipped")
async def missing_fields_skipped(case: Case) -> None:
    """Fields that an item lacks are skipped; the item is stored and found otherwise."""
    await case.fill({"with": {"text": "apple"}, "without": {"note": "apple"}, "null": {"text": None}})
    same(sorted(await case.keys()), ["null", "with", "without"], "the items")
    same((await case.keys(query="apple"))[:1], ["with"], "the best item")


@search.promised("index-paths-per-put")
async def index_paths_per_put(case: Case) -> None:
    """The paths of a put replace the configured fields for that item."""
    await case.put("k", {"text": "apple", "note": "violin"}, index=["note"])
    expect(_near(await _score(case, "violin", "k"), 1.0), "the item is not found by the field that the put names")
    await _forgotten(case, "apple", "k")


@search.promised("index-array-paths")
async def index_array_paths(case: Case) -> None:
    """Paths reach into arrays and objects: all elements, one from the end, nested keys."""
    await case.put("all", _PARTS, index=["items[*].text"])
    await case.put("last", _PARTS, index=["items[-1].text"])
    await case.put("nested", _PARTS, index=["meta.name"])
    for word, wanted in (("apple", {"all"}), ("harbour", {"all", "last"}), ("comet", {"nested"})):
        scores = await case.scores(word)
        same({key for key, score in scores.items() if _near(score, 1.0)}, wanted, f"the items with {word!r} indexed")


@search.promised("configured-array-paths", fields=["items[*].text", "meta.name"])
async def configured_array_paths(case: Case) -> None:
    """Each element of an array gets a vector of its own, so that one sentence can be found in a long item."""
    await case.fill({"k": _PARTS})
    for word in ("apple", "violin", "harbour", "comet"):
        score = await _score(case, word, "k")
        expect(_near(score, 1.0), f"the item scores {score} for {word!r}, which is all the text of one part")


@search.expected("item-once-despite-parts", fields=["items[*].text", "meta.name"])
async def item_once_despite_parts(case: Case) -> None:
    """An item with several vectors is one item, and scores as its best part does."""
    await case.fill({"k": {"items": [{"text": "apple"}, {"text": "apple violin"}]}})
    await case.fill({"other": {"meta": {"name": "comet"}}})
    same(await case.keys(query="apple"), ["k", "other"], "the items")
    expect(_near(await _score(case, "apple", "k"), 1.0), "the item does not score as its best part does")


@search.promised("index-false-not-embedded")
async def index_false_not_embedded(case: Case) -> None:
    """index=False keeps an item out of search by meaning, while get and other searches find it."""
    case.embedder.fail("apple")
    await case.put("k", {"text": "apple"}, index=False)
    same(await case.keys(), ["k"], "the items without a query")


@search.expected("unembedded-items-last")
async def unembedded_items_last(case: Case) -> None:
    """As in InMemoryStore, items without vectors fill up the result, last and with score None."""
    await case.put("plain", {"text": "apple"}, index=False)
    await case.fill({"near": {"text": "apple"}, "far": {"text": "desert"}})
    hits = await case.search(query="apple")
    same([hit.key for hit in hits], ["near", "far", "plain"], "the order")
    same(hits[-1].score, None, "the score of the item without a vector")


@search.expected("offset-over-unembedded-items")
async def offset_over_unembedded_items(case: Case) -> None:
    """Pages go on through the items without vectors; starting anew there repeats them."""
    await case.fill({f"k{n}": {"text": f"apple {'violin ' * n}"} for n in range(5)})
    for n in range(7):
        await case.put(f"plain{n}", {"text": "apple"}, index=False)
    found = await case.pages(3, 12, query="apple")
    same(found[:5], [f"k{n}" for n in range(5)], "the first items")
    same(sorted(found[5:]), [f"plain{n}" for n in range(7)], "the items after them")


@search.promised("overwritten-text-forgotten")
async def overwritten_text_forgotten(case: Case) -> None:
    """After an update the item is found by its new text only."""
    await case.fill({"k": {"text": "apple"}})
    await case.fill({"k": {"text": "violin"}})
    await _forgotten(case, "apple", "k")
    expect(_near(await _score(case, "violin", "k"), 1.0), "the item is not found by its new text")


@search.expected("dropped-field-forgotten", fields=["text", "note"])
async def dropped_field_forgotten(case: Case) -> None:
    """A field that an update leaves out must take its vector along; what a user removed would still be found."""
    await case.fill({"k": {"text": "apple", "note": "violin"}})
    await case.fill({"k": {"text": "apple"}})
    await _forgotten(case, "violin", "k")


@search.expected("shrunk-array-forgotten", fields=["items[*].text"])
async def shrunk_array_forgotten(case: Case) -> None:
    """Elements that an update removes from an array must take their vectors along."""
    await case.fill({"k": _PARTS})
    await case.fill({"k": {"items": [{"text": "apple"}]}})
    await _forgotten(case, "violin", "k")
    await _forgotten(case, "harbour", "k")


@search.expected("unindexed-text-forgotten")
async def unindexed_text_forgotten(case: Case) -> None:
    """An update with index=False takes the item out of search by meaning, its old vectors too."""
    await case.fill({"k": {"text": "apple"}})
    await case.put("k", {"text": "violin"}, index=False)
    same(await case.value("k"), {"text": "violin"}, "the value")
    same((await case.scores("apple")).get("k"), None, "the item's score for its old text")


@search.expected("deleted-text-forgotten")
async def deleted_text_forgotten(case: Case) -> None:
    """An item that is deleted and put again without an index must not be found by what it was."""
    await case.fill({"k": {"text": "apple"}})
    await case.store.adelete(case.at(), "k")
    same(await case.keys(query="apple"), [], "the items after delete")
    await case.put("k", {"text": "violin"}, index=False)
    same(await case.value("k"), {"text": "violin"}, "the value")
    same((await case.scores("apple")).get("k"), None, "the item's score for its old text")


@search.promised("equal-texts-in-one-batch")
async def equal_texts_in_one_batch(case: Case) -> None:
    """Two items of a batch may have the same text."""
    values = {"a": {"text": "apple"}, "b": {"text": "apple"}, "c": {"text": "violin"}}
    await case.store.abatch([PutOp(case.at(), key, value) for key, value in values.items()])
    scores = await case.scores("apple")
    same({key for key, score in scores.items() if _near(score, 1.0)}, {"a", "b"}, "the items with the text")


@search.promised("equal-texts-in-one-item", fields=["text", "note"])
async def equal_texts_in_one_item(case: Case) -> None:
    """Two fields of an item may have the same text."""
    await case.fill({"k": {"text": "apple", "note": "apple"}, "other": {"text": "violin"}})
    same(await case.keys(query="apple"), ["k", "other"], "the items")


@search.promised("embed-by-function", opens=False)
async def embed_by_function(case: Case) -> None:
    """The embedder may be a plain function."""

    def embed(texts: list[str]) -> list[list[float]]:
        return [vector(text) for text in texts]

    await _embeds_by(case, embed)


@search.promised("embed-by-async-function", opens=False)
async def embed_by_async_function(case: Case) -> None:
    """The embedder may be an async function."""

    async def embed(texts: list[str]) -> list[list[float]]:
        return [vector(text) for text in texts]

    await _embeds_by(case, embed)


@search.expected("wrong-dimensions-refused", opens=False)
async def wrong_dimensions_refused(case: Case) -> None:
    """A changed model returns vectors of another length; stored beside the old ones they break every search."""
    await _refuses_vectors(case, lambda texts: [[1.0, 2.0, 3.0] for _ in texts])


@search.expected("missing-vectors-refused", opens=False)
async def missing_vectors_refused(case: Case) -> None:
    """An embedder that returns fewer vectors than texts would leave items that nobody finds."""
    await _refuses_vectors(case, lambda texts: [])


@search.expected("nan-vectors-refused", opens=False)
async def nan_vectors_refused(case: Case) -> None:
    """A vector of NaN is near to nothing and far from nothing; scores and order become arbitrary."""
    await _refuses_vectors(case, lambda texts: [[math.nan] * DIMENSIONS for _ in texts])


async def _refuses_vectors(case: Case, bad: Callable[[list[str]], list[list[float]]]) -> None:
    """Fail unless a put is refused for its vectors, and leaves the store as it was."""

    def embed(texts: list[str]) -> list[list[float]]:
        return bad(texts) if any("comet" in text for text in texts) else [vector(text) for text in texts]

    async with case.make(index=index_of(case.embedder, ["text"]) | {"embed": embed}) as store:
        await store.aput(case.at(), "k", {"text": "apple"})
        put: Callable[[], Awaitable[None]] = lambda: store.aput(case.at(), "bad", {"text": "comet"})  # noqa: E731
        await refused(put, "a put whose vectors are unusable", Exception)
        same(await store.aget(case.at(), "bad"), None, "get of the item that was refused")
        found = await store.asearch(case.at(), query="apple")
        same([hit.key for hit in found], ["k"], "what a query finds afterwards")


async def _embeds_by(
    case: Case, embed: Callable[[list[str]], list[list[float]] | Awaitable[list[list[float]]]]
) -> None:
    async with case.make(index=index_of(case.embedder, ["text"]) | {"embed": embed}) as store:
        await store.aput(case.at(), "a", {"text": "apple"})
        await store.aput(case.at(), "v", {"text": "violin"})
        found = await store.asearch(case.at(), query="violin")
        same([hit.key for hit in found], ["v", "a"], "the items")
