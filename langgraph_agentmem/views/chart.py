"""A line that shows how sure memory was of something, over time."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from langgraph_agentmem.views.markup import Html, element, joined, moment
from langgraph_agentmem.views.timeline import VALID

_LEFT, _TOP, _WIDTH, _HEIGHT = 36.0, 12.0, 420.0, 110.0


class Point(NamedTuple):
    """A confidence, 0 to 1, since when it holds, and what has changed it."""

    at: datetime
    confidence: float
    said: str = ""


def confidence(points: Sequence[Point]) -> Html:
    """Steps from change to change, each marked, as SVG; nothing without a point."""
    if not points:
        return Html()
    spots = list(zip(_places(points), map(_height, points), strict=True))
    return element(
        "svg",
        *_scale(),
        element("path", d=_steps(spots), fill="none", stroke=VALID, stroke_width=2),
        *(
            _mark(x, y, point, below=y > before)
            for (x, y), (_, before), point in zip(spots, [spots[0], *spots], points, strict=False)
        ),
        _text(_LEFT, _TOP + _HEIGHT + 18, moment(points[0].at), "start"),
        _text(_LEFT + _WIDTH, _TOP + _HEIGHT + 18, "now", "end"),
        xmlns="http://www.w3.org/2000/svg",
        width=_LEFT + _WIDTH + 14,
        height=_TOP + _HEIGHT + 28,
        viewBox=f"0 0 {_LEFT + _WIDTH + 14:g} {_TOP + _HEIGHT + 28:g}",
        font_family="system-ui, sans-serif",
        role="img",
    )


def _places(points: Sequence[Point]) -> list[float]:
    """Where on the axis each change lies: by its time, but so far apart that marks can be told from each other."""
    first, last = points[0].at, points[-1].at
    length, apart = (last - first).total_seconds() or 1.0, min(14.0, _WIDTH * 0.85 / len(points))
    wanted = [(point.at - first).total_seconds() / length * _WIDTH * 0.85 for point in points]
    places = [0.0]
    for place in wanted[1:]:
        places.append(max(place, places[-1] + apart))
    fitting = min(1.0, _WIDTH * 0.9 / max(places[-1], 1.0))
    return [_LEFT + 4 + place * fitting for place in places]


def _height(point: Point) -> float:
    return _TOP + _HEIGHT * (1 - min(max(point.confidence, 0.0), 1.0))


def _steps(spots: list[tuple[float, float]]) -> str:
    """It stays as it is until a change, and after the last one until now."""
    path = f"M{spots[0][0]:.1f} {spots[0][1]:.1f}"
    path += "".join(f"H{x:.1f}V{y:.1f}" for x, y in spots[1:])
    return f"{path}H{_LEFT + _WIDTH:.1f}"


def _mark(x: float, y: float, point: Point, *, below: bool) -> Html:
    """A point, and its figure, which stands where the line does not come from."""
    said = f"{moment(point.at)}: {point.confidence:.2f} {point.said}".strip()
    label = _text(x, y + 16 if below or y < _TOP + 14 else y - 7, f"{point.confidence:.2f}", "start")
    return joined(element("circle", element("title", said), cx=x, cy=y, r=3.5, fill=VALID), label)


def _scale() -> list[Html]:
    lines = list[Html]()
    for share in (0.0, 0.5, 1.0):
        y = _TOP + _HEIGHT * (1 - share)
        line = element("line", x1=_LEFT, x2=_LEFT + _WIDTH, y1=y, y2=y, stroke="#808080", stroke_opacity="0.45")
        lines += [line, _text(_LEFT - 6, y + 4, f"{share:.1f}", "end")]
    return lines


def _text(x: float, y: float, said: str, anchor: str) -> Html:
    return element("text", said, x=x, y=y, font_size=11, fill="currentColor", text_anchor=anchor)
