"""Which statements are about the same thing, and what is lost when one text takes the place of another."""

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from langgraph_agentmem.policies.chunking import statements
from langgraph_agentmem.policies.matching import (
    compare,
    lost_by,
    name_similarity,
    overlap_coefficient,
    survival,
    words,
)

THRESHOLD = 0.85
PARTS = st.sampled_from(
    ["Alice's phone is 555-1234.", "Bob's phone is 555-1234.", "- Deadline: Friday\n", "- Deadline: Monday\n", "# Plan\n",
     "The budget is 5000.", "Ship it", "Ship it!", "We chose PostgreSQL", " ", "\n", "x = 1", "…", "电话：123。", "1. first\n"]
)  # fmt: skip
TEXTS = st.one_of(st.text(max_size=60), st.lists(PARTS, max_size=6).map(" ".join))
NAMES = st.text(max_size=20)
TYPES = st.lists(
    st.sampled_from(["person", "Person", "PERSON", "engineer", "city", "Straße", "STRASSE", "team"]), max_size=5
)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("The deadline is Friday.", "The deadline is Monday."),
        ("- Deadline: Friday", "- Deadline: next Monday at the latest"),
        ("Alice lives in Paris.", "Alice lives in Berlin."),
        ("budget = 5000", "Budget = 12"),
        ("Alice's phone is 555-1234", "Alice's phone: 555-9999"),
        ("primary region -> eu-west-1", "primary region → us-east-2"),
        ("the server runs PostgreSQL 15", "A server runs PostgreSQL 18"),
        ("The primary database is PostgreSQL", "A primary database was what nobody wanted"),
    ],
)
def test_the_same_subject_with_another_value_is_replaced(old, new):
    match = compare(old, new, THRESHOLD)

    assert (match.replaced, match.leftover) == (1, "")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Alice's phone is 555-1234", "Bob's phone is 555-1234"),
        ("Alice's phone is 555-1234.", "Alicia's phone is 555-1234."),
        ("Phone of Alice: 555-1234", "Phone of Bob: 555-1234"),
        ("Server 1 is up", "Server 2 is up"),
        ("deadline of the importer = Friday", "deadline of the exporter = Friday"),
        ("The budget of 2024 was 5000", "The budget of 2025 was 5000"),
    ],
)
def test_different_subjects_are_never_replaced_however_close_the_wording(old, new):
    match = compare(old, new, THRESHOLD)

    assert (match.replaced, match.leftover, match.clear) == (0, old, True)
    assert lost_by(old, new) == old


@settings(max_examples=100, deadline=None)
@given(
    people=st.permutations(["Alice", "Alicia", "Bob", "Bobby", "the team", "Server 1", "Server 2"]),
    thing=st.sampled_from(["phone", "address", "favourite colour", "deadline"]),
    values=st.tuples(
        st.sampled_from(["555-1234", "blue", "Friday"]), st.sampled_from(["555-1234", "555-1235", "Friday"])
    ),
    verb=st.sampled_from([" is ", ": ", " = ", " was ", " has to be "]),
)
def test_one_subjects_facts_never_replace_anothers(people, thing, values, verb):
    old = f"{people[0]}'s {thing}{verb}{values[0]}"

    match = compare(old, f"{people[1]}'s {thing}{verb}{values[1]}", THRESHOLD)

    assert (match.replaced, match.clear) == (0, True)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("See https://docs.example/install", "See https://status.example/incidents/today"),
        ("Meet at 9:30 in the blue room", "Meet at 9:45 with the board of directors"),
    ],
)
def test_the_colon_of_an_address_or_a_time_ends_no_subject(old, new):
    assert compare(old, new, THRESHOLD).replaced == 0


def test_similar_wording_is_replaced_where_no_subject_is_known():
    match = compare("Ship the importer before the release", "Ship the importer after the release", THRESHOLD)

    assert (match.replaced, match.clear) == (1, True)


def test_statements_that_begin_differently_are_not_the_same_statement():
    match = compare("Install the importer on the server", "Uninstall the importer on the server", THRESHOLD)

    assert match.replaced == 0
    assert not match.clear


def test_statements_that_nothing_replaces_are_left_over():
    old = "- Deadline: Friday\n- Budget: 5000\n- Owner: Alice"

    match = compare(old, "- Deadline: Monday\n- Owner: Bob", THRESHOLD)

    assert (match.replaced, match.leftover) == (2, "Budget: 5000")


def test_an_equal_statement_is_clear_and_leaves_nothing_over():
    match = compare("- Deadline: Friday", "Deadline:  Friday", THRESHOLD)

    assert (match.similarity, match.replaced, match.leftover, match.clear) == (1.0, 1, "", True)


