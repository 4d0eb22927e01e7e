"""Which statements are about the same thing, and what is lost when one text takes the place of another."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from langgraph_agentmem.models.conflict import ConflictChunk
from langgraph_agentmem.policies.matching import compare as match_of
from langgraph_agentmem.policies.matching import (
    lost_by,
    name_similarity,
    overlap_coefficient,
    section_form,
    survival,
    words,
)
from langgraph_agentmem.policies.statements import statements

PARTS = st.sampled_from(
    ["Alice's phone is 555-1234.", "Bob's phone is 555-1234.", "- Deadline: Friday\n", "- Deadline: Monday\n", "# Plan\n",
     "The budget is 5000.", "Ship it", "Ship it!", "We chose PostgreSQL", " ", "\n", "x = 1", "…", "电话：123。", "1. first\n"]
)  # fmt: skip
TEXTS = st.one_of(st.text(max_size=60), st.lists(PARTS, max_size=6).map(" ".join))
NAMES = st.text(max_size=20)
TYPES = st.lists(
    st.sampled_from(["person", "Person", "PERSON", "engineer", "city", "Straße", "STRASSE", "team"]), max_size=5
)


def compare(old: str, new: str, precision: float = 0.98):
    return match_of(ConflictChunk(id=1, content=old), ConflictChunk(id=2, content=new), precision)


def test_statements_that_nothing_replaces_are_left_over():
    match = compare("- Deadline: Friday\n- Budget: 5000\n- Owner: Alice", "- Deadline: Monday\n- Owner: Bob")

    assert (match.replaced, match.unclear, match.leftover) == (2, 0, "Budget: 5000")


def test_an_equal_statement_leaves_nothing_over():
    match = compare("- Deadline: Friday", "Deadline:  Friday")

    assert (match.similarity, match.replaced, match.leftover, match.rule) == (1.0, 1, "", "restated")


def test_what_is_partly_said_again_replaces_nothing():
    assert compare("Ship the importer\nCall Bob", "Call Bob\nBuy milk").replaced == 0


def test_what_no_rule_is_sure_of_stays_and_is_unclear():
    match = compare("We use Postgres", "We use MySQL")

    assert (match.replaced, match.unclear, match.leftover) == (0, 1, "We use Postgres")
    assert compare("We use Postgres", "We use MySQL", precision=0.7).replaced == 1


def test_a_rule_is_followed_only_as_far_as_it_is_precise_enough():
    assert compare("Budget: 5000", "Budget: 6000", precision=0.98).replaced == 1
    assert compare("Budget: 5000", "Budget: 6000", precision=1).replaced == 0
    assert compare("Budget: 5000", "Budget: 6000", precision=1).unclear == 1
    assert compare("Budget: 5000", "budget: 5000", precision=1).replaced == 1


def test_what_stands_before_several_values_is_no_key():
    new = [ConflictChunk(id=2, content="Ada: Rome"), ConflictChunk(id=3, content="Ada: 17")]

    it = section_form(new)

    assert (it.speakers, it.spoken) == ({("ada",)}, True)
    assert match_of(ConflictChunk(id=1, content="Ada: 16"), new[1], 0.98).replaced == 1
    assert match_of(ConflictChunk(id=1, content="Ada: 16"), new[1], 0.98, it).replaced == 0


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Ann: Keep up the awesome work!", "Ben: Keep up the good work!"),
        ("Jon: Definitely!", "Jon: Thanks, Ben!"),
        ("Ben: Sure thing!", "Ben: Definitely!"),
        ("(4:04 pm on 20 January, 2023) Ann: Hey Ben!", "(7:10 pm on 9 May, 2023) Ann: Hey Ben!"),
        ("User: Wow, Maria, that is great!", "User: Wow, Maria!"),
        (
            "Ann: Look! [a photo of a group of people sitting around a table]",
            "Ann: See? [a photo of a group of people standing at a table]",
        ),
    ],
)
def test_what_people_say_alike_is_no_correction_in_a_conversation(old: str, new: str):
    talk = [new, "Ann: I see.", "User: I see.", "Ben: I see.", "Jon: I see.", "(9 May 2026) Ann: Right."]
    chunks = [ConflictChunk(id=2 + place, content=content) for place, content in enumerate(talk)]
    told = ConflictChunk(id=1, content=old)

    assert section_form(chunks).spoken
    assert match_of(told, chunks[0], 0.98, section_form(chunks)).unclear == 0
    assert match_of(told, chunks[0], 0.98).unclear > 0, "as a note, it may be a new version"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("User: My status is open because of the rain.", "User: My status is closed with the rain gone."),
        ("Ann: My deadline was Friday.", "Ann: My deadline is Monday."),
        ("Ann: My phone number is maybe 555-1234.", "Ann: My phone number is 555-9876."),
    ],
)
def test_what_may_be_a_correction_is_one_in_a_conversation_too(old: str, new: str):
    speaker = new.partition(" ")[0]
    chunks = [ConflictChunk(id=2, content=new), ConflictChunk(id=3, content=f"{speaker} It is warm there.")]

    assert section_form(chunks).spoken
    assert match_of(ConflictChunk(id=1, content=old), chunks[0], 0.98, section_form(chunks)).unclear > 0


@pytest.mark.parametrize(
    "talk", [["Ann: Yes.", "Ben: No."], ["Plan", "Ann: Yes.", "Ann: No."], ["TODO: a", "TODO: b"], []]
)
def test_other_texts_are_no_conversation(talk: list[str]):
    assert not section_form([ConflictChunk(id=place, content=content) for place, content in enumerate(talk)]).spoken


@pytest.mark.parametrize("new", ["", "# Only a heading\n", "  \n"])
def test_a_text_without_statements_replaces_nothing(new):
    match = compare("Deadline: Friday", new)

    assert (match.replaced, match.leftover) == (0, "Deadline: Friday")


@given(old=TEXTS, new=TEXTS, precision=st.floats(0.5, 1))
def test_every_statement_is_either_replaced_or_left_over(old, new, precision):
    match = compare(old, new, precision)
    leftover = match.leftover.split("\n") if match.leftover else []

    assert set(leftover) <= set(statements(old))
    assert match.replaced in {0, len(statements(old)) - len(leftover)}
    assert match.unclear <= len(leftover)
    assert 0 <= match.similarity <= 1


@given(text=TEXTS)
def test_a_text_replaces_itself_as_a_whole(text):
    match = compare(text, text)

    assert (match.leftover, match.unclear) == ("", 0)
    assert match.replaced == len(statements(text))


@given(text=TEXTS, more=TEXTS)
def test_nothing_is_lost_by_a_text_that_says_all_of_it_and_everything_by_an_empty_one(text, more):
    assume("```" not in text)
    assume("~~~" not in text)

    assert lost_by(text, f"{text}\n\n{more}") == ""
    assert lost_by(text, "") == "\n".join(statements(text))


def test_what_is_lost_are_the_statements_that_have_nothing_to_do_with_the_new_text():
    old = "Deadline: Friday\nBudget: 5000\nShip the importer"

    assert lost_by(old, "Deadline: unknown\nShip the new importer") == "Budget: 5000"


@given(a=NAMES, b=NAMES)
def test_similarity_of_names_is_a_symmetric_share(a, b):
    assert 0 <= name_similarity(a, b) <= 1
    assert name_similarity(a, b) == name_similarity(b, a)


@given(name=st.text(min_size=1, max_size=20))
def test_a_name_is_wholly_similar_to_itself_in_any_case(name):
    assert name_similarity(name, name) == 1.0
    assert name_similarity(name, name.casefold()) == 1.0


def test_close_names_are_more_similar_than_distant_ones():
    assert name_similarity("Alice Smith", "Alice Smyth") > 0.85
    assert name_similarity("Alice Smith", "Bob Jones") < 0.5
    assert name_similarity("abc", "xyz") == 0.0


@given(a=TYPES, b=TYPES)
def test_overlap_of_types_is_a_symmetric_share_that_ignores_case(a, b):
    overlap = overlap_coefficient(a, b)

    assert 0 <= overlap <= 1
    assert overlap == overlap_coefficient(b, a)
    assert overlap == overlap_coefficient([t.upper() for t in a], [t.lower() for t in b])
    assert overlap_coefficient(a, a) == 1.0
    assert overlap_coefficient(a, a + b) == 1.0


@pytest.mark.parametrize(
    ("a", "b", "overlap"),
    [
        (["person"], ["Person", "engineer"], 1.0),
        (["person", "engineer"], ["person", "manager"], 0.5),
        (["person", "engineer", "author"], ["person", "author", "cook", "poet"], 2 / 3),
        (["person"], ["city"], 0.0),
        ([], ["city"], 1.0),
        ([], [], 1.0),
        (["person", "PERSON"], ["person", "city"], 1.0),
    ],
)
def test_the_overlap_coefficient_is_the_common_share_of_the_smaller_set(a, b, overlap):
    assert overlap_coefficient(a, b) == pytest.approx(overlap)


@given(sources=st.lists(TEXTS, max_size=4))
def test_everything_survives_in_a_text_that_holds_all_sources(sources):
    assert survival(sources, "\n".join(sources)) == 1.0


@given(source=TEXTS, number=st.integers(0, 10**9))
def test_dropping_a_number_lowers_the_share_that_survives(source, number):
    assume(str(number) not in words(source))

    assert survival([f"{source}\n{number}"], source) < 1.0
    assert survival([f"{source}\n{number}"], f"{number}\n{source}") == 1.0


@given(sources=st.lists(TEXTS, max_size=3), merged=TEXTS, more=TEXTS)
def test_survival_is_a_share_that_more_text_never_lowers(sources, merged, more):
    share = survival(sources, merged)

    assert 0 <= share <= survival(sources, f"{merged}\n{more}") <= 1


@pytest.mark.parametrize(
    ("sources", "merged", "share"),
    [
        (["Alice has 3 cats"], "alice has 3", 0.75),
        (["Alice has 3 cats"], "alice HAS cats", 0.0),
        (["Alice has 3 cats", "Bob has 3 dogs"], "Alice has 3 cats", 2 / 4),
        (["costs 1,500.00 on 2025-01-02"], "costs 1500 on 2025-01-02", 1 / 2),
        (["Version 1.2"], "Version 1 and 2", 0.0),
        (["!?"], "anything", 1.0),
        ([], "", 1.0),
    ],
)
def test_survival_counts_the_distinct_words_and_whole_numbers_of_the_source_that_fares_worst(sources, merged, share):
    assert survival(sources, merged) == pytest.approx(share)


def test_a_merged_text_that_drops_a_number_does_not_survive():
    words = "the quick brown fox jumps over the lazy dog and then pays all of it"

    assert survival([f"{words} 4711"], words) == 0
