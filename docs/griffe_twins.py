"""Lets the API reference show sync twins: `search = blocking(asearch)` is a method like any other to its readers."""

import ast
from typing import Any

import griffe

_TWINS = {"blocking", "either", "_twin"}


class Twins(griffe.Extension):
    """Makes methods of what `blocking` and `either` return."""

    def on_class_members(self, *, node: Any, cls: griffe.Class, agent: Any, **kwargs: Any) -> None:
        """Replace the twins of a class that has been read."""
        for name, member in list(cls.members.items()):
            if isinstance(member, griffe.Attribute) and (of := _twin_of(member)) in cls.members:
                cls.members[name] = _method(name, member, cls, cls.members[of], of)


def _twin_of(attribute: griffe.Attribute) -> str | None:
    """The name of the async method that an attribute is the twin of."""
    try:
        call = ast.parse(str(attribute.value), mode="eval").body
    except SyntaxError:
        return None
    if isinstance(call, ast.Call) and ast.unparse(call.func).rpartition(".")[2] in _TWINS and len(call.args) == 1:
        return ast.unparse(call.args[0])
    return None


def _method(name: str, at: griffe.Attribute, cls: griffe.Class, twin: Any, of: str) -> griffe.Function:
    method = griffe.Function(
        name,
        lineno=at.lineno,
        endlineno=at.endlineno,
        parent=cls,
        parameters=griffe.Parameters(*twin.parameters),
        returns=twin.returns,
        docstring=griffe.Docstring(f"`{of}`, for sync code."),
    )
    method.docstring.parent = method
    return method
