"""Many callers at once: nobody waits for, or fails with, somebody else."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from langgraph.store.base import BaseStore, PutOp

from langgraph_agentmem.testing.store_conformance.case import (
    Case,
    NotMet,
    StoreFactory,
    expect,
    in_thread,
    index_of,
    same,
    until,
)
from langgraph_agentmem.testing.store_conformance.registry import Group

concurrency: Final = Group("concurrency")

_APART_SECONDS = 20.0


@concurrency.expected("many-puts")
async def many_puts(case: Case) -> None:
    """50 puts at once are all stored."""
    await asyncio.gather(*(case.put(f"k{n}", {"n": n}) for n in range(50)))
    values = {item.key: item.value["n"] for item in await case.search(limit=100)}
    same(values, {f"k{n}": n for n in range(50)}, "the values")


@concurrency.expected("puts-of-one-key")
async def puts_of_one_key(case: Case) -> None:
    """Of puts of one key at once, one wins whole; a mixture belongs to nobody."""
    await asyncio.gather(*(case.put("k", {"n": n, "list": [n] * 50}) for n in range(20)))
    value = await case.value("k")
    expect(value in [{"n": n, "list": [n] * 50} for n in range(20)], f"the value is none of those put: {value!r}")
    same(len(await case.keys()), 1, "number of items")


@concurrency.expected("crossing-batches")
async def crossing_batches(case: Case) -> None:
    """Batches that write the same keys in opposite orders must not lock each other out."""
    ops = [PutOp(case.at(), f"k{n}", {"n": n}) for n in range(300)]
    for _ in range(5):
        await asyncio.gather(*(case.store.abatch(ops[::step]) for step in (1, -1, 1, -1)))
    same(len(await case.keys(limit=500)), 300, "number of items")


@concurrency.expected("bad-put-alone")
async def bad_put_alone(case: Case) -> None:
    """One caller's value that cannot be stored must not fail the puts that other callers make at that moment."""
    bad = case.put("bad", {"n": object()})
    good = [case.put(f"k{n}", {"n": n}) for n in range(5)]
    outcomes = await asyncio.gather(*good[:2], bad, *good[2:], return_exceptions=True)
    _only_third_fails(outcomes)
    same(sorted(set(await case.keys()) - {"bad"}), [f"k{n}" for n in range(5)], "the items of the others")


@concurrency.expected("bad-search-alone")
async def bad_search_alone(case: Case) -> None:
    """One caller's filter that is refused must not fail the reads that other callers make at that moment."""
    await case.fill({"k": {"n": 1}})
    bad = case.search(filter={"n": {"$nonsense": 1}})
    outcomes = await asyncio.gather(case.value("k"), case.value("k"), bad, case.keys(), return_exceptions=True)
    _only_third_fails([*outcomes])
    same([outcomes[0], outcomes[1], outcomes[3]], [{"n": 1}, {"n": 1}, ["k"]], "what the others read")


def _only_third_fails(outcomes: list[Any]) -> None:
    others = [outcome for place, outcome in enumerate(outcomes) if place != 2]
    failed = [outcome for outcome in others if isinstance(outcome, BaseException)]
    expect(not failed, f"{len(failed)} calls of others fail too: {failed[:1]!r}")


@concurrency.expected("cancelled-put-alone")
async def cancelled_put_alone(case: Case) -> None:
    """A caller that is cancelled must not take others along."""
    tasks = [asyncio.create_task(case.put(f"k{n}", {"n": n})) for n in range(5)]
    await asyncio.sleep(0)
    tasks[2].cancel()
    _only_third_fails(await asyncio.gather(*tasks, return_exceptions=True))
    same(sorted(set(await case.keys()) - {"k2"}), ["k0", "k1", "k3", "k4"], "the items of the others")


