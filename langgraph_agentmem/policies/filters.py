"""Filters on JSON values, read into conditions.

A filter is a dict: `{"kind": "note"}` compares, `{"size": {"$gt": 3}}` compares otherwise, `{"who": {"name": "Ada"}}`
looks inside. Dots lead inside as well (`"who.name"`), unless a key is spelt with them. A missing key counts as null.
Operators start with `$` and a letter; any other key is one of the value's.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from itertools import repeat
from typing import Any, Literal, cast

from langgraph_agentmem.errors import InvalidInputError
from langgraph_agentmem.models.base import Value
from langgraph_agentmem.policies import validation

Path = tuple[str | int, ...]
"""Keys, and positions in lists, from the value inwards."""
Test = Literal["equal", "among", "null", "object", "list", "present", "gt", "gte", "lt", "lte", "element", "substring"]
_ORDERS: dict[str, Test] = {"$gt": "gt", "$gte": "gte", "$lt": "lt", "$lte": "lte"}
_OPERATOR = re.compile(r"\$[A-Za-z]+")
_DEEPEST = 40
_MAX_CONDITIONS = 1_000


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


class _Reader:
    """Where in a filter the reading has got to: which path is meant, and how deep the filter is nested there.

    Args:
        path: From the value inwards.
        depth: Of the filter.
        counted: One entry for each comparison that was read so far, and one for each key with dots under another one,
            which is as much work; all readers of a filter share it.
    """

    def __init__(self, path: Path, depth: int, counted: list[Test]) -> None:
        if depth > _DEEPEST:
            raise InvalidInputError(f"filter is nested more than {_DEEPEST} levels deep")
        self.path, self._depth, self._counted = path, depth, counted

    def deeper(self, *steps: str | int) -> "_Reader":
        return _Reader((*self.path, *steps), self._depth + 1, self._counted)

    def under(self, key: str) -> "_Reader":
        return _Reader((*self.path, key), self._depth, self._counted)

    def compare(self, test: Test, operand: Any = None) -> Comparison:
        dotted = sum(isinstance(step, str) and "." in step for step in self.path)
        self._counted.extend(repeat(test, max(dotted, 1)))
        if len(self._counted) > _MAX_CONDITIONS:
            raise InvalidInputError(
                f"filter has more than {_MAX_CONDITIONS:,} conditions; a list of values in $in or $nin counts as one, "
                "a condition under several keys with dots as many as there are such keys"
            )
        return Comparison(path=self.path, test=test, operand=operand)


def read_filter(source: object) -> Condition:
    """The condition that a filter stands for.

    Raises:
        InvalidInputError: It is no dict, is nested more than 40 levels deep, has more than 1,000 conditions, names an
            unknown operator, or compares with what cannot be compared.
    """
    return _filter(_Reader((), 0, []), source)


def _filter(at: _Reader, source: object) -> Condition:
    if not isinstance(source, Mapping):
        raise InvalidInputError(f"filter must be a dict, not {source!r}")
    return AllOf(conditions=tuple(_entry(at, key, item) for key, item in cast("Mapping[Any, Any]", source).items()))


def _entry(at: _Reader, key: object, item: object) -> Condition:
    name = validation.text(key, "a key of the filter")
    if not _OPERATOR.fullmatch(name):
        return _at(at.under(name), item)
    if name in ("$and", "$or"):
        conditions = tuple(_filter(at.deeper(), part) for part in _list(name, item))
        return AllOf(conditions=conditions) if name == "$and" else AnyOf(conditions=conditions)
    if name == "$not":
        return Not(condition=_filter(at.deeper(), item))
    raise _unknown(name, at.path)


def _at(at: _Reader, wanted: object) -> Condition:
    if not isinstance(wanted, Mapping):
        return _equal(at, wanted)
    inner = cast("Mapping[Any, Any]", wanted)
    # one operator makes all keys operators, so that a misspelt one is refused and not looked for in values
    if any(isinstance(key, str) and _OPERATOR.fullmatch(key) for key in inner):
        return AllOf(conditions=tuple(_operator(at, key, operand) for key, operand in inner.items()))
    return AllOf(conditions=(at.compare("object"), _filter(at.deeper(), inner)))


def _operator(at: _Reader, name: object, operand: Any) -> Condition:
    if name in _ORDERS:
        return at.compare(_ORDERS[str(name)], _ordered(str(name), operand))
    if name not in _READERS:
        raise _unknown(name, at.path)
    return _READERS[str(name)](at, operand)


def _all(at: _Reader, operand: object) -> Condition:
    return AllOf(conditions=tuple(_at(at.deeper(), item) for item in _list("$and", operand)))


def _any(at: _Reader, operand: object) -> Condition:
    return AnyOf(conditions=tuple(_at(at.deeper(), item) for item in _list("$or", operand)))


def _among(at: _Reader, operand: object, name: str = "$in") -> Condition:
    """One comparison for all values that are compared as JSON."""
    items = _list(name, operand)
    # dates are compared as instants, and null also means a missing key: neither is compared as JSON
    plain = [item for item in items if item is not None and not isinstance(item, date)]
    others = [item for item in items if isinstance(item, date)]
    conditions = [_exactly(at, item) for item in others]
    if len(plain) == 1:
        conditions.insert(0, _exactly(at, plain[0]))
    elif plain:
        conditions.insert(0, at.compare("among", tuple(map(_json, plain))))
    if len(plain) + len(others) < len(items):
        conditions.append(at.compare("null"))
    return AnyOf(conditions=tuple(conditions))


def _equal(at: _Reader, wanted: object) -> Condition:
    if wanted is None:
        return at.compare("null")
    if isinstance(wanted, Mapping):
        return _at(at, cast("object", wanted))
    if isinstance(wanted, list | tuple):
        items = cast("Sequence[object]", wanted)
        each = [_equal(at.deeper(index), item) for index, item in enumerate(items)]
        return AllOf(conditions=(at.compare("list", len(items)), *each))
    return at.compare("equal", _scalar(wanted))


def _exactly(at: _Reader, wanted: object) -> Condition:
    """An operator compares a dict or list as a whole."""
    if isinstance(wanted, Mapping | list | tuple):
        return at.compare("equal", _json(cast("object", wanted)))
    return _equal(at, wanted)


def _exists(at: _Reader, operand: object) -> Condition:
    if not isinstance(operand, bool):
        raise InvalidInputError(f"$exists takes True or False, not {operand!r}")
    present = at.compare("present")
    return present if operand else Not(condition=present)


def _contains(at: _Reader, operand: object) -> Condition:
    # a list contains elements, a text contains parts; which of the two stands there shows only in each value
    element = at.compare("element", _json(operand))
    if not isinstance(operand, str):
        return element
    return AnyOf(conditions=(element, at.compare("substring", operand)))


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


_READERS: dict[str, Callable[[_Reader, Any], Condition]] = {
    "$eq": _exactly,
    "$ne": lambda at, operand: Not(condition=_exactly(at, operand)),
    "$in": _among,
    "$nin": lambda at, operand: Not(condition=_among(at, operand, "$nin")),
    "$exists": _exists,
    "$contains": _contains,
    "$not": lambda at, operand: Not(condition=_at(at.deeper(), operand)),
    "$and": _all,
    "$or": _any,
}


def _unknown(name: object, path: Path) -> InvalidInputError:
    where = f" at {'.'.join(map(str, path))!r}" if path else ""
    return InvalidInputError(f"unknown filter operator {name!r}{where}; there are {', '.join([*_ORDERS, *_READERS])}")
