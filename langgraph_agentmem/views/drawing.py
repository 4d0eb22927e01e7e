"""The entity graph as a picture: SVG, and Mermaid's text."""

import math
import unicodedata
from collections.abc import Sequence
from numbers import Integral
from typing import Final

from langgraph_agentmem.errors import InvalidInputError
from langgraph_agentmem.models.base import counted
from langgraph_agentmem.models.graph import EntityDrawing, GraphPath, Neighborhood
from langgraph_agentmem.views import layout, mermaid
from langgraph_agentmem.views.layout import Box, Line
from langgraph_agentmem.views.markup import Html, block, element, joined
from langgraph_agentmem.views.picture import DrawnEntity, Link, Picture, picture

LIMIT: Final = 20
"""Entities of a drawing, unless the caller says otherwise."""
MOST: Final = 60
"""The most entities of a drawing: with more, no picture can be read."""

_LONGEST = 26
_INK, _LINE = "#1b1f24", "#808891"
_FILLS = ("#cfe0f7", "#fbe3b5", "#cfe8d0", "#e6d8f5", "#f6d3cc", "#cdeae8", "#ece5c3", "#e3e3e0")
"""By the kind of an entity, in the order of the alphabet; what comes after them looks like the last."""


def draw(found: Neighborhood, *, limit: int = LIMIT) -> EntityDrawing:
    """A drawing of entities and the relationships between them; the same for the same graph.

    Entities of one name and first type are one node. Where there are more than the limit, the nearest, then the best
    connected, then the most important are drawn, and a note says how many are not. What is only in short-term memory
    has a dashed border.

    Args:
        found: What `memory.graph.neighborhood` has found; `memory.draw_entities` finds and draws in one call.
        limit: The most entities, 1 to 60; 20 by default.

    Raises:
        InvalidInputError: The limit is none of these.

    Examples:
        >>> around = memory.graph.neighborhood("alice", ["Ada"], depth=2)
        >>> print(draw(around, limit=2).mermaid)
        flowchart LR
            e0["Ada"]:::short
            e1["Engine"]:::short
            e0 --> e1
            rest["1 more entity is left out"]:::note
            classDef short stroke-dasharray: 4 3
            classDef note fill:none,stroke:none
    """
    shown = picture(found, checked(limit))
    return EntityDrawing(
        svg=str(svg(shown)),
        mermaid=mermaid.flowchart(shown),
        entities=[node.name for node in shown.nodes],
        left_out=shown.left_out,
    )


def checked(limit: object) -> int:
    """How many entities may be drawn.

    Raises:
        InvalidInputError: So many cannot.
    """
    if isinstance(limit, bool) or not isinstance(limit, Integral) or not 1 <= int(limit) <= MOST:
        raise InvalidInputError(f"limit must be from 1 to {MOST}, as a drawing of more cannot be read, not {limit!r}")
    return int(limit)


def neighborhoods(found: Sequence[Neighborhood]) -> Html:
    """A picture of each neighborhood."""
    return joined(*(_pictured(each) for each in found))


def paths(found: Sequence[GraphPath]) -> Html:
    """A picture of each path."""
    return joined(
        *(_pictured(Neighborhood(entities=path.entities, relationships=path.relationships)) for path in found)
    )


def _pictured(found: Neighborhood) -> Html:
    shown = picture(found, LIMIT)
    return block(counted(len(shown.nodes) + shown.left_out, "entity", "entities"), svg(shown))


def svg(shown: Picture) -> Html:
    """A picture; a note alone where there is nothing to draw."""
    if not shown.nodes:
        return _canvas([], 220, 40, "no entities")
    boxes, lines, labels = _arranged(shown)
    fills = _fills(shown.nodes)
    parts = [
        *(_drawn_line(line, link, shown.nodes) for line, link in zip(lines, shown.links, strict=True)),
        *(_drawn_node(box, node, fills) for box, node in zip(boxes, shown.nodes, strict=True)),
        *(_drawn_label(box, link) for box, link in zip(labels, shown.links, strict=True) if box),
    ]
    return _framed(parts, [*boxes, *filter(None, labels)], _note(shown))


def _arranged(shown: Picture) -> tuple[list[Box], list[Line], list[Box | None]]:
    """Boxes and labels; further apart where some label had no room, up to a point."""
    ends = [(link.source, link.target) for link in shown.links]
    label_sizes = [(_width(_said(link), 11) + 8, 16.0) for link in shown.links]
    spots, sizes = layout.settled(len(shown.nodes), ends), [_size(node) for node in shown.nodes]
    for spread in (1.0, 1.2, 1.45, 1.75, 2.1, 2.5):
        boxes = layout.placed(spots, sizes, ends, spread)
        # two lines in opposite directions stand beside each other
        lines = [_line(boxes[a], boxes[b], 7.0 if (b, a) in ends else 0.0) for a, b in ends]
        labels = layout.labelled(lines, label_sizes, boxes)
        if None not in labels:
            break
    return boxes, lines, labels


def _line(source: Box, target: Box, aside: float) -> Line:
    """From border to border, so far beside the middle; a loop at a corner where both ends are the same."""
    if source == target:
        corner = source.x + source.width / 2, source.y - source.height / 2
        return Line(corner[0] - 14, corner[1], corner[0] + 22, corner[1] - 18)
    across, down = target.x - source.x, target.y - source.y
    length = math.hypot(across, down)
    across, down = across / length, down / length
    x1, y1 = source.x - down * aside, source.y + across * aside
    x2, y2 = target.x - down * aside, target.y + across * aside
    out, before = source.way_out(x1, y1, across, down), target.way_out(x2, y2, -across, -down) + 1
    return Line(x1 + across * out, y1 + down * out, x2 - across * before, y2 - down * before)