async def _overtakes(case: Case, slow: Awaitable[object], quick: Callable[[], Awaitable[object]], what: str) -> None:
    """Fail unless a quick call is done while a slow one waits for its embedding.

    The embedder lets the slow one go on after some seconds, so that a store where the quick call waits for it ends.
    """
    gate = case.embedder.hold("comet")
    order: list[str] = []

    async def tracked(name: str, call: Awaitable[object]) -> None:
        await call
        order.append(name)

    async def reached() -> bool:
        return gate.reached.is_set()

    waiting = asyncio.create_task(tracked("slow", slow))
    try:
        await until(reached, "nothing was embedded")
        await tracked("quick", quick())
    finally:
        gate.open()
        await waiting
    same(order, ["quick", "slow"], f"the order of {what}")


@concurrency.expected("slow-embedding-delays-no-get", fields=["text"])
async def slow_embedding_delays_no_get(case: Case) -> None:
    """While one caller's text is embedded, which takes a model seconds, a get must not wait for it."""
    await case.put("k", {"n": 1}, index=False)
    slow = case.put("slow", {"text": "comet"})
    await _overtakes(case, slow, lambda: case.get("k"), "a get and a put whose embedding takes long")


@concurrency.expected("slow-embedding-delays-no-put", fields=["text"])
async def slow_embedding_delays_no_put(case: Case) -> None:
    """While one caller's text is embedded, another caller's put that needs no embedding must not wait for it."""
    slow = case.put("slow", {"text": "comet"})
    quick: Callable[[], Awaitable[object]] = lambda: case.put("k", {"n": 1}, index=False)  # noqa: E731
    await _overtakes(case, slow, quick, "a put without embedding and a put whose embedding takes long")


@concurrency.expected("slow-query-delays-no-get", fields=["text"])
async def slow_query_delays_no_get(case: Case) -> None:
    """While one caller's query is embedded, a get must not wait for it."""
    await case.fill({"k": {"text": "apple"}})
    slow = case.search(query="comet")
    await _overtakes(case, slow, lambda: case.get("k"), "a get and a search whose query takes long")


@concurrency.expected("failing-embedding-alone", fields=["text"])
async def failing_embedding_alone(case: Case) -> None:
    """If one caller's text cannot be embedded, that caller is told, and the others' puts succeed."""
    case.embedder.fail("comet")
    texts = ["apple", "violin", "comet", "harbour", "desert"]
    puts = [case.put(text, {"text": text}) for text in texts]
    outcomes = await asyncio.gather(*puts, return_exceptions=True)
    expect(isinstance(outcomes[2], Exception), "the caller whose text cannot be embedded is not told")
    _only_third_fails(outcomes)
    same(sorted(await case.keys()), ["apple", "desert", "harbour", "violin"], "the items")


@concurrency.expected("failing-embedding-writes-nothing", fields=["text"])
async def failing_embedding_writes_nothing(case: Case) -> None:
    """A put that fails leaves what was there, value and vectors; half of it would be found by the wrong words."""
    await case.fill({"k": {"text": "apple"}})
    case.embedder.fail("comet")
    for key in ("k", "new"):
        outcome = (await asyncio.gather(case.put(key, {"text": "comet"}), return_exceptions=True))[0]
        expect(isinstance(outcome, Exception), "a put whose text cannot be embedded succeeds")
    same(await case.value("k"), {"text": "apple"}, "the value of the item that was there")
    same(await case.value("new"), None, "the value of the item that was not")
    same(list(await case.scores("apple")), ["k"], "what a query finds")


@concurrency.expected("failing-query-raises", fields=["text"])
async def failing_query_raises(case: Case) -> None:
    """If a query cannot be embedded the caller must be told; an empty result would say that nothing is known."""
    await case.fill({"k": {"text": "apple"}})
    case.embedder.fail("comet")
    outcome = (await asyncio.gather(case.search(query="comet"), return_exceptions=True))[0]
    expect(isinstance(outcome, Exception), f"the search returns {outcome!r}")
    same(await case.keys(query="apple"), ["k"], "what another query finds afterwards")


@concurrency.expected("sync-calls-of-many-threads")
async def sync_calls_of_many_threads(case: Case) -> None:
    """Tools run in threads; 10 of them put and get at once."""
    store, root = case.store, case.at()

    def work(n: int) -> object:
        store.put(root, f"k{n}", {"n": n})
        found = store.get(root, f"k{n}")
        return found.value if found else None

    found = await asyncio.gather(*(in_thread(lambda n=n: work(n)) for n in range(10)))
    same(found, [{"n": n} for n in range(10)], "what the threads read")


