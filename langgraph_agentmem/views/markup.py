"""Markup in which every text is escaped."""

import re
from datetime import UTC, datetime
from typing import Final

from langgraph_agentmem.models.base import counted

LONGEST: Final = 600
"""Characters of a text in a cell."""

_REPLACED = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff"  # no document may hold these
    "\u202a-\u202e\u2066-\u2069]"  # these turn the direction of what follows
)
_MEANT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"})
_CELL = "text-align:left;vertical-align:top;padding:4px 10px;border-bottom:1px solid rgba(128,128,128,.35)"


class Html(str):
    """Markup in which all texts are escaped. A notebook shows it as it is meant, and `str` of it is the markup.

    Examples:
        >>> from langgraph_agentmem.views import as_html
        >>> markup = as_html(memory.search("alice", "budget"))
        >>> isinstance(markup, Html), str(markup).startswith("<div")
        (True, True)
    """

    __slots__ = ()

    def _repr_html_(self) -> str:
        return str(self)

    def __repr__(self) -> str:
        return f"<Html of {counted(len(self), 'character')}>"


def joined(*parts: str) -> Html:
    """Parts one after the other: markup as it is, anything else escaped."""
    return Html("".join(part if isinstance(part, Html) else escaped(part) for part in parts))


def escaped(text: str) -> Html:
    """A text as markup that shows it."""
    return Html(_REPLACED.sub("\ufffd", text).translate(_MEANT))


def element(name: str, *children: str, **attributes: str | float | None) -> Html:
    """An element; `stroke_width=2` is the attribute stroke-width, None leaves an attribute out."""
    given = "".join(
        f' {key.replace("_", "-")}="{escaped(_plain(value))}"' for key, value in attributes.items() if value is not None
    )
    return Html(f"<{name}{given}>{joined(*children)}</{name}>")


def _plain(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.1f}".removesuffix(".0")


def block(heading: str, *parts: str) -> Html:
    """What is shown of a value: a line in bold, then its parts."""
    return element("div", element("div", heading, style="font-weight:600;margin:4px 0"), *parts)


def framed(*parts: str) -> Html:
    """A page: notebooks set tables to the right unless told otherwise; colours are those of what is around it."""
    return element("div", *parts, style="text-align:left;overflow-x:auto;font-size:13px;line-height:1.45")


def table(headers: list[str], rows: list[list[str]]) -> Html:
    """A table; nothing where there are no rows."""
    if not rows:
        return Html()
    head = element("tr", *(element("th", header, style=f"{_CELL};font-weight:600") for header in headers))
    body = [element("tr", *(element("td", each, style=_CELL) for each in row), style="background:none") for row in rows]
    return element(
        "table",
        element("thead", head),
        element("tbody", *body),
        style="border-collapse:collapse;margin:4px 0 10px;text-align:left;color:inherit;font-size:inherit",
    )


def prose(text: str) -> Html:
    """A text with its lines; a long one is cut, and says so."""
    text = text.strip()
    more = len(text) - LONGEST
    shown = f"{text[:LONGEST]}… ({counted(more, 'more character')})" if more > 0 else text
    return element("div", shown, style="white-space:pre-wrap;overflow-wrap:anywhere;min-width:12em;max-width:44em")


def note(text: str) -> Html:
    """A line in small print; nothing for an empty text."""
    return element("div", text, style="opacity:.75;font-size:12px;margin:2px 0 6px") if text else Html()


def code(text: str) -> Html:
    """An id, which does not break into lines."""
    return element("code", text, style="white-space:nowrap;font-size:11px;color:inherit;background:none")


def badge(text: str, colour: str) -> Html:
    """A word on a coloured ground, which is readable on light and dark pages."""
    style = f"background:{colour};color:#1b1f24;border-radius:9px;padding:1px 8px;font-size:12px;white-space:nowrap"
    return element("span", text, style=style)


def moment(at: datetime | None, *, exact: bool = False) -> str:
    """A time in UTC, to the minute or to the second."""
    if at is None:
        return ""
    return f"{at if at.tzinfo is None else at.astimezone(UTC):{'%Y-%m-%d %H:%M:%S' if exact else '%Y-%m-%d %H:%M'}}"


def when(at: datetime | None) -> Html:
    """A time in a cell."""
    return element("span", moment(at), style="white-space:nowrap")
