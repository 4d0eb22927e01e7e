"""The lines between which a piece of a text stood."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langgraph_agentmem.policies.surroundings import LONGEST, line_after, line_before


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        ("one\ntwo\n", "\nthree\nfour", ("two", "three")),
        ("one\n\n\n  - two  \n\n    ", "\n\n \n  three", ("- two", "three")),
        ("one\nFirst sentence. ", " Last sentence.\nfour", ("First sentence.", "Last sentence.")),
        ("", "", ("", "")),
        ("\n \n", "\n", ("", "")),
    ],
)
def test_they_are_the_nearest_lines_that_say_anything(before: str, after: str, lines: tuple[str, str]) -> None:
    assert (line_before(before), line_after(after)) == lines


def test_of_a_long_line_what_is_nearest_is_kept() -> None:
    before, after = line_before("far " * 99 + "near"), line_after("near" + " far" * 99)
    assert before.startswith("…")
    assert before.endswith("near")
    assert after.startswith("near")
    assert after.endswith("…")


@given(st.text(max_size=3 * LONGEST))
def test_they_are_never_long_and_never_two_lines(text: str) -> None:
    for line in (line_before(text), line_after(text)):
        assert len(line) <= LONGEST
        assert "\n" not in line
