"""Several operations in one batch."""

from collections.abc import Iterable
from typing import Any, Final, cast

from langgraph.store.base import GetOp, Item, ListNamespacesOp, MatchCondition, Op, PutOp, SearchOp

from langgraph_agentmem.testing.store_conformance.case import Case, expect, refused, same
from langgraph_agentmem.testing.store_conformance.registry import Group

contract: Final = Group("contract")


def _value(result: object) -> object:
    return result.value if isinstance(result, Item) else result


def _keys(result: object) -> list[str]:
    found = cast("list[Any]", result) if isinstance(result, list) else []
    return [item.key for item in found if isinstance(item, Item)]


async def _batch(case: Case, ops: Iterable[Op]) -> list[object]:
    return list(await case.store.abatch(ops))


@contract.promised("batch-results-in-order")
async def batch_results_in_order(case: Case) -> None:
    """Each result belongs to the operation at its place, however a store groups the operations."""
    await case.fill({"a": {"n": 1}, "b": {"n": 2}})
    here = (MatchCondition("prefix", case.at()),)
    results = await _batch(
        case,
        [
            GetOp(case.at(), "b"),
            PutOp(case.at(), "c", {"n": 3}),
            SearchOp(case.at(), filter={"n": 1}),
            GetOp(case.at(), "missing"),
            ListNamespacesOp(match_conditions=here),
            GetOp(case.at(), "a"),
            PutOp(case.at(), "d", None),
            SearchOp(case.at(), filter={"n": 2}),
        ],
    )
    same(len(results), 8, "number of results")
    same([_value(results[i]) for i in (0, 3, 5)], [{"n": 2}, None, {"n": 1}], "the results of the gets")
    same([results[1], results[6]], [None, None], "the results of the puts")
    same([_keys(results[2]), _keys(results[7])], [["a"], ["b"]], "the results of the searches")
    same(results[4], [case.at()], "the result of the listing")


@contract.promised("batch-of-nothing")
async def batch_of_nothing(case: Case) -> None:
    """Code that gathers operations may find none."""
    same(await _batch(case, []), [], "the result of an empty batch")


@contract.promised("batch-takes-iterators")
async def batch_takes_iterators(case: Case) -> None:
    """The operations are any iterable, so a generator must not be used up before it is run."""
    ops = (PutOp(case.at(), f"k{n}", {"n": n}) for n in range(3))
    same(await _batch(case, ops), [None] * 3, "the results")
    same(sorted(await case.keys()), ["k0", "k1", "k2"], "the keys")


@contract.promised("batch-same-read-twice")
async def batch_same_read_twice(case: Case) -> None:
    """Equal reads in one batch each get their answer."""
    await case.fill({"a": {"n": 1}, "b": {"n": 2}})
    results = await _batch(case, [GetOp(case.at(), "a"), GetOp(case.at(), "b"), GetOp(case.at(), "a")])
    same([_value(result) for result in results], [{"n": 1}, {"n": 2}, {"n": 1}], "the results")


@contract.expected("batch-reads-come-first")
async def batch_reads_come_first(case: Case) -> None:
    """LangGraph's own stores read before they write, so that a get beside a put returns the value that it replaces."""
    await case.fill({"k": {"n": 1}})
    search = SearchOp(case.at(), filter={"n": 2})
    results = await _batch(case, [PutOp(case.at(), "k", {"n": 2}), GetOp(case.at(), "k"), search])
    same(_value(results[1]), {"n": 1}, "what a get beside the put reads")
    expect(not _keys(results[2]), "a search beside the put finds the new value")
    same(await case.value("k"), {"n": 2}, "the value after the batch")


@contract.expected("batch-last-put-wins")
async def batch_last_put_wins(case: Case) -> None:
    """Two puts of one key in a batch leave the later one, as if they had been two calls."""
    results = await _batch(case, [PutOp(case.at(), "k", {"n": n}) for n in range(3)])
    same(results, [None] * 3, "the results")
    same(await case.value("k"), {"n": 2}, "the value after the batch")


@contract.expected("batch-put-and-delete")
async def batch_put_and_delete(case: Case) -> None:
    """A put followed by a delete leaves nothing, a delete followed by a put leaves the value."""
    await case.fill({"second": {"n": 0}})
    puts = [PutOp(case.at(), "first", {"n": 1}), PutOp(case.at(), "first", None)]
    await _batch(case, [*puts, PutOp(case.at(), "second", None), PutOp(case.at(), "second", {"n": 2})])
    same(await case.value("first"), None, "the item that was put, then deleted")
    same(await case.value("second"), {"n": 2}, "the item that was deleted, then put")


@contract.expected("batch-all-or-nothing", fields=["text"])
async def batch_all_or_nothing(case: Case) -> None:
    """A batch that fails must write nothing, so that it can be repeated as a whole."""
    await case.fill({"old": {"text": "apple"}, "gone": {"text": "desert"}})
    case.embedder.fail("comet")
    ops = [PutOp(case.at(), "old", {"text": "violin"}), PutOp(case.at(), "gone", None)]
    ops.append(PutOp(case.at(), "bad", {"text": "comet"}))
    await refused(lambda: _batch(case, ops), "a batch with a text that cannot be embedded", Exception)
    values = [await case.value(key) for key in ("old", "gone", "bad")]
    same(values, [{"text": "apple"}, {"text": "desert"}, None], "the values after the batch failed")


@contract.promised("batch-namespaces-checked")
async def batch_namespaces_checked(case: Case) -> None:
    """A label with a dot, given straight to abatch, must not reach the namespace that the dot seems to spell."""
    await case.store.aput(case.at("a", "b"), "k", {"secret": True})
    try:
        results = await _batch(case, [GetOp(case.at("a.b"), "k")])
    except ValueError:
        return
    expect(results == [None], f"the label 'a.b' reads the namespace ('a', 'b'): {_value(results[0])!r}")
