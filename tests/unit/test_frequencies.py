"""How frequent words are, from exact counts or from a sample, and how long that is believed."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langgraph_agentmem.policies.frequencies import Frequencies, FrequencyCache

NONE = Frequencies(0, 0, {}, {})
HUNDRED = Frequencies(100, 100, {7: 40}, {1: 90, 2: 10})
SAMPLED = Frequencies(10_000, 100, {7: 40}, {1: 90, 2: 10})


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def cache_with(frequencies: Frequencies, seconds: float = 0.0) -> tuple[FrequencyCache, Clock]:
    clock = Clock()
    cache = FrequencyCache(clock=clock)
    cache.put("alice", frequencies, seconds)
    return cache, clock


# Estimates


def test_where_all_chunks_were_counted_the_numbers_are_exact():
    assert (HUNDRED.of(7), HUNDRED.of(8)) == (40, 0)
    assert (HUNDRED.within(None), HUNDRED.within([1]), HUNDRED.within([2, 2]), HUNDRED.within([3])) == (100, 90, 10, 0)


def test_of_a_sample_they_are_scaled_up():
    assert SAMPLED.of(7) == 4_000
    assert (SAMPLED.within(None), SAMPLED.within([2]), SAMPLED.within([1, 2]), SAMPLED.within([])) == (
        10_000,
        1_000,
        10_000,
        0,
    )


def test_a_word_that_is_in_none_of_a_sample_may_be_in_the_rest_but_is_rarer_than_one_that_is():
    assert 0 < SAMPLED.of(8) < Frequencies(10_000, 100, {8: 1}, {}).of(8)


def test_without_chunks_there_is_nothing():
    assert (NONE.of(7), NONE.within(None), NONE.within([1])) == (0, 0, 0)


def test_where_nothing_could_be_counted_a_memory_may_have_all_chunks():
    assert Frequencies(50, 0, {}, {}).within([1]) == 50


@given(chunks=st.integers(0, 10**9), share=st.floats(0, 1), ids=st.none() | st.lists(st.integers(0, 9)))
def test_no_memories_have_more_than_all_chunks(chunks, share, ids):
    counted = round(chunks * share)
    known = Frequencies(chunks, counted, {}, {1: counted // 3, 2: counted - counted // 3})

    assert 0 <= known.within(ids) <= chunks


# How long they are believed


def test_what_was_never_counted_is_not_known():
    assert FrequencyCache().get("alice") is None


def test_each_tenants_are_its_own():
    cache, _ = cache_with(HUNDRED)
    cache.put("bob", NONE, 0.0)

    assert (cache.get("alice"), cache.get("bob"), cache.get("carol")) == (HUNDRED, NONE, None)


def test_once_many_chunks_are_new_they_are_counted_again():
    cache, _ = cache_with(HUNDRED)

    cache.wrote("alice", 5)
    cache.wrote("bob", 50)
    assert cache.get("alice") == HUNDRED
    cache.wrote("alice", 1)
    assert cache.get("alice") is None
    cache.put("alice", HUNDRED, 0.0)
    assert cache.get("alice") == HUNDRED


def test_the_first_chunk_of_a_tenant_is_noticed():
    cache, _ = cache_with(NONE)
    cache.wrote("alice", 1)

    assert cache.get("alice") is None


@pytest.mark.parametrize(
    ("chunks", "seconds", "lasting"),
    [
        (0, 0.0, 2.0),
        (20, 0.0, 2.0),
        (100, 0.0, 10.0),
        (600, 0.0, 60.0),
        (100_000, 0.0, 60.0),
        (100, 0.1, 20.0),
        (9, 1.0, 200.0),
    ],
)
def test_they_are_believed_for_longer_the_more_chunks_there_are_and_the_longer_counting_took(chunks, seconds, lasting):
    counted = Frequencies(chunks, chunks, {}, {})
    cache, clock = cache_with(counted, seconds)

    clock.now += lasting - 0.01
    assert cache.get("alice") == counted
    clock.now += 0.02
    assert cache.get("alice") is None


def test_by_default_time_passes_by_itself():
    cache = FrequencyCache()
    cache.put("alice", HUNDRED, 0.0)

    assert cache.get("alice") == HUNDRED


# How many are kept


MANY = Frequencies(1, 1, dict.fromkeys(range(200_000), 1), {})


def test_of_too_many_words_those_of_the_tenant_that_was_not_asked_for_the_longest_go():
    cache, _ = cache_with(MANY)
    cache.put("bob", MANY, 0.0)
    cache.get("alice")
    cache.put("carol", MANY, 0.0)

    assert [name for name in ("alice", "bob", "carol") if cache.get(name)] == ["alice", "carol"]


def test_what_takes_the_place_of_earlier_counts_does_not_count_twice():
    cache, _ = cache_with(MANY)
    for _ in range(10):
        cache.put("bob", MANY, 0.0)

    assert cache.get("alice") == cache.get("bob") == MANY


def test_one_tenant_is_always_kept():
    cache, _ = cache_with(Frequencies(1, 1, dict.fromkeys(range(600_000), 1), {}))

    assert cache.get("alice")
    cache.put("bob", HUNDRED, 0.0)
    assert (cache.get("alice"), cache.get("bob")) == (None, HUNDRED)


def test_many_threads_may_use_it_at_once():
    cache = FrequencyCache()

    def use(number: int) -> None:
        tenant = f"t{number % 3}"
        for _ in range(300):
            cache.put(tenant, MANY, 0.0)
            cache.wrote(tenant, 1)
            cache.get(f"t{(number + 1) % 3}")

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(use, range(8)))
    for tenant in ("t0", "t1"):
        cache.put(tenant, MANY, 0.0)
    assert cache.get("t0") == cache.get("t1") == MANY
