"""The lines between which a piece of a text stood."""

LONGEST = 200
"""Characters of such a line; what is nearest to the piece is kept."""
WINDOW = 2 * LONGEST
"""Characters of the text on either side that are looked at: more than a line, as empty lines do not count."""


def line_before(text: str) -> str:
    """The last line of what stands before a piece, or its rest where the piece begins within a line."""
    line = text.rstrip().rpartition("\n")[2].strip()
    return line if len(line) <= LONGEST else f"…{line[1 - LONGEST :]}"


def line_after(text: str) -> str:
    """The first line of what stands after a piece, or its rest where the piece ends within a line."""
    line = text.lstrip().partition("\n")[0].strip()
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"
