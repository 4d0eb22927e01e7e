"""Results, printed from one value: as JSON for programs, or as a command tells them to people."""

import json
from collections.abc import Callable, Iterable

from pydantic_core import to_jsonable_python
from rich.table import Column, Table

from langgraph_agentmem.cli.terminal import in_one_line, out

_LONGEST = 72


def print_json(value: object) -> None:
    """Print a value as JSON; characters that would steer a terminal are escaped there."""
    text = json.dumps(to_jsonable_python(value), indent=2, ensure_ascii=False)
    out.print(_unsteering(text), markup=False, soft_wrap=True)


def tell(value: object, as_json: bool, people: Callable[[], None]) -> None:
    """Print a result: as JSON if that is asked for, else as `people` prints it."""
    if as_json:
        print_json(value)
    else:
        people()


def print_table(columns: Iterable[str], rows: Iterable[Iterable[object]], nothing: str) -> None:
    """Print rows of texts and numbers, each text in a line; or, if there are none, what that means."""
    first, *others = columns
    table = Table(Column(first, no_wrap=True), *others)  # by which a row is named in other commands
    for row in rows:
        table.add_row(*(cell(value) for value in row))
    if table.row_count:
        out.print(table)
    else:
        out.print(nothing)


def cell(value: object) -> str:
    """A value as it stands in a table; nothing for None."""
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else in_one_line(str(value))


def cut(text: str, longest: int = _LONGEST) -> str:
    """The beginning of a text, in a line."""
    line = " ".join(text.split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def _unsteering(text: str) -> str:
    # JSON has C0 escaped already
    return "".join(f"\\u{ord(each):04x}" if "\x7f" <= each <= "\x9f" else each for each in text)
