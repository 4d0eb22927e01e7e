"""How filters are read, and what is said of those that cannot be."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langgraph_agentmem.errors import InvalidInputError
from langgraph_agentmem.policies.filters import AllOf, AnyOf, Comparison, Not, read_filter


def one(given, path=("a",)):
    """What a filter says of its only key."""
    [condition] = read_filter({"a": given}).conditions
    return condition


def is_(test, operand=None, path=("a",)):
    return Comparison(path=path, test=test, operand=operand)


@pytest.mark.parametrize(
    ("given", "condition"),
    [
        ("x", is_("equal", "x")),
        (1, is_("equal", 1)),
        (True, is_("equal", True)),
        (None, is_("null")),
        ({"$eq": "x"}, AllOf(conditions=(is_("equal", "x"),))),
        ({"$eq": None}, AllOf(conditions=(is_("null"),))),
        ({"$eq": {"$gt": 1}}, AllOf(conditions=(is_("equal", {"$gt": 1}),))),
        ({"$ne": 2}, AllOf(conditions=(Not(condition=is_("equal", 2)),))),
        ({"$ne": [1]}, AllOf(conditions=(Not(condition=is_("equal", [1])),))),
        ({"$gt": 1, "$lte": 2.5}, AllOf(conditions=(is_("gt", 1), is_("lte", 2.5)))),
        ({"$gte": "b"}, AllOf(conditions=(is_("gte", "b"),))),
        ({"$lt": -1}, AllOf(conditions=(is_("lt", -1),))),
        ({"$in": [1, None]}, AllOf(conditions=(AnyOf(conditions=(is_("equal", 1), is_("null"))),))),
        ({"$in": []}, AllOf(conditions=(AnyOf(conditions=()),))),
        ({"$nin": ("x",)}, AllOf(conditions=(Not(condition=AnyOf(conditions=(is_("equal", "x"),))),))),
        ({"$exists": True}, AllOf(conditions=(is_("present"),))),
        ({"$exists": False}, AllOf(conditions=(Not(condition=is_("present")),))),
        ({"$contains": 1}, AllOf(conditions=(is_("element", 1),))),
        ({"$contains": "x"}, AllOf(conditions=(AnyOf(conditions=(is_("element", "x"), is_("substring", "x"))),))),
        ({"$not": 1}, AllOf(conditions=(Not(condition=is_("equal", 1)),))),
        ({"$or": [1, {"$gt": 5}]}, AllOf(conditions=(AnyOf(conditions=(is_("equal", 1), AllOf(conditions=(is_("gt", 5),)))),))),
        ({"$and": [{"$gt": 1}]}, AllOf(conditions=(AllOf(conditions=(AllOf(conditions=(is_("gt", 1),)),)),))),
    ],
)  # fmt: skip
def test_what_stands_beside_a_key_is_compared_with_its_value(given, condition):
    assert one(given) == condition


def test_a_dict_without_operators_looks_inside():
    assert one({"b": {"c": 1}}) == AllOf(
        conditions=(
            is_("object"),
            AllOf(
                conditions=(
                    AllOf(
                        conditions=(
                            is_("object", path=("a", "b")),
                            AllOf(conditions=(is_("equal", 1, path=("a", "b", "c")),)),
                        )
                    ),
                )
            ),
        )
    )


def test_a_list_is_compared_element_by_element():
    assert one([1, None]) == AllOf(
        conditions=(is_("list", 2), is_("equal", 1, path=("a", 0)), is_("null", path=("a", 1)))
    )
    [listed, inside] = one([{"b": 1}]).conditions
    assert listed == is_("list", 1)
    leaf = AllOf(conditions=(is_("equal", 1, path=("a", 0, "b")),))
    assert inside == AllOf(conditions=(is_("object", path=("a", 0)), leaf))


def test_operators_around_whole_filters_take_filters():
    x, y = is_("equal", 1, path=("x",)), is_("equal", 2, path=("y",))

    assert read_filter({"$or": [{"x": 1}, {"y": 2}], "$not": {"x": 1}, "$and": []}) == AllOf(
        conditions=(
            AnyOf(conditions=(AllOf(conditions=(x,)), AllOf(conditions=(y,)))),
            Not(condition=AllOf(conditions=(x,))),
            AllOf(conditions=()),
        )
    )


@pytest.mark.parametrize("key", ["$", "$1", "$$", "$ gt", "$gt ", "$a.b", "", "a;b", "{}", "%(x)s", "'"])
def test_what_does_not_look_like_an_operator_is_a_key(key):
    assert read_filter({key: 1}) == AllOf(conditions=(is_("equal", 1, path=(key,)),))
    assert one({key: 1}) == AllOf(
        conditions=(is_("object"), AllOf(conditions=(is_("equal", 1, path=("a", key)),)))
    )  # fmt: skip


@pytest.mark.parametrize(
    ("given", "instant"),
    [
        (datetime(2026, 1, 2, 3), datetime(2026, 1, 2, 3, tzinfo=UTC)),
        (datetime(2026, 1, 2, 3, tzinfo=timezone(timedelta(hours=2))), datetime(2026, 1, 2, 1, tzinfo=UTC)),
        (date(2026, 1, 2), datetime(2026, 1, 2, tzinfo=UTC)),
    ],
)
def test_dates_are_instants_in_utc_unless_they_say_otherwise(given, instant):
    assert one({"$gt": given}).conditions[0].operand == instant
    assert one(given).operand == instant


@pytest.mark.parametrize(
    ("filter", "said"),
    [
        ([("a", 1)], r"filter must be a dict, not \[\('a', 1\)\]"),
        ({1: 2}, "a key of the filter must be a string, not int"),
        ({"a\0": 2}, "a key of the filter holds a NUL"),
        ({"$gt": 1}, r"unknown filter operator '\$gt'; there are \$gt, "),
        ({"$nor": []}, r"unknown filter operator '\$nor'"),
        ({"a": {"b": {"$regex": "x"}}}, r"unknown filter operator '\$regex' at 'a\.b'; there are .*\$exists"),
        ({"a": {"$gt": 1, "b": 2}}, r"unknown filter operator 'b' at 'a'"),
        ({"a": {"$gt": True}}, r"\$gt takes a number, a string, a date or a datetime, not True"),
        ({"a": {"$lt": None}}, r"\$lt takes .*, not None"),
        ({"a": {"$gte": [1]}}, r"\$gte takes .*, not \[1\]"),
        ({"a": {"$in": "abc"}}, r"\$in takes a list, not 'abc'"),
        ({"a": {"$nin": 1}}, r"\$nin takes a list, not 1"),
        ({"a": {"$exists": 1}}, r"\$exists takes True or False, not 1"),
        ({"$or": {"a": 1}}, r"\$or takes a list, not \{'a': 1\}"),
        ({"$and": [1]}, "filter must be a dict, not 1"),
        ({"$not": 1}, "filter must be a dict, not 1"),
        ({"a": float("nan")}, "a filter cannot compare with nan"),
        ({"a": {"$lte": float("inf")}}, "a filter cannot compare with inf"),
        ({"a": {"$contains": {"b": "\0"}}}, r"filter\.operand\.b holds a NUL"),
        ({"a": object()}, r"filter\.operand is a object"),
    ],
)
def test_a_filter_that_cannot_be_read_is_refused_by_what_is_wrong_with_it(filter, said):
    with pytest.raises(InvalidInputError, match=said):
        read_filter(filter)


def nested(depth, wrap):
    found = {"a": 1}
    for _ in range(depth):
        found = wrap(found)
    return found


def test_keys_are_nested_forty_levels_deep_at_most():
    read_filter(nested(40, lambda inner: {"a": inner}))
    with pytest.raises(InvalidInputError, match="nested more than 40 levels"):
        read_filter(nested(41, lambda inner: {"a": inner}))


@pytest.mark.parametrize(
    "wrap",
    [
        lambda inner: {"$not": inner},
        lambda inner: {"$and": [inner]},
        lambda inner: {"$or": [inner, {}]},
        lambda inner: {"$not": {"$and": [inner]}},
    ],
)
def test_operators_are_nested_no_deeper(wrap):
    read_filter(nested(20, wrap))
    with pytest.raises(InvalidInputError, match="nested more than 40 levels"):
        read_filter(nested(300, wrap))


@pytest.mark.parametrize(
    "wrap", [lambda inner: {"$not": inner}, lambda inner: {"$and": [inner]}, lambda inner: [inner]]
)
def test_what_stands_beside_a_key_is_nested_no_deeper_either(wrap):
    def beside_key(depth):
        found = 1
        for _ in range(depth):
            found = wrap(found)
        return {"a": found}

    read_filter(beside_key(40))
    with pytest.raises(InvalidInputError, match="nested more than 40 levels"):
        read_filter(beside_key(300))


@pytest.mark.parametrize(
    "given",
    [
        lambda n: {f"k{i}": i for i in range(n)},
        lambda n: {"$or": [{"a": i} for i in range(n)]},
        lambda n: {"a": {"$or": list(range(n))}},
        lambda n: {"a": list(range(n - 1))},
        lambda n: {"a": {"$in": [date(2026, 1, 1)] * n}},
    ],
)
def test_there_are_a_thousand_conditions_at_most(given):
    read_filter(given(1_000))
    with pytest.raises(InvalidInputError, match=r"more than 1,000 conditions; a list of values in .* counts as one"):
        read_filter(given(1_001))


def test_a_list_of_values_is_one_condition():
    [condition] = one({"$in": [None, 1, "x", [2], {"b": 3}]}).conditions
    assert condition == AnyOf(conditions=(is_("among", (1, "x", [2], {"b": 3})), is_("null")))
    [condition] = one({"$nin": list(range(20_000))}).conditions
    assert condition == Not(condition=AnyOf(conditions=(is_("among", tuple(range(20_000))),)))


KEYS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0$"), max_size=5)
SCALARS = st.none() | st.booleans() | st.integers(-9, 9) | KEYS


@given(filter=st.dictionaries(KEYS, st.recursive(SCALARS, lambda inner: st.dictionaries(KEYS, inner, max_size=3))))
def test_any_json_object_without_operators_is_a_filter_with_a_test_for_each_leaf(filter):
    def leaves(value):
        return sum(map(leaves, value.values())) if isinstance(value, dict) else 1

    def tests(condition):
        if isinstance(condition, Comparison):
            return int(condition.test not in ("object", "list"))
        return sum(map(tests, condition.conditions))

    assert tests(read_filter(filter)) == leaves(filter)
