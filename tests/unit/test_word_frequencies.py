"""How frequent a query's words are, as far as the database's statistics know."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langgraph_agentmem.resources import WordFrequencies

CHUNKS = {"memori": 900, "run": 400, "happi": 100, "ox": 80}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("memory", {"memori": 900}),
        ("Memories, MEMORIES!", {"memori": 900}),
        ("running", {"run": 400}),
        ("happy ox", {"happi": 100, "ox": 80}),
        ("memo", {}),
        ("", {}),
        ("r o", {}),
    ],
)
def test_words_are_found_by_their_beginnings_as_stemming_changes_their_ends(text, found):
    assert WordFrequencies(CHUNKS).of(text) == found


def test_any_other_word_is_taken_for_half_as_frequent_as_the_rarest_known_one():
    assert WordFrequencies(CHUNKS).rare == 40
    assert WordFrequencies({"a": 1}).rare == 1
    assert WordFrequencies({}).rare == 1


def test_what_was_never_looked_up_is_old_and_what_was_is_not_until_five_minutes_later():
    now = time.monotonic()

    assert WordFrequencies().old
    assert not WordFrequencies({}).old
    assert not WordFrequencies({}, at=now - 290).old
    assert WordFrequencies({}, at=now - 310).old


@settings(max_examples=50, deadline=None)
@given(
    known=st.dictionaries(st.text("abc", min_size=1, max_size=4), st.integers(1, 99), max_size=8), text=st.text("abc ")
)
def test_a_word_that_is_known_as_it_stands_is_always_found(known, text):
    found = WordFrequencies(known).of(text)

    assert found.items() <= known.items()
    assert {word for word in text.split() if word in known and len(word) > 1} <= found.keys()
