"""The time that a search is asked for: now, or an earlier one, on a slider or typed."""

from datetime import datetime, timedelta
from typing import Final, NamedTuple

from nicegui import ui
from nicegui.events import ValueChangeEventArguments

from langgraph_agentmem.errors import InvalidInputError
from langgraph_agentmem.inspector import parts
from langgraph_agentmem.views.markup import moment

_STEPS: Final = 1000


class Reach(NamedTuple):
    """The time that a tenant's memory knows, until now."""

    since: datetime
    now: datetime

    def at(self, step: float) -> datetime | None:
        """The time at a step of the slider; None at its end, which is now and goes on."""
        return None if step >= _STEPS else self.since + (self.now - self.since) * (step / _STEPS)

    def step(self, at: datetime | None) -> int:
        """The step that is nearest to a time."""
        if at is None or at >= self.now:
            return _STEPS
        return round(max((at - self.since) / (self.now - self.since), 0.0) * _STEPS)

    def typed(self, at: datetime | None) -> str:
        """A time as the field for dates takes it, as exact as the slider is."""
        exact = self.now - self.since < timedelta(hours=1)
        return at.replace(tzinfo=None).isoformat(timespec="milliseconds" if exact else "seconds") if at else ""


class AsOf:
    """A slider over a span, and the same time as a text that can be typed."""

    def __init__(self, span: Reach | None, asked: str) -> None:
        self._span, self._asked = span, asked
        self.typed: ui.input = ui.input("As of (UTC)", value=asked).props("type=datetime-local step=any stack-label")

    @property
    def text(self) -> str:
        """The time that was chosen, as an address holds it; empty for now."""
        return self.typed.value or ""

    def slide(self, act: parts.Action) -> None:
        """Show the slider; when it is let go, at a time, something is done."""
        if self._span is None:
            return
        at = _time(self._asked)
        ends = f"From {moment(self._span.since)} UTC, when its memory begins, until now"
        slider = ui.slider(min=0, max=_STEPS, value=self._span.step(at), on_change=self._moved)
        slider.classes("grow").style("min-width: 10rem; width: auto").props('aria-label="As of"').tooltip(ends)
        # a value that is on its way while the slider moves is not asked for
        slider.on("change", act)
        self._shown = ui.label(_said(at)).classes("text-sm").style("min-width: 11rem").props("aria-live=polite")

    def _moved(self, event: ValueChangeEventArguments[float | None]) -> None:
        assert self._span is not None
        at = self._span.at(event.value or 0.0)
        self.typed.value, self._shown.text = self._span.typed(at), _said(at)


def _said(at: datetime | None) -> str:
    return f"{moment(at, exact=True)} UTC" if at else "now"


def _time(asked: str) -> datetime | None:
    """The time of a text; what is none is told where it is searched by."""
    try:
        return parts.time_of(asked)
    except InvalidInputError:
        return None
