"""What the arms of a search weigh, and how hits become one order."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from langgraph_agentmem.models.search import ArmScores, SearchHit
from langgraph_agentmem.policies.ranking import WEIGHTS, newer_first, ranked
from langgraph_agentmem.policies.words import reader

READER = reader("english")


def hit(chunk_id: int, score: float, *, year: int = 2025, unclear_with: tuple[int, ...] = ()) -> SearchHit:
    return SearchHit(
        chunk_id=chunk_id, content="…", score=score, arms=ArmScores(), tier="active", memory_id=1, memory_title="m",
        section_id="s", section_revision=1, chunk_order=0, current=True, origin="section",
        start_date=datetime(year, 1, 1, tzinfo=UTC), unclear_with=unclear_with,
    )  # fmt: skip


def test_every_arm_has_a_weight_and_words_and_vectors_weigh_most():
    assert WEIGHTS.keys() == ArmScores.model_fields.keys()
    assert 0 < WEIGHTS["graph"] < WEIGHTS["label"] < WEIGHTS["lexical"] < WEIGHTS["vector"]


def test_the_best_come_first_and_equal_scores_are_ordered_by_chunk_id():
    hits = [hit(7, 0.5), hit(3, 0.9), hit(2, 0.5), hit(9, 0.1)]

    assert [h.chunk_id for h in ranked(hits, 10, READER)] == [3, 2, 7, 9]


@given(data=st.data(), limit=st.integers(1, 6))
def test_the_order_does_not_depend_on_the_order_found_and_keeps_to_the_limit(data, limit):
    hits = [hit(id, score) for id, score in enumerate([0.2, 0.2, 0.7, 0.7, 0.1])]
    shuffled = data.draw(st.permutations(hits))

    assert ranked(shuffled, limit, READER) == ranked(hits, limit, READER)
    assert len(ranked(shuffled, limit, READER)) == min(limit, 5)


# Of two hits between which the rules could not decide, the later comes first


def test_the_later_one_comes_where_the_better_of_the_two_would_stand():
    old, new = hit(1, 0.9, year=2024, unclear_with=(2,)), hit(2, 0.3, year=2025, unclear_with=(1,))

    found = ranked([old, hit(3, 0.6), new], 10, READER)

    assert [(h.chunk_id, h.behind) for h in found] == [(2, []), (1, [2]), (3, [])]


def test_the_later_one_stays_first_where_it_is_better_anyway():
    old, new = hit(1, 0.3, year=2024, unclear_with=(2,)), hit(2, 0.9, year=2025, unclear_with=(1,))

    assert [h.chunk_id for h in ranked([old, hit(3, 0.6), new], 10, READER)] == [2, 3, 1]


def test_of_the_same_time_the_later_chunk_is_the_newer():
    hits = [hit(1, 0.9, unclear_with=(2,)), hit(2, 0.3, unclear_with=(1,))]

    assert [h.chunk_id for h in ranked(hits, 10, READER)] == [2, 1]


def test_what_is_unclear_with_something_that_was_not_found_keeps_its_place():
    hits = [hit(1, 0.9, unclear_with=(7,)), hit(2, 0.95)]

    assert [h.chunk_id for h in ranked(hits, 10, READER)] == [2, 1]
    assert [h.score for h in ranked(hits, 10, READER)] == [0.95, 0.9]


def test_of_a_chain_of_them_the_latest_comes_first_and_the_earliest_last():
    first, second = hit(1, 0.9, year=2023, unclear_with=(2,)), hit(2, 0.3, year=2024, unclear_with=(1, 3))
    third = hit(3, 0.2, year=2025, unclear_with=(2,))

    assert [h.chunk_id for h in ranked([first, second, third, hit(4, 0.5)], 10, READER)] == [3, 2, 1, 4]


# What stands in a section now comes before what stood there


def text(
    chunk_id: int, score: float, content: str, *, current: bool = True, order: int = 0, section: str = "s"
) -> SearchHit:
    found = hit(chunk_id, score, year=2025 if current else 2024)
    changes = {"content": content, "current": current, "chunk_order": order, "section_id": section}
    return found.model_copy(update=changes)


OLD = text(1, 0.7, "Achieved 65% test coverage of the API module in the first run.", current=False)
NEW = text(2, 0.2, "The test coverage of the API module is 78% now.")


def test_what_stands_there_now_comes_directly_before_what_it_shares_words_with():
    assert [h.chunk_id for h in ranked([OLD, text(3, 0.5, "Tea"), NEW], 10, READER)] == [2, 1, 3]


def test_scores_stay_what_they_are():
    assert [h.score for h in ranked([OLD, NEW], 10, READER)] == [0.2, 0.7]


def test_short_ones_need_to_share_less():
    old, new = text(1, 0.7, "Ann lives in Rome", current=False), text(2, 0.6, "Ann has moved to Oslo")

    assert [h.chunk_id for h in ranked([old, new], 10, READER)] == [1, 2], "a name alone is not enough"
    moved = text(3, 0.6, "Ann lives in Oslo")
    assert [h.chunk_id for h in ranked([old, moved], 10, READER)] == [3, 1]


def test_what_says_something_else_stands_elsewhere_or_hardly_answers_takes_nobodys_place():
    for other in (
        text(2, 0.2, "The budget of the design team was raised in spring."),
        NEW.model_copy(update={"section_id": "other"}),
        NEW.model_copy(update={"chunk_order": 6}),
        NEW.model_copy(update={"score": 0.1}),
        NEW.model_copy(update={"start_date": OLD.start_date}),
        NEW.model_copy(update={"current": False}),
    ):
        assert [h.chunk_id for h in ranked([OLD, other], 10, READER)] == [1, 2]


def test_who_speaks_and_when_is_nothing_that_they_share():
    old = text(1, 0.7, "(8 May, 2023) Ann Marie Smith: the garden is green", current=False)
    new = text(2, 0.6, "(8 May, 2023) Ann Marie Smith: we sold our car")

    assert [h.chunk_id for h in ranked([old, new], 10, READER)] == [1, 2]


def test_each_of_several_that_are_gone_keeps_its_place_behind_what_stands_there():
    gone = [text(id, 0.8 - id / 10, f"Line {id} of the API module test coverage", current=False) for id in (3, 4, 5)]

    assert [h.chunk_id for h in ranked([*gone, text(9, 0.45, "Tea"), NEW], 10, READER)] == [2, 3, 9, 4, 5]


def test_a_reranker_does_not_bring_the_older_one_back_before_the_newer():
    new, old, other = ranked([OLD, NEW, text(3, 0.1, "Tea")], 10, READER)

    assert [h.chunk_id for h in newer_first([other, old, new])] == [3, 2, 1]
    assert newer_first([new, other, old]) == [new, other, old]
