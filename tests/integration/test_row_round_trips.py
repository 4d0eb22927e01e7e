"""What is written in PostgreSQL's text forms is what PostgreSQL reads."""

import random
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import JSON

from langgraph_agentmem.storage.driver.rows import as_array, as_json, as_vector

TEXTS = st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)


def holds_nul(value):
    if isinstance(value, dict):
        return any(holds_nul(part) for pair in value.items() for part in pair)
    return any(map(holds_nul, value)) if isinstance(value, list) else isinstance(value, str) and "\0" in value


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(TEXTS, max_size=6))
def test_arrays_of_texts(connection, texts):
    assert connection.execute("SELECT %s::text[]", [as_array(texts)]).fetchone() == (texts,)
    nested = as_array([as_array(texts)])
    assert connection.execute("SELECT (%s::text[])[1]::text[]", [nested]).fetchone() == (texts,)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("bool", [True, None, False]),
        ("bigint", [0, -(2**63), 2**63 - 1, None]),
        ("float8", [0.1, -1e300, 5e-324, None]),
        ("bytea", [b"", b"\x00\\\"'{},\xff", None]),
        ("timestamptz", [datetime(2026, 1, 2, 3, 4, 5, 678901, UTC), None]),
        ("int", []),
    ],
)
def test_arrays_of_other_kinds(connection, kind, values):
    assert connection.execute(f"SELECT %s::{kind}[]", [as_array(values)]).fetchone() == (values,)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=JSON.filter(lambda value: not holds_nul(value)))
def test_json(connection, value):
    [found] = connection.execute("SELECT %s::jsonb", [as_json(value)]).fetchone()
    assert found == value
    assert [type(n) for n in numbers(found)] == [type(n) for n in numbers(value)], "floats stay floats"


def numbers(value):
    if isinstance(value, dict):
        return [n for key in sorted(value) for n in numbers(value[key])]
    if isinstance(value, list):
        return [n for item in value for n in numbers(item)]
    return [value] if isinstance(value, int | float) else []


def test_vectors_and_times_that_are_close(connection):
    rng = random.Random(0)
    vector = [rng.uniform(-1, 1) for _ in range(16)]
    assert connection.execute("SELECT %s::vector::float4[]", [as_vector(vector)]).fetchone() == (
        [pytest.approx(x, rel=1e-6) for x in vector],
    )
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    times = [moment + timedelta(microseconds=i) for i in range(3)]
    assert connection.execute("SELECT %s::timestamptz[]", [as_array(times)]).fetchone() == (times,)


@pytest.fixture
def connection(dsn):
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("SET timezone = 'UTC'")
        yield connection