def _size(node: DrawnEntity) -> tuple[float, float]:
    width = max(_width(_short(node.name), 13), _width(_short(node.kind), 10))
    return max(width + 22, 48.0), 40.0 if node.kind else 30.0


def _width(text: str, size: float) -> float:
    """About how wide a text is; fonts differ, so rather too much."""
    return size * sum(map(_share, text))


def _share(character: str) -> float:
    if unicodedata.east_asian_width(character) in "WF":
        return 1.05
    if unicodedata.combining(character):
        return 0.0
    return 0.75 if character.isupper() or character in "mwMW@%—" else 0.58


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"


def _said(link: Link) -> str:
    return _short(", ".join(link.kinds))


def _fills(nodes: Sequence[DrawnEntity]) -> dict[str, str]:
    kinds = sorted({node.kind for node in nodes if node.kind})
    return {kind: _FILLS[min(at, len(_FILLS) - 1)] for at, kind in enumerate(kinds)} | {"": _FILLS[-1]}


def _drawn_node(box: Box, node: DrawnEntity, fills: dict[str, str]) -> Html:
    dashes = "4 3" if node.tier == "shortterm" else None
    return element(
        "g",
        element("title", ", ".join(filter(None, [node.name, node.kind, node.tier]))),
        element(
            "rect",
            x=box.x - box.width / 2,
            y=box.y - box.height / 2,
            width=box.width,
            height=box.height,
            rx=8,
            fill=fills[node.kind],
            stroke="#5c6670",
            stroke_width=1.2,
            stroke_dasharray=dashes,
        ),
        _text(_short(node.name), box.x, box.y - 2 if node.kind else box.y + 4.5, 13, "600"),
        _text(_short(node.kind), box.x, box.y + 13, 10) if node.kind else "",
    )


def _drawn_line(line: Line, link: Link, nodes: Sequence[DrawnEntity]) -> Html:
    """A line with an arrow of its own: markers are named, and those of several pictures on a page would be mixed up."""
    said = f"{nodes[link.source].name} {', '.join(link.kinds)} {nodes[link.target].name}"
    across, down = line.x2 - line.x1, line.y2 - line.y1
    length = math.hypot(across, down) or 1.0
    across, down = across / length, down / length
    back = (line.x2 - across * 9, line.y2 - down * 9)
    left = (back[0] - down * 4, back[1] + across * 4)
    right = (back[0] + down * 4, back[1] - across * 4)
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in ((line.x2, line.y2), left, right))
    return element(
        "g",
        element("title", said),
        element("line", x1=line.x1, y1=line.y1, x2=back[0], y2=back[1], stroke=_LINE, stroke_width=1.3),
        element("polygon", points=points, fill=_LINE),
    )


def _drawn_label(box: Box, link: Link) -> Html:
    """On a ground of its own, as nobody knows the colour of the page."""
    if not link.kinds:
        return Html()
    left, top = box.x - box.width / 2, box.y - box.height / 2
    ground = element("rect", x=left, y=top, width=box.width, height=box.height, rx=4, fill="#f3f4f6", stroke="#c3c8ce")
    return element("g", ground, _text(_said(link), box.x, box.y + 4, 11))


def _text(said: str, x: float, y: float, size: float, weight: str | None = None) -> Html:
    return element("text", said, x=x, y=y, font_size=size, font_weight=weight, fill=_INK, text_anchor="middle")


def _note(shown: Picture) -> str:
    left_out = f"{counted(shown.left_out, 'more entity is', 'more entities are')} left out" if shown.left_out else ""
    dashed = "dashed: short-term memory only" if any(node.tier == "shortterm" for node in shown.nodes) else ""
    return "; ".join(filter(None, [left_out, dashed]))


def _framed(parts: list[Html], boxes: Sequence[Box], said: str) -> Html:
    """All of it, moved to where a canvas begins."""
    left = min(box.x - box.width / 2 for box in boxes) - 14
    top = min(box.y - box.height / 2 for box in boxes) - 14
    right = max(box.x + box.width / 2 for box in boxes) + 14
    bottom = max(box.y + box.height / 2 for box in boxes) + 14
    moved = element("g", *parts, transform=f"translate({-left:.1f} {-top:.1f})")
    return _canvas([moved], max(right - left, _width(said, 11) + 36), bottom - top, said)


def _canvas(parts: list[Html], width: float, height: float, said: str) -> Html:
    """A picture with a note below; the note has a ground of its own, as labels do."""
    below = height + (28 if said else 0)
    ground = element(
        "rect", x=8, y=height + 2, width=_width(said, 11) + 16, height=20, rx=4, fill="#f3f4f6", stroke="#c3c8ce"
    )
    text = element("text", said, x=16, y=height + 16, font_size=11, fill=_INK)
    return element(
        "svg",
        *parts,
        *([ground, text] if said else []),
        xmlns="http://www.w3.org/2000/svg",
        width=width,
        height=below,
        viewBox=f"0 0 {width:.1f} {below:.1f}",
        font_family="system-ui, sans-serif",
        role="img",
        style="max-width:100%;height:auto",
    )
