"""The conformance suite itself: a store that does all of it passes, and each kind of fault is found and reported."""

import asyncio
from collections import Counter
from contextlib import asynccontextmanager

import pytest
from exact_store import Exact, ExactStore, cosine
from faulty_stores import FAULTS, Forgets, KnowsOnlyOperatorsOfLangGraph
from langgraph.store.base import ListNamespacesOp
from langgraph.store.memory import InMemoryStore

from langgraph_agentmem.testing import store_conformance
from langgraph_agentmem.testing.store_conformance import (
    NotMet,
    Report,
    Result,
    WordEmbedder,
    capabilities,
    check,
    comparison,
    run,
)
from langgraph_agentmem.testing.store_conformance.case import Case, refused
from langgraph_agentmem.testing.store_conformance.embedder import bucket
from langgraph_agentmem.testing.store_conformance.registry import Group

WORDS = "apple violin harbour desert comet lantern glacier orchid pepper text note items"
GROUPS = ["contract", "search", "filter", "ttl", "values", "concurrency", "extras"]

# What a store that stores nothing does right: absences, refusals, and not to be in each other's way.
RIGHT_WITHOUT_STORING = {
    "get-missing",
    "delete-missing",
    "invalid-namespaces-refused",
    "batch-of-nothing",
    "batch-namespaces-checked",
    "list-namespaces-only-written",
    "non-mapping-refused",
    "refusal-names-the-place",
    "slow-embedding-delays-no-get",
    "slow-embedding-delays-no-put",
    "slow-query-delays-no-get",
}


def opening(store_class):
    @asynccontextmanager
    async def make(*, index=None, ttl=None):
        yield store_class()

    return make


async def test_a_store_that_does_all_of_it_passes_every_check():
    report = await run(Exact(), at_once=200)

    assert [(result.capability.name, result.status, result.detail) for result in report.results] == [
        (capability.name, "passed", "") for capability in capabilities()
    ]
    assert report.failures == []


@pytest.mark.parametrize(
    ("store", "names"), [pytest.param(store, names, id=store.__name__) for store, names in FAULTS.items()]
)
async def test_a_fault_is_found(store, names):
    report = await run(Exact(store), names.split(), at_once=9)

    assert {result.capability.name: result.status for result in report.results if result not in report.failures} == {}
    assert all(result.detail and "\n" not in result.detail for result in report.failures)


def test_every_group_has_a_fault_that_is_found():
    groups = {capability.name: capability.group for capability in capabilities()}

    assert list(dict.fromkeys(groups.values())) == GROUPS
    assert {groups[name] for names in FAULTS.values() for name in names.split()} == set(GROUPS)


async def test_no_check_passes_for_want_of_data():
    names = [capability.name for capability in capabilities() if capability.group != "ttl"]
    report = await run(Exact(Forgets), names, at_once=200)

    assert {result.capability.name for result in report.results if result.status == "passed"} == RIGHT_WITHOUT_STORING


async def test_what_a_store_says_that_it_lacks_is_unsupported():
    exact = Exact(KnowsOnlyOperatorsOfLangGraph)
    results = [await check("filter-in", exact), await check("set-up-at-once", opening(InMemoryStore))]
    results += [await check(name, opening(InMemoryStore)) for name in ("default-ttl", "put-if-absent")]

    assert [result.status for result in results] == ["unsupported"] * 4
    assert [result.detail for result in results[2:]] == ["supports_ttl is False", "the store has no aput_if"]
    assert "$in" in results[0].detail
    assert "shared()" in results[1].detail


async def test_a_check_that_hangs_is_cut_off_and_the_others_go_on():
    class Hangs(ExactStore):
        async def abatch(self, ops):
            ops = list(ops)
            if any(isinstance(op, ListNamespacesOp) for op in ops):
                await asyncio.Event().wait()
            return await super().abatch(ops)

    report = await run(Exact(Hangs), ["get-missing", "list-namespaces", "put-replaces"], seconds=0.2)

    assert [result.status for result in report.results] == ["passed", "failed", "passed"]
    assert report.results[1].detail == "did not finish within 0.2 seconds"


async def test_a_check_that_cannot_be_cancelled_is_left_behind():
    released = asyncio.Event()

    class Stubborn(ExactStore):
        async def abatch(self, ops):
            while not released.is_set():
                try:
                    await released.wait()
                except asyncio.CancelledError:
                    continue
            return await super().abatch(ops)

    result = await check("get-missing", Exact(Stubborn), seconds=0.1, grace=0.1)
    [left_behind] = asyncio.all_tasks() - {asyncio.current_task()}
    released.set()
    await left_behind

    assert (result.status, result.detail) == ("failed", "did not finish within 0.1 seconds")


