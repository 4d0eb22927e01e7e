"""What callers pass is checked before anything is written, and a refusal names the value and what would be right."""

import json
import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from langgraph_agentmem.errors import InvalidInputError, InvalidTextError
from langgraph_agentmem.policies import validation

RUN = "0191d3b4-6b1e-7c3a-9c50-000000000001"
STORABLE = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
ANY = st.characters(categories=["L", "N", "P", "S", "Z", "C"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(ANY, max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(ANY, max_size=4), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


# Texts


@given(text=st.text(STORABLE, max_size=40))
def test_a_text_that_postgresql_can_hold_is_returned_as_it_is(text):
    assert validation.text(text, "content") == text


@given(before=st.text(STORABLE, max_size=20), after=st.text(STORABLE, max_size=20))
def test_a_nul_is_refused_wherever_it_stands(before, after):
    with pytest.raises(InvalidTextError, match=rf"^content holds a NUL character at position {len(before)}, which"):
        validation.text(f"{before}\0{after}", "content")


@given(before=st.text(STORABLE, max_size=20), surrogate=st.characters(categories=["Cs"]))
def test_a_lone_surrogate_is_refused_wherever_it_stands(before, surrogate):
    with pytest.raises(InvalidTextError) as refused:
        validation.text(f"{before}{surrogate}!", "content")

    assert f"a lone surrogate ({surrogate!r}) at position {len(before)}" in str(refused.value)


@pytest.mark.parametrize("value", [None, 5, b"bytes", ["list"], True])
def test_what_is_no_string_is_refused_as_a_text(value):
    with pytest.raises(InvalidInputError) as refused:
        validation.text(value, "content")

    assert str(refused.value) == f"content must be a string, not {type(value).__name__} ({value!r})"


def test_a_text_may_be_as_long_as_the_limit_and_no_longer():
    assert validation.text("x" * 1500, "content", limit=1500) == "x" * 1500
    with pytest.raises(InvalidTextError, match=r"^content has 1,501 characters; the limit is 1,500$"):
        validation.text("x" * 1501, "content", limit=1500)


def test_a_long_value_is_shown_shortened():
    with pytest.raises(InvalidInputError) as refused:
        validation.text(["x" * 1000], "content")

    assert len(str(refused.value)) < 200


# Names and tenants


@pytest.mark.parametrize("value", ["", " ", "\t\n", "\u00a0"])
def test_an_empty_or_blank_name_is_refused(value):
    with pytest.raises(InvalidInputError, match=r"^title must not be empty$"):
        validation.name(value, "title")


@pytest.mark.parametrize("letter", ["x", "é", "日", "😀"])
def test_a_name_may_have_800_bytes(letter):
    longest = letter * (800 // len(letter.encode()))

    assert validation.name(longest, "title") == longest
    with pytest.raises(InvalidTextError, match=r"^title has 80\d bytes in UTF-8; the limit is 800$"):
        validation.name(longest + letter, "title")


@pytest.mark.parametrize(
    ("value", "tenant"), [("acme", "acme"), (" spaced ", " spaced "), (42, "42"), (UUID(RUN), RUN), ("日本", "日本")]
)
def test_a_tenant_is_a_name_a_uuid_or_an_integer(value, tenant):
    assert validation.tenant(value) == tenant


@pytest.mark.parametrize("value", [None, "", "  ", True, 1.5, b"acme", ["acme"], "a\0b", "\ud800", "x" * 801])
def test_what_is_no_tenant_is_refused_by_name(value):
    with pytest.raises(InvalidInputError, match=r"^external_id "):
        validation.tenant(value)


# Numbers and ids


@pytest.mark.parametrize("value", [1, 2**63 - 1])
def test_an_identifier_is_a_positive_64_bit_integer(value):
    assert validation.identifier(value, "memory_id") == value


@pytest.mark.parametrize("value", [0, -1, 2**63])
def test_an_identifier_out_of_range_is_refused(value):
    with pytest.raises(InvalidInputError, match=rf"^memory_id must be a positive 64-bit integer, not {value}$"):
        validation.identifier(value, "memory_id")


@pytest.mark.parametrize("value", ["1", 1.0, None, True, [1]])
def test_an_identifier_that_is_no_integer_is_refused(value):
    with pytest.raises(InvalidInputError) as refused:
        validation.identifier(value, "memory_id")

    assert str(refused.value) == f"memory_id must be an integer, not {type(value).__name__} ({value!r})"


@pytest.mark.parametrize("value", [RUN, RUN.upper(), RUN.replace("-", ""), UUID(RUN)])
def test_a_uuid_is_returned_in_its_usual_form(value):
    assert validation.uuid(value, "run_id") == RUN


@pytest.mark.parametrize("value", ["", "latest", 5, None, RUN[:-1], "\0", [RUN]])
def test_what_is_no_uuid_is_refused(value):
    with pytest.raises(InvalidInputError) as refused:
        validation.uuid(value, "run_id")

    assert str(refused.value) == f"run_id must be a UUID, not {value!r}"


@pytest.mark.parametrize("value", [1, 10**9])
def test_a_count_is_at_least_one(value):
    assert validation.positive(value, "limit") == value


@pytest.mark.parametrize("kind", [numpy.int64, numpy.int32, numpy.uint8])
def test_a_number_as_an_array_or_a_data_frame_holds_it_becomes_a_number_of_pythons(kind):
    checks = validation.identifier, validation.positive, validation.count, validation.seconds, validation.minutes
    for check in checks:
        assert type(check(kind(7), "n")) in (int, float)
        assert check(kind(7), "n") == 7
    assert validation.tenant(kind(7)) == validation.text_id(kind(7), "thread_id") == "7"
    assert validation.seconds(numpy.float32(0.5), "n") == 0.5
    assert validation.days(kind(7), "n") == timedelta(days=7)


@pytest.mark.parametrize("value", [numpy.bool_(True), numpy.float64("nan"), numpy.float32(1.5)])
def test_what_an_array_holds_instead_of_a_count_is_refused(value):
    for check in validation.identifier, validation.positive, validation.count:
        with pytest.raises(InvalidInputError, match="n must be an integer"):
            check(value, "n")


@pytest.mark.parametrize("value", [numpy.float64("nan"), 10**400, True, numpy.bool_(True), "1"])
def test_what_is_no_duration_is_refused(value):
    for check in validation.seconds, validation.days, validation.minutes:
        with pytest.raises(InvalidInputError, match="n must be"):
            check(value, "n")


@pytest.mark.parametrize("value", [0, -1, True, 1.5, "1", None, math.inf])
def test_what_is_no_count_is_refused(value):
    with pytest.raises(InvalidInputError) as refused:
        validation.positive(value, "limit")

    assert str(refused.value) == f"limit must be an integer of at least 1, not {value!r}"


# JSON


def test_a_json_object_is_returned_as_it_is():
    value = {"a": [1, 2.5, None, True, "x", {"b": {}}], "": (1, 2)}

    assert validation.json_object(value, "metadata") is value


@pytest.mark.parametrize("value", [None, [], "{}", 5, [("a", 1)]])
def test_what_is_no_dict_is_refused_as_a_json_object(value):
    with pytest.raises(InvalidInputError) as refused:
        validation.json_object(value, "metadata")

    assert str(refused.value) == f"metadata must be a dict, not {type(value).__name__} ({value!r})"


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    ("value", "path"),
    [
        (lambda x: {"a": x}, "metadata.a"),
        (lambda x: {"a": [0, {"b": [x]}]}, r"metadata.a\[1\].b\[0\]"),
        (lambda x: {"a": {"b": {"c": (1, x)}}}, r"metadata.a.b.c\[1\]"),
    ],
)
def test_a_number_that_json_cannot_hold_is_refused_with_its_path(number, value, path):
    with pytest.raises(InvalidInputError, match=rf"^{path} is {number}, which JSON cannot hold$"):
        validation.json_object(value(number), "metadata")


@pytest.mark.parametrize("value", [{1, 2}, datetime(2025, 1, 1, tzinfo=UTC), b"x", Decimal(1), object(), UUID(RUN)])
def test_a_value_that_json_cannot_hold_is_refused_with_its_path(value):
    with pytest.raises(InvalidInputError, match=rf"^metadata.list\[0\] is a {type(value).__name__}, which JSON"):
        validation.json_object({"list": [value]}, "metadata")


@pytest.mark.parametrize(("text", "problem"), [("a\0", "NUL"), ("\udc00", "surrogate")])
def test_a_text_that_postgresql_cannot_hold_is_refused_within_json_too(text, problem):
    with pytest.raises(InvalidTextError, match=rf"^metadata.a\[0\] holds a.*{problem}"):
        validation.json_object({"a": [text]}, "metadata")
    with pytest.raises(InvalidTextError, match=rf"^a key of metadata.a holds a.*{problem}"):
        validation.json_object({"a": {text: 1}}, "metadata")


@pytest.mark.parametrize("key", [1, None, True, ("a",)])
def test_a_key_that_is_no_string_is_refused(key):
    with pytest.raises(InvalidInputError, match=r"^a key of metadata.a must be a string, not "):
        validation.json_object({"a": {key: 1}}, "metadata")


@given(value=st.dictionaries(st.text(ANY, max_size=4), JSON, max_size=3))
def test_what_is_accepted_can_be_written_as_json_in_utf8(value):
    try:
        accepted = validation.json_object(value, "metadata")
    except InvalidTextError:
        assert validation.storable(value) != value
        return
    assert json.loads(json.dumps(accepted, ensure_ascii=False, allow_nan=False).encode()) == value
    assert validation.storable(value) == value


def test_an_object_that_holds_itself_or_is_nested_too_deeply_is_refused():
    itself, deep = {}, {}
    itself["a"] = itself
    innermost = deep
    for _ in range(100_000):
        innermost["a"] = innermost = {}

    for value in (itself, deep):
        with pytest.raises(
            InvalidInputError, match=r"^metadata\S*\.\.\. is nested more than 240 levels deep, or holds itself$"
        ):
            validation.json_object(value, "metadata")


@pytest.mark.parametrize("number", [1, -1])
def test_an_integer_that_python_would_refuse_to_write_is_refused_with_its_path(number):
    assert validation.json_object({"a": [number << 9_999]}, "metadata")
    with pytest.raises(InvalidInputError, match=r"^metadata.a\[0\] is an integer of more than 10,000 bits$"):
        validation.json_object({"a": [number << 10_000]}, "metadata")


# Keys and namespaces of items


@pytest.mark.parametrize("value", ["", " \t"])
def test_a_blank_key_is_refused(value):
    with pytest.raises(InvalidInputError, match=r"^key must not be empty$"):
        validation.key(value, "alice")


@pytest.mark.parametrize("value", [(), [], "notes", None, {"notes"}])
def test_what_is_no_list_of_labels_is_refused_as_a_namespace(value):
    with pytest.raises(InvalidInputError, match=r"^namespace must be a non-empty tuple of labels, not "):
        validation.namespace(value)


def test_the_labels_of_a_namespace_have_1500_bytes_together():
    assert validation.namespace(["x" * 700, "é" * 400]) == ("x" * 700, "é" * 400)
    with pytest.raises(InvalidTextError, match=r"^namespace has 1,502 bytes in UTF-8; the limit is 1,500$"):
        validation.namespace(("x" * 700, "é" * 400, "zz"))


# What a model wrote is mended, not refused


@given(value=st.dictionaries(st.text(ANY, max_size=4), JSON, max_size=3))
def test_what_a_model_wrote_becomes_storable(value):
    mended = validation.storable(value)

    assert validation.json_object(mended, "answer") == mended
    assert validation.storable(mended) == mended


@given(text=st.text(STORABLE, max_size=40))
def test_a_storable_text_stays_as_it_is(text):
    assert validation.storable(text) == text


def test_only_what_postgresql_cannot_hold_is_taken_out():
    assert validation.storable({"a\0": ["x\0y\ud800z", 5, None, {"b": "\0"}]}) == {"a": ["xyz", 5, None, {"b": ""}]}
