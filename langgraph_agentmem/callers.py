"""Who calls a sync method: whether the event loop of its thread may be blocked, and what the caller has called."""

import asyncio
import inspect
from collections.abc import Iterator
from types import FrameType

_NOTEBOOKS = ("ipykernel", "google.colab", "marimo")
_CONSOLES = ("IPython.core.async_helpers", "asyncio.__main__")
"""What runs a loop for a person who types: a cell may block it, as it waits for the cell anyway."""
_LIBRARIES = ("langgraph", "langgraph_agentmem", "langchain", "langchain_core", "langmem", "deepagents")


def on_busy_loop() -> bool:
    """Whether this thread runs an event loop that serves others, which a sync call would keep waiting."""
    return on_running_loop() and not typed()


def on_running_loop() -> bool:
    """Whether this thread runs an event loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def typed() -> bool:
    """Whether this thread's event loop is that of a notebook's kernel, or of a console, and not of an application."""
    return any(_within(_module(frame), (*_NOTEBOOKS, *_CONSOLES)) for frame in _frames())


def call(name: str, twin: str) -> tuple[str, str]:
    """What the application has called, and its async twin: `graph.invoke` rather than the method that came of it.

    Args:
        name: The method that was reached.
        twin: Its async twin.
    """
    for frame in _frames():
        if not _within(_module(frame), _LIBRARIES):
            break  # the application; what stands above it is not what it has called
        caller: object = frame.f_locals.get("self")
        method = frame.f_code.co_name
        if not method.startswith("_") and hasattr(caller, f"a{method}"):
            name, twin = method, f"a{method}"
    return name, twin


def _frames() -> Iterator[FrameType]:
    """Those that led here, the latest first, without this module's and those that only pass calls on."""
    frame = inspect.currentframe()
    while frame is not None:
        if _module(frame) not in (__name__, "langgraph_agentmem.bridge", "contextlib"):
            yield frame
        frame = frame.f_back


def _module(frame: FrameType) -> str:
    # a module that is run as a program is called otherwise
    spec = frame.f_globals.get("__spec__")
    return str(spec.name if spec is not None else frame.f_globals.get("__name__", ""))


def _within(module: str, roots: tuple[str, ...]) -> bool:
    return any(module == root or module.startswith(f"{root}.") for root in roots)
