"""Batches of section edits: what is accepted, what an edit does, and what is refused with which words."""

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from langgraph_agentmem.errors import ContentMismatchError, InvalidInputError, InvalidTextError
from langgraph_agentmem.models.active import SectionUpdate
from langgraph_agentmem.policies.editing import edited, read_updates

LIMIT = 1_000
TEXT = st.text(st.sampled_from("ab \n"), max_size=12)


def update(new: str, old: str | None = None, action: str = "replace") -> SectionUpdate:
    return SectionUpdate(section_id="plan", new_content=new, old_content=old, action=action)


# Reading a batch


def test_edits_are_read_from_dicts_and_models_alike():
    as_dict = {
        "section_id": "plan", "new_content": "b", "old_content": "a", "action": "insert", "expected_revision": 3,
    }  # fmt: skip

    assert read_updates([as_dict], limit=LIMIT) == read_updates([SectionUpdate(**as_dict)], limit=LIMIT)
    assert read_updates((as_dict,), limit=LIMIT) == [SectionUpdate(**as_dict)]


def test_an_edit_replaces_the_whole_section_unless_it_says_otherwise():
    (read,) = read_updates([{"section_id": "plan", "new_content": "b"}], limit=LIMIT)

    assert (read.action, read.old_content, read.expected_revision) == ("replace", None, None)


def test_a_revision_may_come_from_an_array():
    edit = {"section_id": "plan", "new_content": "b", "expected_revision": numpy.int64(3)}

    (read,) = read_updates([edit], limit=LIMIT)

    assert (type(read.expected_revision), read.expected_revision) == (int, 3)


def test_a_batch_keeps_its_order():
    batch = [{"section_id": id, "new_content": id} for id in ("c", "a", "b")]

    assert [read.section_id for read in read_updates(batch, limit=LIMIT)] == ["c", "a", "b"]


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ("plan", "sections must be a list of edits like .*section_id.*, not str"),
        ({"section_id": "plan", "new_content": "b"}, "sections must be a list of edits .*, not dict"),
        (None, "sections must be a list of edits .*, not NoneType"),
        (5, "sections must be a list of edits .*, not int"),
        ({"plan"}, "sections must be a list of edits .*, not set"),
        ([], "sections is empty; give at least one edit like .*section_id"),
        (["plan"], r"sections\[0\] must be a dict like .*section_id.*, not str"),
        ([None], r"sections\[0\] must be a dict like .*, not NoneType"),
        ([{"section_id": "plan", "new_content": "b"}, 7], r"sections\[1\] must be a dict like .*, not int"),
        ([{"section_id": "plan"}], r"sections\[0\] is malformed: new_content: Field required"),
        ([{"new_content": "b"}], r"sections\[0\] is malformed: section_id: Field required"),
        ([{"section_id": 5, "new_content": "b"}], r"sections\[0\] is malformed: section_id: .*string"),
        ([{"section_id": "plan", "new_content": None}], r"sections\[0\] is malformed: new_content: .*string"),
        ([{"section_id": "plan", "new_content": ["b"]}], r"sections\[0\] is malformed: new_content: .*string"),
        ([{"section_id": "plan", "new_content": b"b"}], r"sections\[0\] is malformed: new_content: .*string"),
        ([{"section_id": "plan", "new_content": "b", "old_content": 5}], r"sections\[0\] is malformed: old_content: .*string"),
        ([{"section_id": "plan", "new_content": "b", "action": "append"}], r"malformed: action: .*'replace' or 'insert'"),
        ([{"section_id": "plan", "new_content": "b", "expected_revision": "1"}], r"malformed: expected_revision: .*integer"),
        ([{"section_id": "plan", "new_content": "b", "expected_revision": True}], r"malformed: expected_revision: .*integer"),
        ([{"section_id": "", "new_content": "b"}], "section_id must not be empty"),
        ([{"section_id": " \n", "new_content": "b"}], "section_id must not be empty"),
        ([{"section_id": id, "new_content": id} for id in ("a", "b", "c", "b", "a")], "each section once.*: 'a', 'b'$"),
    ],
)  # fmt: skip
def test_a_malformed_batch_is_refused_with_what_would_be_right(batch, message):
    with pytest.raises(InvalidInputError, match=message):
        read_updates(batch, limit=LIMIT)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ({"section_id": "pl\0an", "new_content": "b"}, "section_id holds a NUL character at position 2"),
        ({"section_id": "p" * 801, "new_content": "b"}, "section_id has 801 bytes in UTF-8; the limit is 800"),
        ({"section_id": "plan", "new_content": "a\0"}, "new_content of section 'plan' holds a NUL character at position 1"),
        ({"section_id": "plan", "new_content": "b", "old_content": "\0"}, "old_content of section 'plan' holds a NUL"),
        ({"section_id": "plan", "new_content": "x" * 1001}, "new_content of section 'plan' has 1,001 characters; the limit is 1,000"),
        ({"section_id": "plan", "new_content": "", "old_content": "x" * 1001}, "old_content of section 'plan' has 1,001"),
    ],
)  # fmt: skip
def test_an_edit_with_a_text_that_cannot_be_stored_is_refused(edit, message):
    with pytest.raises(InvalidTextError, match=message):
        read_updates([edit], limit=LIMIT)


