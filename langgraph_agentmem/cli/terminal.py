"""How commands talk: results on standard output, what is wrong in one line on standard error."""

import functools
import logging
import re
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final, ParamSpec, TypeVar

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from langgraph_agentmem.errors import AgentMemoryError

_STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Characters that move the cursor, colour what follows, or turn the direction of writing."""
P = ParamSpec("P")
R = TypeVar("R")

out: Final = Console(highlight=False, soft_wrap=True)
err: Final = Console(stderr=True, highlight=False, soft_wrap=True)


def report_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Let a command end with one line and exit code 1 where one of the package's own errors comes out of it."""

    @functools.wraps(command)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except AgentMemoryError as error:
            err.print(f"[red]error:[/red] {in_one_line(str(error))}")
            raise typer.Exit(1) from None
        except KeyboardInterrupt:
            raise typer.Exit(130) from None

    return call


def in_one_line(text: str) -> str:
    """A text, which may hold anything, as it is printed in one line."""
    return as_text(" ".join(text.split()))


def as_text(text: str) -> str:
    """A text as it is printed: no markup, and nothing in it steers the terminal."""
    return escape(_STEERING.sub(lambda found: f"\\x{ord(found[0]):02x}", text))


def ago(seconds: float) -> str:
    """A time that has passed, in its largest unit."""
    whole = max(0, round(seconds))
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if whole >= size:
            return f"{whole // size} {unit}"
    return f"{whole} s"


def log_warnings() -> None:
    """Let logs of level WARNING and above go to standard error, a line each with its time."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")


def listening(url: str) -> None:
    """Say where a server is reached."""
    err.print(f"listening on {url}", markup=False)


@contextmanager
def progress_bar(what: str) -> Generator[Callable[[int, int | None], None]]:
    """A bar on standard error, told (done, total); silent where that is no terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
