"""Work that keeps Python busy goes to a thread, so that others on the event loop are served meanwhile."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar, cast

import anyio.to_thread

T = TypeVar("T")
LONG = 4000
"""Characters or numbers that take about as long to work through as a thread is worth: a few milliseconds."""


async def worked(size: int, function: Callable[[], T]) -> T:
    """What a function returns, called in a thread if it takes long.

    Args:
        size: Characters or numbers that it works through.
        function: Pure, or careful with what it shares.
    """
    return await anyio.to_thread.run_sync(function) if size > LONG else function()


def extent(values: Iterable[Any]) -> int:
    """How many characters and parts some JSON values have; counted no further than to more than `LONG`."""
    size, left = 0, [*values]
    while left and size <= LONG:
        value = left.pop()
        size += len(cast("str", value)) if isinstance(value, str | bytes) else 1
        if isinstance(value, dict):
            left.extend(cast("dict[Any, Any]", value).values())
        elif isinstance(value, list | tuple):
            left.extend(cast("list[Any]", value))
    return size
