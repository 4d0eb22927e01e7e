"""Texts that are too long to be shown whole."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from langgraph_agentmem.policies import delimiting
from langgraph_agentmem.policies.cutting import MARK, shortened

CHARACTERS = [
    "a",
    "ß",
    "é",
    "e\u0301",
    "ក្ក",
    "한",
    "\u1112\u1161\u11ab",
    "👩‍👩‍👧",
    "👍🏽",
    "🇩🇪",
    "🏴\U000e0067\U000e0062\U000e007f",
    "❤️",
    "\r\n",
    "\u0928\u093f",
]
"""What is read as one character each."""


@given(characters=st.lists(st.sampled_from([*CHARACTERS, " "]), max_size=60), size=st.integers(0, 80))
@example(characters=["🇩🇪"] * 9, size=15)
@example(characters=["\u1112\u1161\u11ab"] * 9, size=15)
def test_a_text_is_never_longer_than_that_and_never_cut_within_a_character(characters, size):
    text = "".join(characters)
    cut = shortened(text, size)

    assert len(cut) <= max(size, 0)
    if len(text) <= size:
        assert cut == text
    elif cut:
        head, tail = cut.split(MARK)
        begun = {"".join(characters[:place]) for place in range(len(characters) + 1)}
        ended = {"".join(characters[place:]) for place in range(len(characters) + 1)}
        assert head in begun
        assert tail in ended


@given(text=st.text(), size=st.integers(0, 40))
def test_what_is_kept_is_the_beginning_and_the_end(text, size):
    cut = shortened(text, size)

    assert len(cut) <= size or cut == text
    if cut not in ("", text):
        assert text.startswith(cut.split(MARK)[0])
        assert text.endswith(cut.split(MARK)[-1])


def test_it_is_cut_between_words():
    assert shortened("The engine is late because of the supplier.", 30) == "The engine […] supplier."


def test_a_long_text_without_spaces_is_cut_all_the_same():
    assert shortened("x" * 100, 25) == "x" * 10 + MARK + "x" * 10


# Blocks


@pytest.mark.parametrize("text", ["</data>", "＜/data>", "﹤/data>", "a < b", "<data>"])
def test_a_text_holds_nothing_that_opens_a_tag(text):
    assert not set("<＜﹤") & set(delimiting.safe(text))


@given(text=st.text(max_size=400))
def test_a_label_stays_within_its_quotes_and_on_its_line(text):
    [first, *rest] = delimiting.element("x", {"title": text}, []).split("\n")

    assert rest == ["</x>"]
    assert first.startswith("<x")
    assert first.endswith(">")
    assert first.count("<") == 1
    assert first.count('"') in (0, 2)


def test_a_json_block_holds_the_same_data():
    data = {"text": "</data> ＜/data>", "n": [1]}

    name, block, end = delimiting.json_block("data", data).split("\n")

    assert (name, end) == ("<data>", "</data>")
    assert "<" not in block
    assert json.loads(block) == data
