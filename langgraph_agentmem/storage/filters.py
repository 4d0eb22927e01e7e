"""Turns filters into SQL: fixed fragments, in which every key and operand is a parameter."""

from datetime import datetime
from typing import Any, LiteralString

from psycopg import sql

from langgraph_agentmem.policies.filters import AllOf, AnyOf, Comparison, Condition, Not, Path, Test
from langgraph_agentmem.storage.rows import as_json
from langgraph_agentmem.storage.statements import template

_ORDERS: dict[str, LiteralString] = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "equal": "="}
_FRAGMENTS: dict[Test, str] = {
    "equal": "equal",
    "null": "null",
    "object": "object",
    "list": "list",
    "present": "present",
    "element": "element",
    "substring": "substring",
}
_VALUE = sql.SQL("s.value")

Params = dict[str, Any]


def compiled(condition: Condition) -> tuple[sql.Composable, Params]:
    """SQL that is true or false of `s.value`, and its parameters."""
    params: Params = {}
    return _sql(condition, params), params


def _sql(condition: Condition, params: Params) -> sql.Composable:
    match condition:
        case Comparison():
            return _comparison(condition, params)
        case Not():
            return sql.SQL("NOT ({})").format(_sql(condition.condition, params))
        case AllOf():
            return _joined(" AND ", "TRUE", condition.conditions, params)
        case AnyOf():
            return _joined(" OR ", "FALSE", condition.conditions, params)


def _joined(
    word: LiteralString, empty: LiteralString, conditions: tuple[Condition, ...], params: Params
) -> sql.Composable:
    if not conditions:
        return sql.SQL(empty)
    return sql.SQL("({})").format(sql.SQL(word).join([_sql(condition, params) for condition in conditions]))


def _comparison(comparison: Comparison, params: Params) -> sql.Composable:
    target, operand = _target(comparison.path, params), comparison.operand
    fragment = _FRAGMENTS.get(comparison.test) or ("text" if isinstance(operand, str) else "number")
    if isinstance(operand, datetime):
        fragment = "instant"
    elif fragment in ("equal", "element", "number"):
        operand = as_json(operand)
    order = sql.SQL(_ORDERS.get(comparison.test, ""))
    compared = sql.SQL("NULL") if operand is None else _new(operand, params)
    return template("filters", fragment).format(target=target, order=order, operand=compared)


def _target(path: Path, params: Params) -> sql.Composable:
    target: sql.Composable = _VALUE
    for step in path:
        if isinstance(step, int):
            target = template("filters", "position").format(target=target, key=_new(step, params))
        elif "." in step:
            parts = {"key": _new(step, params), "path": _new(step.split("."), params)}
            target = template("filters", "dotted_step").format(target=target, **parts)
        else:
            target = template("filters", "step").format(target=target, key=_new(step, params))
    return target


def _new(value: Any, params: Params) -> sql.Composable:
    name = f"filter_{len(params)}"
    params[name] = value
    return sql.Placeholder(name)
