"""Log records never quote memory: an error is described, not printed, and no traceback is written."""

import ast
from pathlib import Path

import pytest

import langgraph_agentmem

SOURCES = sorted(Path(langgraph_agentmem.__file__).parent.rglob("*.py"))


def quoting(source: str) -> list[str]:
    """Calls of a logger that print an error as it is, or a traceback."""
    found: list[str] = []
    for call in ast.walk(ast.parse(source)):
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)):
            continue
        if ast.unparse(call.func.value) != "_logger":
            continue
        plain = [ast.unparse(argument) for argument in call.args[1:] if isinstance(argument, ast.Name)]
        tracebacks = call.func.attr == "exception" or any(keyword.arg == "exc_info" for keyword in call.keywords)
        if tracebacks or any("error" in name for name in plain) or any(isinstance(a, ast.JoinedStr) for a in call.args):
            found.append(ast.unparse(call))
    return found


def test_no_logger_prints_an_error_as_it_is():
    assert {path.name: found for path in SOURCES if (found := quoting(path.read_text()))} == {}


@pytest.mark.parametrize(
    "bad",
    [
        "_logger.warning('failed: %s', error)",
        "_logger.exception('failed')",
        "_logger.error('failed', exc_info=True)",
        "_logger.info(f'failed: {content}')",
    ],
)
def test_the_check_finds_what_it_looks_for(bad):
    assert quoting(bad)
