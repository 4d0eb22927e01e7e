"""Where boxes and the labels of lines between them stand in a drawing: always the same for the same graph."""

import math
from collections.abc import Sequence
from typing import NamedTuple


class Box(NamedTuple):
    """A rectangle, by its middle."""

    x: float
    y: float
    width: float
    height: float

    def overlap(self, other: "Box", margin: float = 0.0) -> tuple[float, float]:
        """How far two boxes reach into each other, across and down; not positive where they do not."""
        across = (self.width + other.width) / 2 + margin - abs(self.x - other.x)
        down = (self.height + other.height) / 2 + margin - abs(self.y - other.y)
        return across, down

    def meets(self, other: "Box", margin: float = 0.0) -> bool:
        """Whether two boxes overlap."""
        return min(self.overlap(other, margin)) > 0

    def way_out(self, x: float, y: float, across: float, down: float) -> float:
        """How far one has to go from a point within it, in a direction of length 1, to leave it."""
        ways = [
            (half + (at if step < 0 else -at)) / abs(step)
            for half, at, step in ((self.width / 2, x - self.x, across), (self.height / 2, y - self.y, down))
            if abs(step) > 1e-9
        ]
        return min(ways)


Sizes = Sequence[tuple[float, float]]
Ends = Sequence[tuple[int, int]]

_ROUNDS = 250
_GOLDEN = math.pi * (3 - math.sqrt(5))
_MARGIN = 28.0
_REACH = 2.4
"""How far boxes push each other, where linked ones would stand about 1 from each other."""
_FLAT = 0.62
"""Drawings are wider than high, as screens are and as names are."""


def settled(count: int, ends: Ends) -> list[complex]:
    """Where points stand, linked ones about 1 from each other, before anything is known of their sizes."""
    return _settled(count, sorted({(min(pair), max(pair)) for pair in ends if pair[0] != pair[1]}))


def placed(spots: Sequence[complex], sizes: Sizes, ends: Ends, spread: float = 1.0) -> list[Box]:
    """Boxes at these points, moved until no two of them overlap.

    Args:
        spots: Where they are to stand, as `settled` says.
        sizes: Width and height of each.
        ends: Which of them are linked, by position.
        spread: How far apart they stand; 1 is usual.
    """
    unit = 150.0 * spread
    boxes = [Box(spot.real * unit, spot.imag * unit * _FLAT, *size) for spot, size in zip(spots, sizes, strict=True)]
    for _ in range(8):
        boxes = _off_lines(_parted(boxes), ends)
    return _parted(boxes)


def _off_lines(boxes: list[Box], ends: Ends) -> list[Box]:
    """Boxes, moved aside where a line between two others would pass beneath them."""
    boxes = list(boxes)
    for source, target in ends:
        for at in range(len(boxes)):
            if at not in (source, target):
                boxes[at] = _beside(boxes[at], boxes[source], boxes[target])
    return boxes


def _beside(box: Box, source: Box, target: Box) -> Box:
    """A box, moved at right angles to the line from source to target until that passes it."""
    across, down = target.x - source.x, target.y - source.y
    length = math.hypot(across, down)
    if length == 0:
        return box
    across, down = across / length, down / length
    along = (box.x - source.x) * across + (box.y - source.y) * down
    aside = (box.y - source.y) * across - (box.x - source.x) * down
    reach = box.width / 2 * abs(down) + box.height / 2 * abs(across) + 10
    if not 0 < along < length or abs(aside) >= reach:
        return box
    way = (reach - abs(aside) + 1) * (1 if aside >= 0 else -1)
    return box._replace(x=box.x - down * way, y=box.y + across * way)


def _settled(count: int, pairs: list[tuple[int, int]]) -> list[complex]:
    """Fruchterman and Reingold: all push each other away, links pull, and steps become smaller and smaller."""
    # a spiral, so that nothing is drawn by chance
    spots = [math.sqrt(i + 0.5) * complex(math.cos(i * _GOLDEN), math.sin(i * _GOLDEN)) for i in range(count)]
    for turn in range(_ROUNDS):
        pushes = _pushes(spots)
        for a, b in pairs:
            pull = (spots[b] - spots[a]) * abs(spots[b] - spots[a])
            pushes[a] += pull
            pushes[b] -= pull
        step = 0.3 * (1 - turn / _ROUNDS) + 0.005
        spots = [spot + _shortened(push, step) for spot, push in zip(spots, pushes, strict=True)]
    return spots


def _pushes(spots: list[complex]) -> list[complex]:
    # a weak pull to the middle, and no push from far away, hold what is linked to nothing
    pushes = [-0.08 * spot for spot in spots]
    for a, one in enumerate(spots):
        for b in range(a):
            away = one - spots[b]
            if abs(away) < _REACH:
                push = away / max(abs(away) ** 2, 1e-6)
                pushes[a] += push
                pushes[b] -= push
    return pushes


def _shortened(push: complex, most: float) -> complex:
    return push if abs(push) <= most else push / abs(push) * most


def _parted(boxes: list[Box]) -> list[Box]:
    """The same boxes, moved apart until none overlaps another."""
    boxes = list(boxes)
    for _ in range(400):
        moved = False
        for a in range(len(boxes)):
            for b in range(a):
                if boxes[a].meets(boxes[b], _MARGIN):
                    boxes[a], boxes[b] = _apart(boxes[a], boxes[b])
                    moved = True
        if not moved:
            break
    return boxes


def _apart(one: Box, other: Box) -> tuple[Box, Box]:
    """Two overlapping boxes, each moved by half of the shorter way."""
    across, down = one.overlap(other, _MARGIN)
    if across < down:
        way = (across / 2 + 0.5) * (1 if one.x >= other.x else -1)
        return one._replace(x=one.x + way), other._replace(x=other.x - way)
    way = (down / 2 + 0.5) * (1 if one.y >= other.y else -1)
    return one._replace(y=one.y + way), other._replace(y=other.y - way)


class Line(NamedTuple):
    """A line from one point to another."""

    x1: float
    y1: float
    x2: float
    y2: float

    def at(self, share: float) -> tuple[float, float]:
        """A point on it, 0 to 1 of the way."""
        return self.x1 + (self.x2 - self.x1) * share, self.y1 + (self.y2 - self.y1) * share


_SHARES = (0.5, 0.44, 0.56, 0.38, 0.62, 0.32, 0.68, 0.26, 0.74, 0.2, 0.8, 0.14, 0.86)


def labelled(lines: Sequence[Line], sizes: Sizes, boxes: Sequence[Box]) -> list[Box | None]:
    """Where the label of each line stands, so that it covers neither a box nor another label; None where it cannot."""
    taken, found = list(boxes), list[Box | None]()
    for line, size in zip(lines, sizes, strict=True):
        candidates = [Box(*line.at(share), *size) for share in _SHARES]
        free = next((box for box in candidates if not any(box.meets(other, 2.0) for other in taken)), None)
        found.append(free)
        if free is not None:
            taken.append(free)
    return found
