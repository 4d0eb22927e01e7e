"""Filters on JSON values, read into conditions.

A filter is a dict: `{"kind": "note"}` compares, `{"size": {"$gt": 3}}` compares otherwise, `{"who": {"name": "Ada"}}`
looks inside. Dots lead inside as well (`"who.name"`), unless a key is spelt with them. A missing key counts as null.
Operators start with `$` and a letter; any other key is one of the value's.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from typing import Any, Literal, cast

from langgraph_agentmem.errors import InvalidInputError
from langgraph_agentmem.models.base import Value
from langgraph_agentmem.policies import validation

Path = tuple[str | int, ...]
"""Keys, and positions in lists, from the value inwards."""
Test = Literal["equal", "null", "object", "list", "present", "gt", "gte", "lt", "lte", "element", "substring"]
_ORDERS: dict[str, Test] = {"$gt": "gt", "$gte": "gte", "$lt": "lt", "$lte": "lte"}
_OPERATOR = re.compile(r"\$[A-Za-z]+")
_DEEPEST = 40


class Comparison(Value):
    """What is tested of the value at a path; the operand is text, a number, an instant, or JSON."""

    path: Path
    test: Test
    operand: Any = None


class AllOf(Value):
    """Every condition holds."""

    conditions: tuple["Condition", ...]


class AnyOf(Value):
    """Some condition holds."""

    conditions: tuple["Condition", ...]


class Not(Value):
    """The condition does not hold."""

    condition: "Condition"


Condition = Comparison | AllOf | AnyOf | Not


def read_filter(given: object, path: Path = ()) -> Condition:
    """The condition that a filter stands for.

    Raises:
        InvalidInputError: It is no dict, names an unknown operator, or compares with what cannot be compared.
    """
    if not isinstance(given, Mapping):
        raise InvalidInputError(f"filter must be a dict, not {given!r}")
    if len(path) > _DEEPEST:
        raise InvalidInputError(f"filter is nested more than {_DEEPEST} levels deep")
    return AllOf(conditions=tuple(_entry(key, item, path) for key, item in cast("Mapping[Any, Any]", given).items()))


def _entry(key: object, item: object, path: Path) -> Condition:
    name = validation.text(key, "a key of the filter")
    if not _OPERATOR.fullmatch(name):
        return _at((*path, name), item)
    if name in ("$and", "$or"):
        conditions = tuple(read_filter(part, path) for part in _list(name, item))
        return AllOf(conditions=conditions) if name == "$and" else AnyOf(conditions=conditions)
    if name == "$not":
        return Not(condition=read_filter(item, path))
    raise _unknown(name, path)


def _at(path: Path, wanted: object) -> Condition:
    if not isinstance(wanted, Mapping):
        return _equal(path, wanted)
    inner = cast("Mapping[Any, Any]", wanted)
    if any(isinstance(key, str) and _OPERATOR.fullmatch(key) for key in inner):
        return AllOf(conditions=tuple(_operator(path, key, operand) for key, operand in inner.items()))
    return AllOf(conditions=(Comparison(path=path, test="object"), read_filter(inner, path)))


def _operator(path: Path, name: object, operand: Any) -> Condition:
    if name in _ORDERS:
        return Comparison(path=path, test=_ORDERS[str(name)], operand=_ordered(str(name), operand))
    if name not in _READERS:
        raise _unknown(name, path)
    return _READERS[str(name)](path, operand)


def _all(path: Path, operand: object) -> Condition:
    return AllOf(conditions=tuple(_at(path, item) for item in _list("$and", operand)))


def _any(path: Path, operand: object) -> Condition:
    return AnyOf(conditions=tuple(_at(path, item) for item in _list("$or", operand)))


def _among(path: Path, operand: object) -> Condition:
    return AnyOf(conditions=tuple(_exactly(path, item) for item in _list("$in", operand)))


def _equal(path: Path, wanted: object) -> Condition:
    if wanted is None:
        return Comparison(path=path, test="null")
    if isinstance(wanted, Mapping):
        return _at(path, cast("object", wanted))
    if isinstance(wanted, list | tuple):
        items = cast("Sequence[object]", wanted)
        each = [_equal((*path, index), item) for index, item in enumerate(items)]
        return AllOf(conditions=(Comparison(path=path, test="list", operand=len(items)), *each))
    return Comparison(path=path, test="equal", operand=_scalar(wanted))


def _exactly(path: Path, wanted: object) -> Condition:
    """An operator compares a dict or list as a whole."""
    if isinstance(wanted, Mapping | list | tuple):
        return Comparison(path=path, test="equal", operand=_json(cast("object", wanted)))
    return _equal(path, wanted)


def _exists(path: Path, operand: object) -> Condition:
    if not isinstance(operand, bool):
        raise InvalidInputError(f"$exists takes True or False, not {operand!r}")
    present = Comparison(path=path, test="present")
    return present if operand else Not(condition=present)


def _contains(path: Path, operand: object) -> Condition:
    element = Comparison(path=path, test="element", operand=_json(operand))
    if not isinstance(operand, str):
        return element
    return AnyOf(conditions=(element, Comparison(path=path, test="substring", operand=operand)))


def _ordered(name: str, operand: object) -> Any:
    if isinstance(operand, bool) or not isinstance(operand, int | float | str | date):
        raise InvalidInputError(f"{name} takes a number, a string, a date or a datetime, not {operand!r}")
    return _scalar(operand)


def _scalar(wanted: object) -> Any:
    if isinstance(wanted, datetime):
        return wanted if wanted.tzinfo else wanted.replace(tzinfo=UTC)
    if isinstance(wanted, date):
        return datetime.combine(wanted, time(), UTC)
    return _json(wanted)


def _json(wanted: object) -> Any:
    if isinstance(wanted, float) and not math.isfinite(wanted):
        raise InvalidInputError(f"a filter cannot compare with {wanted}, which JSON cannot hold")
    return validation.json_object({"operand": wanted}, "filter")["operand"]


def _list(name: str, operand: object) -> Sequence[Any]:
    if not isinstance(operand, list | tuple | set | frozenset):
        raise InvalidInputError(f"{name} takes a list, not {operand!r}")
    return list(cast("Sequence[Any]", operand))


_READERS: dict[str, Callable[[Path, Any], Condition]] = {
    "$eq": _exactly,
    "$ne": lambda path, operand: Not(condition=_exactly(path, operand)),
    "$in": _among,
    "$nin": lambda path, operand: Not(condition=_among(path, operand)),
    "$exists": _exists,
    "$contains": _contains,
    "$not": lambda path, operand: Not(condition=_at(path, operand)),
    "$and": _all,
    "$or": _any,
}


def _unknown(name: object, path: Path) -> InvalidInputError:
    where = f" at {'.'.join(map(str, path))!r}" if path else ""
    return InvalidInputError(f"unknown filter operator {name!r}{where}; there are {', '.join([*_ORDERS, *_READERS])}")
