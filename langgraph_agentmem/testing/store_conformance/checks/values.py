"""Values that JSON or a database cannot hold: they come back exactly, or are refused before anything is written."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final, cast
from uuid import UUID

from langgraph_agentmem.testing.store_conformance.case import Case, NotMet, Unsupported, expect, refused, same
from langgraph_agentmem.testing.store_conformance.registry import Group

values: Final = Group("values")


def _alike(found: Any, wanted: Any) -> bool:
    """Whether two values are equal, and of equal types; a tuple may have become a list."""
    if isinstance(wanted, tuple | list):
        return isinstance(found, tuple | list) and _all_alike([*cast("Any", found)], [*cast("Any", wanted)])
    if type(found) is not type(wanted):
        return False
    if isinstance(wanted, dict):
        return _same_fields(found, cast("dict[Any, Any]", wanted))
    if isinstance(wanted, float) and math.isnan(wanted):
        return math.isnan(found)
    return bool(found == wanted)


def _all_alike(found: list[Any], wanted: list[Any]) -> bool:
    return len(found) == len(wanted) and all(_alike(a, b) for a, b in zip(found, wanted, strict=True))


def _same_fields(found: dict[Any, Any], wanted: dict[Any, Any]) -> bool:
    """Whether the keys are of the same types, too: 1 and "1" and True differ."""
    kinds = [{(type(key).__name__, key) for key in value} for value in (found, wanted)]
    return kinds[0] == kinds[1] and all(_alike(found[key], wanted[key]) for key in wanted)


async def _exact_or_refused(case: Case, key: str, value: Mapping[Any, Any]) -> None:
    """Fail if a value is changed, refused with another error than TypeError or ValueError, or half written."""
    await case.put(key, {"before": True})
    try:
        await case.put(key, value)
    except (TypeError, ValueError):
        same(await case.value(key), {"before": True}, "the value after the put of another was refused")
        return
    except Exception as error:
        raise NotMet(f"{key}: {_other(error)}") from error
    found = await case.value(key)
    expect(_alike(found, value), f"{key}: {value!r} silently became {found!r}")


def _other(error: Exception) -> str:
    return f"{type(error).__name__} is raised, which is no TypeError or ValueError: {str(error).partition(chr(10))[0]}"


@values.expected("nan-and-infinity")
async def nan_and_infinity(case: Case) -> None:
    """JSON has no NaN and no infinity; a score that failed must not break a store or turn into something else."""
    for name, number in (("NaN", math.nan), ("infinity", math.inf), ("-infinity", -math.inf)):
        await _exact_or_refused(case, name, {"n": {"deep": [number]}})


@values.expected("nul-characters")
async def nul_characters(case: Case) -> None:
    """Tools return NUL characters, which PostgreSQL cannot hold."""
    await _exact_or_refused(case, "NUL in a text", {"text": "a\u0000b"})
    await _exact_or_refused(case, "NUL in a field name", {"a\u0000b": 1})
    await _exact_or_refused(case, "NUL, escaped", {"text": "a\\u0000b"})


@values.expected("nul-in-key")
async def nul_in_key(case: Case) -> None:
    """A key with a NUL character is stored under that key or refused; it must not become another key."""
    try:
        await case.put("a\u0000b", {"n": 1})
    except (TypeError, ValueError):
        same(await case.keys(), [], "the keys after a refusal")
        return
    except Exception as error:
        raise NotMet(_other(error)) from error
    same(await case.keys(), ["a\u0000b"], "the keys")
    same(await case.value("a\u0000b"), {"n": 1}, "the value")


@values.expected("lone-surrogates")
async def lone_surrogates(case: Case) -> None:
    """Text that was cut in the middle of a pair of surrogates is no valid Unicode."""
    await _exact_or_refused(case, "a lone surrogate", {"text": "a\ud83db"})
    await _exact_or_refused(case, "a lone surrogate in a field name", {"\udc00": 1})


@values.expected("dates-and-other-objects")
async def dates_and_other_objects(case: Case) -> None:
    """What JSON has no type for must not silently become text."""
    moment = datetime(2024, 5, 1, 12, tzinfo=UTC)
    await _exact_or_refused(case, "a datetime", {"at": moment})
    await _exact_or_refused(case, "a set", {"tags": {"a"}})
    await _exact_or_refused(case, "bytes", {"raw": b"abc"})
    await _exact_or_refused(case, "a UUID", {"id": UUID(int=1)})


@values.expected("field-names-of-other-types")
async def field_names_of_other_types(case: Case) -> None:
    """Field names are strings; a silent 1 → "1" loses data where both are there, and does not compare equal."""
    await _exact_or_refused(case, "a field name 1", {1: "x"})
    await _exact_or_refused(case, "a nested field name 1", {"counts": {1: "x", "1": "y"}})
    await _exact_or_refused(case, "a field name None", {"counts": {None: 1}})
    await _exact_or_refused(case, "a field name True", {"counts": {True: 1}})


@values.expected("big-integers")
async def big_integers(case: Case) -> None:
    """Identifiers are often beyond 64 bits; as a float the last digits are lost."""
    for number in (2**53 + 1, 2**63, 2**64 + 1, -(10**30) - 1):
        await _exact_or_refused(case, f"the integer {number}", {"n": number})


@values.expected("floats-stay-floats")
async def floats_stay_floats(case: Case) -> None:
    """A float that happens to be whole must not come back as an int, nor lose digits."""
    for number in (1.0, -0.0, 1e16, 1e22, 5e-324, 1.7976931348623157e308, 0.1 + 0.2):
        await _exact_or_refused(case, f"the float {number!r}", {"n": number})


@values.expected("large-values")
async def large_values(case: Case) -> None:
    """Whole documents and transcripts are put into stores."""
    value = {"text": "abc déf " * 50_000, "list": list(range(5000))}
    await case.put("k", value)
    found = await case.value("k")
    expect(found == value, "a value of 400,000 characters does not come back as it was")


@values.expected("long-keys")
async def long_keys(case: Case) -> None:
    """URLs and what models make up can be long; a key is stored, or refused as too long, as values are."""
    for length in (500, 2000, 8000):
        key = "".join(sha256(str(n).encode()).hexdigest() for n in range(length // 64 + 1))[:length]
        try:
            await case.put(key, {"n": length})
        except (TypeError, ValueError):
            same(await case.get(key), None, f"get of a key of {length} characters that was refused")
            continue
        except Exception as error:
            raise NotMet(f"a key of {length} characters: {_other(error)}") from error
        same(await case.value(key), {"n": length}, f"the value of a key of {length} characters")
        same(await case.get(key[:-1]), None, "get of the same key, one character shorter")


@values.expected("deep-values")
async def deep_values(case: Case) -> None:
    """Deeply nested data comes back, or is refused; it must not bring the store down."""
    value: dict[str, Any] = {"n": 1}
    for _ in range(200):
        value = {"d": value}
    await _exact_or_refused(case, "200 levels", value)


@values.expected("refusal-names-the-place")
async def refusal_names_the_place(case: Case) -> None:
    """Who puts a large value must be told where in it the bad part is."""
    try:
        await case.put("k", {"good": 1, "outer": [{"fine": 1}, {"culprit": object()}]})
    except (TypeError, ValueError) as error:
        expect("culprit" in str(error), f"the error does not say where: {error}")
        return
    raise Unsupported("an object that is no JSON is accepted")


@values.expected("non-mapping-refused")
async def non_mapping_refused(case: Case) -> None:
    """A value is a mapping; anything else is a mistake of the caller."""
    others: list[Any] = ["text", 5, ["a"], [("a", 1)], True]
    for other in others:
        await refused(lambda o=other: case.put("k", o), f"a put of {other!r}", TypeError, ValueError, AttributeError)
    same(await case.get("k"), None, "get after all were refused")


@values.expected("later-changes-not-stored")
async def later_changes_not_stored(case: Case) -> None:
    """What a caller does with its dict after the put must not change what is stored."""
    value: dict[str, Any] = {"list": [1], "nested": {"n": 1}, "n": 1}
    await case.put("k", value)
    value["n"] = 2
    value["list"].append(2)
    value["nested"]["n"] = 2
    same(await case.value("k"), {"list": [1], "nested": {"n": 1}, "n": 1}, "the value afterwards")


@values.expected("changes-of-results-not-stored")
async def changes_of_results_not_stored(case: Case) -> None:
    """What a caller does with an item that it read must not change what is stored."""
    await case.put("k", {"list": [1], "n": 1})
    first = (await case.item("k")).value
    first["n"] = 2
    first["list"].append(2)
    hits = await case.search()
    hits[0].value["list"].append(3)
    same(await case.value("k"), {"list": [1], "n": 1}, "the value, after readers changed theirs")
