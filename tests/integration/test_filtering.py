"""Filters on a real PostgreSQL: what they mean, and that none of them fails or takes long."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from langgraph_agentmem.errors import InvalidInputError
from langgraph_agentmem.policies.filters import read_filter
from langgraph_agentmem.storage.driver.rows import as_json
from langgraph_agentmem.storage.filters import compiled

Passes = Callable[[dict[str, Any], Any], bool]


@pytest.fixture(scope="module")
def connection(server: str) -> Iterator[psycopg.Connection[Any]]:
    """Filters need no tables."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("SET statement_timeout = '5s'")
        yield connection


@pytest.fixture(scope="module")
def passes(connection: psycopg.Connection[Any]) -> Passes:
    """Whether a value passes a filter."""

    def answer(filter: dict[str, Any], value: Any) -> bool:
        text, params = compiled(read_filter(filter))
        query = sql.SQL("SELECT {} FROM (SELECT %(value)s::jsonb AS value OFFSET 0) AS s").format(sql.SQL(text))
        row = connection.execute(query, params | {"value": as_json(value)}).fetchone()
        assert row is not None
        return row[0]

    return answer


NOW = datetime(2026, 1, 1, tzinfo=UTC)
DIGITS = st.sampled_from("0123456789٣९")


def a_number(*places: int) -> st.SearchStrategy[str]:
    return st.one_of(*(st.integers(0, 10**n - 1).map(lambda x, n=n: f"{x:0{n}}") for n in places))


ALMOST_DATES = st.builds(
    "{}-{}-{}{}".format,
    a_number(4) | st.sampled_from(["0000", "0001", "9999", "1900", "2000", "2023", "2024", "10000"]),
    st.sampled_from(["00", "01", "02", "04", "12", "13"]),
    st.sampled_from(["00", "01", "28", "29", "30", "31", "32", "٣١"]),
    st.just("") | st.builds(
        "{}{}:{}{}{}{}".format,
        st.sampled_from(["T", " ", "t", "  "]),
        st.sampled_from(["00", "10", "23", "24", "2", "٢٣"]),
        st.sampled_from(["00", "59", "60"]),
        st.sampled_from(["", ":00", ":59", ":60", ":61"]),
        st.just("") | st.text(DIGITS, max_size=200).map(lambda digits: f".{digits}") | a_number(1, 3, 6, 9, 10).map(".{}".format),
        st.sampled_from(["", "Z", "z", " UTC", " BC", "+00", "-15:59", "+15:59", "+16:00", "-1559", "+14:60", "+00:00:30", "\n"]),
    ),
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=ALMOST_DATES | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_no_string_makes_a_date_filter_fail(passes: Passes, text: str) -> None:
    before, after = passes({"at": {"$lt": NOW}}, {"at": text}), passes({"at": {"$gte": NOW}}, {"at": text})
    assert not (before and after)


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("2026-01-01T00:00:00.000000001Z", False),  # as Go writes it; PostgreSQL rounds to microseconds
        ("2026-01-01T00:00:00.0000009Z", True),
        ("2026-01-01T00:00:00." + "1" * 200 + "Z", False),
        ("2026-01-01T00:00:01", True),
        ("2026-01-01T01:00:00+02:00", False),
        ("2025-12-31T23:00:00-15:59", True),
        ("2026-01-02", True),
        ("9999-12-31T23:59:59.999999999Z", True),
        ("2026-02-29", False),
        ("2028-02-29", True),
        ("٢٠٢٧-01-01", False),
    ],
)
def test_texts_that_are_instants_are_compared_as_such(passes: Passes, text: str, after: bool) -> None:
    assert passes({"at": {"$gt": NOW}}, {"at": text}) is after


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ({"a.b": {"c.d": {"e.f": 1}}}, True),
        ({"a": {"b": {"c": {"d": {"e": {"f": 1}}}}}}, True),
        ({"a.b": {"c": {"d": {"e.f": 1}}}}, True),
        ({"a.b": {"c.d": 1}, "a": {"b": {"c": {"d": {"e": {"f": 1}}}}}}, False),  # the literal key wins
        ({"a.b": None, "a": {"b": {"c.d": {"e.f": 1}}}}, False),
        ({}, False),
    ],
)
def test_at_every_level_a_key_with_dots_wins_over_the_path(passes: Passes, value: Any, found: bool) -> None:
    assert passes({"a.b": {"c.d": {"e.f": 1}}}, value) is found
    assert passes({"a.b": {"c.d": {"e.f": {"$in": [1, 2]}}}}, value) is found
    assert passes({"$not": {"a.b": {"c.d": {"e.f": {"$gte": 0}}}}}, value) is not found


@pytest.mark.parametrize("leaf", [1, "x", datetime(2026, 1, 1, tzinfo=UTC), {"$contains": "x"}])
def test_dotted_keys_may_be_nested_deeply(passes: Passes, leaf: Any) -> None:
    filter, value = leaf, "x"
    for _ in range(39):
        filter, value = {"a.b": filter}, {"a": {"b": value}}

    assert passes(filter, value) is (leaf in ("x", {"$contains": "x"}))


def test_deep_paths_without_dots_are_looked_along(passes: Passes) -> None:
    filter: Any = {"$gt": date(2026, 1, 1)}
    value: Any = "2026-01-02"
    for key in "abcdefgh":
        filter, value = {key: filter}, {key: value}

    assert passes(filter, value)
    assert not passes(filter, {"h": {}})


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (1, True), (1.0, True), ("1", False), (True, False), ("a", True), ('"\\{},', True), ([1], True), ([1, 2], False),
        ({"b": 1}, True), ({"b": 2}, False), (None, True), ("2026-01-01T01:00+01:00", True), (0, False),
    ],
)  # fmt: skip
def test_a_value_is_among_others_if_it_equals_one(passes: Passes, value: Any, found: bool) -> None:
    wanted = [1, "a", '"\\{},', [1], {"b": 1}, None, date(2026, 1, 1)]

    assert passes({"a": {"$in": wanted}}, {"a": value}) is found
    assert passes({"a": {"$nin": wanted}}, {"a": value}) is not found


def test_missing_values_are_among_others_if_none_is(passes: Passes) -> None:
    assert passes({"a": {"$in": [1, 2, None]}}, {})
    assert not passes({"a": {"$in": [1, 2]}}, {})
    assert passes({"a": {"$nin": [1, 2]}}, {})


def test_lists_of_values_may_be_long(passes: Passes) -> None:
    assert passes({"a": {"$in": list(range(100_000))}}, {"a": 99_999})
    assert passes({"a": {"$nin": list(range(100_000))}}, {"a": 100_000})


def test_as_many_conditions_as_may_be_are_carried_out(passes: Passes) -> None:
    assert passes({f"a.{i}": {"$exists": False} for i in range(1_000)}, {})
    filter: Any = {f"k{i}": i for i in range(960)}
    for _ in range(40):
        filter = {"a": filter}
    assert not passes(filter, {"a": {}})
    filter = {f"k{i}": i for i in range(94)}
    for _ in range(10):
        filter = {"a.b": filter}
    assert not passes(filter, {"a": {}})
    with pytest.raises(InvalidInputError, match="under several keys with dots"):
        passes({"a.b": filter}, {})
