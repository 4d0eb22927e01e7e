"""Turns filters into SQL: fixed fragments, in which every key and operand is a parameter."""

from datetime import datetime
from typing import Any

from langgraph_agentmem.policies.filters import AllOf, AnyOf, Comparison, Condition, Not, Path, Test
from langgraph_agentmem.storage.driver.rows import as_array, as_json
from langgraph_agentmem.storage.driver.statements import statements

_SQL = {name: body.decode() for name, body in statements("filters").items()}
_ORDERS: dict[str, str] = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "equal": "="}
_FRAGMENTS: dict[Test, str] = {
    "equal": "equal",
    "among": "among",
    "null": "null",
    "object": "object",
    "list": "list",
    "present": "present",
    "element": "element",
    "substring": "substring",
}
_VALUE = "s.value"
_BOUND = "b.bound_value"
_SHORT_PATH = 4
"""Steps that may be repeated where a condition says its target several times."""

FilterParams = dict[str, Any]


def compiled(condition: Condition) -> tuple[str, FilterParams]:
    """SQL that is true or false of `s.value`, and its parameters."""
    compiler = _Compiler()
    return compiler.text(condition), compiler.params


class _Compiler:
    """Collects parameters: one for each operand, and one for each key, however often it is looked under."""

    def __init__(self) -> None:
        self.params: FilterParams = {}
        self._keys: dict[str | int, str] = {}
        self._paths: dict[str, str] = {}

    def text(self, condition: Condition) -> str:
        match condition:
            case Comparison():
                return self._comparison(condition)
            case Not():
                return f"NOT ({self.text(condition.condition)})"
            case AllOf():
                return self._joined(" AND ", "TRUE", condition.conditions)
            case AnyOf():
                return self._joined(" OR ", "FALSE", condition.conditions)

    def _joined(self, word: str, empty: str, conditions: tuple[Condition, ...]) -> str:
        if not conditions:
            return empty
        return f"({word.join([self.text(condition) for condition in conditions])})"

    def _comparison(self, comparison: Comparison) -> str:
        target = self._target(comparison.path)
        if not _long(comparison.path):
            return self._compared(comparison, target)
        return _SQL["bound"].format(target=target, condition=self._compared(comparison, _BOUND))

    def _compared(self, comparison: Comparison, target: str) -> str:
        operand = comparison.operand
        fragment = _FRAGMENTS.get(comparison.test) or ("text" if isinstance(operand, str) else "number")
        if isinstance(operand, datetime):
            fragment = "instant"
        elif fragment == "among":
            operand = as_array(map(as_json, operand))
        elif fragment in ("equal", "element", "number"):
            operand = as_json(operand)
        order = _ORDERS.get(comparison.test, "")
        # of tests without an operand, whose fragments do not mention it
        compared = "NULL" if operand is None else self._new(operand)
        return _SQL[fragment].format(target=target, order=order, operand=compared)

    def _target(self, path: Path) -> str:
        """What stands at a path; only the first dotted step repeats what it looks into, or this would double."""
        target: str = _VALUE
        name = "dotted_step" if len(path) <= _SHORT_PATH else "dotted_step_inside"
        for step in path:
            if isinstance(step, int):
                target = _SQL["position"].format(target=target, key=self._key(step))
            elif "." in step:
                target = _SQL[name].format(target=target, key=self._key(step), path=self._split(step))
                name = "dotted_step_inside"
            else:
                target = _SQL["step"].format(target=target, key=self._key(step))
        return target

    def _key(self, step: str | int) -> str:
        if step not in self._keys:
            self._keys[step] = self._new(step)
        return self._keys[step]

    def _split(self, step: str) -> str:
        if step not in self._paths:
            self._paths[step] = self._new(step.split("."))
        return self._paths[step]

    def _new(self, value: Any) -> str:
        name = f"filter_{len(self.params)}"
        self.params[name] = value
        return f"%({name})s"


def _long(path: Path) -> bool:
    return len(path) > _SHORT_PATH or sum(isinstance(step, str) and "." in step for step in path) > 1