@pytest.mark.parametrize("field", ["section_id", "new_content", "old_content"])
def test_an_edit_with_a_lone_surrogate_is_refused(field):
    edit = {"section_id": "plan", "new_content": "b", "old_content": "a", field: "a\ud800"}

    with pytest.raises(InvalidInputError, match=f"{field}.*surrogate"):
        read_updates([edit], limit=LIMIT)


def test_a_model_is_checked_like_a_dict():
    with pytest.raises(InvalidTextError, match="NUL"):
        read_updates([update("\0")], limit=LIMIT)


# Carrying out an edit


@given(content=TEXT, new=TEXT)
def test_without_an_excerpt_the_whole_section_is_replaced(content, new):
    assert edited(content, update(new), limit=LIMIT) == new


@given(before=TEXT, old=st.text(st.sampled_from("xyz"), min_size=1, max_size=4), after=TEXT, new=TEXT)
def test_an_excerpt_that_occurs_once_is_replaced_or_extended_where_it_stands(before, old, after, new):
    content = before + old + after

    assert edited(content, update(new, old), limit=LIMIT) == before + new + after
    assert edited(content, update(new, old, "insert"), limit=LIMIT) == before + old + new + after


@pytest.mark.parametrize(
    ("content", "result"),
    [("", "new"), ("first", "first\nnew"), ("first\n", "first\nnew"), ("first\n\n", "first\n\nnew")],
)
def test_an_insertion_without_an_excerpt_goes_on_a_new_line_at_the_end(content, result):
    assert edited(content, update("new", action="insert"), limit=LIMIT) == result


def test_replacing_an_excerpt_by_nothing_takes_it_out():
    assert edited("one two three", update("", " two"), limit=LIMIT) == "one three"


def test_an_excerpt_that_does_not_occur_is_refused_with_both_texts():
    with pytest.raises(ContentMismatchError) as refused:
        edited("Deadline: Friday", update("b", "Deadline: Monday"), limit=LIMIT)

    message = str(refused.value)
    assert "'Deadline: Monday' does not occur in section 'plan'" in message
    assert "exactly once" in message
    assert "'Deadline: Friday'" in message


@pytest.mark.parametrize("action", ["replace", "insert"])
def test_an_excerpt_that_occurs_more_than_once_is_refused(action):
    with pytest.raises(
        ContentMismatchError, match=r"'a' occurs (more than once|3 times) in section 'plan'; .*exactly once"
    ):
        edited("a b a b a", update("c", "a", action), limit=LIMIT)


@pytest.mark.parametrize(("content", "old"), [("aaa", "aa"), ("\n\n\n", "\n\n"), ("- a\n- a\n- a\n", "- a\n- a\n")])
def test_an_excerpt_that_occurs_twice_in_overlap_does_not_occur_exactly_once(content, old):
    with pytest.raises(ContentMismatchError, match="exactly once"):
        edited(content, update("b", old), limit=LIMIT)


def test_an_excerpt_as_long_as_half_of_a_long_text_is_looked_for_once_not_at_every_character():
    # nobody would wait for what is compared five hundred thousand times
    with pytest.raises(ContentMismatchError, match="exactly once"):
        edited("a" * 1_000_000, update("b", "a" * 500_000), limit=2_000_000)


def test_long_texts_are_shown_shortened_in_a_refusal():
    with pytest.raises(ContentMismatchError) as refused:
        edited("x" * 5_000, update("b", "y" * 900), limit=LIMIT)

    assert len(str(refused.value)) < 700


def test_a_section_may_grow_up_to_the_limit_and_no_further():
    assert len(edited("x" * 500, update("y" * 499, action="insert"), limit=LIMIT)) == LIMIT
    with pytest.raises(InvalidTextError, match=r"section 'plan' would have 1,001 characters; the limit is 1,000"):
        edited("x" * 500, update("y" * 500, action="insert"), limit=LIMIT)
