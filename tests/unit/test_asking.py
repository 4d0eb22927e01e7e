"""A question without its common words, and what the others weigh."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langgraph_agentmem.policies.asking import read, to_be_embedded, weighed
from langgraph_agentmem.policies.frequencies import Frequencies
from langgraph_agentmem.policies.weighing import ONCE, rarity
from langgraph_agentmem.policies.words import dimension, reader

ENGLISH = reader("english")
TODAY = date(2026, 11, 30)
QUESTION = "What did Caroline research?"


def at(word: str) -> int:
    """Where a word is weighed."""
    return dimension(ENGLISH.words(word)[0].text)


def frequencies(chunks: int = 100, counted: int | None = None, **holding: int) -> Frequencies:
    words = {at(word): n for word, n in holding.items()}
    return Frequencies(chunks, chunks if counted is None else counted, words, {})


def embedded(question: str, known: Frequencies) -> str:
    return to_be_embedded(read(question, ENGLISH, TODAY), known, ENGLISH)


def weights(question: str, known: Frequencies) -> dict[int, float]:
    return weighed(read(question, ENGLISH, TODAY), known).weights


# Common words


def test_a_word_that_most_chunks_hold_is_not_embedded():
    assert embedded(QUESTION, frequencies(caroline=90, research=3)) == "What did research?"


def test_a_word_that_tells_chunks_apart_is():
    assert embedded(QUESTION, frequencies(caroline=25, research=3)) == QUESTION


def test_of_a_few_chunks_all_may_hold_a_word():
    assert embedded(QUESTION, frequencies(chunks=10, caroline=10)) == QUESTION
    assert embedded(QUESTION, frequencies(chunks=11, caroline=11)) == "What did research?"


@pytest.mark.parametrize("question", [QUESTION, "Caroline", "Who is Caroline?"])
def test_if_all_of_its_words_are_common_the_whole_question_is_embedded(question):
    assert embedded(question, frequencies(caroline=90, research=90)) == question


@pytest.mark.parametrize("question", ["?", "who is it"])
def test_a_question_without_words_of_its_own_is_embedded_as_it_is(question):
    assert embedded(question, frequencies(chunks=0)) == question


def test_a_common_word_does_not_weigh():
    assert weights(QUESTION, frequencies(caroline=90, research=3)).keys() == {at("research")}


def test_a_common_word_weighs_where_no_chunk_holds_any_of_the_others():
    assert weights(QUESTION, frequencies(caroline=90)).keys() == {at("caroline"), at("research")}
    assert weights("Caroline", frequencies(caroline=90)).keys() == {at("caroline")}


# Weights


def test_the_rarer_a_word_the_more_it_weighs():
    found = weights("red fox", frequencies(red=20, fox=2))

    assert found == {at("red"): rarity(20, 100), at("fox"): rarity(2, 100)}
    assert found[at("fox")] > found[at("red")]


def test_what_a_word_weighs_depends_on_how_much_is_said():
    known = frequencies(chunks=1_000, counted=100, red=2, fox=1)
    found = weights("red fox", replace(known, said=50))

    assert found == {at("red"): rarity(20, 1_000, 0.5), at("fox"): rarity(10, 1_000, 0.5)}


def test_the_best_possible_chunk_holds_all_words_that_weigh_as_much_as_a_word_can():
    found = weighed(read("red fox", ENGLISH, TODAY), frequencies(red=20, fox=2))

    assert found.best == pytest.approx(ONCE * (rarity(20, 100) + rarity(2, 100)))


@given(
    question=st.text(max_size=60) | st.sampled_from([QUESTION, "red fox", "red caroline"]),
    chunks=st.integers(0, 10_000),
    share=st.floats(0, 1),
)
def test_a_question_can_always_be_divided_by_its_best_and_weighs_nothing_else_than_its_words(question, chunks, share):
    words = read(question, ENGLISH, TODAY)
    known = frequencies(chunks=chunks, caroline=round(share * chunks), red=min(chunks, 1))
    found = weighed(words, known)

    assert found.best > 0
    assert all(weight > 0 for weight in found.weights.values())
    assert set(found.rare) <= found.weights.keys() <= {dimension(word.text) for word in words.words}
    assert bool(found.rare) == bool(found.weights) == bool(words.words)


def test_a_question_says_its_words_and_what_in_it_may_be_a_label():
    found = weighed(read("Has Ann called?", ENGLISH, TODAY), frequencies())

    assert found.words == ["ann", "call"]
    assert {"ann", "has ann", "ann call"} <= set(found.labels)


def test_of_a_long_question_the_first_words_count():
    assert [word.text for word in read(" ".join(f"w{n}" for n in range(100)), ENGLISH, TODAY).words] == [
        f"w{n}" for n in range(64)
    ]


# The rarest words


@pytest.mark.parametrize(
    ("holding", "rare"),
    [
        ({"red": 150, "fox": 100, "hen": 250}, ["fox", "red", "hen"]),
        ({"red": 150, "fox": 100, "hen": 251}, ["fox", "red"]),
        ({"red": 5000, "fox": 4000, "hen": 4500}, ["fox"]),
        ({"red": 450, "fox": 100}, ["hen", "fox"]),
    ],
)
def test_the_rarest_words_are_looked_up_as_long_as_few_chunks_hold_one(holding, rare):
    found = weighed(read("red fox hen", ENGLISH, TODAY), frequencies(chunks=100_000, **holding))

    assert found.rare == [at(word) for word in rare]


@pytest.mark.parametrize(
    ("question", "whole"),
    [("fox hen", True), ("red hen", False), ("Caroline's fox", False), ("a hen of May 2023", False)],
)
def test_the_rarest_words_are_all_that_finds_a_chunk_where_none_is_frequent_and_no_day_is_asked_for(question, whole):
    known = frequencies(chunks=100_000, red=600, fox=2, caroline=90_000)

    assert weighed(read(question, ENGLISH, TODAY), known).whole is whole


def test_what_holds_a_part_that_was_in_no_chunk_when_words_were_counted_is_found_by_it():
    parts = "frontend/backend"
    found = weighed(read(parts, ENGLISH, TODAY), frequencies(chunks=100, frontend=1))

    assert {at("frontend"), at("backend"), at(parts)} <= found.weights.keys()
    assert found.best == pytest.approx(ONCE * (rarity(1, 100) + rarity(0, 100))), "but not missed where it is not held"