def test_the_same_subject_with_quite_different_words_is_not_clear():
    assert not compare("Deadline: Friday", "Deadline: when the moon is full", THRESHOLD).clear


def test_statements_that_have_nothing_in_common_are_clear():
    match = compare("Berlin is sunny", "Nobody wants cold tea", THRESHOLD)

    assert (match.replaced, match.clear) == (0, True)
    assert match.similarity < 0.5


@pytest.mark.parametrize("new", ["", "# Only a heading\n", "  \n"])
def test_a_text_without_statements_replaces_nothing(new):
    match = compare("Deadline: Friday", new, THRESHOLD)

    assert (match.replaced, match.leftover) == (0, "Deadline: Friday")


@settings(max_examples=150, deadline=None)
@given(old=TEXTS, new=TEXTS, threshold=st.floats(0.5, 1))
def test_every_statement_is_either_replaced_or_left_over(old, new, threshold):
    match = compare(old, new, threshold)
    leftover = match.leftover.split("\n") if match.leftover else []

    assert match.replaced + len(leftover) == len(statements(old))
    assert set(leftover) <= set(statements(old))
    assert 0 <= match.similarity <= 1


@settings(max_examples=100, deadline=None)
@given(text=TEXTS)
def test_a_text_replaces_itself_as_a_whole(text):
    match = compare(text, text, THRESHOLD)

    assert (match.leftover, match.clear) == ("", True)
    assert match.replaced == len(statements(text))


@settings(max_examples=100, deadline=None)
@given(text=TEXTS, more=TEXTS)
def test_nothing_is_lost_by_a_text_that_says_all_of_it_and_everything_by_an_empty_one(text, more):
    assume("```" not in text)
    assume("~~~" not in text)

    assert lost_by(text, f"{text}\n\n{more}") == ""
    assert lost_by(text, "") == "\n".join(statements(text))


def test_what_is_lost_are_the_statements_that_have_nothing_to_do_with_the_new_text():
    old = "Deadline: Friday\nBudget: 5000\nShip the importer"

    assert lost_by(old, "Deadline: unknown\nShip the new importer") == "Budget: 5000"


@settings(max_examples=150, deadline=None)
@given(a=NAMES, b=NAMES)
def test_similarity_of_names_is_a_symmetric_share(a, b):
    assert 0 <= name_similarity(a, b) <= 1
    assert name_similarity(a, b) == name_similarity(b, a)


@settings(max_examples=100, deadline=None)
@given(name=st.text(min_size=1, max_size=20))
def test_a_name_is_wholly_similar_to_itself_in_any_case(name):
    assert name_similarity(name, name) == 1.0
    assert name_similarity(name, name.casefold()) == 1.0


def test_close_names_are_more_similar_than_distant_ones():
    assert name_similarity("Alice Smith", "Alice Smyth") > 0.85
    assert name_similarity("Alice Smith", "Bob Jones") < 0.5
    assert name_similarity("abc", "xyz") == 0.0


@settings(max_examples=150, deadline=None)
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


@settings(max_examples=150, deadline=None)
@given(sources=st.lists(TEXTS, max_size=4))
def test_everything_survives_in_a_text_that_holds_all_sources(sources):
    assert survival(sources, "\n".join(sources)) == 1.0


@settings(max_examples=150, deadline=None)
@given(source=TEXTS, number=st.integers(0, 10**9))
def test_dropping_a_number_lowers_the_share_that_survives(source, number):
    assume(str(number) not in words(source))

    assert survival([f"{source}\n{number}"], source) < 1.0
    assert survival([f"{source}\n{number}"], f"{number}\n{source}") == 1.0


@settings(max_examples=150, deadline=None)
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


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("User likes tea", "User has a dog"),
        ("We will hire Bob", "We will move to Berlin"),
        ("There is a lake", "There are mountains"),
        ("It was sunny", "It was Bob who called"),
        ("Alice lives in Paris", "alice has moved to New York City"),
    ],
)
def test_a_subject_alone_replaces_nothing_without_its_verb(old, new):
    assert compare(old, new, THRESHOLD).replaced == 0


@pytest.mark.parametrize(
    ("old", "new"), [("Invoice 1041 paid", "Invoice 1042 paid"), ("Met Alice Monday", "Met Alicia Monday")]
)
def test_what_differs_in_a_number_or_a_name_is_not_clear(old, new):
    assert not compare(old, new, 0.8).clear


def test_a_merged_text_that_drops_a_number_does_not_survive():
    words = "the quick brown fox jumps over the lazy dog and then pays all of it"

    assert survival([f"{words} 4711"], words) == 0
