"""Filters by equality and order."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

from langgraph_agentmem.testing.store_conformance.case import Case, expect, refused, same
from langgraph_agentmem.testing.store_conformance.registry import Group

filters: Final = Group("filter")

_NUMBERS = {f"n{n}": {"n": n} for n in (-3, 0, 2, 9, 10, 100)} | {"half": {"n": 9.5}}
_HOSTILE = (
    "'", '"', "'; DROP TABLE store; --", "{}", "{0}", "$[*]", "$.a", "%s", "%(x)s", "%", "\\",
    "\\'", "a\nb", "[]", "?", ":x", "\u2028",
)  # fmt: skip


async def _find(case: Case, wanted: dict[str, Any], keys: str) -> None:
    """Fail unless a filter matches exactly these keys, which are given with spaces between."""
    same(sorted(await case.matches(wanted)), sorted(keys.split()), f"the items that match {wanted!r}")


@filters.promised("filter-exact")
async def filter_exact(case: Case) -> None:
    """A plain value matches items whose field equals it; items without the field do not match."""
    await case.fill({"a": {"kind": "x", "n": 1}, "b": {"kind": "y", "n": 1}, "c": {"n": 1}, "d": {"kind": "xy"}})
    await _find(case, {"kind": "x"}, "a")
    await _find(case, {"n": 1}, "a b c")
    await _find(case, {"kind": "z"}, "")


@filters.promised("filter-several-fields")
async def filter_several_fields(case: Case) -> None:
    """All conditions must hold."""
    await case.fill({"a": {"kind": "x", "n": 1}, "b": {"kind": "x", "n": 2}, "c": {"kind": "y", "n": 1}})
    await _find(case, {"kind": "x", "n": 1}, "a")
    await _find(case, {"kind": "x", "n": {"$gt": 1}}, "b")


@filters.promised("filter-empty")
async def filter_empty(case: Case) -> None:
    """A filter without conditions matches everything."""
    await case.fill({"a": {"n": 1}, "b": {}})
    await _find(case, {}, "a b")


@filters.promised("filter-eq")
async def filter_eq(case: Case) -> None:
    """$eq is the same as a plain value."""
    await case.fill({"a": {"v": "x"}, "b": {"v": "xy"}, "c": {"v": 1}, "d": {}})
    await _find(case, {"v": {"$eq": "x"}}, "a")
    await _find(case, {"v": {"$eq": 1}}, "c")


@filters.expected("filter-eq-object")
async def filter_eq_object(case: Case) -> None:
    """$eq compares an object whole, while a plain object in a filter matches what has at least its fields."""
    await case.fill({"b": {"v": {"p": 1}}, "c": {"v": {"p": 1, "q": 2}}, "d": {"v": 1}})
    await _find(case, {"v": {"$eq": {"p": 1}}}, "b")


@filters.promised("filter-ne")
async def filter_ne(case: Case) -> None:
    """$ne leaves out what is equal."""
    await case.fill({"a": {"v": "x"}, "b": {"v": "y"}, "c": {"v": 1}})
    await _find(case, {"v": {"$ne": "x"}}, "b c")


@filters.expected("filter-ne-missing")
async def filter_ne_missing(case: Case) -> None:
    """What lacks a field is not equal to any value of it: "not archived" must find what was never archived."""
    await case.fill({"yes": {"archived": True}, "no": {"archived": False}, "never": {}, "null": {"archived": None}})
    await _find(case, {"archived": {"$ne": True}}, "no never null")


@filters.promised("filter-numeric-order")
async def filter_numeric_order(case: Case) -> None:
    """Numbers compare as numbers: 10 is more than 9, and -3 is less than 0; as text it is the other way round."""
    await case.fill(_NUMBERS)
    await _find(case, {"n": {"$gt": 9}}, "half n10 n100")
    await _find(case, {"n": {"$gte": 9}}, "n9 half n10 n100")
    await _find(case, {"n": {"$lt": 2}}, "n-3 n0")
    await _find(case, {"n": {"$lte": 9.5}}, "n-3 n0 n2 n9 half")


@filters.expected("filter-range")
async def filter_range(case: Case) -> None:
    """Several operators on one field must all hold."""
    await case.fill({f"k{n}": {"n": n} for n in range(1, 8)})
    await _find(case, {"n": {"$gte": 2, "$lt": 5}}, "k2 k3 k4")


@filters.expected("filter-string-order")
async def filter_string_order(case: Case) -> None:
    """Strings compare as strings, letter by letter."""
    await case.fill({"a": {"v": "apple"}, "b": {"v": "banana"}, "c": {"v": "cherry"}})
    await _find(case, {"v": {"$gt": "apple"}}, "b c")
    await _find(case, {"v": {"$lte": "banana"}}, "a b")


@filters.expected("filter-iso-dates")
async def filter_iso_dates(case: Case) -> None:
    """Dates in JSON are ISO strings; "since May" is what memory is asked for most."""
    await case.fill({f"m{m}": {"at": f"2024-{m:02}-15T00:00:00+00:00"} for m in (1, 5, 11)})
    await _find(case, {"at": {"$gte": "2024-05-01"}}, "m5 m11")
    await _find(case, {"at": {"$lt": "2024-11-01"}}, "m1 m5")


@filters.expected("filter-by-datetime")
async def filter_by_datetime(case: Case) -> None:
    """A datetime in a filter compares as an instant with stored ISO strings, whatever their time zone."""
    noon = datetime(2024, 5, 1, 12, tzinfo=UTC)
    east = timezone(timedelta(hours=5))
    moments = {"early": noon - timedelta(hours=1), "same": noon, "late": noon + timedelta(hours=1)}
    await case.fill({key: {"at": moment.astimezone(east).isoformat()} for key, moment in moments.items()})
    await case.fill({"zulu": {"at": "2024-05-01T12:30:00Z"}, "text": {"at": "soon"}, "none": {}})
    await _find(case, {"at": {"$gt": noon}}, "late zulu")
    await _find(case, {"at": {"$lte": noon}}, "early same")


@filters.expected("filter-order-other-types")
async def filter_order_other_types(case: Case) -> None:
    """Memories are not uniform: comparing with a number matches no text and no missing field, nor raises."""
    odd = {"text": "many", "digits": "50", "object": {"n": 50}, "list": [50], "null": None, "true": True}
    await case.fill({key: {"n": value} for key, value in odd.items()})
    await case.fill({"number": {"n": 50}, "missing": {}})
    await _find(case, {"n": {"$gt": 0}}, "number")
    await _find(case, {"n": {"$lt": 100}}, "number")


@filters.expected("filter-equal-numbers")
async def filter_equal_numbers(case: Case) -> None:
    """1 and 1.0 are the same number; "1" is none."""
    await case.fill({"int": {"n": 1}, "float": {"n": 1.0}, "text": {"n": "1"}, "two": {"n": 2}})
    await _find(case, {"n": 1}, "int float")
    await _find(case, {"n": 1.0}, "int float")
    await _find(case, {"n": "1"}, "text")


@filters.expected("filter-true-is-not-one")
async def filter_true_is_not_one(case: Case) -> None:
    """In JSON true is not 1, though it is in Python."""
    await case.fill({"true": {"v": True}, "one": {"v": 1}, "false": {"v": False}, "zero": {"v": 0}})
    await _find(case, {"v": True}, "true")
    await _find(case, {"v": 1}, "one")
    await _find(case, {"v": {"$eq": False}}, "false")


@filters.expected("filter-none")
async def filter_none(case: Case) -> None:
    """As in InMemoryStore, None matches a field that is null or missing."""
    await case.fill({"null": {"v": None}, "missing": {}, "zero": {"v": 0}, "empty": {"v": ""}, "text": {"v": "None"}})
    await _find(case, {"v": None}, "null missing")
    await _find(case, {"v": {"$ne": None}}, "zero empty text")


@filters.expected("filter-nested")
async def filter_nested(case: Case) -> None:
    """As in InMemoryStore, an object in a filter matches what has at least these fields."""
    await case.fill({"a": {"o": {"p": 1, "q": {"r": 2, "s": 3}}}, "b": {"o": {"p": 1}}, "c": {"o": 1}, "d": {}})
    await _find(case, {"o": {"p": 1}}, "a b")
    await _find(case, {"o": {"q": {"r": 2}}}, "a")
    await _find(case, {"o": {"q": {"r": 9}}}, "")


@filters.expected("filter-nested-operators")
async def filter_nested_operators(case: Case) -> None:
    """As in InMemoryStore, operators work in the fields of an object."""
    await case.fill({"a": {"o": {"n": 9}}, "b": {"o": {"n": 10}}, "c": {"o": {"m": 1}}})
    await _find(case, {"o": {"n": {"$gte": 10}}}, "b")


@filters.expected("filter-lists")
async def filter_lists(case: Case) -> None:
    """A list in a filter matches the same elements in the same order."""
    await case.fill({"ab": {"l": ["a", "b"]}, "ba": {"l": ["b", "a"]}, "abc": {"l": ["a", "b", "c"]}, "a": {"l": "a"}})
    await case.fill({"empty": {"l": []}})
    await _find(case, {"l": ["a", "b"]}, "ab")
    await _find(case, {"l": []}, "empty")
    await _find(case, {"l": {"$ne": ["a", "b"]}}, "ba abc a empty")


@filters.expected("filter-dotted-paths")
async def filter_dotted_paths(case: Case) -> None:
    """A path such as a.b reaches into objects, as it does in index paths."""
    await case.fill({"x": {"a": {"b": 9}}, "y": {"a": {"b": 10}}, "z": {"a": 10}, "deep": {"a": {"b": {"c": "v"}}}})
    await _find(case, {"a.b": 9}, "x")
    await _find(case, {"a.b": {"$gte": 10}}, "y")
    await _find(case, {"a.b.c": "v"}, "deep")


@filters.promised("filter-literal-dots")
async def filter_literal_dots(case: Case) -> None:
    """A field may be called "a.b", like a file name; a plain filter key finds it."""
    await case.fill({"literal": {"a.b": 1}, "other": {"a.b": 2}})
    await _find(case, {"a.b": 1}, "literal")


@filters.promised("filter-odd-field-names")
async def filter_odd_field_names(case: Case) -> None:
    """Field names are data, with spaces, quotes, digits or none at all."""
    names = ["", "0", "a b", "a'b", 'a"b', "a->b", "ключ", "%s", "{x}", "a,b", "[0]"]
    await case.fill({f"k{n}": {name: "here"} for n, name in enumerate(names)})
    for n, name in enumerate(names):
        await _find(case, {name: "here"}, f"k{n}")


@filters.promised("filter-hostile-text")
async def filter_hostile_text(case: Case) -> None:
    """Text from users goes into filters; as SQL, patterns or placeholders it would open or break the store."""
    await case.fill({f"k{n}": {"v": text, text: "field"} for n, text in enumerate(_HOSTILE)})
    for n, text in enumerate(_HOSTILE):
        await _find(case, {"v": text}, f"k{n}")
        await _find(case, {"v": {"$eq": text}}, f"k{n}")
        await _find(case, {text: "field"}, f"k{n}")
    same(len(await case.keys()), len(_HOSTILE), "number of items afterwards")


@filters.expected("filter-unknown-operator")
async def filter_unknown_operator(case: Case) -> None:
    """A mistyped operator must be an error that names it; matching nothing, or everything, hides it."""
    await case.fill({"k": {"n": 1}})
    error = await refused(lambda: case.search(filter={"n": {"$gtt": 0}}), "a filter with $gtt", ValueError)
    expect("$gtt" in str(error), f"the error does not name the operator: {error}")
