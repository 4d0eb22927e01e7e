"""Bars that show from when until when something holds."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from langgraph_agentmem.views.markup import Html, element, moment

_WIDTH, _HEIGHT = 160.0, 14.0
VALID, ENDED = "#4c8dd6", "#9a9fa6"
"""Of what holds still, and of what has ended: both stand out on a light page and on a dark one."""


class Validity(NamedTuple):
    """From when until when something holds; without an end it holds still."""

    start: datetime
    end: datetime | None = None


class Axis(NamedTuple):
    """The time that bars beside each other share."""

    start: datetime
    end: datetime

    @classmethod
    def of(cls, spans: Sequence[Validity]) -> "Axis":
        """An axis that all spans fit on, with room for what holds still."""
        start = min(span.start for span in spans)
        last = max([span.start for span in spans] + [span.end for span in spans if span.end])
        room = max((last - start) * 0.2, timedelta(seconds=1))
        return cls(start, last + room)

    def share(self, at: datetime) -> float:
        """Where a time lies on the axis, 0 to 1."""
        return min(max((at - self.start) / (self.end - self.start), 0.0), 1.0)

    def dates(self, span: Validity) -> str:
        """From when until when, in words; to the second where all is so near that minutes would not tell."""
        exact = self.end - self.start < timedelta(hours=1)
        return f"{moment(span.start, exact=exact)} – {moment(span.end, exact=exact) or 'now'}"

    @property
    def heading(self) -> str:
        """Of a column of bars: when it begins."""
        return f"valid, from {moment(self.start)} UTC"


def bar(span: Validity, axis: Axis) -> Html:
    """A bar on the axis, and its dates: an arrow where it holds still, a stop where it has ended."""
    said = element("div", axis.dates(span), style="font-size:11px;white-space:nowrap")
    return element("div", _drawn(span, axis), said)


def _drawn(span: Validity, axis: Axis) -> Html:
    left, middle = axis.share(span.start) * (_WIDTH - 12) + 1, _HEIGHT / 2
    right = max(axis.share(span.end) * (_WIDTH - 12) + 1 if span.end else _WIDTH - 8, left + 3)
    colour = ENDED if span.end else VALID
    arrow = f"M{right:.1f} 1L{_WIDTH - 1:.1f} {middle:.1f}L{right:.1f} {_HEIGHT - 1:.1f}z"
    stop = element("rect", x=right - 2, y=1, width=2.5, height=_HEIGHT - 2, fill=colour)
    ending = stop if span.end else element("path", d=arrow, fill=colour)
    track = element("rect", x=0, y=middle - 0.5, width=_WIDTH, height=1, fill="#808080", fill_opacity="0.45")
    body = element("rect", x=left, y=middle - 3.5, width=right - left, height=7, rx=1.5, fill=colour)
    return element(
        "svg",
        element("title", axis.dates(span)),
        track,
        body,
        ending,
        xmlns="http://www.w3.org/2000/svg",
        width=_WIDTH,
        height=_HEIGHT,
        viewBox=f"0 0 {_WIDTH:g} {_HEIGHT:g}",
        role="img",
    )
