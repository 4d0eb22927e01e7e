"""The files of Claude's memory tool: their paths, what a view shows of them, and edits of their texts."""

from collections.abc import Mapping, Sequence
from itertools import islice
from urllib.parse import unquote

from langgraph_agentmem.errors import InvalidInputError
from langgraph_agentmem.policies.editing import occurrences

ROOT = "/memories"
_DEPTH = 2
"""Levels of directories that a view lists."""
_NUMBER_WIDTH = 6
_AROUND = 2
"""Lines that are shown before and after an edit."""
_MOST_PLACES = 20
"""Occurrences whose lines are named."""


def name_of(path: str) -> str:
    """The section that a path names; empty for the root.

    Raises:
        InvalidInputError: The path leads elsewhere.
    """
    parts = unquote(path).replace("\\", "/").rstrip("/").split("/")
    if f"/{'/'.join(parts[1:2])}" != ROOT or parts[0]:
        raise InvalidInputError(f"Path must start with {ROOT}, got: {path}")
    names = parts[2:]
    if any(part in ("", ".", "..") or part != part.strip() for part in names):
        raise InvalidInputError(f"Path {path} would escape the {ROOT} directory, or names nothing")
    return "/".join(names)


def path_of(name: str) -> str:
    """The path of a section, or of a directory."""
    return f"{ROOT}/{name}" if name else ROOT


def under(names: Mapping[str, str], directory: str) -> dict[str, str]:
    """The files in a directory, at whatever depth, by what their names go on with behind it."""
    prefix = f"{directory}/" if directory else ""
    return {name.removeprefix(prefix): text for name, text in sorted(names.items()) if name.startswith(prefix)}


def listing(path: str, files: Mapping[str, str]) -> str:
    """A directory, two levels deep, with the sizes of what is in it."""
    sizes: dict[str, int] = {}
    for name, text in files.items():
        parts = name.split("/")
        if any(part.startswith(".") for part in parts):
            continue
        for depth in range(1, min(len(parts), _DEPTH) + 1):
            shown = "/".join(parts[:depth]) + ("/" if depth < len(parts) else "")
            sizes[shown] = sizes.get(shown, 0) + len(text.encode())
    total = sum(len(text.encode()) for text in files.values())
    lines = [f"{_size(total)}\t{path}", *(f"{_size(size)}\t{path}/{name}" for name, size in sizes.items())]
    header = f"Here're the files and directories up to {_DEPTH} levels deep in {path}, excluding hidden items:"
    return "\n".join([header, *lines])


def viewed(path: str, text: str, view_range: Sequence[int] | None) -> str:
    """A file with the numbers of its lines, all or from the first to the last of a range; -1 is the end.

    Raises:
        InvalidInputError: The range is none of the file's.
    """
    lines = text.split("\n")
    first, last = _range(view_range, len(lines))
    return f"Here's the content of {path} with line numbers:\n{_numbered(lines, first, last)}"


def replaced(path: str, text: str, old: str, new: str) -> tuple[str, str]:
    """A text with one of its parts replaced, and what is told of it.

    Raises:
        InvalidInputError: The part does not occur exactly once.
    """
    places = list(islice(occurrences(text, old), _MOST_PLACES + 1))
    if not places:
        raise InvalidInputError(f"No replacement was performed, old_str `{old}` did not appear verbatim in {path}.")
    numbers = [text.count("\n", 0, at) + 1 for at in places]
    if len(places) > 1:
        raise InvalidInputError(
            f"No replacement was performed. Multiple occurrences of old_str `{old}` in lines: "
            f"{', '.join(map(str, numbers[:_MOST_PLACES]))}{', …' if len(numbers) > _MOST_PLACES else ''}. "
            "Please ensure it is unique"
        )
    after = text[: places[0]] + new + text[places[0] + len(old) :]
    lines = after.split("\n")
    shown = _numbered(lines, max(1, numbers[0] - _AROUND), min(len(lines), numbers[0] + _AROUND))
    return (
        after,
        f"The memory file has been edited. Here is the snippet showing the change (with line numbers):\n{shown}",
    )


def inserted(text: str, line: int, new: str) -> str:
    """A text with lines behind one of its own; 0 puts them at its beginning.

    Raises:
        InvalidInputError: There is no such line.
    """
    lines = text.split("\n")
    lines = lines[:-1] if lines[-1] == "" else lines
    if not 0 <= line <= len(lines):
        raise InvalidInputError(
            f"Invalid `insert_line` parameter: {line}. It should be within the range [0, {len(lines)}]."
        )
    return "\n".join([*lines[:line], new.rstrip("\n"), *lines[line:], ""])


def _range(view_range: Sequence[int] | None, lines: int) -> tuple[int, int]:
    if not view_range:
        return 1, lines
    first, last = view_range[0], lines if view_range[-1] == -1 else view_range[-1]
    if len(view_range) != 2 or not 1 <= first <= min(last, lines):
        raise InvalidInputError(f"Invalid `view_range` parameter: {list(view_range)}. The file has {lines} lines.")
    return first, min(last, lines)


def _numbered(lines: Sequence[str], first: int, last: int) -> str:
    return "\n".join(f"{number:>{_NUMBER_WIDTH}}\t{lines[number - 1]}" for number in range(first, last + 1))


def _size(count: int) -> str:
    return f"{count}B" if count < 1024 else f"{count / 1024:.1f}K"
