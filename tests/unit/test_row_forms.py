"""Values as PostgreSQL's text forms; that it reads them back is tried in tests/integration/test_row_round_trips.py."""

import json
from collections import OrderedDict
from datetime import UTC, datetime
from enum import Enum

import pytest
from hypothesis import given
from strategies import JSON

from langgraph_agentmem.storage.driver.rows import as_array, as_json, as_vector, columns


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([], "{}"),
        ([None, "NULL", ""], '{NULL,"NULL",""}'),
        (['a"b', "a\\b", "{a,b}", " "], '{"a\\"b","a\\\\b","{a,b}"," "}'),
        ([1, -2.5, True, False], "{1,-2.5,True,False}"),
        ([b"\x00\xff"], '{"\\\\x00ff"}'),
        ([datetime(2026, 1, 2, tzinfo=UTC)], '{"2026-01-02T00:00:00+00:00"}'),
    ],
)
def test_arrays_are_written_as_postgresql_reads_them(values, text):
    assert as_array(values) == text


def test_what_an_array_cannot_hold_is_refused():
    with pytest.raises(TypeError, match="arrays hold no dict"):
        as_array([{}])


def test_rows_become_an_array_for_each_column():
    assert columns([("a", 1), ("b", None)], "names", "counts") == {"names": '{"a","b"}', "counts": "{1,NULL}"}
    assert columns([], "names") == {"names": "{}"}


@given(value=JSON)
def test_json_is_read_back_as_it_was(value):
    assert repr(json.loads(as_json(value))) == repr(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"n": 1e16}, '{"n":10000000000000000.0}'),
        ([-1e20], "[-100000000000000000000.0]"),
        (2**70, "1180591620717411303424"),
        ({"a": (1, True, None)}, '{"a":[1,true,null]}'),
        ({"a": "1e5"}, '{"a":"1e5"}'),
        ([1e16, "1e5", True, None, 3], '[10000000000000000.0,"1e5",true,null,3]'),
    ],
)
def test_large_numbers_are_spelt_out_so_that_floats_stay_floats(value, text):
    assert as_json(value) == text


def test_a_datetime_is_no_json():
    with pytest.raises(TypeError):
        as_json({"at": datetime(2026, 1, 1, tzinfo=UTC)})


def test_vectors_are_lists_of_numbers():
    assert as_vector([1.0, -0.5]) == "[1.0,-0.5]"
    assert as_vector(None) is None


class Level(int, Enum):
    LOW = 1


class Color(str, Enum):  # noqa: UP042 - as many still write it
    RED = "red"


class Share(float):
    """As numpy.float64 is one."""

    def __repr__(self):
        return f"Share({float(self)})"


class Name(str):
    __slots__ = ()

    def __str__(self):
        return "not this"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"n": Level.LOW, "t": "1e5"}, '{"n":1,"t":"1e5"}'),
        ({"n": Share(0.5)}, '{"n":0.5}'),
        ({"n": Share(1e16)}, '{"n":10000000000000000.0}'),
        ({"c": Color.RED, "t": "1e5"}, '{"c":"red","t":"1e5"}'),
        ({Name("key"): Name("value")}, '{"key":"value"}'),
        ({Color.RED: [Level.LOW]}, '{"red":[1]}'),
        ({"d": OrderedDict(a=Share(2)), "b": True, "n": None}, '{"d":{"a":2.0},"b":true,"n":null}'),
    ],
)
def test_subclasses_are_written_as_what_they_are(value, text):
    assert as_json(value) == text
