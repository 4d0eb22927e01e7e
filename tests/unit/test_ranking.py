"""What the arms of a search weigh, and how hits become one order."""

from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from langgraph_agentmem.models.search import ArmScores, SearchHit
from langgraph_agentmem.policies.ranking import WEIGHTS, ranked


def hit(chunk_id: int, score: float, *, year: int = 2025, unclear_with: tuple[int, ...] = ()) -> SearchHit:
    return SearchHit(
        chunk_id=chunk_id, content="…", score=score, arms=ArmScores(), tier="active", memory_id=1, memory_title="m",
        section_id="s", section_revision=1, chunk_order=0, current=True, origin="section",
        start_date=datetime(year, 1, 1, tzinfo=UTC), unclear_with=unclear_with,
    )  # fmt: skip


def test_every_arm_has_a_weight_and_words_and_vectors_weigh_most():
    assert WEIGHTS.keys() == ArmScores.model_fields.keys()
    assert 0 < WEIGHTS["graph"] < WEIGHTS["label"] < WEIGHTS["vector"] == WEIGHTS["lexical"]


def test_the_best_come_first_and_equal_scores_are_ordered_by_chunk_id():
    hits = [hit(7, 0.5), hit(3, 0.9), hit(2, 0.5), hit(9, 0.1)]

    assert [h.chunk_id for h in ranked(hits, 10)] == [3, 2, 7, 9]


@settings(max_examples=50, deadline=None)
@given(data=st.data(), limit=st.integers(1, 6))
def test_the_order_does_not_depend_on_the_order_found_and_keeps_to_the_limit(data, limit):
    hits = [hit(id, score) for id, score in enumerate([0.2, 0.2, 0.7, 0.7, 0.1])]
    shuffled = data.draw(st.permutations(hits))

    assert ranked(shuffled, limit) == ranked(hits, limit)
    assert len(ranked(shuffled, limit)) == min(limit, 5)


# Of two hits between which the rules could not decide, the later comes first


def test_the_later_one_comes_where_the_better_of_the_two_would_stand():
    old, new = hit(1, 0.9, year=2024, unclear_with=(2,)), hit(2, 0.3, year=2025, unclear_with=(1,))

    assert ranked([old, hit(3, 0.6), new], 10) == [new, old, hit(3, 0.6)]


def test_the_later_one_stays_first_where_it_is_better_anyway():
    old, new = hit(1, 0.3, year=2024, unclear_with=(2,)), hit(2, 0.9, year=2025, unclear_with=(1,))

    assert [h.chunk_id for h in ranked([old, hit(3, 0.6), new], 10)] == [2, 3, 1]


def test_of_the_same_time_the_later_chunk_is_the_newer():
    hits = [hit(1, 0.9, unclear_with=(2,)), hit(2, 0.3, unclear_with=(1,))]

    assert [h.chunk_id for h in ranked(hits, 10)] == [2, 1]


def test_what_is_unclear_with_something_that_was_not_found_keeps_its_place():
    hits = [hit(1, 0.9, unclear_with=(7,)), hit(2, 0.95)]

    assert [h.chunk_id for h in ranked(hits, 10)] == [2, 1]
    assert [h.score for h in ranked(hits, 10)] == [0.95, 0.9]