@concurrency.expected("second-event-loop")
async def second_event_loop(case: Case) -> None:
    """Sync code calls async graphs with asyncio.run in a thread, so a store meets more than one event loop."""

    async def elsewhere() -> object:
        async with asyncio.timeout(_APART_SECONDS):
            await case.put("there", {"n": 1})
            return await case.value("here")

    await case.fill({"here": {"n": 0}})
    try:
        found = await in_thread(lambda: asyncio.run(elsewhere()))
    except Exception as error:
        raise NotMet(f"{type(error).__name__} is raised in the second loop") from error
    same(found, {"n": 0}, "what the second loop reads")
    same(await case.value("there"), {"n": 1}, "what the first loop reads")


@concurrency.expected("set-up-at-once", opens=False, fields=["text"])
async def set_up_at_once(case: Case) -> None:
    """Several processes start on a new database at the same time, and each sets it up."""
    for _ in range(2):  # whether they meet is a matter of chance
        outcomes = await _set_up(case, case.shared(), 5)
        errors = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
        expect(not errors, f"{len(errors)} of 5 fail: {[f'{type(error).__name__}: {error}' for error in errors[:1]]}")
        same(outcomes, [5] * 5, "numbers of items that the stores find")


async def _set_up(case: Case, shared: StoreFactory, count: int) -> list[int | BaseException]:
    """How many items each of several new stores finds, once all have put one; or why it cannot."""
    barrier = asyncio.Barrier(count)

    async def process(n: int) -> int:
        async with shared(index=index_of(case.embedder, ["text"])) as store:
            await store.aput(case.at(), f"k{n}", {"text": f"apple n{n}"})
            await barrier.wait()
            return len(await store.asearch(case.at(), query="apple"))

    tasks = [asyncio.create_task(process(n)) for n in range(count)]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    for task in tasks:
        task.cancel()
    return await asyncio.gather(*tasks, return_exceptions=True)


@concurrency.expected("two-stores-share-data", opens=False)
async def two_stores_share_data(case: Case) -> None:
    """What one process writes, replaces and deletes, the other sees at once."""
    shared = case.shared()
    async with shared() as first, shared() as second:
        for value in ({"n": 1}, {"n": 2}):
            await first.aput(case.at(), "k", value)
            found = await second.aget(case.at(), "k")
            same(found.value if found else None, value, "what the second store reads")
        await second.adelete(case.at(), "k")
        same(await first.aget(case.at(), "k"), None, "what the first store reads after the second deleted it")


@concurrency.expected("stores-crossing-batches", opens=False)
async def stores_crossing_batches(case: Case) -> None:
    """Batches of several processes that write the same keys in opposite orders must not lock each other out."""
    shared = case.shared()
    async with shared() as first, shared() as second, shared() as third, shared() as fourth:
        for _ in range(5):  # whether they meet is a matter of chance
            crossing = [_write(case, *pair) for pair in ((first, 1), (second, -1), (third, 1), (fourth, -1))]
            outcomes = await asyncio.gather(*crossing, return_exceptions=True)
            errors = [f"{type(error).__name__}: {error}" for error in outcomes if isinstance(error, Exception)]
            expect(not errors, f"a batch fails: {errors[:1]}")
        same(len(await second.asearch(case.at(), limit=2000)), 1000, "number of items")


async def _write(case: Case, store: BaseStore, step: int) -> None:
    ops = [PutOp(case.at(), f"k{n}", {"n": n, "by": step}) for n in range(1000)]
    await store.abatch(ops[::step])


@concurrency.expected("data-outlives-store", opens=False)
async def data_outlives_store(case: Case) -> None:
    """What was put is there after the store was closed and opened again."""
    shared: StoreFactory = case.shared()
    async with shared() as store:
        await store.aput(case.at(), "k", {"n": 1})
    async with shared() as store:
        found = await store.aget(case.at(), "k")
        same(found.value if found else None, {"n": 1}, "what is read after opening again")
