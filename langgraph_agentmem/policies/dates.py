"""Finds the days that a text names, and that a question asks for.

A text names days and months ("8 May 2023", "2023-05-08", "May 2023", 2023年5月8日). A question names besides what
only the present day gives a meaning: "in May", "in 2023", "yesterday", "last week", "3 months ago"; so do questions in
German, French and Spanish, and the usual words in Chinese and Japanese. A date such as 5/8/2023 is read both ways.
"""

import calendar
import re
import tomllib
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from importlib.resources import files
from typing import Any, NamedTuple
from unicodedata import normalize

from langgraph_agentmem.policies.words import dimension, without_accents

_TABLES: dict[str, dict[str, Any]] = tomllib.loads(
    files("langgraph_agentmem.policies").joinpath("dates.toml").read_text(encoding="utf-8")
)
_MOST_DAYS = 400
"""A question about a longer time asks for none."""


def _one_of(table: str) -> str:
    return "|".join(sorted(map(re.escape, _TABLES[table]), key=lambda name: (-len(name), name)))


_YEAR = r"(?P<y>(?:19|20)\d\d)"
_MONTH = rf"(?P<m>{_one_of('months')})\.?"
_DAY = r"(?P<d>\d{1,2})(?:st|nd|rd|th|er|\.|º)?"
_OF = r"(?:\s*,\s*|\s+(?:(?:of|de|del|d')\s+)?)"
_IN = r"(?:in|on|during|since|by|of|until|im|am|seit|bis|en|dans|depuis|desde)"
_NAMED = [
    re.compile(pattern)
    for pattern in (
        rf"(?<![\w.-]){_YEAR}[-/.](?P<m>\d{{1,2}})[-/.](?P<d>\d{{1,2}})(?!\d)",
        rf"(?<![\w.-]){_YEAR}-(?P<m>\d\d)(?![\w-])",
        rf"(?<![\w.]){_DAY}{_OF}{_MONTH}{_OF}{_YEAR}\b",
        rf"\b{_MONTH}[\s-]+{_DAY}\s*[,\s-]\s*{_YEAR}\b",
        rf"(?<!\w){_MONTH}{_OF}{_YEAR}\b",
        rf"{_YEAR}\s*[年년]\s*(?P<m>\d{{1,2}})\s*[月월](?:\s*(?P<d>\d{{1,2}})\s*[日일])?",
        rf"(?<![\w.])(?P<d>\d{{1,2}})\.\s?(?P<m>\d{{1,2}})\.\s?{_YEAR}\b",
    )
]
_ANY_YEAR = re.compile(r"(?:19|20)\d\d")
_AROUND_YEAR = re.compile(r"[^\n]{0,24}(?:19|20)\d\d[^\n]{0,14}")
"""All that a date with a year may be; texts are long, and few name one."""
_EITHER_WAY = re.compile(rf"(?<![\w/])(?P<a>\d{{1,2}})/(?P<b>\d{{1,2}})/{_YEAR}\b")
_WITHOUT_YEAR = [
    re.compile(pattern)
    for pattern in (
        rf"(?<![\w.]){_DAY}{_OF}{_MONTH}(?!\w)",
        rf"\b{_MONTH}\s+{_DAY}(?!\w|\s*[:.]\d)",
        rf"\b{_IN}\s+(?:early |late |mid-?)?{_MONTH}(?!\w)",
    )
]
_YEAR_ALONE = [
    re.compile(pattern)
    for pattern in (rf"\b(?:{_IN}|jahr)\s+(?:the year |jahr )?{_YEAR}(?![\w-])", rf"{_YEAR}\s*[年년](?!\s*\d)")
]
_NOW = re.compile(rf"(?<![a-z])(?:{_one_of('now')})(?![a-z])")
_SHIFTED = re.compile(
    rf"\b(?:(?P<s>{_one_of('shifts')})\s+(?P<u>{_one_of('units')}|{_one_of('weekdays')})"
    rf"|(?P<u2>{_one_of('units')}|{_one_of('weekdays')})\s+(?P<s2>{_one_of('shifts')}))\b"
)
_AGO = re.compile(
    rf"\b(?:(?P<n>\d{{1,3}}|an?|one|two|three)\s+(?P<u>{_one_of('units')})\s+ago"
    rf"|(?:vor|il y a|hace)\s+(?P<n2>\d{{1,3}}|einem|einer|un|une|una)\s+(?P<u2>{_one_of('units')}))\b"
)
_COUNTS = {"two": 2, "three": 3}


class Days(NamedTuple):
    """Days from the first up to, not including, the last."""

    first: date
    end: date


def said(text: str) -> list[Days]:
    """The days and the months that a text names, as far as it says of which year."""
    return _distinct(_named(_folded(text)))


