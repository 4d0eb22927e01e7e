"""What `benchmarks/conflicts.py` counts as right and wrong."""

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
import judging
from judging import Chunk, Pair, holds, words

PAIRS = judging.pairs()


def chunk(id: int, content: str, *, valid: bool = True, run: bool = False, **metadata: Any) -> Chunk:
    return Chunk(id, content, metadata, run, valid)


def outcomes(pair: Pair, *chunks: Chunk, flagged: set[int] | None = None) -> list[str]:
    [case] = judging.cases(pair, ["replaced"])
    return [verdict.outcome for verdict in judging.judged(case, chunks, flagged or set())]


def single(right: judging.Right, old: str, new: str) -> Pair:
    return judging.with_statements(Pair("k-1", "k", right, old, new))


CORRECTION = single("plain", "Doctor: Dr. Smith", "Doctor: Dr. Jones")
ADDITION = single("keep", "Ada likes tea.", "Ada likes tea and coffee.")
RECORDS = Pair(
    "k-2",
    "k",
    "parts",
    "- Ada: 111\n- Bob: 222",
    "- Bob: 444",
    ends=("Bob 222",),
    stays=("Ada 111",),
    reads=("Bob 444",),
)


@pytest.mark.parametrize(
    ("chunks", "flagged", "outcome"),
    [
        ([chunk(1, "Doctor: Dr. Smith", valid=False)], set(), "ended"),
        ([chunk(1, "Doctor: Dr. Smith")], set(), "missed"),
        ([chunk(1, "Doctor: Dr. Smith")], {1}, "flagged"),
        ([chunk(1, "Doctor: Dr. Smith", valid=False)], {1}, "ended"),
        ([chunk(1, "Doctor: Dr. Smith", valid=False), chunk(3, "Smith", run=True)], set(), "torn"),
    ],
)
def test_a_correction_is_ended_flagged_missed_or_leaves_a_fragment(
    chunks: list[Chunk], flagged: set[int], outcome: str
) -> None:
    assert outcomes(CORRECTION, *chunks, chunk(2, "Doctor: Dr. Jones"), flagged=flagged) == [outcome]


@pytest.mark.parametrize(
    ("valid", "new", "outcome"),
    [
        (True, "Ada likes coffee.", "kept"),
        (False, "Ada likes coffee.", "lost"),
        (False, "Ada likes tea and coffee.", "kept"),  # the new text says it again
    ],
)
def test_an_addition_is_lost_where_nothing_says_the_first_any_more(valid: bool, new: str, outcome: str) -> None:
    assert outcomes(ADDITION, chunk(1, "Ada likes tea.", valid=valid), chunk(2, new)) == [outcome]


def test_a_new_text_must_not_be_ended() -> None:
    chunks = chunk(1, "Ada likes tea."), chunk(2, "Ada likes coffee.", valid=False)
    assert outcomes(ADDITION, *chunks) == ["kept", "lost"]


def test_statements_of_a_list_are_judged_one_by_one() -> None:
    ended, new = chunk(2, "- Bob: 222", valid=False), chunk(3, "- Bob: 444")
    assert outcomes(RECORDS, chunk(1, "- Ada: 111"), ended, new) == ["ended", "kept", "kept"]
    assert outcomes(RECORDS, chunk(1, "- Ada: 111", valid=False), ended, new) == ["ended", "lost", "kept"]


def test_what_a_line_belongs_to_stands_beside_it_or_in_its_metadata() -> None:
    ended = chunk(2, "222", valid=False, path=["Bob"])
    with_parents = [chunk(1, "111", path=["Ada"]), chunk(3, "444", path=["Bob"])]
    assert outcomes(RECORDS, *with_parents, ended) == ["ended", "kept", "kept"]
    assert outcomes(RECORDS, chunk(1, "111"), chunk(3, "444"), ended) == ["ended", "parted", "parted"]


def test_a_rest_that_says_what_stays_is_no_fragment() -> None:
    paragraph = chunk(1, "- Ada: 111\n- Bob: 222", valid=False)
    assert outcomes(RECORDS, paragraph, chunk(3, "- Ada: 111", run=True), chunk(2, "- Bob: 444")) == [
        "ended",
        "kept",
        "kept",
    ]


def test_pairs_are_written_in_the_ways_that_make_sense() -> None:
    assert [case.way for case in judging.cases(CORRECTION, ["replaced", "appended", "said"])] == [
        "replaced", "appended", "said",
    ]  # fmt: skip
    assert [case.way for case in judging.cases(RECORDS, ["replaced", "appended", "said"])] == ["replaced"]
    appended, said = judging.cases(ADDITION, ["appended", "said"])
    assert appended.written == "Ada likes tea.\nAda likes tea and coffee."
    assert (said.old, said.written) == ("User: Ada likes tea.", "User: Ada likes tea and coffee.")
    assert said.pair.stays == ("User: Ada likes tea.",)


def test_there_are_enough_pairs_of_every_sort() -> None:
    assert len({(pair.old, pair.new) for pair in PAIRS}) == len(PAIRS) >= 400
    assert sum(pair.right == "plain" for pair in PAIRS) >= 60
    assert sum(pair.right == "unrelated" for pair in PAIRS) >= 100
    assert len({pair.kind for pair in PAIRS}) == 11


def test_a_pair_names_statements_of_its_own() -> None:
    for pair in PAIRS:
        assert pair.old != pair.new, pair
        assert pair.ends or pair.stays, pair
        assert all(holds(words(pair.old), words(statement)) for statement in pair.ends + pair.stays), pair
        assert all(holds(words(pair.new), words(statement)) for statement in pair.reads), pair
