"""What pages are made of. Whatever was stored goes into labels, as text; only our own drawings are markup."""

import difflib
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

from nicegui import ui

from langgraph_agentmem.errors import AgentMemoryError, InvalidInputError
from langgraph_agentmem.views.markup import Html, moment

Action = Callable[[], Awaitable[object]]
T = TypeVar("T")


class Region:
    """A part of a page that is shown anew; what was asked for last stays, however long anything before it takes."""

    def __init__(self) -> None:
        self._column = ui.column().classes("w-full gap-2")
        self._asked = 0

    async def show(self, read: Callable[[], Awaitable[T]], draw: Callable[[T], object]) -> None:
        """Read, and draw what was found, or the error, in the place of what is shown."""
        self._asked += 1
        asked = self._asked
        try:
            drawn = partial(draw, await read())
        except AgentMemoryError as error:
            drawn = partial(problem, error)
        if asked == self._asked:
            self._column.clear()
            with self._column:
                drawn()


def card() -> AbstractContextManager[Any]:
    """A frame around what belongs together."""
    return ui.card().classes("w-full gap-1 p-3")


def line() -> AbstractContextManager[Any]:
    """Things beside each other, which break into lines on a narrow screen."""
    return ui.row().classes("w-full items-center gap-x-3 gap-y-1")


def heading(text: str) -> None:
    """The heading of a part."""
    ui.label(text).classes("text-base font-semibold mt-2").props('role="heading" aria-level="2"')


def said(text: str) -> None:
    """A stored text, with its lines."""
    ui.label(text).classes("whitespace-pre-wrap break-words w-full").style("overflow-wrap: anywhere")


def note(text: str) -> None:
    """A line in small print; nothing for an empty text."""
    if text:
        ui.label(text).classes("text-sm text-gray-600").style("overflow-wrap: anywhere")


def status(text: str) -> None:
    """What has been done."""
    ui.label(text).classes("rounded bg-green-100 px-2 py-1").props('role="status"')


def badge(text: str, colour: str = "#e3e3e0") -> None:
    """A word on a coloured ground; the colour is one of ours."""
    ui.label(text).classes("rounded-full px-2 text-xs text-black").style(f"background:{colour}")


def link(text: str, address: str) -> None:
    """A way to another page."""
    ui.link(text, address).style("overflow-wrap: anywhere")


def next_step(text: str, address: str) -> None:
    """The way to the page on which one goes on; it looks like a button."""
    ui.link(text, address).classes("rounded px-3 py-1 bg-primary text-white no-underline")


def drawing(markup: Html) -> None:
    """A view of ours, in which every text is escaped already; wide ones can be scrolled."""
    # what else is a string is no markup, whatever it says
    assert isinstance(markup, Html)
    ui.html(markup, sanitize=False).classes("max-w-full overflow-x-auto")


def problem(error: AgentMemoryError) -> None:
    """An error in the place of what it prevents."""
    with ui.card().classes("w-full bg-red-50").props('role="alert"'):
        ui.label(str(error)).style("overflow-wrap: anywhere")


def since(at: datetime | None) -> str:
    """A time, in UTC."""
    return f"{moment(at)} UTC" if at else ""


def changed_lines(before: str, after: str) -> None:
    """What differs between two texts, line by line."""
    for each in difflib.ndiff(before.splitlines(), after.splitlines()):
        if each[:1] in "+-":
            colour = "bg-green-100" if each[0] == "+" else "bg-red-100"
            ui.label(each).classes(f"whitespace-pre-wrap font-mono text-sm w-full {colour}").style(
                "overflow-wrap: anywhere"
            )


def told(act: Action) -> Action:
    """An action; what it cannot do is said."""

    async def acting() -> None:
        try:
            await act()
        except AgentMemoryError as error:
            ui.notify(str(error), type="negative", multi_line=True, timeout=0, close_button="Close")

    return acting


def button(text: str, act: Action, *, flat: bool = False) -> ui.button:
    """A button; what the action cannot do is said."""
    return ui.button(text, on_click=told(act)).props("no-caps dense" + (" flat" if flat else "")).classes("px-3")


def confirmed(text: str, question: str, act: Action) -> None:
    """A button whose action is asked about first."""

    async def ask() -> None:
        asking.set_visibility(True)

    first = button(text, ask, flat=True)
    with line() as asking:
        ui.label(question)
        button(f"Yes, {text[0].lower()}{text[1:]}", act)
    asking.set_visibility(False)
    first.bind_visibility_from(asking, "visible", backward=lambda visible: not visible)


def go(address: str) -> None:
    """Show another page, or this one anew."""
    ui.navigate.to(address)


def time_of(text: str) -> datetime | None:
    """A time that was entered, in UTC unless it says otherwise; None where nothing was.

    Raises:
        InvalidInputError: It is no time.
    """
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInputError(f"{text!r} is no time; it looks like 2026-05-01T14:00, in UTC") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
