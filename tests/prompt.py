"""Runs the examples of docstrings as a Python prompt that knows `await` would."""

import ast
import asyncio
import contextlib
import doctest
import io
import traceback
from types import FunctionType
from typing import Any

_CHECKER = doctest.OutputChecker()


def examples(docstring: str) -> list[doctest.Example]:
    """What stands behind `>>>` in a docstring."""
    return doctest.DocTestParser().get_examples(docstring)


def differences(shown: list[doctest.Example], names: dict[str, Any]) -> list[str]:
    """What each example prints instead of what it shows; statements that await share one event loop."""
    names = {**names}
    found: list[str] = []
    with asyncio.Runner() as runner:
        for example in shown:
            printed = _printed(example.source, names, runner)
            if not _CHECKER.check_output(example.want, printed, doctest.ELLIPSIS):
                found.append(f">>> {example.source}expected:\n{example.want}got:\n{printed}")
    return found


def _printed(source: str, names: dict[str, Any], runner: asyncio.Runner) -> str:
    code = compile(source, "<example>", "single", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        try:
            result = FunctionType(code, names)()
            if asyncio.iscoroutine(result):
                runner.run(result)
        except Exception:
            print(traceback.format_exc())
    return printed.getvalue()
