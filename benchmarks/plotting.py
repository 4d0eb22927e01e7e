"""Small line charts beside each other, as an SVG that needs nothing else."""

from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT, COLUMNS = 380, 210, 2
LETTER = 5.8
LEFT, TOP, RIGHT, BOTTOM = 52, 34, 12, 40
COLOURS = ("#3366cc", "#dc3912", "#109618", "#ff9900", "#990099", "#0099c6")
Lines = Mapping[str, Sequence[float]]


def charts(x: Sequence[float], x_name: str, panels: Mapping[str, Lines]) -> str:
    """One chart a title, with a line a name; all lines have a value for each x."""
    rows = -(-len(panels) // COLUMNS)
    places = [(number % COLUMNS * WIDTH, number // COLUMNS * HEIGHT) for number in range(len(panels))]
    drawn = [
        f'<g transform="translate({left},{top})">{_chart(x, title, lines)}</g>'
        for (left, top), (title, lines) in zip(places, panels.items(), strict=True)
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH * COLUMNS} {HEIGHT * rows + 20}" '
        'font-family="sans-serif" font-size="11">'
        '<rect width="100%" height="100%" fill="white"/>'
        + "\n".join(drawn)
        + f'\n<text x="{WIDTH * COLUMNS / 2}" y="{HEIGHT * rows + 10}" text-anchor="middle">{escape(x_name)}</text>'
        "</svg>\n"
    )


def _chart(x: Sequence[float], title: str, lines: Lines) -> str:
    highest = max((max(values) for values in lines.values()), default=0) or 1
    longest = max(x) or 1
    wide, tall = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    parts = [f'<text x="{LEFT}" y="14" font-weight="bold">{escape(title)}</text>']
    for part in (0, 0.5, 1):
        y = TOP + tall * (1 - part)
        parts.append(f'<path d="M{LEFT} {y}h{wide}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 4}" y="{y + 4}" text-anchor="end">{highest * part:,.4g}</text>')
        place = LEFT + wide * part
        parts.append(f'<text x="{place}" y="{TOP + tall + 14}" text-anchor="middle">{longest * part:,.0f}</text>')
    named = LEFT
    for number, (name, values) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        points = " ".join(
            f"{LEFT + wide * at / longest:.1f},{TOP + tall * (1 - value / highest):.1f}"
            for at, value in zip(x, values, strict=True)
        )
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.3"/>')
        parts.append(f'<text x="{named}" y="28" fill="{colour}" font-size="10">{escape(name)}</text>')
        named += 10 + LETTER * len(name)
    return "".join(parts)