async def test_what_was_not_foreseen_is_an_error_that_names_it():
    class Down(ExactStore):
        async def abatch(self, ops):
            raise OSError("the disk\nis full")

    @asynccontextmanager
    async def closed(*, index=None, ttl=None):
        raise ConnectionError("nobody listens")
        yield

    results = [await check("get-missing", make) for make in (Exact(Down), closed)]

    assert [result.status for result in results] == ["error", "error"]
    assert [result.detail for result in results] == ["OSError: the disk is full", "ConnectionError: nobody listens"]


async def test_cancelling_a_run_cancels_it():
    started = asyncio.Event()

    class Waits(ExactStore):
        async def abatch(self, ops):
            started.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(run(Exact(Waits)))
    await started.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_each_check_gets_a_namespace_of_its_own():
    data = {}
    report = await run(Exact(data=data), ["put-replaces", "delete", "put-replaces"])

    assert report.failures == []
    assert len({namespace[0] for namespace, _ in data}) == 3


async def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match="no capability 'put-replace'"):
        await run(Exact(), ["put-replace"])


def test_every_capability_is_named_and_says_why_it_matters():
    names = Counter(capability.name for capability in capabilities())

    assert [name for name, count in names.items() if count > 1 or name != name.lower() or " " in name] == []
    assert [capability.name for capability in capabilities() if len(capability.reason) < 20] == []
    assert all(capability.reason.endswith(".") for capability in capabilities())
    assert {capability.group for capability in capabilities() if capability.promised} == set(GROUPS[:4])


def test_the_tables_show_what_failed_and_escape_what_markdown_would_take():
    first, second = capabilities()[:2]
    report = Report(
        (Result(capability=first, status="passed"), Result(capability=second, status="failed", detail="a|b"))
    )

    assert report.table().splitlines()[2:] == [
        f"| `{first.name}` | contract | promised | yes |  |",
        f"| `{second.name}` | contract | promised | **no** | a\\|b |",
    ]
    assert [result.capability for result in report.failures] == [second]
    assert report.summary() == "passed 1 of 2 promised and 0 of 0 expected capabilities"
    columns = comparison({"One": report, "Two": Report(report.results[:1])}).splitlines()
    assert columns[0] == "| Capability | Group | By | Why it matters | One | Two |"
    assert columns[3].endswith("| **no** | not tried |")


def test_the_words_of_the_checks_have_buckets_of_their_own():
    assert len({bucket(word) for word in WORDS.split()}) == len(WORDS.split())


async def test_the_embedder_is_deterministic_and_puts_texts_that_share_words_close():
    embedder = WordEmbedder()
    apple, both, desert = await embedder.aembed_documents(["Apple!", "violin apple", "desert"])

    assert embedder.embed_query("apple") == apple
    assert cosine(apple, both) > cosine(apple, desert) == 0
    assert len(apple) == 64


async def test_the_embedder_waits_and_fails_for_particular_texts():
    embedder = WordEmbedder()
    gate = embedder.hold("apple")
    embedder.fail("violin")
    waiting = asyncio.create_task(embedder.aembed_query("apple"))
    desert = await embedder.aembed_query("desert")

    with pytest.raises(RuntimeError, match="'violin'"):
        embedder.embed_documents(["desert", "a violin"])
    assert embedder.embed_query("desert") == desert
    assert not waiting.done()
    gate.open()
    assert await waiting == embedder.embed_query("apple")
    assert gate.reached.is_set()


async def test_a_refusal_by_another_error_is_told_apart_from_one_of_the_right_kind():
    async def refuse():
        raise KeyError("k")

    assert isinstance(await refused(refuse, "a put", LookupError), KeyError)
    with pytest.raises(NotMet, match=r"^a put raises KeyError, which is no TypeError or ValueError: 'k'$"):
        await refused(refuse, "a put", TypeError, ValueError)


def test_a_check_that_opens_its_own_stores_has_none_by_itself():
    with pytest.raises(LookupError, match="opens its own stores"):
        _ = Case(root="x", make=Exact(), store=None, embedder=WordEmbedder()).store


def test_capabilities_have_names_of_their_own_and_reasons():
    async def check(case: Case) -> None:
        """Why not."""

    async def silent(case: Case) -> None: ...

    with pytest.raises(ValueError, match="there are two capabilities 'get-missing'"):
        Group("contract").promised("get-missing")(check)
    with pytest.raises(ValueError, match="the check of 'unheard-of' needs a docstring"):
        Group("contract").expected("unheard-of")(silent)
    assert "unheard-of" not in {capability.name for capability in capabilities()}


def test_the_public_names_are_described():
    public = [getattr(store_conformance, name) for name in store_conformance.__all__ if name != "Status"]

    assert [value for value in public if not value.__doc__] == []
    assert NotMet in public