def asked(query: str, today: date) -> list[Days]:
    """The days that a question asks for."""
    text = _folded(query)
    named = list(_named(text))
    if named:
        return _distinct(named)
    found = [*_without_year(text, today), *_from_now(text, today)]
    found += [_year(int(match["y"])) for pattern in _YEAR_ALONE for match in pattern.finditer(text)]
    return [days for days in _distinct(found) if (days.end - days.first).days <= _MOST_DAYS]


def dimensions(text: str) -> list[int]:
    """Where the days that a text names stand among its words: each day, and each of their months."""
    keys = {
        key
        for days in said(text)
        for key in (days.first.isoformat() if _is_day(days) else "", days.first.strftime("%Y-%m"))
        if key
    }
    return sorted(dimension(f"date {key}") for key in keys)


def looked_up(asked: Iterable[Days]) -> list[int]:
    """What of `dimensions` lies within the days that are asked for."""
    return sorted({dimension(f"date {key}") for days in asked for key in _keys(days)})


def _keys(days: Days) -> Iterator[str]:
    """Whole months, and the days beside them."""
    at = days.first
    while at < days.end:
        following = _month(at.year, at.month).end
        if at.day == 1 and following <= days.end:
            yield at.strftime("%Y-%m")
        else:
            following = at + timedelta(days=1)
            yield at.isoformat()
        at = following


def _named(text: str) -> Iterator[Days]:
    if not _ANY_YEAR.search(text):
        return
    for around in _AROUND_YEAR.findall(text):
        for pattern in _NAMED:
            for match in pattern.finditer(around):
                yield from _days(match["y"], match["m"], match.groupdict().get("d"))
        for match in _EITHER_WAY.finditer(around):
            yield from _days(match["y"], match["a"], match["b"])
            yield from _days(match["y"], match["b"], match["a"])


def _without_year(text: str, today: date) -> Iterator[Days]:
    """The last one that has begun."""
    for pattern in _WITHOUT_YEAR:
        for match in pattern.finditer(text):
            for year in (today.year, today.year - 1):
                found = list(_days(str(year), match["m"], match.groupdict().get("d")))
                if found and found[0].first <= today:
                    yield found[0]
                    break


def _from_now(text: str, today: date) -> Iterator[Days]:
    for match in _NOW.finditer(text):
        unit, shift = _TABLES["now"][match[0]]
        yield _shifted(unit, shift, today)
    for match in _SHIFTED.finditer(text):
        unit, shift = match["u"] or match["u2"], _TABLES["shifts"][match["s"] or match["s2"]]
        yield _shifted(_TABLES["units"].get(unit, unit), shift, today)
    for match in _AGO.finditer(text):
        count = match["n"] or match["n2"]
        shift = int(count) if count.isdecimal() else _COUNTS.get(count, 1)
        yield _shifted(_TABLES["units"][match["u"] or match["u2"]], -shift, today)


def _shifted(unit: str, shift: int, today: date) -> Days:
    if unit == "day":
        return _from(today + timedelta(days=shift), 1)
    if unit == "week":
        return _from(today + timedelta(days=7 * shift - today.weekday()), 7)
    if unit == "month":
        months = today.year * 12 + today.month - 1 + shift
        return _month(months // 12, months % 12 + 1)
    if unit == "year":
        return _year(today.year + shift)
    # a weekday: the one before today, of this week, or after today
    ahead = (_TABLES["weekdays"][unit] - today.weekday()) % 7
    day = ahead - 7 if shift < 0 else ahead or 7 * shift
    return _from(today + timedelta(days=day), 1)


def _days(year: str, month: str, day: str | None) -> Iterator[Days]:
    """A day or a month, if there is such a one."""
    number = int(month) if month.isdecimal() else _TABLES["months"][month]
    if not 1 <= number <= 12:
        return
    if day is None:
        yield _month(int(year), number)
    elif 1 <= int(day) <= calendar.monthrange(int(year), number)[1]:
        yield _from(date(int(year), number, int(day)), 1)


def _from(first: date, days: int) -> Days:
    return Days(first, first + timedelta(days=days))


def _month(year: int, month: int) -> Days:
    return _from(date(year, month, 1), calendar.monthrange(year, month)[1])


def _year(year: int) -> Days:
    return Days(date(year, 1, 1), date(year + 1, 1, 1))


def _is_day(days: Days) -> bool:
    return days.end - days.first == timedelta(days=1)


def _distinct(found: Iterable[Days]) -> list[Days]:
    """In order; a month of which a day is named is part of that name."""
    every = sorted(set(found))
    return [
        days
        for days in every
        if _is_day(days) or not any(_is_day(o) and days.first <= o.first < days.end for o in every)
    ]


def _folded(text: str) -> str:
    return without_accents(normalize("NFKC", text).lower())
